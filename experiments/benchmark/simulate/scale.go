package simulate

import (
	"cmp"
	"errors"
	"math"
	"slices"

	"tnaml/experiments/trainer"
	"tnaml/nn/rng"
)

// Scale is what a task's values are measured by, so that tasks can be averaged: the
// normalised regret of a value is 0 for the best known and 1 for the median random
// configuration. All three are of means over seeds, so that a lucky training may have a
// regret below 0; and they know nothing of the arms, so that an arm's figures do not
// depend on which others there are.
type Scale struct {
	// Best is the best that is known: of a thousand random configurations and of what
	// climbing from the best of them comes to.
	Best float64 `json:"best_known"`
	// Median and Worst are of the random configurations.
	Median float64 `json:"median_random"`
	Worst  float64 `json:"worst_random"`
}

// Regret is the normalised regret of a value.
func (s Scale) Regret(v float64) float64 {
	if s.Best == s.Median {
		return 0
	}
	return (s.Best - v) / (s.Best - s.Median)
}

// Target is the value that lies a share of the way from the median to the best.
func (s Scale) Target(share float64) float64 { return s.Median + share*(s.Best-s.Median) }

const (
	scaleDraws = 1000
	// climbers is how many of them are climbed from, on each split.
	climbers = 5
	// repeats is how many trainings a mean over seeds is of.
	repeats = 8
)

// mean is what a model comes to in the mean over seeds: −∞ where it comes to nothing.
func mean(l Landscape, actions []int) (validation, test float64) {
	n := 0.0
	for i := range repeats {
		if status, v, t := l.Look(actions, rng.Derive(1, "simulate/repeat", uint64(i))); status == trainer.OK {
			n, validation, test = n+1, validation+v, test+t
		}
	}
	if n == 0 {
		return math.Inf(-1), math.Inf(-1)
	}
	return validation / n, test / n
}

// scales are a landscape's, of the two splits, with the configuration that is the best
// known on the validation split. options are the numbers of options of the space's
// choices.
func scales(l Landscape, options []int) (validation, test Scale, best []int, err error) {
	var points [2][]point
	for i := range scaleDraws {
		g := rng.New(1, "simulate/scale", uint64(i))
		actions := make([]int, len(options))
		for k, n := range options {
			actions[k] = g.IntN(n)
		}
		v, t := mean(l, actions)
		points[0], points[1] = append(points[0], point{actions, v}), append(points[1], point{actions, t})
	}
	var both [2]Scale
	var at [2][]int
	for split := range both {
		both[split], at[split] = scaleOf(points[split], options, func(actions []int) float64 {
			v, t := mean(l, actions)
			return [2]float64{v, t}[split]
		})
		if math.IsInf(both[split].Median, 0) {
			return validation, test, nil, errors.New("half of the random configurations come to no result")
		}
	}
	return both[0], both[1], at[0], nil
}

// point is a configuration with its value.
type point struct {
	actions []int
	value   float64
}

func scaleOf(points []point, options []int, value func([]int) float64) (Scale, []int) {
	slices.SortStableFunc(points, func(a, b point) int { return cmp.Compare(b.value, a.value) })
	n := len(points)
	top := points[0]
	for _, p := range points[:min(climbers, n)] {
		if found := climb(p, options, value); found.value > top.value {
			top = found
		}
	}
	s := Scale{Best: top.value, Median: (points[(n-1)/2].value + points[n/2].value) / 2}
	for _, p := range points {
		if !math.IsInf(p.value, 0) {
			s.Worst = p.value
		}
	}
	return s, top.actions
}

// climb changes one choice after another to its best option until none gets better.
func climb(from point, options []int, value func([]int) float64) point {
	at, best := slices.Clone(from.actions), from.value
	for better := true; better; {
		better = false
		for k, n := range options {
			was := at[k]
			for o := range n {
				if at[k] = o; o == was {
					continue
				}
				if v := value(at); v > best {
					best, was, better = v, o, true
				}
			}
			at[k] = was
		}
	}
	return point{at, best}
}
