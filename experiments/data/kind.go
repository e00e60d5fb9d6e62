package data

// Kind is what a task's examples are, and what a module embeds.
type Kind string

// The modalities. Text is the empty word, as in records and configurations from
// before there were others.
const (
	Text  Kind = ""
	Image Kind = "image"
)

// String is the modality in a word.
func (m Kind) String() string {
	if m == Text {
		return "text"
	}
	return string(m)
}

// Kind is that of the task's examples.
func (c *Card) Kind() Kind {
	if c.Image != nil {
		return Image
	}
	return Text
}
