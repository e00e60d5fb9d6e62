package image

import (
	"fmt"
	"strings"

	"tnaml/experiments/data"
	"tnaml/nn/safetensors"
)

// Definition is the kind of tasks of images.
var Definition = data.Definition{
	Kind:      data.Image,
	Container: kind,
	Decode:    func(f *safetensors.File) (data.Task, error) { return decode(f) },
	Complete:  data.Options.OfExamples,
	Size: func(c *data.Card) string {
		return fmt.Sprintf("%d×%d×%d", c.Image.Height, c.Image.Width, c.Image.Channels)
	},
	Facts: func(c *data.Card) []data.Fact {
		m := c.Image
		means := make([]string, len(m.MeanPixel))
		for i, v := range m.MeanPixel {
			means[i] = fmt.Sprintf("%.0f", v)
		}
		return []data.Fact{{Name: "images", Value: fmt.Sprintf("%s, mean pixel %s of 255",
			SizeOf(m.Height, m.Width, m.Channels), strings.Join(means, " "))}}
	},
}

// SizeOf is the size of images in words.
func SizeOf(height, width, channels int) string {
	colour := "in colour"
	if channels == 1 {
		colour = "in grey"
	}
	return fmt.Sprintf("%d × %d %s", height, width, colour)
}

// Kind is image.
func (*Task) Kind() data.Kind { return data.Image }

// TaskName is the task's name.
func (t *Task) TaskName() string { return t.Name }

// Describe returns the task's card.
func (t *Task) Describe() *data.Card { return &t.Card }
