package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tnaml/experiments/metrics"
	"tnaml/experiments/search"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/space"
	"tnaml/experiments/study"
	"tnaml/experiments/trainer"
	"tnaml/nn/rng"
)

var latency = space.Objective{Metric: "latency_ms", Direction: space.Minimise}

// knobs is a search of the trainer table in 40 choices of 3 to 20 options, of which
// a learner finds out five: a latency to minimise, on one split or on both.
func knobs(by string, seed uint64, trials int, tested bool) Search {
	sp := space.Space{Name: "knobs", Trainer: "table", Objective: latency}
	for c := range 40 {
		choice := space.Choice{Name: fmt.Sprintf("knob/%d.size", c)}
		for k := range 3 + c%18 {
			choice.Options = append(choice.Options, int64(k*k*1000))
		}
		sp.Choices = append(sp.Choices, choice)
	}
	s := Search{Name: fmt.Sprintf("knobs-%s-%d", by, seed), Status: "completed", Config: search.Config{
		Space: sp, Strategy: by, Seed: seed, Lag: 1, Tasks: []search.Task{{Name: "server", Kind: "table", Data: "sha256:server"}},
	}}
	for i := range trials {
		r := rng.New(seed, "knobs "+by, uint64(i))
		x := search.Trial{Trial: i, Status: trainer.OK}
		far := 0.
		for c, choice := range sp.Choices {
			a := r.IntN(len(choice.Options))
			if by != strategy.Random && c%8 == 3 && r.Float64() < float64(i)/float64(trials) {
				a = c % len(choice.Options)
			}
			if c%8 == 3 {
				far += math.Abs(float64(a-c%len(choice.Options))) / float64(len(choice.Options))
			}
			x.Actions = append(x.Actions, a)
		}
		x.Validation = 12 + 2000*far*far*(.9+.2*r.Float64())
		x.Metrics = map[string]float64{latency.Metric: x.Validation}
		if tested {
			x.Test = x.Validation * 1.01
			x.Metrics = map[string]float64{"validation_latency_ms": x.Validation, "test_latency_ms": x.Test}
		}
		x.Reward = -x.Validation
		if r.IntN(30) == 0 {
			x.Status, x.Reason, x.Reward, x.Validation, x.Test, x.Metrics = trainer.Failed, "no such build", -20000, 0, 0, nil
		}
		s.Trials, s.Costs = append(s.Trials, x), append(s.Costs, search.Cost{Trial: i, CPUSeconds: .01})
	}
	return s
}

// body is a page without its style and its configurations.
func body(page string) string {
	_, page, _ = strings.Cut(page, "</style>")
	return regexp.MustCompile(`(?s)<pre>.*?</pre>`).ReplaceAllString(page, "")
}

// A report of an objective that nobody here has heard of: no percent, no
// accuracy, the least first, and of 40 choices those that say something.
func TestAnyObjective(t *testing.T) {
	for _, tested := range []bool{true, false} {
		in := Input{Title: "Latency", Searches: []Search{knobs(strategy.Random, 1, 300, tested), knobs(strategy.NAML, 1, 300, tested)}}
		v, err := newView(in)
		if err != nil {
			t.Fatal(err)
		}
		tv := v.Tasks[0]
		for i, b := range tv.Best {
			if i > 0 && b.Validation < tv.Best[i-1].Validation {
				t.Errorf("rank %d has %v, the one before it %v", i+1, b.Validation, tv.Best[i-1].Validation)
			}
			if !strings.Contains(b.Search, strategy.NAML) || b.Validation == 0 {
				t.Errorf("rank %d: %s with %v", i+1, b.Search, b.Validation)
			}
		}
		random, naml := tv.Arms[0], tv.Arms[1]
		if random.BestValidation || !naml.BestValidation || len(v.Matches) != 1 || !v.Matches[0].Reached || v.Matches[0].Speedup <= 1 {
			t.Errorf("random is best: %v, naml: %v, matches %+v", random.BestValidation, naml.BestValidation, v.Matches)
		}
		got := body(page(t, in))
		for _, bad := range []string{"accuracy", "Accuracy", "%!", "NaN", "Inf", "e+0", "weights", "child model", "percentage points"} {
			if strings.Contains(got, bad) {
				t.Errorf("tested %v: the page has %q: …%.80s", tested, bad, got[max(0, strings.Index(got, bad)-40):])
			}
		}
		want := []string{
			"validation latency_ms-top10</th>", "of which less is better", "Of 40 choices, the 12 whose options moved most.", "others</th>",
			"Validation latency_ms-top10</figcaption>", "about 10^",
		}
		if tested {
			want = append(want, "Test latency_ms-top10</figcaption>", "Gap: test − validation")
		} else if strings.Contains(got, "Test latency_ms-top10</figcaption>") {
			t.Error("a curve of what was not measured")
		}
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("tested %v: the page lacks %q", tested, w)
			}
		}
		// The choices that the learner found out are among those shown.
		shown := ""
		for _, c := range tv.Options[0].Choices {
			shown += " " + c.Choice
			if len(c.Options) > maxOptions {
				t.Errorf("%s has %d lines", c.Choice, len(c.Options))
			}
			var first, last float64
			for _, o := range c.Options {
				first, last = first+o.First, last+o.Last
			}
			if math.Abs(first-1) > 1e-9 || math.Abs(last-1) > 1e-9 {
				t.Errorf("%s: shares of %v and %v in all", c.Choice, first, last)
			}
		}
		for _, c := range []int{3, 11, 19, 27, 35} {
			if !strings.Contains(shown, fmt.Sprintf(" knob/%d.size", c)) {
				t.Errorf("knob %d, found out, is not among%s", c, shown)
			}
		}
		plots := regexp.MustCompile(`(?s)<svg class="plot".*?</svg>`).FindAllString(got, -1)
		if want := map[bool]int{true: 2, false: 1}[tested]; len(plots) != want {
			t.Errorf("%d plots, want %d", len(plots), want)
		}
	}
}

// Searches of one task by different objectives stand apart, each in its own unit.
func TestTwoObjectives(t *testing.T) {
	other := knobs(strategy.NAML, 2, 60, true)
	other.Config.Space.Objective = space.Objective{Metric: trainer.Accuracy, Direction: space.Maximise}
	for i := range other.Trials {
		x := &other.Trials[i]
		x.Validation, x.Test = x.Validation/1e4, x.Test/1e4
		x.Reward, x.Metrics = x.Validation, map[string]float64{"validation_accuracy": x.Validation, "test_accuracy": x.Test}
	}
	in := Input{Searches: []Search{knobs(strategy.Random, 1, 60, true), other}}
	v, err := newView(in)
	if err != nil || len(v.Tasks) != 2 || v.Tasks[0].Name != "server · latency_ms" || v.Tasks[1].Name != "server · accuracy" ||
		len(v.Matches) != 0 {
		t.Fatalf("%v: %+v", err, v.Tasks)
	}
	got := body(page(t, in))
	for _, want := range []string{"validation objective-top10</th>", "Test accuracy-top10, %</figcaption>",
		"Test latency_ms-top10</figcaption>", " %</td>"} {
		if !strings.Contains(got, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	s := latencyStudy(true)
	s.Ledgers[3].Config.Space.Objective.Direction = space.Maximise
	if err := WriteExperiment(&bytes.Buffer{}, s, ""); err == nil || !strings.Contains(err.Error(), "cannot be compared") {
		t.Errorf("a study of two objectives: %v", err)
	}
}

// latencyStudy is an experiment that minimises.
func latencyStudy(tested bool) *study.Study {
	s := &study.Study{
		Experiment: "latency", Baseline: "random", Against: "naml",
		Arms: []study.Arm{{Name: "random", Strategy: strategy.Random}, {Name: "naml", Strategy: strategy.NAML}},
	}
	for _, arm := range s.Arms {
		for seed := range uint64(2) {
			l := ledger(knobs(arm.Strategy, seed+1, 300, tested), study.Transfer, "server", arm.Name)
			s.Ledgers = append(s.Ledgers, l)
		}
	}
	s.Sort()
	return s
}

func TestExperimentOfAnyObjective(t *testing.T) {
	for _, tested := range []bool{true, false} {
		s := latencyStudy(tested)
		split := map[bool]string{true: "test", false: "validation"}[tested]
		var titles []string
		for _, table := range Tables(s) {
			titles = append(titles, table.Title)
			for _, row := range table.Rows {
				for i, c := range row {
					if strings.Contains(c.Text+c.Note, "%") || c.Paper != "" {
						t.Errorf("%s: %+v", table.Title, c)
					}
					if table.Marks != "" && table.Columns[i].Arm && c.Marked != (table.Columns[i].Name == "naml") {
						t.Errorf("%s: %s is %+v", table.Title, table.Columns[i].Name, c)
					}
				}
			}
		}
		all := strings.Join(titles, "\n")
		for _, want := range []string{
			"Validation latency_ms-top10 at the end", "Trials to the final validation latency_ms-top10 of random search",
			"Mean validation latency_ms of the first ten trials", "its mean difference in " + split + " latency_ms-top10",
		} {
			if !strings.Contains(all, want) {
				t.Errorf("no table %q in\n%s", want, all)
			}
		}
		if strings.Contains(all, "Test latency_ms") != tested {
			t.Errorf("tested %v:\n%s", tested, all)
		}
		tables := Tables(s)
		against := tables[slices.IndexFunc(tables, func(t Table) bool { return t.Columns[0].Name == "against" })]
		if row := against.Rows[0]; row[1].Text != "1" || !strings.HasPrefix(row[5].Text, "−") ||
			!strings.Contains(against.Note, "less is better") {
			t.Errorf("%+v", against)
		}
		got := body(experimentPage(t, s))
		for _, bad := range []string{"accuracy", "Accuracy", "%!", "NaN", "Inf", "percentage points"} {
			if strings.Contains(got, bad) {
				t.Errorf("the page has %q: …%.80s", bad, got[max(0, strings.Index(got, bad)-40):])
			}
		}
		if n := strings.Count(got, "<summary>Choice of the"); n != maxFigures {
			t.Errorf("%d figures of choices, want %d", n, maxFigures)
		}
		for _, m := range regexp.MustCompile(`Choice of the knob/(\d+)`).FindAllStringSubmatch(got, -1) {
			if !strings.Contains(" 3 11 19 27 35 ", " "+m[1]+" ") {
				t.Errorf("a figure of knob %s, of which nothing was learned", m[1])
			}
		}
	}
}

func TestDataOfAnyObjective(t *testing.T) {
	in := Input{Searches: []Search{knobs(strategy.NAML, 1, 40, false)}}
	var b bytes.Buffer
	if err := WriteCSV(&b, in); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil || len(rows) != 41 || !strings.Contains(strings.Join(rows[0], " "), "choice.knob/39.size metric.latency_ms") {
		t.Errorf("%d rows of %v, %v", len(rows), rows[0], err)
	}
	seen := map[string]bool{}
	for _, name := range rows[0] {
		if seen[name] {
			t.Errorf("two columns are called %q", name)
		}
		seen[name] = true
	}
	b.Reset()
	if err := WriteJSON(&b, in); err != nil {
		t.Fatal(err)
	}
	var d document
	if err := json.Unmarshal(b.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	if r := d.Results[0]; r.Tested || r.Validation.Mean <= 12 ||
		in.Searches[0].Trials[r.Best[0]].Validation > in.Searches[0].Trials[r.Best[9]].Validation {
		t.Errorf("%+v", r)
	}
}

func TestScale(t *testing.T) {
	sc, loss := scale{Objective: latency}, scale{Objective: space.Objective{Metric: trainer.LogLoss, Direction: space.Minimise}}
	f1 := scale{Objective: space.Objective{Metric: trainer.MacroF1}}
	for _, c := range []struct{ got, want string }{
		{sc.Name(), "latency_ms-top10"}, {sc.Unit(), ""}, {f1.Name() + f1.Unit(), "macro_f1-top10, %"},
		{f1.Value(.9876), "98.76"}, {scale{f1.Objective, true}.Estimate(metrics.Estimate{Mean: .5, Error: .01}), "50.0 ± 1.0 %"},
		{sc.Value(12345.6), "12346"}, {sc.Value(-3), "−3"}, {sc.Value(1e9), "1e+09"}, {loss.Value(.00123456), "0.001235"},
		{sc.Estimate(metrics.Estimate{Mean: 1234.5, Error: 56}), "1234 ± 56"}, {sc.Estimate(metrics.Estimate{Mean: 1234.5}), "1234"},
		{loss.Estimate(metrics.Estimate{Mean: .43219, Error: .0123}), "0.432 ± 0.012"},
		{sc.Estimate(metrics.Estimate{Mean: 3e-9, Error: 1e-10}), "3e-09 ± 1e-10"},
		{loss.Gap(-.01), "0.01"}, {f1.Gap(.01234), "1.2"},
		{f1.difference(metrics.Estimate{Mean: -.0023}), "−0.23"}, {f1.difference(metrics.Estimate{Mean: .0444, Error: .0123}), "+4.4 ± 1.2"},
		{loss.difference(metrics.Estimate{Mean: .5}), "+0.5"},
		// The digits are those that the error leaves: its first, its second where that is a 1.
		{f1.Estimate(metrics.Estimate{Mean: .4498, Error: .0522}), "45 ± 5"},
		{f1.Estimate(metrics.Estimate{Mean: .8698, Error: .0182}), "87.0 ± 1.8"},
		{f1.Estimate(metrics.Estimate{Mean: .96914, Error: .0002}), "96.91 ± 0.02"}, {f1.Estimate(metrics.Estimate{Mean: .96914}), "96.91"},
		{f1.Estimate(metrics.Estimate{Mean: .5, Error: .9}), "50 ± 90"}, {f1.Estimate(metrics.Estimate{Mean: .5, Error: 3e-11}), "50.00 ± 3e-09"},
	} {
		if c.got != c.want {
			t.Errorf("%s, want %s", c.got, c.want)
		}
	}
}
