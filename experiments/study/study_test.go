package study

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"tnaml/experiments/metrics"
	"tnaml/experiments/search"
	"tnaml/experiments/search/pruner"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// ledger is a search with one trial for each accuracy, the test accuracy a tenth
// below.
func ledger(phase Phase, task, arm string, seed uint64, accuracies ...float64) Ledger {
	l := Ledger{Phase: phase, Task: task, Arm: arm, Seed: seed, Status: "completed", Budget: len(accuracies),
		Search: fmt.Sprintf("%s-%s-%d", task, arm, seed)}
	for i, a := range accuracies {
		l.Trials = append(l.Trials, search.Trial{Trial: i, Status: trainer.OK, Reward: a, Validation: a, Test: a - .1,
			Metrics: map[string]float64{"validation_accuracy": a, "test_accuracy": a - .1}})
		l.Costs = append(l.Costs, search.Cost{Trial: i, CPUSeconds: float64(i + 1)})
	}
	return l
}

// ramp is n accuracies from low on, each a hundredth better.
func ramp(n int, low float64) (out []float64) {
	for i := range n {
		out = append(out, low+float64(i)/100)
	}
	return out
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

// Accuracy-top10, trials to random's best and their medians, by hand.
func TestTableByHand(t *testing.T) {
	s := &Study{Baseline: "random", FixedBudgets: map[string]int{"a": 11}}
	// Random ends at the mean of .50 … .59 = .545, after its tenth trial.
	s.Ledgers = append(s.Ledgers, ledger(Transfer, "a", "random", 1, ramp(10, .5)...), ledger(Transfer, "a", "random", 2, ramp(10, .5)...),
		ledger(Transfer, "a", "random", 3, ramp(10, .5)...))
	// Seed 1: twelve trials at .60 reach it with the first (a mean over fewer models counts).
	one := ramp(12, 0)
	for i := range one {
		one[i] = .6
	}
	// Seed 2: .40, .41, … : the best ten of n are .40+(n−10)/100 … .40+(n−1)/100, mean .445 + (n−10)/100 ≥ .545 at n = 20.
	s.Ledgers = append(s.Ledgers, ledger(Transfer, "a", "naml", 1, one...), ledger(Transfer, "a", "naml", 2, ramp(25, .4)...))
	// Seed 3 never gets there in 12 trials.
	s.Ledgers = append(s.Ledgers, ledger(Transfer, "a", "naml", 3, ramp(12, .2)...))
	s.Ledgers = append(s.Ledgers, Ledger{Phase: Transfer, Task: "a", Arm: "naml", Seed: 4, Status: "failed", Budget: 12})
	rows := s.Table()
	if len(rows) != 1 || rows[0].Budget != 25 || len(rows[0].Cells) != 2 || rows[0].Cell("nothing") != nil {
		t.Fatalf("rows %+v", rows)
	}
	random, naml := rows[0].Cell("random"), rows[0].Cell("naml")
	if !near(random.Validation.Mean, .545) || !near(random.Test.Mean, .445) ||
		random.Models != 10 || random.Seeds != 3 || random.Test.Error != 0 {
		t.Errorf("random %+v", random)
	}
	for seed, want := range map[int]int{3: 0, 4: 20, 5: 12} {
		n, reached, ok := s.TrialsToBaseline(&s.Ledgers[seed])
		if seed == 3 {
			want = n // what it takes with equal models is metrics' matter
		}
		if n != want || reached != (seed != 5) || !ok {
			t.Errorf("ledger %d: %d, %v, %v, want %d", seed, n, reached, ok, want)
		}
	}
	first, _, _ := s.TrialsToBaseline(&s.Ledgers[3])
	if want := metrics.Median([]float64{float64(first), 20, 12}); naml.ToBaseline != want || naml.Reached != 2 || naml.Compared != 3 ||
		naml.Failed != 1 {
		t.Errorf("naml %+v, want a median of %v", naml, want)
	}
	// The end: .6, the mean of .55 … .64 = .595, the mean of .22 … .31 = .265; 2 s.e.m. over the three.
	mean := (.6 + .595 + .265) / 3
	var squares float64
	for _, v := range []float64{.6, .595, .265} {
		squares += (v - mean) * (v - mean)
	}
	if e := 2 * math.Sqrt(squares/2) / math.Sqrt(3); !near(naml.Validation.Mean, mean) || !near(naml.Validation.Error, e) {
		t.Errorf("naml %+v, want %v ± %v", naml.Validation, mean, e)
	}
	// At 11 trials: .6, the mean of .41 … .50 = .455, .21 … .30 = .255, each less a tenth.
	if rows[0].Fixed != 11 || !near(naml.AtFixed.Mean, (.5+.355+.155)/3) || !near(random.AtFixed.Mean, .445) || !near(naml.Gap(), .1) {
		t.Errorf("at %d trials: %+v, %+v", rows[0].Fixed, naml.AtFixed, random.AtFixed)
	}
	// The first ten trials: .6, .445, .245.
	if !near(naml.First.Mean, (.6+.445+.245)/3) {
		t.Errorf("first %v", naml.First.Mean)
	}
}

// Without random search there is nothing to compare with; a random search of
// another seed is better than none.
func TestTrialsToBaselineNeedsOne(t *testing.T) {
	s := &Study{Baseline: "random", Ledgers: []Ledger{ledger(Transfer, "a", "naml", 1, ramp(12, .5)...)}}
	if _, _, ok := s.TrialsToBaseline(&s.Ledgers[0]); ok {
		t.Error("compared with nothing")
	}
	s.Ledgers = append(s.Ledgers, ledger(Transfer, "a", "random", 7, ramp(9, .5)...))
	if _, _, ok := s.TrialsToBaseline(&s.Ledgers[0]); ok {
		t.Error("compared with a search of nine models")
	}
	s.Ledgers = append(s.Ledgers, ledger(Transfer, "a", "random", 8, ramp(10, .1)...))
	if n, reached, ok := s.TrialsToBaseline(&s.Ledgers[0]); !ok || !reached || n > 10 {
		t.Errorf("%d, %v, %v", n, reached, ok)
	}
}

// Wins, draws, losses and the mean difference over the tasks that have both.
func TestCompareByHand(t *testing.T) {
	s := &Study{}
	add := func(task, arm string, test float64) {
		for seed := range uint64(3) {
			v := make([]float64, 10)
			for i := range v {
				v[i] = test + .1 + float64(seed)/1000 // seeds differ by a tenth of a point
			}
			s.Ledgers = append(s.Ledgers, ledger(Transfer, task, arm, seed, v...))
		}
	}
	for task, tests := range map[string][2]float64{"won": {.8, .7}, "drawn": {.7, .7}, "lost": {.6, .65}} {
		add(task, "transfer", tests[0])
		add(task, "single-architecture", tests[1])
	}
	add("alone", "transfer", .9)
	c := s.Compare("transfer", "single-architecture")
	if c.Tasks != 3 || c.Test != (metrics.Tally{Wins: 1, Draws: 1, Losses: 1}) || !near(c.Difference.Mean, (.1+0-.05)/3) {
		t.Errorf("%+v", c)
	}
}

// What is compared with what, where nobody says.
func TestBaselineAndReference(t *testing.T) {
	arms := []Arm{{Name: "a", Strategy: "naml"}, {Name: "b", Strategy: "random"}, {Name: "c", Strategy: "naml", From: "x"},
		{Name: "d", Strategy: "random"}}
	if BaselineOf(arms) != "b" || ReferenceOf(arms) != "c" ||
		BaselineOf(arms[:1]) != "" || ReferenceOf(arms[:2]) != "a" || ReferenceOf(nil) != "" {
		t.Error("the default baseline or reference")
	}
	s := &Study{Arms: arms, Against: "c", Ledgers: []Ledger{
		ledger(Transfer, "t", "c", 1, ramp(10, .5)...), ledger(Transfer, "t", "b", 1, ramp(10, .4)...),
		ledger(Transfer, "t", "a", 1, ramp(10, .5)...),
	}}
	c := s.Comparisons()
	if len(c) != 2 || c[0].B != "a" || c[0].Test.Draws != 1 || c[1].B != "b" || c[1].Test.Wins != 1 {
		t.Errorf("%+v", c)
	}
}

var (
	accuracy = space.Objective{Metric: trainer.Accuracy, Direction: space.Maximise}
	latency  = space.Objective{Metric: "latency_ms", Direction: space.Minimise}
)

// minimised is ledger of an objective to minimise.
func minimised(o space.Objective, l Ledger) Ledger {
	l.Config.Space = space.Space{Trainer: "table", Objective: o}
	for i := range l.Trials {
		t := &l.Trials[i]
		t.Reward = trainer.Reward(o, t.Validation)
		t.Metrics = map[string]float64{"validation_" + o.Metric: t.Validation, "test_" + o.Metric: t.Test}
	}
	return l
}

// An objective to minimise: the lower one wins, reaches the baseline's best, and
// is no regression.
func TestMinimised(t *testing.T) {
	if o := (&Study{}).Objective(); o != accuracy {
		t.Errorf("the objective of nobody's choice is %v", o)
	}
	falling := make([]float64, 20) // 200, 190, … 10: the best ten of n have the mean 10·(21−n)+45
	for i := range falling {
		falling[i] = float64(200 - 10*i)
	}
	flat := slices.Repeat([]float64{120}, 15)
	s := &Study{Baseline: "random", Against: "naml", Ledgers: []Ledger{
		minimised(latency, ledger(Transfer, "a", "random", 1, flat...)), minimised(latency, ledger(Transfer, "a", "naml", 1, falling...)),
	}}
	failed := &s.Ledgers[0].Trials[3]
	failed.Status, failed.Validation, failed.Test = trainer.Failed, 0, 0
	if s.Objective() != latency || !s.Tested() {
		t.Fatalf("objective %v, tested %v", s.Objective(), s.Tested())
	}
	// 120 = 10·(21−13.5)+45, so 14 trials (mean 115); random has nine models of 120 at its tenth, ten at its eleventh.
	if n, reached, ok := s.TrialsToBaseline(&s.Ledgers[1]); n != 14 || !reached || !ok {
		t.Errorf("%d, %v, %v", n, reached, ok)
	}
	if n, reached, _ := s.TrialsToBaseline(&s.Ledgers[0]); n != 11 || !reached {
		t.Errorf("random: %d, %v", n, reached)
	}
	row := s.Table()[0]
	random, naml := row.Cell("random"), row.Cell("naml")
	if !near(random.Validation.Mean, 120) || !near(naml.Validation.Mean, 55) ||
		!near(naml.Test.Mean, 54.9) || !near(naml.First.Mean, 155) || !near(random.First.Mean, 120) {
		t.Errorf("%+v, %+v", random, naml)
	}
	if c := s.Comparisons(); len(c) != 1 || c[0].Test != (metrics.Tally{Wins: 1}) || !near(c[0].Difference.Mean, 54.9-119.9) {
		t.Errorf("%+v", c)
	}
	for i := range s.Ledgers { // a trainer that knows no test split
		for k := range s.Ledgers[i].Trials {
			s.Ledgers[i].Trials[k].Test = 0
			delete(s.Ledgers[i].Trials[k].Metrics, "test_latency_ms")
		}
	}
	if c := s.Comparisons(); s.Tested() || c[0].Test != (metrics.Tally{Wins: 1}) || !near(c[0].Difference.Mean, 55-120) {
		t.Errorf("untested: %+v", c)
	}
	for _, f := range Figures(s) {
		if f.Measure == Test {
			t.Errorf("%s of nothing", f.Key())
		}
	}

	night := func(v float64) Figure {
		return Figure{Task: "a", Arm: "naml", Measure: Validation, Objective: latency, Budget: 20, Values: []float64{v}}
	}
	for tonight, want := range map[float64]bool{55.2: false, 56: true, 40: false} {
		v := Judge([]Figure{night(tonight)}, [][]Figure{{night(55)}}, Tolerances{Factor: 3, Accuracy: .005, Cost: .25})[0]
		if v.Regressed != want || !near(v.Worse, tonight-55) || !near(v.Tolerance, .005*55) {
			t.Errorf("tonight %v: %+v", tonight, v)
		}
		if say := v.Say(); !strings.Contains(say, "validation latency_ms-top10 is ") || strings.Contains(say, "%") {
			t.Error(say)
		}
	}
}

func figure(values ...float64) Figure {
	return Figure{Task: "t", Arm: "transfer", Measure: Test, Objective: accuracy, Budget: 50, Values: values}
}

// The verdict follows the spread: the nights' own, the seeds', or the floor.
func TestJudgeByHand(t *testing.T) {
	limits := Tolerances{Factor: 3, Accuracy: .005, Cost: .25}
	judge := func(tonight Figure, earlier ...Figure) Verdict {
		t.Helper()
		var nights [][]Figure
		for _, f := range earlier {
			nights = append(nights, []Figure{f})
		}
		v := Judge([]Figure{tonight}, nights, limits)
		if len(v) != 1 {
			t.Fatalf("%d verdicts", len(v))
		}
		return v[0]
	}
	// No spread at all: the floor.
	v := judge(figure(.794, .794, .794), figure(.8, .8, .8), figure(.8, .8, .8))
	if !near(v.Worse, .006) || !near(v.Tolerance, .005) || !v.Regressed || v.Nights != 2 {
		t.Errorf("the floor: %+v", v)
	}
	if v := judge(figure(.796), figure(.8), figure(.8)); v.Regressed {
		t.Errorf("within the floor: %+v", v)
	}
	// The nights' medians .78, .80, .82: MAD .02, a deviation of 1.4826·.02 = .029652, three of them.
	v = judge(figure(.72), figure(.78), figure(.8), figure(.82))
	if !near(v.Tolerance, 3*1.4826*.02) || !near(v.Worse, .08) || v.Regressed {
		t.Errorf("the nights' spread: %+v", v)
	}
	// Seeds .79, .80, .81: s = .01, 1.2533·s/√3 a median's standard error.
	v = judge(figure(.75), figure(.79, .8, .81))
	if want := 3 * 1.2533 * .01 / math.Sqrt(3); !near(v.Tolerance, want) || !v.Regressed {
		t.Errorf("the seeds' spread: %+v, want %v", v, want)
	}
	// Less is better for costs, and the floor is relative.
	cost := func(x float64) Figure {
		return Figure{Task: "t", Arm: "transfer", Measure: TrialCPU, Budget: 50, Values: []float64{x}}
	}
	if v := judge(cost(1.3), cost(1)); !v.Regressed || !near(v.Tolerance, .25) || !near(v.Worse, .3) {
		t.Errorf("a cost: %+v", v)
	}
	if v := judge(cost(.5), cost(1)); v.Regressed || v.Worse > 0 {
		t.Errorf("a lower cost: %+v", v)
	}
	// The first night, and a figure that is missing.
	if v := judge(figure(.1)); v.Regressed || v.Nights != 0 || !strings.Contains(v.Say(), "first time") {
		t.Errorf("the first night: %+v", v)
	}
	verdicts := Judge([]Figure{cost(1)}, [][]Figure{{figure(.8), cost(1)}}, limits)
	worse := Regressions(verdicts)
	if len(verdicts) != 2 || len(worse) != 1 || !worse[0].Missing || !strings.Contains(worse[0].Say(), "missing") {
		t.Errorf("a missing figure: %+v", verdicts)
	}
}

// Figures of a study, one value a seed, cached trials out of the costs.
func TestFigures(t *testing.T) {
	s := &Study{Baseline: "random", Ledgers: []Ledger{
		ledger(Transfer, "a", "random", 1, ramp(10, .5)...), ledger(Transfer, "a", "transfer", 1, ramp(10, .6)...),
		ledger(Transfer, "a", "transfer", 2, ramp(10, .7)...), ledger(Transfer, "a", "transfer", 3, ramp(9, .7)...),
	}}
	s.Ledgers[1].Costs[0].Cached = true
	broken, goal := ledger(Transfer, "a", "transfer", 4, ramp(10, .1)...), ledger(Transfer, "a", "goal", 1, ramp(10, .6)...)
	broken.Status, broken.Budget = "failed", 20
	goal.Budget = 20 // completed before it was used up
	s.Ledgers = append(s.Ledgers, broken, goal)
	if !slices.ContainsFunc(Figures(s), func(f Figure) bool { return f.Arm == "goal" }) {
		t.Error("a search that reached its goal gives no figure")
	}
	half := Study{Baseline: "random", Ledgers: slices.Clone(s.Ledgers)}
	half.Ledgers[0].Status, half.Ledgers[0].Budget = "failed", 20 // the baseline
	if slices.ContainsFunc(Figures(&half), func(f Figure) bool { return f.Measure == TrialsToBaseline || f.Arm == "random" }) {
		t.Error("trials are counted to where the baseline broke off")
	}
	for _, f := range Figures(s) {
		if f.Arm != "transfer" {
			continue
		}
		if len(f.Values) != 2 { // nine models give no figure, nor does a search that failed on its way
			t.Errorf("%s: %v", f.Key(), f.Values)
		}
		switch f.Measure {
		case Validation:
			if !near(f.Values[0], .645) || !near(f.Median(), .695) {
				t.Errorf("%s: %v", f.Key(), f.Values)
			}
		case TrialCPU: // 2 … 10 without the cached first; 1 … 10
			if !near(f.Values[0], 6) || !near(f.Values[1], 5.5) {
				t.Errorf("%s: %v", f.Key(), f.Values)
			}
		}
	}
}

func TestSortAndSelect(t *testing.T) {
	s := &Study{Arms: []Arm{{Name: "random", Strategy: "random"}, {Name: "naml", Strategy: "naml"},
		{Name: "transfer", Strategy: "naml", From: "multitask"}}, Ledgers: []Ledger{
		ledger(Transfer, "x", "ppo", 1), ledger(Transfer, "b", "transfer", 2), ledger(Transfer, "b", "transfer", 1),
		ledger(Transfer, "a", "random", 1), ledger(Transfer, "b", "random", 1), ledger(Pretrain, "", "transfer", 1),
	}}
	s.Ledgers[5].Config.Tasks = []search.Task{{Name: "p"}, {Name: "q"}}
	s.Sort()
	var got []string
	for _, l := range s.Ledgers {
		got = append(got, fmt.Sprintf("%s/%s/%s/%d", l.Phase, l.Task, l.Arm, l.Seed))
	}
	const want = "pretrain//transfer/1 transfer/x/ppo/1 transfer/b/random/1 transfer/b/transfer/1 transfer/b/transfer/2 transfer/a/random/1"
	if strings.Join(got, " ") != want {
		t.Errorf("%v", got)
	}
	if tasks := s.Tasks(Pretrain); strings.Join(tasks, " ") != "p q" {
		t.Errorf("pretraining tasks %v", tasks)
	}
	if len(s.Select(Transfer, "b", "")) != 3 || len(s.Select(Transfer, "", "random")) != 2 {
		t.Error("select")
	}
	if got := strings.Join(s.ArmNames(), " "); got != "random transfer ppo" { // those that have searches, others last
		t.Errorf("arms %s", got)
	}
	if a := s.Arm("transfer"); a.From != "multitask" || s.Arm("ppo").Name != "ppo" {
		t.Errorf("arm %+v", a)
	}
}

// A task whose data were replaced is not the task that it was: not a seed of it, and
// nothing to compare with.
func TestDataAreKinds(t *testing.T) {
	of := func(run, arm, data string, seed uint64, examples int) Ledger {
		l := ledger(Transfer, "a", arm, seed, ramp(12, .5)...)
		l.Run, l.Config.Strategy, l.Config.Tasks = run, "naml", []search.Task{{Name: "a", Data: data}}
		l.Right = map[int]*trainer.Right{}
		for k := range l.Trials {
			l.Right[k] = &trainer.Right{Test: trainer.Bits{N: examples, Packed: make([]byte, (examples+7)/8)}}
		}
		return l
	}
	s := &Study{Against: "x", Arms: []Arm{{Name: "x"}, {Name: "y"}}, Runs: []Run{{Name: "one"}, {Name: "two"}}, Ledgers: []Ledger{
		of("one", "x", "sha256:1", 1, 9), of("one", "y", "sha256:1", 1, 9), of("two", "x", "sha256:2", 2, 20), of("two", "x", "sha256:2", 3, 20),
	}}
	for run, seed := range map[string]uint64{"one": 1, "two": 2} { // the data of b have stayed as they were
		l := of(run, "x", "", seed, 9)
		l.Task, l.Config.Tasks = "b", []search.Task{{Name: "b", Data: "sha256:b"}}
		s.Ledgers = append(s.Ledgers, l)
	}
	s.SplitArms()
	s.Sort()
	got := ""
	for _, row := range s.Table() {
		for _, c := range row.Cells {
			if c.Seeds > 0 {
				got += fmt.Sprint(row.Task, " ", c.Arm, " ", c.Seeds, "; ")
			}
		}
	}
	if got != "a x 2; a x of one 1; a y 1; b x 2; " {
		t.Error(got)
	}
	for _, c := range s.Comparisons() {
		t.Errorf("%+v", c)
	}
	if c := s.Compare("x of one", "y"); c.Tasks != 1 {
		t.Errorf("of the same data: %+v", c)
	}
	if p := s.paired("x", "y", "a"); len(p.Seeds) != 0 {
		t.Errorf("%+v", p)
	}
}

// Runs with another budget or other settings are arms of their own: a mean over
// seeds mixes no kinds. The same run again with other seeds is not.
func TestSplitArmsByHand(t *testing.T) {
	of := func(run string, seed uint64, budget int, settings string) Ledger {
		l := ledger(Transfer, "a", "naml", seed, ramp(12, .5)...)
		l.Run, l.Budget, l.Config.Strategy, l.Config.Settings = run, budget, "naml", []byte(settings)
		return l
	}
	s := &Study{Arms: []Arm{{Name: "naml", Strategy: "naml"}, {Name: "b"}}, Runs: []Run{{Name: "one"}, {Name: "two"}, {Name: "three"}},
		Ledgers: []Ledger{of("one", 1, 12, "{}"), of("two", 1, 24, "{}"), of("three", 2, 12, "{}"), of("two", 2, 24, "{}")}}
	s.SplitArms()
	s.Sort()
	got := ""
	for _, c := range s.Table()[0].Cells {
		got += fmt.Sprint(c.Arm, " ", c.Seeds, "; ")
	}
	if got != "naml 2; naml of two 2; " || len(s.Arms) != 3 || s.Arms[1].Name != "naml of two" || s.Arms[1].Strategy != "naml" {
		t.Errorf("%s %+v", got, s.Arms)
	}
}

// Whatever the configuration says, but for the seed and what follows from it, makes another
// kind.
func TestKinds(t *testing.T) {
	most := 1e6
	of := func(run string, seed uint64, change func(c *search.Config)) Ledger {
		l := ledger(Transfer, "a", "naml", seed, ramp(12, .5)...)
		l.Run, l.Config.Strategy, l.Config.Settings, l.Config.Lag = run, "naml", []byte("{}"), 4
		l.Config.Seed, l.Config.Controller, l.Config.Sources = seed, fmt.Sprint("controller ", seed), fmt.Sprint("sources ", seed)
		l.Config.Space = space.Space{Name: "sp", Objective: space.Objective{Metric: "accuracy", Direction: space.Maximise},
			Choices: []space.Choice{{Name: "c", Options: []any{int64(1), int64(2)}}}}
		change(&l.Config)
		return l
	}
	for name, c := range map[string]struct {
		change func(c *search.Config)
		kinds  int
	}{
		"nothing":            {func(*search.Config) {}, 1},
		"the default's name": {func(c *search.Config) { c.Space.Trainer = space.DefaultTrainer }, 1},
		"parameters":         {func(c *search.Config) { c.Tasks = []search.Task{{Name: "a", Parameters: []byte(`{"n":1}`)}} }, 2},
		"the models kept":    {func(c *search.Config) { c.KeepModels = 50 }, 1},
		"the description":    {func(c *search.Config) { c.Space.Description = "ours" }, 1},
		"lag":                {func(c *search.Config) { c.Lag = 1 }, 2},
		"pruner":             {func(c *search.Config) { c.Pruner = &pruner.Choice{Name: "median"} }, 2},
		"constraints":        {func(c *search.Config) { c.Space.Constraints = []space.Constraint{{Metric: "parameters", Max: &most}} }, 2},
		"trainer":            {func(c *search.Config) { c.Space.Trainer = "ours" }, 2},
		"trainer's settings": {func(c *search.Config) { c.Space.Settings = []byte(`{"epochs":50}`) }, 2},
		"objective":          {func(c *search.Config) { c.Space.Objective = space.Objective{Metric: "f1", Direction: space.Maximise} }, 2},
		"kind of a choice":   {func(c *search.Config) { c.Space.Choices[0].Kind = space.Categorical }, 2},
		"without sources":    {func(c *search.Config) { c.Sources = "" }, 2},
		"forked":             {func(c *search.Config) { c.Fork = &search.Fork{Config: "x", Trials: 3} }, 2},
	} {
		s := &Study{Arms: []Arm{{Name: "naml", Strategy: "naml"}}, Runs: []Run{{Name: "one"}, {Name: "two"}},
			Ledgers: []Ledger{of("one", 1, func(*search.Config) {}), of("two", 2, c.change)}}
		s.SplitArms()
		s.Sort()
		if cells := s.Table()[0].Cells; len(cells) != c.kinds {
			t.Errorf("%s changed: %+v", name, cells)
		}
	}
}

// Trials without a model say nothing of what training takes.
func TestTrialCPU(t *testing.T) {
	l := ledger(Transfer, "a", "x", 1, ramp(10, .5)...)
	for i, status := range []trainer.Status{trainer.OverMemory, trainer.Pruned, trainer.Diverged} {
		l.Trials = append(l.Trials, search.Trial{Trial: 10 + i, Status: status})
		l.Costs = append(l.Costs, search.Cost{Trial: 10 + i, CPUSeconds: .01})
	}
	for _, f := range Figures(&Study{Ledgers: []Ledger{l}}) {
		if f.Measure == TrialCPU && !near(f.Median(), 5.5) { // 1 … 10
			t.Errorf("%+v", f)
		}
	}
}

// Of several arms that search from nothing transfer is compared with the one that searches
// as it does, wherever it stands.
func TestSingleTask(t *testing.T) {
	ppo := json.RawMessage(`{"policy_gradient":{"method":"ppo"}}`)
	s := &Study{Arms: []Arm{
		{Name: "random", Strategy: "random"}, {Name: "ppo", Strategy: "naml", Settings: ppo}, {Name: "naml", Strategy: "naml"},
		{Name: "transfer", Strategy: "naml", From: "multitask"}, {Name: "of-ppo", Strategy: "naml", Settings: ppo, From: "multitask"},
		{Name: "else", Strategy: "naml", Settings: json.RawMessage(`{"embedding":null}`), From: "multitask"},
		{Name: "portfolio", Strategy: "portfolio", From: "multitask"},
	}}
	for of, want := range map[string]string{"transfer": "naml", "of-ppo": "ppo", "else": "ppo", "portfolio": "", "naml": ""} {
		if got := s.SingleTask(of); got != want {
			t.Errorf("%s is compared with %q, want %q", of, got, want)
		}
	}
}
