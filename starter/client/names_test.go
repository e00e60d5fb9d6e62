package client_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"
	sdk "go.temporal.io/sdk/client"

	"tnaml/activities/library"
	"tnaml/starter/client"
	"tnaml/workflows"
)

// as starts a search as the web UI does, with JSON somebody typed.
func as(t *testing.T, c *client.Client, id, spec string) error {
	t.Helper()
	w, err := c.Temporal.ExecuteWorkflow(t.Context(), sdk.StartWorkflowOptions{ID: id, TaskQueue: c.TaskQueue},
		workflows.SearchWorkflow, json.RawMessage(spec))
	if err != nil {
		t.Fatal(err)
	}
	return w.Get(t.Context(), nil)
}

// A finished search's name is its own: "start a workflow like this one" is refused,
// with the way out, and changes nothing. A reset is the same search, and a start that
// failed holds no name.
func TestAFinishedSearchKeepsItsName(t *testing.T) {
	c := connected(t)
	serve(t, c)
	name, err := c.StartSearch(t.Context(), "kept-"+c.TaskQueue, spec(3))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Follow(t.Context(), name, func(client.Progress) {}); err != nil {
		t.Fatal(err)
	}
	before, err := library.ReadRecord(t.Context(), c.Store, name)
	if err != nil || before.Status != "completed" {
		t.Fatalf("%+v, %v", before, err)
	}
	run := before.RunID
	like := `{"tasks":["films"],"space":"text-small","strategy":"random","trials":2,"seed":9}`
	err = as(t, c, name, like)
	for _, want := range []string{"held by another search", run, "completed on", "another workflow ID", "starter remove " + name} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	if after, err := library.ReadRecord(t.Context(), c.Store, name); err != nil || after.RunID != run || after.Ledger != before.Ledger ||
		after.Status != "completed" {
		t.Errorf("the record was %+v and is %+v, %v", before, after, err)
	}
	// The list has the search that holds the name, not the start that was refused it.
	all, err := c.Searches(t.Context(), "")
	if i := slices.IndexFunc(all, func(e *client.Entry) bool { return e.Name == name }); err != nil || i < 0 {
		t.Errorf("it is not listed: %v", err)
	} else if e := all[i]; e.Status != "completed" || e.Reason != "" || e.Told != 3 || e.Trials != 3 || e.Best == nil {
		t.Errorf("listed after a refused start: %+v", e)
	}

	// A reset goes on under the same first run, and so under its name.
	reset, err := c.Temporal.ResetWorkflowExecution(t.Context(), &workflowservice.ResetWorkflowExecutionRequest{
		Namespace: c.Namespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: name, RunId: run},
		Reason: "to see it again", WorkflowTaskFinishEventId: 4, RequestId: "reset-" + name,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Temporal.GetWorkflow(t.Context(), name, reset.RunId).Get(t.Context(), nil); err != nil {
		t.Error(err)
	}
	if after, err := library.ReadRecord(t.Context(), c.Store, name); err != nil || after.RunID != run || after.Ledger != before.Ledger {
		t.Errorf("after a reset the record is %+v, %v", after, err)
	}
	if _, err := c.StartSearch(t.Context(), name, spec(3)); !errors.As(err, new(*client.TakenError)) {
		t.Errorf("%v", err)
	}

	failed := "failed-" + c.TaskQueue
	if err := as(t, c, failed, `{"tasks":["films"],"trails":3}`); err == nil || !strings.Contains(err.Error(), "trails") {
		t.Errorf("%v", err)
	}
	r, err := library.ReadRecord(t.Context(), c.Store, failed)
	if err != nil || r.Status != "failed" || !strings.Contains(r.Reason, "trails") {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := c.Find(t.Context(), failed); err == nil || !strings.Contains(err.Error(), "trails") {
		t.Errorf("a search that could not start: %v", err)
	}
	if _, err := c.StartSearch(t.Context(), failed, spec(1)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Follow(t.Context(), failed, func(client.Progress) {}); err != nil {
		t.Error(err)
	}
	// Who gives a name up has it again, though Temporal still knows the old workflow.
	removals, err := library.PlanRemoval(t.Context(), c.Store, "search", []string{name}, nil)
	if err == nil {
		err = library.Remove(t.Context(), c.Store, removals)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.StartSearch(t.Context(), name, spec(1)); err != nil {
		t.Error(err)
	}
	if _, err := c.Follow(t.Context(), name, func(client.Progress) {}); err != nil {
		t.Error(err)
	}
}

// A search that has ended goes on under another name, also from the web UI; extending
// it says how.
func TestASearchGoesOn(t *testing.T) {
	c := connected(t)
	serve(t, c)
	follow := func(name string, err error) library.SearchRecord {
		t.Helper()
		if err == nil {
			_, err = c.Follow(t.Context(), name, func(client.Progress) {})
		}
		if err != nil {
			t.Fatal(err)
		}
		r, err := library.ReadRecord(t.Context(), c.Store, name)
		if err != nil || r.Status != "completed" {
			t.Fatalf("%+v, %v", r, err)
		}
		return r
	}
	name := func(n string) string { return n + "-" + c.TaskQueue }
	s := spec(9)
	s.Strategy = "naml"
	whole := follow(c.StartSearch(t.Context(), name("whole"), s))
	s.Trials = 4
	follow(c.StartSearch(t.Context(), name("part"), s))
	_, err := c.Extend(t.Context(), name("part"), workflows.Extension{Trials: 5})
	if want := "starter search --from " + name("part") + " --trials +5"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%q is not in: %v", want, err)
	}
	on := follow(c.GoOn(t.Context(), name("on"), name("part"), map[string]any{"parallel": 2}, 5))
	if err := as(t, c, name("ui"), `{"from":"`+name("part")+`","trials":9}`); err != nil {
		t.Fatal(err)
	}
	ui, err := library.ReadRecord(t.Context(), c.Store, name("ui"))
	for what, r := range map[string]library.SearchRecord{"by the client": on, "by the web UI": ui} {
		if err != nil || r.Controller != whole.Controller || r.Config != whole.Config || len(r.Origins) != 1 {
			t.Errorf("%s: %+v, the whole search %+v, %v", what, r, whole, err)
		}
	}
	in, err := c.ReportInput(t.Context(), []string{name("on")})
	if err != nil || len(in.Searches) != 1 || in.Searches[0].From != name("part")+" (4 trials)" || len(in.Searches[0].Trials) != 9 {
		t.Errorf("%+v, %v", in, err)
	}
	list, err := c.Searches(t.Context(), "")
	if err != nil || len(list) != 4 {
		t.Fatalf("%v, %v", list, err)
	}
	for _, e := range list {
		if len(e.Tasks) != 1 || e.Strategy != "naml" || e.Seed != 1 {
			t.Errorf("%+v", e)
		}
	}
	// By default it has a name of its own, which is free.
	if own, err := c.GoOn(t.Context(), "", name("part"), map[string]any{}, 1); err != nil || own != "films-naml-s1-1" {
		t.Errorf("%s, %v", own, err)
	}
	for _, wrong := range []struct {
		from   string
		fields map[string]any
		want   string
	}{
		{"none", nil, `search "none"`}, {name("part"), nil, "--trials +50"},
		{name("part"), map[string]any{"trials": 9, "lag": 2}, `keeps its "lag"`},
	} {
		if wrong.fields == nil {
			wrong.fields = map[string]any{}
		}
		if _, err := c.GoOn(t.Context(), "", wrong.from, wrong.fields, 0); err == nil || !strings.Contains(err.Error(), wrong.want) {
			t.Errorf("%+v: %v", wrong, err)
		}
	}
}
