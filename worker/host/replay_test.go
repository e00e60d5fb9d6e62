package host

import (
	"path/filepath"
	"testing"

	"go.temporal.io/sdk/worker"

	"tnaml/activities"
	"tnaml/activities/store"
)

// Histories recorded from real searches must replay: a change of the workflow
// that breaks them would break every search that is running when it is rolled
// out. Such a change needs workflow.GetVersion, and a new recording beside the
// old ones (TNAML_RECORD=DIR with the durability test writes them).
func TestRecordedHistoriesReplay(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded histories: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			r := worker.NewWorkflowReplayer()
			Register(replayer{r}, activities.New(store.NewMemory(), activities.Options{}))
			if err := r.ReplayWorkflowHistoryFromJSONFile(nil, file); err != nil {
				t.Error(err)
			}
		})
	}
}

// replayer takes workflows only: activities are not run in a replay.
type replayer struct{ worker.WorkflowReplayer }

func (replayer) RegisterActivity(any) {}
