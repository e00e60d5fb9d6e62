package metrics

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"

	"tnaml/experiments/trainer"
	"tnaml/nn/rng"
)

// pack makes bits of zeros and ones.
func pack(right ...int) trainer.Bits {
	b := trainer.Bits{N: len(right), Packed: make([]byte, (len(right)+7)/8)}
	for i, v := range right {
		b.Packed[i/8] |= byte(v) << (i % 8)
	}
	return b
}

func score(models ...trainer.Bits) Score {
	s := Score{Right: models}
	for _, m := range models {
		s.Value += m.Share() / float64(len(models))
	}
	return s
}

// values are tasks with one seed each.
func values(differences ...float64) (out []PairedTask) {
	for _, d := range differences {
		out = append(out, PairedTask{Seeds: []Scores{{Score{Value: d}, Score{}}}})
	}
	return out
}

// A replicate of two tasks with differences 0 and 1 has a mean of 0, ½ or 1, a quarter, a
// half and a quarter of the time: a standard deviation of √⅛, and no tail of less than a
// quarter. Student's quantile with 1 degree of freedom is 12.706 for 95 % and .7265 for
// 40 %, times √2 17.969 and 1.0275.
//
// Three seeds with differences 1, 2 and 6 have a variance of 7, their mean a standard error
// of √(7/3); replicates are of the least alone 1/27 of the time. Student's quantile with 2
// degrees of freedom is 4.3027 for 95 %.
func TestPairedBootstrapByHand(t *testing.T) {
	sd := math.Sqrt(1. / 8)
	near(t, "two tasks", Interval{.5, .5 - 17.969*sd, .5 + 17.969*sd}, PairedBootstrap(values(0, 1), Bootstrap{}), .2)
	near(t, "40 %", Interval{.5, .5 - 1.0275*sd, .5 + 1.0275*sd}, PairedBootstrap(values(0, 1), Bootstrap{Level: .4}), .01)
	equal(t, "fixed tasks without seeds or examples", unknown(.5), PairedBootstrap(values(0, 1), Bootstrap{FixedTasks: true}))
	equal(t, "one task", unknown(.25), PairedBootstrap(values(.25), Bootstrap{}))
	equal(t, "no task", unknown(0), PairedBootstrap(nil, Bootstrap{}))
	fixed := Bootstrap{FixedTasks: true}
	two := []PairedTask{{Seeds: []Scores{{Score{Value: 1}, Score{}}, {Score{Value: 3}, Score{Value: 1}}}}}
	near(t, "two seeds", Interval{1.5, 1.5 - 12.706*.5, 1.5 + 12.706*.5}, PairedBootstrap(two, fixed), .2)
	three := []PairedTask{{Seeds: []Scores{{A: Score{Value: 1}}, {A: Score{Value: 2}}, {A: Score{Value: 6}}}}}
	wide := 4.3027 * math.Sqrt(7./3)
	near(t, "three seeds", Interval{3, 3 - wide, 3 + wide}, PairedBootstrap(three, fixed), .2)
	mixed := append(values(.25), two...) // of the one nothing is known
	equal(t, "fixed, one without seeds or examples", unknown(.875), PairedBootstrap(mixed, fixed))
	panics(t, "no seed", func() { PairedBootstrap([]PairedTask{{}}, Bootstrap{}) })
}

// What is not known is a draw, and no number in JSON.
func TestIntervals(t *testing.T) {
	for _, c := range []struct {
		in   Interval
		want Outcome
		json string
	}{
		{Interval{.5, .1, .9}, Win, `{"mean":0.5,"low":0.1,"high":0.9}`},
		{Interval{-.5, -.9, -.1}, Loss, `{"mean":-0.5,"low":-0.9,"high":-0.1}`},
		{Interval{0, 0, 0}, Draw, `{"mean":0,"low":0,"high":0}`},
		{unknown(.5), Draw, `{"mean":0.5}`},
	} {
		b, err := json.Marshal(c.in)
		if err != nil || string(b) != c.json || c.in.Outcome() != c.want || c.in.Clear() != (c.want != Draw) {
			t.Errorf("%v: %s, %v, %v", c.in, b, err, c.in.Outcome())
		}
		var back Interval
		if err := json.Unmarshal(b, &back); err != nil || back != c.in {
			t.Errorf("%s: %v, %v", b, back, err)
		}
	}
}

// Two models that have the same examples right differ by nothing, whatever examples
// are drawn; without the bits nobody knows that.
func TestExamplesArePaired(t *testing.T) {
	a := pack(1, 1, 0, 1, 0, 1, 1, 1, 0, 1)
	same := []PairedTask{{Examples: 10, Seeds: []Scores{{score(a), score(a)}}}}
	equal(t, "paired", Interval{}, PairedBootstrap(same, Bootstrap{FixedTasks: true}))
	same[0].Seeds[0].B.Right = nil
	if i := PairedBootstrap(same, Bootstrap{FixedTasks: true}); i.Clear() || i.High < .3 || i.Low > -.3 {
		t.Errorf("unpaired: %v", i)
	}
	// Of 100 examples A has 10 right that B has wrong: a binomial share of .1, s.d. .03.
	right, wrong := make([]int, 100), make([]int, 100)
	for i := range 60 {
		right[i], wrong[i] = 1, min(1, i/10)
	}
	ten := []PairedTask{{Seeds: []Scores{{score(pack(right...)), score(pack(wrong...))}}}}
	near(t, "ten of a hundred", Interval{.1, .045, .16}, PairedBootstrap(ten, Bootstrap{FixedTasks: true}), .011)
	// The mean of two models, of which the second has all right that A has.
	ten[0].Seeds[0].B = score(pack(wrong...), pack(right...))
	near(t, "two models", Interval{.05, .0225, .08}, PairedBootstrap(ten, Bootstrap{FixedTasks: true}), .0055)
	ten[0].Seeds[0].B.Right[1] = pack(1)
	panics(t, "other examples", func() { PairedBootstrap(ten, Bootstrap{FixedTasks: true}) })
}

func TestPairedBootstrapIsDeterministic(t *testing.T) {
	tasks := values(.1, .2, -.1, .4, .3)
	a, b := PairedBootstrap(tasks, Bootstrap{Seed: 3}), PairedBootstrap(tasks, Bootstrap{Seed: 3})
	if a != b {
		t.Errorf("%v, then %v", a, b)
	}
}

// The interval holds the true difference as often as it says, whatever the difference
// varies by: between tasks, seeds or examples, with bits and without.
func TestCoverage(t *testing.T) {
	const expected = .04
	for _, c := range []struct {
		name             string
		tasks, seeds     int
		ofTasks, ofSeeds float64
		bits, fixed      bool
		examples         int
	}{
		{"many tasks", 13, 2, .03, .02, true, false, 50},
		{"four tasks", 4, 3, .03, .02, true, false, 50},
		{"four tasks, one seed, no bits", 4, 1, .03, .01, false, false, 100},
		{"these tasks", 4, 3, .03, .02, true, true, 100},
		{"this task, two seeds", 1, 2, .03, .05, true, true, 100},
		{"this task, three seeds", 1, 3, .03, .05, true, true, 100},
		{"tasks alone", 8, 1, .05, 0, false, false, 0},
		{"two tasks alone", 2, 1, .05, 0, false, false, 0},
		{"three tasks alone", 3, 1, .05, 0, false, false, 0},
		{"five tasks alone", 5, 1, .05, 0, false, false, 0},
		{"this task, two seeds alone", 1, 2, .03, .02, false, true, 0},
		{"this task, three seeds alone", 1, 3, .03, .02, false, true, 0},
		{"this task, five seeds alone", 1, 5, .03, .02, false, true, 0},
		{"this task, eight seeds alone", 1, 8, .03, .02, false, true, 0},
		{"these three tasks, two seeds alone", 3, 2, .03, .02, false, true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			held, experiments, least := 0, 100, .9
			if c.examples == 0 {
				experiments, least = 1000, .925
			}
			for e := range uint64(experiments) {
				r := rng.New(e, "coverage", 0)
				var tasks []PairedTask
				truth := 0.0
				for range c.tasks {
					here := expected + c.ofTasks*r.NormFloat64()
					truth += here / float64(c.tasks)
					tasks = append(tasks, simulate(r, here, c.ofSeeds, c.seeds, c.examples, c.bits))
				}
				if !c.fixed {
					truth = expected
				}
				if i := PairedBootstrap(tasks, Bootstrap{Seed: e, Replicates: 500, FixedTasks: c.fixed}); i.Low <= truth && truth <= i.High {
					held++
				}
			}
			if share := float64(held) / float64(experiments); share < least {
				t.Errorf("%.2f of the intervals hold the difference, want .95", share)
			}
		})
	}
}

// simulate draws a task: examples have a difficulty that all models share.
func simulate(r *rand.Rand, difference, ofSeeds float64, seeds, examples int, bits bool) PairedTask {
	task := PairedTask{Examples: examples}
	difficulty := make([]float64, examples)
	for i := range difficulty {
		difficulty[i] = r.Float64()
	}
	for range seeds {
		b := .6 + ofSeeds*r.NormFloat64()
		a := .6 + difference + ofSeeds*r.NormFloat64()
		if examples == 0 {
			task.Seeds = append(task.Seeds, Scores{Score{Value: a}, Score{Value: b}})
			continue
		}
		p := Scores{score(solve(difficulty, a)), score(solve(difficulty, b))}
		if !bits {
			p.A.Right, p.B.Right = nil, nil
		}
		task.Seeds = append(task.Seeds, p)
	}
	return task
}

func solve(difficulty []float64, skill float64) trainer.Bits {
	right := make([]int, len(difficulty))
	for i, d := range difficulty {
		if d < math.Min(1, skill) {
			right[i] = 1
		}
	}
	return pack(right...)
}
