package benchmark

import (
	"slices"

	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// inertia says which choices do nothing under an option of another one: those of the
// hidden layers, where a builtin model has none.
type inertia struct {
	at, option int
	does       []int // the choices that then do nothing
}

func newInertia(sp *space.Space) inertia {
	n := inertia{at: -1}
	if sp.TrainerName() != space.DefaultTrainer {
		return n
	}
	for i, c := range sp.Choices {
		switch c.Name {
		case trainer.HiddenLayers:
			if n.option = slices.Index(c.Options, any(int64(0))); n.option >= 0 {
				n.at = i
			}
		case trainer.HiddenSize, trainer.Activation, trainer.Normalisation, trainer.Dropout:
			n.does = append(n.does, i)
		}
	}
	return n
}

// apply takes the first option of the choices that do nothing.
func (n inertia) apply(x []uint8) {
	if n.at < 0 || int(x[n.at]) != n.option {
		return
	}
	for _, i := range n.does {
		x[i] = 0
	}
}
