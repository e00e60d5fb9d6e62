package workflows_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"tnaml/activities"
	"tnaml/activities/gc"
	"tnaml/activities/store"
	"tnaml/experiments/catalog"
	"tnaml/workflows"
)

// collectEnvironment is one whose activity Collect is the function.
func collectEnvironment(t *testing.T, collect any) *testsuite.TestWorkflowEnvironment {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	env.RegisterWorkflowWithOptions(workflows.Collect, workflow.RegisterOptions{Name: workflows.CollectWorkflow})
	env.RegisterActivityWithOptions(collect, activity.RegisterOptions{Name: "Collect"})
	env.SetTestTimeout(testTimeout)
	return env
}

func collect(t *testing.T, env *testsuite.TestWorkflowEnvironment, spec string) (*activities.Collected, error) {
	t.Helper()
	env.ExecuteWorkflow(workflows.CollectWorkflow, json.RawMessage(spec))
	if !env.IsWorkflowCompleted() {
		t.Fatal("the workflow did not end")
	}
	var out activities.Collected
	if err := env.GetWorkflowResult(&out); err != nil {
		return nil, err
	}
	return &out, nil
}

// A collection a night: what nothing reaches is set aside by the first, deleted by
// the second, and shown on the workflow's page.
func TestCollect(t *testing.T) {
	s := store.NewMemory()
	publish(t, s, "tiny")
	now := time.Now()
	s.SetClock(func() time.Time { return now })
	if _, err := s.Put(t.Context(), []byte("nobody's")); err != nil {
		t.Fatal(err)
	}
	a := activities.New(s, activities.Options{})
	run := func(spec string) *activities.Collected {
		t.Helper()
		env := collectEnvironment(t, a.Collect)
		out, err := collect(t, env, spec)
		if err != nil {
			t.Fatal(err)
		}
		value, err := env.QueryWorkflow("__temporal_workflow_metadata")
		if err != nil {
			t.Fatal(err)
		}
		var page sdk.WorkflowMetadata
		if err := value.Get(&page); err != nil || !strings.Contains(page.GetCurrentDetails(), "| kept | 2 |") {
			t.Errorf("%s: the page: %s, %v", spec, page.GetCurrentDetails(), err)
		}
		return out
	}
	if out := run("{}"); out.Done || out.Young.Objects != 1 || gc.Sum(out.Kept).Objects != 2 || !out.Empty() {
		t.Errorf("young: %+v", out)
	}
	now = now.Add(25 * time.Hour)
	if out := run(`{"dry_run": true}`); out.Done || out.Empty() || gc.Sum(out.SetAside).Objects != 1 {
		t.Errorf("a dry run: %+v", out)
	}
	if out := run(`{"grace": "26h"}`); out.Done || out.Young.Objects != 1 {
		t.Errorf("a longer grace period: %+v", out)
	}
	if out := run("{}"); !out.Done || gc.Sum(out.SetAside).Objects != 1 || out.Deleted.Objects != 0 {
		t.Errorf("the first night: %+v", out)
	}
	now = now.Add(25 * time.Hour)
	if out := run("{}"); !out.Done || len(out.SetAside) != 0 || out.Deleted.Objects != 1 {
		t.Errorf("the second night: %+v", out)
	}
	if out := run("{}"); out.Done || !out.Empty() {
		t.Errorf("the third night: %+v", out)
	}
}

func TestCollectInput(t *testing.T) {
	for spec, want := range map[string][]string{
		`{"grace": "-1s"}`:                {`"grace" is "-1s"`, "0 or more"},
		`{"grace": "a day"}`:              {`"grace" is "a day"`},
		`{"grace": 24}`:                   {`"grace" is 24: it must be a text`},
		`{"dryrun": true, "when": "now"}`: {`unknown field "dryrun"`, `unknown field "when"`, "known fields: grace, dry_run"},
		`null`:                            {"the input is null"},
		`[]`:                              {"not a JSON object"},
	} {
		env := collectEnvironment(t, func(context.Context, activities.CollectInput) (activities.Collected, error) {
			t.Errorf("%s: something was done", spec)
			return activities.Collected{}, nil
		})
		_, err := collect(t, env, spec)
		var app *temporal.ApplicationError
		if !errors.As(err, &app) || app.Type() != activities.ErrTypeInvalid || !app.NonRetryable() {
			t.Errorf("%s: %v", spec, err)
		}
		for _, w := range want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q is not in: %v", spec, w, err)
			}
		}
	}
}

// The activity is told what must not be open, is tried again where the store is
// away, and not where something is open.
func TestCollectTriesAgain(t *testing.T) {
	attempts := 0
	env := collectEnvironment(t, func(_ context.Context, in activities.CollectInput) (activities.Collected, error) {
		if in.Grace != 0 || in.DryRun || in.TaskQueue == "" ||
			len(in.Types) != 1+len(catalog.Kinds()) || in.Types[0] != workflows.SearchWorkflow {
			t.Errorf("%+v", in)
		}
		if attempts++; attempts < 3 {
			return activities.Collected{}, errors.New("connection refused")
		}
		return activities.Collected{}, temporal.NewNonRetryableApplicationError("these are open: s", activities.ErrTypeBusy, nil)
	})
	_, err := collect(t, env, `{"grace": "0s"}`)
	var app *temporal.ApplicationError
	if !errors.As(err, &app) || app.Type() != activities.ErrTypeBusy || attempts != 3 {
		t.Errorf("%d attempts: %v", attempts, err)
	}
}
