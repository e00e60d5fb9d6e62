package study

import (
	"fmt"
	"strings"

	"tnaml/experiments/benchmark/simulate"
)

// Simulated is what a benchmark's run found by searches of recorded tasks.
type Simulated struct {
	// Nightly is what was searched, Plan its digest with the records'.
	Nightly simulate.Nightly `json:"nightly"`
	Plan    string           `json:"plan"`
	// Object references what each search took (simulate.Night).
	Object string          `json:"object"`
	Arms   []simulate.Pace `json:"arms"`
	SimulatedVerdict
}

// SimulatedVerdict compares a night with the latest one before it that has the same plan,
// and with the one that drift is counted from.
type SimulatedVerdict struct {
	// Against is the run that had it, empty where there is none, or none was looked for.
	Against   string              `json:"against,omitempty"`
	Slowdowns []simulate.Slowdown `json:"slowdowns,omitempty"`
	// Since is the run that drift is counted from, and SinceObject what its searches took:
	// the latest that was slower than those before it, which has been told; else the first
	// of the plan. Each night may be a little slower than the night before, and none enough
	// to be called so; Drift compares with that run, and is empty where it is Against.
	Since       string              `json:"since,omitempty"`
	SinceObject string              `json:"since_object,omitempty"`
	Drift       []simulate.Slowdown `json:"drift,omitempty"`
}

// Slower says that an arm is, than on the latest night or than drift is counted from.
func (v *SimulatedVerdict) Slower() bool {
	return len(simulate.Slower(v.Slowdowns))+len(simulate.Slower(v.Drift)) > 0
}

// Say is the verdict in a line.
func (v *SimulatedVerdict) Say() string {
	if v.Against == "" {
		return "there is no earlier night of this plan to compare with"
	}
	var slower, level []string
	for _, c := range []struct {
		than string
		arms []simulate.Slowdown
	}{{v.Against, v.Slowdowns}, {v.Since, v.Drift}} {
		if n := len(simulate.Slower(c.arms)); n > 0 {
			slower = append(slower, fmt.Sprintf("slower than %s in %d of %d arms", c.than, n, len(c.arms)))
		} else if len(c.arms) > 0 {
			level = append(level, c.than)
		}
	}
	if len(slower) > 0 {
		return strings.Join(slower, ", and ")
	}
	return "no slowdown since " + strings.Join(level, ", nor since ")
}

// Lines are the comparisons, one an arm and night.
func (v *SimulatedVerdict) Lines(slower bool) (out []string) {
	for _, s := range v.Slowdowns {
		if s.Slower || !slower {
			out = append(out, s.Say())
		}
	}
	for _, s := range v.Drift {
		if s.Slower || !slower {
			out = append(out, s.Say()+", since "+v.Since)
		}
	}
	return out
}
