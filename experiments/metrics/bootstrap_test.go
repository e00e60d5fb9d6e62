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

// A replicate of two tasks with differences 0 and 1 has a mean of 0, ½ or 1, a quarter,
// a half and a quarter of the time. Student's quantile with 1 degree of freedom at .3 is
// −.7265, times √2 −1.0275, below which the normal distribution has .152: less than a
// quarter. At .4 it is −.3249, −.4595 and .323: more.
func TestPairedBootstrapByHand(t *testing.T) {
	equal(t, "two tasks", Interval{.5, 0, 1}, PairedBootstrap(values(0, 1), Bootstrap{}))
	equal(t, "40 %", Interval{.5, 0, 1}, PairedBootstrap(values(0, 1), Bootstrap{Level: .4}))
	equal(t, "20 %", Interval{.5, .5, .5}, PairedBootstrap(values(0, 1), Bootstrap{Level: .2}))
	equal(t, "fixed tasks without seeds or examples", unknown(.5), PairedBootstrap(values(0, 1), Bootstrap{FixedTasks: true}))
	equal(t, "one task is fixed", unknown(.25), PairedBootstrap(values(.25), Bootstrap{}))
	equal(t, "no task", unknown(0), PairedBootstrap(nil, Bootstrap{}))
	two := []PairedTask{{Seeds: []Scores{{Score{Value: 1}, Score{}}, {Score{Value: 3}, Score{Value: 1}}}}}
	equal(t, "seeds", Interval{1.5, 1.5 - math.Sqrt2/2, 1.5 + math.Sqrt2/2}, PairedBootstrap(two, Bootstrap{}))
	mixed := append(values(.25), two...) // of the one nothing is known
	equal(t, "fixed, one without seeds or examples", unknown(.875), PairedBootstrap(mixed, Bootstrap{FixedTasks: true}))
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
	equal(t, "paired", Interval{}, PairedBootstrap(same, Bootstrap{}))
	same[0].Seeds[0].B.Right = nil
	if i := PairedBootstrap(same, Bootstrap{}); i.Clear() || i.High < .3 || i.Low > -.3 {
		t.Errorf("unpaired: %v", i)
	}
	// Of 100 examples A has 10 right that B has wrong: a binomial share of .1, s.d. .03.
	right, wrong := make([]int, 100), make([]int, 100)
	for i := range 60 {
		right[i], wrong[i] = 1, min(1, i/10)
	}
	ten := []PairedTask{{Seeds: []Scores{{score(pack(right...)), score(pack(wrong...))}}}}
	near(t, "ten of a hundred", Interval{.1, .045, .16}, PairedBootstrap(ten, Bootstrap{}), .011)
	// The mean of two models, of which the second has all right that A has.
	ten[0].Seeds[0].B = score(pack(wrong...), pack(right...))
	near(t, "two models", Interval{.05, .0225, .08}, PairedBootstrap(ten, Bootstrap{}), .0055)
	ten[0].Seeds[0].B.Right[1] = pack(1)
	panics(t, "other examples", func() { PairedBootstrap(ten, Bootstrap{}) })
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
	const experiments, expected = 100, .04
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
		{"tasks alone", 8, 1, .05, 0, false, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			held := 0
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
			if share := float64(held) / experiments; share < .9 {
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
