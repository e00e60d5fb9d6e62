package report

import (
	"cmp"
	"fmt"
	"slices"

	"tnaml/experiments/metrics"
	"tnaml/experiments/study"
)

// maxMatrix is how many classes a confusion matrix is shown of; of more, the page shows
// so many classes with the lowest F1, and so many of the most frequent mistakes.
const maxMatrix = 12

// evaluationView shows how a task's best model does on the test split, class by class.
type evaluationView struct {
	study.Evaluation
	Examples int
	// Classes are those shown, of Of.
	Classes []classView
	Of      int
	// Labels are the columns of the matrix; none where it is too large.
	Labels []string
	// Pairs are the most frequent mistakes, where there is no matrix.
	Pairs []metrics.Pair
}

type classView struct {
	metrics.Class
	// Row is the class's row of the matrix.
	Row []matrixCell
}

// matrixCell is a number of examples; Shade is its share of the row, as a share of the
// colour behind it.
type matrixCell struct {
	Count int
	Right bool
	Shade string
}

// evaluationOf returns the evaluation of a task, nil without.
func evaluationOf(all []study.Evaluation, task string) *evaluationView {
	at := slices.IndexFunc(all, func(e study.Evaluation) bool { return e.Task == task })
	if at < 0 {
		return nil
	}
	v := &evaluationView{Evaluation: all[at]}
	c := v.Confusion
	if c == nil {
		return v
	}
	classes := c.Classes()
	v.Examples, v.Of = c.Examples(), len(classes)
	for k, class := range classes {
		v.Classes = append(v.Classes, classView{Class: class})
		if v.Of > maxMatrix {
			continue
		}
		v.Labels = append(v.Labels, class.Label)
		for j, n := range c.Counts[k] {
			shade := fmt.Sprintf("%.0f%%", 60*float64(n)/float64(max(1, class.Examples)))
			v.Classes[k].Row = append(v.Classes[k].Row, matrixCell{n, j == k, shade})
		}
	}
	if v.Of > maxMatrix {
		v.Classes = slices.DeleteFunc(v.Classes, func(x classView) bool { return x.Examples == 0 })
		slices.SortStableFunc(v.Classes, func(a, b classView) int { return cmp.Compare(a.F1(), b.F1()) })
		v.Classes, v.Pairs = v.Classes[:min(len(v.Classes), maxMatrix)], c.Pairs(maxMatrix)
	}
	return v
}

// percentage writes n of a number of examples in percent, in no more digits than so
// many examples give; a dash where there are none.
func percentage(n, of int) string {
	switch {
	case of == 0:
		return "–"
	case of < 1000:
		return fmt.Sprintf("%.0f", 100*float64(n)/float64(of))
	}
	return fmt.Sprintf("%.1f", 100*float64(n)/float64(of))
}
