package task

// Modality is what a task's examples are, and what a module embeds.
type Modality string

// The modalities. Texts is the empty word, as in records and configurations from
// before there were others.
const (
	Texts  Modality = ""
	Images Modality = "image"
)

// String is the modality in a word.
func (m Modality) String() string {
	if m == Texts {
		return "text"
	}
	return string(m)
}

// Modality is that of the task's examples.
func (c *Card) Modality() Modality {
	if c.Image != nil {
		return Images
	}
	return Texts
}
