package study

import (
	"fmt"
	"math"
	"strconv"
	"testing"

	"tnaml/experiments/benchmark/simulate"
	"tnaml/nn/rng"
)

// An arm's drift is counted on from its base, until a night says that it is slower or faster
// than before: then from the night after it on. Other arms go on.
func TestBase(t *testing.T) {
	same := simulate.Slowdown{Ratio: 1, Low: 1, High: 1, P: 1, Unchanged: true}
	level := simulate.Slowdown{Ratio: .99, Low: .95, High: 1.03, P: .6}
	faster := simulate.Slowdown{Ratio: .9, Low: .85, High: .95, P: 1, Faster: true}
	slower := simulate.Slowdown{Ratio: 1.2, Low: 1.1, High: 1.3, P: 1e-5, Slower: true}
	of := func(arm string, s simulate.Slowdown) simulate.Slowdown { s.Arm = arm; return s }
	for name, c := range map[string]struct {
		latest, drift simulate.Slowdown
		goesOn        bool
	}{
		"unchanged": {same, level, true}, "level": {level, level, true},
		"slower": {slower, level, false}, "drifted": {level, slower, false},
		"perhaps faster": {simulate.Slowdown{Ratio: .9, Low: .85, High: .99, P: .99}, level, true},
		"faster":         {faster, level, false}, "faster than long ago": {level, faster, false},
	} {
		v := SimulatedVerdict{
			Slowdowns: []simulate.Slowdown{of("a", c.latest), of("b", level)},
			Bases:     []Base{{Arm: "a", Run: "n1"}, {Arm: "b", Run: "n2"}},
			Drift:     []Drift{{"n1", of("a", c.drift)}, {"n2", of("b", level)}},
		}
		if base, ok := v.Base("a"); v.Moved("a") == c.goesOn || !ok || base.Run != "n1" {
			t.Errorf("%s: %+v, %v, %v", name, v.Moved("a"), base, ok)
		}
		if base, ok := v.Base("b"); v.Moved("b") || !ok || base.Run != "n2" {
			t.Errorf("%s: the other arm: %+v, %v", name, base, ok)
		}
	}
	if _, ok := (&SimulatedVerdict{}).Base("a"); ok {
		t.Error("the first night has none")
	}
}

// Where each night's searches are as fast as the night's before, of other random numbers, an
// arm is told to be slower as seldom as Alarm says: neither test nor base is chosen by luck.
func TestAlarms(t *testing.T) {
	const chains, length, arms, seeds = 300, 40, 4, 30
	alarms := 0
	for chain := range uint64(chains) {
		var nights []*simulate.Night
		var verdicts []SimulatedVerdict
		for n := range length {
			r := rng.New(chain, "nights", uint64(n))
			night := &simulate.Night{Trials: 1000}
			for a := range arms {
				night.Arms, night.Took = append(night.Arms, fmt.Sprint(a)), append(night.Took, nil)
				for range seeds {
					night.Took[a] = append(night.Took[a], []int{1 + int(50*r.ExpFloat64())})
				}
			}
			nights = append(nights, night)
			var v SimulatedVerdict
			if n > 0 {
				v.Slowdowns = simulate.Slowdowns(night, nights[n-1])
			}
			for a, arm := range night.Arms {
				if n == 0 || verdicts[n-1].Moved(arm) {
					continue
				}
				base, ok := verdicts[n-1].Base(arm)
				if !ok {
					base = Base{Arm: arm, Run: strconv.Itoa(n - 1)}
				}
				if v.Bases = append(v.Bases, base); ok {
					from, _ := strconv.Atoi(base.Run)
					v.Drift = append(v.Drift, Drift{base.Run, simulate.Drift(night, nights[from], a)})
				}
			}
			if verdicts = append(verdicts, v); v.Slower() {
				alarms++
			}
		}
	}
	const nights = chains * (length - 1)
	if share := float64(alarms) / nights; share > simulate.Alarm+3*math.Sqrt(simulate.Alarm/nights) || share < simulate.Alarm/4 {
		t.Errorf("%.4f of the nights are called slower, want %.2f", share, simulate.Alarm)
	}
}
