package report

import (
	"encoding/xml"
	"strings"
	"testing"

	sim "tnaml/experiments/benchmark/simulate"
	"tnaml/experiments/metrics"
)

// rivals is a comparison of arms, each worse than the one before, on some tasks.
func rivals(arms ...string) Bench {
	r := &sim.Result{Against: arms[0], Trials: 30, Budgets: []int{1, 10, 30}, Seeds: 2, PretrainSeeds: 1, Lag: 1}
	in := Bench{Title: "Benchmark <x>", Summary: "a & b", Result: r, TaskTables: map[string]Table{}}
	for _, a := range arms {
		r.Arms = append(r.Arms, sim.Arm{Name: a, Strategy: "random"})
	}
	for _, name := range []string{"t1", "<t2>", "t3"} {
		task := sim.Task{Name: name, Validation: sim.Scale{Best: .9, Median: .5}, Test: sim.Scale{Best: .8, Median: .4}}
		for a, arm := range arms {
			of := sim.Searches{Arm: arm}
			for seed := range r.Seeds {
				v := .7 - .05*float64(a) + .01*float64(seed)
				at := []sim.At{{Validation: .3, Test: .2}, {Validation: v, Test: v}, {Validation: v, Test: v}}
				best := sim.Improvements{Trials: []int{2, 8}, Validation: []float64{.3, v}, Test: []float64{.3, v}, Mean: []float64{.3, v}}
				of.Searches = append(of.Searches, &sim.Search{Best: best, At: at})
			}
			task.Arms = append(task.Arms, of)
		}
		r.Tasks = append(r.Tasks, task)
		in.TaskTables[name] = Table{Title: "of " + name, Columns: []Column{{Name: "arm"}}, Rows: [][]Cell{{{Text: arms[0]}}}}
	}
	in.Figures = r.Figures()
	in.Tables = []Table{{
		Title: "a table", Columns: []Column{{Name: "arm"}, {Name: "1", Number: true}}, Rows: [][]Cell{{{Text: arms[0]}, {Text: "2"}}},
	}}
	return in
}

// The page of a comparison is one file, with curves, diagrams and tables, and names as
// they are.
func TestBenchPage(t *testing.T) {
	for name, arms := range map[string][]string{
		"one": {"a"}, "few": {"a", `<b>"&`, "c"}, "many": {"a", `<b>"&`, "c", "d", "e", "f", "g", "h"},
	} {
		var b strings.Builder
		if err := WriteBench(&b, rivals(arms...)); err != nil {
			t.Fatal(err)
		}
		page := b.String()
		if again := new(strings.Builder); WriteBench(again, rivals(arms...)) != nil || again.String() != page {
			t.Errorf("%s: another page the second time", name)
		}
		d := xml.NewDecoder(strings.NewReader(page))
		d.Strict, d.Entity = true, xml.HTMLEntity
		for {
			if _, err := d.Token(); err != nil {
				if err.Error() != "EOF" {
					t.Errorf("%s: %v", name, err)
				}
				break
			}
		}
		want := []string{"Benchmark &lt;x&gt;", "a &amp; b", "&lt;t2&gt;", "a table", "of t1", "prefers-color-scheme: dark", "Normalised regret"}
		if len(arms) > 1 {
			want = append(want, "After trial 30", "CD ", "&lt;b&gt;")
		}
		for _, w := range want {
			if !strings.Contains(page, w) {
				t.Errorf("%s: %q is not on the page", name, w)
			}
		}
		for _, w := range []string{"<b>\"", "<t2>", "<x>", "%!", "http://", "https://", "NaN", "<script"} {
			if strings.Contains(strings.ReplaceAll(page, "http://www.w3.org", ""), w) {
				t.Errorf("%s: %q is on the page", name, w)
			}
		}
		if panels := strings.Contains(page, "plots panels"); panels != (len(arms) > maxOverlaid) {
			t.Errorf("%s: panels %v", name, panels)
		}
	}
}

// Bars join the largest groups that cannot be told apart, and no group within another.
func TestJoinedByHand(t *testing.T) {
	r := sim.Ranking{Ranking: metrics.Ranking{Ranks: []float64{4, 1, 2, 2.5, 6}, Critical: 1.6}}
	got := joined([]int{1, 2, 3, 0, 4}, r)
	if len(got) != 2 || got[0] != [2]float64{1, 2.5} || got[1] != [2]float64{2.5, 4} {
		t.Errorf("%v", got)
	}
}
