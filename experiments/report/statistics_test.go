package report

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"tnaml/experiments/data"
	"tnaml/experiments/metrics"
	"tnaml/experiments/space"
	"tnaml/experiments/study"
	"tnaml/experiments/trainer"
)

// tableOf is the table whose first rows are of arms, with a column of that name.
func tableOf(t *testing.T, s *study.Study, column string) Table {
	t.Helper()
	tables := Tables(s)
	at := slices.IndexFunc(tables, func(t Table) bool {
		return slices.ContainsFunc(t.Columns, func(c Column) bool { return c.Name == column })
	})
	if at < 0 {
		t.Fatalf("no table with a column %q", column)
	}
	return tables[at]
}

// The reference against each other arm has an interval beside the paper's rule, ranks are
// of the arms that every task has, and each arm says what its choice costs.
func TestStatisticsTables(t *testing.T) {
	s := experiment(t)
	s.Cards = append(s.Cards, study.Card{Task: "sms_spam", Card: data.Card{Test: 558}})
	against := tableOf(t, s, "on other tasks, 95 %")
	for i, c := range s.Comparisons() {
		row := against.Rows[i]
		one := c.Tasks < 2
		if row[0].Text != c.B || (row[6].Text == "–") != one || (row[8].Text == "–") != one ||
			!strings.Contains(row[7].Text, " … ") || row[7].Marked != c.OnTheseTasks.Clear() {
			t.Errorf("%+v of %+v", row, c)
		}
	}
	ranks := tableOf(t, s, "mean rank")
	var arms []string
	for _, row := range ranks.Rows {
		arms = append(arms, row[0].Text)
	}
	if !slices.Equal(arms, s.Ranking().Arms) || len(arms) != 4 ||
		!strings.Contains(ranks.Note, "on every task, or of other data: ppo, reinforce.") {
		t.Errorf("ranks of %v: %s", arms, ranks.Note)
	}
	if tuning := tableOf(t, s, "test regret"); len(tuning.Rows) != 6 || tuning.Rows[0][3].Note == "" {
		t.Errorf("%+v", tuning.Rows)
	}
	var b bytes.Buffer
	if err := WriteExperimentJSON(&b, s); err != nil {
		t.Fatal(err)
	}
	var back struct {
		Comparisons []study.Comparison
		Ranking     *study.Ranking
		Overtuning  []study.ArmTuning
	}
	if err := json.Unmarshal(b.Bytes(), &back); err != nil || back.Ranking == nil || len(back.Overtuning) != 6 ||
		back.Comparisons[0].Interval.High == 0 {
		t.Errorf("%+v, %v", back, err)
	}
}

func TestInterval(t *testing.T) {
	percent, own := scale{Objective: space.Objective{Metric: trainer.Accuracy}}, scale{Objective: space.Objective{Metric: "loss"}}
	for _, c := range []struct {
		scale scale
		in    metrics.Interval
		want  Cell
	}{
		{percent, metrics.Interval{Mean: .01, Low: -.0123, High: .0345}, Cell{Text: "−1.2 … +3.5"}},
		{percent, metrics.Interval{Mean: .02, Low: .0123, High: .0345}, Cell{Text: "+1.2 … +3.5", Marked: true}},
		{own, metrics.Interval{Mean: -4, Low: -60, High: -20}, Cell{Text: "−60 … −20", Marked: true}},
		{percent, metrics.Interval{Mean: .01, Low: .01, High: .01}, Cell{Text: "–"}},
	} {
		if got := c.scale.interval(c.in); got != c.want {
			t.Errorf("%v: %+v, want %+v", c.in, got, c.want)
		}
	}
}
