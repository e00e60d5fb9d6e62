package study

import (
	"fmt"
	"slices"
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
// and each arm with the night that its drift is counted from.
type SimulatedVerdict struct {
	// Against is the run that had it, empty where there is none, or none was looked for.
	Against   string              `json:"against,omitempty"`
	Slowdowns []simulate.Slowdown `json:"slowdowns,omitempty"`
	// Bases are the nights that drift is counted from, arm by arm, and Drift compares with
	// those that are not Against: each night may be a little slower than the night before,
	// and none enough to be called so.
	Bases []Base  `json:"bases,omitempty"`
	Drift []Drift `json:"drift,omitempty"`
}

// Base is the night that an arm's drift is counted from: the first after the latest on which
// it was told to be slower or faster than before; else the first of the plan. A night that
// was told so was so by luck too, which nights after it would be compared with.
type Base struct {
	Arm string `json:"arm"`
	Run string `json:"run"`
	// Object references what its searches took (simulate.Night).
	Object string `json:"object"`
}

// Drift compares an arm with its base.
type Drift struct {
	Since string `json:"since"`
	simulate.Slowdown
}

// Base is where an arm's drift goes on being counted from after this night; nothing where
// that is the night itself.
func (v *SimulatedVerdict) Base(arm string) (Base, bool) {
	at := slices.IndexFunc(v.Bases, func(b Base) bool { return b.Arm == arm })
	if at < 0 {
		return Base{}, false
	}
	return v.Bases[at], true
}

// Moved says that an arm was told to be slower or faster than before: drift is counted from
// the next night on.
func (v *SimulatedVerdict) Moved(arm string) bool {
	return slices.ContainsFunc(v.all(), func(s simulate.Slowdown) bool { return s.Arm == arm && (s.Slower || s.Faster) })
}

// all are the comparisons with either night.
func (v *SimulatedVerdict) all() []simulate.Slowdown {
	out := slices.Clone(v.Slowdowns)
	for _, d := range v.Drift {
		out = append(out, d.Slowdown)
	}
	return out
}

// Slower says that an arm is, than on the latest night or than its base.
func (v *SimulatedVerdict) Slower() bool { return len(simulate.Slower(v.all())) > 0 }

// Say is the verdict in a line.
func (v *SimulatedVerdict) Say() string {
	if v.Against == "" {
		return "there is no earlier night of this plan to compare with"
	}
	var slower []string
	if n := len(simulate.Slower(v.Slowdowns)); n > 0 {
		slower = append(slower, fmt.Sprintf("slower than %s in %d of %d arms", v.Against, n, len(v.Slowdowns)))
	}
	for _, d := range v.Drift {
		if d.Slower {
			slower = append(slower, fmt.Sprintf("slower than %s in %s", d.Since, d.Arm))
		}
	}
	if len(slower) > 0 {
		return strings.Join(slower, ", and ")
	}
	since := []string{v.Against}
	for _, d := range v.Drift {
		if !slices.Contains(since, d.Since) {
			since = append(since, d.Since)
		}
	}
	return "no slowdown since " + strings.Join(since, ", nor since ")
}

// Lines are the comparisons, of all arms or of those that are slower.
func (v *SimulatedVerdict) Lines(slower bool) (out []string) {
	for _, s := range v.Slowdowns {
		if s.Slower || !slower {
			out = append(out, s.Say())
		}
	}
	for _, d := range v.Drift {
		if d.Slower || !slower {
			out = append(out, d.Say()+", since "+d.Since)
		}
	}
	return out
}
