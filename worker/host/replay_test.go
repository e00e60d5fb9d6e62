package host

import (
	"compress/gzip"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"tnaml/activities"
	"tnaml/activities/store"
	"tnaml/workflows"
)

// history is a recorded run: its file, its workflow's type, its events.
type history struct {
	file, workflow string
	*historypb.History
}

func (h history) any(is func(e *historypb.HistoryEvent) bool) bool {
	return slices.ContainsFunc(h.Events, is)
}

// ends says how a run ends.
func ends(how enumspb.EventType) func(history) bool {
	return func(h history) bool { return h.Events[len(h.Events)-1].GetEventType() == how }
}

// fails says that a run ends with an error of a type.
func fails(of string) func(history) bool {
	return func(h history) bool {
		f := h.Events[len(h.Events)-1].GetWorkflowExecutionFailedEventAttributes().GetFailure()
		for f.GetCause() != nil {
			f = f.GetCause()
		}
		return f.GetApplicationFailureInfo().GetType() == of
	}
}

// updated says that a run was asked for something by an update, signalled by a signal.
func updated(name string) func(history) bool {
	return func(h history) bool {
		return h.any(func(e *historypb.HistoryEvent) bool {
			return e.GetWorkflowExecutionUpdateAcceptedEventAttributes().GetAcceptedRequest().GetInput().GetName() == name
		})
	}
}

func signalled(name string) func(history) bool {
	return func(h history) bool {
		return h.any(func(e *historypb.HistoryEvent) bool {
			return e.GetWorkflowExecutionSignaledEventAttributes().GetSignalName() == name
		})
	}
}

// runs says that a run schedules an activity.
func runs(name string) func(history) bool {
	return func(h history) bool {
		return h.any(func(e *historypb.HistoryEvent) bool {
			return e.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName() == name
		})
	}
}

// asks says that a run has the answer of a local activity.
func asks(name string) func(history) bool {
	return func(h history) bool {
		return h.any(func(e *historypb.HistoryEvent) bool {
			for _, p := range e.GetMarkerRecordedEventAttributes().GetDetails()["data"].GetPayloads() {
				if strings.Contains(string(p.GetData()), fmt.Sprintf(`"ActivityType":%q`, name)) {
					return true
				}
			}
			return false
		})
	}
}

// refused says that an activity fails for good.
func refused(name string) func(history) bool {
	return func(h history) bool {
		return h.any(func(e *historypb.HistoryEvent) bool {
			at := e.GetActivityTaskFailedEventAttributes().GetScheduledEventId()
			return at > 0 && h.Events[at-1].GetActivityTaskScheduledEventAttributes().GetActivityType().GetName() == name
		})
	}
}

// gaveBack says that an activity ends as it is cancelled.
func gaveBack(name string) func(history) bool {
	return func(h history) bool {
		return h.any(func(e *historypb.HistoryEvent) bool {
			at := e.GetActivityTaskCanceledEventAttributes().GetScheduledEventId()
			return at > 0 && h.Events[at-1].GetActivityTaskScheduledEventAttributes().GetActivityType().GetName() == name
		})
	}
}

// lost says that the server took a trial from a worker that gave no sign of life.
func lost(h history) bool {
	return h.any(func(e *historypb.HistoryEvent) bool {
		return e.GetActivityTaskStartedEventAttributes().GetAttempt() > 1
	})
}

// unlearned says that the strategy could not be told, here or elsewhere.
func unlearned(h history) bool {
	return refused("Learn")(h) ||
		h.any(func(e *historypb.HistoryEvent) bool { return e.GetMarkerRecordedEventAttributes().GetFailure() != nil })
}

// pruned says that a trial was ended early.
func pruned(h history) bool {
	return h.any(func(e *historypb.HistoryEvent) bool {
		p := e.GetActivityTaskCompletedEventAttributes().GetResult().GetPayloads()
		return len(p) > 0 && strings.Contains(string(p[0].GetData()), `"status":"pruned"`)
	})
}

// usesUp says that a search ends because its budget of something is used up.
func usesUp(what string) func(history) bool {
	return func(h history) bool {
		return h.any(func(e *historypb.HistoryEvent) bool {
			p := e.GetWorkflowExecutionCompletedEventAttributes().GetResult().GetPayloads()
			return len(p) > 0 && strings.Contains(string(p[0].GetData()), " "+what+" is used up")
		})
	}
}

// carried says that a run goes on with the state of another.
func carried(h history) bool {
	return h.Events[0].GetWorkflowExecutionStartedEventAttributes().GetContinuedExecutionRunId() != ""
}

// says says that a run's input, a search's specification, has a field.
func says(field string) func(history) bool {
	return func(h history) bool {
		input := h.Events[0].GetWorkflowExecutionStartedEventAttributes().GetInput().GetPayloads()
		return len(input) > 0 && strings.Contains(string(input[0].GetData()), fmt.Sprintf("%q:", field))
	}
}

// reset says that a run goes on from an earlier point of another.
func reset(h history) bool {
	return h.any(func(e *historypb.HistoryEvent) bool {
		return e.GetWorkflowTaskFailedEventAttributes().GetCause() == enumspb.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW
	})
}

// late says that a trial took longer than it may.
func late(h history) bool {
	return h.any(func(e *historypb.HistoryEvent) bool {
		return e.GetActivityTaskTimedOutEventAttributes().GetFailure().GetTimeoutFailureInfo().GetTimeoutType() ==
			enumspb.TIMEOUT_TYPE_START_TO_CLOSE
	})
}

// becomes says that a run of a search has shown a status.
func becomes(status string) func(history) bool {
	return func(h history) bool {
		return h.any(func(e *historypb.HistoryEvent) bool {
			p := e.GetUpsertWorkflowSearchAttributesEventAttributes().GetSearchAttributes().GetIndexedFields()[workflows.AttributeStatus.GetName()]
			return string(p.GetData()) == fmt.Sprintf("%q", status)
		})
	}
}

// has says that a run has an event of a type.
func has(kind enumspb.EventType) func(history) bool {
	return func(h history) bool {
		return h.any(func(e *historypb.HistoryEvent) bool { return e.GetEventType() == kind })
	}
}

// both, either and not join paths.
func both(a, b func(history) bool) func(history) bool {
	return func(h history) bool { return a(h) && b(h) }
}

func either(a, b func(history) bool) func(history) bool {
	return func(h history) bool { return a(h) || b(h) }
}

func not(a func(history) bool) func(history) bool { return func(h history) bool { return !a(h) } }

const (
	completed = enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED
	canceled  = enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED
	continued = enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW
)

// paths are the ways through the workflows, by type. A new one is a row here and one
// in worker/record_test.go.
var paths = map[string]map[string]func(history) bool{
	workflows.SearchWorkflow: {
		"completed": ends(completed), "canceled": ends(canceled), "invalid input": fails(activities.ErrTypeInvalid),
		"continued as new": ends(continued), "goes on after that": carried, "goes on from another": says("from"),
		"reset": both(reset, ends(completed)), "trains the best again": says("reevaluate"),
		"out of steps": usesUp("training steps"), "out of hours": usesUp("hours"),
		"pauses by itself":            both(becomes("paused"), not(either(updated(workflows.Pause), signalled(workflows.Pause)))),
		"a trial that takes too long": late,
		"canceled while it is paused": both(updated(workflows.Pause), ends(canceled)),
		"paused":                      updated(workflows.Pause), "resumed": updated(workflows.Resume), "stopped": updated(workflows.Stop),
		"extended":         updated(workflows.Extend),
		"paused by signal": signalled(workflows.Pause), "resumed by signal": signalled(workflows.Resume),
		"stopped by signal": signalled(workflows.Stop), "extended by signal": signalled(workflows.Extend),
		"features of images":               runs("Features"),
		"continued before its first trial": both(both(ends(continued), runs("Features")), not(runs("Trial"))),
		"a trainer that nobody serves":     asks("Served"), "learning elsewhere": runs("Learn"),
		"a trial that is lost": lost, "a trial that cannot be run": refused("Trial"), "learning that is refused": unlearned,
		"an end that is refused": refused("Finish"), "asked": updated(workflows.AskUpdate), "told": updated(workflows.TellUpdate),
		"a trial that is pruned": pruned,
	},
	workflows.ExperimentWorkflow: {
		"completed": ends(completed), "canceled": ends(canceled), "invalid input": fails(activities.ErrTypeInvalid),
		"all failed": fails(workflows.ErrTypeAllFailed), "reset": both(reset, ends(completed)),
		"a search that is canceled":   has(enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED),
		"a search that fails":         both(has(enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED), ends(completed)),
		"a search that is ended":      both(has(enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED), ends(completed)),
		"a search's name is not free": has(enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED),
		"continued as new":            ends(continued), "goes on after that": carried,
		"paused": updated(workflows.Pause), "resumed": updated(workflows.Resume), "stopped": updated(workflows.Stop),
		"paused by signal": signalled(workflows.Pause), "resumed by signal": signalled(workflows.Resume),
		"stopped by signal": signalled(workflows.Stop), "publishes": runs("PublishController"),
	},
	workflows.PretrainWorkflow: {"completed": ends(completed), "publishes": runs("PublishController")},
	workflows.TransferWorkflow: {"completed": ends(completed)},
	workflows.BenchmarkWorkflow: {
		"passed": ends(completed), "regressed": fails(workflows.ErrTypeRegressed), "simulates": runs("Simulate"),
		"canceled as it simulates": gaveBack("Simulate"),
	},
	workflows.CollectWorkflow: {"completed": ends(completed), "invalid input": fails(activities.ErrTypeInvalid)},
}

// Each workflow that a worker registers has a recorded history of each of its
// paths, and each activity is in one.
func TestEveryPathIsRecorded(t *testing.T) {
	recorded := recordedHistories(t)
	var there registered
	Register(&there, activities.New(store.NewMemory(), activities.Options{}))
	if got, want := slices.Sorted(maps.Keys(paths)), slices.Sorted(slices.Values(there.workflows)); !slices.Equal(got, want) {
		t.Errorf("there are paths of %v, and the workflows %v", got, want)
	}
	for kind, ways := range paths {
		for path, taken := range ways {
			if !slices.ContainsFunc(recorded, func(h history) bool { return h.workflow == kind && taken(h) }) {
				t.Errorf("no recorded history of %s: %s", kind, path)
			}
		}
	}
	for _, name := range there.activities {
		if !slices.ContainsFunc(recorded, func(h history) bool { return runs(name)(h) || asks(name)(h) }) {
			t.Errorf("no recorded history has the activity %s", name)
		}
	}
}

// Histories recorded from real searches and experiments must replay: a change of the
// workflow that breaks them would break every search that is running when it is
// rolled out. Such a change needs workflow.GetVersion, and recordings of the new
// path (see TestRecord in package worker).
func TestRecordedHistoriesReplay(t *testing.T) {
	for _, h := range recordedHistories(t) {
		t.Run(strings.TrimSuffix(h.file, ".json.gz"), func(t *testing.T) {
			r := worker.NewWorkflowReplayer()
			Register(replayer{r}, activities.New(store.NewMemory(), activities.Options{}))
			// Names of child workflows follow from the workflow's own.
			started := h.Events[0].GetWorkflowExecutionStartedEventAttributes()
			o := worker.ReplayWorkflowHistoryOptions{OriginalExecution: workflow.Execution{ID: started.GetWorkflowId(),
				RunID: started.GetOriginalExecutionRunId()}}
			if err := r.ReplayWorkflowHistoryWithOptions(nil, h.History, o); err != nil {
				t.Error(err)
			}
		})
	}
}

func recordedHistories(t *testing.T) (all []history) {
	t.Helper()
	files, err := filepath.Glob("testdata/*.json.gz")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded histories: %v", err)
	}
	for _, file := range files {
		h, err := readHistory(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, history{filepath.Base(file), h.Events[0].GetWorkflowExecutionStartedEventAttributes().GetWorkflowType().GetName(), h})
	}
	return all
}

func readHistory(file string) (*historypb.History, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	h, err := client.HistoryFromJSON(z, client.HistoryJSONOptions{})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return h, nil
}

// registered is what a worker registers.
type registered struct{ workflows, activities []string }

func (r *registered) RegisterWorkflowWithOptions(_ any, o workflow.RegisterOptions) {
	r.workflows = append(r.workflows, o.Name)
}

func (r *registered) RegisterActivity(a any) {
	for m := range reflect.TypeOf(a).Methods() {
		r.activities = append(r.activities, m.Name)
	}
}

func (*registered) RegisterActivityWithOptions(any, activity.RegisterOptions) {}

// replayer takes workflows only: activities are not run in a replay.
type replayer struct{ worker.WorkflowReplayer }

func (replayer) RegisterActivity(any) {}

func (replayer) RegisterActivityWithOptions(any, activity.RegisterOptions) {}
