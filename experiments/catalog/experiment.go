// Package catalog holds the named experiments: which tasks, which arms, which
// budgets, as YAML. The paper's are built in; people add their own. It also
// turns an experiment, with what a person changed of it, into a plan: the list
// of searches to run.
package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"tnaml/experiments/benchmark"
	"tnaml/experiments/benchmark/simulate"
	"tnaml/experiments/limit"
	"tnaml/experiments/search"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/strict"
	"tnaml/experiments/study"
	"tnaml/experiments/yamlnode"
)

// Experiment is a named experiment. All fields but Name and one of Pretrain and
// Transfer have defaults.
type Experiment struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	// Space names the search space of all its searches; Modules the embedding
	// modules to choose from where the space asks for all there are, empty for
	// all in the store.
	Space   string   `json:"space"`
	Modules []string `json:"modules,omitempty"`
	// AllowOverlap lets a target be a pretraining task too.
	AllowOverlap bool `json:"allow_overlap,omitempty"`
	// Seeds: each target is searched once with each, in each arm.
	Seeds []uint64 `json:"seeds"`
	// Concurrency is the number of searches at once.
	Concurrency int `json:"concurrency"`
	// Lag, Parallel, CheckpointEvery, TrialTimeout, TrialSteps, MemoryLimitMB, KeepModels,
	// Examples and Retrain are every search's.
	Lag             int    `json:"lag"`
	Parallel        int    `json:"parallel,omitempty"`
	CheckpointEvery int    `json:"checkpoint_every"`
	TrialTimeout    string `json:"trial_timeout"`
	TrialSteps      int    `json:"trial_steps,omitempty"`
	MemoryLimitMB   int    `json:"memory_limit_mb"`
	KeepModels      int    `json:"keep_models"`
	Examples        bool   `json:"examples,omitempty"`
	Retrain         bool   `json:"retrain,omitempty"`
	// Settings are those of strategies in all searches, by the strategy's name.
	Settings  map[string]json.RawMessage `json:"settings,omitempty"`
	Pretrain  []Pretrain                 `json:"pretrain,omitempty"`
	Transfer  *Transfer                  `json:"transfer,omitempty"`
	Benchmark *Benchmark                 `json:"benchmark,omitempty"`
}

// Pretrain is a multitask search that learns a controller (§2.2).
type Pretrain struct {
	// Name is what arms start from.
	Name   string   `json:"name"`
	Tasks  []string `json:"tasks"`
	Trials int      `json:"trials"`
	Seed   uint64   `json:"seed"`
	// Strategy is what learns, with Settings over the experiment's.
	Strategy string          `json:"strategy"`
	Settings json.RawMessage `json:"settings,omitempty"`
	// Controller is the name that the controller is published under; empty: the
	// experiment's for the first, and for the others that with their own name.
	Controller string `json:"controller,omitempty"`
}

// Transfer is the comparison on the target tasks (§4).
type Transfer struct {
	Tasks []string `json:"tasks"`
	// Trials is the budget of each search, Budgets that of single tasks.
	Trials  int            `json:"trials"`
	Budgets map[string]int `json:"budgets,omitempty"`
	// FixedBudget is the paper's B of Table 1 (right), at which the test accuracy
	// is compared; FixedBudgets are those of single tasks. 0 means the task's
	// whole budget.
	FixedBudget  int            `json:"fixed_budget,omitempty"`
	FixedBudgets map[string]int `json:"fixed_budgets,omitempty"`
	// Arms are run in this order.
	Arms []study.Arm `json:"arms"`
	// Baseline is the arm to whose final accuracy the others' trials are counted,
	// empty for none; Against the one that the others are compared with.
	Baseline string `json:"baseline,omitempty"`
	Against  string `json:"against"`
}

// Benchmark says how a night is compared with earlier ones.
type Benchmark struct {
	// Nights is the number of earlier ones that are compared with, at most.
	Nights int `json:"nights"`
	// Tolerance is the number of standard errors that a figure may be worse.
	Tolerance float64 `json:"tolerance"`
	// Accuracy and Cost are the least tolerances: of accuracies as a fraction of
	// 1, of other objectives, by Accuracy, and of numbers of trials and CPU time, by
	// Cost, as a fraction of the earlier value.
	Accuracy float64 `json:"accuracy"`
	Cost     float64 `json:"cost"`
	// Simulate is what is searched each night on a recorded benchmark, beside the
	// training; nil for nothing.
	Simulate *simulate.Nightly `json:"simulate,omitempty"`
}

// Tasks lists the tasks that an experiment needs, those of the pretrainings
// first.
func (e *Experiment) Tasks() []string {
	var out []string
	add := func(names []string) {
		for _, n := range names {
			if !slices.Contains(out, n) {
				out = append(out, n)
			}
		}
	}
	for _, p := range e.Pretrain {
		add(p.Tasks)
	}
	if e.Transfer != nil {
		add(e.Transfer.Tasks)
	}
	return out
}

// nameForm is that of names of experiments, pretrainings, arms and controllers:
// what can stand in a workflow ID and a flag. nameWords says so.
var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

const nameWords = "lower-case letters, digits, '-', '_' and '.', at most 64"

// durationForm is that of a Go duration as people write one.
var durationForm = regexp.MustCompile(`^([0-9]+(\.[0-9]+)?(h|m|s))+$`)

// checkTimeout says what is wrong with a trial_timeout, as each search would.
func checkTimeout(duration string) error {
	seconds := 0.0
	if durationForm.MatchString(duration) {
		for rest := duration; rest != ""; {
			at := strings.IndexAny(rest, "hms")
			n, _ := strconv.ParseFloat(rest[:at], 64)
			seconds += n * map[byte]float64{'h': 3600, 'm': 60, 's': 1}[rest[at]]
			rest = rest[at+1:]
		}
	}
	switch {
	case seconds < 1:
		return errors.New(`it must be a duration of at least 1s, e.g. "30m"`)
	case seconds > limit.MaxTrialHours*3600:
		return fmt.Errorf("it must be at most %dh", limit.MaxTrialHours)
	}
	return nil
}

// Defaults are the values of what an experiment leaves out.
func Defaults() Experiment {
	return Experiment{
		Space: "text", Seeds: []uint64{1}, Concurrency: 4, Lag: 4, CheckpointEvery: 50, TrialTimeout: "30m", MemoryLimitMB: 2048,
		KeepModels: search.TopN,
	}
}

// Parse reads an experiment from YAML. Everything wrong with it is reported
// together, with line numbers.
func Parse(b []byte) (*Experiment, error) {
	yaml, root := yamlnode.Read(b, "experiment")
	e := Defaults()
	r := reader{Reader: yaml, lines: map[string]int{}}
	r.experiment(root, &e)
	if err := yaml.Err(); err != nil {
		return nil, fmt.Errorf("experiment: %w", err)
	}
	return &e, nil
}

// reader reads experiments. lines says where things stand: fields by their
// names, tasks, arms and the like by "what name".
type reader struct {
	*yamlnode.Reader
	lines map[string]int
}

// at notes where a field stands.
func (r reader) at(f func(yamlnode.Entry)) func(yamlnode.Entry) {
	return func(x yamlnode.Entry) { r.lines[x.Key] = x.Line; f(x) }
}

// note notes where names of a list stand, and refuses those that are none.
func (r reader) note(what string) func(int, string) {
	return func(line int, name string) {
		if err := limit.Name(what, name); err != nil {
			r.Bad(line, "%w", err)
		}
		r.lines[what+" "+name] = line
	}
}

func (r reader) experiment(n yamlnode.Node, e *Experiment) {
	r.Fields(n, "the experiment", map[string]func(yamlnode.Entry){
		"name":             r.at(r.Text(&e.Name)),
		"description":      r.Text(&e.Description),
		"space":            r.Text(&e.Space),
		"modules":          r.Words(&e.Modules, r.note("module")),
		"allow_overlap":    r.Flag(&e.AllowOverlap),
		"seeds":            r.Seeds(&e.Seeds),
		"concurrency":      r.Number(&e.Concurrency, 1),
		"lag":              r.at(r.Number(&e.Lag, 1)),
		"parallel":         r.at(r.Number(&e.Parallel, 1)),
		"checkpoint_every": r.at(r.Number(&e.CheckpointEvery, 1)),
		"trial_timeout": func(x yamlnode.Entry) {
			r.Text(&e.TrialTimeout)(x)
			if err := checkTimeout(e.TrialTimeout); err != nil {
				r.Bad(x.Line, `"trial_timeout" is %s: %w`, x.Value, err)
			}
		},
		"trial_steps":     r.at(r.Number(&e.TrialSteps, 1)),
		"memory_limit_mb": r.at(r.Number(&e.MemoryLimitMB, 1)),
		"keep_models":     r.at(r.Number(&e.KeepModels, 0)),
		"examples":        r.Flag(&e.Examples),
		"retrain":         r.Flag(&e.Retrain),
		"settings":        r.settings(&e.Settings),
		"pretrain":        r.at(r.pretrainings(&e.Pretrain)),
		"transfer": r.at(func(x yamlnode.Entry) {
			e.Transfer = &Transfer{}
			r.transfer(x, e.Transfer)
		}),
		"benchmark": r.at(func(x yamlnode.Entry) {
			e.Benchmark = &Benchmark{Nights: 14, Tolerance: 3, Accuracy: 0.005, Cost: 0.25}
			r.Fields(x.Value, `"benchmark"`, map[string]func(yamlnode.Entry){
				"nights": r.Number(&e.Benchmark.Nights, 1), "tolerance": r.Real(&e.Benchmark.Tolerance),
				"accuracy": r.Real(&e.Benchmark.Accuracy), "cost": r.Real(&e.Benchmark.Cost),
				"simulate": r.at(func(x yamlnode.Entry) { e.Benchmark.Simulate = r.simulate(x) }),
			})
		}),
	})
	if n.Kind == yamlnode.Mapping {
		r.together(n.Line, e)
	}
}

// together checks what the parts of an experiment say of each other.
func (r reader) together(line int, e *Experiment) {
	switch {
	case e.Name == "" && r.lines["name"] == 0:
		r.Bad(line, `no "name"`)
	case !nameForm.MatchString(e.Name):
		r.Bad(r.lines["name"], `the name %q must be %s`, e.Name, nameWords)
	}
	running := limit.Running{Lag: e.Lag, Parallel: e.Parallel, CheckpointEvery: e.CheckpointEvery, TrialSteps: e.TrialSteps,
		MemoryLimitMB: e.MemoryLimitMB, KeepModels: e.KeepModels, HistoryLimit: HistoryLimit}
	for _, err := range running.Problems() {
		if p := (limit.Problem{}); errors.As(err, &p) {
			r.Bad(r.lines[p.Field], "%w", err)
		}
	}
	if r.lines["pretrain"]+r.lines["transfer"] == 0 {
		r.Bad(line, `nothing to do: give "pretrain" or "transfer"`)
	}
	if e.Benchmark != nil && e.Transfer == nil {
		r.Bad(r.lines["benchmark"], `a benchmark needs figures: give "transfer"`)
	}
	if e.Benchmark != nil && e.Benchmark.Simulate != nil {
		if _, err := nightly(e.Benchmark.Simulate, e.Settings, e.Lag); err != nil {
			r.BadEach(r.lines["simulate"], `"simulate"`, err)
		}
	}
	for _, p := range e.Pretrain {
		r.merged(r.lines["pretraining "+p.Name], e, p.Strategy, p.Settings, false)
	}
	if e.Transfer == nil {
		return
	}
	for _, t := range e.Transfer.Tasks {
		if p, ok := r.lines["pretrain "+t]; ok && !e.AllowOverlap {
			r.Bad(r.lines["target "+t], "the target %q is a pretraining task too, in line %d: choose another, or set allow_overlap", t, p)
		}
	}
	for _, a := range e.Transfer.Arms {
		at := r.lines["arm "+a.Name]
		if err := e.startable(a); err != nil && r.lines["pretrain"] == 0 {
			r.Bad(at, "%w", err)
		}
		r.merged(at, e, a.Strategy, a.Settings, a.From != "")
	}
}

// simulate reads what is searched on a recorded benchmark.
func (r reader) simulate(x yamlnode.Entry) *simulate.Nightly {
	n := &simulate.Nightly{Set: benchmark.Paper, Tasks: []string{"all"}, Trials: 100, Seeds: 500, Share: .75}
	var arms []study.Arm
	r.lines = map[string]int{} // its arms are others than the targets'
	r.Fields(x.Value, `"simulate"`, map[string]func(yamlnode.Entry){
		"set": r.Text(&n.Set), "tasks": r.Words(&n.Tasks, nil), "arms": r.arms(&arms), "trials": r.Number(&n.Trials, 1),
		"seeds": r.Number(&n.Seeds, 1), "share": r.Real(&n.Share),
	})
	for _, a := range arms {
		arm, err := Simulated(a)
		if err != nil {
			r.Bad(x.Line, `"simulate": %w`, err)
		}
		n.Arms = append(n.Arms, arm)
	}
	return n
}

// nightly is what is searched on a recorded benchmark, under the settings of strategies
// that all searches have.
func nightly(n *simulate.Nightly, settings map[string]json.RawMessage, lag int) (*simulate.Nightly, error) {
	out := *n
	out.Lag, out.Arms = lag, slices.Clone(n.Arms)
	var errs []error
	for i := range out.Arms {
		a := &out.Arms[i]
		var err error
		if a.Settings, err = strategy.Overlay(settings[a.Strategy], a.Settings); err != nil {
			errs = append(errs, fmt.Errorf("the arm %q: %w", a.Name, err))
		}
	}
	return &out, errors.Join(append(errs, out.Check())...)
}

// merged checks the settings of an arm or a pretraining over the experiment's.
func (r reader) merged(line int, e *Experiment, name string, own json.RawMessage, from bool) {
	settings, err := strategy.Overlay(e.Settings[name], own)
	if _, unknown := strategy.Builtin().Find(name); err == nil && unknown == nil {
		err = checkSettings(name, settings, from)
	}
	if err != nil {
		r.BadEach(line, `"settings"`, err)
	}
}

// startable says why there is nothing that an arm could start from, as far as
// the experiment knows.
func (e *Experiment) startable(a study.Arm) error {
	byName := func(p Pretrain) bool { return p.Name == a.From }
	if len(e.Pretrain) == 0 && slices.ContainsFunc(shared().Pretrainings, byName) {
		return fmt.Errorf(`the arm %q starts from the pretraining %q: give "pretrain"`, a.Name, a.From)
	}
	return nil
}

// pretrainings reads the list of pretrainings.
func (r reader) pretrainings(to *[]Pretrain) func(yamlnode.Entry) {
	return func(x yamlnode.Entry) {
		if x.Value.Kind != yamlnode.List || len(x.Value.Items) == 0 {
			r.Bad(x.Line, `"pretrain" is %s, it must be a list of pretrainings`, x.Value)
			return
		}
		for i, n := range x.Value.Items {
			p := Pretrain{Seed: 1}
			if i == 0 {
				p.Name = shared().Pretrainings[0].Name
			}
			p = r.pretraining(n, p, r.note("pretrain"))
			x := yamlnode.Entry{Key: "pretrain", Line: n.Line, Value: n}
			r.Need(x, "tasks", len(p.Tasks) > 0)
			r.Need(x, "trials", p.Trials > 0)
			if _, ok := r.lines["pretraining "+p.Name]; ok {
				r.Bad(n.Line, `"pretrain" holds %q twice`, p.Name)
			}
			r.lines["pretraining "+p.Name] = n.Line
			*to = append(*to, p)
		}
	}
}

// pretraining reads one pretraining over its defaults; task sees each task.
func (r reader) pretraining(n yamlnode.Node, p Pretrain, task func(int, string)) Pretrain {
	p.Strategy = strategy.NAML
	r.Fields(n, "the pretraining", map[string]func(yamlnode.Entry){
		"name":       r.Text(&p.Name),
		"tasks":      r.Words(&p.Tasks, task),
		"trials":     r.Number(&p.Trials, 1),
		"seed":       r.Seed(&p.Seed),
		"strategy":   r.strategy(&p.Strategy),
		"settings":   r.object(&p.Settings),
		"controller": r.name(&p.Controller, "controller's"),
	})
	if n.Kind == yamlnode.Mapping && !nameForm.MatchString(p.Name) {
		r.Bad(n.Line, "the pretraining's name %q must be %s", p.Name, nameWords)
	}
	return p
}

func (r reader) transfer(x yamlnode.Entry, t *Transfer) {
	var budgets []yamlnode.Entry
	perTask := func(to *map[string]int) func(yamlnode.Entry) {
		return func(x yamlnode.Entry) {
			*to = map[string]int{}
			if x.Value.Kind != yamlnode.Mapping {
				r.Bad(x.Line, "%q is %s, it must be a mapping of tasks to numbers of trials", x.Key, x.Value)
				return
			}
			for _, b := range x.Value.Entries {
				n := 0
				r.Number(&n, 1)(b)
				(*to)[b.Key], budgets = n, append(budgets, b)
			}
		}
	}
	r.Fields(x.Value, `"transfer"`, map[string]func(yamlnode.Entry){
		"tasks":         r.Words(&t.Tasks, r.note("target")),
		"trials":        r.Number(&t.Trials, 1),
		"budgets":       perTask(&t.Budgets),
		"fixed_budget":  r.Number(&t.FixedBudget, 1),
		"fixed_budgets": perTask(&t.FixedBudgets),
		"arms":          r.arms(&t.Arms),
		"baseline":      r.at(r.Text(&t.Baseline)),
		"against":       r.at(r.Text(&t.Against)),
	})
	r.Need(x, "tasks", len(t.Tasks) > 0)
	r.Need(x, "trials", t.Trials > 0)
	r.Need(x, "arms", len(t.Arms) > 0)
	for _, b := range budgets {
		if !slices.Contains(t.Tasks, b.Key) {
			r.Bad(b.Line, "a budget for %q, which is no target", b.Key)
		}
	}
	if x.Value.Entry("arms") == nil {
		t.Arms = shared().Named("default")
		for _, a := range t.Arms {
			r.lines["arm "+a.Name] = x.Line
		}
	}
	for _, f := range [][2]string{{"baseline", t.Baseline}, {"against", t.Against}} {
		if f[1] != "" && armNamed(t.Arms, f[1]) == nil {
			r.Bad(r.lines[f[0]], "%q is %q, which is none of the arms", f[0], f[1])
		}
	}
	if t.Baseline == "" {
		t.Baseline = study.BaselineOf(t.Arms)
	}
	if t.Against == "" {
		t.Against = study.ReferenceOf(t.Arms)
	}
}

// arms reads a list of arms: names of arms or lists that experiments share, and
// arms that are written out. A single name may stand for the list.
func (r reader) arms(to *[]study.Arm) func(yamlnode.Entry) {
	return func(x yamlnode.Entry) {
		items := x.Value.Items
		if x.Value.Kind == yamlnode.Scalar {
			items = []yamlnode.Node{x.Value}
		} else if x.Value.Kind != yamlnode.List {
			r.Bad(x.Line, `"arms" is %s, it must be a list of arms`, x.Value)
			return
		}
		for _, n := range items {
			var found []study.Arm
			if n.Kind == yamlnode.Mapping {
				found = []study.Arm{r.arm(n)}
			} else if found = shared().Named(n.String()); found == nil {
				r.Bad(n.Line, "unknown arm %q (known: %s)", n, knownArms(nil))
			}
			for _, a := range found {
				if armNamed(*to, a.Name) != nil {
					r.Bad(n.Line, `"arms" holds %q twice`, a.Name)
					continue
				}
				r.lines["arm "+a.Name] = n.Line
				*to = append(*to, a)
			}
		}
	}
}

// arm reads an arm that is written out.
func (r reader) arm(n yamlnode.Node) study.Arm {
	a := study.Arm{Strategy: strategy.NAML}
	r.Fields(n, "the arm", map[string]func(yamlnode.Entry){
		"name": r.Text(&a.Name), "strategy": r.Text(&a.Strategy), "settings": r.object(&a.Settings), "from": r.Text(&a.From),
		"budget": r.json(func(raw json.RawMessage) error { return strict.Unmarshal(raw, &a.Budget) }),
		"pruner": r.json(func(raw json.RawMessage) error { return json.Unmarshal(raw, &a.Pruner) }),
	})
	for _, err := range checkArm(a) {
		r.Bad(n.Line, "%w", err)
	}
	return a
}

// json reads what has one form in YAML and in JSON.
func (r reader) json(read func(raw json.RawMessage) error) func(yamlnode.Entry) {
	return func(x yamlnode.Entry) {
		raw, err := json.Marshal(x.Value.Plain())
		if err == nil {
			err = read(raw)
		}
		if err != nil {
			r.BadEach(x.Line, strconv.Quote(x.Key), err)
		}
	}
}

func (r reader) name(to *string, whose string) func(yamlnode.Entry) {
	return func(x yamlnode.Entry) {
		if r.Text(to)(x); !nameForm.MatchString(*to) {
			r.Bad(x.Line, "the %s name %q must be %s", whose, *to, nameWords)
		}
	}
}

func (r reader) strategy(to *string) func(yamlnode.Entry) {
	return func(x yamlnode.Entry) {
		r.Text(to)(x)
		if _, err := strategy.Builtin().Find(*to); err != nil {
			r.Bad(x.Line, "%w", err)
		}
	}
}

// settings reads the settings of strategies, by their names.
func (r reader) settings(to *map[string]json.RawMessage) func(yamlnode.Entry) {
	return func(x yamlnode.Entry) {
		*to = map[string]json.RawMessage{}
		known := map[string]func(yamlnode.Entry){}
		for _, s := range strategy.Builtin().Names() {
			known[s] = func(x yamlnode.Entry) {
				var raw json.RawMessage
				if r.object(&raw)(x); raw == nil {
					return
				}
				if err := checkSettings(s, raw, false); err != nil {
					r.BadEach(x.Line, `"settings"`, err)
					return
				}
				(*to)[s] = raw
			}
		}
		r.Fields(x.Value, `"settings", which are by strategy`, known)
	}
}

// object reads a mapping, or the name of a preset, as JSON.
func (r reader) object(to *json.RawMessage) func(yamlnode.Entry) {
	return func(x yamlnode.Entry) {
		if _, preset := x.Value.Value.(string); !preset && x.Value.Kind != yamlnode.Mapping {
			r.Bad(x.Line, "%q is %s, it must be a mapping, or the name of a preset", x.Key, x.Value)
			return
		}
		r.json(func(raw json.RawMessage) error { *to = raw; return nil })(x)
	}
}

// controllerForm is a name, or a name with a version, or a digest.
func controllerForm(s string) bool {
	name, version, versioned := strings.Cut(s, "@")
	if digits, ok := strings.CutPrefix(s, "sha256:"); ok {
		return len(digits) == 64
	}
	return nameForm.MatchString(name) && (!versioned || version != "" && strings.Trim(version, "0123456789") == "")
}
