package catalog

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tnaml/experiments/limit"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/strict"
	"tnaml/experiments/yamlnode"
)

// Kind is a kind of run: the workflow type.
type Kind string

// The kinds.
const (
	// KindPretrain learns controllers on several tasks and publishes them.
	KindPretrain Kind = "Pretrain"
	// KindTransfer searches the target tasks in all arms, from published
	// controllers.
	KindTransfer Kind = "Transfer"
	// KindExperiment is both: it learns the controllers that its arms start from.
	KindExperiment Kind = "Experiment"
	// KindBenchmark is an experiment whose figures are compared with those of
	// earlier nights.
	KindBenchmark Kind = "Benchmark"
)

// Kinds lists the kinds.
func Kinds() []Kind { return []Kind{KindExperiment, KindPretrain, KindTransfer, KindBenchmark} }

// Spec is a run's input: one JSON object. Experiment names the experiment that
// all other fields have their defaults from; which fields there are depends on
// the kind (Fields).
type Spec struct {
	Experiment string `json:"experiment"`
	// Tasks are the targets.
	Tasks []string `json:"tasks,omitempty"`
	// Trials is the budget of each search of a target; Budgets holds the most for
	// single tasks.
	Trials  int            `json:"trials,omitempty"`
	Budgets map[string]int `json:"budgets,omitempty"`
	// Arms chooses arms by their names, or gives new ones.
	Arms  []ArmChoice `json:"arms,omitempty"`
	Seeds []uint64    `json:"seeds,omitempty"`
	// Controller is the published one that the experiment's first pretraining has
	// made, as name or name@version; for the kinds that pretrain, the name to
	// publish it under.
	Controller string `json:"controller,omitempty"`
	// Pretrain names the pretrainings of a run without arms; the others learn what
	// their arms start from. PretrainTasks, PretrainTrials and PretrainSeed are
	// those of all pretrainings of the run; absent: as the experiment gives them
	// to each.
	Pretrain        []string                   `json:"pretrain,omitempty"`
	PretrainTasks   []string                   `json:"pretrain_tasks,omitempty"`
	PretrainTrials  *int                       `json:"pretrain_trials,omitempty"`
	PretrainSeed    *uint64                    `json:"pretrain_seed,omitempty"`
	AllowOverlap    bool                       `json:"allow_overlap,omitempty"`
	Space           string                     `json:"space"`
	Modules         []string                   `json:"modules,omitempty"`
	Settings        map[string]json.RawMessage `json:"settings,omitempty"`
	Concurrency     int                        `json:"concurrency"`
	Lag             int                        `json:"lag"`
	Parallel        int                        `json:"parallel,omitempty"`
	CheckpointEvery int                        `json:"checkpoint_every"`
	TrialTimeout    string                     `json:"trial_timeout"`
	TrialSteps      int                        `json:"trial_steps,omitempty"`
	MemoryLimitMB   int                        `json:"memory_limit_mb"`
	KeepModels      int                        `json:"keep_models"`
	Examples        bool                       `json:"examples,omitempty"`
	Retrain         bool                       `json:"retrain,omitempty"`
	HistoryLimit    int                        `json:"history_limit"`
	Nights          int                        `json:"nights,omitempty"`
	Tolerance       float64                    `json:"tolerance,omitempty"`
}

// common are the fields of every kind.
var common = []string{
	"experiment", "space", "modules", "settings", "concurrency", "lag", "parallel", "checkpoint_every", "trial_timeout",
	"trial_steps", "memory_limit_mb", "keep_models", "examples", "retrain", "history_limit",
}

// own are the fields that a kind has beside them.
func own(k Kind) []string {
	targets := []string{"tasks", "trials", "budgets", "arms", "seeds", "controller", "allow_overlap"}
	pretrain := []string{"pretrain_tasks", "pretrain_trials", "pretrain_seed"}
	switch k {
	case KindPretrain:
		return append(pretrain, "pretrain", "controller")
	case KindTransfer:
		return targets
	case KindBenchmark:
		return slices.Concat(targets, pretrain, []string{"nights", "tolerance"})
	}
	return append(targets, pretrain...)
}

// Fields lists the fields of a kind's spec, sorted, "experiment" first.
func Fields(k Kind) []string {
	all := append(slices.Clone(common[1:]), own(k)...)
	slices.Sort(all)
	return append([]string{"experiment"}, all...)
}

// ExperimentOf reads the name of the experiment that a spec is of.
func ExperimentOf(raw []byte) (string, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return "", fmt.Errorf("not a JSON object: %w", err)
	}
	hint := fmt.Errorf(`name an experiment, e.g. {"experiment":"demo"} (built in: %s)`, strings.Join(BuiltinNames(), ", "))
	if len(fields["experiment"]) == 0 {
		return "", fmt.Errorf(`no "experiment": %w`, hint)
	}
	var name string
	if err := json.Unmarshal(fields["experiment"], &name); err != nil || name == "" {
		return "", fmt.Errorf(`"experiment" is %s: %w`, fields["experiment"], hint)
	}
	return name, nil
}

// ParseSpec decodes a spec over the experiment's own values and checks it.
// Everything wrong is reported together, unknown fields with the known ones.
func ParseSpec(k Kind, e *Experiment, raw []byte) (Spec, error) {
	s := specOf(k, e)
	if err := strict.Unmarshal(raw, &s, Fields(k)...); err != nil {
		return s, fmt.Errorf("%s spec: %w", k, err)
	}
	if err := s.validate(k, e); err != nil {
		return s, fmt.Errorf("%s spec: %w", k, err)
	}
	return s, nil
}

// specOf is the spec of an experiment run as it is.
func specOf(k Kind, e *Experiment) Spec {
	s := Spec{
		Experiment: e.Name, Space: e.Space, Modules: slices.Clone(e.Modules), Settings: maps.Clone(e.Settings),
		Concurrency: e.Concurrency, Lag: e.Lag, Parallel: e.Parallel, CheckpointEvery: e.CheckpointEvery,
		TrialTimeout: e.TrialTimeout, TrialSteps: e.TrialSteps, MemoryLimitMB: e.MemoryLimitMB, KeepModels: e.KeepModels,
		Examples: e.Examples, Retrain: e.Retrain, HistoryLimit: HistoryLimit,
	}
	if len(e.Pretrain) > 0 {
		first := e.Pretrain[0]
		s.Controller = cmp.Or(first.Controller, e.Name)
		// What is the same for all can be said of all.
		same := func(of func(Pretrain) bool) bool {
			return k != KindTransfer && !slices.ContainsFunc(e.Pretrain, func(p Pretrain) bool { return !of(p) })
		}
		if same(func(p Pretrain) bool { return slices.Equal(p.Tasks, first.Tasks) }) {
			s.PretrainTasks = slices.Clone(first.Tasks)
		}
		if same(func(p Pretrain) bool { return p.Trials == first.Trials }) {
			s.PretrainTrials = &first.Trials
		}
		if same(func(p Pretrain) bool { return p.Seed == first.Seed }) {
			s.PretrainSeed = &first.Seed
		}
	}
	if k == KindPretrain {
		for _, p := range e.Pretrain {
			s.Pretrain = append(s.Pretrain, p.Name)
		}
		return s
	}
	s.AllowOverlap = e.AllowOverlap
	if t := e.Transfer; t != nil {
		s.Tasks, s.Trials, s.Seeds, s.Budgets = slices.Clone(t.Tasks), t.Trials, slices.Clone(e.Seeds), maps.Clone(t.Budgets)
		for _, a := range t.Arms {
			s.Arms = append(s.Arms, ArmChoice{Name: a.Name})
		}
	}
	if b := e.Benchmark; b != nil && k == KindBenchmark {
		s.Nights, s.Tolerance = b.Nights, b.Tolerance
	}
	return s
}

func (s *Spec) validate(k Kind, e *Experiment) error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	lacks := func(section string) error {
		return fmt.Errorf("the experiment %q has no %q: a %s of it needs one", e.Name, section, k)
	}
	switch {
	case k == KindPretrain && len(e.Pretrain) == 0:
		return lacks("pretrain")
	case k == KindBenchmark && e.Benchmark == nil:
		return lacks("benchmark")
	case k == KindTransfer && e.Transfer == nil:
		return lacks("transfer")
	}
	for _, l := range []struct {
		name string
		list []string
	}{{"tasks", s.Tasks}, {"pretrain", s.Pretrain}, {"pretrain_tasks", s.PretrainTasks}, {"modules", s.Modules}} {
		errs = append(errs, limit.Names(l.name, l.list)...)
	}
	errs = append(errs, s.validatePretraining(k, e)...)
	if k != KindPretrain && e.Transfer != nil {
		errs = append(errs, s.validateTargets(k, e)...)
	}
	if s.Space == "" {
		bad(`"space" is empty`)
	}
	if s.Concurrency < 1 || s.Concurrency > 1000 {
		bad(`"concurrency" is %d: it must lie between 1 and 1000`, s.Concurrency)
	}
	running := limit.Running{Lag: s.Lag, Parallel: s.Parallel, CheckpointEvery: s.CheckpointEvery, TrialSteps: s.TrialSteps,
		MemoryLimitMB: s.MemoryLimitMB, KeepModels: s.KeepModels, HistoryLimit: s.HistoryLimit}
	errs = append(errs, running.Problems()...)
	if err := checkTimeout(s.TrialTimeout); err != nil {
		bad(`"trial_timeout" is %q: %w`, limit.Note(s.TrialTimeout), err)
	}
	if k == KindBenchmark && (s.Nights < 1 || !(s.Tolerance > 0)) {
		bad(`"nights" is %d and "tolerance" %v: both must be positive`, s.Nights, s.Tolerance)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Settings)) {
		if _, err := strategy.Builtin().Find(name); err != nil {
			bad(`"settings", which are by strategy: %w`, err)
			continue
		}
		if err := checkSettings(name, s.Settings[name], false); err != nil {
			for _, one := range limit.Apart(err) {
				bad(`"settings" of %s: %w`, name, one)
			}
		}
	}
	return limit.Problems(errs)
}

// HistoryLimit is the default of Spec.HistoryLimit.
const HistoryLimit = 8000

// validatePretraining checks what is said of the controllers.
func (s *Spec) validatePretraining(k Kind, e *Experiment) (errs []error) {
	if len(e.Pretrain) == 0 {
		return nil
	}
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	if k == KindPretrain && len(s.Pretrain) == 0 {
		bad(`"pretrain" is empty: name a pretraining`)
	}
	for _, name := range s.Pretrain {
		if _, ok := e.pretraining(name); !ok && name != "" {
			var known []string
			for _, p := range slices.Concat(e.Pretrain, shared().Pretrainings) {
				known = append(known, p.Name)
			}
			slices.Sort(known)
			bad("unknown pretraining %q (known: %s)", name, strings.Join(slices.Compact(known), ", "))
		}
	}
	if s.PretrainTasks != nil && len(s.PretrainTasks) == 0 {
		bad(`"pretrain_tasks" is empty`)
	}
	if n := s.PretrainTrials; n != nil && (*n < 1 || *n > yamlnode.MaxNumber) {
		bad(`"pretrain_trials" is %d: it must lie between 1 and %d`, *n, yamlnode.MaxNumber)
	}
	switch {
	case s.Controller == "":
		bad(`"controller" is empty: give the name of the published controller`)
	case k == KindTransfer && !controllerForm(s.Controller):
		bad(`"controller" is %q: give a name, or name@version`, s.Controller)
	case k != KindTransfer && !nameForm.MatchString(s.Controller):
		bad(`"controller" is %q: a name to publish under is %s`, s.Controller, nameWords)
	}
	return errs
}

// validateTargets checks what is said of the targets and their arms.
func (s *Spec) validateTargets(k Kind, e *Experiment) (errs []error) {
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	if len(s.Tasks) == 0 {
		bad(`"tasks" is empty`)
	}
	if s.Trials < 1 || s.Trials > yamlnode.MaxNumber {
		bad(`"trials" is %d: it must lie between 1 and %d`, s.Trials, yamlnode.MaxNumber)
	}
	if n := len(s.Seeds); n == 0 || n > maxSearches {
		return append(errs, fmt.Errorf(`"seeds" has %d numbers: it must have 1 to %d`, n, maxSearches))
	}
	for i, v := range s.Seeds {
		if slices.Contains(s.Seeds[:i], v) {
			bad(`"seeds" holds %d twice`, v)
		}
	}
	for _, task := range slices.Sorted(maps.Keys(s.Budgets)) {
		if n := s.Budgets[task]; n < 1 || n > yamlnode.MaxNumber {
			bad(`"budgets" gives %q %d trials: it must be at least 1`, task, n)
		} else if _, own := e.Transfer.Budgets[task]; !own && !slices.Contains(s.Tasks, task) {
			bad(`"budgets" gives %q %d trials, which is no target: name it in "tasks", or leave it out`, task, n)
		}
	}
	if len(s.Arms) == 0 {
		bad(`"arms" is empty (known: %s)`, knownArms(e.Transfer.Arms))
	}
	arms, wrong := choose(e, s.Arms)
	errs = append(errs, wrong...)
	for _, a := range arms {
		if err := e.startable(a); err != nil {
			errs = append(errs, err)
		}
	}
	if s.AllowOverlap {
		return errs
	}
	pretraining := s.PretrainTasks
	if pretraining == nil {
		for _, p := range e.Pretrain {
			pretraining = append(pretraining, p.Tasks...)
		}
	}
	for _, t := range s.Tasks {
		if slices.Contains(pretraining, t) {
			bad(`the target %q is a pretraining task too: choose another, or set "allow_overlap"`, t)
		}
	}
	return errs
}
