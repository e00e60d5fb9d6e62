package benchmark

import (
	"slices"
	"strings"
	"testing"

	"tnaml/experiments/trainer"
)

// Surrogates foretell what they have not seen. What is due of real tasks is due of their
// median: of some there is little to foretell. It grows with the rows.
func TestQuality(t *testing.T) {
	set := paper(t)
	t.Logf("| %-26s | %5s | %6s | %5s | %6s | %8s | %7s | %6s | %8s | %7s |", "task", "rows", "failed", "pairs",
		"R²", "Spearman", "ceiling", "R²", "Spearman", "ceiling")
	assess := func(name string, r *Record) Quality {
		q, err := Assess(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("| %-26s | %5d | %6d | %5d | %6.2f | %8.2f | %7.2f | %6.2f | %8.2f | %7.2f |", name, q.Rows, q.Failed, q.Pairs,
			q.R2[0], q.Spearman[0], q.Ceiling[0], q.R2[1], q.Spearman[1], q.Ceiling[1])
		return q
	}
	due := func(what string, squared, ranks float64, all ...Quality) {
		for k, split := range []string{"validation", "test"} {
			var r2, spearman []float64
			for _, q := range all {
				r2, spearman = append(r2, q.R2[k]), append(spearman, q.Spearman[k])
			}
			slices.Sort(r2)
			slices.Sort(spearman)
			if m := len(all) / 2; r2[m] < squared || spearman[m] < ranks {
				t.Errorf("%s: on %s R² %.3f and a rank correlation of %.3f, at least %v and %v are due",
					what, split, r2[m], spearman[m], squared, ranks)
			}
		}
	}
	var few, many []Quality
	for _, name := range set.Tasks() {
		r, err := set.Record(name)
		if err != nil {
			t.Fatal(err)
		}
		if q := assess(name, r); q.Rows < 900 {
			few = append(few, q)
		} else {
			many = append(many, q)
		}
	}
	if len(few) > 0 {
		due("tasks with some hundred rows", .4, .65, few...)
	}
	if len(many) > 0 {
		due("tasks with a thousand rows", .5, .7, many...)
	}
	due("the synthetic task", .75, .85, assess("(synthetic)", synthetic(set, 1, 1100)))
	// In the space text, too.
	other, err := Open(Text)
	if err != nil {
		t.Fatal(err)
	}
	var text []Quality
	for _, name := range other.Tasks() {
		r, err := other.Record(name)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, assess("text: "+name, r))
	}
	due("tasks in the space text", .4, .6, text...)
}

// Configurations that fail in the record fail in the surrogate, and others do not.
func TestFailures(t *testing.T) {
	set := paper(t)
	r := synthetic(set, 1, 1100)
	fails := func(actions []int) bool { return actions[7] >= 6 && actions[2] >= 2 } // fast and deep
	for i := range r.Rows {
		if row := &r.Rows[i]; fails(row.Actions) {
			*row = Row{Trial: row.Trial, Actions: row.Actions, Status: trainer.Diverged}
		}
	}
	s := fit(t, r, FitOptions{})
	wrong, failed := 0, 0
	for i := range uint64(2000) {
		actions := drawn(set, i)
		status, validation, test := s.Look(actions, i)
		if again, _, _ := s.Look(actions, i+1); again != status {
			t.Fatalf("under another seed %v is %s, not %s", actions, again, status)
		}
		if (status != trainer.OK) != fails(actions) {
			wrong++
		}
		if status != trainer.OK {
			failed++
			if status != trainer.Diverged || validation != 0 || test != 0 {
				t.Fatalf("%s with %v and %v", status, validation, test)
			}
		}
	}
	if wrong > 60 || failed < 200 {
		t.Errorf("%d failed, and of 2,000 %d were told wrongly", failed, wrong)
	}
}

// A record that is asked answers for its own configurations, repeated ones by the seed.
func TestRecorded(t *testing.T) {
	r := synthetic(paper(t), 1, 110)
	s := fit(t, r, FitOptions{Recorded: true})
	seen := map[[outputs]float64]bool{}
	for seed := range uint64(50) {
		seen[look(t, s, r.Rows[0].Actions, seed)] = true
	}
	a, b := [outputs]float64{r.Rows[0].Validation, r.Rows[0].Test}, [outputs]float64{r.Rows[10].Validation, r.Rows[10].Test}
	if len(seen) != 2 || !seen[a] || !seen[b] {
		t.Errorf("looked up %v, recorded %v and %v", seen, a, b)
	}
}

// What no surrogate can be fitted to is refused, with everything that is wrong.
func TestFitRefuses(t *testing.T) {
	r := sample()
	r.Rows[0].Validation = 1.5
	_, err := Fit(r, FitOptions{})
	for _, want := range []string{"2 trials with a result are too few", "trial 0: 1.5 and"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

// The built-in sets are whole: every task has its role and its set's space.
func TestSets(t *testing.T) {
	total := 0
	for _, of := range Names() {
		set, err := Open(of)
		if err != nil {
			t.Fatal(err)
		}
		if set.Space.Name != of {
			t.Errorf("the set %s is of the space %s", of, set.Space.Name)
		}
		for _, name := range set.Tasks() {
			if _, err := set.Record(name); err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(slices.Concat(set.Development, set.Test), name) {
				t.Errorf("%s is neither a development nor a test task", name)
			}
			b, err := recorded.ReadFile(of + "/" + name + Suffix)
			if err != nil {
				t.Fatal(err)
			}
			total += len(b)
		}
		t.Logf("%s: %d tasks, %d bytes so far", of, len(set.Tasks()), total)
	}
	if total > 30<<20 {
		t.Errorf("the records take %d bytes", total)
	}
	set := paper(t)
	if _, err := set.Surrogate("nothing"); err == nil || !strings.Contains(err.Error(), "airline") {
		t.Error(err)
	}
	if _, err := Open("nothing"); err == nil || !strings.Contains(err.Error(), Paper) {
		t.Error(err)
	}
}
