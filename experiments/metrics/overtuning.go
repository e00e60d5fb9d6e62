package metrics

import (
	"tnaml/experiments/search"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// Tuning is what a search's choice by validation costs on the test split after a number
// of trials, as Schneider, Bischl and Feurer define it ("Overtuning in hyperparameter
// optimization", AutoML 2025, definitions 3.1 and 3.2; arXiv:2506.19540). The incumbent
// is the model with the best reward so far, ties going to the earlier trial. Values are
// rewards, so that more is worse here for every objective; of an accuracy they are
// fractions.
type Tuning struct {
	// Trials is the number of the task's trials so far, failed ones included.
	Trials int `json:"trials"`
	// MetaOverfitting is the incumbent's validation less its test.
	MetaOverfitting float64 `json:"meta_overfitting"`
	// Overtuning is the best test of this and all earlier incumbents less this one's.
	Overtuning float64 `json:"overtuning"`
	// Improvement is the best test of the incumbents less that of the first.
	Improvement float64 `json:"test_improvement"`
	// TestRegret is the best test of all models so far less the incumbent's.
	TestRegret float64 `json:"test_regret"`
}

// Relative is relative overtuning, Overtuning/Improvement: 0 where nothing was lost, 1
// and more where all that the search had improved over its first model was. It is false
// where no incumbent was better on the test split than the first.
func (t Tuning) Relative() (float64, bool) {
	if t.Improvement <= 0 {
		return 0, false
	}
	return t.Overtuning / t.Improvement, true
}

// Tunings follows a task's trials, a value a trial from the first trained model on. They
// must be measured on the test split too (Tested).
func Tunings(trials []search.Trial, task int, o space.Objective) []Tuning {
	var out []Tuning
	var incumbent *search.Trial
	var first, best, bestOfAll float64
	count := 0
	for i := range trials {
		t := &trials[i]
		if t.Task != task {
			continue
		}
		count++
		if t.OK() {
			test := trainer.Reward(o, t.Test)
			if incumbent == nil {
				first, best, bestOfAll = test, test, test
			}
			bestOfAll = max(bestOfAll, test)
			if incumbent == nil || better(t, incumbent) < 0 {
				incumbent, best = t, max(best, test)
			}
		}
		if incumbent != nil {
			test := trainer.Reward(o, incumbent.Test)
			out = append(out, Tuning{count, incumbent.Reward - test, best - test, best - first, bestOfAll - test})
		}
	}
	return out
}
