package study

import (
	"fmt"

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

// Alarm is how often, at most, a night is called slower that is not.
func (*Simulated) Alarm() float64 { return simulate.Alarm }

// SimulatedVerdict compares a night with the latest one before it that has the same plan.
type SimulatedVerdict struct {
	// Against is the run that had it, empty where there is none, or none was looked for.
	Against   string              `json:"against,omitempty"`
	Slowdowns []simulate.Slowdown `json:"slowdowns,omitempty"`
}

// Say is the verdict in a line.
func (v *SimulatedVerdict) Say() string {
	if v.Against == "" {
		return "there is no earlier night of this plan to compare with"
	}
	slower := len(simulate.Slower(v.Slowdowns))
	if slower == 0 {
		return "no slowdown since " + v.Against
	}
	return fmt.Sprintf("slower than %s in %d of %d arms", v.Against, slower, len(v.Slowdowns))
}
