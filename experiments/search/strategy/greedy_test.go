package strategy

import (
	"math"
	"strings"
	"testing"

	"tnaml/experiments/space"
	"tnaml/nn/controller"
)

// A controller of three choices whose probabilities are known: 3/4 and 1/4, three
// equal ones, and one that leaves no choice.
func TestGreedyByHand(t *testing.T) {
	sp := space.Space{Trainer: "table", Choices: []space.Choice{
		{Name: "size", Options: []any{int64(1), int64(2)}}, {Name: "how_cool", Options: []any{"a", "b", "c"}}, {Name: "one", Options: []any{true}},
	}}
	policy, err := controller.New(controller.Config{Options: sp.Options()}, 1)
	if err != nil {
		t.Fatal(err)
	}
	policy.AddTask(1)
	set := func(bias float64) Greedy {
		for _, p := range policy.Parameters() {
			clear(p.Value)
			if p.Name == "head/0/bias" {
				p.Value[1] = bias
			}
		}
		return (&Pretrained{Origin: Origin{Space: sp}, Policy: policy}).GreedyAll()[0]
	}
	near := func(a, b float64) bool { return math.Abs(a-b) < 1e-12 }
	g := set(math.Log(3))
	h := (.75*math.Log(4./3) + .25*math.Log(4)) / math.Ln2 // .811
	if g.Actions[0] != 1 || !near(g.LogProb, math.Log(.75/3)) || !near(g.Uniform, -math.Log(6)) ||
		!near(g.Evenness[0], h) || !near(g.Evenness[1], 1) || g.Evenness[2] != 0 {
		t.Errorf("%+v", g)
	}
	if got := g.Probability(); got != "0.25, 1.5 × uniform" {
		t.Error(got)
	}
	if got := g.Preferred(&sp); got != "1 of 2, not how cool" || !g.Settled(&sp) || strings.Contains(g.Describe(&sp), "no preference") {
		t.Errorf("%s; %s", got, g.Describe(&sp))
	}
	// 3/5 against 2/5 has an entropy of .971 of a bit: noise, and not told as a finding.
	if g := set(math.Log(1.5)); g.Settled(&sp) || g.Describe(&sp) != "no preference yet" || g.Preferred(&sp) != "0 of 2" {
		t.Errorf("%+v: %s", g, g.Describe(&sp))
	}
	if got := power(-2000); got != "10^-869" {
		t.Error(got)
	}
}
