package catalog

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

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
	// Benchmark is set for KindBenchmark.
	Benchmark *Benchmark `json:"benchmark,omitempty"`
	// FixedBudgets holds the budget of each target at which test accuracies are
	// compared (Table 1, right).
	FixedBudgets map[string]int `json:"fixed_budgets,omitempty"`
}

// PretrainStep is a multitask search whose controller is published.
type PretrainStep struct {
	// Arm is the arm that starts from the controller: ArmTransfer, or
	// ArmNoTaskEmbedding for a task-agnostic one.
	Arm      string          `json:"arm"`
	Tasks    []string        `json:"tasks"`
	Trials   int             `json:"trials"`
	Seed     uint64          `json:"seed"`
	Settings json.RawMessage `json:"settings,omitempty"`
	// Controller is the name to publish under.
	Controller string `json:"controller"`
}

// Name is the search's, below that of the run.
func (s PretrainStep) Name() string {
	return fmt.Sprintf("pretrain/%s/s%d", s.Arm, s.Seed)
}

// SearchStep is a search of one task.
type SearchStep struct {
	Phase    study.Phase     `json:"phase"`
	Task     string          `json:"task"`
	Arm      string          `json:"arm"`
	Seed     uint64          `json:"seed"`
	Trials   int             `json:"trials"`
	Strategy string          `json:"strategy"`
	Settings json.RawMessage `json:"settings,omitempty"`
	// From is the arm whose pretrained controller the search starts from
	// (PretrainStep.Arm), empty for none.
	From string `json:"from,omitempty"`
}

// Name is the search's, below that of the run.
func (s SearchStep) Name() string {
	return fmt.Sprintf("%s/%s/%s/s%d", s.Phase, s.Task, s.Arm, s.Seed)
}

// fromArm says which pretrained controller an arm starts from: the single
// architecture is the task-agnostic controller's (§4.3).
func fromArm(arm string) string {
	switch arm {
	case study.ArmTransfer:
		return study.ArmTransfer
	case study.ArmNoTaskEmbedding, study.ArmSingleArchitecture:
		return study.ArmNoTaskEmbedding
	}
	return ""
}

func strategyOf(arm string) string {
	switch arm {
	case study.ArmRandom:
		return strategy.Random
	case study.ArmSingleArchitecture:
		return strategy.Fixed
	}
	return strategy.NAML
}

// AgnosticName is the name of the task-agnostic controller beside another.
func AgnosticName(controller string) string {
	name, version, versioned := strings.Cut(controller, "@")
	name += "-" + study.ArmNoTaskEmbedding
	if versioned {
		name += "@" + version
	}
	return name
}

// maxSearches bounds a plan, against a slip of the finger.
const maxSearches = 1500

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
	if k == KindPretrain {
		arm := study.ArmTransfer
		controller := s.Controller
		if s.TaskEmbedding != nil && !*s.TaskEmbedding {
			arm, controller = study.ArmNoTaskEmbedding, AgnosticName(controller)
		}
		return p, p.pretrain(e, arm, controller, s.Tasks, s.Trials, s.Seed)
	}
	arms := slices.Clone(s.Arms)
	switch k {
	case KindAblation:
		arms = []string{study.ArmTransfer, s.Ablation}
	case KindExperiment, KindBenchmark:
		for _, a := range s.Ablations {
			if !slices.Contains(arms, a) {
				arms = append(arms, a)
			}
		}
	}
	if k == KindAblation || k == KindExperiment || k == KindBenchmark {
		for _, from := range []string{study.ArmTransfer, study.ArmNoTaskEmbedding} {
			if !slices.ContainsFunc(arms, func(a string) bool { return fromArm(a) == from }) && (from != study.ArmTransfer || e.Pretrain == nil) {
				continue
			}
			controller := s.Controller
			if from == study.ArmNoTaskEmbedding {
				controller = AgnosticName(controller)
			}
			if err := p.pretrain(e, from, controller, s.PretrainTasks, s.PretrainTrials, s.PretrainSeed); err != nil {
				return nil, err
			}
		}
	}
	if k != KindPolicy && e.Transfer != nil {
		p.transfer(e, arms)
	}
	if e.Policy != nil && (k == KindPolicy || k == KindExperiment) {
		if err := p.policy(e); err != nil {
			return nil, err
		}
	}
	if k == KindBenchmark {
		b := *e.Benchmark
		b.Nights, b.Tolerance = s.Nights, s.Tolerance
		p.Benchmark = &b
	}
	if n := len(p.Searches); n > maxSearches {
		return nil, fmt.Errorf("%s spec: %d searches, more than %d: choose fewer tasks, arms or seeds", k, n, maxSearches)
	}
	return p, nil
}

func (p *Plan) pretrain(e *Experiment, arm, controller string, tasks []string, trials int, seed uint64) error {
	settings := p.Spec.Settings
	if e.Pretrain.Settings != nil && string(settings) == string(e.Settings) {
		settings = e.Pretrain.Settings
	}
	if arm == study.ArmNoTaskEmbedding {
		var err error
		if settings, err = overlay(settings, json.RawMessage(`{"controller":{"task_embedding":-1}}`)); err != nil {
			return err
		}
	}
	p.Pretrain = append(p.Pretrain, PretrainStep{
		Arm: arm, Tasks: tasks, Trials: trials, Seed: seed, Settings: settings, Controller: controller,
	})
	return nil
}

// transfer lists the searches of the targets: all arms of a task before the
// next one, all tasks of a seed before the next one, so that comparisons are
// complete as early as can be.
func (p *Plan) transfer(e *Experiment, arms []string) {
	s := &p.Spec
	settings := s.Settings
	if e.Transfer.Settings != nil && string(settings) == string(e.Settings) {
		settings = e.Transfer.Settings
	}
	p.FixedBudgets = map[string]int{}
	for _, task := range s.Tasks {
		fixed := cmpOr(e.Transfer.FixedBudgets[task], e.Transfer.FixedBudget, yamlnode.MaxNumber)
		p.FixedBudgets[task] = min(fixed, s.budget(task))
	}
	for _, seed := range s.Seeds {
		for _, task := range s.Tasks {
			for _, arm := range arms {
				step := SearchStep{Phase: study.Transfer, Task: task, Arm: arm, Seed: seed, Trials: s.budget(task), Strategy: strategyOf(arm), From: fromArm(arm)}
				switch step.Strategy {
				case strategy.NAML:
					step.Settings = settings
					if step.From != "" {
						step.Settings = drop(settings, "controller") // the pretrained one's shape
					}
				}
				p.Searches = append(p.Searches, step)
			}
		}
	}
}

// budget is a task's number of trials.
func (s *Spec) budget(task string) int {
	if n, ok := s.Budgets[task]; ok {
		return min(n, s.Trials)
	}
	return s.Trials
}

func cmpOr(values ...int) int {
	for _, v := range values {
		if v != 0 {
			return v
		}
	}
	return 0
}

// policy lists the searches that compare policy gradients: random search
// beside them is what they all must beat.
func (p *Plan) policy(e *Experiment) error {
	s := &p.Spec
	tasks, trials, arms := e.Policy.Tasks, e.Policy.Trials, e.Policy.Arms
	seeds := s.Seeds
	if len(seeds) == 0 {
		seeds = e.Seeds
	}
	if p.Kind == KindPolicy {
		tasks, trials = s.Tasks, s.Trials
		arms = slices.DeleteFunc(slices.Clone(arms), func(a PolicyArm) bool { return !slices.Contains(s.Arms, a.Name) })
	}
	for _, seed := range seeds {
		for _, task := range tasks {
			for _, arm := range arms {
				settings, err := overlay(s.Settings, arm.Settings)
				if err != nil {
					return err
				}
				if _, err := strategy.ParseSettings(strategy.NAML, settings); err != nil {
					return fmt.Errorf("arm %q with the spec's settings: %w", arm.Name, err)
				}
				p.Searches = append(p.Searches, SearchStep{Phase: study.Policy, Task: task, Arm: arm.Name, Seed: seed, Trials: trials, Strategy: strategy.NAML, Settings: settings})
			}
		}
	}
	return nil
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

// overlay puts the fields of one settings object over another's, section by
// section: {"controller":{"task_embedding":-1}} keeps the other fields of the
// controller; "policy_gradient" is replaced whole, since its parts depend on
// the method.
func overlay(under, over json.RawMessage) (json.RawMessage, error) {
	var a, b map[string]json.RawMessage
	if err := unmarshalObject(under, &a); err != nil {
		return nil, err
	}
	if err := unmarshalObject(over, &b); err != nil {
		return nil, err
	}
	if a == nil {
		a = map[string]json.RawMessage{}
	}
	for section, value := range b {
		if section == "policy_gradient" || a[section] == nil {
			a[section] = value
			continue
		}
		var x, y map[string]json.RawMessage
		if unmarshalObject(a[section], &x) != nil || unmarshalObject(value, &y) != nil || x == nil {
			a[section] = value
			continue
		}
		for k, v := range y {
			x[k] = v
		}
		merged, err := json.Marshal(x)
		if err != nil {
			return nil, err
		}
		a[section] = merged
	}
	return json.Marshal(a)
}

func unmarshalObject(raw json.RawMessage, to *map[string]json.RawMessage) error {
	if len(raw) == 0 {
		return nil
	}
	return json.Unmarshal(raw, to)
}

// drop removes a section of settings; nothing left is no settings.
func drop(raw json.RawMessage, section string) json.RawMessage {
	var a map[string]json.RawMessage
	if json.Unmarshal(raw, &a) != nil {
		return raw
	}
	delete(a, section)
	if len(a) == 0 {
		return nil
	}
	b, err := json.Marshal(a)
	if err != nil {
		return raw
	}
	return b
}
