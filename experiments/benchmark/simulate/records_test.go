package simulate

import (
	"flag"
	"fmt"
	"hash/fnv"
	"os"
	"slices"
	"testing"
	"text/tabwriter"

	"gonum.org/v1/gonum/stat"

	"tnaml/experiments/benchmark"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/trainer"
	"tnaml/nn/rng"
)

var ranks = flag.Bool("ranks", false, "rank strategies on the records alone beside the surrogates")

// records is a landscape of nothing but recorded trials: no model has a part in it. A
// configuration that was not recorded stands for one of those that were and differ from it
// in the fewest choices; which one, is drawn by the configuration. Where that was trained
// twice, the trial's seed says which training answers.
type records struct {
	inert trainer.Inertia
	rows  []benchmark.Row
	forms [][]int          // of the rows' actions
	same  map[string][]int // the rows of a form
}

func newRecords(r *benchmark.Record) *records {
	l := &records{inert: trainer.NewInertia(r.Space()), rows: r.Rows, same: map[string][]int{}}
	for i, row := range r.Rows {
		form := l.form(row.Actions)
		l.forms, l.same[fmt.Sprint(form)] = append(l.forms, form), append(l.same[fmt.Sprint(form)], i)
	}
	return l
}

// form is the one form of all actions that design the same model.
func (l *records) form(actions []int) []int {
	out := slices.Clone(actions)
	trainer.Canonical(l.inert, out)
	return out
}

// recorded are the rows of the configuration that another one stands for.
func (l *records) recorded(actions []int) []int {
	form := l.form(actions)
	var nearest []int
	least := len(form) + 1
	for i, other := range l.forms {
		apart := 0
		for k, o := range other {
			if o != form[k] {
				apart++
			}
		}
		switch {
		case apart < least:
			least, nearest = apart, append(nearest[:0], i)
		case apart == least:
			nearest = append(nearest, i)
		}
	}
	h := fnv.New64a()
	fmt.Fprint(h, form)
	of := nearest[rng.New(h.Sum64(), "simulate/records", 0).IntN(len(nearest))]
	return l.same[fmt.Sprint(l.forms[of])]
}

func (l *records) Look(actions []int, seed uint64) (trainer.Status, float64, float64) {
	rows := l.recorded(actions)
	row := l.rows[rows[rng.New(seed, "simulate/training", 0).IntN(len(rows))]]
	return row.Status, row.Validation, row.Test
}

// onRecords is a world in which what was recorded answers.
func onRecords(t *testing.T, w *World) *World {
	t.Helper()
	set, err := benchmark.Open(benchmark.Paper)
	if err != nil {
		t.Fatal(err)
	}
	alone := *w
	alone.Landscape = func(task string) (Landscape, error) {
		r, err := set.Record(task)
		if err != nil {
			return nil, err
		}
		return newRecords(r), nil
	}
	return &alone
}

// Up to ten trials strategies have nearly the same ranks on the records alone. Beyond these a
// record has no answer: what it was asked for lies among what it has never seen
// (experiments/benchmark/README.md, "How good it is").
func TestRanksOnRecords(t *testing.T) {
	if !*ranks {
		t.Skip("it takes minutes: give -ranks")
	}
	w, err := Open(benchmark.Paper)
	if err != nil {
		t.Fatal(err)
	}
	const from = "multitask"
	p := Plan{
		Tasks: w.Test, Trials: 100, Budgets: []int{1, 3, 10, 30, 100}, Seeds: 10, PretrainSeeds: 3, Lag: 1, Workers: 2, Against: strategy.Kindred,
		Pretrainings: []Pretraining{
			{Name: from, Strategy: strategy.NAML, Settings: []byte(`{"policy_gradient":{"entropy":0.03}}`), Trials: 4000},
		},
		Arms: []Arm{
			{Name: strategy.Kindred, Strategy: strategy.Kindred, From: from}, {Name: "random", Strategy: strategy.Random},
			{Name: "tpe", Strategy: "tpe"}, {Name: "evolution", Strategy: "evolution"}, {Name: "warm-evolution", Strategy: "evolution", From: from},
			{Name: "portfolio", Strategy: "portfolio", From: from}, {Name: "box", Strategy: "box", From: from},
			{Name: "copula", Strategy: "copula", From: from}, {Name: "naml", Strategy: strategy.NAML},
			{Name: "transfer", Strategy: strategy.NAML, From: from},
		},
	}
	var of [2]*Figures
	for i, world := range []*World{w, onRecords(t, w)} {
		result, err := Run(t.Context(), world, p, quiet)
		if err != nil {
			t.Fatal(err)
		}
		of[i] = result.Figures()
	}
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, by := range []struct {
		name  string
		ranks func(f *Figures, budget int) []float64
	}{
		{"how far they have come", func(f *Figures, k int) []float64 { return f.Found.Rankings[k].Ranks }},
		{"test value", func(f *Figures, k int) []float64 { return f.Rankings[k].Ranks }},
	} {
		fmt.Fprintf(out, "mean rank by %s: surrogate, records\n", by.name)
		for a, arm := range p.Arms {
			fmt.Fprint(out, arm.Name)
			for k := range p.Budgets {
				fmt.Fprintf(out, "\t%.2f, %.2f", by.ranks(of[0], k)[a], by.ranks(of[1], k)[a])
			}
			fmt.Fprintln(out)
		}
		fmt.Fprint(out, "Spearman")
		for k, n := range p.Budgets {
			rho := stat.Correlation(ordered(by.ranks(of[0], k)), ordered(by.ranks(of[1], k)), nil)
			fmt.Fprintf(out, "\t%.2f", rho)
			if n <= 10 && rho < .8 {
				t.Errorf("by %s after %d trials the ranks correlate by %.2f", by.name, n, rho)
			}
		}
		fmt.Fprintln(out)
	}
	_ = out.Flush()
}

// ordered are the ranks of values, equal ones sharing theirs.
func ordered(values []float64) []float64 {
	out := make([]float64, len(values))
	for i, v := range values {
		for _, other := range values {
			switch {
			case other < v:
				out[i]++
			case other == v:
				out[i] += .5
			}
		}
	}
	return out
}

// A recorded configuration is answered by its own trials, any other by the nearest.
func TestRecordsLookUp(t *testing.T) {
	w, err := Open(benchmark.Paper)
	if err != nil {
		t.Fatal(err)
	}
	alone := onRecords(t, w)
	land, _ := alone.Landscape("sms_spam")
	l := land.(*records)
	for _, row := range l.rows[:50] {
		seen := map[float64]bool{}
		for seed := range uint64(20) {
			_, v, _ := l.Look(row.Actions, seed)
			seen[v] = true
		}
		if !seen[row.Validation] || len(seen) > 2 {
			t.Errorf("trial %d: %v is not among %v", row.Trial, row.Validation, seen)
		}
	}
	apart := 0.
	const draws = 500
	for i := range draws {
		actions := make([]int, len(w.Space.Choices))
		for k, n := range w.Space.Options() {
			actions[k] = rng.New(1, "simulate/apart", uint64(i*len(actions)+k)).IntN(n)
		}
		form := l.form(actions)
		for k, o := range l.forms[l.recorded(actions)[0]] {
			if o != form[k] {
				apart += 1. / draws
			}
		}
	}
	t.Logf("a random configuration and the recorded one that it stands for differ in %.1f of %d choices in the mean", apart,
		len(w.Space.Choices))
	if apart < 1 || apart > 6 {
		t.Error("they are not the nearest")
	}
}
