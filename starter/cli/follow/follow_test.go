package follow

import (
	"slices"
	"strings"
	"testing"

	"tnaml/activities"
	"tnaml/experiments/catalog"
	"tnaml/starter/client"
	"tnaml/workflows"
)

// Searches and runs answer pause, resume and stop with progress of different shapes.
func TestText(t *testing.T) {
	for _, c := range []struct {
		progress client.Progress
		want     string
	}{
		{client.Progress{Search: &client.SearchProgress{Progress: workflows.Progress{Name: "spam-naml-s1-1", Status: "paused", Told: 3,
			Running: 2, Trials: 10, Reason: "lunch"}}},
			"spam-naml-s1-1  3/10 trials  paused: lunch"},
		{client.Progress{Search: &client.SearchProgress{Progress: workflows.Progress{Name: "on", Status: "running", Trials: 16, From: "spam"}}},
			"on  0/16 trials, goes on from spam"},
		{client.Progress{Search: &client.SearchProgress{Progress: workflows.Progress{Name: "on", Status: "running", Told: 7, Trials: 16,
			From: "spam", Before: 6}}}, "on  7/16 trials, 6 of them of spam"},
		{client.Progress{Run: &client.RunProgress{ExperimentProgress: workflows.ExperimentProgress{Name: "nlp-1", Kind: catalog.KindExperiment,
			Status:   "stopping",
			Searches: 4, Done: 1, Running: []string{"a", "b"}, Told: 7, Trials: 40}}}, "nlp-1"},
	} {
		if got := Text(c.progress); !strings.HasPrefix(got, c.want) {
			t.Errorf("%q; want %q", got, c.want)
		}
	}
}

// While features are computed there are no trials to count: the run says so,
// without a terminal too, and how far they are.
func TestRunShowsFeatures(t *testing.T) {
	run := client.RunProgress{ExperimentProgress: workflows.ExperimentProgress{Name: "image-1", Status: "running", Searches: 3, Trials: 600,
		Told: 200, Done: 1, Running: []string{"a", "b"}}}
	run.Flight = []client.SearchProgress{
		{Progress: workflows.Progress{Name: "a", Status: "running", Trials: 200, Told: 7}},
		{Progress: workflows.Progress{Name: "b", Status: "running", Trials: 200,
			Preparing: "computing the features of the images: 1 of 5 done"}, Images: activities.Images{Done: 3, Total: 9}},
	}
	big := client.SearchProgress{Progress: workflows.Progress{Status: "running"}, Images: activities.Images{Done: 12000, Total: 60000}}
	if got := searchText(&big); !strings.HasSuffix(got, ", now image 12,000 of 60,000") {
		t.Error(got)
	}
	for terminal, want := range map[bool][]string{
		false: {"image-1  1/3 searches, 2 running  207/600 trials",
			"  b  0/200 trials  computing the features of the images: 1 of 5 done, now image 3 of 9"},
		true: {"image-1  1/3 searches, 2 running  207/600 trials", "  a  7/200 trials",
			"  b  0/200 trials  computing the features of the images: 1 of 5 done, now image 3 of 9"},
	} {
		if got := runLines(&run, terminal); !slices.Equal(got, want) {
			t.Errorf("terminal %v: %q", terminal, got)
		}
	}
}

// The time left is by the rates of the searches in flight, which know of no pauses.
func TestRunTimeLeft(t *testing.T) {
	flight := func(told, trials int, rate float64) client.SearchProgress {
		p := workflows.Progress{Status: "running", Told: told, Trials: trials, TrialsPerSecond: rate}
		if rate > 0 {
			p.SecondsLeft = float64(trials-told) / rate
		}
		return client.SearchProgress{Progress: p}
	}
	for _, c := range []struct {
		name   string
		flight []client.SearchProgress
		want   string
	}{
		{"no rate yet", []client.SearchProgress{flight(0, 200, 0), flight(0, 200, 0)}, "200/600 trials"},
		{"both", []client.SearchProgress{flight(50, 200, 1), flight(50, 200, 1)}, "300/600 trials  2m30s left"},
		{"one is new, and taken to be as fast", []client.SearchProgress{flight(100, 200, 1), flight(0, 200, 0)}, "300/600 trials  2m30s left"},
		{"the longest", []client.SearchProgress{flight(199, 200, 9), flight(50, 200, 1)}, "449/600 trials  2m30s left"},
	} {
		run := client.RunProgress{ExperimentProgress: workflows.ExperimentProgress{Name: "r", Status: "running", Searches: 3, Trials: 600,
			Told: 200, Done: 1, Running: []string{"a", "b"}}, Flight: c.flight}
		want := "r  1/3 searches, 2 running  " + c.want
		if got := runText(&run); got != want {
			t.Errorf("%s: %q; want %q", c.name, got, want)
		}
	}
	// Two of four ended early, one has not begun, and one of those in flight is paused.
	paused := flight(20, 200, 1)
	paused.Status = "paused"
	run := client.RunProgress{ExperimentProgress: workflows.ExperimentProgress{Searches: 5, Trials: 1000, Told: 40, Done: 2,
		Running: []string{"a", "b"}}, Flight: []client.SearchProgress{flight(100, 200, 1), paused}}
	if got := run.SecondsLeft(); got != 100+180+200 {
		t.Errorf("%v s", got)
	}
}
