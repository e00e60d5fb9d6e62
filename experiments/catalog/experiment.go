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
	"strings"

	"tnaml/experiments/search"
	"tnaml/experiments/study"
)

// Experiment is a named experiment. All fields but Name and one of Pretrain,
// Transfer and Policy have defaults.
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
	// Lag, Parallel, CheckpointEvery, TrialTimeout, MemoryLimitMB and Retrain
	// are every search's.
	Lag             int    `json:"lag"`
	Parallel        int    `json:"parallel,omitempty"`
	CheckpointEvery int    `json:"checkpoint_every"`
	TrialTimeout    string `json:"trial_timeout"`
	MemoryLimitMB   int    `json:"memory_limit_mb"`
	Retrain         bool   `json:"retrain,omitempty"`
	// Settings are those of the strategy "naml" in all searches.
	Settings  json.RawMessage `json:"settings,omitempty"`
	Pretrain  *Pretrain       `json:"pretrain,omitempty"`
	Transfer  *Transfer       `json:"transfer,omitempty"`
	Ablations []string        `json:"ablations,omitempty"`
	Policy    *Policy         `json:"policy,omitempty"`
	Benchmark *Benchmark      `json:"benchmark,omitempty"`
}

// Pretrain is the multitask search that learns the controller (§2.2).
type Pretrain struct {
	Tasks  []string `json:"tasks"`
	Trials int      `json:"trials"`
	Seed   uint64   `json:"seed"`
	// Controller is the name that the controller is published under; empty: the
	// experiment's.
	Controller string `json:"controller,omitempty"`
	// Settings replace the experiment's.
	Settings json.RawMessage `json:"settings,omitempty"`
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
	Arms         []string       `json:"arms"`
	// Settings replace the experiment's.
	Settings json.RawMessage `json:"settings,omitempty"`
}

// Policy compares policy gradients (§4, "Controller models").
type Policy struct {
	Tasks  []string    `json:"tasks"`
	Trials int         `json:"trials"`
	Arms   []PolicyArm `json:"arms"`
}

// PolicyArm is one setting of the strategy "naml" to compare.
type PolicyArm struct {
	Name     string          `json:"name"`
	Settings json.RawMessage `json:"settings"`
}

// Benchmark says how a night is compared with earlier ones.
type Benchmark struct {
	// Nights is the number of earlier ones that are compared with, at most.
	Nights int `json:"nights"`
	// Tolerance is the number of standard errors that a figure may be worse.
	Tolerance float64 `json:"tolerance"`
	// Accuracy and Cost are the least tolerances: of accuracies as a fraction of
	// 1, of numbers of trials and CPU time as a fraction of the earlier value.
	Accuracy float64 `json:"accuracy"`
	Cost     float64 `json:"cost"`
}

// Ablations lists the ablations (§4.3).
func Ablations() []string {
	return []string{study.ArmNoTaskEmbedding, study.ArmSingleArchitecture}
}

// names of experiments, arms and controllers: what can stand in a workflow ID
// and a flag.
var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// durationForm is that of a Go duration of at least a millisecond.
var durationForm = regexp.MustCompile(`^([0-9]+(\.[0-9]+)?(h|m|s))+$`)

// defaults are the values of what an experiment leaves out.
func defaults() Experiment {
	return Experiment{
		Space: "text", Seeds: []uint64{1}, Concurrency: 4, Lag: 4, CheckpointEvery: 50, TrialTimeout: "30m", MemoryLimitMB: 2048,
	}
}

// Parse reads an experiment from YAML. Everything wrong with it is reported
// together, with line numbers.
func Parse(b []byte) (*Experiment, error) {
	r := &reader{}
	e := defaults()
	root := r.read(b)
	if root.kind != nothing || len(r.problems) == 0 {
		r.experiment(root, &e)
	}
	if err := r.err(); err != nil {
		return nil, fmt.Errorf("experiment: %w", err)
	}
	return &e, nil
}

func (r *reader) experiment(n node, e *Experiment) {
	lines := map[string]int{}
	at := func(f func(entry)) func(entry) {
		return func(x entry) { lines[x.key] = x.line; f(x) }
	}
	// Where each target and each pretraining task stands.
	targets, pretraining := map[string]int{}, map[string]int{}
	budgets := map[string]int{}
	r.fields(n, "the experiment", map[string]func(entry){
		"name":             at(r.text(&e.Name)),
		"description":      r.text(&e.Description),
		"space":            r.text(&e.Space),
		"modules":          r.words(&e.Modules, nil),
		"allow_overlap":    r.flag(&e.AllowOverlap),
		"seeds":            r.seeds(&e.Seeds),
		"concurrency":      r.number(&e.Concurrency, 1),
		"lag":              at(r.number(&e.Lag, 1)),
		"parallel":         at(r.number(&e.Parallel, 1)),
		"checkpoint_every": r.number(&e.CheckpointEvery, 1),
		"trial_timeout": func(x entry) {
			r.text(&e.TrialTimeout)(x)
			if !durationForm.MatchString(e.TrialTimeout) {
				r.bad(x.line, `"trial_timeout" is %s, it must be a duration, e.g. 30m`, x.value.what())
			}
		},
		"memory_limit_mb": r.number(&e.MemoryLimitMB, 1),
		"retrain":         r.flag(&e.Retrain),
		"settings":        r.settings(&e.Settings),
		"pretrain": at(func(x entry) {
			e.Pretrain = &Pretrain{Seed: 1}
			r.pretrain(x, e.Pretrain, pretraining)
		}),
		"transfer": at(func(x entry) {
			e.Transfer = &Transfer{Arms: []string{study.ArmRandom, study.ArmNAML, study.ArmTransfer}}
			r.transfer(x, e.Transfer, targets, budgets)
		}),
		"ablations": at(r.words(&e.Ablations, func(line int, w string) {
			if !slices.Contains(Ablations(), w) {
				r.bad(line, "unknown ablation %q (known: %s)", w, strings.Join(Ablations(), ", "))
			}
		})),
		"policy": at(func(x entry) {
			e.Policy = &Policy{}
			r.policy(x, e.Policy)
		}),
		"benchmark": at(func(x entry) {
			e.Benchmark = &Benchmark{Nights: 14, Tolerance: 3, Accuracy: 0.005, Cost: 0.25}
			r.fields(x.value, `"benchmark"`, map[string]func(entry){
				"nights": r.number(&e.Benchmark.Nights, 1), "tolerance": r.real(&e.Benchmark.Tolerance),
				"accuracy": r.real(&e.Benchmark.Accuracy), "cost": r.real(&e.Benchmark.Cost),
			})
		}),
	})
	if n.kind != mapping {
		return
	}
	switch {
	case e.Name == "" && lines["name"] == 0:
		r.bad(n.line, `no "name"`)
	case !nameForm.MatchString(e.Name):
		r.bad(lines["name"], `the name %q must be lower-case letters, digits, '-', '_' and '.', at most 64`, e.Name)
	}
	if e.Parallel > e.Lag {
		r.bad(lines["parallel"], `"parallel" is %d, more than "lag", %d`, e.Parallel, e.Lag)
	}
	if e.Pretrain == nil && e.Transfer == nil && e.Policy == nil {
		r.bad(n.line, `nothing to do: give "pretrain", "transfer" or "policy"`)
	}
	if !e.AllowOverlap {
		for task, line := range targets {
			if p, ok := pretraining[task]; ok {
				r.bad(line, "the target %q is a pretraining task too, in line %d: choose another, or set allow_overlap", task, p)
			}
		}
	}
	for task, line := range budgets {
		if _, ok := targets[task]; !ok {
			r.bad(line, "a budget for %q, which is no target", task)
		}
	}
	if e.Pretrain == nil {
		if e.Transfer != nil {
			for _, arm := range e.Transfer.Arms {
				if fromArm(arm) != "" {
					r.bad(lines["transfer"], `the arm %q starts from a controller: give "pretrain"`, arm)
				}
			}
		}
		if len(e.Ablations) > 0 {
			r.bad(lines["ablations"], `ablations need a controller: give "pretrain"`)
		}
	}
	if e.Transfer == nil && len(e.Ablations) > 0 {
		r.bad(lines["ablations"], `ablations need targets: give "transfer"`)
	}
	if e.Benchmark != nil && e.Transfer == nil {
		r.bad(lines["benchmark"], `a benchmark needs figures: give "transfer"`)
	}
}

func (r *reader) pretrain(x entry, p *Pretrain, where map[string]int) {
	r.fields(x.value, `"pretrain"`, map[string]func(entry){
		"tasks":  r.words(&p.Tasks, func(line int, w string) { where[w] = line }),
		"trials": r.number(&p.Trials, 1),
		"seed": func(x entry) {
			v, ok := whole(x.value)
			if !ok {
				r.bad(x.line, `"seed" is %s, it must be a whole number`, x.value.what())
			}
			p.Seed = v
		},
		"controller": func(x entry) {
			r.text(&p.Controller)(x)
			if !nameForm.MatchString(p.Controller) {
				r.bad(x.line, `the controller's name %q must be lower-case letters, digits, '-', '_' and '.', at most 64`, p.Controller)
			}
		},
		"settings": r.settings(&p.Settings),
	})
	r.need(x, "tasks", len(p.Tasks) > 0)
	r.need(x, "trials", p.Trials > 0)
}

func (r *reader) transfer(x entry, t *Transfer, where, budgets map[string]int) {
	perTask := func(to *map[string]int) func(entry) {
		return func(x entry) {
			*to = map[string]int{}
			if x.value.kind != mapping {
				r.bad(x.line, "%q is %s, it must be a mapping of tasks to numbers of trials", x.key, x.value.what())
				return
			}
			for _, b := range x.value.entries {
				n := 0
				r.number(&n, 1)(b)
				(*to)[b.key], budgets[b.key] = n, b.line
			}
		}
	}
	r.fields(x.value, `"transfer"`, map[string]func(entry){
		"tasks":         r.words(&t.Tasks, func(line int, w string) { where[w] = line }),
		"trials":        r.number(&t.Trials, 1),
		"budgets":       perTask(&t.Budgets),
		"fixed_budget":  r.number(&t.FixedBudget, 1),
		"fixed_budgets": perTask(&t.FixedBudgets),
		"arms": r.words(&t.Arms, func(line int, w string) {
			if !slices.Contains(study.Arms(), w) {
				r.bad(line, "unknown arm %q (known: %s)", w, strings.Join(study.Arms(), ", "))
			}
		}),
		"settings": r.settings(&t.Settings),
	})
	r.need(x, "tasks", len(t.Tasks) > 0)
	r.need(x, "trials", t.Trials > 0)
	r.need(x, "arms", len(t.Arms) > 0)
}

func (r *reader) policy(x entry, p *Policy) {
	r.fields(x.value, `"policy"`, map[string]func(entry){
		"tasks":  r.words(&p.Tasks, nil),
		"trials": r.number(&p.Trials, 1),
		"arms": func(x entry) {
			if x.value.kind != mapping {
				r.bad(x.line, `"arms" is %s, it must be a mapping of names to settings`, x.value.what())
				return
			}
			for _, a := range x.value.entries {
				if !nameForm.MatchString(a.key) {
					r.bad(a.line, `the arm's name %q must be lower-case letters, digits, '-', '_' and '.', at most 64`, a.key)
				}
				arm := PolicyArm{Name: a.key}
				r.settings(&arm.Settings)(a)
				p.Arms = append(p.Arms, arm)
			}
		},
	})
	r.need(x, "tasks", len(p.Tasks) > 0)
	r.need(x, "trials", p.Trials > 0)
	r.need(x, "arms", len(p.Arms) > 0)
}

// need reports a field that a section lacks, unless what is wrong with it has
// been told.
func (r *reader) need(section entry, field string, there bool) {
	if there || section.value.kind != mapping {
		return
	}
	for _, e := range section.value.entries {
		if e.key == field {
			if e.value.kind == list && len(e.value.list) == 0 || e.value.kind == mapping && len(e.value.entries) == 0 {
				r.bad(e.line, "%q is empty", field)
			}
			return
		}
	}
	r.bad(section.line, "%q lacks %q", section.key, field)
}

func (r *reader) seeds(to *[]uint64) func(entry) {
	return func(e entry) {
		if e.value.kind != list || len(e.value.list) == 0 {
			r.bad(e.line, `"seeds" is %s, it must be a list of whole numbers`, e.value.what())
			return
		}
		*to = nil
		for _, v := range e.value.list {
			s, ok := whole(v)
			switch {
			case !ok:
				r.bad(v.line, `"seeds" holds %s, it must hold whole numbers`, v.what())
			case slices.Contains(*to, s):
				r.bad(v.line, `"seeds" holds %d twice`, s)
			default:
				*to = append(*to, s)
			}
		}
	}
}

// settings reads the settings of the strategy "naml", kept as JSON.
func (r *reader) settings(to *json.RawMessage) func(entry) {
	return func(e entry) {
		if e.value.kind != mapping {
			r.bad(e.line, "%q is %s, it must be a mapping", e.key, e.value.what())
			return
		}
		raw, err := json.Marshal(e.value.value())
		if err == nil {
			_, err = search.ParseSettings(search.NAML, raw)
		}
		if err != nil {
			for _, one := range flatten(err) {
				r.bad(e.line, "%q: %w", e.key, one)
			}
			return
		}
		*to = raw
	}
}

// flatten takes joined errors apart.
func flatten(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // the joint itself
		var out []error
		for _, e := range joined.Unwrap() {
			out = append(out, flatten(e)...)
		}
		return out
	}
	return []error{errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))}
}
