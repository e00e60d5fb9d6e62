// Package activities holds every side effect of the system: the object store,
// data loading, training, learning and publishing. The workflows decide what
// happens; what they decide happens here.
package activities

import (
	"encoding/json"
	"time"

	"tnaml/activities/store"
	"tnaml/experiments/search"
)

// ResolveInput asks what a search's names stand for now.
type ResolveInput struct {
	// Name is the search's name: the workflow ID.
	Name string `json:"name"`
	// RunID is the first run of the workflow's chain.
	RunID    string          `json:"run_id"`
	Spec     json.RawMessage `json:"spec"`
	Tasks    []string        `json:"tasks"`
	Strategy string          `json:"strategy"`
	Settings json.RawMessage `json:"settings,omitempty"`
	// Space names the search space; empty: the one of the tasks' modality.
	Space string `json:"space"`
	Seed  uint64 `json:"seed"`
	Lag   int    `json:"lag"`
	// Modules are those to choose from where the space asks for all; empty: those
	// of the controller, else all in the store.
	Modules []string `json:"modules,omitempty"`
	// Controller is the pretrained controller to start from: name, name@version
	// or digest.
	Controller string `json:"controller,omitempty"`
}

// Resolved is a search pinned to immutable objects: later changes of the names
// do not touch it.
type Resolved struct {
	// Config references the search.Config, as an object.
	Config store.Ref `json:"config"`
	// SpaceDigest is the digest of the expanded search space.
	SpaceDigest string `json:"space_digest"`
	// Features lists what must be computed of image tasks before their trials:
	// each task under each module, unless the store has it already.
	Features []FeaturesInput `json:"features,omitempty"`
}

// TrainInput is one trial to run.
type TrainInput struct {
	Config   store.Ref       `json:"config"`
	Proposal search.Proposal `json:"proposal"`
	// TimeLimit and MemoryLimit (bytes) are the trial's own; reaching one is a
	// result, not an error.
	TimeLimit   time.Duration `json:"time_limit"`
	MemoryLimit int64         `json:"memory_limit"`
	// Retrain ignores the trial cache.
	Retrain bool `json:"retrain,omitempty"`
}

// TrialResult is what a trial gave.
type TrialResult struct {
	Trial search.Trial `json:"trial"`
	Cost  search.Cost  `json:"cost"`
	// Summary is the child model in a few words, for people.
	Summary string `json:"summary"`
}

// Position is where a search stands: everything from which the strategy's
// state can be rebuilt. State after Told results is a function of Checkpoint
// and Journal.
type Position struct {
	// Checkpoint is the newest checkpoint, or empty.
	Checkpoint store.Ref `json:"checkpoint,omitempty"`
	// Costs is the newest cost segment, written beside each checkpoint.
	Costs store.Ref `json:"costs,omitempty"`
	// Journal holds the results told since the checkpoint, in trial order.
	Journal []TrialResult `json:"journal,omitempty"`
	// Told is the number of results told in all.
	Told int `json:"told"`
	// State is a digest over the configuration and all results told, by which
	// a worker finds the live state in its memory.
	State string `json:"state,omitempty"`
}

// LearnInput tells the strategy new results and asks for as many proposals.
type LearnInput struct {
	Name     string    `json:"name"`
	RunID    string    `json:"run_id"`
	Config   store.Ref `json:"config"`
	Position Position  `json:"position"`
	// Results are the next results in trial order. With none at position 0,
	// the first lag proposals are asked.
	Results []TrialResult `json:"results,omitempty"`
	// CheckpointEvery is the number of trials between two checkpoints.
	CheckpointEvery int `json:"checkpoint_every"`
}

// LearnOutput is the strategy's answer.
type LearnOutput struct {
	Proposals []search.Proposal `json:"proposals,omitempty"`
	// Checkpoint and Costs are set where one was written; it covers the
	// results up to CheckpointTold.
	Checkpoint     store.Ref `json:"checkpoint,omitempty"`
	Costs          store.Ref `json:"costs,omitempty"`
	CheckpointTold int       `json:"checkpoint_told,omitempty"`
	State          string    `json:"state"`
}

// FinishInput ends a search: the last checkpoint, the controller, the record.
type FinishInput struct {
	Name     string    `json:"name"`
	RunID    string    `json:"run_id"`
	Config   store.Ref `json:"config"`
	Position Position  `json:"position"`
	// Status is "completed", "stopped", "canceled" or "failed".
	Status string `json:"status"`
}

// Finished is what a search leaves behind.
type Finished struct {
	Checkpoint store.Ref `json:"checkpoint,omitempty"`
	Costs      store.Ref `json:"costs,omitempty"`
	Controller store.Ref `json:"controller,omitempty"`
}
