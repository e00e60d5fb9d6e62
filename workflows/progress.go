package workflows

import (
	"bytes"
	"encoding/json"
	"time"

	"tnaml/activities"
	"tnaml/activities/store"
	"tnaml/experiments/search"
	"tnaml/experiments/space"
)

// Names as they appear in the UI and on the wire.
const (
	// SearchWorkflow is the workflow type of one search.
	SearchWorkflow = "Search"
	// TaskQueue is where workers listen unless told otherwise: for workflows, and
	// for the trials of the built-in trainer.
	TaskQueue = "tnaml"
	// TrialActivity is the activity type of one trial, in any language.
	TrialActivity = "Trial"

	// ProgressQuery answers with Progress.
	ProgressQuery = "progress"
	// PositionQuery answers with activities.Position: from its ledger and journal the
	// whole ledger of a running search can be read.
	PositionQuery = "position"

	// Each of these is both an update (validated, answered with Progress) and
	// a signal, for clients that can only signal. Pause takes an optional
	// reason, Extend an Extension.
	Pause  = "pause"
	Resume = "resume"
	Stop   = "stop"
	Extend = "extend"
)

// Extension is what is added to a search's budget. In JSON a number is one of trials.
type Extension struct {
	Trials int `json:"trials,omitempty"`
	search.Budget
}

// UnmarshalJSON implements json.Unmarshaler.
func (e *Extension) UnmarshalJSON(b []byte) error {
	*e = Extension{}
	if json.Unmarshal(b, &e.Trials) == nil {
		return nil
	}
	type plain Extension
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode((*plain)(e))
}

// Best is one of a search's best trials.
type Best struct {
	Task string `json:"task"`
	activities.Best
}

// Progress is where a search stands, for people and scripts.
type Progress struct {
	Name       string   `json:"name"`
	Experiment string   `json:"experiment,omitempty"`
	Tasks      []string `json:"tasks"`
	Strategy   string   `json:"strategy"`
	Seed       uint64   `json:"seed"`
	// From is the search that this one goes on from, Before the number of its trials,
	// which are this one's first.
	From   string `json:"from,omitempty"`
	Before int    `json:"before,omitempty"`
	// Trainer runs the trials, Objective is what they are compared by.
	Trainer   string          `json:"trainer,omitempty"`
	Objective space.Objective `json:"objective,omitzero"`
	// Status is running, waiting, paused, stopping, finishing, completed, stopped,
	// canceled or failed.
	Status string `json:"status"`
	// Reason says why a search is paused, what it waits for, or which bound of its budget
	// has ended it.
	Reason string `json:"reason,omitempty"`
	// Refused is why the last extension was refused that nobody waited for the answer to.
	Refused string `json:"refused,omitempty"`
	// Preparing says what is done before the first trial: the features of images.
	Preparing string `json:"preparing,omitempty"`
	// Told is the number of trials done and learned from, Running those in
	// flight, Trials the budget.
	Told    int `json:"told"`
	Running int `json:"running"`
	Trials  int `json:"trials"`
	// Budget is what else may end the search.
	Budget search.Budget `json:"budget,omitzero"`
	// Failed counts the trials that failed, Pruned and Infeasible those of that status,
	// Cached those answered from the trial cache; Steps are the training steps of all.
	Failed     int `json:"failed"`
	Pruned     int `json:"pruned,omitempty"`
	Infeasible int `json:"infeasible,omitempty"`
	Cached     int `json:"cached"`
	Steps      int `json:"steps,omitempty"`
	// Best holds the best trials of all tasks, at most 10 a task, by task and
	// reward.
	Best []Best `json:"best,omitempty"`
	// Started is when the search started; Updated is workflow time now.
	Started time.Time `json:"started"`
	Updated time.Time `json:"updated"`
	// TrialsPerSecond is the rate since the start, pauses left out.
	TrialsPerSecond float64 `json:"trials_per_second"`
	// SecondsLeft estimates the time to the end of the budget; 0 if unknown.
	SecondsLeft float64 `json:"seconds_left,omitempty"`
	CPUSeconds  float64 `json:"cpu_seconds"`
}

// TaskAccuracy is the mean of one task's ten best models: accuracy-top10, or that
// of another objective.
type TaskAccuracy struct {
	Task string `json:"task"`
	// Models is the number of models averaged, at most 10.
	Models     int     `json:"models"`
	Validation float64 `json:"validation_top10"`
	Test       float64 `json:"test_top10"`
}

// SearchResult is what the Search workflow returns.
type SearchResult struct {
	Status string `json:"status"`
	// Reason says which bound of its budget has ended it.
	Reason     string         `json:"reason,omitempty"`
	Trials     int            `json:"trials"`
	Failed     int            `json:"failed,omitempty"`
	Pruned     int            `json:"pruned,omitempty"`
	Infeasible int            `json:"infeasible,omitempty"`
	Cached     int            `json:"cached,omitempty"`
	Steps      int            `json:"steps,omitempty"`
	CPUSeconds float64        `json:"cpu_seconds"`
	Accuracy   []TaskAccuracy `json:"accuracy"`
	Best       []Best         `json:"best"`
	// Objective is what the values are of.
	Objective space.Objective `json:"objective,omitzero"`
	// Config references the search's configuration, Ledger the newest segment of the
	// ledger, from which all of it can be read, Costs that of the costs.
	Config store.Ref `json:"config,omitempty"`
	Ledger store.Ref `json:"ledger"`
	Costs  store.Ref `json:"costs,omitempty"`
	// Controller is the learned controller, for strategies that have one.
	Controller store.Ref `json:"controller,omitempty"`
}
