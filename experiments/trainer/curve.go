package trainer

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"tnaml/experiments/limit"
	"tnaml/experiments/space"
)

// Point is a value of the objective at a step: of a curve, or a floor. In JSON it is
// [step, value].
type Point struct {
	Step  int
	Value float64
}

// MarshalJSON implements json.Marshaler.
func (p Point) MarshalJSON() ([]byte, error) { return json.Marshal([2]any{p.Step, p.Value}) }

// UnmarshalJSON implements json.Unmarshaler. A value that is null is no number.
func (p *Point) UnmarshalJSON(b []byte) error {
	var step int
	var value *float64
	var pair []json.RawMessage
	if err := json.Unmarshal(b, &pair); err != nil {
		return err
	}
	if len(pair) != 2 {
		return fmt.Errorf("a point has %d elements, it is [step, value]", len(pair))
	}
	if err := errors.Join(json.Unmarshal(pair[0], &step), json.Unmarshal(pair[1], &value)); err != nil {
		return err
	}
	if *p = (Point{step, math.NaN()}); value != nil {
		p.Value = *value
	}
	return nil
}

func checkCurve(curve []Point) (errs []error) {
	if len(curve) > MaxCurve {
		return []error{fmt.Errorf("its curve has %d points, more than %d", len(curve), MaxCurve)}
	}
	for i, p := range curve {
		if p.Step < 1 || p.Step > limit.MaxTrialSteps || i > 0 && p.Step <= curve[i-1].Step {
			errs = append(errs, fmt.Errorf("its curve has step %d as point %d: steps must rise, from 1 on", p.Step, i+1))
		}
		if !(math.Abs(p.Value) <= MaxMetric) {
			errs = append(errs, fmt.Errorf("its curve is %v at step %d, it must be a number of at most %v in size", p.Value, p.Step, MaxMetric))
		}
	}
	return errs
}

// BestBy is the best value of a curve up to its first point at or after a step; false
// where it ends before.
func BestBy(curve []Point, step int, o space.Objective) (float64, bool) {
	for i, p := range curve {
		if p.Step >= step {
			best := slices.MaxFunc(curve[:i+1], func(a, b Point) int {
				switch x, y := Reward(o, a.Value), Reward(o, b.Value); {
				case x < y:
					return -1
				case x > y:
					return 1
				}
				return 0
			})
			return best.Value, true
		}
	}
	return 0, false
}

// Below says whether a trial whose curve has just got its last point ends there: a
// floor holds at the first point at or after its step, and the best value so far is
// worse. At the last of its steps no trial is pruned.
func Below(floors, curve []Point, o space.Objective) bool {
	n := len(curve)
	if n == 0 {
		return false
	}
	before := 0
	if n > 1 {
		before = curve[n-2].Step
	}
	for _, f := range floors {
		if f.Step <= before || f.Step > curve[n-1].Step {
			continue
		}
		if best, ok := BestBy(curve, f.Step, o); ok && Reward(o, best) < Reward(o, f.Value) {
			return true
		}
	}
	return false
}

// PrunedAt is the outcome of a trial that ended below a floor, at the last point of its
// curve.
func PrunedAt(curve []Point, o space.Objective) Outcome {
	last := curve[len(curve)-1]
	best, _ := BestBy(curve, last.Step, o)
	return Outcome{
		Status: Pruned, Steps: last.Step, Curve: slices.Clone(curve),
		Reason: fmt.Sprintf("its best %s by step %d, %s, is worse than the floor there", o.Metric, last.Step, Text(o, best)),
	}
}

// Cut is the outcome that a trial with floors has, made of its outcome without them. At the last
// point of its curve, whatever steps that counts, one that is ok was at its end; one that is
// not may have gone on, as may one whose curve is full and ends elsewhere than its metrics.
func (o Outcome) Cut(floors []Point, objective space.Objective) Outcome {
	for i, p := range o.Curve {
		ended := len(o.Curve) < MaxCurve || p.Value == o.Metrics[Key(o.Metrics, objective)]
		if i == len(o.Curve)-1 && (p.Step >= o.Steps || o.Status == OK && ended) {
			break
		}
		if Below(floors, o.Curve[:i+1], objective) {
			return PrunedAt(o.Curve[:i+1], objective)
		}
	}
	return o
}

// Reached is the objective's value of a trial that was measured: of one that was pruned
// the last of its curve, or, without a curve, that of its metrics.
func (o Outcome) Reached(objective space.Objective) (float64, bool) {
	if n := len(o.Curve); o.Status == Pruned && n > 0 {
		return o.Curve[n-1].Value, true
	}
	key := Key(o.Metrics, objective)
	return o.Metrics[key], key != "" && !o.Status.Failure()
}
