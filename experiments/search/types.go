// Package search is the search loop without its surroundings: ask and tell in
// canonical order with lag, the ledger and the states between. It proposes
// trials and learns from their outcomes; it never runs one (reverse
// communication).
package search

import (
	"encoding/json"
	"strings"

	"tnaml/experiments/search/pruner"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// Proposal is one trial to run.
type Proposal struct {
	// Trial is the trial's index in the search, from 0.
	Trial int `json:"trial"`
	// Task indexes Config.Tasks.
	Task int `json:"task"`
	// Actions holds the option taken for each choice of the space, by index, Choices
	// the same by name.
	Actions []int          `json:"actions"`
	Choices map[string]any `json:"choices"`
	// Seed decides every random draw of the trial.
	Seed uint64 `json:"seed"`
	// Keep is the reward that a model must exceed to be worth storing: that of the
	// last of its task's Config.KeepModels best in the state the proposal was asked
	// from, nil while there are fewer. It is part of the canonical state, so which
	// models are kept never depends on timing.
	Keep *float64 `json:"keep,omitempty"`
	// Prune holds the trial's floors (trainer.Request), of the state it was asked from.
	Prune []trainer.Point `json:"prune,omitempty"`
	// Summary is the model in a few words, for people.
	Summary string `json:"summary,omitempty"`
}

// Trial is one row of the ledger: a proposal with its outcome. It holds nothing
// that depends on where or when the trial ran; that goes to Cost.
type Trial struct {
	Trial   int            `json:"trial"`
	Task    int            `json:"task"`
	Actions []int          `json:"actions"`
	Status  trainer.Status `json:"status"`
	Reason  string         `json:"reason,omitempty"`
	// Reward is what the strategy was told: the objective, more being better; of a
	// failure, or of an infeasible model, see extents.reward.
	Reward float64 `json:"reward"`
	// Validation and Test are the objective's values on the two splits, 0 of a failure;
	// Test is 0 too where the trainer has no such metric, and of a trial that was pruned,
	// of which Validation is what it had reached.
	Validation float64 `json:"validation"`
	Test       float64 `json:"test"`
	// Metrics holds all that the trainer reported.
	Metrics map[string]float64 `json:"metrics,omitempty"`
	Steps   int                `json:"steps,omitempty"`
	// Curve is the objective on its way, where the search has a pruner.
	Curve []trainer.Point `json:"curve,omitempty"`
	// Model references the stored model, where it was kept when it was trained. Of a
	// search that has ended, those of the leaders are kept.
	Model string `json:"model,omitempty"`
	// Examples references the object that says which examples the model has right, where
	// the search asks for it. It is kept as long as the ledger.
	Examples string `json:"examples,omitempty"`
}

// NewTrial makes the row of a proposal and its outcome, which must have been
// checked. Its reward is filled in as it is told.
func NewTrial(p Proposal, o trainer.Outcome, objective space.Objective, constraints ...space.Constraint) Trial {
	o = o.Judged(constraints)
	t := Trial{
		Trial: p.Trial, Task: p.Task, Actions: p.Actions, Status: o.Status, Reason: o.Reason,
		Metrics: o.Metrics, Steps: o.Steps, Curve: o.Curve, Model: o.Model, Examples: o.Examples,
	}
	if reached, ok := o.Reached(objective); ok {
		if t.Validation = reached; t.Status != trainer.Pruned {
			_, t.Test, _ = trainer.Values(o.Metrics, objective)
		}
		t.Reward = trainer.Reward(objective, t.Validation)
	}
	return t
}

// OK says that the trial's model was trained and evaluated, and is feasible: only such
// are compared with each other.
func (t Trial) OK() bool { return t.Status == trainer.OK }

// Cost is what a trial took, kept beside the ledger and outside its digest.
type Cost struct {
	Trial       int     `json:"trial"`
	CPUSeconds  float64 `json:"cpu_seconds"`
	WallSeconds float64 `json:"wall_seconds"`
	// Cached says that the outcome came from the trial cache.
	Cached bool `json:"cached,omitempty"`
	// InstructionSet is what the numerical kernels ran on, e.g. "avx2".
	InstructionSet string `json:"instruction_set,omitempty"`
	// Worker names the process that ran it.
	Worker string `json:"worker,omitempty"`
}

// maxWord bounds the words of a cost, in bytes; maxSeconds is some ten thousand years: a
// search sums them up.
const (
	maxWord    = 200
	maxSeconds = 1e12
)

// Checked returns a cost as it can be written down: another program may have made
// it. What is no number of seconds is 0, long words are cut.
func (c Cost) Checked() Cost {
	for _, s := range []*float64{&c.CPUSeconds, &c.WallSeconds} {
		if !(*s >= 0 && *s <= maxSeconds) {
			*s = 0
		}
	}
	for _, w := range []*string{&c.InstructionSet, &c.Worker} {
		*w = strings.ToValidUTF8((*w)[:min(len(*w), maxWord)], "")
	}
	return c
}

// Task is one task of a search.
type Task = trainer.Task

// SurrogateData begins what stands in the place of an object's digest where a surrogate has
// answered for a task, and nothing was trained: "surrogate:airline".
const SurrogateData = "surrogate:"

// Module is one embedding module that the space offers.
type Module struct {
	Name string `json:"name"`
	// Data references the module's object.
	Data string `json:"data"`
}

// Config is a search's identity: two searches with equal configurations give
// equal ledgers, bit for bit. Budget and parallelism are not part of it.
type Config struct {
	// Tasks are all of one kind.
	Tasks []Task      `json:"tasks"`
	Space space.Space `json:"space"`
	// Modules are the objects behind the module names among the space's options, in
	// their order.
	Modules []Module `json:"modules,omitempty"`
	// Strategy is one of strategy.Builtin.
	Strategy string `json:"strategy"`
	// Pruner ends trials early, its settings in canonical form; nil: none does.
	Pruner *pruner.Choice `json:"pruner,omitempty"`
	// Settings are the strategy's own parameters, in canonical JSON with all
	// defaults filled in (strategy.ParseSettings).
	Settings json.RawMessage `json:"settings,omitempty"`
	// Seed and the tasks' names key every draw of the search.
	Seed uint64 `json:"seed"`
	// Lag: the proposal for trial i is asked from the state that has absorbed
	// exactly the trials 0…i−Lag. 1 is fully sequential.
	Lag int `json:"lag"`
	// KeepModels is the number of models kept of each task: the best.
	KeepModels int `json:"keep_models"`
	// Controller is the digest of the pretrained controller that the strategy
	// goes on from (§2.3); empty: from nothing.
	Controller string `json:"controller,omitempty"`
	// Sources is the digest of the object with the trials of other tasks that the
	// strategy learns from (strategy.EncodeSources); empty: none.
	Sources string `json:"sources,omitempty"`
	// Fork is where the search left another one, to go on under other settings.
	Fork *Fork `json:"fork,omitempty"`
}

// Fork says under what a search's first trials were told.
type Fork struct {
	// Config references the configuration of the search that was forked, Trials is how
	// many of its trials are this one's.
	Config string `json:"config"`
	Trials int    `json:"trials"`
}

// Kind is the tasks' kind.
func (c *Config) Kind() string {
	if len(c.Tasks) == 0 {
		return ""
	}
	return c.Tasks[0].Kind
}

// Objects are the references behind names among the options.
func (c *Config) Objects() map[string]string {
	out := map[string]string{}
	for _, m := range c.Modules {
		out[m.Name] = m.Data
	}
	return out
}
