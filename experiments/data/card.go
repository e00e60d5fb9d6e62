package data

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
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
	// Balance is the number of examples in the smallest class over that in the
	// largest, 1 where all are of one size.
	Balance float64 `json:"balance,omitempty"`
	// Evenness is the entropy of the classes' shares over its largest value, the
	// logarithm of their number (Pielou, 1966): 1 where all are of one size, near
	// 0 where one has nearly all. Unlike Balance it does not hang on the smallest.
	Evenness float64 `json:"evenness,omitempty"`
	// MajorityAccuracy is the test accuracy of always answering the most
	// frequent class of the training split.
	MajorityAccuracy float64 `json:"majority_accuracy"`
	MeanCharacters   float64 `json:"mean_characters"`
	MeanTokens       float64 `json:"mean_tokens"`
	// Lengths says how the texts' lengths are distributed; only text tasks have it.
	Lengths *Lengths `json:"lengths,omitempty"`
	// Cut counts the texts that reached the limit of tokens.
	Cut int `json:"cut"`
	// Duplicates counts the examples whose text came before; Conflicts those
	// of them with another label than the first one.
	Duplicates int `json:"duplicates"`
	Conflicts  int `json:"conflicts"`
	// Leakage counts the validation and test examples whose text is also in
	// the training split. Only a given split can have any.
	Leakage int `json:"leakage"`
	// Leaks counts the same between each two splits.
	Leaks Leaks `json:"leaks"`
	// DistinctTokens counts all the tokens of the examples, Vocabulary those
	// kept, WideVocabulary those that the wide tower sees; Coverage is the
	// share of the test split's tokens that is in the wide vocabulary.
	DistinctTokens int     `json:"distinct_tokens"`
	Vocabulary     int     `json:"vocabulary"`
	WideVocabulary int     `json:"wide_vocabulary"`
	Coverage       float64 `json:"coverage"`
	// Image, Table and External hold what only tasks of that kind have.
	Image    *ImageCard    `json:"image,omitempty"`
	Table    *TableCard    `json:"table,omitempty"`
	External *ExternalCard `json:"external,omitempty"`
	// Options are those the task was built with, defaults filled in.
	Options  Options  `json:"options"`
	Warnings []string `json:"warnings,omitempty"`
}

// Lengths are quantiles of the texts' lengths in characters, by nearest rank:
// each is the length of some text.
type Lengths struct {
	Min    int `json:"min"`
	Q1     int `json:"q1"`
	Median int `json:"median"`
	Q3     int `json:"q3"`
	P95    int `json:"p95"`
	Max    int `json:"max"`
}

// Leaks counts, for each two splits, the examples of the second one that equal
// an example of the first.
type Leaks struct {
	TrainValidation int `json:"train_validation"`
	TrainTest       int `json:"train_test"`
	ValidationTest  int `json:"validation_test"`
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

// Examples is the class's number of examples.
func (c Class) Examples() int { return c.Train + c.Validation + c.Test }

// HasSamples says that the classes have sample texts.
func (c Card) HasSamples() bool {
	return slices.ContainsFunc(c.Classes, func(k Class) bool { return len(k.Samples) > 0 })
}

// Bounds of what a card shows to people of its classes.
const (
	maxShown = 30
	smallest = 5 // of them, where there are more
)

// ShownClass is a line about a class, or about those left out.
type ShownClass struct {
	Class
	// Others, if positive, is the number of classes in the place of which the line
	// stands.
	Others int
}

// Shown returns the classes to show to people: all in their order or, of more
// than 30, the 25 largest, a line for the others, and the five smallest, from
// large to small.
func (c Card) Shown() []ShownClass {
	classes := c.Classes
	if len(classes) > maxShown {
		classes = slices.Clone(classes)
		slices.SortStableFunc(classes, func(a, b Class) int { return b.Examples() - a.Examples() })
	}
	var out []ShownClass
	for i, class := range classes {
		switch others := len(classes) - maxShown; {
		case others <= 0 || i < maxShown-smallest || i >= len(classes)-smallest:
			out = append(out, ShownClass{Class: class})
		case i == maxShown-smallest:
			out = append(out, ShownClass{Others: others})
		}
	}
	return out
}

// ImageCard is the part of a card that only image tasks have.
type ImageCard struct {
	// Height, Width and Channels (1 for grey, 3 for RGB) are those of every image.
	Height   int `json:"height"`
	Width    int `json:"width"`
	Channels int `json:"channels"`
	// MeanPixel is the mean of each channel over the training split, 0 to 255.
	MeanPixel []float64 `json:"mean_pixel"`
}

// TableCard is the part of a card that only recorded benchmarks have. Their
// Card.Examples counts the rows.
type TableCard struct {
	Metrics []MetricRange   `json:"metrics"`
	Choices []ChoiceOptions `json:"choices"`
	// Fitted says that configurations that are not among the rows are estimated,
	// with so many interactions of two choices.
	Fitted       bool `json:"fitted,omitempty"`
	Interactions int  `json:"interactions,omitempty"`
}

// MetricRange is a metric with the range of its values in the rows.
type MetricRange struct {
	Name string  `json:"name"`
	Min  float64 `json:"min"`
	Max  float64 `json:"max"`
}

// ChoiceOptions is a choice with the number of its options that are known.
type ChoiceOptions struct {
	Name    string `json:"name"`
	Options int    `json:"options"`
}

// ExternalCard is the part of a card that only external tasks have.
type ExternalCard struct {
	Description string `json:"description,omitempty"`
	// Parameters are a JSON object in canonical form, or nothing.
	Parameters json.RawMessage `json:"parameters,omitempty"`
	// Attached is the object beside the task, nil where there is none.
	Attached *Attached `json:"attached,omitempty"`
}

// Attached is a file or folder that people have attached to a task.
type Attached struct {
	// Ref references the object: the file as it is, or the folder as a tar archive.
	Ref string `json:"ref"`
	// Name is that of the file or folder.
	Name string `json:"name"`
	// Folder says which of both it is, Files how many it has.
	Folder bool  `json:"folder,omitempty"`
	Files  int   `json:"files"`
	Bytes  int64 `json:"bytes"`
}

// NewCard counts what all kinds of tasks have: labels are the class names, of
// each example's class, groups a number that equal examples share, parts each
// example's split, given whether the source made it.
func NewCard(labels []string, of []int32, groups []int, parts []Part, given bool, o Options) Card {
	c := Card{Examples: len(of), GivenSplit: given, Classes: make([]Class, len(labels)), Options: o}
	for i, l := range labels {
		c.Classes[i].Label = l
	}
	first := make([]int, len(of))  // group → its first example, plus 1
	in := make([][3]bool, len(of)) // group → the splits it is in
	for i, p := range parts {
		cl := &c.Classes[of[i]]
		switch p {
		case InTrain:
			cl.Train++
			c.Train++
		case InValidation:
			cl.Validation++
			c.Validation++
		case InTest:
			cl.Test++
			c.Test++
		}
		in[groups[i]][p] = true
		if f := first[groups[i]]; f == 0 {
			first[groups[i]] = i + 1
		} else {
			c.Duplicates++
			if of[f-1] != of[i] {
				c.Conflicts++
			}
		}
	}
	for i, p := range parts {
		switch g := in[groups[i]]; {
		case p == InValidation && g[InTrain]:
			c.Leaks.TrainValidation++
		case p == InTest:
			if g[InTrain] {
				c.Leaks.TrainTest++
			}
			if g[InValidation] {
				c.Leaks.ValidationTest++
			}
		}
	}
	c.Leakage = c.Leaks.TrainValidation + c.Leaks.TrainTest
	best, least, most := 0, len(of), 0
	for i, cl := range c.Classes {
		if cl.Train > c.Classes[best].Train {
			best = i
		}
		n := cl.Examples()
		least, most = min(least, n), max(most, n)
	}
	if len(c.Classes) > 0 {
		c.MajorityAccuracy = float64(c.Classes[best].Test) / float64(max(1, c.Test))
	}
	c.Balance = float64(least) / float64(max(1, most))
	c.Evenness = evenness(c.Classes, len(of))
	return c
}

func evenness(classes []Class, n int) float64 {
	var h float64
	for _, cl := range classes {
		if k := cl.Examples(); k > 0 {
			p := float64(k) / float64(n)
			h -= p * math.Log(p)
		}
	}
	if len(classes) < 2 {
		return 0
	}
	return h / math.Log(float64(len(classes)))
}

// Warn fills in the warnings that all kinds of tasks have; one is what an
// example is called ("a text", "an image").
func (c *Card) Warn(one string) {
	say := func(format string, a ...any) { c.Warnings = append(c.Warnings, fmt.Sprintf(format, a...)) }
	var never, unchosen, untested []string
	room := ""
	for _, cl := range c.Classes {
		if missing(cl.Label) {
			say("class %q: what reads like a missing value is taken for a label: leave such examples out if it is none", cl.Label)
		}
		if absent := cl.Validation == 0 || cl.Test == 0; absent && cl.Examples() > 2 && !c.GivenSplit {
			room = "; a larger share of it may have room for those with three or more"
		}
		switch {
		case cl.Train == 0:
			never = append(never, fmt.Sprintf("class %q never occurs in the training split; its %d examples elsewhere cannot be classified right",
				cl.Label, cl.Validation+cl.Test))
			continue
		case cl.Validation == 0:
			unchosen = append(unchosen, fmt.Sprintf("%q (%d)", cl.Label, cl.Examples()))
		}
		if cl.Test == 0 {
			untested = append(untested, fmt.Sprintf("%q (%d)", cl.Label, cl.Examples()))
		}
	}
	for _, w := range few(never) {
		say("%s", w)
	}
	for _, absent := range []struct {
		from    []string
		of, not string
	}{{unchosen, Validation, "models are chosen without regard to them"}, {untested, Test, "how well they are told is not measured"}} {
		if len(absent.from) > 0 {
			say("of these classes, with so many examples, none is in the %s split, and %s: %s%s", absent.of, absent.not,
				strings.Join(few(absent.from), ", "), room)
		}
	}
	if groups := alike(c.Classes); len(groups) > 0 {
		say("labels that look alike are classes of their own, with so many examples: %s: write them alike if they mean the same",
			strings.Join(few(groups), "; "))
	}
	if c.Leakage > 0 {
		say("%d validation and test examples have %s that is also in the training split: accuracies are too high", c.Leakage, one)
	}
	if c.Leaks.ValidationTest > 0 {
		say("%d test examples have %s that is also in the validation split: what is selected there is favoured in the test",
			c.Leaks.ValidationTest, one)
	}
	if c.Conflicts > 0 {
		say("%d examples equal another one and have another label", c.Conflicts)
	}
}

// missing says that a label reads as programs write a value that is not there.
func missing(label string) bool {
	return label == "None" || slices.Contains([]string{"nan", "null", "n/a", "<na>"}, strings.ToLower(label))
}

// few is a list of at most ten for people.
func few(all []string) []string {
	if more := len(all) - MaxProblems; more > 0 {
		return append(all[:MaxProblems:MaxProblems], fmt.Sprintf("and %d more", more))
	}
	return all
}
