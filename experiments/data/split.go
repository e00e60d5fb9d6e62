package data

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"tnaml/nn/rng"
)

// The names of the splits.
const (
	Train      = "train"
	Validation = "validation"
	Test       = "test"
)

// Part is the split an example is in.
type Part uint8

// The parts, in the order of a task's splits.
const (
	InTrain Part = iota
	InValidation
	InTest
)

// Divide assigns every example to a split; given says that the source did so.
// splits holds each example's Train, Validation, Test or "", classes its class and
// groups a number that equal examples share: they stay on one side of every cut
// made here.
//
// A cut gives each class its share, and at least one group of a class that has
// enough of them to each side, where a side is large enough for all of these;
// Options.Random cuts without regard to classes. A source that gives no validation split has one cut from its training split.
func Divide(splits []string, classes []int32, groups []int, o Options) (parts []Part, given bool, err error) {
	parts = make([]Part, len(splits))
	var n [3]int
	for i, name := range splits {
		switch name {
		case Train:
			parts[i] = InTrain
		case Validation:
			parts[i] = InValidation
		case Test:
			parts[i] = InTest
		case "":
			continue
		default:
			return nil, false, fmt.Errorf("example %d has unknown split %q (known: train, validation, test, or empty)", i, name)
		}
		n[parts[i]]++
	}
	all := make([]int, len(splits))
	for i := range all {
		all[i] = i
	}
	total := len(splits)
	switch {
	case n == [3]int{}:
		test, validation := share(o.Test, total), share(o.Validation, total)
		cut(parts, all, classes, groups, o, target{InTest, test}, target{InValidation, validation})
	case n[0]+n[1]+n[2] < total:
		return nil, false, fmt.Errorf("%d examples have a split and %d have none; give all or none of them one", n[0]+n[1]+n[2],
			total-n[0]-n[1]-n[2])
	default:
		given = true
		var errs []error
		for i, name := range []string{Train, Validation, Test} {
			if n[i] == 0 && (i != int(InValidation)) {
				errs = append(errs, fmt.Errorf("the source's own split has no %s examples; add some, or give no split at all for a random split", name))
			}
		}
		if len(errs) > 0 {
			return nil, true, errors.Join(errs...)
		}
		if n[InValidation] == 0 {
			train := all[:0]
			for i, p := range parts {
				if p == InTrain {
					train = append(train, i)
				}
			}
			cut(parts, train, classes, groups, o, target{InValidation, share(o.Validation, len(train))})
		}
	}
	n = [3]int{}
	for _, p := range parts {
		n[p]++
	}
	for i, name := range []string{Train, Validation, Test} {
		if n[i] == 0 {
			return nil, given, fmt.Errorf("no examples are left for the %s split of %d: too many equal ones, which must stay together; add examples",
				name, total)
		}
	}
	return parts, given, nil
}

// share returns a fraction of n, at least 1.
func share(fraction float64, n int) int {
	return max(1, int(math.Round(fraction*float64(n))))
}

type target struct {
	part Part
	size int
}

// stratum is a class in a cut: what is taken of it goes to the targets in turn.
type stratum struct {
	examples, groups int
	room             []int // of each target, in examples
}

// cut moves examples to other splits: whole groups of equal ones in a seeded
// order, each to the first target that still has room for all of it. First each
// class fills its share of the targets, then any what is left of them; the last
// group of a class stays. So the sizes are met exactly as long as there are groups
// small enough.
func cut(parts []Part, members []int, classes []int32, groups []int, o Options, targets ...target) {
	size, class := map[int]int{}, map[int]int32{}
	var order []int
	for _, i := range members {
		if size[groups[i]] == 0 {
			order = append(order, groups[i])
			class[groups[i]] = classes[i]
			if o.Random {
				class[groups[i]] = 0
			}
		}
		size[groups[i]]++
	}
	r := rng.New(o.Seed, "task/split", 0)
	r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	strata := make([]stratum, 1+slices.Max(append([]int32{0}, slices.Collect(maps.Values(class))...)))
	for _, g := range order {
		s := &strata[class[g]]
		s.examples, s.groups = s.examples+size[g], s.groups+1
	}
	for k, t := range targets {
		for i, n := range shares(strata, t.size, len(members), k+2) {
			strata[i].room = append(strata[i].room, n)
		}
	}
	to := map[int]Part{}
	place := func(g int, room func(k int) int) {
		for k := range targets {
			if s := &strata[class[g]]; size[g] <= min(room(k), targets[k].size) && s.groups > 1 {
				targets[k].size -= size[g]
				s.room[k] -= size[g]
				s.groups--
				to[g] = targets[k].part
				return
			}
		}
	}
	for _, g := range order {
		place(g, func(k int) int { return strata[class[g]].room[k] })
	}
	for _, g := range order {
		if _, ok := to[g]; !ok {
			place(g, func(k int) int { return targets[k].size })
		}
	}
	for _, i := range members {
		if p, ok := to[groups[i]]; ok {
			parts[i] = p
		}
	}
}

// shares divides the size of a target among the classes by their numbers of
// examples, rounded to the nearest that add up to it; those with at least enough
// groups get one, as far as it suffices for all of these.
func shares(strata []stratum, size, examples, enough int) []int {
	out, order, least := make([]int, len(strata)), make([]int, len(strata)), make([]int, len(strata))
	exact := func(i int) float64 { return float64(size) * float64(strata[i].examples) / float64(max(1, examples)) }
	sum := 0
	for i := range strata {
		if order[i] = i; strata[i].groups >= enough {
			least[i] = 1
			sum++
		}
	}
	if sum > size {
		clear(least)
	}
	sum = 0
	for i := range strata {
		out[i] = max(least[i], int(exact(i)))
		sum += out[i]
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(exact(b)-float64(out[b]), exact(a)-float64(out[a])) })
	for _, i := range order {
		if sum < size && out[i] < strata[i].examples {
			out[i]++
			sum++
		}
	}
	for more := true; more && sum > size; {
		more = false
		for _, i := range slices.Backward(order) {
			if sum > size && out[i] > least[i] {
				out[i]--
				sum--
				more = true
			}
		}
	}
	return out
}
