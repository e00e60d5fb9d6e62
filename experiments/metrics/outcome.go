package metrics

// Outcome is how one estimate compares with another.
type Outcome int

// The outcomes of a comparison.
const (
	Loss Outcome = iota - 1
	Draw
	Win
)

// Compare counts as the bold face of the paper's Table 1 does: a draw where the
// two cannot be told apart by 2 s.e.m. (Estimate.Within), else a win for the
// higher mean: they are estimates of rewards. Estimates without an error, of one model, draw only if equal.
//
// The paper's prose counts by a rule that it does not give: of the 13 tasks of
// Table 1 (right) it says 10 wins, 1 tie and 2 losses of transfer over single
// task, where this rule gives 9, 3 and 1 from the printed digits.
func Compare(a, b Estimate) Outcome {
	switch {
	case a.Within(b):
		return Draw
	case a.Mean > b.Mean:
		return Win
	}
	return Loss
}

// Tally counts outcomes, one a task.
type Tally struct {
	Wins   int `json:"wins"`
	Draws  int `json:"draws"`
	Losses int `json:"losses"`
}

// Add counts one outcome.
func (t *Tally) Add(o Outcome) {
	switch o {
	case Win:
		t.Wins++
	case Draw:
		t.Draws++
	case Loss:
		t.Losses++
	}
}

// Best marks the estimates of rewards that no other beats: the highest mean and all that
// cannot be told from it, the ones that the paper prints in bold. All false for
// fewer than two estimates, where there is nothing to compare.
func Best(estimates []Estimate) []bool {
	best := make([]bool, len(estimates))
	if len(estimates) < 2 {
		return best
	}
	top := estimates[0]
	for _, e := range estimates[1:] {
		if e.Mean > top.Mean {
			top = e
		}
	}
	for i, e := range estimates {
		best[i] = e.Within(top)
	}
	return best
}
