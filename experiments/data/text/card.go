package text

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"tnaml/experiments/data"
)

const (
	samples      = 3
	sampleLength = 120
)

// describe adds what only texts have.
func (b *Builder) describe(c *data.Card, parts []data.Part) {
	c.Empty, c.DistinctTokens = b.empty, len(b.words)
	for i := range c.Classes {
		c.Classes[i].Samples = b.samples[i]
	}
	characters := 0
	for i, doc := range b.docs {
		characters += b.lengths[i]
		if len(doc) == c.Options.MaxTokens {
			c.Cut++
		}
		if parts[i] == data.InTest {
			b.tested += len(doc)
		}
	}
	n := float64(len(b.docs))
	c.MeanCharacters, c.MeanTokens = float64(characters)/n, float64(b.total)/n
	c.Lengths = newLengths(b.lengths)
}

// covered adds what is said of the task's vocabulary.
func (b *Builder) covered(t *Task) {
	c := &t.Card
	c.Vocabulary, c.WideVocabulary = len(t.Vocabulary), t.WideVocabulary
	known := 0
	for _, id := range t.Test.IDs {
		if int(id) < t.WideVocabulary {
			known++
		}
	}
	if b.tested > 0 {
		c.Coverage = float64(known) / float64(b.tested)
	}
}

// sample cuts a text for the card: one line, at most sampleLength characters.
func sample(s string) string {
	if most := 64 * sampleLength; len(s) > most { // enough but for a text that is little but white space
		s = strings.ToValidUTF8(s[:most], "")
	}
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) <= sampleLength {
		return s
	}
	r := []rune(s)
	return string(r[:sampleLength-1]) + "…"
}

// newLengths sorts n, of at least one length.
func newLengths(n []int) *data.Lengths {
	slices.Sort(n)
	at := func(percent int) int { return n[max(0, (percent*len(n)+99)/100-1)] }
	return &data.Lengths{Min: n[0], Q1: at(25), Median: at(50), Q3: at(75), P95: at(95), Max: n[len(n)-1]}
}

// warn fills in the warnings of a text task.
func (b *Builder) warn(c *data.Card) {
	say := func(format string, a ...any) { c.Warnings = append(c.Warnings, fmt.Sprintf(format, a...)) }
	if c.Empty > 0 {
		say("%d examples without a text were left out", c.Empty)
	}
	if b.relabels > 0 {
		say("%d labels were read in another form, %q as %q: whole numbers have no point, letters are composed", b.relabels, b.relabel,
			data.LabelOf(b.relabel))
	}
	c.Warn("a text")
	if c.WideVocabulary == 0 {
		say("no token occurs %d times in the training split: the wide tower sees nothing", c.Options.MinCount)
	}
}
