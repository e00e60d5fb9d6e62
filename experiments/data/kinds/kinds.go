// Package kinds is the table of the kinds of tasks: what to do with a task of
// which only a card or an object is at hand.
package kinds

import (
	"fmt"
	"slices"
	"strings"

	"tnaml/experiments/data"
	"tnaml/experiments/data/external"
	"tnaml/experiments/data/image"
	"tnaml/experiments/data/table"
	"tnaml/experiments/data/text"
	"tnaml/nn/safetensors"
)

// Table lists the kinds.
func Table() []data.Definition {
	return []data.Definition{text.Definition, image.Definition, table.Definition, external.Definition}
}

// Names lists the names of the kinds.
func Names() []string {
	var out []string
	for _, d := range Table() {
		out = append(out, string(d.Kind))
	}
	return out
}

// Find returns a kind by its name.
func Find(kind data.Kind) (data.Definition, error) {
	return find(func(d data.Definition) bool { return d.Kind == kind }, func() error {
		return fmt.Errorf("unknown kind of task %q (known: %s)", kind, strings.Join(Names(), ", "))
	})
}

// Of returns the kind of a card's task.
func Of(c *data.Card) data.Definition {
	d, err := Find(c.Kind())
	if err != nil {
		panic(err) // a kind without a row in the table
	}
	return d
}

// Decode reads the object of a task of any kind.
func Decode(object []byte) (data.Task, error) {
	f, err := safetensors.Decode(object)
	if err != nil {
		return nil, fmt.Errorf("task: %w", err)
	}
	d, err := find(func(d data.Definition) bool { return d.Container == f.Kind() }, func() error {
		return fmt.Errorf("task: the object is a %q, not a task", f.Kind())
	})
	if err != nil {
		return nil, err
	}
	t, err := d.Decode(f)
	if err != nil {
		return nil, err
	}
	return t, nil
}

func find(is func(data.Definition) bool, none func() error) (data.Definition, error) {
	all := Table()
	if i := slices.IndexFunc(all, is); i >= 0 {
		return all[i], nil
	}
	return data.Definition{}, none()
}
