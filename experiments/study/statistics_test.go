package study

import (
	"math"
	"slices"
	"testing"

	"tnaml/experiments/data"
	"tnaml/experiments/metrics"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// level is a search of ten models of one accuracy on both splits.
func level(task, arm string, seed uint64, accuracy float64) Ledger {
	v := make([]float64, 10)
	for i := range v {
		v[i] = accuracy
	}
	l := ledger(Transfer, task, arm, seed, v...)
	for i := range l.Trials {
		l.Trials[i].Test = accuracy
	}
	return l
}

// four is a study of three arms on four tasks: a is always the best, b and c change
// places once; d has one task.
func four() *Study {
	s := &Study{Against: "a"}
	for i, task := range []string{"s", "t", "u", "v"} {
		b, c := .6, .5
		if i == 3 {
			b, c = .5, .6
		}
		s.Ledgers = append(s.Ledgers, level(task, "c", 1, c), level(task, "b", 1, b), level(task, "a", 1, .7+float64(i)/100))
	}
	s.Ledgers = append(s.Ledgers, level("s", "d", 1, .9))
	return s
}

// By hand: ranks 1 for a, (2+2+2+3)/4 and (3+3+3+2)/4; χ² = 12·4/(3·4)·(1 + .0625 +
// .5625) = 6.5, p = e^(−3.25); F = 3·6.5/(8 − 6.5) = 13 with 2 and 6 degrees of freedom:
// p = (1 + 2·13/6)^−3. The critical difference is 2.343·√(12/24).
func TestRankingByHand(t *testing.T) {
	s := four()
	r := s.Ranking()
	if r == nil || !slices.Equal(r.Arms, []string{"a", "b", "c"}) || !slices.Equal(r.MeanRanks, []float64{1, 2.25, 2.75}) || r.Tasks != 4 {
		t.Fatalf("%+v", r)
	}
	if !near(r.ChiSquared, 6.5) || !near(r.P, math.Exp(-3.25)) || !near(r.FP, math.Pow(16./3, -3)) {
		t.Errorf("%+v", r)
	}
	if math.Abs(r.CriticalDifference-1.657) > .001 || len(r.Groups) != 2 || !slices.Equal(r.Groups[1], []string{"b", "c"}) {
		t.Errorf("%+v", r)
	}
	// Of losses the least is the best.
	for i := range s.Ledgers {
		s.Ledgers[i] = minimised(space.Objective{Metric: "loss", Direction: space.Minimise}, s.Ledgers[i])
	}
	if r := s.Ranking(); !slices.Equal(r.Arms, []string{"c", "b", "a"}) {
		t.Errorf("of losses %v", r.Arms)
	}
	s.Ledgers = s.Ledgers[:3]
	if r := s.Ranking(); r != nil {
		t.Errorf("of one task %+v", r)
	}
}

// The interval is of the difference over the seeds that both arms have, and knows the
// tasks' examples by the cards, or by the models' bits.
func TestIntervals(t *testing.T) {
	s := four()
	all := s.Comparisons()
	b := all[1]
	if len(all) != 3 || b.B != "b" || b.Tasks != 4 || !near(b.Interval.Mean, b.Difference.Mean) || b.P != 3*2./16 {
		t.Fatalf("%+v", all) // p of 4 positive differences is 2/16, Holm: the least of three
	}
	if d := b.OnTheseTasks; d.Known() {
		t.Errorf("no seeds and no examples: %+v", d)
	}
	// .1, .11, .12 and .23 have a variance of .011/3; Student's quantile is 3.1824.
	if d, wide := b.Interval, 3.1824*math.Sqrt(.011/3/4); math.Abs(d.Low-(.14-wide)) > .004 || math.Abs(d.High-(.14+wide)) > .004 {
		t.Errorf("%+v, want ± %.4f", d, wide)
	}
	for _, task := range []string{"s", "t", "u", "v"} {
		s.Cards = append(s.Cards, Card{Task: task, Card: data.Card{Test: 100, Validation: 7}})
	}
	known := s.Comparisons()[1].OnTheseTasks
	if d := known; d.High-d.Low < .1 || d.High-d.Low > .3 { // 4·√(2·.23/100/4) = .136
		t.Errorf("examples by the card: %+v", d)
	}
	// The models have the first of 100 examples right: A's all of B's, and some more.
	for i := range s.Ledgers {
		l := &s.Ledgers[i]
		l.Right = map[int]*trainer.Right{}
		for k := range l.Trials {
			bits := trainer.Bits{N: 100, Packed: make([]byte, 13)}
			for e := range int(math.Round(100 * l.Trials[k].Test)) {
				bits.Packed[e/8] |= 1 << (e % 8)
			}
			l.Right[k] = &trainer.Right{Test: bits}
		}
	}
	if d := s.Comparisons()[1].OnTheseTasks; d.High-d.Low >= (known.High-known.Low)*.8 || !near(d.Mean, known.Mean) {
		t.Errorf("by the bits %+v, without them %+v", d, known)
	}
	delete(s.Ledgers[2].Right, 3)
	if r := s.scores("s", "a")[0].Right; r != nil {
		t.Errorf("bits of %d models of ten", len(r))
	}

	// Seeds 1 and 2 against 2 and 3: seed 2 alone is paired. Without a common seed, in order.
	s = &Study{Ledgers: []Ledger{level("t", "x", 1, .9), level("t", "x", 2, .5), level("t", "y", 2, .4), level("t", "y", 3, .1)}}
	if p := s.paired("x", "y", "t"); len(p.Seeds) != 1 || !near(p.Seeds[0].A.Value-p.Seeds[0].B.Value, .1) {
		t.Errorf("%+v", p)
	}
	s.Ledgers[2].Seed = 4
	if p := s.paired("x", "y", "t"); len(p.Seeds) != 2 || !near(p.Seeds[1].A.Value-p.Seeds[1].B.Value, .4) {
		t.Errorf("%+v", p)
	}
}

// Two tasks, one with two seeds; the chosen model is the last.
func TestTuningsByHand(t *testing.T) {
	search := func(task string, seed uint64, test ...float64) Ledger {
		l := ledger(Transfer, task, "a", seed, ramp(len(test), .7)...)
		for i := range l.Trials {
			l.Trials[i].Test = test[i]
		}
		return l
	}
	s := &Study{Ledgers: []Ledger{
		search("t", 1, .5, .7, .6), // validation .72: meta-overfitting .12, overtuning .1 of .2, regret .1
		search("t", 2, .7, .6, .5), // .22, .2 of nothing, .2
		search("u", 1, .5, .6, .7), // .02, 0 of .2, 0
		ledger(Transfer, "u", "b", 1),
	}}
	all := s.Tunings()
	if len(all) != 1 || all[0].Searches != 3 || all[0].Improved != 2 {
		t.Fatalf("%+v", all)
	}
	a := all[0]
	for what, v := range map[string][2]float64{
		"meta-overfitting": {(.17 + .02) / 2, a.MetaOverfitting.Mean}, "overtuning": {.15 / 2, a.Overtuning.Mean},
		"relative": {.25, a.Relative}, "regret": {.15 / 2, a.TestRegret.Mean},
	} {
		if !near(v[0], v[1]) {
			t.Errorf("%s %v, want %v", what, v[1], v[0])
		}
	}
	for i := range s.Ledgers {
		for k := range s.Ledgers[i].Trials {
			s.Ledgers[i].Trials[k].Metrics = map[string]float64{"validation_accuracy": .5}
		}
	}
	if got := s.Tunings(); got != nil {
		t.Errorf("untested: %+v", got)
	}
}

func TestDeviationsOverSeeds(t *testing.T) {
	s := &Study{Ledgers: []Ledger{level("t", "x", 1, .4), level("t", "x", 2, .6), level("t", "x", 3, .5), level("t", "y", 1, .5)}}
	row := s.Table()[0]
	if x, y := row.Cells[0], row.Cells[1]; !near(x.TestSD, .1) || !near(x.ValidationSD, .1) || y.TestSD != 0 {
		t.Errorf("%+v", row.Cells)
	}
	if e := (metrics.Estimate{Mean: .5, Error: 2 * .1 / math.Sqrt(3)}); !near(row.Cells[0].Test.Error, e.Error) {
		t.Errorf("%+v", row.Cells[0].Test)
	}
}
