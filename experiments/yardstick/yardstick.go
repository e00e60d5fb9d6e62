// Package yardstick is the models that a text task's search is to beat: what a team
// would otherwise train in ten lines, tuned on the validation split and measured on the
// same splits as the child models.
package yardstick

import (
	"fmt"
	"math"

	"tnaml/experiments/data/text"
	"tnaml/experiments/metrics"
	"tnaml/nn/linear"
	"tnaml/nn/sparse"
)

// Version is part of the name that results are kept under: it changes whenever a
// yardstick comes out otherwise.
const Version = 1

// Score is how well a model classifies a split.
type Score struct {
	Accuracy float64 `json:"accuracy"`
	// MacroF1 is the mean over the classes that occur as a label or a prediction.
	MacroF1  float64 `json:"macro_f1"`
	Examples int     `json:"examples"`
}

// Error is the accuracy's standard error.
func (s Score) Error() float64 {
	return math.Sqrt(s.Accuracy * (1 - s.Accuracy) / float64(max(1, s.Examples)))
}

// Result is what a yardstick has on a task.
type Result struct {
	Name string `json:"name"`
	// C is what was best on the validation split of the grid, the smaller of equals; 0
	// where there is nothing to tune.
	C float64 `json:"c,omitempty"`
	// Beta is the part of the machine in an NBSVM, 0 elsewhere: see linear.SVM.
	Beta float64 `json:"beta,omitempty"`
	// Features is the number of columns that it saw.
	Features   int   `json:"features,omitempty"`
	Validation Score `json:"validation"`
	Test       Score `json:"test"`
	// CPUSeconds is what it took, tuning and features included.
	CPUSeconds float64 `json:"cpu_seconds"`
}

// Yardstick is one kind of model.
type Yardstick struct {
	// Name is for people and scripts, Doc says what it is.
	Name, Doc string
	// Train trains it on a task. The result is a function of the task; its seconds are
	// the caller's to fill in.
	Train func(*text.Task) (Result, error)
}

// All are the yardsticks, in the order of tables.
func All() []Yardstick {
	return []Yardstick{
		{"majority", "always the most frequent class", majority},
		{"naive Bayes", "multinomial naive Bayes of words and pairs of words, add-one smoothing", naiveBayes},
		{"NBSVM", "a linear SVM of words and pairs of words, each weighed by its log-count ratio (Wang and Manning, 2012)", nbsvm},
		{"SVM, words", "a linear SVM of the TF-IDF of words and pairs of words", wordsSVM},
		{"SVM, words and characters", "the same with n-grams of 2 to 5 characters within words beside them", charactersSVM},
	}
}

// grid is the values of C that are tried.
var grid = linear.Grid(1./32, 32, 4)

// split is a split as a model sees it.
type split struct {
	x      *sparse.Matrix
	labels []int32
}

// splits are a task's splits as a model sees them.
type splits struct {
	task                    *text.Task
	train, validation, test split
}

// seen makes the splits of what sees a split.
func seen(t *text.Task, see func(*text.Split) *sparse.Matrix) *splits {
	of := func(s *text.Split) split { return split{see(s), s.Labels} }
	return &splits{t, of(&t.Train), of(&t.Validation), of(&t.Test)}
}

// weighted returns what sees a split as weighed counts of features.
func weighted(t *text.Task, f text.Features, w sparse.Weighting) (func(*text.Split) *sparse.Matrix, error) {
	x, err := t.Index(f)
	if err != nil {
		return nil, err
	}
	train := x.Counts(&t.Train)
	columns := w.Columns(train, t.Train.Labels, len(t.Labels))
	return func(s *text.Split) *sparse.Matrix {
		if s != &t.Train {
			return w.Apply(x.Counts(s), columns)
		}
		out := w.Apply(train, columns)
		train = nil // it is large, and nobody asks twice
		return out
	}, nil
}

// score is of a split's classes.
func (s *splits) score(classes []int32, of split) Score {
	c := metrics.NewConfusion(s.task.Labels, of.labels, classes)
	f1, occur := 0.0, 0
	for _, k := range c.Classes() {
		if k.Examples+k.Predicted > 0 {
			f1 += k.F1()
			occur++
		}
	}
	return Score{c.Accuracy(), f1 / float64(max(1, occur)), len(of.labels)}
}

// result measures a model whose classes' machines are seen one after the other: each votes
// as soon as it is trained, and goes. Those of ten thousand classes, of two hundred thousand
// columns each, would take sixteen gigabytes.
func (s *splits) result(each func(linear.See) error) (Result, error) {
	validation, test := linear.NewVotes(s.validation.x), linear.NewVotes(s.test.x)
	err := each(func(class int, weights []float64, bias float64) {
		validation.See(class, weights, bias)
		test.See(class, weights, bias)
	})
	if err != nil {
		return Result{}, fmt.Errorf("task %s: %w", s.task.Name, err)
	}
	return Result{Features: s.train.x.Columns, Validation: s.score(validation.Classes, s.validation),
		Test: s.score(test.Classes, s.test)}, nil
}

// train trains the machines of a C, from those before.
type train func(linear.SVM, *sparse.Matrix, []int32, int, *linear.Fit, linear.See) (*linear.Fit, error)

const (
	// A machine is trained no closer to its optimum than accuracies can tell.
	tolerance = .01
	passes    = 300
	// patience is how many values of C, each greater than the last, may be no better than
	// a smaller one: the greatest take most of the time.
	patience = 2
)

// tuned trains a machine for each C, each from the one before, with each of some betas,
// and measures the best.
func (s *splits) tuned(f train, betas ...float64) (Result, error) {
	var best Result
	var fit *linear.Fit
	worse := 0
	for _, c := range grid {
		worse++
		for _, beta := range betas {
			o := linear.SVM{C: c, Tolerance: tolerance, Passes: passes, Beta: beta}
			r, err := s.result(func(see linear.See) (err error) {
				fit, err = f(o, s.train.x, s.train.labels, len(s.task.Labels), fit, see)
				return err
			})
			if err != nil {
				return best, err
			}
			if best.C == 0 || r.Validation.Accuracy > best.Validation.Accuracy {
				best = r
				best.C, best.Beta, worse = c, beta, 0
			}
		}
		if worse == patience {
			break
		}
	}
	return best, nil
}

func majority(t *text.Task) (Result, error) {
	s := seen(t, func(s *text.Split) *sparse.Matrix { return &sparse.Matrix{Offsets: make([]int32, s.Len()+1)} })
	m := linear.Majority(t.Train.Labels, len(t.Labels), 0)
	return s.result(func(see linear.See) error {
		for c, n := range m.Bias {
			see(c, nil, n)
		}
		return nil
	})
}

var words = text.Features{Words: 2}

func naiveBayes(t *text.Task) (Result, error) {
	see, err := weighted(t, words, sparse.Weighting{Weight: sparse.TF})
	if err != nil {
		return Result{}, err
	}
	s := seen(t, see)
	return s.result(func(see linear.See) error {
		return linear.EachNaiveBayes(s.train.x, s.train.labels, len(t.Labels), 1, see)
	})
}

func nbsvm(t *text.Task) (Result, error) {
	see, err := weighted(t, words, sparse.Weighting{Weight: sparse.Binary})
	if err != nil {
		return Result{}, err
	}
	return seen(t, see).tuned(linear.SVM.EachNB, .25, 1)
}

var tfidf = sparse.Weighting{Weight: sparse.TFIDF, Normalise: true}

func wordsSVM(t *text.Task) (Result, error) {
	see, err := weighted(t, words, tfidf)
	if err != nil {
		return Result{}, err
	}
	return seen(t, see).tuned(linear.SVM.Each, 0)
}

// charactersSVM has words and characters in two blocks, each of length 1.
func charactersSVM(t *text.Task) (Result, error) {
	see, err := weighted(t, words, tfidf)
	if err != nil {
		return Result{}, err
	}
	beside, err := weighted(t, text.Features{Characters: 5}, tfidf)
	if err != nil {
		return Result{}, err
	}
	return seen(t, func(s *text.Split) *sparse.Matrix { return sparse.Beside(see(s), beside(s)) }).tuned(linear.SVM.Each, 0)
}

// ToBeat is the best of results by the validation split, the first of equals; false
// where there are none.
func ToBeat(results []Result) (Result, bool) {
	if len(results) == 0 {
		return Result{}, false
	}
	best := results[0]
	for _, r := range results {
		if r.Validation.Accuracy > best.Validation.Accuracy {
			best = r
		}
	}
	return best, true
}

// Say is a result in words, ± one standard error as in the tables.
func (r Result) Say() string {
	return fmt.Sprintf("%s, with a validation accuracy of %.2f %% and a test accuracy of %.2f ± %.2f %% (one standard error)",
		r.Name, 100*r.Validation.Accuracy, 100*r.Test.Accuracy, 100*r.Test.Error())
}
