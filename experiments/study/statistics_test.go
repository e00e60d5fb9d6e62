package study

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"tnaml/experiments/data"
	"tnaml/experiments/metrics"
	"tnaml/experiments/search"
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
// .5625) = 6.5, p by the table .042: of 6³ orders of the other tasks' ranks, 9 are as far from equal.
// The critical difference is 2.343·√(12/24).
func TestRankingByHand(t *testing.T) {
	s := four()
	r := s.Ranking()
	if r == nil || !slices.Equal(r.Arms, []string{"a", "b", "c"}) || !slices.Equal(r.MeanRanks, []float64{1, 2.25, 2.75}) || r.Tasks != 4 {
		t.Fatalf("%+v", r)
	}
	if !near(r.ChiSquared, 6.5) || !near(r.P, 9./216) || r.FP != r.P {
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

// What is not tested is compared by validation, whatever searches there are that have no
// model yet, or none at all.
func TestUntested(t *testing.T) {
	s := four()
	for i := range s.Ledgers {
		for k := range s.Ledgers[i].Trials {
			delete(s.Ledgers[i].Trials[k].Metrics, "test_accuracy")
			s.Ledgers[i].Trials[k].Test = 0
		}
	}
	want := s.Ranking()
	for _, status := range []trainer.Status{trainer.Diverged, trainer.Pruned} {
		s.Ledgers = append(s.Ledgers, Ledger{Phase: Transfer, Task: "s", Arm: "d", Seed: 2, Status: "running", Budget: 10,
			Trials: []search.Trial{{Status: status}}})
	}
	if got := s.Ranking(); s.Tested() || !reflect.DeepEqual(got, want) || s.Comparisons()[1].Difference.Mean < .1 {
		t.Errorf("tested %v, %+v, want %+v; %+v", s.Tested(), got, want, s.Comparisons())
	}
	if (&Study{Ledgers: s.Ledgers[len(s.Ledgers)-1:]}).Tested() {
		t.Error("no model was tested")
	}
}

// A search that was not measured on the test split, beside others that were, has no 0 there:
// arms are compared by validation.
func TestPartlyUntested(t *testing.T) {
	s := four()
	want := s.Ranking()
	for i := range s.Ledgers {
		if l := &s.Ledgers[i]; l.Arm == want.Arms[0] && l.Seed == 1 {
			for k := range l.Trials {
				delete(l.Trials[k].Metrics, "test_accuracy")
				l.Trials[k].Test = 0
			}
		}
	}
	if got := s.Ranking(); s.Tested() || !slices.Equal(got.Arms, want.Arms) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// A search that could not begin says nothing of an arm's data.
func TestRankingWithoutABeginning(t *testing.T) {
	s := four()
	for i := range s.Ledgers {
		l := &s.Ledgers[i]
		l.Config.Strategy, l.Config.Tasks = l.Arm, []search.Task{{Name: l.Task, Data: "its data"}}
	}
	want, compared := s.Ranking(), s.Compare("a", "b")
	s.Ledgers = append([]Ledger{{Phase: Transfer, Task: "s", Arm: "b", Seed: 9, Status: "failed", Budget: 10}}, s.Ledgers...)
	if got, c := s.Ranking(), s.Compare("a", "b"); !reflect.DeepEqual(got, want) || c.Tasks != compared.Tasks {
		t.Errorf("%+v, want %+v; %+v", got, want, c)
	}
}

// The baseline of a search is one of its own run where there is one, before one of its seed.
func TestBaselineOfTheRun(t *testing.T) {
	of := func(run, arm string, seed uint64, n int, lag int) Ledger {
		l := ledger(Transfer, "a", arm, seed, ramp(n, .5)...)
		l.Run, l.Config.Strategy, l.Config.Lag, l.Budget = run, arm, lag, 12
		return l
	}
	s := &Study{Baseline: "random", Arms: []Arm{{Name: "random"}, {Name: "naml"}}, Runs: []Run{{Name: "one"}, {Name: "two"}},
		Ledgers: []Ledger{of("one", "random", 2, 12, 4), of("two", "random", 1, 12, 1), of("two", "random", 2, 7, 1),
			of("two", "naml", 2, 12, 1)}}
	s.SplitArms()
	if r := s.baseline(&s.Ledgers[3]); r == nil || r.Run != "two" || r.Seed != 1 {
		t.Errorf("%+v", r)
	}
}

// Of arms whose means are equal but for rounding nothing differs.
func TestEqualMeans(t *testing.T) {
	s := &Study{Against: "a"}
	for i := range 8 {
		task := fmt.Sprint("t", i)
		s.Ledgers = append(s.Ledgers, level(task, "a", 1, .2), level(task, "a", 2, .4), level(task, "b", 1, .1), level(task, "b", 2, .5))
	}
	if c := s.Comparisons()[0]; c.P != 1 || c.Difference.Mean != 0 || c.Test.Draws != 8 {
		t.Errorf("%+v", c)
	}
}

// Searches of other data of a task are another matter: they have their own baseline, and
// are not ranked with the others.
func TestOtherData(t *testing.T) {
	of := func(run, task, arm, data string, low float64) Ledger {
		l := ledger(Transfer, task, arm, 1, ramp(12, low)...)
		l.Run, l.Config.Strategy, l.Config.Tasks = run, arm, []search.Task{{Name: task, Data: data}}
		return l
	}
	s := &Study{Against: "naml", Baseline: "random", Arms: []Arm{{Name: "random"}, {Name: "naml"}}, Runs: []Run{{Name: "one"}, {Name: "two"}}}
	for _, task := range []string{"a", "b"} {
		// The old data were easy, and random search was better; the new ones are hard.
		s.Ledgers = append(s.Ledgers, of("one", task, "random", "old", .80), of("one", task, "naml", "old", .70),
			of("two", task, "random", "new", .40), of("two", task, "naml", "new", .45))
	}
	s.SplitArms()
	s.Sort()
	for _, row := range s.Table() {
		for arm, reached := range map[string]int{"random of one": 1, "naml of one": 0, "random": 1, "naml": 1} {
			if c := row.Cell(arm); c == nil || c.Compared != 1 || c.Reached != reached {
				t.Errorf("%s, %s: %+v", row.Task, arm, c)
			}
		}
	}
	if r := s.Ranking(); r == nil || !slices.Equal(r.Arms, []string{"naml", "random"}) || r.CriticalDifference != 0 {
		t.Errorf("%+v", r)
	}
	for _, f := range Figures(s) {
		if f.Measure == TrialsToBaseline && strings.HasPrefix(f.Arm, "random") {
			t.Errorf("the baseline is compared with itself: %+v", f)
		}
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
