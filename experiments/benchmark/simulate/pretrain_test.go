package simulate

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"tnaml/experiments/search/strategy"
)

// A controller that is pretrained by itself is the one that a comparison's arms start from,
// whatever the number of workers, and says that it has learned from surrogates.
func TestPretrain(t *testing.T) {
	w, plan := testWorld(t), testPlan()
	p := plan.Pretrainings[0]
	p.Tasks = w.Development
	got, err := Pretrain(t.Context(), w, p, 1, plan.Lag, 1)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Pretrain(t.Context(), w, p, 1, plan.Lag, 4)
	if err != nil || !bytes.Equal(again.Object, got.Object) {
		t.Errorf("another controller: %v", err)
	}
	if other, err := Pretrain(t.Context(), w, p, 2, plan.Lag, 1); err != nil || bytes.Equal(other.Object, got.Object) {
		t.Errorf("not a function of the seed: %v", err)
	}
	result, err := Run(t.Context(), w, plan, func(int, int) {})
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, l := range result.Learned {
		if l.Seed == 1 && len(l.Tasks) == len(w.Development) {
			found = true
			if l.Information != got.Information || l.Most != got.Most {
				t.Errorf("%+v, in the comparison %+v", got.Learned, l)
			}
		}
	}
	if !found {
		t.Error("the comparison has no such pretraining")
	}
	c, err := strategy.DecodeController(got.Object)
	if err != nil {
		t.Fatal(err)
	}
	if o := c.Origin; o.Trials != p.Trials || o.Seed != 1 || len(o.Tasks) != 3 || o.Tasks[0].Name != "a" || o.Tasks[0].Data != "surrogate:a" {
		t.Errorf("%+v", o)
	}
}

// What is wrong is told together, and a strategy that has no controller leaves none.
func TestPretrainBadInput(t *testing.T) {
	w := testWorld(t)
	_, err := Pretrain(t.Context(), w, Pretraining{
		Strategy: strategy.NAML, Tasks: []string{"a", "z", "a"}, Settings: json.RawMessage(`{"speed":1}`),
	}, 1, 1, 1)
	for _, want := range []string{
		`there is no task "z" (there are: "a", "b", "c", "x", "y")`, `the task "a" is there twice`, "0 trials", "speed",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	for _, c := range []struct {
		strategy string
		tasks    []string
		lag      int
		want     string
	}{
		{strategy.Random, w.Development, 1, "random learns no controller"}, {strategy.NAML, nil, 1, "no tasks (recorded: a, b, c, x, y)"},
		{strategy.NAML, w.Development, 1_000_000, "a lag of 1000000"},
	} {
		_, err := Pretrain(t.Context(), w, Pretraining{Strategy: c.strategy, Tasks: c.tasks, Trials: 10}, 1, c.lag, 1)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q is not in: %v", c.want, err)
		}
	}
}
