// Package metrics measures searches as Wong et al. (2018) do in §4: accuracy-topN
// and its learning curve, trials to reach an accuracy, speed-up and the CPU
// time it saves, overfitting to the validation split, the options a controller
// prefers, and the similarity of task embeddings. Everything is a pure function
// of the ledger ([]search.Trial, in trial order) and one task's index in it.
//
// All trials of a task count as trials, failed ones too; only trained models
// (status ok) count as models. Accuracies are fractions in [0, 1].
package metrics
