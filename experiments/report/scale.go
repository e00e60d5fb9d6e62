package report

import (
	"fmt"
	"math"
	"strings"

	"tnaml/experiments/metrics"
	"tnaml/experiments/space"
	"tnaml/experiments/study"
	"tnaml/experiments/trainer"
)

// scale is how an objective's values are written and drawn: fractions of 1 in
// percent, all else as it is.
type scale struct {
	space.Objective
	// units has every value carry its unit: the page has several objectives, and a
	// column's head cannot say it.
	units bool
}

func scaleOf(sp *space.Space) scale {
	return scale{Objective: trainer.FillObjective(trainer.Find(sp.TrainerName()), sp.Objective)}
}

// Name is what the mean over the ten best models is called: accuracy-top10.
func (s scale) Name() string { return study.TopName(s.Objective) }

// Unit stands behind a name in a head: ", %".
func (s scale) Unit() string {
	if trainer.InPercent(s.Objective) && !s.units {
		return ", %"
	}
	return ""
}

// Value writes a value, or a difference of two, for a column with the unit in its
// head.
func (s scale) Value(v float64) string {
	switch {
	case !trainer.InPercent(s.Objective):
		return minus(trainer.Text(s.Objective, v))
	case s.units:
		return points(v) + " %"
	}
	return points(v)
}

// Estimate writes a mean with its error, in the digits that the error leaves
// certain; without an error, of which nothing is known, the mean alone.
func (s scale) Estimate(e metrics.Estimate) string {
	decimals, ok := decimals(s.factor() * e.Error)
	switch {
	case e.Error == 0:
		return s.Value(e.Mean)
	case !ok || math.Abs(e.Mean) >= 1e7:
		return s.Value(e.Mean) + fmt.Sprintf(" ± %.2g", s.factor()*e.Error)
	}
	text := minus(fmt.Sprintf("%.*f", decimals, s.factor()*e.Mean)) + fmt.Sprintf(" ± %.*f", decimals, s.factor()*e.Error)
	if s.units && trainer.InPercent(s.Objective) {
		text += " %"
	}
	return text
}

// decimals is how many decimals an error is written with: to its first digit, to the
// second where that is a 1. false for none that could be written so.
func decimals(err float64) (n int, ok bool) {
	if !(err > 0) {
		return 0, false
	}
	power := math.Floor(math.Log10(err))
	n = -int(power)
	if err/math.Pow(10, power) < 1.95 {
		n++
	}
	return max(n, 0), n <= 7
}

// Gap writes by how much the validation split is better than the test split, from
// the difference of the two.
func (s scale) Gap(difference float64) string {
	difference = trainer.Reward(s.Objective, difference)
	if trainer.InPercent(s.Objective) {
		return minus(fmt.Sprintf("%.1f", 100*difference))
	}
	return s.Value(difference)
}

// difference writes a difference of two values with its sign and its error, without
// a unit.
func (s scale) difference(e metrics.Estimate) string {
	s.units = false
	text := strings.TrimSuffix(s.Estimate(e), " %")
	if !strings.HasPrefix(text, "−") {
		text = "+" + text
	}
	return text
}

// points is the unit of a gap or a difference, in words.
func (s scale) points() string {
	if trainer.InPercent(s.Objective) {
		return "in percentage points"
	}
	return "in its own unit"
}

// about says what is averaged; errors goes on after "two standard errors".
func (s scale) about(errors string) string {
	which := "the best validation " + s.Metric
	if s.Direction == space.Minimise {
		which = fmt.Sprintf("the least validation %s, of which less is better", s.Metric)
	}
	return fmt.Sprintf("%s: the mean over the %d models with %s, ± two standard errors%s", s.Name(), topN, which, errors)
}

// less says in a note that less is better, where it is.
func (s scale) less() string {
	if s.Direction == space.Minimise {
		return "; less is better"
	}
	return ""
}

// Notes say what the columns of a summary are.
func (s scale) Notes() string {
	return s.about(" of the mean. Bold: the best search on the task, and those within two standard errors of it. ") + s.gapNote()
}

func (s scale) gapNote() string {
	return fmt.Sprintf("Gap: %s, %s; what of the validation %s is due to having been chosen by it.", s.gap(), s.points(), s.Metric)
}

// gap says what a gap is the difference of.
func (s scale) gap() string {
	if s.Direction == space.Minimise {
		return "test − validation"
	}
	return "validation − test"
}

// deviation writes a standard deviation over seeds, where there is one.
func (s scale) deviation(sd float64) string {
	n, ok := decimals(s.factor() * sd)
	if !ok {
		return ""
	}
	return fmt.Sprintf("s.d. %.*f", n, s.factor()*sd)
}

// factor is what a value is multiplied by to be drawn.
func (s scale) factor() float64 {
	if trainer.InPercent(s.Objective) {
		return 100
	}
	return 1
}

// drawn writes what was drawn.
func (s scale) drawn(y float64) string {
	if trainer.InPercent(s.Objective) {
		return inPercent(y)
	}
	return minus(trainer.Text(s.Objective, y))
}

func inPercent(y float64) string { return minus(fmt.Sprintf("%.2f %%", y)) }
