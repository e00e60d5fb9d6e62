package metrics

import "math"

// Speedup is the trials that one search needs to reach a validation accuracy-topN
// over those that another needs (§4.1). The paper's S compares single-task search
// with transfer, in that order, with the trials to random search's best (Table 1,
// left) of both. What never gets there counts as its budget.
func Speedup(singleTask, transfer float64) float64 { return singleTask / transfer }

// CPUHoursSaved is the CPU time, in hours, that a speed-up of S saves on one
// task: B·T·(1 − 1/S), where the slower search runs B trials of T hours each
// (§4.1; the paper gives T in seconds and divides by 3600). Below S = 1 it is
// negative: the search costs more.
func CPUHoursSaved(budget int, hours, speedup float64) float64 {
	return float64(budget) * hours * (1 - 1/speedup)
}

// BreakEven is the number of new tasks beyond which pretraining a controller on
// M tasks has paid for itself, if the models of the M tasks themselves are not
// needed: M/(1 − 1/S) (§4.1). For S ≤ 1 it is +Inf: never.
func BreakEven(tasks int, speedup float64) float64 {
	if speedup <= 1 {
		return math.Inf(1)
	}
	return float64(tasks) / (1 - 1/speedup)
}
