package strategy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/nn/controller"
	"tnaml/nn/safetensors"
)

// controllerKind is the kind of a controller's object.
const controllerKind = "controller"

// Origin says where a controller comes from.
type Origin struct {
	// Space is the search space the controller speaks of.
	Space space.Space `json:"space"`
	// Tasks are those of its embeddings, in order.
	Tasks []trainer.Task `json:"tasks"`
	// Trials is the number it has learned from in the search that Tasks, Seed and
	// Settings are of.
	Trials   int    `json:"trials"`
	Strategy string `json:"strategy"`
	Seed     uint64 `json:"seed"`
	// From references the controller that the search started from, if any.
	From string `json:"from,omitempty"`
	// Settings are the strategy's parameters.
	Settings json.RawMessage `json:"settings"`
}

// Pretrained is a controller read from its object.
type Pretrained struct {
	// Ref is the digest of the object: "sha256:" and 64 hex digits.
	Ref    string
	Origin Origin
	Policy *controller.Controller
}

// EncodeController makes a controller's object: its weights and where it comes
// from (FORMAT.md).
func EncodeController(l Learner, o Origin) []byte {
	f := safetensors.New(controllerKind)
	l.PutController(f)
	f.PutJSON("origin", o)
	return f.Encode()
}

// DecodeController reads a controller's object.
func DecodeController(b []byte) (*Pretrained, error) {
	f, err := safetensors.Decode(b)
	if err != nil {
		return nil, fmt.Errorf("controller: %w", err)
	}
	if f.Kind() != controllerKind {
		return nil, fmt.Errorf("controller: the object is a %q", f.Kind())
	}
	p := &Pretrained{Ref: digest(b)}
	if err := f.GetJSON("origin", &p.Origin); err != nil {
		return nil, fmt.Errorf("controller: %w", err)
	}
	if p.Policy, err = controller.FromFile(f, controllerPrefix); err != nil {
		return nil, err
	}
	if n := p.Policy.Tasks(); n != len(p.Origin.Tasks) {
		return nil, fmt.Errorf("controller: %d tasks, %d of them named", n, len(p.Origin.Tasks))
	}
	if !slices.Equal(p.Origin.Space.Options(), p.Policy.Config().Options) {
		return nil, errors.New("controller: its weights and the search space that it names do not belong together")
	}
	return p, nil
}

// Space is the search space that the controller speaks of.
func (p *Pretrained) Space() *space.Space { return &p.Origin.Space }

// TaskAgnostic says that the controller has no task embeddings (§4.3).
func (p *Pretrained) TaskAgnostic() bool { return p.Policy.Config().TaskEmbedding < 0 }

// TaskEmbeddings returns the embedding of each task of Origin.Tasks, nil for a
// task-agnostic controller.
func (p *Pretrained) TaskEmbeddings() [][]float64 {
	if p.TaskAgnostic() {
		return nil
	}
	out := make([][]float64, p.Policy.Tasks())
	for i := range out {
		out[i] = p.Policy.TaskEmbedding(i)
	}
	return out
}

// Modules lists the modules among the options.
func (p *Pretrained) Modules() []string {
	return trainer.Find(p.Space().TrainerName()).Modules(p.Space())
}

// Fits reports why a controller cannot go on in a search space: it is for another
// trainer, or has not one option of one choice of it. What else differs, it can grow
// into (For).
func (p *Pretrained) Fits(sp *space.Space) error {
	var wrong error
	if a, b := sp.TrainerName(), p.Space().TrainerName(); a != b {
		wrong = fmt.Errorf("its space is for the trainer %s, the search's for %s", b, a)
	} else if !p.knows(sp) {
		wrong = fmt.Errorf("it knows nothing of that space:\n%s", strings.Join(p.Differences(sp), "\n"))
	}
	if wrong != nil {
		return fmt.Errorf("the controller was learned in another search space (%q) than the search's (%q): "+
			"pretrain a controller in this space, or search in the controller's: %w", p.Space().Name, sp.Name, wrong)
	}
	return nil
}

// knows says whether a choice of a space and the controller's have an option in common.
func (p *Pretrained) knows(sp *space.Space) bool {
	for _, g := range p.grown(sp) {
		if g.Choice >= 0 && slices.Max(g.Options) >= 0 {
			return true
		}
	}
	return false
}

// grown says where a space's choices come from, by their names and their options' values.
func (p *Pretrained) grown(sp *space.Space) (out []controller.Grown) {
	mine := p.Space().Choices
	for _, c := range sp.Choices {
		g := controller.Grown{Choice: slices.IndexFunc(mine, func(m space.Choice) bool { return m.Name == c.Name })}
		for _, o := range c.Options {
			at := -1
			if g.Choice >= 0 {
				at = space.Index(mine[g.Choice].Options, o)
			}
			g.Options = append(g.Options, at)
		}
		out = append(out, g)
	}
	return out
}

// For returns the controller for a search space that it fits: itself where the
// choices are the same, else one that has grown into it (controller.Grow), whose Space
// is the search's. Of another trainer the same choices are others, which a space's digest
// does not say.
func (p *Pretrained) For(sp *space.Space) (*Pretrained, error) {
	if err := p.Fits(sp); err != nil {
		return nil, err
	}
	if sp.Digest() == p.Space().Digest() {
		return p, nil
	}
	grown := *p
	grown.Policy, grown.Origin.Space = p.Policy.Grow(p.grown(sp)), *sp
	return &grown, nil
}

// Differences says how a search space differs from the controller's, choice by choice;
// nothing where it does not.
func (p *Pretrained) Differences(sp *space.Space) (out []string) {
	if sp.Digest() == p.Space().Digest() {
		return nil
	}
	differ := func(format string, a ...any) { out = append(out, fmt.Sprintf(format, a...)) }
	theirs := map[string]space.Choice{}
	var order, mine []string
	for _, c := range p.Space().Choices {
		theirs[c.Name] = c
		order = append(order, c.Name)
	}
	for _, c := range sp.Choices {
		mine = append(mine, c.Name)
		t, ok := theirs[c.Name]
		if !ok {
			differ("choice %q is not among the controller's", c.Name)
			continue
		}
		added, missing := without(c.Options, t.Options), without(t.Options, c.Options)
		switch {
		case len(added)+len(missing) > 0:
			var parts []string
			if len(missing) > 0 {
				parts = append(parts, "the search lacks "+space.List(missing))
			}
			if len(added) > 0 {
				parts = append(parts, "the controller does not know "+space.List(added))
			}
			differ("choice %q: %s", c.Name, strings.Join(parts, ", "))
		case !slices.EqualFunc(c.Options, t.Options, space.Same):
			differ("choice %q: the options %s stand in another order, the controller's is %s",
				c.Name, space.List(c.Options), space.List(t.Options))
		}
	}
	for _, name := range order {
		if !slices.Contains(mine, name) {
			differ("choice %q of the controller is not in the search's space", name)
		}
	}
	if len(out) == 0 {
		differ("the choices stand in the order %s, the controller's is %s", strings.Join(mine, ", "), strings.Join(order, ", "))
	}
	return out
}

// without returns the options of a that b lacks.
func without(a, b []any) (out []any) {
	for _, o := range a {
		if space.Index(b, o) < 0 {
			out = append(out, o)
		}
	}
	return out
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}
