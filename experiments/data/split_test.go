package data

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"tnaml/nn/rng"
)

// sides counts each class's examples on each side.
func sides(classes []int32, parts []Part) map[int32][3]int {
	out := map[int32][3]int{}
	for i, p := range parts {
		n := out[classes[i]]
		n[p]++
		out[classes[i]] = n
	}
	return out
}

// Each class has its share of every split, a rare one at least an example as long
// as it has three; equal examples stay together; and Random does without.
func TestDivideIsStratified(t *testing.T) {
	var classes []int32
	var groups []int
	for class, n := range []int{700, 200, 90, 10, 3, 2, 1} {
		for range n {
			classes, groups = append(classes, int32(class)), append(groups, len(groups))
		}
	}
	groups[1], groups[2] = groups[0], groups[0]
	splits := make([]string, len(classes))
	absent := 0
	for seed := uint64(1); seed <= 20; seed++ {
		o := Options{Seed: seed, Validation: .1, Test: .2}
		parts, given, err := Divide(splits, classes, groups, o)
		if err != nil || given {
			t.Fatal(given, err)
		}
		again, _, _ := Divide(splits, classes, groups, o)
		if !slices.Equal(parts, again) {
			t.Fatal("the same seed gives another split")
		}
		n := sides(classes, parts)
		for class, want := range [][3]int{{491, 69, 140}, {141, 20, 39}, {63, 9, 18}, {7, 1, 2}, {1, 1, 1}, {1, 0, 1}, {1, 0, 0}} {
			for side, got := range n[int32(class)] {
				if d := got - want[side]; d < -2 || d > 2 || (got == 0) != (want[side] == 0) {
					t.Errorf("seed %d, class %d: %v; want about %v", seed, class, n[int32(class)], want)
				}
			}
		}
		if total := (len(slices.Collect(inPart(parts, InTest)))); total != 201 {
			t.Errorf("seed %d: %d in test", seed, total)
		}
		if parts[0] != parts[1] || parts[0] != parts[2] {
			t.Errorf("seed %d: equal examples are parted", seed)
		}
		o.Random = true
		if parts, _, err = Divide(splits, classes, groups, o); err != nil {
			t.Fatal(err)
		}
		if n := sides(classes, parts); n[4][InTrain] == 0 || n[4][InValidation] == 0 || n[4][InTest] == 0 {
			absent++
		}
	}
	if absent == 0 {
		t.Error("no random split lacks the class of three")
	}
}

func inPart(parts []Part, p Part) func(func(int) bool) {
	return func(yield func(int) bool) {
		for i, q := range parts {
			if q == p && !yield(i) {
				return
			}
		}
	}
}

// With more classes than places, and whatever the groups, every example has a side,
// none is empty and every class that can be is learnt.
func TestDivideOfManyClasses(t *testing.T) {
	r := rng.New(1, "test/divide", 0)
	for range 200 {
		n := 20 + r.IntN(200)
		classes, groups := make([]int32, n), make([]int, n)
		for i := range n {
			classes[i], groups[i] = int32(r.IntN(n/2)), i
			if i > 0 && r.IntN(4) == 0 {
				groups[i] = groups[r.IntN(i)]
			}
		}
		parts, _, err := Divide(make([]string, n), classes, groups, Options{Seed: r.Uint64(), Validation: .1, Test: .1})
		if err != nil {
			t.Fatal(err)
		}
		owner := map[int]int32{}
		for i, g := range groups {
			if _, ok := owner[g]; !ok {
				owner[g] = classes[i]
			}
		}
		learnt := map[int32]bool{}
		for i, p := range parts {
			if p == InTrain {
				learnt[owner[groups[i]]] = true
			}
			if p != parts[slices.Index(groups, groups[i])] {
				t.Fatalf("equal examples %d are parted", i)
			}
		}
		for g, class := range owner {
			if !learnt[class] {
				t.Fatalf("class %d, of group %d, is not learnt", class, g)
			}
		}
	}
}

// What a split lacks is told, of many classes the first few.
func TestWarnOfAbsentClasses(t *testing.T) {
	c := Card{Classes: []Class{{Label: "a", Train: 9, Validation: 1, Test: 1}, {Label: "rare", Train: 1, Test: 1}, {Label: "once", Train: 1}}}
	for i := range 30 {
		c.Classes = append(c.Classes, Class{Label: fmt.Sprint("c", i), Test: 1})
	}
	c.Classes = append(c.Classes, Class{Label: "NaN", Train: 5, Validation: 1, Test: 1})
	c.Warn("a text")
	if strings.Contains(strings.Join(c.Warnings, "\n"), "a larger share") {
		t.Error("no class has the examples for a larger share")
	}
	with := Card{Classes: []Class{{Label: "a", Train: 6, Validation: 1, Test: 1}, {Label: "b", Train: 6}}}
	if with.Warn("a text"); len(with.Warnings) != 2 ||
		!strings.HasSuffix(with.Warnings[0], "a larger share of it may have room for those with three or more") {
		t.Errorf("%q", with.Warnings)
	}
	all := strings.Join(c.Warnings, "\n")
	for _, want := range []string{`in the validation split, and models are chosen without regard to them: "rare" (2), "once" (1)`,
		`in the test split, and how well they are told is not measured: "once" (1)`, `class "c9" never occurs in the training split`,
		"and 20 more", `class "NaN": what reads like a missing value`} {
		if !strings.Contains(all, want) {
			t.Errorf("%q does not say %q", all, want)
		}
	}
	if len(c.Warnings) > 15 {
		t.Errorf("%d warnings", len(c.Warnings))
	}
}
