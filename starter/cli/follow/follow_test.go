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
