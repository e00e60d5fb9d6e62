package table

import (
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"

	"tnaml/experiments/data"
	"tnaml/nn/safetensors"
)

// Definition is the kind of recorded benchmarks.
var Definition = data.Definition{
	Kind:      data.Table,
	Container: container,
	Decode:    func(f *safetensors.File) (data.Task, error) { return decode(f) },
	Read:      func(file []byte, o data.Options) (data.Task, error) { return Read(file, o) },
	Complete:  data.Options.Unsplit,
	Size:      func(c *data.Card) string { return fmt.Sprintf("%d choices", len(c.Table.Choices)) },
	Facts:     facts,
}

// Kind is table.
func (*Table) Kind() data.Kind { return data.Table }

// TaskName is the task's name.
func (t *Table) TaskName() string { return t.Name }

// Describe returns the task's card.
func (t *Table) Describe() *data.Card { return &t.Card }

// shownChoices is how many choices a card names.
const shownChoices = 12

func facts(c *data.Card) []data.Fact {
	var metrics, choices []string
	for _, m := range c.Table.Metrics {
		if c.Examples > 0 {
			m.Name += fmt.Sprintf(" (%.4g to %.4g)", m.Min, m.Max)
		}
		metrics = append(metrics, m.Name)
	}
	for _, k := range c.Table.Choices[:min(len(c.Table.Choices), shownChoices)] {
		choices = append(choices, fmt.Sprintf("%s (%d)", k.Name, k.Options))
	}
	if more := len(c.Table.Choices) - len(choices); more > 0 {
		choices = append(choices, fmt.Sprintf("and %d more", more))
	}
	others := "are not known"
	if c.Table.Fitted {
		others = fmt.Sprintf("are estimated: additive effects, %s interactions", humanize.Comma(int64(c.Table.Interactions)))
	}
	return []data.Fact{
		{Name: "rows", Value: humanize.Comma(int64(c.Examples)) + " configurations; others " + others},
		{Name: "metrics", Value: strings.Join(metrics, ", ")},
		{Name: "choices", Value: strings.Join(choices, ", ")},
	}
}
