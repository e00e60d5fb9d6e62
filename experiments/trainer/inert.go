package trainer

import (
	"tnaml/experiments/space"
)

// Inertia says which choices of a space do nothing under an option of another one: those
// of the hidden layers, where a builtin model has none. Configurations that differ in
// them alone design the same model.
type Inertia struct {
	at, option int
	does       []int // the choices that then do nothing
}

// NewInertia is what is known of a space's: of other trainers than the builtin nothing.
func NewInertia(sp *space.Space) Inertia {
	n := Inertia{at: -1}
	if sp.TrainerName() != space.DefaultTrainer {
		return n
	}
	for i, c := range sp.Choices {
		switch c.Name {
		case HiddenLayers:
			if n.option = space.Index(c.Options, 0); n.option >= 0 {
				n.at = i
			}
		case HiddenSize, Activation, Normalisation, Dropout:
			n.does = append(n.does, i)
		}
	}
	return n
}

// Canonical takes the first option of the choices that do nothing, so that actions which
// design the same model are the same.
func Canonical[T int | uint8](n Inertia, actions []T) {
	if n.at < 0 || int(actions[n.at]) != n.option {
		return
	}
	for _, i := range n.does {
		actions[i] = 0
	}
}
