package task

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Card describes a task: what is in it, how it was made, and what to beware of.
type Card struct {
	// Examples counts the examples with a text; Empty those left out.
	Examples   int `json:"examples"`
	Empty      int `json:"empty,omitempty"`
	Train      int `json:"train"`
	Validation int `json:"validation"`
	Test       int `json:"test"`
	// GivenSplit says that the source has its own split.
	GivenSplit bool    `json:"given_split"`
	Classes    []Class `json:"classes"`
	// MajorityAccuracy is the test accuracy of always answering the most
	// frequent class of the training split.
	MajorityAccuracy float64 `json:"majority_accuracy"`
	MeanCharacters   float64 `json:"mean_characters"`
	MeanTokens       float64 `json:"mean_tokens"`
	// Cut counts the texts that reached the limit of tokens.
	Cut int `json:"cut"`
	// Duplicates counts the examples whose text came before; Conflicts those
	// of them with another label than the first one.
	Duplicates int `json:"duplicates"`
	Conflicts  int `json:"conflicts"`
	// Leakage counts the validation and test examples whose text is also in
	// the training split. Only a given split can have any.
	Leakage int `json:"leakage"`
	// DistinctTokens counts all the tokens of the examples, Vocabulary those
	// kept, WideVocabulary those that the wide tower sees; Coverage is the
	// share of the test split's tokens that is in the wide vocabulary.
	DistinctTokens int     `json:"distinct_tokens"`
	Vocabulary     int     `json:"vocabulary"`
	WideVocabulary int     `json:"wide_vocabulary"`
	Coverage       float64 `json:"coverage"`
	// Options are those the task was built with, defaults filled in.
	Options  Options  `json:"options"`
	Warnings []string `json:"warnings,omitempty"`
}

// Class is one class of a task.
type Class struct {
	Label      string `json:"label"`
	Train      int    `json:"train"`
	Validation int    `json:"validation"`
	Test       int    `json:"test"`
	// Samples are the first three different texts, cut to sampleLength characters.
	Samples []string `json:"samples"`
}

const (
	samples      = 3
	sampleLength = 120
)

func makeCard(t *Task, examples []Example, groups []int, parts []part, tok *tokens, o Options) Card {
	c := Card{Examples: len(examples), Train: t.Train.Len(), Validation: t.Validation.Len(), Test: t.Test.Len(),
		Classes: make([]Class, len(t.Labels)), DistinctTokens: len(tok.words), Vocabulary: len(t.Vocabulary),
		WideVocabulary: t.WideVocabulary, Options: o}
	index := map[string]int{}
	for i, l := range t.Labels {
		c.Classes[i].Label = l
		index[l] = i
	}
	first := make([]int, len(examples)) // group → its first example, plus 1
	trained := make([]bool, len(examples))
	characters := 0
	for i, e := range examples {
		cl := &c.Classes[index[e.Label]]
		switch parts[i] {
		case inTrain:
			cl.Train++
			trained[groups[i]] = true
		case inValidation:
			cl.Validation++
		case inTest:
			cl.Test++
		}
		characters += utf8.RuneCountInString(e.Text)
		if len(tok.docs[i]) == o.MaxTokens {
			c.Cut++
		}
		if f := first[groups[i]]; f == 0 {
			first[groups[i]] = i + 1
			if len(cl.Samples) < samples {
				cl.Samples = append(cl.Samples, sample(e.Text))
			}
		} else {
			c.Duplicates++
			if examples[f-1].Label != e.Label {
				c.Conflicts++
			}
		}
	}
	for i := range examples {
		if parts[i] != inTrain && trained[groups[i]] {
			c.Leakage++
		}
	}
	n := float64(len(examples))
	c.MeanCharacters, c.MeanTokens = float64(characters)/n, float64(tok.total)/n
	best := 0
	for i, cl := range c.Classes {
		if cl.Train > c.Classes[best].Train {
			best = i
		}
	}
	c.MajorityAccuracy = float64(c.Classes[best].Test) / float64(c.Test)
	known, all := 0, 0
	for i := range examples {
		if parts[i] == inTest {
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
	return c
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

// warn fills in the warnings.
func (c *Card) warn() {
	say := func(format string, a ...any) { c.Warnings = append(c.Warnings, fmt.Sprintf(format, a...)) }
	if c.Empty > 0 {
		say("%d examples without a text were left out", c.Empty)
	}
	for _, cl := range c.Classes {
		if cl.Train == 0 {
			say("class %q never occurs in the training split; its %d examples elsewhere cannot be classified right", cl.Label, cl.Validation+cl.Test)
		}
	}
	if c.Leakage > 0 {
		say("%d validation and test examples have a text that is also in the training split: accuracies are too high", c.Leakage)
	}
	if c.Conflicts > 0 {
		say("%d examples have the text of another example and another label", c.Conflicts)
	}
	if c.WideVocabulary == 0 {
		say("no token occurs %d times in the training split: the wide tower sees nothing", c.Options.MinCount)
	}
}
