package study

import (
	"testing"

	"tnaml/experiments/benchmark/simulate"
)

// An arm's drift is counted on from its base, until a night says that it is slower, or
// clearly faster, than before: then from that night on. Other arms go on.
func TestBase(t *testing.T) {
	same := simulate.Slowdown{Ratio: 1, Low: 1, High: 1, P: 1, Unchanged: true}
	level := simulate.Slowdown{Ratio: .99, Low: .95, High: 1.03, P: .6}
	faster := simulate.Slowdown{Ratio: .9, Low: .85, High: .95, P: 1}
	slower := simulate.Slowdown{Ratio: 1.2, Low: 1.1, High: 1.3, P: 1e-5, Slower: true}
	of := func(arm string, s simulate.Slowdown) simulate.Slowdown { s.Arm = arm; return s }
	for name, c := range map[string]struct {
		latest, drift simulate.Slowdown
		goesOn        bool
	}{
		"unchanged": {same, level, true}, "level": {level, level, true},
		"slower": {slower, level, false}, "drifted": {level, slower, false},
		"faster": {faster, level, false}, "faster than long ago": {level, faster, false},
	} {
		v := SimulatedVerdict{
			Slowdowns: []simulate.Slowdown{of("a", c.latest), of("b", level)},
			Bases:     []Base{{Arm: "a", Run: "n1"}, {Arm: "b", Run: "n2"}},
			Drift:     []Drift{{"n1", of("a", c.drift)}, {"n2", of("b", level)}},
		}
		if base, ok := v.Base("a"); ok != c.goesOn || ok && base.Run != "n1" {
			t.Errorf("%s: %+v, %v", name, base, ok)
		}
		if base, ok := v.Base("b"); !ok || base.Run != "n2" {
			t.Errorf("%s: the other arm: %+v, %v", name, base, ok)
		}
	}
	if _, ok := (&SimulatedVerdict{}).Base("a"); ok {
		t.Error("the first night has none")
	}
}
