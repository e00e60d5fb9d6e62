package host

import (
	"os"
	"path/filepath"
	"testing"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"tnaml/activities"
	"tnaml/activities/store"
)

// Histories recorded from real searches and experiments must replay: a change of the workflow
// that breaks them would break every search that is running when it is rolled
// out. Such a change needs workflow.GetVersion, and a new recording beside the
// old ones (TNAML_RECORD=DIR with the durability test, and with the starter's test of experiments, writes them).
func TestRecordedHistoriesReplay(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded histories: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			r := worker.NewWorkflowReplayer()
			Register(replayer{r}, activities.New(store.NewMemory(), activities.Options{}))
			f, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			history, err := client.HistoryFromJSON(f, client.HistoryJSONOptions{})
			if err != nil {
				t.Fatal(err)
			}
			// Names of child workflows follow from the workflow's own.
			started := history.Events[0].GetWorkflowExecutionStartedEventAttributes()
			o := worker.ReplayWorkflowHistoryOptions{OriginalExecution: workflow.Execution{ID: started.GetWorkflowId(),
				RunID: started.GetOriginalExecutionRunId()}}
			if err := r.ReplayWorkflowHistoryWithOptions(nil, history, o); err != nil {
				t.Error(err)
			}
		})
	}
}

// replayer takes workflows only: activities are not run in a replay.
type replayer struct{ worker.WorkflowReplayer }

func (replayer) RegisterActivity(any) {}

func (replayer) RegisterActivityWithOptions(any, activity.RegisterOptions) {}
