package external

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"tnaml/experiments/data"
	"tnaml/experiments/limit"
	"tnaml/nn/safetensors"
)

// Definition is the kind of external tasks.
var Definition = data.Definition{
	Kind:      data.External,
	Container: container,
	Decode:    func(f *safetensors.File) (data.Task, error) { return decode(f) },
	Complete:  data.Options.Unsplit,
	Size:      size,
	Facts:     facts,
}

// Kind is external.
func (*Task) Kind() data.Kind { return data.External }

// TaskName is the task's name.
func (t *Task) TaskName() string { return t.Name }

// Describe returns the task's card.
func (t *Task) Describe() *data.Card { return &t.Card }

func size(c *data.Card) string {
	if a := c.External.Attached; a != nil {
		return humanize.IBytes(uint64(max(0, a.Bytes)))
	}
	return fmt.Sprintf("%d parameters", len(parameters(c)))
}

func parameters(c *data.Card) map[string]json.RawMessage {
	var all map[string]json.RawMessage
	_ = json.Unmarshal(c.External.Parameters, &all) // canonical, or nothing
	return all
}

// maxShown bounds the parameters that a card shows, in bytes of each value.
const maxShown = 200

func facts(c *data.Card) []data.Fact {
	var out []data.Fact
	if d := c.External.Description; d != "" {
		out = append(out, data.Fact{Name: "about", Value: d})
	}
	all := parameters(c)
	var words []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		words = append(words, name+" "+limit.Cut(string(all[name]), maxShown))
	}
	if len(words) == 0 {
		words = []string{"none: its trainer knows the task by its name"}
	}
	out = append(out, data.Fact{Name: "parameters", Value: strings.Join(words, ", ")})
	if a := c.External.Attached; a != nil {
		what := "the file " + a.Name
		if a.Folder {
			what = fmt.Sprintf("the folder %s, %s files", a.Name, humanize.Comma(int64(a.Files)))
		}
		out = append(out, data.Fact{Name: "attached", Value: fmt.Sprintf("%s, %s, %s", what, humanize.IBytes(uint64(max(0, a.Bytes))), a.Ref)})
	}
	return out
}
