package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"tnaml/experiments/catalog"
	"tnaml/workflows"
)

// Searches and experiments answer pause, resume and stop with progress of
// different shapes.
func TestAnswerText(t *testing.T) {
	for _, c := range []struct {
		answer any
		want   string
	}{
		{workflows.Progress{Name: "spam-naml-s1-1", Status: "paused", Told: 3, Running: 2, Trials: 10, Reason: "lunch"}, "spam-naml-s1-1  3/10 trials  paused: lunch"},
		{workflows.ExperimentProgress{Name: "nlp-1", Kind: catalog.KindExperiment, Status: "stopping", Searches: 4, Done: 1, Running: []string{"a", "b"}, Told: 7, Trials: 40}, "nlp-1"},
	} {
		b, err := json.Marshal(c.answer)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := answerText(b); err != nil || !strings.HasPrefix(got, c.want) {
			t.Errorf("%q, %v; want %q", got, err, c.want)
		}
	}
	if _, err := answerText([]byte("3")); err == nil {
		t.Error("a number was taken for progress")
	}
}
