package search

import (
	"math"
	"slices"
	"testing"

	"tnaml/experiments/search/strategy"
)

// ofTask is a search of one task.
func ofTask(t testing.TB, name, task string, seed uint64) *Searcher {
	t.Helper()
	c := testConfig(t, name, 1, 1)
	c.Tasks[0].Name, c.Seed = task, seed
	return must(New(c))(t)
}

// proposals asks for n trials, all of which have the same outcome.
func proposals(t testing.TB, s *Searcher, n int) (out []Proposal) {
	t.Helper()
	for range n {
		p := must(s.Ask(s.Told()))(t)
		if err := s.Tell(rewarded(p, .5)); err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

// dependence is Pearson's statistic of the contingency tables of two searches'
// options, added up over the choices and brought to the standard normal's scale
// (Wilson and Hilferty, 1931): beyond 4 the searches do not draw independently.
func dependence(options []int, a, b []Proposal) float64 {
	sum, freedom := 0., 0.
	for c, n := range options {
		table := make([]float64, n*n)
		rows, columns := make([]float64, n), make([]float64, n)
		for i := range a {
			x, y := a[i].Actions[c], b[i].Actions[c]
			table[x*n+y]++
			rows[x]++
			columns[y]++
		}
		for x := range rows {
			for y := range columns {
				if want := rows[x] * columns[y] / float64(len(a)); want > 0 {
					d := table[x*n+y] - want
					sum += d * d / want
				}
			}
		}
		freedom += float64((n - 1) * (n - 1))
	}
	return (math.Cbrt(sum/freedom) - 1 + 2/(9*freedom)) / math.Sqrt(2/(9*freedom))
}

// What a search draws on one task says nothing of what it draws on another, under
// the same seed; nor does what one strategy draws of another: or else wins over
// tasks would not be independent.
func TestTasksStrategiesAndSeedsDrawIndependently(t *testing.T) {
	const n = 2000
	sp := filled(t)
	options := sp.Options()
	random := proposals(t, ofTask(t, strategy.Random, "a", 1), n)
	for what, other := range map[string]*Searcher{
		"another task":              ofTask(t, strategy.Random, "b", 1),
		"another seed":              ofTask(t, strategy.Random, "a", 2),
		"another task and seed":     ofTask(t, strategy.Random, "b", 2),
		"another strategy":          ofTask(t, strategy.NAML, "a", 1),
		"another strategy and task": ofTask(t, strategy.NAML, "b", 1),
	} {
		got := proposals(t, other, n)
		if z := dependence(options, random, got); z > 4 {
			t.Errorf("%s: the proposals depend on each other, z = %.1f", what, z)
		}
		for i := range got {
			if (got[i].Seed == random[i].Seed) != (what == "another strategy") {
				t.Errorf("%s: trial %d has the seed %d, the first search's %d", what, i, got[i].Seed, random[i].Seed)
				break
			}
		}
	}
	if z := dependence(options, proposals(t, ofTask(t, strategy.NAML, "a", 1), n), proposals(t, ofTask(t, strategy.NAML, "b", 1), n)); z > 4 {
		t.Errorf("naml on two tasks: the proposals depend on each other, z = %.1f", z)
	}
	if z := dependence(options, random, random); z < 100 {
		t.Errorf("the test does not see that a search depends on itself: z = %.1f", z)
	}
	a, b := policyOf(t, ofTask(t, strategy.NAML, "a", 1)), policyOf(t, ofTask(t, strategy.NAML, "b", 1))
	for i, p := range a.Policy.Parameters() {
		if len(p.Value) > 1 && p.Value[0] != 0 && slices.Equal(p.Value, b.Policy.Parameters()[i].Value) {
			t.Errorf("the controllers of two tasks start from the same %s", p.Name)
		}
	}
}

// Of one task, what two searches of a strategy do differently is due to what they
// are told and how they learn from it, not to chance: they start from the same
// weights and draw the same numbers.
func TestOneTaskAndSeedIsPaired(t *testing.T) {
	for _, name := range strategy.Builtin().Names() {
		a, b := proposals(t, ofTask(t, name, "a", 1), 5), proposals(t, ofTask(t, name, "a", 1), 5)
		for i := range a {
			if !slices.Equal(a[i].Actions, b[i].Actions) || a[i].Seed != b[i].Seed {
				t.Errorf("%s: trial %d: %v and %v", name, i, a[i], b[i])
			}
		}
	}
	c := testConfig(t, strategy.NAML, 1, 3)
	c.Settings = must(strategy.ParseSettings(strategy.NAML, []byte(`"paper"`)))(t)
	paper, ours := must(New(c))(t), must(New(testConfig(t, strategy.NAML, 1, 3)))(t)
	for i := range 3 {
		if a, b := must(paper.Ask(i))(t), must(ours.Ask(i))(t); !slices.Equal(a.Actions, b.Actions) || a.Seed != b.Seed {
			t.Errorf("trial %d, before anything is learned: %v and %v", i, a, b)
		}
	}
}

// Two multitask searches of the same tasks meet them in the same order.
func TestTheOrderOfTasksIsPaired(t *testing.T) {
	random, naml := must(New(testConfig(t, strategy.Random, 3, 1)))(t), must(New(testConfig(t, strategy.NAML, 3, 1)))(t)
	a, b := proposals(t, random, 40), proposals(t, naml, 40)
	for i := range a {
		if a[i].Task != b[i].Task || a[i].Seed != b[i].Seed {
			t.Errorf("trial %d: task %d and %d, seed %d and %d", i, a[i].Task, b[i].Task, a[i].Seed, b[i].Seed)
		}
	}
}
