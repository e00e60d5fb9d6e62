package study

import (
	"slices"

	"tnaml/experiments/metrics"
	"tnaml/experiments/search"
	"tnaml/experiments/trainer"
)

// Evaluation is how the best model of a task classifies the task's test split.
type Evaluation struct {
	Task string `json:"task"`
	// Search and Trial are the model's.
	Search    string             `json:"search"`
	Trial     int                `json:"trial"`
	Confusion *metrics.Confusion `json:"confusion,omitempty"`
	// Missing says why there is no Confusion.
	Missing string `json:"missing,omitempty"`
}

// Candidate is a search whose models may be the best of its tasks.
type Candidate struct {
	Search string
	Config *search.Config
	Trials []search.Trial
}

// Best is the kept model with the best reward on a task, of all candidates that
// the built-in trainer trained.
type Best struct {
	Candidate
	search.Trial
}

// BestKept finds the best kept model of each task, in order of appearance; ties go
// to the earlier search and trial.
func BestKept(candidates []Candidate) []Best {
	var out []Best
	var tasks []string
	for _, c := range candidates {
		if c.Config == nil || c.Config.Space.TrainerName() != (trainer.Builtin{}).Name() {
			continue
		}
		for i := range c.Trials {
			t := c.Trials[i]
			if !t.OK() || t.Model == "" {
				continue
			}
			name := c.Config.Tasks[t.Task].Name
			at := slices.Index(tasks, name)
			if at < 0 {
				tasks, out = append(tasks, name), append(out, Best{c, t})
			} else if t.Reward > out[at].Reward {
				out[at] = Best{c, t}
			}
		}
	}
	return out
}

// Span is when a workflow ran.
type Span struct {
	// Started is a time in words, empty where it is not known; Seconds how long it ran,
	// 0 while it does.
	Started string  `json:"started,omitempty"`
	Seconds float64 `json:"elapsed_seconds,omitempty"`
}
