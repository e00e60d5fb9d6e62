package report

import (
	"fmt"
	"strings"
	"testing"

	nightly "tnaml/experiments/benchmark/simulate"
	"tnaml/experiments/study"
)

// nights are three of one plan after one of another, the last but one slower in an arm.
func nights() []study.Run {
	night := func(name, plan, status string, trials float64, slowdowns ...nightly.Slowdown) study.Run {
		v := study.SimulatedVerdict{Slowdowns: slowdowns}
		if slowdowns != nil {
			v.Against = "the night before " + name
		}
		return study.Run{Name: name, Type: "Benchmark", Status: status, Spec: "{}", Simulated: &study.Simulated{
			Nightly: nightly.Nightly{Seeds: 400, Trials: 100, Share: .5, Arms: []nightly.Arm{{Name: "random"}, {Name: "<tpe>"}}}, Plan: plan,
			Arms: []nightly.Pace{{Arm: "random", Trials: 7, Low: 6.8, High: 7.2, Reached: 8000, Searches: 8400},
				{Arm: "<tpe>", Trials: trials, Low: trials - .1, High: trials + .1, Reached: 8400, Searches: 8400}},
			SimulatedVerdict: v,
		}}
	}
	same := nightly.Slowdown{Arm: "random", Tonight: 7, Earlier: 7, Ratio: 1, Low: 1, High: 1, P: 1, Unchanged: true}
	return []study.Run{
		night("n0", "b", "passed", 4), night("n1", "a", "passed", 5),
		night("n2", "a", "regressed", 6, same,
			nightly.Slowdown{Arm: "<tpe>", Tonight: 6, Earlier: 5, Ratio: 1.2, Low: 1.1, High: 1.3, P: 1e-4, Slower: true}),
		night("n3", "a", "passed", 5.9, same, nightly.Slowdown{Arm: "<tpe>", Tonight: 5.9, Earlier: 6, Ratio: .983, Low: .9, High: 1.05, P: .7}),
	}
}

// Where drift is counted from an earlier night, it has a table of its own.
func TestDriftTable(t *testing.T) {
	s := &study.Study{Runs: nights()}
	last := s.Runs[3].Simulated
	last.Drift = []study.Drift{
		{Since: "n1", Slowdown: nightly.Slowdown{
			Arm: "<tpe>", Tonight: 5.9, Earlier: 5, Ratio: 1.18, Low: 1.1, High: 1.25, P: 1e-5, Slower: true,
		}},
	}
	tables := SimulatedTables(s)
	if len(tables) != 3 || !strings.HasSuffix(tables[0].Title, ": slower than n1 in <tpe>") ||
		tables[1].Title != "Drift of simulated searches: the same trials, beside those of an earlier night" {
		t.Fatalf("%+v", tables)
	}
	if row := fmt.Sprint(tables[1].Rows[0]); !strings.Contains(row, "n1") || !strings.Contains(row, "1.180") || !tables[1].Rows[0][7].Marked {
		t.Error(row)
	}
	if !tables[2].Rows[0][3].Marked || tables[2].Rows[0][2].Marked {
		t.Errorf("%+v", tables[2].Rows[0])
	}
	last.Drift[0].Slower = false
	if got := last.Say(); got != "no slowdown since the night before n3, nor since n1" {
		t.Error(got)
	}
}

// A benchmark's page and its tables have what its simulated searches took, with interval
// and p-value, and the nights before it of the same plan.
func TestSimulatedTables(t *testing.T) {
	s := experiment(t)
	if got := SimulatedTables(s); got != nil || strings.Contains(experimentPage(t, s), "Simulated") {
		t.Errorf("an experiment that is no benchmark: %+v", got)
	}
	s.Runs = nights()
	var lines []string
	for _, table := range SimulatedTables(s) {
		lines = append(lines, table.Title)
		for _, row := range table.Rows {
			line := ""
			for _, c := range row {
				line += c.Text + c.Note + "|"
			}
			lines = append(lines, line)
		}
	}
	want := []string{
		"Simulated searches of n3, trials to the target: no slowdown since the night before n3",
		"random|7.00|6.80–7.20|95.2 %|7.00||||unchanged|",
		"<tpe>|5.90|5.80–6.00|100 %|6.00|0.983|0.900–1.050|0.7|no slower|",
		"Simulated searches, night by night: trials to the target",
		"n3|passed|7.00|5.90|", "n2|regressed|7.00|6.00slower|", "n1|passed|7.00|5.00|",
	}
	if got, want := strings.Join(lines, "\n"), strings.Join(want, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	page := experimentPage(t, s)
	for _, want := range []string{`<section id="simulated">`, "&lt;tpe&gt;", "0.983", "16,800",
		"below 0.0075, and of the drift below 0.0025", "2 % of cases"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not on the page", want)
		}
	}
	s.Runs = s.Runs[:3]
	const slower = "slower than the night before n2 in 1 of 2 arms"
	if got := SimulatedTables(s)[0]; !strings.HasSuffix(got.Title, slower) || !got.Rows[1][8].Marked {
		t.Errorf("%+v", got)
	}
	if s.Runs = s.Runs[:1]; len(SimulatedTables(s)) != 1 || !strings.Contains(fmt.Sprint(SimulatedTables(s)), "no earlier night") {
		t.Errorf("a first night: %+v", SimulatedTables(s))
	}
}
