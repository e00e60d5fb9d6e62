// Package metrics measures searches as Wong et al. (2018) do in §4: accuracy-topN
// and its learning curve, trials to reach an accuracy, speed-up and the CPU
// time it saves, overfitting to the validation split, the options a controller
// prefers, and the similarity of task embeddings. Everything is a pure function
// of the ledger ([]search.Trial, in trial order) and one task's index in it. Besides it
// compares methods over many tasks as the field does today: ranks and their tests,
// bootstrap intervals, overtuning.
//
// All trials of a task count as trials, failed ones too; only trained models
// (status ok) count as models. A search's objective may be any metric; accuracy
// is what the paper's names speak of. Whatever it is, models are ranked, and
// searches compared, by rewards, of which more is better (trainer.Reward): only
// Tunings, which needs the rewards of test values, asks for the objective's direction.
package metrics
