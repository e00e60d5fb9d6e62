package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"tnaml/experiments/search/strategy"
	"tnaml/experiments/study"
	"tnaml/experiments/yamlnode"
)

// Kind is a kind of run: the workflow type.
type Kind string

// The kinds.
const (
	// KindPretrain learns a controller on several tasks and publishes it.
	KindPretrain Kind = "Pretrain"
	// KindTransfer searches the target tasks, from a published controller and in
	// the other arms.
	KindTransfer Kind = "Transfer"
	// KindAblation runs an ablation beside the full method.
	KindAblation Kind = "Ablation"
	// KindPolicy compares policy gradients.
	KindPolicy Kind = "Policy"
	// KindExperiment is everything that the experiment has: pretraining,
	// transfer with the ablations, policy gradients.
	KindExperiment Kind = "Experiment"
	// KindBenchmark is an experiment whose figures are compared with those of
	// earlier nights.
	KindBenchmark Kind = "Benchmark"
)

// Kinds lists the kinds.
func Kinds() []Kind {
	return []Kind{KindExperiment, KindPretrain, KindTransfer, KindAblation, KindPolicy, KindBenchmark}
}

// Spec is a run's input: one JSON object. Experiment names the experiment that
// all other fields have their defaults from; which fields there are depends on
// the kind (Fields).
type Spec struct {
	Experiment string `json:"experiment"`
	// Ablation is the one to run.
	Ablation string `json:"ablation,omitempty"`
	// Tasks are the pretraining tasks of KindPretrain, else the targets.
	Tasks []string `json:"tasks,omitempty"`
	// Trials is the budget of each search; Budgets holds the most for single
	// tasks.
	Trials  int            `json:"trials,omitempty"`
	Budgets map[string]int `json:"budgets,omitempty"`
	Arms    []string       `json:"arms,omitempty"`
	// Ablations run beside the arms.
	Ablations []string `json:"ablations,omitempty"`
	Seeds     []uint64 `json:"seeds,omitempty"`
	// Seed is that of the pretraining.
	Seed uint64 `json:"seed,omitempty"`
	// Controller is the published one to start from, as name or name@version; for
	// the kinds that pretrain, the name to publish under.
	Controller string `json:"controller,omitempty"`
	// TaskEmbedding false pretrains a task-agnostic controller.
	TaskEmbedding   *bool           `json:"task_embedding,omitempty"`
	PretrainTasks   []string        `json:"pretrain_tasks,omitempty"`
	PretrainTrials  int             `json:"pretrain_trials,omitempty"`
	PretrainSeed    uint64          `json:"pretrain_seed,omitempty"`
	AllowOverlap    bool            `json:"allow_overlap,omitempty"`
	Space           string          `json:"space"`
	Modules         []string        `json:"modules,omitempty"`
	Settings        json.RawMessage `json:"settings,omitempty"`
	Concurrency     int             `json:"concurrency"`
	Lag             int             `json:"lag"`
	Parallel        int             `json:"parallel,omitempty"`
	CheckpointEvery int             `json:"checkpoint_every"`
	TrialTimeout    string          `json:"trial_timeout"`
	MemoryLimitMB   int             `json:"memory_limit_mb"`
	Retrain         bool            `json:"retrain,omitempty"`
	HistoryLimit    int             `json:"history_limit"`
	Nights          int             `json:"nights,omitempty"`
	Tolerance       float64         `json:"tolerance,omitempty"`
}

// common are the fields of every kind.
var common = []string{
	"experiment", "space", "modules", "settings", "concurrency", "lag", "parallel", "checkpoint_every", "trial_timeout", "memory_limit_mb", "retrain", "history_limit",
}

// own are the fields that a kind has beside them.
func own(k Kind) []string {
	pretrains := []string{"pretrain_tasks", "pretrain_trials", "pretrain_seed", "controller", "allow_overlap"}
	switch k {
	case KindPretrain:
		return []string{"tasks", "trials", "seed", "controller", "task_embedding"}
	case KindTransfer:
		return []string{"tasks", "trials", "budgets", "arms", "seeds", "controller", "allow_overlap"}
	case KindAblation:
		return append([]string{"ablation", "tasks", "trials", "budgets", "seeds"}, pretrains...)
	case KindPolicy:
		return []string{"tasks", "trials", "arms", "seeds"}
	case KindBenchmark:
		return append([]string{"tasks", "trials", "budgets", "arms", "ablations", "seeds", "nights", "tolerance"}, pretrains...)
	}
	return append([]string{"tasks", "trials", "budgets", "arms", "ablations", "seeds"}, pretrains...)
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
	if err := decodeSpec(k, raw, &s); err != nil {
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
		Experiment: e.Name, AllowOverlap: e.AllowOverlap, Space: e.Space, Modules: slices.Clone(e.Modules), Settings: slices.Clone(e.Settings),
		Concurrency: e.Concurrency, Lag: e.Lag, Parallel: e.Parallel, CheckpointEvery: e.CheckpointEvery,
		TrialTimeout: e.TrialTimeout, MemoryLimitMB: e.MemoryLimitMB, Retrain: e.Retrain, HistoryLimit: 8000,
	}
	if p := e.Pretrain; p != nil {
		switch k {
		case KindPretrain:
			yes := true
			s.Tasks, s.Trials, s.Seed, s.TaskEmbedding = slices.Clone(p.Tasks), p.Trials, p.Seed, &yes
		case KindAblation, KindExperiment, KindBenchmark:
			s.PretrainTasks, s.PretrainTrials, s.PretrainSeed = slices.Clone(p.Tasks), p.Trials, p.Seed
		}
		if s.Controller = p.Controller; s.Controller == "" {
			s.Controller = e.Name
		}
	}
	if t := e.Transfer; t != nil && k != KindPretrain && k != KindPolicy {
		s.Tasks, s.Trials, s.Arms = slices.Clone(t.Tasks), t.Trials, slices.Clone(t.Arms)
		s.Seeds, s.Ablations = slices.Clone(e.Seeds), slices.Clone(e.Ablations)
		if len(t.Budgets) > 0 {
			s.Budgets = map[string]int{}
			for task, n := range t.Budgets {
				s.Budgets[task] = n
			}
		}
	}
	if k == KindTransfer || k == KindAblation {
		s.Ablations = nil
	}
	if k == KindAblation {
		s.Arms = nil
	}
	if p := e.Policy; p != nil && k == KindPolicy {
		s.Tasks, s.Trials, s.Seeds = slices.Clone(p.Tasks), p.Trials, slices.Clone(e.Seeds)
		for _, a := range p.Arms {
			s.Arms = append(s.Arms, a.Name)
		}
	}
	if b := e.Benchmark; b != nil && k == KindBenchmark {
		s.Nights, s.Tolerance = b.Nights, b.Tolerance
	}
	return s
}

// decodeSpec decodes strictly over what s holds.
func decodeSpec(k Kind, raw []byte, s *Spec) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return fmt.Errorf("not a JSON object: %w", err)
	}
	if fields == nil {
		return errors.New("the input is null: give a JSON object")
	}
	known := Fields(k)
	var errs []error
	var unknown []string
	for name := range fields {
		if !slices.Contains(known, name) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		for _, name := range unknown {
			errs = append(errs, fmt.Errorf("unknown field %q", name))
			delete(fields, name)
		}
		errs = append(errs, fmt.Errorf("known fields: %s", strings.Join(known, ", ")))
	}
	// Field by field, so that one of a wrong type does not hide the others.
	t := reflect.TypeOf(*s)
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		value, ok := fields[name]
		if !ok || bytes.Equal(bytes.TrimSpace(value), []byte("null")) {
			continue
		}
		field := reflect.ValueOf(s).Elem().Field(i)
		fresh := reflect.New(field.Type())
		if err := json.Unmarshal(value, fresh.Interface()); err != nil {
			errs = append(errs, fmt.Errorf("%q is %s: %s", name, short(value), typeHint(field.Type())))
			continue
		}
		field.Set(fresh.Elem())
	}
	return errors.Join(errs...)
}

func short(b []byte) string {
	if len(b) > 40 {
		return string(b[:40]) + "…"
	}
	return string(b)
}

func typeHint(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Slice:
		if t.Elem().Kind() == reflect.String {
			return "it must be a list of words"
		}
		return "it must be a list of whole numbers"
	case reflect.Map:
		return "it must be an object of tasks and numbers of trials"
	case reflect.Pointer, reflect.Bool:
		return "it must be true or false"
	case reflect.String:
		return "it must be a text"
	case reflect.Float64:
		return "it must be a number"
	}
	return "it must be a whole number, not negative"
}

// controllerForm is a name, or a name with a version, or a digest.
func controllerForm(s string) bool {
	name, version, versioned := strings.Cut(s, "@")
	if digits, ok := strings.CutPrefix(s, "sha256:"); ok {
		return len(digits) == 64
	}
	return nameForm.MatchString(name) && (!versioned || version != "" && strings.Trim(version, "0123456789") == "")
}

func (s *Spec) validate(k Kind, e *Experiment) error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	lacks := func(section string) {
		bad("the experiment %q has no %q: a %s of it needs one", e.Name, section, k)
	}
	switch {
	case k == KindPretrain && e.Pretrain == nil, k == KindAblation && e.Pretrain == nil:
		lacks("pretrain")
	case k == KindPolicy && e.Policy == nil:
		lacks("policy")
	case k == KindBenchmark && e.Benchmark == nil:
		lacks("benchmark")
	case (k == KindTransfer || k == KindAblation || k == KindBenchmark) && e.Transfer == nil:
		lacks("transfer")
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	for _, l := range []struct {
		name string
		list []string
	}{{"tasks", s.Tasks}, {"pretrain_tasks", s.PretrainTasks}, {"arms", s.Arms}, {"ablations", s.Ablations}, {"modules", s.Modules}} {
		for i, v := range l.list {
			if v == "" {
				bad("%q[%d] is an empty name", l.name, i)
			}
			if slices.Contains(l.list[:i], v) {
				bad("%q names %q twice", l.name, v)
			}
		}
	}
	for i, v := range s.Seeds {
		if slices.Contains(s.Seeds[:i], v) {
			bad(`"seeds" holds %d twice`, v)
		}
	}
	searches := k != KindExperiment || e.Transfer != nil
	if searches {
		if len(s.Tasks) == 0 {
			bad(`"tasks" is empty`)
		}
		if s.Trials < 1 || s.Trials > yamlnode.MaxNumber {
			bad(`"trials" is %d: it must lie between 1 and %d`, s.Trials, yamlnode.MaxNumber)
		}
		if k != KindPretrain && len(s.Seeds) == 0 {
			bad(`"seeds" is empty`)
		}
	}
	for _, task := range sortedKeys(s.Budgets) {
		if n := s.Budgets[task]; n < 1 || n > yamlnode.MaxNumber {
			bad(`"budgets" gives %q %d trials: it must be at least 1`, task, n)
		}
	}
	known := study.Arms()
	if k == KindPolicy {
		known = nil
		for _, a := range e.Policy.Arms {
			known = append(known, a.Name)
		}
	}
	for _, a := range s.Arms {
		if !slices.Contains(known, a) {
			bad("unknown arm %q (known: %s)", a, strings.Join(known, ", "))
		}
	}
	if searches && k != KindPretrain && k != KindAblation && len(s.Arms) == 0 {
		bad(`"arms" is empty (known: %s)`, strings.Join(known, ", "))
	}
	for _, a := range s.Ablations {
		if !slices.Contains(Ablations(), a) {
			bad("unknown ablation %q (known: %s)", a, strings.Join(Ablations(), ", "))
		}
	}
	if k == KindAblation && !slices.Contains(Ablations(), s.Ablation) {
		if s.Ablation == "" {
			bad(`no "ablation": name one (known: %s)`, strings.Join(Ablations(), ", "))
		} else {
			bad("unknown ablation %q (known: %s)", s.Ablation, strings.Join(Ablations(), ", "))
		}
	}
	needs := slices.ContainsFunc(append(slices.Clone(s.Arms), s.Ablations...), func(a string) bool { return k != KindPolicy && fromArm(a) != "" })
	pretrains := e.Pretrain != nil && (k == KindAblation || k == KindExperiment || k == KindBenchmark)
	if pretrains {
		if len(s.PretrainTasks) == 0 {
			bad(`"pretrain_tasks" is empty`)
		}
		if s.PretrainTrials < 1 || s.PretrainTrials > yamlnode.MaxNumber {
			bad(`"pretrain_trials" is %d: it must lie between 1 and %d`, s.PretrainTrials, yamlnode.MaxNumber)
		}
	}
	if needs && !pretrains && k != KindTransfer {
		bad("an arm starts from a controller, but the experiment %q pretrains none", e.Name)
	}
	if needs && k == KindTransfer && s.Controller == "" {
		bad(`an arm starts from a controller: name it as "controller"`)
	}
	if s.Controller != "" {
		if k == KindTransfer && !controllerForm(s.Controller) {
			bad(`"controller" is %q: give a name, or name@version`, s.Controller)
		} else if k != KindTransfer && !nameForm.MatchString(s.Controller) {
			bad(`"controller" is %q: a name to publish under is lower-case letters, digits, '-', '_' and '.', at most 64`, s.Controller)
		}
	} else if pretrains || k == KindPretrain {
		bad(`"controller" is empty: give the name to publish under`)
	}
	overlap := s.PretrainTasks
	if k == KindTransfer && e.Pretrain != nil {
		overlap = e.Pretrain.Tasks
	}
	if !s.AllowOverlap && k != KindPretrain && k != KindPolicy {
		for _, t := range s.Tasks {
			if slices.Contains(overlap, t) {
				bad(`the target %q is a pretraining task too: choose another, or set "allow_overlap"`, t)
			}
		}
	}
	if s.Space == "" {
		bad(`"space" is empty`)
	}
	if s.Concurrency < 1 || s.Concurrency > 1000 {
		bad(`"concurrency" is %d: it must lie between 1 and 1000`, s.Concurrency)
	}
	if s.Lag < 1 || s.Lag > 4096 {
		bad(`"lag" is %d: it must lie between 1 and 4096`, s.Lag)
	}
	if s.Parallel < 0 || s.Parallel > max(s.Lag, 1) {
		bad(`"parallel" is %d: it must lie between 1 and "lag" (%d), or be absent`, s.Parallel, s.Lag)
	}
	if s.CheckpointEvery < 1 || s.CheckpointEvery > 500 {
		bad(`"checkpoint_every" is %d: it must lie between 1 and 500`, s.CheckpointEvery)
	}
	if !durationForm.MatchString(s.TrialTimeout) {
		bad(`"trial_timeout" is %q: it must be a duration of at least 1s, e.g. "30m"`, s.TrialTimeout)
	}
	if s.MemoryLimitMB < 1 {
		bad(`"memory_limit_mb" is %d: it must be at least 1`, s.MemoryLimitMB)
	}
	if s.HistoryLimit < 100 {
		bad(`"history_limit" is %d: it must be at least 100`, s.HistoryLimit)
	}
	if k == KindBenchmark && (s.Nights < 1 || !(s.Tolerance > 0)) {
		bad(`"nights" is %d and "tolerance" %v: both must be positive`, s.Nights, s.Tolerance)
	}
	if _, err := strategy.ParseSettings(strategy.NAML, s.Settings); err != nil {
		for _, one := range yamlnode.Flatten(err) {
			bad(`"settings": %w`, one)
		}
	}
	return errors.Join(errs...)
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
