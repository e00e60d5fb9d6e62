package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"tnaml/deploy"
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

// The address of a search's page has its name in one piece, slashes and all.
func TestWhere(t *testing.T) {
	a := &app{}
	s := &deploy.Servers{Namespace: "default", UI: "http://127.0.0.1:8233"}
	for name, want := range map[string]string{
		"spam-naml-s1-1":       "  http://127.0.0.1:8233/namespaces/default/workflows/spam-naml-s1-1",
		"nlp-1/transfer/a/b+c": "  http://127.0.0.1:8233/namespaces/default/workflows/nlp-1%2Ftransfer%2Fa%2Fb+c",
		"a b?c#d%":             "  http://127.0.0.1:8233/namespaces/default/workflows/a%20b%3Fc%23d%25",
	} {
		if got := a.where(s, name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	s.UI = ""
	if got := a.where(s, "x"); got != "" {
		t.Errorf("without a web UI: %s", got)
	}
}
