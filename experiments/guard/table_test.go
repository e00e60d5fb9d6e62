package guard_test

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"tnaml/experiments/benchmark"
	"tnaml/experiments/guard"
	"tnaml/experiments/metrics"
	"tnaml/experiments/trainer"
	"tnaml/nn/rng"
)

// recorded holds a record's models: the bits of the validation, then of the test examples.
type recorded struct {
	validation, test int
	right            [][]bool
}

func open(t *testing.T, set *benchmark.Set, task string) (r recorded) {
	t.Helper()
	record, err := set.Record(task)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range record.Rows {
		if row.Right == nil {
			continue
		}
		r.validation, r.test = row.Right.Validation.N, row.Right.Test.N
		var bits []bool
		for _, b := range []trainer.Bits{row.Right.Validation, row.Right.Test} {
			for e := range b.N {
				bits = append(bits, b.Has(e))
			}
		}
		r.right = append(r.right, bits)
	}
	return r
}

// on are some models judged by the examples of the order: first the validation split.
func (r recorded) on(models, order []int) (validation []trainer.Bits, test []float64) {
	for _, m := range models {
		b := trainer.Bits{N: r.validation, Packed: make([]byte, (r.validation+7)/8)}
		right := 0
		for i, e := range order {
			switch {
			case !r.right[m][e]:
			case i < r.validation:
				b.Packed[i/8] |= 1 << (i % 8)
			default:
				right++
			}
		}
		validation, test = append(validation, b), append(test, float64(right)/float64(r.test))
	}
	return validation, test
}

// good is the best quarter of the models by both splits together, which knows nothing of
// the difference between the two.
func (r recorded) good() []int {
	right := make([]int, len(r.right))
	for m, bits := range r.right {
		for _, b := range bits {
			if b {
				right[m]++
			}
		}
	}
	order := numbers(len(r.right))
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(right[b], right[a]) })
	return order[:len(order)/4]
}

// own is by how much the validation split of an order is easier than its test split, for
// these models.
func (r recorded) own(models, order []int) float64 {
	validation, test := r.on(models, order)
	return metrics.Mean(guard.Accuracies(validation)).Mean - metrics.Mean(test).Mean
}

func numbers(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// figures are what searches of one task gave: what is said of the chosen model less its
// test accuracy, and less the split's own, by who says it. better is how much better on
// the test split the posterior's choice is.
type figures struct{ plain, bbc, posterior, corrected, better []float64 }

// searched makes searches of so many of the record's models each. The splits are the
// recorded ones, or drawn anew of all examples for each.
func (r recorded) searched(searches, trials int, redrawn bool) (f figures) {
	good := r.good()
	for s := range uint64(searches) {
		g := rng.New(1, "guard/table", s)
		order := numbers(r.validation + r.test)
		if redrawn {
			shuffle(g, order)
		}
		models := numbers(len(r.right))
		shuffle(g, models)
		validation, test := r.on(models[:min(trials, len(models))], order)
		measured, expected := guard.Accuracies(validation), guard.Posterior(validation)
		a, b := guard.Best(measured), guard.Best(expected)
		c := guard.Correct(validation, 100, s)
		own := r.own(good, order)
		f.plain, f.better = append(f.plain, measured[a]-test[a]-own), append(f.better, test[b]-test[a])
		f.bbc, f.corrected = append(f.bbc, c.BBC-test[a]-own), append(f.corrected, c.Accuracy-test[a]-own)
		f.posterior = append(f.posterior, expected[b]-test[b]-own)
	}
	return f
}

func shuffle(r *rand.Rand, v []int) { r.Shuffle(len(v), func(i, k int) { v[i], v[k] = v[k], v[i] }) }

// mean writes a mean in points, with its standard error.
func mean(v []float64) string {
	e := metrics.Mean(v)
	return fmt.Sprintf("%.2f ± %.2f", 100*e.Mean, 50*e.Error)
}

// Searches of 100 recorded models each. Whichever examples are the validation split, of
// the four tasks on which the search's best says most too much, the corrected accuracy
// is less than half as far from the test accuracy, and the choice by the posterior mean
// has no less. Nothing was chosen by these four. With -v it prints the table of all that
// were looked at, of 200 searches each.
func TestTable(t *testing.T) {
	set, err := benchmark.Open(benchmark.Paper)
	if err != nil {
		t.Fatal(err)
	}
	asked := []string{"prog_opinion", "corp_messaging", "customer_reviews", "brown_corpus"}
	searches, tasks := 40, asked
	if testing.Verbose() {
		searches, tasks = 200, append(slices.Clone(set.Development), asked...)
	}
	t.Log("| task | examples | best | BBC | corrected | posterior | its test | own | best | corrected | posterior | its test |")
	for _, task := range tasks {
		r := open(t, set, task)
		redrawn, split := r.searched(searches, 100, true), r.searched(searches, 100, false)
		own := r.own(r.good(), numbers(r.validation+r.test))
		t.Logf("| %s | %d | %s | %s | %s | %s | %s | %.2f | %s | %s | %s | %s |", task, r.validation, mean(redrawn.plain), mean(redrawn.bbc),
			mean(redrawn.corrected), mean(redrawn.posterior), mean(redrawn.better), 100*own,
			mean(split.plain), mean(split.corrected), mean(split.posterior), mean(split.better))
		if !slices.Contains(asked, task) {
			continue
		}
		plain, better := metrics.Mean(redrawn.plain).Mean, metrics.Mean(redrawn.better)
		for name, gaps := range map[string][]float64{"corrected": redrawn.corrected, "the posterior mean": redrawn.posterior} {
			if gap := metrics.Mean(gaps); math.Abs(gap.Mean)-gap.Error > plain/2 {
				t.Errorf("%s: %s is %.4f off, the best's own accuracy %.4f", task, name, gap.Mean, plain)
			}
		}
		if better.Mean < -better.Error {
			t.Errorf("%s: the posterior's choice is worse on the test split: %+v", task, better)
		}
	}
}
