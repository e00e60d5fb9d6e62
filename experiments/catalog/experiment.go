// Package catalog holds the named experiments: which tasks, which arms, which
// budgets, as YAML. The paper's are built in; people add their own. It also
// turns an experiment, with what a person changed of it, into a plan: the list
// of searches to run.
package catalog

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"tnaml/experiments/search/strategy"
	"tnaml/experiments/study"
	"tnaml/experiments/yamlnode"
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

// reader reads experiments.
type reader struct{ *yamlnode.Reader }

// Parse reads an experiment from YAML. Everything wrong with it is reported
// together, with line numbers.
func Parse(b []byte) (*Experiment, error) {
	yaml, root := yamlnode.Read(b, "experiment")
	e := defaults()
	reader{yaml}.experiment(root, &e)
	if err := yaml.Err(); err != nil {
		return nil, fmt.Errorf("experiment: %w", err)
	}
	return &e, nil
}

func (r reader) experiment(n yamlnode.Node, e *Experiment) {
	lines := map[string]int{}
	at := func(f func(yamlnode.Entry)) func(yamlnode.Entry) {
		return func(x yamlnode.Entry) { lines[x.Key] = x.Line; f(x) }
	}
	// Where each target and each pretraining task stands.
	targets, pretraining := map[string]int{}, map[string]int{}
	budgets := map[string]int{}
	r.Fields(n, "the experiment", map[string]func(yamlnode.Entry){
		"name":             at(r.Text(&e.Name)),
		"description":      r.Text(&e.Description),
		"space":            r.Text(&e.Space),
		"modules":          r.Words(&e.Modules, nil),
		"allow_overlap":    r.Flag(&e.AllowOverlap),
		"seeds":            r.Seeds(&e.Seeds),
		"concurrency":      r.Number(&e.Concurrency, 1),
		"lag":              at(r.Number(&e.Lag, 1)),
		"parallel":         at(r.Number(&e.Parallel, 1)),
		"checkpoint_every": r.Number(&e.CheckpointEvery, 1),
		"trial_timeout": func(x yamlnode.Entry) {
			r.Text(&e.TrialTimeout)(x)
			if !durationForm.MatchString(e.TrialTimeout) {
				r.Bad(x.Line, `"trial_timeout" is %s, it must be a duration, e.g. 30m`, x.Value)
			}
		},
		"memory_limit_mb": r.Number(&e.MemoryLimitMB, 1),
		"retrain":         r.Flag(&e.Retrain),
		"settings":        r.settings(&e.Settings),
		"pretrain": at(func(x yamlnode.Entry) {
			e.Pretrain = &Pretrain{Seed: 1}
			r.pretrain(x, e.Pretrain, pretraining)
		}),
		"transfer": at(func(x yamlnode.Entry) {
			e.Transfer = &Transfer{Arms: []string{study.ArmRandom, study.ArmNAML, study.ArmTransfer}}
			r.transfer(x, e.Transfer, targets, budgets)
		}),
		"ablations": at(r.Words(&e.Ablations, func(line int, w string) {
			if !slices.Contains(Ablations(), w) {
				r.Bad(line, "unknown ablation %q (known: %s)", w, strings.Join(Ablations(), ", "))
			}
		})),
		"policy": at(func(x yamlnode.Entry) {
			e.Policy = &Policy{}
			r.policy(x, e.Policy)
		}),
		"benchmark": at(func(x yamlnode.Entry) {
			e.Benchmark = &Benchmark{Nights: 14, Tolerance: 3, Accuracy: 0.005, Cost: 0.25}
			r.Fields(x.Value, `"benchmark"`, map[string]func(yamlnode.Entry){
				"nights": r.Number(&e.Benchmark.Nights, 1), "tolerance": r.Real(&e.Benchmark.Tolerance),
				"accuracy": r.Real(&e.Benchmark.Accuracy), "cost": r.Real(&e.Benchmark.Cost),
			})
		}),
	})
	if n.Kind != yamlnode.Mapping {
		return
	}
	switch {
	case e.Name == "" && lines["name"] == 0:
		r.Bad(n.Line, `no "name"`)
	case !nameForm.MatchString(e.Name):
		r.Bad(lines["name"], `the name %q must be lower-case letters, digits, '-', '_' and '.', at most 64`, e.Name)
	}
	if e.Parallel > e.Lag {
		r.Bad(lines["parallel"], `"parallel" is %d, more than "lag", %d`, e.Parallel, e.Lag)
	}
	if e.Pretrain == nil && e.Transfer == nil && e.Policy == nil {
		r.Bad(n.Line, `nothing to do: give "pretrain", "transfer" or "policy"`)
	}
	if !e.AllowOverlap {
		for task, line := range targets {
			if p, ok := pretraining[task]; ok {
				r.Bad(line, "the target %q is a pretraining task too, in line %d: choose another, or set allow_overlap", task, p)
			}
		}
	}
	for task, line := range budgets {
		if _, ok := targets[task]; !ok {
			r.Bad(line, "a budget for %q, which is no target", task)
		}
	}
	if e.Pretrain == nil {
		if e.Transfer != nil {
			for _, arm := range e.Transfer.Arms {
				if fromArm(arm) != "" {
					r.Bad(lines["transfer"], `the arm %q starts from a controller: give "pretrain"`, arm)
				}
			}
		}
		if len(e.Ablations) > 0 {
			r.Bad(lines["ablations"], `ablations need a controller: give "pretrain"`)
		}
	}
	if e.Transfer == nil && len(e.Ablations) > 0 {
		r.Bad(lines["ablations"], `ablations need targets: give "transfer"`)
	}
	if e.Benchmark != nil && e.Transfer == nil {
		r.Bad(lines["benchmark"], `a benchmark needs figures: give "transfer"`)
	}
}

func (r reader) pretrain(x yamlnode.Entry, p *Pretrain, where map[string]int) {
	r.Fields(x.Value, `"pretrain"`, map[string]func(yamlnode.Entry){
		"tasks":  r.Words(&p.Tasks, func(line int, w string) { where[w] = line }),
		"trials": r.Number(&p.Trials, 1),
		"seed":   r.Seed(&p.Seed),
		"controller": func(x yamlnode.Entry) {
			r.Text(&p.Controller)(x)
			if !nameForm.MatchString(p.Controller) {
				r.Bad(x.Line, `the controller's name %q must be lower-case letters, digits, '-', '_' and '.', at most 64`, p.Controller)
			}
		},
		"settings": r.settings(&p.Settings),
	})
	r.Need(x, "tasks", len(p.Tasks) > 0)
	r.Need(x, "trials", p.Trials > 0)
}

func (r reader) transfer(x yamlnode.Entry, t *Transfer, where, budgets map[string]int) {
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
				(*to)[b.Key], budgets[b.Key] = n, b.Line
			}
		}
	}
	r.Fields(x.Value, `"transfer"`, map[string]func(yamlnode.Entry){
		"tasks":         r.Words(&t.Tasks, func(line int, w string) { where[w] = line }),
		"trials":        r.Number(&t.Trials, 1),
		"budgets":       perTask(&t.Budgets),
		"fixed_budget":  r.Number(&t.FixedBudget, 1),
		"fixed_budgets": perTask(&t.FixedBudgets),
		"arms": r.Words(&t.Arms, func(line int, w string) {
			if !slices.Contains(study.Arms(), w) {
				r.Bad(line, "unknown arm %q (known: %s)", w, strings.Join(study.Arms(), ", "))
			}
		}),
		"settings": r.settings(&t.Settings),
	})
	r.Need(x, "tasks", len(t.Tasks) > 0)
	r.Need(x, "trials", t.Trials > 0)
	r.Need(x, "arms", len(t.Arms) > 0)
}

func (r reader) policy(x yamlnode.Entry, p *Policy) {
	r.Fields(x.Value, `"policy"`, map[string]func(yamlnode.Entry){
		"tasks":  r.Words(&p.Tasks, nil),
		"trials": r.Number(&p.Trials, 1),
		"arms": func(x yamlnode.Entry) {
			if x.Value.Kind != yamlnode.Mapping {
				r.Bad(x.Line, `"arms" is %s, it must be a mapping of names to settings`, x.Value)
				return
			}
			for _, a := range x.Value.Entries {
				if !nameForm.MatchString(a.Key) {
					r.Bad(a.Line, `the arm's name %q must be lower-case letters, digits, '-', '_' and '.', at most 64`, a.Key)
				}
				arm := PolicyArm{Name: a.Key}
				r.settings(&arm.Settings)(a)
				p.Arms = append(p.Arms, arm)
			}
		},
	})
	r.Need(x, "tasks", len(p.Tasks) > 0)
	r.Need(x, "trials", p.Trials > 0)
	r.Need(x, "arms", len(p.Arms) > 0)
}

// settings reads the settings of the strategy "naml", kept as JSON.
func (r reader) settings(to *json.RawMessage) func(yamlnode.Entry) {
	return func(e yamlnode.Entry) {
		if e.Value.Kind != yamlnode.Mapping {
			r.Bad(e.Line, "%q is %s, it must be a mapping", e.Key, e.Value)
			return
		}
		raw, err := json.Marshal(e.Value.Plain())
		if err == nil {
			_, err = strategy.ParseSettings(strategy.NAML, raw)
		}
		if err != nil {
			r.BadEach(e.Line, strconv.Quote(e.Key), err)
			return
		}
		*to = raw
	}
}
