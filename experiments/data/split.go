package data

import (
	"errors"
	"fmt"
	"math"

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
// splits holds each example's Train, Validation, Test or "" and groups a number
// that equal examples share: they stay on one side of every cut made here.
//
// The random split is not stratified: the paper splits randomly (§4.1). A
// source that gives no validation split has one cut from its training split.
func Divide(splits []string, groups []int, o Options) (parts []Part, given bool, err error) {
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
		cut(parts, all, groups, o.Seed, target{InTest, test}, target{InValidation, validation})
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
			cut(parts, train, groups, o.Seed, target{InValidation, share(o.Validation, len(train))})
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

// cut moves examples to other splits: whole groups of equal texts in a seeded
// order, each to the first target that still has room for all of it. So the
// sizes are met exactly as long as there are groups small enough.
func cut(parts []Part, members, groups []int, seed uint64, targets ...target) {
	size := map[int]int{}
	var order []int
	for _, i := range members {
		if size[groups[i]] == 0 {
			order = append(order, groups[i])
		}
		size[groups[i]]++
	}
	r := rng.New(seed, "task/split", 0)
	r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	to := map[int]Part{}
	for _, g := range order {
		for k := range targets {
			if t := &targets[k]; size[g] <= t.size {
				t.size -= size[g]
				to[g] = t.part
				break
			}
		}
	}
	for _, i := range members {
		if p, ok := to[groups[i]]; ok {
			parts[i] = p
		}
	}
}
