package search

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tnaml/experiments/space"
	"tnaml/nn/controller"
	"tnaml/nn/rng"
	"tnaml/nn/safetensors"
)

// controllerKind is the kind of a controller's object.
const controllerKind = "controller"

// Origin says where a controller comes from.
type Origin struct {
	// Space is the digest of the search space the controller speaks of.
	Space string `json:"space"`
	// SpaceName and Choices are that space, to say how another one differs;
	// absent in controllers of earlier versions.
	SpaceName string         `json:"space_name,omitempty"`
	Choices   []space.Choice `json:"choices,omitempty"`
	// Tasks names the tasks of its embeddings, in order.
	Tasks []Task `json:"tasks"`
	// Trials is the number it has learned from in the search that Tasks, Seed and
	// Settings are of.
	Trials   int    `json:"trials"`
	Strategy string `json:"strategy"`
	Seed     uint64 `json:"seed"`
	// From references the controller that the search started from, if any.
	From string `json:"from,omitempty"`
	// Settings are the strategy's parameters.
	Settings any `json:"settings"`
}

// Pretrained is a controller read from its object.
type Pretrained struct {
	// Ref is the digest of the object: "sha256:" and 64 hex digits.
	Ref    string
	Origin Origin
	Policy *controller.Controller
}

// DecodeController reads a controller's object, as Searcher.Controller made it.
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
	if p.Origin.Choices != nil {
		sp := p.space()
		if sp.Digest() != p.Origin.Space || !slices.Equal(sp.Options(), p.Policy.Config().Options) {
			return nil, errors.New("controller: its weights and the search space that it names do not belong together")
		}
	}
	return p, nil
}

func (p *Pretrained) space() *space.Space {
	return &space.Space{Name: p.Origin.SpaceName, Choices: p.Origin.Choices}
}

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

// Modules lists the embedding modules among the options, nil where the origin
// does not tell.
func (p *Pretrained) Modules() []string {
	var out []string
	for _, c := range p.Origin.Choices {
		if c.Name == space.Module {
			for _, o := range c.Options {
				out = append(out, fmt.Sprint(o))
			}
		}
	}
	return out
}

// Architecture is the child model that the controller has settled on for a
// task: the most probable option of each choice, given those before it. For a
// converged controller it is what it samples last (§4.3, "select the final
// child model"); for one that has not converged the last sample would be an
// accident, and this is not.
func (p *Pretrained) Architecture(task int) []int {
	actions := make([]int, len(p.Policy.Config().Options))
	p.Policy.Greedy(task, actions)
	return actions
}

// Fits reports how a search space differs from the controller's, choice by
// choice: a controller's actions mean nothing in another space.
func (p *Pretrained) Fits(sp *space.Space) error {
	if sp.Digest() == p.Origin.Space {
		return nil
	}
	const hint = "pretrain a controller in this space, or search in the controller's"
	if p.Origin.Choices == nil {
		return fmt.Errorf("the controller speaks of the search space %s, the search is in %q, %s: %s", p.Origin.Space, sp.Name, sp.Digest(), hint)
	}
	var differ []error
	theirs := map[string]space.Choice{}
	var order, mine []string
	for _, c := range p.Origin.Choices {
		theirs[c.Name] = c
		order = append(order, c.Name)
	}
	for _, c := range sp.Choices {
		mine = append(mine, c.Name)
		t, ok := theirs[c.Name]
		if !ok {
			differ = append(differ, fmt.Errorf("choice %q is not among the controller's", c.Name))
			continue
		}
		added, missing := without(c.Options, t.Options), without(t.Options, c.Options)
		switch {
		case len(added)+len(missing) > 0:
			var parts []string
			if len(missing) > 0 {
				parts = append(parts, "the search lacks "+list(missing))
			}
			if len(added) > 0 {
				parts = append(parts, "the controller does not know "+list(added))
			}
			differ = append(differ, fmt.Errorf("choice %q: %s", c.Name, strings.Join(parts, ", ")))
		case !slices.Equal(c.Options, t.Options):
			differ = append(differ, fmt.Errorf("choice %q: the options %s stand in another order, the controller's is %s", c.Name, list(c.Options), list(t.Options)))
		}
	}
	for _, name := range order {
		if !slices.Contains(mine, name) {
			differ = append(differ, fmt.Errorf("choice %q of the controller is not in the search's space", name))
		}
	}
	if len(differ) == 0 {
		differ = append(differ, fmt.Errorf("the choices stand in the order %s, the controller's is %s", strings.Join(mine, ", "), strings.Join(order, ", ")))
	}
	return fmt.Errorf("the controller was learned in another search space (%q) than the search's (%q): %s:\n%w", p.Origin.SpaceName, sp.Name, hint, errors.Join(differ...))
}

// without returns the options of a that b lacks.
func without(a, b []any) (out []any) {
	for _, o := range a {
		if !slices.Contains(b, o) {
			out = append(out, o)
		}
	}
	return out
}

func list(options []any) string {
	words := make([]string, len(options))
	for i, o := range options {
		words[i] = fmt.Sprint(o)
	}
	return strings.Join(words, ", ")
}

// start returns the policy to begin a search with: the pretrained weights, and
// a new randomly initialised embedding for each of the search's tasks in place
// of the pretraining tasks' (§2.3).
func (p *Pretrained) start(seed uint64, tasks int) (*controller.Controller, error) {
	policy, err := controller.New(p.Policy.Config(), 0)
	if err != nil {
		return nil, err
	}
	for i, to := range policy.Parameters() { // without tasks: what both share
		copy(to.Value, p.Policy.Parameters()[i].Value)
	}
	addTasks(policy, seed, tasks)
	return policy, nil
}

func addTasks(policy *controller.Controller, seed uint64, tasks int) {
	for i := range tasks {
		policy.AddTask(rng.Derive(seed, "search/task embedding", uint64(i)))
	}
}

// TransferSettings is ParseSettings for a search that starts from a pretrained
// controller. For the strategy "naml" the controller's shape is the pretrained
// one's; settings that ask for another are an error. For "fixed" the
// architecture, where none is given, is the one that the controller has settled
// on.
func TransferSettings(strategy string, raw json.RawMessage, p *Pretrained) (json.RawMessage, error) {
	raw = orEmpty(raw)
	switch strategy {
	case NAML:
		s, err := decodeNAML(raw)
		if err != nil {
			return nil, err
		}
		cfg := p.Policy.Config()
		if s.Controller, err = s.Controller.over(ControllerSettings{cfg.Hidden, cfg.Layers, cfg.ActionEmbedding, cfg.TaskEmbedding, cfg.InitScale}); err != nil {
			return nil, err
		}
		return s.canonical()
	case Fixed:
		var s FixedSettings
		if err := strict(raw, &s); err != nil {
			return nil, err
		}
		if s.Architecture != nil {
			return ParseSettings(Fixed, raw)
		}
		if p.Origin.Choices == nil {
			return nil, errors.New("the controller does not say what its actions mean: give the architecture")
		}
		if n := p.Policy.Tasks(); n != 1 && (!p.TaskAgnostic() || n == 0) {
			return nil, fmt.Errorf("the controller has embeddings of %d tasks, so that its final architecture depends on the task: start from a task-agnostic one, or give the architecture", n)
		}
		actions := p.Architecture(0)
		s.Architecture = map[string]any{}
		for i, c := range p.Origin.Choices {
			s.Architecture[c.Name] = c.Options[actions[i]]
		}
		b, err := json.Marshal(s)
		if err != nil {
			return nil, err
		}
		return ParseSettings(Fixed, b)
	}
	return nil, fmt.Errorf("strategy %s starts from no controller", strategy)
}

// over fills in what is zero from the shape of a pretrained controller, and
// refuses what differs.
func (s ControllerSettings) over(p ControllerSettings) (ControllerSettings, error) {
	var errs []error
	check := func(name string, want, have any, zero bool) {
		if !zero && want != have {
			errs = append(errs, fmt.Errorf("controller.%s is %v, the pretrained controller's is %v: leave it out", name, want, have))
		}
	}
	check("hidden", s.Hidden, p.Hidden, s.Hidden == 0)
	check("layers", s.Layers, p.Layers, s.Layers == 0)
	check("action_embedding", s.ActionEmbedding, p.ActionEmbedding, s.ActionEmbedding == 0)
	check("task_embedding", s.TaskEmbedding, p.TaskEmbedding, s.TaskEmbedding == 0)
	check("init_scale", s.InitScale, p.InitScale, s.InitScale == 0)
	return p, errors.Join(errs...)
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}
