package trainers

import (
	"math"

	"tnaml/experiments/trainer"
	"tnaml/nn/child"
)

// curve follows a child model's objective on its way, where its request asks for it.
type curve struct {
	*trainer.Request
	points []trainer.Point
}

func curveOf(r *trainer.Request) *curve { return &curve{Request: r} }

// see is what a training calls: nil where nobody asks.
func (c *curve) see() func(step int, on child.Metrics, off child.Calibration) bool {
	if !c.Curve {
		return nil
	}
	return func(step int, on child.Metrics, off child.Calibration) bool {
		c.add(step, measured("validation_", on, off))
		return trainer.Below(c.Prune, c.points, c.Objective)
	}
}

func (c *curve) add(step int, metrics map[string]float64) {
	if key := trainer.Key(metrics, c.Objective); key != "" && len(c.points) < trainer.MaxCurve && !math.IsInf(metrics[key], 0) {
		c.points = append(c.points, trainer.Point{Step: step, Value: metrics[key]})
	}
}

// with is an outcome with the curve, the last point of which is the outcome's own.
func (c *curve) with(o trainer.Outcome) trainer.Outcome {
	if o.Status == trainer.Pruned {
		return trainer.PrunedAt(c.points, c.Objective)
	}
	if c.Curve && o.Status == trainer.OK {
		c.add(o.Steps, o.Metrics)
		o.Curve = c.points
	}
	return o
}

// measured names what a child model's metrics on a split are in the contract.
func measured(split string, m child.Metrics, off child.Calibration) map[string]float64 {
	out := map[string]float64{
		split + trainer.Accuracy: m.Accuracy, split + trainer.MacroF1: m.MacroF1, split + trainer.LogLoss: m.LogLoss,
		split + trainer.CalibrationError: off.After, split + trainer.RawCalibrationError: off.Before,
	}
	if m.HasAUC {
		out[split+trainer.AUC] = m.AUC
	}
	return out
}
