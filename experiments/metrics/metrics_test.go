package metrics

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tnaml/experiments/search"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

var approx = cmpopts.EquateApprox(0, 1e-12)

func equal(t *testing.T, what string, want, got any, options ...cmp.Option) {
	t.Helper()
	if diff := cmp.Diff(want, got, append(options, approx)...); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func panics(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s: no panic", what)
		}
	}()
	f()
}

func trial(i, task int, validation, test float64) search.Trial {
	return search.Trial{Trial: i, Task: task, Status: trainer.OK, Reward: validation, Validation: validation, Test: test}
}

func TestMean(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   Estimate
	}{
		{nil, Estimate{}},
		{[]float64{3}, Estimate{3, 0}},
		{[]float64{2, 2, 2}, Estimate{2, 0}},
		{[]float64{1, 2, 4}, Estimate{7. / 3, 2 * math.Sqrt(7./9)}}, // Σ(x−x̄)² = 14/3, s² = 7/3
		{[]float64{.9, .8}, Estimate{.85, .1}},                      // s = .1/√2
	} {
		equal(t, "mean", c.want, Mean(c.values))
	}
	// The mean of equal values is rounded; their spread is none.
	for _, v := range []float64{.9964, 1. / 3, 277. / 278} {
		if e := Mean(slices.Repeat([]float64{v}, 10)); e.Error != 0 {
			t.Errorf("ten of %v: two standard errors of %v", v, e.Error)
		}
	}
}

// The sums hold where a plain loop loses everything.
func TestSumIsExact(t *testing.T) {
	var s sum
	for _, v := range []float64{1, 1e16, 1, -1e16, .5} {
		s.add(v)
	}
	if s.value() != 2.5 {
		t.Errorf("sum %v, want 2.5", s.value())
	}
}

func TestCompare(t *testing.T) {
	for _, c := range []struct {
		a, b Estimate
		want Outcome
	}{
		{Estimate{.90, .02}, Estimate{.88, 0}, Draw},
		{Estimate{.90, 0}, Estimate{.88, .02}, Draw},
		{Estimate{.90, .01}, Estimate{.88, .015}, Win}, // not the sum of the errors
		{Estimate{.88, .01}, Estimate{.90, .01}, Loss},
		{Estimate{.5, 0}, Estimate{.5, 0}, Draw},
		{Estimate{.5, 0}, Estimate{.500001, 0}, Loss},
	} {
		if got := Compare(c.a, c.b); got != c.want {
			t.Errorf("%v against %v: %d, want %d", c.a, c.b, got, c.want)
		}
		if got := Compare(c.b, c.a); got != -c.want {
			t.Errorf("%v against %v: %d, want %d", c.b, c.a, got, -c.want)
		}
	}
}

// The paper's Table 1 (right), in percent: random search, single task, transfer
// with its 2 s.e.m., which "similar values are observed" of for the others.
var table1 = []struct {
	task                   string
	rs, naml, tnaml, error float64
}{
	{"20 Newsgroups", 87.5, 87.4, 88.1, .4}, {"Brown Corpus", 37.0, 38.2, 53.4, 3.3}, {"SMS Spam", 97.9, 97.8, 98.1, .1},
	{"Corp Messaging", 90.0, 90.2, 90.2, .3}, {"Disasters", 81.7, 81.5, 82.1, .3}, {"Emotion", 33.9, 33.7, 35.3, .3},
	{"Global Warming", 82.4, 82.8, 82.9, .3}, {"Prog Opinion", 68.9, 66.3, 70.3, .9}, {"Customer Reviews", 77.8, 79.0, 81.4, .5},
	{"MPQA Opinion", 87.9, 87.9, 88.6, .3}, {"Sentiment Cine", 73.2, 76.3, 75.4, .4}, {"Sentiment IMDB", 85.8, 87.3, 88.1, .1},
	{"Subj Movie", 92.6, 93.2, 93.4, .2},
}

func TestTallyAndBestOnThePapersTable(t *testing.T) {
	var tally Tally
	bold := 0
	for _, r := range table1 {
		rs, naml, tnaml := Estimate{r.rs, r.error}, Estimate{r.naml, r.error}, Estimate{r.tnaml, r.error}
		tally.Add(Compare(tnaml, naml))
		best := Best([]Estimate{rs, naml, tnaml})
		if best[2] {
			bold++
		}
		// Only on Sentiment Cine does the paper print another one's result in bold.
		if (r.task == "Sentiment Cine") == best[2] {
			t.Errorf("%s: transfer is best: %v", r.task, best[2])
		}
	}
	// Corp Messaging, Global Warming (.1 ± .3) and, on its edge, Subj Movie (.2 ± .2)
	// are within the errors.
	equal(t, "tally", Tally{Wins: 9, Draws: 3, Losses: 1}, tally)
	if bold != 12 {
		t.Errorf("transfer is best on %d tasks, want 12", bold)
	}
	equal(t, "nothing to compare", []bool{false}, Best([]Estimate{{1, 0}}))
	equal(t, "two of three", []bool{true, false, true}, Best([]Estimate{{.9, .01}, {.8, .01}, {.895, 0}}))
}

// Two tasks, a failed trial, a tie: by hand.
var ledger = []search.Trial{
	trial(0, 0, .5, .4), trial(1, 1, .99, .9), trial(2, 0, .7, .2), trial(3, 0, .7, .6),
	{Trial: 4, Task: 0, Status: trainer.Diverged, Reason: "loss not finite"}, trial(5, 0, .6, .8),
}

func TestAccuracyTopN(t *testing.T) {
	for _, c := range []struct {
		task, n  int
		trials   []int
		val, tst Estimate
	}{
		{0, 1, []int{2}, Estimate{.7, 0}, Estimate{.2, 0}}, // the tie goes to the earlier trial
		{0, 2, []int{2, 3}, Estimate{.7, 0}, Estimate{.4, .4}},
		{0, 3, []int{2, 3, 5}, Estimate{2. / 3, 2 * math.Sqrt(.02/18)}, Estimate{1.6 / 3, 2 * math.Sqrt(.28/9)}},
		{0, 9, []int{2, 3, 5, 0}, Estimate{.625, 2 * math.Sqrt(.0275/12)}, Estimate{.5, 2 * math.Sqrt(.2/12)}},
		{1, 2, []int{1}, Estimate{.99, 0}, Estimate{.9, 0}},
	} {
		top, ok := AccuracyTopN(ledger, c.task, c.n)
		if !ok || top.Models() != len(c.trials) {
			t.Errorf("task %d, n %d: %+v", c.task, c.n, top)
			continue
		}
		var got []int
		for _, x := range top.Trials {
			got = append(got, x.Trial)
		}
		equal(t, "trials", c.trials, got)
		equal(t, "validation", c.val, top.Validation)
		equal(t, "test", c.tst, top.Test)
		if g := top.Gap(); math.Abs(g-(c.val.Mean-c.tst.Mean)) > 1e-12 {
			t.Errorf("gap %v", g)
		}
	}
	if _, ok := AccuracyTopN(ledger, 2, 2); ok {
		t.Error("a task without trials has an accuracy")
	}
	if _, ok := AccuracyTopN(ledger[4:5], 0, 2); ok {
		t.Error("a task without models has an accuracy")
	}
	panics(t, "top0", func() { AccuracyTopN(ledger, 0, 0) })
}

func TestCurve(t *testing.T) {
	equal(t, "top2", []Point{
		{1, .5, .5, .4, 1}, {2, .6, .6, .3, 2}, {3, .7, .7, .4, 2}, {4, .7, .7, .4, 2}, {5, .7, .7, .4, 2},
	}, Curve(ledger, 0, 2))
	equal(t, "after a failure", []Point{{2, .6, .6, .8, 1}}, Curve(ledger[4:], 0, 2))
	equal(t, "no trials", []Point(nil), Curve(ledger, 7, 2))
	if g := Curve(ledger, 0, 2)[1].Gap(); math.Abs(g-.3) > 1e-12 {
		t.Errorf("gap %v, want .3", g)
	}
}

func TestTrialsTo(t *testing.T) {
	for _, c := range []struct {
		n     int
		value float64
		want  int
		ok    bool
	}{
		{2, .5, 2, true}, // one model of .5 is not an accuracy-top2
		{2, .6, 2, true}, // (.5+.7)/2, whatever the rounding
		{2, .65, 3, true},
		{2, .7, 3, true},
		{2, .71, 0, false},
		{4, .1, 5, true}, // the failed trial counts as a trial, not as a model
		{5, .1, 0, false},
	} {
		if got, ok := TrialsTo(ledger, 0, c.n, c.value); got != c.want || ok != c.ok {
			t.Errorf("top%d to %v: %d, %v; want %d, %v", c.n, c.value, got, ok, c.want, c.ok)
		}
	}
}

// Log-losses, of which less is better: by hand. The failed trial's 0 is not the
// best of them.
func TestMinimised(t *testing.T) {
	loss := space.Objective{Metric: "log_loss", Direction: space.Minimise}
	var trials []search.Trial
	for i, v := range []float64{.9, .5, 0, .7, .4, .5} {
		x := trial(i, 0, v, v+.1)
		if x.Reward = trainer.Reward(loss, v); v == 0 {
			x.Status, x.Reward, x.Test = trainer.Diverged, -.9, 0
		}
		trials = append(trials, x)
	}
	top, ok := AccuracyTopN(trials, 0, 3)
	var got []int
	for _, x := range top.Trials {
		got = append(got, x.Trial)
	}
	if !ok {
		t.Fatal("no models")
	}
	equal(t, "trials", []int{4, 1, 5}, got)
	equal(t, "validation", 1.4/3, top.Validation.Mean)
	equal(t, "test", 1.7/3, top.Test.Mean)
	equal(t, "reward", -1.4/3, top.Reward)
	equal(t, "top2", []Point{
		{1, -.9, .9, 1, 1}, {2, -.7, .7, .8, 2}, {3, -.7, .7, .8, 2}, {4, -.6, .6, .7, 2}, {5, -.45, .45, .55, 2}, {6, -.45, .45, .55, 2},
	}, Curve(trials, 0, 2))
	for _, c := range []struct {
		to   float64
		want int
		ok   bool
	}{{.7, 2, true}, {.65, 4, true}, {.45, 5, true}, {.44, 0, false}} {
		if got, ok := TrialsTo(trials, 0, 2, trainer.Reward(loss, c.to)); got != c.want || ok != c.ok {
			t.Errorf("to %v: %d, %v; want %d, %v", c.to, got, ok, c.want, c.ok)
		}
	}
	low, high := Estimate{.4, .01}.Reward(loss), Estimate{.5, .02}.Reward(loss)
	if Compare(low, high) != Win || Compare(high, low) != Loss || Compare(low, Estimate{.41, .01}.Reward(loss)) != Draw {
		t.Error("the lower loss does not win")
	}
	equal(t, "best", []bool{true, false, true}, Best([]Estimate{low, high, Estimate{.405, 0}.Reward(loss)}))
}

// Values far from 1 are told apart by their size: the same latencies in seconds
// and in nanoseconds, summed in another order.
func TestRoundingFollowsTheSize(t *testing.T) {
	for _, scale := range []float64{1e-15, 1, 1e9} {
		a, b := Mean([]float64{.1 * scale, .2 * scale, .3 * scale}), Mean([]float64{.3 * scale, .2 * scale, .1 * scale})
		a.Error, b.Error = 0, 0
		if Compare(a, b) != Draw || Compare(a, Estimate{a.Mean * 1.0001, 0}) != Loss {
			t.Errorf("scale %v", scale)
		}
	}
}

func TestCosts(t *testing.T) {
	// The paper's median: with S = 22 "that is > 1.05 M new tasks".
	for _, c := range []struct {
		name      string
		want, got float64
	}{
		{"speed-up of SMS Spam, single task to transfer", 3390. / 70, Speedup(3390, 70)},
		{"slower", .5, Speedup(100, 200)},
		{"hours saved", 375, CPUHoursSaved(5000, .1, 4)},
		{"the paper's trial of 268 s at the median speed-up", 500 * 268. / 3600 * 21 / 22, CPUHoursSaved(500, 268./3600, 22)},
		{"nothing saved", 0, CPUHoursSaved(500, 1, 1)},
		{"lost", -500, CPUHoursSaved(500, 1, .5)},
		{"break-even of the paper", 22. / 21, BreakEven(1, 22)},
		{"break-even of 8 tasks", 16, BreakEven(8, 2)},
		{"never", math.Inf(1), BreakEven(8, 1)},
		{"never", math.Inf(1), BreakEven(8, .5)},
	} {
		equal(t, c.name, c.want, c.got)
	}
}

func TestOptions(t *testing.T) {
	var trials []search.Trial
	for i, a := range []int{0, 1, 1, 2, 1, 0} {
		trials = append(trials,
			search.Trial{Trial: 2 * i, Task: 0, Actions: []int{0, a}},
			search.Trial{Trial: 2*i + 1, Task: 1, Actions: []int{1, 2}})
	}
	equal(t, "probabilities", [][]float64{{1. / 3, 2. / 3, 0}, {0, 2. / 3, 1. / 3}, {0, 2. / 3, 1. / 3}, {1. / 3, 1. / 3, 1. / 3}},
		OptionProbabilities(trials, 0, 1, 3, 3))
	equal(t, "one window", [][]float64{{1. / 3, .5, 1. / 6}}, OptionProbabilities(trials, 0, 1, 3, 6))
	equal(t, "a window longer than the search", [][]float64(nil), OptionProbabilities(trials, 0, 1, 3, 7))
	panics(t, "no window", func() { OptionProbabilities(trials, 0, 1, 3, 0) })

	equal(t, "not moved", 0., Moved([]float64{.2, .8}, []float64{.2, .8}))
	equal(t, "moved", .5, Moved([]float64{.5, .5, 0}, []float64{0, .5, .5}))
	equal(t, "moved wholly", 1., Moved([]float64{1, 0}, []float64{0, 1}))
}

func TestCosineSimilarity(t *testing.T) {
	h := 1 / math.Sqrt2
	equal(t, "by hand", [][]float64{
		{1, h, -1, 0, .6},
		{h, 1, -h, 0, 7 * h / 5},
		{-1, -h, 1, 0, -.6},
		{0, 0, 0, 0, 0},
		{.6, 7 * h / 5, -.6, 0, 1},
	}, CosineSimilarity([][]float64{{2, 0}, {1, 1}, {-1, 0}, {0, 0}, {3, 4}}))
	// Squares of these leave the range of float64.
	equal(t, "scale", [][]float64{{1, h}, {h, 1}}, CosineSimilarity([][]float64{{1e300, 0}, {1e-300, 1e-300}}))
	equal(t, "empty", [][]float64{}, CosineSimilarity(nil))
	panics(t, "ragged", func() { CosineSimilarity([][]float64{{1, 2}, {1}}) })
}

func TestBands(t *testing.T) {
	curves := [][]Point{
		{{Trials: 1, Test: .9}, {Trials: 2, Test: .5}, {Trials: 3, Test: .6}},
		{{Trials: 2, Test: .7}, {Trials: 3, Test: .6}, {Trials: 4, Test: .1}},
	}
	test := func(p Point) float64 { return p.Test }
	equal(t, "two seeds", []Band{
		{2, Estimate{.6, .2}, .5, .7}, // s = .1·√2, s.e.m. = .1
		{3, Estimate{.6, 0}, .6, .6},
	}, Bands(curves, test))
	equal(t, "apart", []Band(nil), Bands([][]Point{curves[0][:1], curves[1]}, test))
	equal(t, "an empty curve", []Band(nil), Bands([][]Point{curves[0], nil}, test))
	equal(t, "none", []Band(nil), Bands(nil, test))
}
