package strategy

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"tnaml/experiments/trainer"
	"tnaml/nn/rng"
	"tnaml/nn/safetensors"
)

// The places of pruned trials, failures and infeasible models by hand, whatever was told of
// them.
func TestEffectiveRewards(t *testing.T) {
	const ok, pruned, failed, lost, breaks = trainer.OK, trainer.Pruned, trainer.Failed, trainer.Lost, trainer.Infeasible
	type status = []trainer.Status
	for name, c := range map[string]struct {
		statuses   status
		told, want []float64
	}{
		"none":                          {nil, nil, nil},
		"values alone":                  {status{ok, ok, ok}, []float64{.3, .9, -2}, []float64{.3, .9, -2}},
		"pruned above the worst":        {status{ok, pruned, ok}, []float64{.3, .9, -2}, []float64{.3, -2, -2}},
		"pruned below it":               {status{pruned, ok, pruned}, []float64{.2, .3, -1}, []float64{.2, .3, -1}},
		"pruned ones alone":             {status{pruned, failed, pruned}, []float64{.9, 0, .2}, []float64{.9, .2, .2}},
		"failed like the pruned":        {status{failed, pruned, ok}, []float64{0, .9, .5}, []float64{.5, .5, .5}},
		"infeasible below the pruned":   {status{breaks, pruned, ok}, []float64{5, 9, 4}, []float64{4 - .002, 4, 4}},
		"an early value is no scale":    {status{breaks, pruned, ok, ok}, []float64{3, 900, 2, 4}, []float64{1, 2, 2, 4}},
		"failures first":                {status{failed, lost, ok, ok}, []float64{0, 0, -3, -1}, []float64{-3, -3, -3, -1}},
		"a worse one later":             {status{ok, failed, pruned}, []float64{.7, .7, .3}, []float64{.7, .3, .3}},
		"failures alone":                {status{failed, lost}, []float64{0, .2}, []float64{0, 0}},
		"infeasible ones alone":         {status{breaks, failed, breaks}, []float64{-2, 0, -5}, []float64{-2, -5, -5}},
		"below already":                 {status{ok, breaks, ok}, []float64{1, .5, 3}, []float64{1, .5, 3}},
		"the first infeasible":          {status{breaks, ok, ok}, []float64{.95, .8, .9}, []float64{.8 - .05, .8, .9}},
		"brought down together":         {status{breaks, breaks, ok, failed, ok}, []float64{6, 2, 4, 4, 8}, []float64{2, -2, 4, 4, 8}},
		"equal to the worst":            {status{breaks, ok}, []float64{0, 0}, []float64{-.5, 0}},
		"equal to the only one, scaled": {status{breaks, ok}, []float64{-4000, -4000}, []float64{-4002, -4000}},
	} {
		before := slices.Clone(c.told)
		got := effective(c.statuses, c.told)
		if !slices.EqualFunc(got, c.want, func(a, b float64) bool { return math.Abs(a-b) < 1e-12 }) || !slices.Equal(before, c.told) {
			t.Errorf("%s: %v of %v, want %v", name, got, before, c.want)
		}
	}
}

// Pruned trials are never better than one that ended well, failures never better than what
// has a value, infeasible ones always worse, in their order, at any scale; final values stay.
// In another order the trials have the same rewards.
func TestEffectiveRewardsOfAnySize(t *testing.T) {
	for i := range uint64(2000) {
		g := rng.New(1, "effective", i)
		var statuses []trainer.Status
		var told []float64
		for range 1 + g.IntN(12) {
			statuses = append(statuses, trainer.Statuses()[g.IntN(len(trainer.Statuses()))])
			told = append(told, g.NormFloat64()*math.Pow(10, float64(g.IntN(60)-30)))
		}
		got := effective(statuses, told)
		order := g.Perm(len(told))
		var others []trainer.Status
		var values []float64
		for _, a := range order {
			others, values = append(others, statuses[a]), append(values, told[a])
		}
		for at, r := range effective(others, values) {
			if r != got[order[at]] {
				t.Fatalf("%v %v: %v, in the order %v another", statuses, told, got, order)
			}
		}
		for a, s := range statuses {
			value := s == trainer.OK || s == trainer.Pruned
			if s == trainer.OK && got[a] != told[a] || s == trainer.Pruned && got[a] > told[a] {
				t.Fatalf("%v %v: %v", statuses, told, got)
			}
			for b, o := range statuses {
				switch {
				case s == trainer.OK && o == trainer.Pruned && got[b] > got[a]:
					t.Fatalf("%v %v: %v", statuses, told, got)
				case value && o.Failure() && got[b] > got[a], value && o == trainer.Infeasible && got[b] >= got[a],
					s.Failure() && o.Failure() && got[a] != got[b],
					s == trainer.Infeasible && o == s && told[a] > told[b] && got[a] < got[b]:
					t.Fatalf("%v %v: %v", statuses, told, got)
				}
			}
		}
	}
}

// tells asks and tells a trial for each outcome, and returns what was asked.
func (s *search) tells(t testing.TB, outcomes ...Told) (asked [][]int) {
	t.Helper()
	for _, o := range outcomes {
		o.Trial = s.told
		o.Actions, o.LogProb = s.Ask(o.Trial, o.Task)
		if err := s.Tell(o); err != nil {
			t.Fatal(err)
		}
		asked = append(asked, o.Actions)
		s.told++
	}
	return asked
}

// What is pruned, fails or breaks a constraint before better and worse trials are known is no
// parent, and not among the best.
func TestEarlyFailuresDoNotLead(t *testing.T) {
	value := func(r float64) Told { return Told{Status: trainer.OK, Reward: r} }
	pruned := func(r float64) Told { return Told{Status: trainer.Pruned, Reward: r} }
	failed := func(r float64) Told { return Told{Status: trainer.Diverged, Reward: r} }
	breaks := func(r float64) Told { return Told{Status: trainer.Infeasible, Reward: r} }
	for name, c := range map[string]struct {
		outcomes []Told // the last is the best
		order    []int
	}{
		"failed before all":        {[]Told{failed(0), failed(0), value(-7), value(-5), value(-3)}, []int{4, 3, 0, 1, 2}},
		"failed before worse ones": {[]Told{value(.7), failed(.7), value(.3), value(.3), value(.71)}, []int{4, 0, 1, 2, 3}},
		"infeasible before all":    {[]Told{breaks(.9493), value(.80), value(.79), value(.81), value(.82)}, []int{4, 3, 1, 2, 0}},
		"pruned before all":        {[]Told{pruned(.9), value(.7), value(.6), value(.65), value(.75)}, []int{4, 1, 3, 0, 2}},
		"both":                     {[]Told{breaks(-.2), failed(-.1), value(-9), value(-8), value(-7)}, []int{4, 3, 1, 2, 0}},
	} {
		s := begin(t, Evolution, `{"population":5,"sample":100}`, 1) // the best of the population, but for one draw of 10^9
		asked := s.tells(t, c.outcomes...)
		child, _ := s.Ask(5, 0)
		if n := differences(child, asked[4]); n != 1 {
			t.Errorf("evolution: %s: the child differs from the best at %d choices", name, n)
		}
		s = begin(t, TPE, `{"startup":20}`, 1)
		s.tells(t, c.outcomes...)
		if order := s.Strategy.(*tpe).best[0]; !slices.Equal(order, c.order) {
			t.Errorf("tpe: %s: the order is %v", name, order)
		}
		g := guidedIn(t, `{"method":"mutations","population":5,"sample":100,"startup":5,"mutation":0}`, 0)
		asked = (&search{Strategy: g}).tells(t, c.outcomes...)
		for i := 5; i < 25; i++ {
			if child, _ := g.Ask(i, 0); differences(child, asked[4]) > 1 {
				t.Errorf("guided: %s: the child is %v, the best %v", name, child, asked[4])
			}
		}
	}
}

// Strategies that keep trials are the same restored, where the places of early trials
// depend on later ones.
func TestPlacesAreRestored(t *testing.T) {
	outcome := func(trial int, actions []int) Told {
		told := Told{Status: trainer.OK, Reward: -float64(trial / 11)} // many are the worst so far, until one is worse
		switch {
		case actions[3] == 1:
			told.Status = trainer.Failed
		case actions[3] == 2:
			told.Status, told.Reward = trainer.Pruned, 1 // above all final ones
		case trial%4 == 2:
			told.Status, told.Reward = trainer.Infeasible, told.Reward-float64(actions[3])
		}
		return told
	}
	const trials = 45
	for _, c := range []struct{ name, settings string }{
		{TPE, `{"startup":3}`}, {Evolution, `{"population":8}`}, {Kindred, ``}, {Copula, `{"method":"gp","candidates":50}`},
		{Guided, `{"method":"mutations","startup":3,"population":8,"naml":{"controller":{"hidden":4}}}`},
		{Guided, `{"startup":3,"naml":{"controller":{"hidden":4}}}`},
	} {
		s := begin(t, c.name, c.settings, 1)
		for i := range trials {
			f := safetensors.New("state")
			s.Put(f)
			again := must(must(Builtin().Find(c.name))(t).New(s.start))(t)
			if err := again.Get(f); err != nil {
				t.Fatal(err)
			}
			actions, logProb := s.Ask(i, 0)
			if other, p := again.Ask(i, 0); !slices.Equal(actions, other) || p != logProb {
				t.Fatalf("%s %s: trial %d is %v, restored %v", c.name, c.settings, i, actions, other)
			}
			told := outcome(i, actions)
			told.Trial, told.Actions, told.LogProb = i, actions, logProb
			if err := s.Tell(told); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A status that is none is not taken from a state.
func TestStatusesAreRead(t *testing.T) {
	s := begin(t, TPE, ``, 1)
	s.tells(t, Told{Status: trainer.Lost}, Told{Status: trainer.OK})
	p := s.Strategy.(*tpe).tasks
	p[0].statuses[1] = "no status"
	f := safetensors.New("state")
	s.Put(f)
	if err := begin(t, TPE, ``, 1).Get(f); !says(err, "tpe", "no status 255") {
		t.Error(err)
	}
}

// A failure before a task's first value teaches a controller nothing; later it does, and
// is not remembered among the best, as an infeasible or a pruned one is not.
func TestFailuresTeachAController(t *testing.T) {
	remembered := map[string]string{"pqt": "queue", "rspg": "memory", "urex": "memory"}
	for _, method := range []string{"reinforce", "trpo", "ppo", "pqt", "rspg", "urex"} {
		s := begin(t, NAML, fmt.Sprintf(`{"controller":{"hidden":4},"policy_gradient":{"method":%q}}`, method), 2)
		put := func() *safetensors.File {
			f := safetensors.New("state")
			s.Put(f)
			return f
		}
		value := Told{Status: trainer.OK, Reward: -5}
		other := value
		other.Task = 1
		s.tells(t, other) // another task's values say nothing of this one's
		before := put().Encode()
		s.tells(t, Told{Status: trainer.Failed}, Told{Status: trainer.OverSteps})
		if !slices.Equal(before, put().Encode()) {
			t.Errorf("%s: failures before the first value teach", method)
		}
		s.tells(t, value, value)
		before = put().Encode()
		s.tells(t, Told{Status: trainer.Failed, Reward: -5}, Told{Status: trainer.Infeasible, Reward: -5.5})
		if slices.Equal(before, put().Encode()) {
			t.Errorf("%s: failures after the first value teach nothing", method)
		}
		s.tells(t, value, Told{Status: trainer.Pruned, Reward: -4.5})
		if where, ok := remembered[method]; ok {
			numbers, shape, err := safetensors.Get[float64](put(), "policy_gradient/"+where+"/0/numbers", -1, 3)
			if err != nil || shape[0] > 3 || slices.Contains(numbers, -5.5) || slices.Contains(numbers, -4.5) {
				t.Errorf("%s: of 3 values it remembers %v, %v", method, numbers, err)
			}
		}
	}
	// The least deviation of rspg is the baseline's floor.
	learned := func(settings string) []byte {
		s := begin(t, NAML, settings, 1)
		for i := range 4 { // each is the best so far
			s.tells(t, Told{Status: trainer.OK, Reward: float64(i) / 10})
		}
		f := safetensors.New("state")
		s.Strategy.(*naml).policy.PutArrays(f, "")
		return f.Encode()
	}
	const rspg = `{"controller":{"hidden":4},"policy_gradient":{"method":"rspg","rspg":{"epsilon":0.5}}`
	if slices.Equal(learned(rspg+`}`), learned(rspg+`,"baseline":{"floor":10}}`)) {
		t.Error("rspg learns the same whatever the baseline's floor")
	}
	// Nor do failures before the first value weigh a mixture's embeddings.
	p := pretrained(t, `{"controller":{"hidden":4}}`, 4)
	n := transfer(t, p, `{"embedding":{"start":"posterior"}}`)
	n.tells(t, Told{Status: trainer.Failed})
	if m := n.Strategy.(*naml).mixture; m.K < 2 || m.n[0] != 0 {
		t.Errorf("a mixture of %d has learned from %d trials", m.K, m.n[0])
	}
}
