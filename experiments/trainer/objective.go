package trainer

import (
	"fmt"
	"math"
	"strings"

	"tnaml/experiments/space"
)

const validation, test = "validation", "test"

// Key returns the name under which metrics hold the objective: its value on the
// validation split, or the metric of that very name. It is empty where they hold
// neither.
func Key(metrics map[string]float64, o space.Objective) string {
	for _, name := range []string{validation + "_" + o.Metric, o.Metric} {
		if _, ok := metrics[name]; ok {
			return name
		}
	}
	return ""
}

// Values returns the objective on the validation split and on the test split;
// tested is false where there is no such metric: it has the first one's name with
// test in the place of validation.
func Values(metrics map[string]float64, o space.Objective) (onValidation, onTest float64, tested bool) {
	key := Key(metrics, o)
	if strings.HasPrefix(key, validation) {
		onTest, tested = metrics[test+strings.TrimPrefix(key, validation)]
	}
	return metrics[key], onTest, tested
}

// Reward is an objective's value as strategies learn from it: more is better.
func Reward(o space.Objective, value float64) float64 {
	if o.Direction == space.Minimise {
		return -value
	}
	return value
}

// Keeps says whether a trial's model is worth storing.
func (r *Request) Keeps(o Outcome) bool {
	if o.Judged(r.Constraints).Status != OK {
		return false
	}
	value, _, _ := Values(o.Metrics, r.Objective)
	return r.Keep == nil || Reward(r.Objective, value) > *r.Keep
}

// InPercent says that an objective is a fraction of 1, which people read in
// percent.
func InPercent(o space.Objective) bool {
	return o.Metric == Accuracy || o.Metric == MacroF1 || o.Metric == AUC
}

// Text writes an objective's value for people.
func Text(o space.Objective, value float64) string {
	if InPercent(o) {
		return fmt.Sprintf("%.2f %%", 100*value)
	}
	if size := math.Abs(value); size >= 1e4 && size < 1e7 {
		return fmt.Sprintf("%.0f", value) // easier to read than with an exponent
	}
	return fmt.Sprintf("%.4g", value)
}
