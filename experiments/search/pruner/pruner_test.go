package pruner

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/nn/rng"
	"tnaml/nn/safetensors"
)

var (
	up   = space.Objective{Metric: "accuracy", Direction: space.Maximise}
	down = space.Objective{Metric: "loss", Direction: space.Minimise}
)

func start(t *testing.T, choice string, o space.Objective, tasks int) *Pruner {
	t.Helper()
	var c Choice
	if err := json.Unmarshal([]byte(choice), &c); err != nil {
		t.Fatal(err)
	}
	p, err := New(c, o, tasks)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func points(pairs ...float64) (out []trainer.Point) {
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, trainer.Point{Step: int(pairs[i]), Value: pairs[i+1]})
	}
	return out
}

func same(t *testing.T, what string, got, want []trainer.Point) {
	t.Helper()
	ok := len(got) == len(want)
	for i := range want {
		ok = ok && got[i].Step == want[i].Step && math.Abs(got[i].Value-want[i].Value) < 1e-12
	}
	if !ok {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// Optuna 3.1: MedianPruner(n_startup_trials=3) after these trials, asked at each step.
func TestMedianByHand(t *testing.T) {
	p := start(t, `{"name":"median","settings":{"startup":3,"skip":0}}`, up, 1)
	p.Tell(0, trainer.OK, points(10, .1, 20, .5, 40, .6))
	p.Tell(0, trainer.OK, points(10, .3, 20, .2))
	p.Tell(0, trainer.Pruned, points(10, 0)) // is not complete
	p.Tell(0, trainer.Diverged, points(10, 0))
	same(t, "two complete", p.Floors(0), nil)
	p.Tell(0, trainer.Infeasible, points(10, .2, 20, .9, 40, .8)) // ran to its end
	same(t, "three", p.Floors(0), points(10, .2, 20, .5, 40, .7))
	p.Tell(0, trainer.OK, points(10, .4))
	same(t, "of four the mean of the middle two", p.Floors(0), points(10, .25, 20, .5, 40, .7))

	p = start(t, `{"name":"median","settings":{"startup":1,"percentile":25,"warmup":15,"min_trials":2,"skip":0}}`, down, 1)
	p.Tell(0, trainer.OK, points(10, 5, 20, 4, 40, 9))
	p.Tell(0, trainer.OK, points(10, 1, 20, 2))
	// numpy.nanpercentile([4, 2], 25) is 2.5; step 10 is before the warm-up, 40 has one value.
	same(t, "the best quarter of losses", p.Floors(0), points(20, 2.5))

	p = start(t, `{"name":"median","settings":{"startup":1,"skip":1}}`, up, 2)
	p.Tell(0, trainer.OK, points(20, .5, 40, .6))
	same(t, "the first step", p.Floors(0), points(40, .6))
	p.Tell(0, trainer.OK, points(10, .1, 40, .8))
	same(t, "another is the first", p.Floors(0), points(20, .5, 40, .7))
	same(t, "the other task", p.Floors(1), nil)
}

// Optuna 3.1: SuccessiveHalvingPruner(min_resource=10, reduction_factor=2): with n values
// told at a rung, the new trial goes on where it is among the best max(1, (n+1)//2).
func TestHalvingByHand(t *testing.T) {
	p := start(t, `{"name":"halving","settings":{"min_step":10,"reduction":2}}`, up, 1)
	same(t, "nothing told", p.Floors(0), nil)
	p.Tell(0, trainer.OK, points(10, .5, 20, .6, 40, .7))
	same(t, "of two the best", p.Floors(0), points(10, .5, 20, .6, 40, .7))
	p.Tell(0, trainer.Pruned, points(10, .4))
	same(t, "(2+1)//2 = 1", p.Floors(0), points(10, .5, 20, .6, 40, .7))
	p.Tell(0, trainer.OK, points(10, .9, 20, .8, 40, .65))
	same(t, "(3+1)//2 = 2 at 10, (2+1)//2 = 1 at 20 and, its best being .9, at 40", p.Floors(0), points(10, .5, 20, .9, 40, .9))
	p.Tell(0, trainer.Failed, points(10, 1))
	same(t, "a failure does not count", p.Floors(0), points(10, .5, 20, .9, 40, .9))

	p = start(t, `"halving"`, down, 2) // reduction 4, the first rung is the first step told
	p.Tell(1, trainer.OK, points(25, 3, 30, 2, 100, 1))
	for _, v := range []float64{7, 5, 9, 8, 6, 4} {
		p.Tell(1, trainer.Pruned, points(25, v))
	}
	same(t, "(7+1)//4 = 2 of seven at 25, 1 of one at 100", p.Floors(1), points(25, 4, 100, 1))
	same(t, "the other task", p.Floors(0), nil)
}

// A state is restored bit for bit, and the pruner goes on as if nothing had been.
func TestRestored(t *testing.T) {
	for _, d := range Definitions() {
		a, b := start(t, `"`+d.Name+`"`, down, 2), start(t, `"`+d.Name+`"`, down, 2)
		for i := range uint64(60) {
			g := rng.New(1, "curve", i)
			curve := points(25, g.Float64(), 50, g.Float64(), 100, g.Float64())[:1+g.IntN(3)]
			a.Tell(int(i%2), []trainer.Status{trainer.OK, trainer.Pruned, trainer.Infeasible, trainer.Failed}[g.IntN(4)], curve)
			f := safetensors.New("state")
			a.Put(f)
			back, err := safetensors.Decode(f.Encode())
			if err != nil {
				t.Fatal(err)
			}
			if err := b.Get(back); err != nil {
				t.Fatal(err)
			}
			again := safetensors.New("state")
			b.Put(again)
			if !bytes.Equal(f.Encode(), again.Encode()) || !reflect.DeepEqual(a.Floors(0), b.Floors(0)) {
				t.Fatalf("%s: %v and %v", d.Name, a.Floors(0), b.Floors(0))
			}
		}
		for _, counts := range [][]int32{{1, 2, 3, 4, 5}, {1, 1, 1, 10, 1}, {1, 1, 1, 10, 1, 0}, {1, -1, 1, 10, 1, 0, 0}} {
			f := safetensors.New("state")
			safetensors.Put(f, "pruner/counts", counts) // of one task for two, a task without its levels, a count below 0
			safetensors.Put(f, "pruner/values", []float64{1})
			if err := b.Get(f); err == nil {
				t.Errorf("a state that does not fit is taken: %v", counts)
			}
		}
	}
}

// Many steps have a bound of floors.
func TestFloorsAreBounded(t *testing.T) {
	p := start(t, `{"name":"median","settings":{"startup":0,"skip":0}}`, up, 1)
	for i := range 200 {
		p.Tell(0, trainer.OK, points(float64(i+1), 1, 1000, 1))
	}
	if got := p.Floors(0); len(got) != trainer.MaxCurve || got[len(got)-1].Step != 1000 || got[0].Step != 1 {
		t.Errorf("%v", got)
	}
}

func TestChoice(t *testing.T) {
	for in, want := range map[string]string{
		`"median"`: `{"name":"median","settings":{"percentile":50,"startup":5,"warmup":0,"min_trials":1,"skip":2}}`,
		`{"name":"halving","settings":{"reduction":3}}`: `{"name":"halving","settings":{"min_step":0,"reduction":3}}`,
	} {
		var c Choice
		if err := json.Unmarshal([]byte(in), &c); err != nil {
			t.Fatal(err)
		}
		canonical, err := c.Canonical()
		if got, _ := json.Marshal(canonical); err != nil || string(got) != want {
			t.Errorf("%s: %s %v", in, got, err)
		}
	}
	for in, want := range map[string]string{
		`"hyperband"`: `unknown pruner "hyperband" (known: median, halving)`,
		`{"name":"median","settings":{"percentile":101,"startup":-1,"min_trials":0}}`: "percentile is 101: it must lie between 0 and 100\n" +
			"startup is -1: it must lie between 0 and 1000000000\nmin_trials is 0",
		`{"name":"halving","settings":{"reduction":1,"min_step":-1}}`: "min_step is -1",
		`{"name":"halving","settings":{"rate":1}}`:                    `unknown field "rate"`,
		`{"nam":"halving"}`: `unknown field "nam"`,
	} {
		var c Choice
		err := json.Unmarshal([]byte(in), &c)
		if err == nil {
			_, err = c.Canonical()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", in, err)
		}
	}
}
