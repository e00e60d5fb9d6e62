package strategy

import (
	"cmp"
	"slices"

	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/nn/trees"
)

// featuresOf is the space as regression trees see it.
func featuresOf(sp *space.Space) []trees.Feature {
	var out []trees.Feature
	for _, c := range sp.Choices {
		out = append(out, trees.Feature{Levels: len(c.Options), Ordered: c.Ordered()})
	}
	return out
}

// descending is the order of values, the greatest first, equal ones as they stand.
func descending(v []float64) []int {
	order := make([]int, len(v))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(v[b], v[a]) })
	return order
}

// keyOf tells configurations apart.
func keyOf(actions []int) string {
	b := make([]byte, 0, 2*len(actions))
	for _, a := range actions {
		b = append(b, byte(a), byte(a>>8))
	}
	return string(b)
}

// kindredModels are what other tasks' trials say of a configuration: first a model of all
// of them together, then of each task one of what that leaves unexplained.
type kindredModels struct {
	features []trees.Feature
	models   []*trees.Model
	// known are the models' values of configurations asked of before.
	known map[string][]float64
}

// The models are small: main effects and a few pairs are what carries over.
const (
	commonTrees, ownTrees = 60, 30
	kindredDepth          = 2
	maxKnown              = 50_000
)

// fitKindred fits the models to the normal scores of each task's rewards.
func fitKindred(features []trees.Feature, tasks []rewardedTask) (k kindredModels, err error) {
	k = kindredModels{features: features, known: map[string][]float64{}}
	if len(tasks) == 0 {
		return k, nil
	}
	fit := func(x [][]int, y []float64, size int) (*trees.Model, error) {
		m, err := trees.Boost(features, x, y, nil, trees.Options{
			Trees: size, Depth: kindredDepth, Shrinkage: 6 / float64(size), MinLeaf: 3, Ridge: 3, Sample: .7, Features: .5,
			Seed: uint64(len(k.models)),
		})
		k.models = append(k.models, m)
		return m, err
	}
	var x [][]int
	var y []float64
	for _, t := range tasks {
		x, y = append(x, t.actions...), append(y, normalScores(t.rewards)...)
	}
	common, err := fit(x, y, commonTrees)
	if err != nil {
		return k, err
	}
	left := make([]float64, len(y))
	common.Values(trees.NewRows(features, x), left)
	for i := range left {
		left[i] = y[i] - left[i]
	}
	for _, t := range tasks {
		if _, err := fit(t.actions, left[:len(t.actions)], ownTrees); err != nil {
			return k, err
		}
		left = left[len(t.actions):]
	}
	return k, nil
}

// say returns the models' values of configurations, a row for each.
func (k *kindredModels) say(x [][]int) [][]float64 {
	out := make([][]float64, len(x))
	var at []int
	var asked [][]int
	for i, actions := range x {
		if out[i] = k.known[keyOf(actions)]; out[i] == nil {
			at, asked = append(at, i), append(asked, actions)
		}
	}
	n := len(k.models)
	rows, column, values := trees.NewRows(k.features, asked), make([]float64, len(asked)), make([]float64, n*len(asked))
	for j, m := range k.models {
		m.Values(rows, column)
		for i, v := range column {
			values[i*n+j] = v
		}
	}
	if len(k.known) > maxKnown {
		clear(k.known)
	}
	for i, actions := range asked {
		out[at[i]] = values[i*n : (i+1)*n : (i+1)*n]
		k.known[keyOf(actions)] = out[at[i]]
	}
	return out
}

// opening lists n configurations that together are best for the tasks as the models say
// (cover): of those best for a task, and of what climbing from the best of these finds.
func (k *kindredModels) opening(options []int, tasks []rewardedTask, inert trainer.Inertia, n int) (list [][]int) {
	var from [][]int
	var losses [][]float64
	seen := map[string]bool{}
	add := func(x [][]int) {
		at := len(from)
		for _, actions := range x {
			if trainer.Canonical(inert, actions); !seen[keyOf(actions)] {
				seen[keyOf(actions)] = true
				from = append(from, actions)
			}
		}
		for _, v := range k.say(from[at:]) {
			row := make([]float64, len(tasks))
			for t := range row {
				row[t] = -v[0] - v[t+1]
			}
			losses = append(losses, row)
		}
	}
	for _, t := range tasks {
		for _, i := range t.best(best) {
			add([][]int{slices.Clone(t.actions[i])})
		}
	}
	for climb := range climbs {
		say := make([]float64, len(from))
		for i, row := range losses {
			for _, v := range row {
				say[i] -= v
			}
		}
		for _, i := range descending(say)[:min(climbers, len(say))] {
			add(changes(options, from[i], climb))
		}
	}
	for _, i := range cover(losses, n) {
		list = append(list, from[i])
	}
	return list
}

// climbs is how often the neighbours of the best climbers are looked at.
const climbs, climbers = 4, 5

// changes are the configurations that differ in one choice: all of them, but that in a wide
// space they are maxChanges at most, others at each turn.
func changes(options []int, actions []int, turn int) (out [][]int) {
	all := 0
	for _, n := range options {
		all += n - 1
	}
	stride := 1 + max(0, all-1)/maxChanges
	at := turn % stride
	for c, n := range options {
		for o := range n {
			if o == actions[c] {
				continue
			}
			if at++; at%stride == 0 {
				changed := slices.Clone(actions)
				changed[c] = o
				out = append(out, changed)
			}
		}
	}
	return out
}

// maxChanges bounds the time and the memory that changes take: the widest space has 64,000.
const maxChanges = 5000
