package catalog

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tnaml/experiments/limit"
	"tnaml/experiments/search"
	"tnaml/experiments/search/pruner"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/study"
	"tnaml/experiments/yamlnode"
)

// Plan is what a run does: controllers to learn, and searches to run, each as
// soon as the controller it starts from is there.
type Plan struct {
	Kind        Kind   `json:"kind"`
	Experiment  string `json:"experiment"`
	Description string `json:"description,omitempty"`
	// Spec is the run's spec with every default filled in.
	Spec     Spec           `json:"spec"`
	Pretrain []PretrainStep `json:"pretrain,omitempty"`
	Searches []SearchStep   `json:"searches,omitempty"`
	// Arms are the experiment's, in its order, and those that the run adds; a run
	// of some of them has the others too. Baseline and Against are as in Transfer.
	Arms     []study.Arm `json:"arms,omitempty"`
	Baseline string      `json:"baseline,omitempty"`
	Against  string      `json:"against,omitempty"`
	// Benchmark is set for KindBenchmark.
	Benchmark *Benchmark `json:"benchmark,omitempty"`
	// FixedBudgets holds the budget of each target at which test accuracies are
	// compared (Table 1, right).
	FixedBudgets map[string]int `json:"fixed_budgets,omitempty"`
}

// PretrainStep is a multitask search whose controller is published.
type PretrainStep struct {
	// Pretraining is its name.
	Pretraining string          `json:"pretraining"`
	Tasks       []string        `json:"tasks"`
	Trials      int             `json:"trials"`
	Seed        uint64          `json:"seed"`
	Strategy    string          `json:"strategy"`
	Settings    json.RawMessage `json:"settings,omitempty"`
	// Controller is the name to publish under.
	Controller string `json:"controller"`
}

// Name is the search's, below that of the run.
func (s PretrainStep) Name() string {
	return fmt.Sprintf("%s/%s/s%d", study.Pretrain, s.Pretraining, s.Seed)
}

// SearchStep is a search of one task.
type SearchStep struct {
	Task     string          `json:"task"`
	Arm      string          `json:"arm"`
	Seed     uint64          `json:"seed"`
	Trials   int             `json:"trials"`
	Strategy string          `json:"strategy"`
	Settings json.RawMessage `json:"settings,omitempty"`
	// From is the controller that the search starts from: that of one of the plan's
	// pretrainings, or else a published one; empty for none. Sources is what learned the
	// controller whose search's trials the search learns from, named the same way.
	// Of sources it may be a search that has ended, too.
	From    string `json:"from,omitempty"`
	Sources string `json:"sources,omitempty"`
	// Budget and Pruner are the arm's.
	Budget search.Budget  `json:"budget,omitzero"`
	Pruner *pruner.Choice `json:"pruner,omitempty"`
}

// Name is the search's, below that of the run.
func (s SearchStep) Name() string {
	return fmt.Sprintf("%s/%s/%s/s%d", study.Transfer, s.Task, s.Arm, s.Seed)
}

// maxSearches bounds a plan, against a slip of the finger.
const maxSearches = 1500

// maxPlan bounds a plan with the outcomes of its searches, in bytes: a run carries
// both in one message, for which the server allows 2 MB.
const maxPlan = 1_700_000

// size estimates the bytes of a plan with its outcomes: a search's name stands there
// twice, its outcome has references, figures and perhaps a reason.
func (p *Plan) size() (n int) {
	const step, outcome, bounds = 150, 850, 120
	for _, s := range p.Pretrain {
		n += step + outcome + 2*len(s.Name()) + len(s.Settings) + len(strings.Join(s.Tasks, `","`))
	}
	for _, s := range p.Searches {
		n += step + outcome + 2*len(s.Name()) + len(s.Settings)
		if s.Budget != (search.Budget{}) {
			n += bounds
		}
		if s.Pruner != nil {
			n += len(s.Pruner.Name) + len(s.Pruner.Settings) + bounds
		}
	}
	if p.Benchmark != nil && p.Benchmark.Simulate != nil {
		for _, a := range p.Benchmark.Simulate.Arms {
			n += step + len(a.Settings)
		}
	}
	return n
}

// MakePlan turns an experiment and a run's spec into a plan.
func MakePlan(k Kind, e *Experiment, raw []byte) (*Plan, error) {
	if !slices.Contains(Kinds(), k) {
		return nil, fmt.Errorf("unknown kind of run %q", k)
	}
	s, err := ParseSpec(k, e, raw)
	if err != nil {
		return nil, err
	}
	p := &Plan{Kind: k, Experiment: e.Name, Description: e.Description, Spec: s}
	var arms []study.Arm
	if k != KindPretrain && e.Transfer != nil {
		arms, _ = choose(e, s.Arms) // checked
		p.compare(e, arms)
	}
	for _, name := range s.pretrainings(k, e, arms) {
		if err := p.pretrain(e, name); err != nil {
			return nil, err
		}
	}
	if err := p.transfer(e, arms); err != nil {
		return nil, fmt.Errorf("%s spec: %w", k, err)
	}
	if k == KindBenchmark {
		b := *e.Benchmark
		b.Nights, b.Tolerance = s.Nights, s.Tolerance
		if b.Simulate != nil {
			if b.Simulate, err = nightly(b.Simulate, s.Settings, s.Lag); err != nil {
				return nil, fmt.Errorf(`%s spec: "simulate": %w`, k, err)
			}
		}
		p.Benchmark = &b
	}
	if n := p.size(); n > maxPlan {
		return nil, fmt.Errorf("%s spec: the plan of its %d searches and what comes of them has %d bytes, more than %d: choose fewer tasks, "+
			"arms or seeds, or shorter settings", k, len(p.Searches), n, maxPlan)
	}
	return p, nil
}

// compare notes which arms there are, and which of them others are compared
// with.
func (p *Plan) compare(e *Experiment, chosen []study.Arm) {
	p.Arms = slices.Clone(e.Transfer.Arms)
	for _, a := range chosen {
		if known := armNamed(p.Arms, a.Name); known != nil {
			*known = a
		} else {
			p.Arms = append(p.Arms, a)
		}
	}
	p.Baseline = cmp.Or(e.Transfer.Baseline, study.BaselineOf(p.Arms))
	p.Against = cmp.Or(e.Transfer.Against, study.ReferenceOf(p.Arms))
}

// pretrainings names those that a run learns: those that its arms start from,
// or without arms those asked for or the experiment's own.
func (s *Spec) pretrainings(k Kind, e *Experiment, arms []study.Arm) []string {
	var used []string
	switch {
	case k == KindPretrain:
		used = s.Pretrain
	case k == KindTransfer:
	case e.Transfer == nil:
		for _, p := range e.Pretrain {
			used = append(used, p.Name)
		}
	default:
		for _, a := range arms {
			used = append(used, a.From)
		}
	}
	var out []string
	for _, p := range slices.Concat(e.Pretrain, shared().Pretrainings) {
		_, there := e.pretraining(p.Name)
		if there && slices.Contains(used, p.Name) && !slices.Contains(out, p.Name) {
			out = append(out, p.Name)
		}
	}
	return out
}

func (p *Plan) pretrain(e *Experiment, name string) error {
	pre, _ := e.pretraining(name)
	s := &p.Spec
	settings, err := strategy.Overlay(s.Settings[pre.Strategy], pre.Settings)
	if err == nil {
		err = checkSettings(pre.Strategy, settings, false)
	}
	if err != nil {
		return fmt.Errorf(`the "settings" of the pretraining %q: %w`, name, err)
	}
	step := PretrainStep{
		Pretraining: name, Tasks: pre.Tasks, Trials: pre.Trials, Seed: pre.Seed, Strategy: pre.Strategy, Settings: settings,
		Controller: e.controllerOf(pre, s.Controller),
	}
	if s.PretrainTasks != nil {
		step.Tasks = s.PretrainTasks
	}
	if s.PretrainTrials != nil {
		step.Trials = *s.PretrainTrials
	}
	if s.PretrainSeed != nil {
		step.Seed = *s.PretrainSeed
	}
	p.Pretrain = append(p.Pretrain, step)
	return nil
}

// controllerOf is the name of a pretraining's controller, where first is that
// of the experiment's first, perhaps with a version.
func (e *Experiment) controllerOf(p Pretrain, first string) string {
	switch {
	case p.Name == e.Pretrain[0].Name || strings.HasPrefix(first, "sha256:"):
		return first
	case p.Controller != "":
		return p.Controller
	}
	name, version, versioned := strings.Cut(first, "@")
	if name += "-" + p.Name; versioned {
		name += "@" + version
	}
	return name
}

// transfer lists the searches of the targets: all arms of a task before the
// next one, all tasks of a seed before the next one, so that comparisons are
// complete as early as can be.
func (p *Plan) transfer(e *Experiment, arms []study.Arm) error {
	if len(arms) == 0 {
		return nil
	}
	s := &p.Spec
	// Short lists may be multiplied without fear of overflow: each is bounded.
	if n := len(s.Seeds) * len(s.Tasks) * len(arms); n > maxSearches {
		return fmt.Errorf("%d searches, more than %d: choose fewer tasks, arms or seeds", n, maxSearches)
	}
	var wrong []error
	steps := make([]SearchStep, len(arms))
	for i, a := range arms {
		var err error
		if steps[i], err = p.step(e, a); err != nil {
			for _, one := range limit.Apart(err) {
				wrong = append(wrong, fmt.Errorf(`the "settings" of the arm %q: %w`, a.Name, one))
			}
		}
	}
	if err := errors.Join(wrong...); err != nil {
		return err
	}
	p.FixedBudgets = map[string]int{}
	for _, task := range s.Tasks {
		fixed := cmp.Or(e.Transfer.FixedBudgets[task], e.Transfer.FixedBudget, yamlnode.MaxNumber)
		p.FixedBudgets[task] = min(fixed, s.budget(task))
	}
	for _, seed := range s.Seeds {
		for _, task := range s.Tasks {
			for _, step := range steps {
				step.Task, step.Seed, step.Trials = task, seed, s.budget(task)
				p.Searches = append(p.Searches, step)
			}
		}
	}
	return nil
}

// step is what all searches of an arm share.
func (p *Plan) step(e *Experiment, a study.Arm) (SearchStep, error) {
	step := SearchStep{Arm: a.Name, Strategy: a.Strategy, Budget: a.Budget, Pruner: a.Pruner}
	d, err := strategy.Builtin().Find(a.Strategy)
	if err != nil {
		return step, err
	}
	from := a.From
	pre, known := e.pretraining(a.From)
	if known && p.Kind == KindTransfer {
		from = e.controllerOf(pre, p.Spec.Controller)
	}
	if d.FromController {
		step.From = from
	}
	if d.FromSources {
		step.Sources = from
	}
	under := p.Spec.Settings[a.Strategy]
	if step.From != "" {
		under = drop(under, shape) // it is the pretrained controller's
	}
	if step.Settings, err = strategy.Overlay(under, a.Settings); err != nil {
		return step, err
	}
	if known && p.Kind == KindTransfer && step.From != "" {
		// A controller found by its name must be of the shape that the pretraining
		// gives it.
		if own := keep(pre.Settings, shape); own != nil && pre.Strategy == a.Strategy {
			if step.Settings, err = strategy.Overlay(step.Settings, own); err != nil {
				return step, err
			}
		}
	}
	return step, checkSettings(a.Strategy, step.Settings, step.From != "")
}

// shape is the section of a strategy's settings that says what its controller
// looks like.
const shape = "controller"

// budget is a task's number of trials.
func (s *Spec) budget(task string) int {
	if n, ok := s.Budgets[task]; ok {
		return min(n, s.Trials)
	}
	return s.Trials
}

// Tasks lists all tasks of a plan, in order of appearance.
func (p *Plan) Tasks() []string {
	var out []string
	add := func(names ...string) {
		for _, n := range names {
			if !slices.Contains(out, n) {
				out = append(out, n)
			}
		}
	}
	for _, s := range p.Pretrain {
		add(s.Tasks...)
	}
	for _, s := range p.Searches {
		add(s.Task)
	}
	return out
}

// Seed is the first seed of the targets' searches, or else of the pretrainings.
func (p *Plan) Seed() uint64 {
	if len(p.Searches) > 0 {
		return p.Searches[0].Seed
	}
	if len(p.Pretrain) > 0 {
		return p.Pretrain[0].Seed
	}
	return 0
}

// Trials is the number of trials of a plan.
func (p *Plan) Trials() int {
	n := 0
	for _, s := range p.Pretrain {
		n += s.Trials
	}
	for _, s := range p.Searches {
		n += s.Trials
	}
	return n
}

// drop removes a section of settings, keep all others.
func drop(raw json.RawMessage, section string) json.RawMessage {
	return sections(raw, func(name string) bool { return name != section })
}

func keep(raw json.RawMessage, section string) json.RawMessage {
	return sections(raw, func(name string) bool { return name == section })
}

// sections returns some sections of settings; nothing left is no settings.
func sections(raw json.RawMessage, wanted func(string) bool) json.RawMessage {
	var a map[string]json.RawMessage
	if json.Unmarshal(raw, &a) != nil {
		return raw
	}
	for name := range a {
		if !wanted(name) {
			delete(a, name)
		}
	}
	if len(a) == 0 {
		return nil
	}
	b, err := json.Marshal(a)
	if err != nil {
		return raw
	}
	return b
}
