package metrics

import (
	"cmp"
	"container/heap"
	"fmt"
	"slices"

	"tnaml/experiments/search"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// TopN is accuracy-topN, or that of another objective: the N models with the best
// reward, their mean value on the validation split and that on the test split.
type TopN struct {
	// Trials are the models' trials, best first; ties go to the earlier trial.
	Trials []search.Trial
	// Reward is their mean reward: Validation's mean, more being better.
	Reward float64
	// Validation is optimistic, since the models are chosen by it; Test is not.
	Validation Estimate
	Test       Estimate
}

// Models is the number of models averaged: N, or fewer while there are fewer.
func (t TopN) Models() int { return len(t.Trials) }

// Gap is the mean on the validation split less that on the test split: of an
// accuracy the overfitting of the search to the former (§4.3, "meta overfitting").
func (t TopN) Gap() float64 { return t.Validation.Mean - t.Test.Mean }

// AccuracyTopN measures the n best trained models among a task's trials, or all
// of them where there are fewer; false where there is none. It takes O(T log n)
// time for T trials and panics if n < 1.
func AccuracyTopN(trials []search.Trial, task, n int) (TopN, bool) {
	l := newLeaders(n)
	for i := range trials {
		if t := &trials[i]; t.Task == task && t.OK() {
			l.offer(t)
		}
	}
	if len(l.heap) == 0 {
		return TopN{}, false
	}
	slices.SortFunc(l.heap, better)
	var top TopN
	rewards, validation, test := make([]float64, len(l.heap)), make([]float64, len(l.heap)), make([]float64, len(l.heap))
	for i, t := range l.heap {
		top.Trials = append(top.Trials, *t)
		rewards[i], validation[i], test[i] = t.Reward, t.Validation, t.Test
	}
	top.Reward, top.Validation, top.Test = Mean(rewards).Mean, Mean(validation), Mean(test)
	return top, true
}

// Point is a learning curve's value after a number of a task's trials.
type Point struct {
	// Trials is the number of the task's trials so far, failed ones included.
	Trials int `json:"trials"`
	// Reward, Validation and Test are the means of TopN.
	Reward     float64 `json:"-"`
	Validation float64 `json:"validation"`
	Test       float64 `json:"test"`
	// Models is the number of models averaged, at most N.
	Models int `json:"models"`
}

// Gap is validation − test so far: of an accuracy the overfitting of the search to
// the validation split (§4.3, Figure 4).
func (p Point) Gap() float64 { return p.Validation - p.Test }

// Curve is the task's learning curve: accuracy-topN after each of its trials,
// from the first trained model on, one point a trial. With fewer than n models
// a point averages those there are, and may get worse; from n models on, validation
// never does (test can). It takes O(T log n) time and panics if n < 1.
func Curve(trials []search.Trial, task, n int) []Point {
	l := newLeaders(n)
	var curve []Point
	count := 0
	for i := range trials {
		t := &trials[i]
		if t.Task != task {
			continue
		}
		count++
		if t.OK() {
			l.offer(t)
		}
		if models := len(l.heap); models > 0 {
			n := float64(models)
			curve = append(curve, Point{count, l.reward.value() / n, l.validation.value() / n, l.test.value() / n, models})
		}
	}
	return curve
}

// TrialsTo returns how many of a task's trials it took until the mean reward of
// the n best models, validation accuracy-topN, reached a value; false where it
// never did. All n models must exist: one lucky first model is not an
// accuracy-topN. From there on it never falls again, so that the first time is well
// defined; for test accuracy it would not be, so there is no such function (§4).
func TrialsTo(trials []search.Trial, task, n int, reward float64) (int, bool) {
	for _, p := range Curve(trials, task, n) {
		if p.Models == n && p.Reward >= reward-rounding(p.Reward, reward) {
			return p.Trials, true
		}
	}
	return 0, false
}

// Tested says whether all models were measured on the test split too: a mean has no place for one
// that was not. It is true where there is no model yet.
func Tested(trials []search.Trial, o space.Objective) bool {
	untested, _ := Untested(trials, o)
	return untested == 0
}

// Untested counts the models that were not measured on the test split, of those there are, by what
// their trainer reported: it may have no such metric, and the values may all be 0.
func Untested(trials []search.Trial, o space.Objective) (models, of int) {
	for i := range trials {
		if t := &trials[i]; t.OK() {
			of++
			if _, _, tested := trainer.Values(t.Metrics, o); !tested {
				models++
			}
		}
	}
	return models, of
}

// better orders trials by reward, best first; ties go to the earlier trial.
func better(a, b *search.Trial) int {
	return cmp.Or(cmp.Compare(b.Reward, a.Reward), cmp.Compare(a.Trial, b.Trial))
}

// leaders holds the n best models so far, the worst of them at the root, and
// the sums of their values.
type leaders struct {
	n                        int
	heap                     trialHeap
	reward, validation, test sum
}

func newLeaders(n int) *leaders {
	if n < 1 {
		panic(fmt.Sprintf("metrics: accuracy-top%d", n))
	}
	return &leaders{n: n}
}

func (l *leaders) offer(t *search.Trial) {
	if len(l.heap) == l.n {
		worst := l.heap[0]
		if better(t, worst) > 0 {
			return
		}
		l.reward.add(-worst.Reward)
		l.validation.add(-worst.Validation)
		l.test.add(-worst.Test)
		l.heap[0] = t
		heap.Fix(&l.heap, 0)
	} else {
		heap.Push(&l.heap, t)
	}
	l.reward.add(t.Reward)
	l.validation.add(t.Validation)
	l.test.add(t.Test)
}

type trialHeap []*search.Trial

func (h trialHeap) Len() int           { return len(h) }
func (h trialHeap) Less(i, k int) bool { return better(h[i], h[k]) > 0 }
func (h trialHeap) Swap(i, k int)      { h[i], h[k] = h[k], h[i] }
func (h *trialHeap) Push(t any)        { *h = append(*h, t.(*search.Trial)) }

func (h *trialHeap) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	*h = (*h)[:last]
	return t
}
