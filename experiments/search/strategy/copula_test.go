package strategy

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"tnaml/experiments/trainer"
	"tnaml/nn/rng"
	"tnaml/nn/safetensors"
	"tnaml/nn/trees"
)

// Of four losses the shares of lesser ones are 0, 1/4, 1/2, 3/4; δ of four is
// 1/(4·4^¼·√(π ln 4)) = .0847.
func TestGaussianByHand(t *testing.T) {
	got := gaussian([]float64{3, -1, 70, 2})
	for i, want := range []float64{0, -1.374085, .674490, -.674490} {
		if math.Abs(got[i]-want) > 1e-6 {
			t.Errorf("value %d is %v, want %v", i, got[i], want)
		}
	}
	if got := gaussian([]float64{7, 7}); got[0] != got[1] {
		t.Errorf("equal ones: %v", got)
	}
	if got := gaussian([]float64{7}); got[0] != 0 {
		t.Errorf("one: %v", got)
	}
	if got := gaussian(nil); len(got) != 0 {
		t.Errorf("none: %v", got)
	}
}

// The transform keeps the order, whatever the losses' scale, and makes them normal.
func TestGaussianKeepsTheOrder(t *testing.T) {
	y := make([]float64, 300)
	for i := range y {
		y[i] = math.Exp(3 * rng.New(1, "y", uint64(i)).NormFloat64())
	}
	z := gaussian(y)
	scaled := slices.Clone(y)
	for i := range scaled {
		scaled[i] = 1e6*scaled[i] - 4
	}
	if !slices.Equal(z, gaussian(scaled)) {
		t.Error("another scale gives another z")
	}
	var mean, square float64
	for i := range y {
		mean, square = mean+z[i]/300, square+z[i]*z[i]/300
		for k := range y {
			if y[i] < y[k] && z[i] > z[k] {
				t.Fatalf("%v < %v, but %v > %v", y[i], y[k], z[i], z[k])
			}
		}
	}
	if math.Abs(mean) > .05 || math.Abs(square-1) > .2 {
		t.Errorf("mean %v, mean square %v", mean, square)
	}
}

// The model knows which configurations are good for all tasks, and where tasks differ.
func TestCopulaModel(t *testing.T) {
	sp := relatedSpace()
	var sources []Source
	for task, s := range relatedSources(8, 300, false) {
		for i := range s.Trials {
			k := &s.Trials[i]
			// Option 0 of the first choice is best; with options 3 to 5 of the second the tasks agree
			// on nothing else.
			k.Reward = -float64(k.Actions[0])
			if k.Actions[1] > 2 {
				k.Reward += 3 * rng.New(2, "noise", uint64(1000*task+i)).NormFloat64()
			}
		}
		sources = append(sources, s)
	}
	d := must(Builtin().Find(Copula))(t)
	c := must(d.New(Start{Seed: 1, Space: sp, Tasks: []string{"t"}, Sources: sources, Settings: d.Defaults}))(t).(*copula)
	at := func(first, second int) (mean, variance float64) {
		actions := []int{first, second, 3, 3, 3, 3, 3, 3}
		return c.mean.Predict(actions), c.variance.Predict(actions)
	}
	good, quiet := at(0, 1)
	bad, _ := at(5, 1)
	_, loud := at(2, 4)
	if good > bad-1 || loud < 2*quiet {
		t.Errorf("z of good ones %.2f, of bad ones %.2f; variance %.2f where tasks agree, %.2f where not", good, bad, quiet, loud)
	}
	zeros := 0
	for i := range 50 {
		if actions, _ := c.Ask(i, 0); actions[0] < 2 {
			zeros++
		}
	}
	if zeros < 40 {
		t.Errorf("a good option of the first choice in %d of 50 trials", zeros)
	}
	if _, err := ParseSettings(Copula, json.RawMessage(`{"candidates":0,"method":"x"}`)); !says(err, "candidates is 0", `method is "x"`) {
		t.Errorf("%v", err)
	}
}

// Of one value the posterior by hand: k²/(1 + noise) of the variance is gone; of many,
// added one by one or all together, it is that of the dense inverse.
func TestProcessByHand(t *testing.T) {
	features := []trees.Feature{{Levels: 5, Ordered: true}, {Levels: 3}}
	p := &process{features: features, length: 2, noise: .1}
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-9 {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	d := math.Sqrt(5*(.25+1)) / 2 // two of four steps, and another option
	k := (1 + d + d*d/3) * math.Exp(-d)
	near("kernel", p.kernel([]int{1, 0}, []int{3, 2}), k)
	p.add([]int{1, 0})
	p.observe([]float64{7})
	p.scale = 4
	mean, sigma := p.predict([]int{3, 2})
	near("mean of one", mean, 7)
	near("deviation with one", sigma, 2*math.Sqrt(1-k*k/1.1))

	x := [][]int{{1, 0}, {3, 2}, {3, 1}, {0, 0}, {1, 0}}
	y := []float64{1, 2, -1, .5, 1.5}
	p.add(x[1:]...)
	p.observe(y)
	n := len(x)
	gram := mat.NewDense(n, n, nil)
	for i := range x {
		for j := range x {
			gram.Set(i, j, p.kernel(x[i], x[j]))
		}
		gram.Set(i, i, 1.1)
	}
	at := []int{4, 1}
	against, centred := mat.NewVecDense(n, nil), mat.NewVecDense(n, nil)
	for i := range x {
		against.SetVec(i, p.kernel(x[i], at))
		centred.SetVec(i, y[i]-.8)
	}
	var inverse mat.Dense
	if err := inverse.Inverse(gram); err != nil {
		t.Fatal(err)
	}
	scale := mat.Inner(centred, &inverse, centred) / float64(n)
	mean, sigma = p.predict(at)
	near("mean", mean, .8+mat.Inner(against, &inverse, centred))
	near("deviation", sigma, math.Sqrt(scale*(1-mat.Inner(against, &inverse, against))))
	near("likelihood", p.observe(y), -float64(n)/2*math.Log(scale)-math.Log(mat.Det(gram))/2)
	if best := fitProcess(features, x, y); best.observe(y) < p.observe(y) {
		t.Errorf("length %v and noise %v are less likely than 2 and .1", best.length, best.noise)
	}
}

func TestImprovementByHand(t *testing.T) {
	// At the least itself σ φ(0); far below it the distance; far above nothing.
	for _, c := range []struct{ least, mean, sigma, want float64 }{
		{1, 1, 2, 2 * .3989422804}, {5, 1, .01, 4}, {1, 5, .01, 0}, {1, 0, 1, 1.0833154706},
	} {
		if got := improvement(c.least, c.mean, c.sigma); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// The Gaussian process learns of the target what the other tasks do not know.
func TestProcessLearnsTheTarget(t *testing.T) {
	sources := relatedSources(6, 150, false)
	sampled := relatedBest(t, Copula, `{"candidates":2000}`, sources, 40)
	learned := relatedBest(t, Copula, `{"candidates":2000,"method":"gp"}`, sources, 40)
	t.Logf("40 trials: sampled %.2f, with a Gaussian process %.2f", sampled, learned)
	if learned < sampled+.3 {
		t.Errorf("in 40 trials %.2f, without learning %.2f", learned, sampled)
	}
}

// What is in flight is not proposed again, before the Gaussian process has trials and after,
// also after a restart; with no other candidate it is.
func TestProcessKnowsWhatIsInFlight(t *testing.T) {
	d := must(Builtin().Find(Copula))(t)
	start := Start{
		Seed: 5, Space: relatedSpace(), Tasks: []string{"target"}, Sources: relatedSources(3, 60, false),
		Settings: must(d.Canonical(json.RawMessage(`{"candidates":100,"method":"gp"}`), nil))(t),
	}
	const lag = 6
	s := must(d.New(start))(t)
	var asked [][]int
	ask := func(trial int) {
		actions, _ := s.Ask(trial, 0)
		asked = append(asked, actions)
	}
	again := func() {
		t.Helper()
		n := len(asked) - 1
		if contains(asked[max(0, n-lag+1):n], asked[n]) {
			t.Errorf("trial %d: %v is in flight", n, asked[n])
		}
	}
	for trial := range lag {
		ask(trial)
		again()
	}
	for trial := range 40 {
		told := Told{Trial: trial, Actions: asked[trial], Status: trainer.OK, Reward: related(100, asked[trial])}
		if err := s.Tell(told); err != nil {
			t.Fatal(err)
		}
		if trial == 20 {
			f := safetensors.New("state")
			s.Put(f)
			start.Sources = nil
			if s = must(d.New(start))(t); s.Get(f) != nil {
				t.Fatal("it cannot be restored")
			}
		}
		ask(trial + lag)
		again()
	}
	start.Settings = must(d.Canonical(json.RawMessage(`{"candidates":1,"method":"gp"}`), nil))(t)
	s = must(d.New(start))(t)
	one, _ := s.Ask(0, 0)
	if two, _ := s.Ask(1, 0); !slices.Equal(one, two) {
		t.Errorf("of one candidate %v, then %v", one, two)
	}
}
