package strategy

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"testing"

	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/nn/rng"
	"tnaml/nn/safetensors"
	"tnaml/nn/trees"
)

func TestNormalScores(t *testing.T) {
	// Ranks 2.5 (twice), 1, 4 of 4: probabilities .5, .5, .125, .875.
	got := normalScores([]float64{3, 3, 1, 9})
	want := []float64{0, 0, -1.1503493803760083, 1.1503493803760083}
	for i := range want {
		if math.Abs(got[i]-want[i]) > 1e-12 {
			t.Fatalf("%v, want %v", got, want)
		}
	}
	if len(normalScores(nil)) != 0 {
		t.Error("of none there are none")
	}
}

// Equal values are counted as walking over them counts them, and in as many steps as others.
func TestAmong(t *testing.T) {
	r := rng.New(1, "test", 0)
	var sorted []float64
	for range 200 {
		sorted = append(sorted, float64(r.IntN(12))/8)
	}
	slices.Sort(sorted)
	for v := -1.; v < 3; v += 1. / 16 {
		less, equal := 0, 0
		for _, s := range sorted {
			if s < v {
				less++
			} else if s == v {
				equal++
			}
		}
		if l, e := among(sorted, v); l != less || e != equal {
			t.Errorf("%v: %d less and %d equal, want %d and %d", v, l, e, less, equal)
		}
	}
	if l, e := among(nil, 1); l != 0 || e != 0 {
		t.Errorf("among none: %d, %d", l, e)
	}
}

// BenchmarkTies is of values that are all equal, as a hundred accuracies among 20,000 trials
// nearly are.
func BenchmarkTies(b *testing.B) {
	y := make([]float64, 20_000)
	for b.Loop() {
		normalScores(y)
		normalised(y, byRank)
	}
}

// What a space says of its choices' order holds, where it says it.
func TestFeaturesOf(t *testing.T) {
	sp := &space.Space{Choices: []space.Choice{
		{Options: []any{int64(1), int64(2)}}, {Options: []any{int64(1), int64(2)}, Kind: space.Categorical},
		{Options: []any{"low", "high"}}, {Options: []any{"low", "high"}, Kind: space.Ordinal},
		{Options: []any{int64(128), int64(64), int64(256)}},
	}}
	for k, want := range []bool{true, false, false, true, false} {
		if got := featuresOf(sp)[k]; got.Ordered != want || got.Levels != len(sp.Choices[k].Options) {
			t.Errorf("choice %d: %+v", k, got)
		}
	}
}

// wells is a space of six choices, and rewards that are the nearer to 0 the nearer a
// configuration is to the task's best.
func wells() *space.Space {
	sp := &space.Space{}
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		sp.Choices = append(sp.Choices, space.Choice{Name: name, Options: []any{0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0}})
	}
	return sp
}

func depth(best, actions []int) float64 {
	v := 0.0
	for k, a := range actions {
		v -= math.Abs(float64(a - best[k]))
	}
	return v
}

// sourceOf is a random search of a task.
func sourceOf(name string, best []int, trials int) Source {
	s := Source{Task: name}
	r := rng.New(9, "source/"+name, 0)
	for range trials {
		actions := make([]int, len(best))
		for k := range actions {
			actions[k] = r.IntN(7)
		}
		s.Trials = append(s.Trials, Known{Actions: actions, Status: trainer.OK, Reward: depth(best, actions)})
	}
	return s
}

func newWells(t testing.TB, seed uint64, settings string, sources ...Source) *kindred {
	t.Helper()
	raw, err := ParseSettings(Kindred, []byte(settings))
	if err != nil {
		t.Fatal(err)
	}
	s, err := newKindred(Start{Seed: seed, Space: wells(), Tasks: []string{"new"}, Settings: raw, Sources: sources})
	if err != nil {
		t.Fatal(err)
	}
	return s.(*kindred)
}

// wellSearch runs trials and returns the best reward after each.
func wellSearch(t testing.TB, s Strategy, best []int, trials int) (curve []float64) {
	t.Helper()
	top := math.Inf(-1)
	for i := range trials {
		actions, _ := s.Ask(i, 0)
		reward := depth(best, actions)
		top = max(top, reward)
		curve = append(curve, top)
		if err := s.Tell(Told{Trial: i, Actions: actions, Status: trainer.OK, Reward: reward}); err != nil {
			t.Fatal(err)
		}
	}
	return curve
}

func TestKindredLearnsWhatSourcesSay(t *testing.T) {
	target := []int{2, 3, 4, 1, 5, 2}
	alike := []Source{sourceOf("x", []int{2, 3, 4, 2, 5, 2}, 300), sourceOf("y", []int{2, 2, 4, 1, 5, 3}, 300)}
	opposite := sourceOf("z", []int{6, 6, 0, 6, 0, 6}, 300)
	first, last, misled, alone, aloneLonger := 0.0, 0.0, 0.0, 0.0, 0.0
	const seeds = 10
	for seed := range uint64(seeds) {
		curve := wellSearch(t, newWells(t, seed, `{}`, alike...), target, 40)
		first, last = first+curve[5]/seeds, last+curve[39]/seeds
		raw := must(ParseSettings(TPE, nil))(t)
		curve = wellSearch(t, must(newTPE(Start{Seed: seed, Space: wells(), Tasks: []string{"new"}, Settings: raw}))(t), target, 80)
		alone, aloneLonger = alone+curve[39]/seeds, aloneLonger+curve[79]/seeds
		misled += wellSearch(t, newWells(t, seed, `{}`, opposite), target, 80)[79] / seeds
	}
	// A random configuration is 12 away on average, the best of six random ones about 8.
	if first < -5 || last < alone+1 {
		t.Errorf("with sources like it: %v after 6 trials, %v after 40; tpe: %v", first, last, alone)
	}
	if misled < aloneLonger-1 {
		t.Errorf("with a source that misleads: %v after 80 trials; tpe: %v", misled, aloneLonger)
	}
}

func TestKindredWeighsSources(t *testing.T) {
	target := []int{2, 3, 4, 1, 5, 2}
	s := newWells(t, 1, `{}`, sourceOf("like", []int{2, 3, 4, 1, 5, 1}, 300), sourceOf("unlike", []int{6, 6, 0, 6, 0, 6}, 300))
	r := rng.New(1, "test", 0)
	for i := range 40 {
		actions := uniform(r, s.options)
		if err := s.Tell(Told{Trial: i, Actions: actions, Status: trainer.OK, Reward: depth(target, actions)}); err != nil {
			t.Fatal(err)
		}
	}
	s.learn(&s.tasks[0])
	// The first weight is that of the model of both.
	if w := s.tasks[0].process.weights; w[1] < w[2] {
		t.Errorf("the source that is like the task weighs %v, the other one %v", w[1], w[2])
	}
}

func TestKindredRestoresWithSources(t *testing.T) {
	target := []int{2, 3, 4, 1, 5, 2}
	whole := newWells(t, 3, `{}`, sourceOf("x", []int{2, 3, 4, 2, 5, 2}, 100))
	want := wellSearch(t, whole, target, 60)
	half := newWells(t, 3, `{}`, sourceOf("x", []int{2, 3, 4, 2, 5, 2}, 100))
	wellSearch(t, half, target, 55)
	put := func(s Strategy) []byte {
		f := safetensors.New("state")
		s.Put(f)
		return f.Encode()
	}
	f, err := safetensors.Decode(put(half))
	if err != nil {
		t.Fatal(err)
	}
	again := newWells(t, 3, `{}`) // a search is restored without its sources
	if err := again.Get(f); err != nil {
		t.Fatal(err)
	}
	for i := 55; i < 60; i++ {
		actions, _ := again.Ask(i, 0)
		if err := again.Tell(Told{Trial: i, Actions: actions, Status: trainer.OK, Reward: depth(target, actions)}); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(put(whole), put(again)) || len(want) != 60 {
		t.Error("restored, it goes another way")
	}
}

func TestKindredSettings(t *testing.T) {
	_, err := ParseSettings(Kindred, []byte(`{"portfolio": -1, "mutations": -2, "own": -1, "process": 101}`))
	for _, want := range []string{"portfolio is -1", "mutations is -2", "own is -1", "process is 101"} {
		if !says(err, want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
}

// withInert is a space where the size of hidden layers is nothing without any, and another task's
// trials of all of it.
func withInert() (*space.Space, Source) {
	sp := &space.Space{Choices: []space.Choice{
		{Name: trainer.HiddenLayers, Options: []any{int64(0), int64(1)}},
		{Name: trainer.HiddenSize, Options: []any{int64(8), int64(16), int64(32)}},
		{Name: trainer.Steps, Options: []any{int64(1), int64(2), int64(3), int64(4)}},
	}}
	source := Source{Task: "x"}
	for i := range 24 {
		actions := []int{i % 2, i / 2 % 3, i / 6}
		source.Trials = append(source.Trials, Known{Actions: actions, Status: trainer.OK, Reward: float64(i/6 - i%2)})
	}
	return sp, source
}

// Without repeating no model is tried twice: where there are no hidden layers, what they
// are like is nothing.
func TestKindredTriesModelsOnce(t *testing.T) {
	sp, source := withInert()
	start := Start{Seed: 1, Space: sp, Tasks: []string{"new"}, Sources: []Source{source}}
	start.Settings = must(ParseSettings(Kindred, []byte(`{"repeat": false}`)))(t)
	s := must(newKindred(start))(t)
	seen := map[string]bool{}
	for i := range 16 { // 4 without hidden layers, 12 with
		actions, _ := s.Ask(i, 0)
		if key := keyOf(actions); seen[key] || actions[0] == 0 && actions[1] != 0 {
			t.Fatalf("trial %d: %v again", i, actions)
		} else {
			seen[key] = true
		}
		if err := s.Tell(Told{Trial: i, Actions: actions, Status: trainer.OK, Reward: float64(actions[2] - actions[0])}); err != nil {
			t.Fatal(err)
		}
	}
}

// Turned on in a fork, inert holds of the opening, of what was told and of what is in flight
// as if it had been on from the start.
func TestKindredForksToInert(t *testing.T) {
	sp, source := withInert()
	under := func(settings string, sources ...Source) *kindred {
		start := Start{Seed: 1, Space: sp, Tasks: []string{"new"}, Sources: sources}
		start.Settings = must(ParseSettings(Kindred, []byte(settings)))(t)
		return must(newKindred(start))(t).(*kindred)
	}
	s := under(`{"inert": false, "repeat": false, "portfolio": 0}`, source)
	for i, actions := range [][]int{{0, 1, 0}, {0, 2, 0}, {1, 2, 0}, {0, 2, 1}} {
		if err := s.Tell(Told{Trial: i, Actions: actions, Status: trainer.OK, Reward: float64(actions[2] - actions[0])}); err != nil {
			t.Fatal(err)
		}
	}
	s.flying.add(4, 0, []int{0, 1, 2})
	f := safetensors.New("state")
	s.Put(f)
	s = under(`{"repeat": false, "portfolio": 0}`)
	if err := s.Get(f); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{keyOf([]int{0, 0, 0}): true, keyOf([]int{1, 2, 0}): true, keyOf([]int{0, 0, 1}): true, keyOf([]int{0, 0, 2}): true}
	for trial := 5; len(seen) < 16; trial++ { // 4 without hidden layers, 12 with
		actions, _ := s.Ask(trial, 0)
		if key := keyOf(actions); seen[key] || actions[0] == 0 && actions[1] != 0 {
			t.Fatalf("trial %d: %v again", trial, actions)
		} else {
			seen[key] = true
		}
	}
	once := map[string]bool{}
	for _, actions := range s.opening {
		if once[keyOf(actions)] || actions[0] == 0 && actions[1] != 0 {
			t.Errorf("the opening has %v, in %v", actions, s.opening)
		}
		once[keyOf(actions)] = true
	}
	// What is canonical already is restored as it is, to the byte.
	one, two := safetensors.New("state"), safetensors.New("state")
	s.Put(one)
	again := under(`{"repeat": false, "portfolio": 0}`)
	if err := again.Get(one); err != nil {
		t.Fatal(err)
	}
	if again.Put(two); !bytes.Equal(one.Encode(), two.Encode()) {
		t.Error("restored, the state is another")
	}
}

// A long search's process is of the best and the newest trials, and restored the same.
func TestKindredLearnsOfABoundedNumber(t *testing.T) {
	raw := must(ParseSettings(Kindred, nil))(t)
	start := Start{Seed: 1, Space: wells(), Tasks: []string{"new"}, Settings: raw}
	s := must(newKindred(start))(t).(*kindred)
	r := rng.New(1, "test", 0)
	for i := range maxLearned + 50 {
		told := Told{Trial: i, Actions: uniform(r, s.options), Status: trainer.OK, Reward: r.Float64()}
		switch {
		case i%10 == 3:
			told.Status, told.Reward = trainer.Failed, 0
		case i == maxLearned+35: // the worst, which failures of before are then as bad as
			told.Reward = -1
			s.Ask(i, 0)
		}
		if err := s.Tell(told); err != nil {
			t.Fatal(err)
		}
	}
	f := safetensors.New("state")
	s.Put(f)
	again := must(newKindred(start))(t)
	if err := again.Get(f); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		a, _ := s.Ask(maxLearned+50+i, 0)
		if b, _ := again.Ask(maxLearned+50+i, 0); !slices.Equal(a, b) {
			t.Errorf("%v, restored %v", a, b)
		}
	}
	if n := len(s.tasks[0].process.x); n != maxLearned {
		t.Errorf("the process is of %d trials", n)
	}
}

// With a lag nothing is asked again while it is in flight, nor at all without repeating,
// whether the search is restored on its way or not.
func TestKindredKnowsWhatIsInFlight(t *testing.T) {
	const lag, trials = 4, 20
	target := []int{2, 3, 4, 1, 5, 2}
	source := sourceOf("x", []int{2, 3, 4, 2, 5, 2}, 100)
	for _, settings := range []string{`{"repeat": true}`, `{"repeat": false}`} {
		for _, sources := range [][]Source{nil, {source}} {
			for seed := range uint64(3) {
				s := newWells(t, seed, settings, sources...)
				restored := newWells(t, seed, settings, sources...)
				var asked [][]int
				for i := range trials {
					actions, _ := s.Ask(i, 0)
					again, _ := restored.Ask(i, 0)
					since := 0
					if s.settings.Repeat {
						since = max(0, i-lag+1)
					}
					if slices.ContainsFunc(asked[since:], func(a []int) bool { return slices.Equal(a, actions) }) {
						t.Errorf("%s, %d sources, seed %d: trial %d is asked again: %v", settings, len(sources), seed, i, actions)
					}
					if asked = append(asked, actions); !slices.Equal(actions, again) {
						t.Errorf("%s, %d sources, seed %d: trial %d is %v, restored %v", settings, len(sources), seed, i, actions, again)
					}
					f := safetensors.New("state")
					restored.Put(f)
					restored = newWells(t, seed, settings)
					if err := restored.Get(f); err != nil {
						t.Fatal(err)
					}
					if of := i - lag + 1; of >= 0 {
						told := Told{Trial: of, Actions: asked[of], Status: trainer.OK, Reward: depth(target, asked[of])}
						if err := errors.Join(s.Tell(told), restored.Tell(told)); err != nil {
							t.Fatal(err)
						}
					}
				}
				if n := len(s.flying); n != lag-1 {
					t.Errorf("%d are in flight", n)
				}
			}
		}
	}
}

// Each task has the whole portfolio, whatever the order in which tasks are asked.
func TestKindredPortfolioOfEachTask(t *testing.T) {
	raw := must(ParseSettings(Kindred, nil))(t)
	s := must(newKindred(Start{
		Seed: 1, Space: wells(), Tasks: []string{"a", "b"}, Settings: raw, Sources: []Source{sourceOf("x", []int{2, 3, 4, 2, 5, 2}, 100)},
	}))(t).(*kindred)
	at := [2]int{}
	for trial, task := range []int{0, 0, 1, 0, 1, 1} {
		if actions, _ := s.Ask(trial, task); !slices.Equal(actions, s.opening[at[task]]) {
			t.Errorf("trial %d: %v, want the task's entry %d, %v", trial, actions, at[task], s.opening[at[task]])
		}
		at[task]++
	}
}

// What is believed is as if its expected value had been observed: the mean stays, and
// doubt falls. One trial of the value 1 at option 0, of 3 ordered options: kernels are
// e^-¼ and e^-½, and a trial's variance is 1 + .36 + .09.
func TestKindredBelieves(t *testing.T) {
	features := []trees.Feature{{Levels: 3, Ordered: true}}
	of := func(z ...float64) *kindredProcess {
		p := newKindredProcess(features, KindredSettings{Process: 1}, 0)
		for i := range z {
			p.add([]int{i}, nil)
		}
		p.observe(z)
		return p
	}
	one := of(.5, 1)
	believed := one.believing([][]int{{2}}, [][]float64{nil})
	observed := of(.5, 1, one.expected([]int{2}, nil))
	for x := range 3 {
		at := []int{x}
		if a, b, c := one.expected(at, nil), believed.expected(at, nil), observed.expected(at, nil); a != b || math.Abs(b-c) > 1e-12 {
			t.Errorf("option %d: %v, believed %v, observed %v", x, a, b, c)
		}
		if a, b := believed.doubt(at, nil), observed.doubt(at, nil); a != b || !(b < one.doubt(at, nil)) {
			t.Errorf("option %d: doubt %v, believed %v, observed %v", x, one.doubt(at, nil), a, b)
		}
	}
	if len(one.x) != 2 {
		t.Errorf("the process itself has %d trials", len(one.x))
	}
	first := of(1)
	if got, want := first.believing([][]int{{2}}, [][]float64{nil}).doubt([]int{2}, nil), func() float64 {
		before := 1.45 - math.Exp(-1)/1.45                        // the variance of option 2
		return math.Sqrt(before - math.Pow(before-.09, 2)/before) // less what a trial of it tells
	}(); math.Abs(got-want) > 1e-12 {
		t.Errorf("doubt %v, want %v", got, want)
	}
}

// BenchmarkKindred runs searches of 100 trials with 8 sources of 500.
// In the widest space a proposal looks at no more changes than memory has room for, and in
// the turns after it at all others.
func TestChangesOfAWideSpace(t *testing.T) {
	count := func(choices, options, turns int) (most, all int) {
		n, seen := slices.Repeat([]int{options}, choices), map[string]bool{}
		for turn := range turns {
			out := changes(n, make([]int, choices), turn)
			for _, actions := range out {
				seen[keyOf(actions)] = true
			}
			most = max(most, len(out))
		}
		return most, len(seen)
	}
	for _, c := range []struct{ choices, options, turns, most, all int }{
		{1, 1, 1, 0, 0}, {12, 8, 1, 84, 84}, {5, 1000, 1, 4995, 4995}, {6, 1000, 2, 2997, 5994},
		{space.MaxChoices, space.MaxOptions, 13, 4919, 63936},
	} {
		if most, all := count(c.choices, c.options, c.turns); most != c.most || all != c.all {
			t.Errorf("%d choices of %d options: %d changes at most, %d in all, want %d and %d", c.choices, c.options, most, all, c.most, c.all)
		}
	}
}

func BenchmarkKindred(b *testing.B) {
	var sources []Source
	for k := range 8 {
		sources = append(sources, sourceOf(string(rune('a'+k)), []int{2, 3, 4, k % 7, 5, 2}, 500))
	}
	n := 0
	for b.Loop() {
		wellSearch(b, newWells(b, 1, `{}`, sources...), []int{2, 3, 4, 1, 5, 2}, 100)
		n += 100
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "trials/s")
}
