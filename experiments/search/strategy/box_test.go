package strategy

import (
	"encoding/json"
	"slices"
	"testing"

	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// Three tasks whose best are at 1, 3 and 3 of an ordered choice, and at b, d and d of one
// without order: the box has 1 to 3, and b and d alone.
func TestBoxByHand(t *testing.T) {
	sp := &space.Space{Name: "hand", Choices: []space.Choice{
		{Name: "size", Options: []any{int64(1), int64(2), int64(4), int64(8), int64(16)}}, {Name: "kind", Options: []any{"a", "b", "c", "d"}},
		{Name: "only", Options: []any{true}},
	}}
	task := func(trials ...Known) Source { return Source{Trials: trials} }
	ok := func(reward float64, a, b int) Known { return Known{[]int{a, b, 0}, trainer.OK, reward} }
	sources := []Source{
		task(ok(.1, 0, 0), ok(.9, 1, 1), ok(.8, 4, 2)),
		task(ok(-5, 3, 3), ok(-7, 0, 0), ok(-5, 4, 0)),                                             // of two equal ones the first
		task(ok(1, 2, 3), Known{[]int{0, 0, 0}, trainer.Failed, 5}, ok(2, 3, 3)),                   // a failure is no best
		task(Known{[]int{4, 2, 0}, trainer.Diverged, 9}, Known{[]int{4, 2, 0}, trainer.Failed, 9}), // nor a task of failures
	}
	same := func(got [][]int, want ...[]int) {
		t.Helper()
		if !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("%v, want %v", got, want)
		}
	}
	same(bounds(sp, sources, 1), []int{1, 2, 3}, []int{1, 3}, []int{0})
	same(bounds(sp, sources, 2), []int{1, 2, 3, 4}, []int{0, 1, 2, 3}, []int{0})
	same(bounds(sp, nil, 1), []int{0, 1, 2, 3, 4}, []int{0, 1, 2, 3}, []int{0})

	d := must(Builtin().Find(Box))(t)
	s := must(d.New(Start{Seed: 1, Space: sp, Tasks: []string{"t"}, Sources: sources,
		Settings: must(ParseSettings(Box, json.RawMessage(`{"inner":{"strategy":"random"}}`)))(t)}))(t)
	b := s.(*box)
	seen := map[[2]int]int{}
	for i := range 200 {
		actions, _ := s.Ask(i, 0)
		seen[[2]int{actions[0], actions[1]}]++
		if err := s.Tell(Told{Trial: i, Actions: actions}); err != nil {
			t.Fatal(err)
		}
	}
	for a := 1; a <= 3; a++ {
		for _, k := range []int{1, 3} {
			if n := seen[[2]int{a, k}]; n < 15 {
				t.Errorf("%d, %d was asked %d times of 200", a, k, n)
			}
		}
	}
	if len(seen) != 6 {
		t.Errorf("%v", seen)
	}
	// The inner strategy speaks of the options inside, by their place there.
	inner := &listener{Strategy: b.inner.Strategy}
	b.inner.Strategy = &checked{inner, t}
	if err := s.Tell(Told{Trial: 200, Actions: []int{3, 3, 0}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Tell(Told{Trial: 201, Actions: []int{0, 3, 0}}); !says(err, "trial 201 is not in the box") {
		t.Errorf("%v", err)
	}
	for raw, want := range map[string]string{
		`{"top":0}`: "top is 0", `{"inner":{"strategy":"portfolio"}}`: `inner: unknown strategy "portfolio"`,
	} {
		if _, err := ParseSettings(Box, json.RawMessage(raw)); !says(err, want) {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

// checked wants the actions 3, 3 of the whole space as the box's 2, 1.
type checked struct {
	Strategy
	t *testing.T
}

func (c *checked) Tell(t Told) error {
	if !slices.Equal(t.Actions, []int{2, 1, 0}) {
		c.t.Errorf("the inner strategy is told of %v", t.Actions)
	}
	return nil
}

// A strategy that learns from other tasks does so in the box too, from their trials
// there.
func TestBoxHandsSourcesOn(t *testing.T) {
	d := must(Builtin().Find(Box))(t)
	settings := must(d.Canonical(json.RawMessage(`{"inner":{"strategy":"copula","settings":{"candidates":50}}}`), nil))(t)
	sources := relatedSources(6, 200, false)
	s := must(d.New(Start{Seed: 1, Space: relatedSpace(), Tasks: []string{"t"}, Sources: sources, Settings: settings}))(t)
	mean := s.(*box).inner.Strategy.(*copula).mean
	if a, b := mean.Predict([]int{0, 0, 0, 0, 0, 0, 0, 0}), mean.Predict([]int{1, 1, 1, 1, 1, 1, 1, 1}); a == 0 && b == 0 {
		t.Error("the inner strategy has learned nothing")
	}
}
