// Package search is the search loop without its surroundings: strategies
// behind ask/tell, the canonical order with lag, the ledger and its
// checkpoints. It proposes trials and learns from their results; it never runs
// one (reverse communication).
package search

import (
	"encoding/json"

	"tnaml/experiments/data"
	"tnaml/experiments/space"
	"tnaml/nn/child"
)

// Proposal is one trial to run.
type Proposal struct {
	// Trial is the trial's index in the search, from 0.
	Trial int `json:"trial"`
	// Task indexes Config.Tasks.
	Task int `json:"task"`
	// Actions holds the option taken for each choice of the space.
	Actions []int `json:"actions"`
	// Keep is the validation accuracy a model must exceed to be worth storing:
	// the 10th best of its task in the state the proposal was asked from, or a
	// negative number while there are fewer than 10. It is part of the
	// canonical state, so which models are kept never depends on timing.
	Keep float64 `json:"keep"`
	// Summary is the child model in a few words, for people.
	Summary string `json:"summary,omitempty"`
}

// Trial is one row of the ledger: a proposal with its result. It holds nothing
// that depends on where or when the trial ran; that goes to Cost.
type Trial struct {
	Trial   int          `json:"trial"`
	Task    int          `json:"task"`
	Actions []int        `json:"actions"`
	Status  child.Status `json:"status"`
	Reason  string       `json:"reason,omitempty"`
	// Validation is the reward; it is 0 where Status is not ok.
	Validation float64 `json:"validation_accuracy"`
	Test       float64 `json:"test_accuracy"`
	Loss       float64 `json:"loss"`
	Parameters int     `json:"parameters"`
	// Model references the stored model, where one was kept.
	Model string `json:"model,omitempty"`
}

// Cost is what a trial took, kept beside the ledger and outside its digest.
type Cost struct {
	Trial       int     `json:"trial"`
	CPUSeconds  float64 `json:"cpu_seconds"`
	WallSeconds float64 `json:"wall_seconds"`
	// Cached says that the result came from the trial cache.
	Cached bool `json:"cached,omitempty"`
	// InstructionSet is what the numerical kernels ran on, e.g. "avx2".
	InstructionSet string `json:"instruction_set,omitempty"`
	// Worker names the process that ran it.
	Worker string `json:"worker,omitempty"`
}

// Task is one task of a search.
type Task struct {
	Name string `json:"name"`
	// Data references the task's object.
	Data string `json:"data"`
}

// Module is one embedding module that the space offers.
type Module struct {
	Name string `json:"name"`
	// Data references the module's object.
	Data string `json:"data"`
}

// Config is a search's identity: two searches with equal configurations give
// equal ledgers, bit for bit. Budget and parallelism are not part of it.
type Config struct {
	// Modality is that of all tasks and modules.
	Modality data.Kind   `json:"modality,omitempty"`
	Tasks    []Task      `json:"tasks"`
	Space    space.Space `json:"space"`
	// Modules are the objects behind the space's module names, in the order
	// of the module choice's options.
	Modules []Module `json:"modules"`
	// Strategy is "random", "naml" or "fixed".
	Strategy string `json:"strategy"`
	// Settings are the strategy's own parameters, in canonical JSON with all
	// defaults filled in (see ParseSettings).
	Settings json.RawMessage `json:"settings,omitempty"`
	Seed     uint64          `json:"seed"`
	// Lag: the proposal for trial i is asked from the state that has absorbed
	// exactly the trials 0…i−Lag. 1 is fully sequential.
	Lag int `json:"lag"`
	// Controller is the digest of the pretrained controller that the strategy
	// "naml" starts from (§2.3); empty: from random weights.
	Controller string `json:"controller,omitempty"`
}

// OK says that the trial's child model was trained and evaluated.
func (t Trial) OK() bool { return t.Status == child.OK }
