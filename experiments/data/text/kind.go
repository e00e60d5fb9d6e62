package text

import (
	"fmt"

	"github.com/dustin/go-humanize"

	"tnaml/experiments/data"
	"tnaml/nn/safetensors"
)

// Definition is the kind of tasks of texts.
var Definition = data.Definition{
	Kind:      data.Text,
	Container: kind,
	Decode:    func(f *safetensors.File) (data.Task, error) { return decode(f) },
	Complete:  data.Options.OfTexts,
	Size:      func(c *data.Card) string { return fmt.Sprintf("%.0f tokens", c.MeanTokens) },
	Facts:     facts,
}

// Kind is text.
func (*Task) Kind() data.Kind { return data.Text }

// TaskName is the task's name.
func (t *Task) TaskName() string { return t.Name }

// Describe returns the task's card.
func (t *Task) Describe() *data.Card { return &t.Card }

func facts(c *data.Card) []data.Fact {
	n := func(v int) string { return humanize.Comma(int64(v)) }
	percent := func(v float64) string { return fmt.Sprintf("%.2f %%", 100*v) }
	var out []data.Fact
	if l := c.Lengths; l != nil {
		out = append(out, data.Fact{Name: "characters", Value: fmt.Sprintf("%s to %s, half of the texts %s to %s, median %s, 95 %% up to %s",
			n(l.Min), n(l.Max), n(l.Q1), n(l.Q3), n(l.Median), n(l.P95))})
	}
	cut := ""
	if c.Cut > 0 {
		cut = fmt.Sprintf(", %s texts cut at %s", n(c.Cut), n(c.Options.MaxTokens))
	}
	return append(out,
		data.Fact{Name: "tokens", Value: fmt.Sprintf("%.0f a text on average%s", c.MeanTokens, cut)},
		data.Fact{Name: "vocabulary", Value: fmt.Sprintf("%s of %s tokens; wide tower %s, %s of the test split",
			n(c.Vocabulary), n(c.DistinctTokens), n(c.WideVocabulary), percent(c.Coverage))})
}
