package metrics

import (
	"math"
	"testing"
)

// Means that differ by rounding alone are equal: ranks, tests and signs know no difference
// of .1 and .5 from .2 and .4.
func TestRunsThatAreEqual(t *testing.T) {
	var r Runs
	for range 8 {
		r = append(r, [][]float64{{.1, .5}, {.2, .4}})
	}
	if .1+.5 == .2+.4 || r[0][0][0]+r[0][0][1] == r[0][1][0]+r[0][1][1] {
		t.Log("these sums are equal to the bit here: the test is of little")
	}
	rank, c, test := r.Rank(), r.Against(0)[0], r.Tests(0)[0]
	if rank.Ranks[0] != 1.5 || rank.P != 1 || c.P != 1 || c.Holm != 1 || test.Signs != (Tally{Draws: 8}) || math.Abs(c.Gain.Mean) > 1e-15 {
		t.Errorf("%+v, %+v, %+v", rank, c, test)
	}
}

// Three methods on three tasks, by hand.
func TestRunsByHand(t *testing.T) {
	r := Runs{ // means 2, 4, 6; 1, 2, 3; 5, 5, 1
		{{1, 3}, {4, 4}, {6, 6}},
		{{1}, {2}, {3}},
		{{4, 6}, {5, 5}, {0, 2}},
	}
	rank := r.Rank()
	near(t, "ranks", []float64{(3 + 3 + 1.5) / 3, (2 + 2 + 1.5) / 3, (1 + 1 + 3) / 3.}, rank.Ranks, 1e-12)
	tests := r.Tests(0)
	// Differences 2, 1, 0: of two signs the extreme is one of four, both sides two. Differences
	// 4, 2, −4: ranks 2.5, 1, 2.5; sums 3.5 and 2.5, and 4 of 8 signs have 2.5 or less: p is 1.
	near(t, "p", []float64{.5, 1}, []float64{tests[0].P, tests[1].P}, 1e-12)
	near(t, "Holm's", []float64{1, 1}, []float64{tests[0].Holm, tests[1].Holm}, 1e-12)
	if tests[0].Signs != (Tally{Wins: 2, Draws: 1}) || tests[1].Signs != (Tally{Wins: 2, Losses: 1}) {
		t.Errorf("%+v", tests)
	}
	c := r.Against(0)
	near(t, "gains", []float64{1, (4 + 2 - 4) / 3.}, []float64{c[0].Gain.Mean, c[1].Gain.Mean}, 1e-12)
	// Of one seed nothing is known, of equal differences all.
	if c[0].Tally != (Tally{Draws: 3}) || c[1].Tasks[1].Known() {
		t.Errorf("%+v", c)
	}
	if apart := r.Apart(); len(apart) != 5 || apart[1][1][0] != 4 || len(apart[4]) != 3 || apart[4][2][0] != 2 {
		t.Errorf("%v", apart)
	}
	if one := r[:1].Against(1); math.Abs(one[0].Gain.Mean+2) > 1e-12 || one[0].Gain != one[0].Tasks[0] {
		t.Errorf("%+v", one)
	}
}

// What is infinite equals its like alone.
func TestInfiniteScores(t *testing.T) {
	equal(t, "ranks", []float64{3.5, 1, 2, 3.5}, Ranks([][]float64{{math.Inf(-1), math.Inf(1), 1e300, math.Inf(-1)}})[0])
}
