package data

import "tnaml/nn/safetensors"

// Kind is what a task's examples are, and what a module embeds.
type Kind string

// The kinds that the program brings: one package each.
const (
	Text  Kind = "text"
	Image Kind = "image"
	Table Kind = "table"
	// External tasks are names and parameters: the data are their trainer's.
	External Kind = "external"
)

// Kind is that of the card's task: the part of the card that only its kind has
// says it.
func (c *Card) Kind() Kind {
	switch {
	case c.Image != nil:
		return Image
	case c.Table != nil:
		return Table
	case c.External != nil:
		return External
	}
	return Text
}

// Task is a built task of any kind: what is stored under a task's name.
type Task interface {
	// Kind needs no task: it is the same for a nil one.
	Kind() Kind
	// TaskName is the task's catalogue name.
	TaskName() string
	// Describe returns the task's card.
	Describe() *Card
	// Encode returns the task as an object. Equal tasks give equal bytes.
	Encode() []byte
}

// Definition is all that is known of a kind of task where only a card or an
// object is at hand. Package kinds has the table of them.
type Definition struct {
	Kind Kind
	// Container is the kind of the containers that its tasks are encoded in.
	Container string
	// Decode reads what a task's Encode wrote.
	Decode func(f *safetensors.File) (Task, error)
	// Read makes a task of a file that people have, where one file of one form is
	// all that a task of the kind is read from; else nil.
	Read func(file []byte, o Options) (Task, error)
	// Complete fills in the defaults of a task's options, clears those that mean
	// nothing to the kind, and reports what is out of range.
	Complete func(o Options) (Options, error)
	// Size says how large an example is, in two words.
	Size func(c *Card) string
	// Facts are the lines of a card that only this kind has.
	Facts func(c *Card) []Fact
}

// Fact is a line of a card, for people.
type Fact struct{ Name, Value string }
