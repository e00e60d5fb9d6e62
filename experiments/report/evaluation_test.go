package report

import (
	"strings"
	"testing"

	"tnaml/experiments/metrics"
	"tnaml/experiments/study"
)

// Seven examples of three classes, by hand: the matrix, precision, recall and F1.
func TestEvaluationByHand(t *testing.T) {
	c := metrics.NewConfusion([]string{"ham", "spam", "other"}, []int32{0, 0, 0, 1, 1, 2, 2}, []int32{0, 0, 1, 1, 0, 0, 0})
	in := Input{Searches: []Search{made("naml", "a", 1, 20, always(.8))}, Evaluations: []study.Evaluation{
		{Task: "a", Search: "s", Trial: 3, Confusion: &c}, {Task: "elsewhere"}}}
	got := page(t, in)
	for _, want := range []string{
		"Trial 3 of s on the 7 examples",
		// ham: 2 of 5 predictions, 2 of 3 examples, 4 of 8.
		`40%, transparent)">2</td><td class="n" style="background: color-mix(in srgb, var(--s1) 20%, transparent)">1</td>`,
		`<td class="n">3</td><td class="n">40</td><td class="n">67</td><td class="n">50</td>`,
		`<td class="n">2</td><td class="n">–</td><td class="n">0</td><td class="n">0</td>`, // other, which it never names
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in the page", want)
		}
	}
	if percentage(1, 3000) != "0.0" || percentage(1, 999) != "0" || percentage(2, 1500) != "0.1" {
		t.Error("digits")
	}
}

// Of many classes the worst are shown, and the most frequent mistakes; a model that
// is gone is told.
func TestEvaluationOfManyClasses(t *testing.T) {
	s := experiment(t)
	v := evaluationOf(s.Evaluations, "prog_opinion")
	if len(v.Classes) != maxMatrix || len(v.Pairs) != maxMatrix || v.Labels != nil || v.Of != 15 || v.Classes[0].F1() > v.Classes[11].F1() {
		t.Errorf("%d classes, %d pairs", len(v.Classes), len(v.Pairs))
	}
	if got := experimentPage(t, s); !strings.Contains(got, "cannot be used any more: no object.") ||
		!strings.Contains(got, "12 classes with the lowest F1, of 15") || !strings.Contains(got, "started 2026-11-24 07:12 UTC, 83.3 min elapsed") {
		t.Error("the page lacks the evaluations or the times")
	}
}
