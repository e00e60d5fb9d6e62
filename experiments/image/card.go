package image

import "fmt"

// Card describes an image task: what is in it, how it was made, and what to
// beware of.
type Card struct {
	Images     int `json:"images"`
	Train      int `json:"train"`
	Validation int `json:"validation"`
	Test       int `json:"test"`
	// GivenSplit says that the source has its own split.
	GivenSplit bool `json:"given_split"`
	// Height, Width and Channels are those of every image.
	Height   int     `json:"height"`
	Width    int     `json:"width"`
	Channels int     `json:"channels"`
	Classes  []Class `json:"classes"`
	// MajorityAccuracy is the test accuracy of always answering the most
	// frequent class of the training split.
	MajorityAccuracy float64 `json:"majority_accuracy"`
	// Balance is the number of images in the smallest class over that in the
	// largest, 1 where all are of one size.
	Balance float64 `json:"balance"`
	// MeanPixel is the mean of each channel over the training split, 0 to 255.
	MeanPixel []float64 `json:"mean_pixel"`
	// Duplicates counts the images whose pixels came before; Conflicts those of
	// them with another label than the first one.
	Duplicates int `json:"duplicates"`
	Conflicts  int `json:"conflicts"`
	// Leakage counts the validation and test images that are also in the
	// training split. Only a given split can have any.
	Leakage int `json:"leakage"`
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
}

func makeCard(s *Set, groups []int, parts []part, o Options) Card {
	c := Card{Images: s.Len(), Height: s.Height, Width: s.Width, Channels: s.Channels,
		Classes: make([]Class, len(s.Classes)), MeanPixel: make([]float64, s.Channels), Options: o}
	for i, l := range s.Classes {
		c.Classes[i].Label = l
	}
	first := make([]int, s.Len()) // group → its first image, plus 1
	trained := make([]bool, s.Len())
	sums := make([]uint64, s.Channels)
	for i, p := range parts {
		cl := &c.Classes[s.Labels[i]]
		switch p {
		case inTrain:
			cl.Train++
			c.Train++
			trained[groups[i]] = true
			for k, v := range s.At(i) {
				sums[k%s.Channels] += uint64(v)
			}
		case inValidation:
			cl.Validation++
			c.Validation++
		case inTest:
			cl.Test++
			c.Test++
		}
		if f := first[groups[i]]; f == 0 {
			first[groups[i]] = i + 1
		} else {
			c.Duplicates++
			if s.Labels[f-1] != s.Labels[i] {
				c.Conflicts++
			}
		}
	}
	for i, p := range parts {
		if p != inTrain && trained[groups[i]] {
			c.Leakage++
		}
	}
	for k, v := range sums {
		c.MeanPixel[k] = float64(v) / float64(max(1, c.Train*s.Height*s.Width))
	}
	best, least, most := 0, s.Len(), 0
	for i, cl := range c.Classes {
		if cl.Train > c.Classes[best].Train {
			best = i
		}
		n := cl.Train + cl.Validation + cl.Test
		least, most = min(least, n), max(most, n)
	}
	if len(c.Classes) > 0 {
		c.MajorityAccuracy = float64(c.Classes[best].Test) / float64(max(1, c.Test))
	}
	c.Balance = float64(least) / float64(max(1, most))
	return c
}

// warn fills in the warnings.
func (c *Card) warn() {
	say := func(format string, a ...any) { c.Warnings = append(c.Warnings, fmt.Sprintf(format, a...)) }
	for _, cl := range c.Classes {
		if cl.Train == 0 {
			say("class %q never occurs in the training split; its %d images elsewhere cannot be classified right", cl.Label, cl.Validation+cl.Test)
		}
	}
	if c.Leakage > 0 {
		say("%d validation and test images are also in the training split: accuracies are too high", c.Leakage)
	}
	if c.Conflicts > 0 {
		say("%d images are equal to another one and have another label", c.Conflicts)
	}
}
