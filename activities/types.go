// Package activities holds every side effect of the system: the object store,
// data loading, training, learning and publishing. The workflows decide what
// happens; what they decide happens here.
package activities

import (
	"encoding/json"
	"slices"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/search"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// ResolveInput asks what a search's names stand for now.
type ResolveInput struct {
	// Name is the search's name: the workflow ID.
	Name string `json:"name"`
	// RunID is the first run of the workflow's chain, Line the line of its runs (library.Fence), Owner whose the name is
	// (library.SearchRecord).
	RunID string          `json:"run_id"`
	Line  string          `json:"line,omitempty"`
	Owner string          `json:"owner"`
	Spec  json.RawMessage `json:"spec"`
	// From names the search to go on from; the Names are then that one's.
	From string `json:"from,omitempty"`
	// Wrong says why the search cannot start, where that is known before.
	Wrong string `json:"wrong,omitempty"`
	library.Names
}

// Resolved is a search pinned to immutable objects: later changes of the names
// do not touch it.
type Resolved struct {
	// Config references the search.Config, as an object.
	Config store.Ref `json:"config"`
	// SpaceDigest is the digest of the search's space.
	SpaceDigest string `json:"space_digest"`
	// Trainer runs the trials. Tasks, Objects, Settings and Objective are what their
	// requests share.
	Trainer   string            `json:"trainer"`
	Tasks     []trainer.Task    `json:"tasks"`
	Objects   map[string]string `json:"objects,omitempty"`
	Settings  json.RawMessage   `json:"settings,omitempty"`
	Objective space.Objective   `json:"objective"`
	// Constraints are the space's; Curve says that the search has a pruner.
	Constraints []space.Constraint `json:"constraints,omitempty"`
	Curve       bool               `json:"curve,omitempty"`
	// Features lists what must be computed of image tasks before their trials, each task
	// under each module but those that the store has already: the indices of tasks by
	// module, which is among the Objects.
	Features map[string][]int `json:"features,omitempty"`
	// Begun is where a search goes on that goes on from another one.
	Begun *Begun `json:"begun,omitempty"`
}

// Begun is what a search that goes on from another one begins with.
type Begun struct {
	// Spec is the search's, with what it takes from the other's.
	Spec     json.RawMessage `json:"spec"`
	Position Position        `json:"position"`
	// Best holds the best trials so far, at most search.TopN of each task, by task, best
	// first.
	Best       map[int][]Best `json:"best,omitempty"`
	Failed     int            `json:"failed,omitempty"`
	Cached     int            `json:"cached,omitempty"`
	Pruned     int            `json:"pruned,omitempty"`
	Infeasible int            `json:"infeasible,omitempty"`
	Steps      int            `json:"steps,omitempty"`
	CPUSeconds float64        `json:"cpu_seconds,omitempty"`
	// Seconds is how long the other has run (library.SearchRecord).
	Seconds float64 `json:"seconds,omitempty"`
}

// Best is one of a search's best trials, as the search carries it.
type Best struct {
	Trial int `json:"trial"`
	// Reward is the objective, more being better; Validation and Test are its values
	// on the two splits.
	Reward     float64 `json:"reward"`
	Validation float64 `json:"validation"`
	Test       float64 `json:"test"`
	// Model references the stored model.
	Model string `json:"model,omitempty"`
	// Summary is the model in a few words, of the first Shown of a task.
	Summary string `json:"summary,omitempty"`
}

// Shown is the number of a task's best trials that people are shown while it is searched: a search
// carries the words of no others.
const Shown = 5

// Insert enters a feasible trial among its task's best, best first, if it is one of them.
func Insert(best []Best, row Row) []Best {
	t := row.Trial
	best = search.InsertBest(best, Best{
		Trial: t.Trial, Reward: t.Reward, Validation: t.Validation, Test: t.Test, Model: t.Model, Summary: row.Summary,
	}, func(b Best) (float64, int) { return b.Reward, b.Trial })
	for i := Shown; i < len(best); i++ {
		best[i].Summary = ""
	}
	return best
}

// Request is a proposal as its trainer is asked it: with what all trials share, and
// the objects that stand behind its choices.
func (r *Resolved) Request(p search.Proposal) TrialInput {
	in := TrialInput{Trainer: r.Trainer, Request: trainer.Request{
		Trial: p.Trial, Task: r.Tasks[p.Task], Choices: p.Choices, Settings: r.Settings, Seed: p.Seed, Objective: r.Objective, Keep: p.Keep,
		Constraints: r.Constraints, Curve: r.Curve, Prune: p.Prune,
	}}
	for _, v := range p.Choices {
		option, ok := v.(string)
		if ref := r.Objects[option]; ok && ref != "" {
			if in.Objects == nil {
				in.Objects = map[string]string{}
			}
			in.Objects[option] = ref
		}
	}
	return in
}

// TrialInput is one trial to run: the trainers' contract, and what is the
// platform's own.
type TrialInput struct {
	trainer.Request
	// Trainer runs the trial.
	Trainer string `json:"trainer"`
	// Retrain ignores the trial cache.
	Retrain bool `json:"retrain,omitempty"`
	// Lost names the worker processes that the trial was lost with; "" is one that had not
	// said its name yet.
	Lost []string `json:"lost,omitempty"`
	// Line is the line of the search's runs (library.Fence).
	Line string `json:"line,omitempty"`
}

// TrialResult is what a trial gave, and what it took.
type TrialResult struct {
	trainer.Outcome
	Cost search.Cost `json:"cost"`
}

// Row is a trial of the ledger with its cost.
type Row struct {
	Trial search.Trial `json:"trial"`
	Cost  search.Cost  `json:"cost"`
	// Summary is the model in a few words, for people.
	Summary string `json:"summary,omitempty"`
}

// Position is where a search stands: everything from which the strategy's
// state can be rebuilt. The state after Told results is a function of the ledger
// up to Ledger and of the journal; State saves telling it from the beginning.
type Position struct {
	// Ledger is the newest segment of the ledger, or empty.
	Ledger store.Ref `json:"ledger,omitempty"`
	// State is the strategy's state after that segment. Of the states only the
	// newest are kept: an older position's may be gone.
	State store.Ref `json:"state,omitempty"`
	// Costs is the newest cost segment, written beside each segment.
	Costs store.Ref `json:"costs,omitempty"`
	// Journal holds the trials told since the segment, in order.
	Journal []Row `json:"journal,omitempty"`
	// JournalBytes is the length of the journal's trials as JSON: it must not grow
	// beyond what a history can hold.
	JournalBytes int `json:"journal_bytes,omitempty"`
	// Told is the number of trials told in all.
	Told int `json:"told"`
	// Digest is over the configuration and all trials told, by which a worker finds
	// the live state in its memory.
	Digest string `json:"digest,omitempty"`
}

// After is the position after more results, with what Learn answered to them.
func (p Position) After(results []Row, out *LearnOutput) Position {
	p.Journal = append(p.Journal[:len(p.Journal):len(p.Journal)], results...)
	p.Told += len(results)
	p.Digest, p.JournalBytes = out.Digest, out.JournalBytes
	if c := out.Checkpoint; c != nil {
		p.Ledger, p.State, p.Costs = c.Ledger, c.State, c.Costs
		p.Journal = slices.Clone(p.Journal[len(p.Journal)-(p.Told-out.CheckpointTold):])
	}
	return p
}

// Checkpoint references what a checkpoint wrote.
type Checkpoint struct {
	Ledger store.Ref `json:"ledger,omitempty"`
	State  store.Ref `json:"state,omitempty"`
	Costs  store.Ref `json:"costs,omitempty"`
}

// LearnInput tells the strategy new results and asks for as many proposals.
type LearnInput struct {
	Name     string    `json:"name"`
	RunID    string    `json:"run_id"`
	Line     string    `json:"line,omitempty"`
	Config   store.Ref `json:"config"`
	Position Position  `json:"position"`
	// Results are the next trials in order. With none, as a search begins, the lag
	// proposals that wait at the position are asked.
	Results []Row `json:"results,omitempty"`
	// CheckpointEvery is the number of trials between two checkpoints.
	CheckpointEvery int `json:"checkpoint_every"`
	// Seconds is how long the search has run (library.SearchRecord).
	Seconds float64 `json:"seconds,omitempty"`
}

// LearnOutput is the strategy's answer.
type LearnOutput struct {
	Proposals []search.Proposal `json:"proposals,omitempty"`
	// Checkpoint is set where one was written; it covers the results up to
	// CheckpointTold.
	Checkpoint     *Checkpoint `json:"checkpoint,omitempty"`
	CheckpointTold int         `json:"checkpoint_told,omitempty"`
	Digest         string      `json:"digest"`
	JournalBytes   int         `json:"journal_bytes,omitempty"`
}

// FinishInput ends a search: the last checkpoint, the controller, the record.
type FinishInput struct {
	Name     string    `json:"name"`
	RunID    string    `json:"run_id"`
	Line     string    `json:"line,omitempty"`
	Config   store.Ref `json:"config"`
	Position Position  `json:"position"`
	// Status is "completed", "stopped", "canceled" or, for the Reason, "failed".
	Status string `json:"status"`
	Reason string `json:"reason,omitempty"`
	// Best is the best value on the validation split, if there is one.
	Best *float64 `json:"best,omitempty"`
	// Seconds is how long the search has run, Trials its budget (library.SearchRecord).
	Seconds float64 `json:"seconds,omitempty"`
	Trials  int     `json:"trials,omitempty"`
	// RecordOnly writes only these into the record, if the run has one: the rest could
	// not be written.
	RecordOnly bool `json:"record_only,omitempty"`
}

// Finished is what a search leaves behind.
type Finished struct {
	Ledger     store.Ref `json:"ledger,omitempty"`
	Costs      store.Ref `json:"costs,omitempty"`
	Controller store.Ref `json:"controller,omitempty"`
}
