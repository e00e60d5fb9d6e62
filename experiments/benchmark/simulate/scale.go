package simulate

import (
	"cmp"
	"slices"

	"tnaml/nn/rng"
)

// Scale is what a task's values are measured by, so that tasks can be averaged: the
// normalised regret of a value is 0 for the best known and 1 for the median random
// configuration. All three are of means over seeds, not of single trainings, so that a
// lucky one may have a regret below 0; and they know nothing of the arms, so that an
// arm's figures do not depend on which others there are.
type Scale struct {
	// Best is the best that is known: of scaleDraws random configurations and of what
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
)

// scales are a landscape's, of the two splits. options are the numbers of options of
// the space's choices.
func scales(l Landscape, options []int) (validation, test Scale) {
	draws := make([][]int, scaleDraws)
	for i := range draws {
		g := rng.New(1, "simulate/scale", uint64(i))
		draws[i] = make([]int, len(options))
		for k, n := range options {
			draws[i][k] = g.IntN(n)
		}
	}
	both := [2]Scale{}
	for split := range both {
		value := func(actions []int) float64 {
			v, t := l.Mean(actions)
			return [2]float64{v, t}[split]
		}
		both[split] = scaleOf(draws, options, value)
	}
	return both[0], both[1]
}

func scaleOf(draws [][]int, options []int, value func([]int) float64) Scale {
	type point struct {
		actions []int
		value   float64
	}
	points := make([]point, len(draws))
	for i, d := range draws {
		points[i] = point{d, value(d)}
	}
	slices.SortStableFunc(points, func(a, b point) int { return cmp.Compare(b.value, a.value) })
	n := len(points)
	s := Scale{Best: points[0].value, Median: (points[(n-1)/2].value + points[n/2].value) / 2, Worst: points[n-1].value}
	for _, p := range points[:min(climbers, n)] {
		s.Best = max(s.Best, climb(p.actions, p.value, options, value))
	}
	return s
}

// climb changes one choice after another to its best option until none gets better.
func climb(from []int, best float64, options []int, value func([]int) float64) float64 {
	at := slices.Clone(from)
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
	return best
}
