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
func describe(c *data.Card, t *Task, examples []Example, of []int32, groups []int, parts []data.Part, tok *tokens) {
	c.DistinctTokens, c.Vocabulary, c.WideVocabulary = len(tok.words), len(t.Vocabulary), t.WideVocabulary
	seen := make([]bool, len(examples)) // by group
	characters, lengths := 0, make([]int, len(examples))
	for i, e := range examples {
		lengths[i] = utf8.RuneCountInString(e.Text)
		characters += lengths[i]
		if len(tok.docs[i]) == c.Options.MaxTokens {
			c.Cut++
		}
		if cl := &c.Classes[of[i]]; !seen[groups[i]] && len(cl.Samples) < samples {
			cl.Samples = append(cl.Samples, sample(e.Text))
		}
		seen[groups[i]] = true
	}
	n := float64(len(examples))
	c.MeanCharacters, c.MeanTokens = float64(characters)/n, float64(tok.total)/n
	c.Lengths = newLengths(lengths)
	known, all := 0, 0
	for i := range examples {
		if parts[i] == data.InTest {
			all += len(tok.docs[i])
		}
	}
	for _, id := range t.Test.IDs {
		if int(id) < t.WideVocabulary {
			known++
		}
	}
	if all > 0 {
		c.Coverage = float64(known) / float64(all)
	}
}

// sample cuts a text for the card: one line, at most sampleLength characters.
func sample(s string) string {
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
func warn(c *data.Card) {
	if c.Empty > 0 {
		c.Warnings = append(c.Warnings, fmt.Sprintf("%d examples without a text were left out", c.Empty))
	}
	c.Warn("a text")
	if c.WideVocabulary == 0 {
		c.Warnings = append(c.Warnings,
			fmt.Sprintf("no token occurs %d times in the training split: the wide tower sees nothing", c.Options.MinCount))
	}
}
