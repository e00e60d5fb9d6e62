package task

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"tnaml/nn/rng"
)

// part is the split an example is in.
type part uint8

const (
	inTrain part = iota
	inValidation
	inTest
)

// groupEqual numbers the distinct texts by first appearance and returns each
// example's number. Texts are equal when they are so in normalisation form C
// with runs of white space as one space.
func groupEqual(examples []Example) []int {
	index := make(map[string]int, len(examples))
	out := make([]int, len(examples))
	for i, e := range examples {
		k := normalise(e.Text)
		g, ok := index[k]
		if !ok {
			g = len(index)
			index[k] = g
		}
		out[i] = g
	}
	return out
}

func normalise(s string) string {
	s = norm.NFC.String(s)
	plain, space := true, true
	for _, r := range s {
		sp := unicode.IsSpace(r)
		if sp && (space || r != ' ') {
			plain = false
			break
		}
		space = sp
	}
	if plain && !strings.HasSuffix(s, " ") {
		return s
	}
	return strings.Join(strings.Fields(s), " ")
}

// split assigns every example to a split; given says that the source did so.
// The random split is not stratified: the paper splits randomly (§4.1).
func split(examples []Example, groups []int, o Options) (parts []part, given bool, err error) {
	parts = make([]part, len(examples))
	var n [3]int
	for i, e := range examples {
		switch e.Split {
		case Train:
			parts[i] = inTrain
		case Validation:
			parts[i] = inValidation
		case Test:
			parts[i] = inTest
		case "":
			continue
		default:
			return nil, false, fmt.Errorf("example %d has unknown split %q (known: train, validation, test, or empty)", i, e.Split)
		}
		n[parts[i]]++
	}
	all := make([]int, len(examples))
	for i := range all {
		all[i] = i
	}
	total := len(examples)
	switch {
	case n == [3]int{}:
		test, validation := share(o.Test, total), share(o.Validation, total)
		cut(parts, all, groups, o.Seed, target{inTest, test}, target{inValidation, validation})
	case n[0]+n[1]+n[2] < total:
		return nil, false, fmt.Errorf("%d examples have a split and %d have none; give all or none of them one", n[0]+n[1]+n[2], total-n[0]-n[1]-n[2])
	default:
		given = true
		var errs []error
		for i, name := range []string{Train, Validation, Test} {
			if n[i] == 0 && (i != int(inValidation)) {
				errs = append(errs, fmt.Errorf("the source's own split has no %s examples; add some, or leave the split column empty for a random split", name))
			}
		}
		if len(errs) > 0 {
			return nil, true, errors.Join(errs...)
		}
		if n[inValidation] == 0 {
			train := all[:0]
			for i, p := range parts {
				if p == inTrain {
					train = append(train, i)
				}
			}
			cut(parts, train, groups, o.Seed, target{inValidation, share(o.Validation, len(train))})
		}
	}
	n = [3]int{}
	for _, p := range parts {
		n[p]++
	}
	for i, name := range []string{Train, Validation, Test} {
		if n[i] == 0 {
			return nil, given, fmt.Errorf("no examples are left for the %s split of %d: too many equal texts, which must stay together; add examples", name, total)
		}
	}
	return parts, given, nil
}

// share returns a fraction of n, at least 1.
func share(fraction float64, n int) int {
	return max(1, int(math.Round(fraction*float64(n))))
}

type target struct {
	part part
	size int
}

// cut moves examples to other splits: whole groups of equal texts in a seeded
// order, each to the first target that still has room for all of it. So the
// sizes are met exactly as long as there are groups small enough.
func cut(parts []part, members, groups []int, seed uint64, targets ...target) {
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
	to := map[int]part{}
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
