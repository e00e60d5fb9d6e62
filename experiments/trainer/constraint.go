package trainer

import (
	"fmt"
	"math"
	"strings"

	"tnaml/experiments/space"
)

// Violation is by how much metrics break constraints: of each, the distance to its bound
// as a share of the bound (of 1, where that is 0), all summed; 0 where they keep all.
// missing names the metrics that constraints are about and that are not there.
func Violation(metrics map[string]float64, constraints []space.Constraint) (sum float64, missing []string) {
	for _, c := range constraints {
		v, ok := metrics[Key(metrics, space.Objective{Metric: c.Metric})]
		if !ok {
			missing = append(missing, c.Metric)
			continue
		}
		if over, _ := beyond(c, v); over != nil {
			scale := math.Abs(*over)
			if scale == 0 {
				scale = 1
			}
			sum += math.Abs(v-*over) / scale
		}
	}
	return sum, missing
}

// beyond is the bound that a value lies beyond, nil where it keeps both, and what the
// bound says.
func beyond(c space.Constraint, v float64) (bound *float64, says string) {
	switch {
	case c.Min != nil && v < *c.Min:
		return c.Min, "at least"
	case c.Max != nil && v > *c.Max:
		return c.Max, "at most"
	}
	return nil, ""
}

// Judged is a checked outcome as a search under constraints takes it: a model that
// breaks one is infeasible; one without a metric that a constraint is about breaks the
// contract.
func (o Outcome) Judged(constraints []space.Constraint) Outcome {
	if o.Status != OK {
		return o
	}
	violation, missing := Violation(o.Metrics, constraints)
	if len(missing) > 0 {
		reason := fmt.Sprintf("the outcome breaks the trainers' contract: it lacks %s, which constraints are about (it has: %s)",
			strings.Join(missing, ", "), named(o.Metrics))
		return Outcome{Status: Failed, Reason: oneLine(reason), Steps: o.Steps}
	}
	if violation > 0 {
		var broken []string
		for _, c := range constraints {
			v := o.Metrics[Key(o.Metrics, space.Objective{Metric: c.Metric})]
			if bound, says := beyond(c, v); bound != nil {
				broken = append(broken, fmt.Sprintf("%s is %.6g, it must be %s %v", c.Metric, v, says, *bound))
			}
		}
		o.Status, o.Reason, o.Model = Infeasible, oneLine(strings.Join(broken, "; ")), ""
	}
	return o
}

// Checked is an answer to the request as a search can take it: see Outcome.Checked. One
// without the curve that was asked for breaks the contract too; what was not asked for is left out.
func (r *Request) Checked(o Outcome) Outcome {
	o = o.Checked(r.Objective)
	if r.Curve && o.Status == OK && len(o.Curve) == 0 {
		return Outcome{Status: Failed, Steps: o.Steps, Reason: "the outcome breaks the trainers' contract: the search has a pruner, " +
			"which needs the objective at steps on the way, and there is no curve"}
	}
	if !r.Curve && o.Status != Pruned {
		o.Curve = nil
	}
	if !r.Examples {
		o.Examples = ""
	}
	return o.Judged(r.Constraints)
}
