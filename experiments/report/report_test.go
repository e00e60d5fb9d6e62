package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"tnaml/experiments/search"
	"tnaml/experiments/space"
	"tnaml/experiments/task"
	"tnaml/nn/child"
	"tnaml/nn/rng"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// sample is two strategies on two tasks, with failures, hostile names and a
// task that only one of them has.
func sample(t testing.TB) Input {
	t.Helper()
	sp, err := space.Builtin("text-small")
	if err != nil {
		t.Fatal(err)
	}
	expanded, err := sp.Expand([]string{"m-<16>", "m-64"})
	if err != nil {
		t.Fatal(err)
	}
	in := Input{Title: `A & B <script>alert("x")</script>`, Generated: "1 January 2026"}
	for k, strategy := range []string{"random", "naml"} {
		s := Search{Name: "s-" + strategy, Status: "completed", Config: search.Config{
			Space: expanded, Strategy: strategy, Seed: uint64(k), Lag: 1,
			Tasks: []search.Task{{Name: "spam"}, {Name: "reviews"}}[:k+1],
		}}
		for i := range 120 {
			r := rng.New(uint64(k), "sample", uint64(i))
			x := search.Trial{Trial: i, Task: i % (k + 1), Status: child.OK, Validation: .5 + .4*r.Float64(), Parameters: 1000 + i}
			x.Test = x.Validation - .05*r.Float64()
			for _, n := range expanded.Options() {
				x.Actions = append(x.Actions, r.IntN(n))
			}
			if i%17 == 3 {
				x.Status, x.Reason, x.Validation, x.Test = child.Diverged, "the loss is NaN", 0, 0
			}
			s.Trials = append(s.Trials, x)
			s.Costs = append(s.Costs, search.Cost{Trial: i, CPUSeconds: float64(i%7) / 4, Cached: i%29 == 0})
		}
		in.Searches = append(in.Searches, s)
	}
	in.Cards = []Card{{"spam", task.Card{Examples: 100, Train: 80, Validation: 10, Test: 10, MeanTokens: 12, MajorityAccuracy: .87, Warnings: []string{"small"}}}}
	return in
}

func page1(t testing.TB, in Input) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, in); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPage(t *testing.T) {
	got := page1(t, sample(t))
	if got != page1(t, sample(t)) {
		t.Error("equal inputs give other bytes")
	}
	const golden = "testdata/page.html"
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the page changed: look at it, then `go test ./experiments/report -update`")
	}
	if strings.Contains(got, "<script") || strings.Contains(got, "m-<16>") {
		t.Error("text is not escaped")
	}
	if external := regexp.MustCompile(`(src|href)="|url\(|@import`).FindString(got); external != "" {
		t.Errorf("the page needs %s", external)
	}
	if strings.Count(got, "<svg role") != 2 || strings.Contains(got, inkHex) {
		t.Error("two learning curves are expected, in the page's own ink")
	}
}

// Bold marks the best test accuracy and what cannot be told from it.
func TestBold(t *testing.T) {
	in := sample(t)
	for i := range in.Searches[0].Trials {
		if in.Searches[0].Trials[i].OK() {
			in.Searches[0].Trials[i].Test = .1
		}
	}
	v, err := newView(in)
	if err != nil {
		t.Fatal(err)
	}
	if arms := v.Tasks[0].Arms; arms[0].BestTest || !arms[1].BestTest {
		t.Errorf("random %v, naml %v", arms[0].BestTest, arms[1].BestTest)
	}
	if arms := v.Tasks[1].Arms; len(arms) != 1 || arms[0].BestTest {
		t.Error("one arm alone is not marked")
	}
}

func TestEmpty(t *testing.T) {
	in := sample(t)
	in.Searches[0].Trials, in.Searches[0].Costs = nil, nil
	if s := page1(t, in); !strings.Contains(s, "s-random") {
		t.Error("a search without trials is missing")
	}
	page1(t, Input{})
}

func TestData(t *testing.T) {
	in := sample(t)
	var b bytes.Buffer
	if err := WriteCSV(&b, in); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil || len(rows) != 241 || rows[0][12] != "module" || rows[1][12] != "m-<16>" && rows[1][12] != "m-64" {
		t.Errorf("CSV: %d rows, %v", len(rows), err)
	}
	b.Reset()
	if err := WriteJSON(&b, in); err != nil {
		t.Fatal(err)
	}
	var back Input
	if err := json.Unmarshal(b.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if page1(t, back) != page1(t, in) {
		t.Error("the page of the JSON is another one")
	}
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		want      string
	}{{0, 61.2, "0 10 20 30 40 50 60"}, {70.2, 75.1, "70.5 71.0 71.5 72.0 72.5 73.0 73.5 74.0 74.5 75.0"}, {98.7, 99.6, "98.7 98.8 98.9 99.0 99.1 99.2 99.3 99.4 99.5 99.6"}, {0, 5100, "0 500 1000 1500 2000 2500 3000 3500 4000 4500 5000"}, {1, 1, ""}} {
		var got []string
		for _, k := range (ticks{}).Ticks(c.low, c.high) {
			got = append(got, k.Label)
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%v to %v: %s", c.low, c.high, s)
		}
	}
}
