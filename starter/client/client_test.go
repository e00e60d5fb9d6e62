package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/serviceerror"
	sdk "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/deploy/stack/stacktest"
	"tnaml/experiments/catalog"
	"tnaml/experiments/data"
	"tnaml/experiments/data/text"
	"tnaml/experiments/exported"
	"tnaml/nn/embedding"
	"tnaml/starter/client"
	"tnaml/worker/host"
	"tnaml/workflows"
)

// connected is a client of the shared dev stack, with a bucket and a queue of its own,
// a task, a module and an experiment.
func connected(t *testing.T) *client.Client {
	t.Helper()
	a := stacktest.Shared(t)
	temporal, err := sdk.Dial(sdk.Options{HostPort: a.Temporal, Namespace: a.Namespace,
		Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(temporal.Close)
	bucket := stacktest.Bucket(t)
	s, err := store.OpenS3(t.Context(), store.S3Config{
		Endpoint: a.S3Endpoint, Bucket: bucket, Region: a.S3Region, AccessKey: a.S3AccessKey, SecretKey: a.S3SecretKey, CreateBucket: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	c := &client.Client{Temporal: temporal, Store: s, Namespace: a.Namespace, TaskQueue: bucket, UI: a.UI}
	var examples []text.Example
	for i := range 120 {
		examples = append(examples, text.Example{Text: fmt.Sprintf("a %s film, number %d", []string{"good", "bad"}[i%2], i),
			Label: []string{"pos", "neg"}[i%2]})
	}
	task, err := text.Build(examples, data.Options{Name: "films"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := library.PublishTask(t.Context(), s, task, false); err != nil {
		t.Fatal(err)
	}
	module, err := embedding.Read(strings.NewReader("good 1 0\nbad -1 0\nfilm 0 1\n"), "tiny", 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := library.PublishModule(t.Context(), s, module, false); err != nil {
		t.Fatal(err)
	}
	experiment := "name: small\ndescription: one task\nspace: text-small\nseeds: [1]\n" +
		"transfer: {tasks: [films], trials: 3, arms: [random]}\n"
	if _, err := library.PublishExperiment(t.Context(), s, []byte(experiment), false); err != nil {
		t.Fatal(err)
	}
	return c
}

func serve(t *testing.T, c *client.Client) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- host.Run(ctx, c.Temporal, c.Store, host.Options{Namespace: c.Namespace, TaskQueue: c.TaskQueue})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("worker: %v", err)
		}
	})
}

func spec(trials int) workflows.SearchSpec {
	s := workflows.DefaultSearchSpec()
	s.Tasks, s.Space, s.Strategy, s.Trials = []string{"films"}, "text-small", "random", trials
	return s
}

// What is wrong with a request is told together, before anything is started; a name is
// taken where Temporal or the store has it.
func TestStartIsChecked(t *testing.T) {
	c := connected(t)
	s := spec(3)
	s.Tasks, s.Space, s.Modules, s.Strategy, s.Controller = []string{"film", "books"}, "txt", []string{"tiny", "tinny"}, "naml", "nobody"
	_, err := c.StartSearch(t.Context(), "", s)
	if err == nil || errors.Is(err, client.ErrUsage) {
		t.Fatal(err)
	}
	for _, want := range []string{`no task "film", "books"`, "films", `"txt"`, "no module tinny", "there are: tiny", `controller "nobody"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	s = spec(3)
	s.Settings = []byte(`{"colour":3}`)
	if _, err := c.StartSearch(t.Context(), "", s); err == nil || !strings.Contains(err.Error(), "colour") {
		t.Errorf("settings: %v", err)
	}
	if _, err := c.StartSearch(t.Context(), "", spec(0)); !errors.Is(err, client.ErrUsage) {
		t.Errorf("no trials: %v", err)
	}
	if _, err := c.StartSearch(t.Context(), "small", spec(3)); !errors.Is(err, client.ErrUsage) ||
		!strings.Contains(err.Error(), "experiment") {
		t.Errorf("an experiment's name: %v", err)
	}
	if _, err := c.StartSearch(t.Context(), "a/b", spec(3)); !errors.Is(err, client.ErrUsage) {
		t.Errorf("a name with a slash: %v", err)
	}
	run := func(fields string) error {
		_, err := c.StartRun(t.Context(), catalog.KindExperiment, "", "small", []byte(`{"experiment":"small"`+fields+`}`))
		return err
	}
	if err := run(`,"tasks":["nowhere"],"space":"txt","modules":["tinny"]`); err == nil ||
		!strings.Contains(err.Error(), `no task "nowhere"`) || !strings.Contains(err.Error(), `"txt"`) ||
		!strings.Contains(err.Error(), "tinny") {
		t.Errorf("run: %v", err)
	}
	if err := run(`,"arms":["best"]`); !errors.Is(err, client.ErrUsage) {
		t.Errorf("run: %v", err)
	}

	// Temporal has forgotten these, the store has not.
	for _, name := range []string{"kept", "films-random-s1-1"} {
		if err := library.UpdateRecord(t.Context(), c.Store, name, library.Writer{RunID: "old", Config: "sha256:old"},
			func(r *library.SearchRecord) { r.Status = "completed" }); err != nil {
			t.Fatal(err)
		}
	}
	var taken *client.TakenError
	if _, err := c.StartSearch(t.Context(), "kept", spec(3)); !errors.As(err, &taken) || taken.Name != "kept" || taken.Kind != client.Search ||
		!strings.Contains(err.Error(), "starter remove kept") {
		t.Errorf("a name that the store has: %v", err)
	}
	name, err := c.StartSearch(t.Context(), "", spec(3))
	if err != nil || name != "films-random-s1-2" {
		t.Errorf("the first free name is %q, %v", name, err)
	}
	if _, err := c.StartSearch(t.Context(), name, spec(3)); !errors.As(err, &taken) {
		t.Errorf("a name that Temporal has: %v", err)
	}
	if _, err := c.Find(t.Context(), name); !errors.Is(err, client.ErrNotBegun) { // there is no worker
		t.Errorf("a search without a worker: %v", err)
	}
	if err := c.Temporal.TerminateWorkflow(t.Context(), name, "", "the test has seen it"); err != nil {
		t.Fatal(err)
	}
}

// unaskable is a Temporal of which no workflow may be asked: a list of thousands that have
// ended must not do it, nor leave out what nobody had the time to say.
type unaskable struct {
	sdk.Client
	t *testing.T
}

func (u *unaskable) GetWorkflow(ctx context.Context, id, run string) sdk.WorkflowRun {
	u.t.Errorf("the workflow %s is asked", id)
	return u.Client.GetWorkflow(ctx, id, run)
}

// unpolled is a Temporal without a worker for a while.
type unpolled struct{ sdk.Client }

func (unpolled) QueryWorkflowWithOptions(context.Context, *sdk.QueryWorkflowWithOptionsRequest) (
	*sdk.QueryWorkflowWithOptionsResponse, error) {
	return nil, serviceerror.NewFailedPrecondition("no poller seen for task queue recently, worker may be down")
}

// A search as a program follows and steers it.
func TestFollowAndSteer(t *testing.T) {
	c := connected(t)
	serve(t, c)
	name, err := c.StartSearch(t.Context(), "steered-"+c.TaskQueue, spec(5000))
	if err != nil {
		t.Fatal(err)
	}
	states := map[client.State]bool{}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = c.Follow(ctx, name, func(p client.Progress) {
		if p.Search == nil || p.Run != nil || p.Search.Name != name {
			t.Errorf("%+v", p)
			cancel()
			return
		}
		states[p.State] = true
		switch {
		case p.State == client.Paused:
			if p.Search.Reason != "lunch" {
				t.Errorf("the reason is %q", p.Search.Reason)
			}
			cancel() // following ends, the search does not
		case p.Search.Told > 0:
			if _, err := c.Pause(ctx, name, "lunch"); err != nil {
				t.Error(err)
			}
		}
	})
	cancel()
	if !errors.Is(err, context.Canceled) || !states[client.Working] || !states[client.Paused] {
		t.Errorf("%v, %v", states, err)
	}
	if p, err := c.Extend(t.Context(), name, workflows.Extension{Trials: 7}); err != nil || p.Search.Trials != 5007 ||
		p.State != client.Paused {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := c.Extend(t.Context(), name, workflows.Extension{}); !errors.Is(err, client.ErrUsage) {
		t.Error(err)
	}
	l, err := c.Find(t.Context(), name)
	if err != nil || len(l.Trials) == 0 || len(l.Costs) != len(l.Trials) || l.Behind != nil {
		t.Fatalf("%+v, %v", l, err)
	}
	lone := *c
	lone.Temporal = unpolled{c.Temporal}
	var warned []string
	lone.Warn = func(text string) { warned = append(warned, text) }
	if old, err := lone.Find(t.Context(), name); err != nil || len(old.Trials) > len(l.Trials) || !errors.Is(old.Behind, client.ErrSilent) {
		t.Errorf("without a worker: %+v, %v", old, err)
	}
	if _, _, err := lone.ExportModel(t.Context(), name, client.Pick{Trial: 4000}); err == nil || len(warned) != 2 ||
		!strings.HasPrefix(warned[1], name+" is shown as of its last checkpoint: ") {
		t.Errorf("warned %q, %v", warned, err)
	}
	if in, err := lone.ReportInput(t.Context(), []string{name}); err != nil || !strings.Contains(in.Searches[0].Reason, "no worker answers") {
		t.Errorf("without a worker: %+v, %v", in, err)
	}
	if r := l.Row(0); r.TaskName != "films" || r.Summary == "" || len(r.Choices) != len(l.Config.Space.Choices) {
		t.Errorf("%+v", r)
	}
	list, err := c.Searches(t.Context(), "")
	for deadline := time.Now().Add(time.Minute); err == nil && len(list) == 1 && list[0].Status != "paused" && time.Now().Before(deadline); {
		time.Sleep(50 * time.Millisecond) // Temporal's list lags behind
		list, err = c.Searches(t.Context(), "")
	}
	if err != nil || len(list) != 1 || list[0].Name != name || list[0].Status != "paused" ||
		list[0].Reason != "lunch" || list[0].Trials != 5007 || list[0].Told != len(l.Trials) ||
		list[0].OnValidation == "" || list[0].Started.IsZero() {
		t.Errorf("%d, %+v, %v", len(list), list[0], err)
	}
	if p, err := c.Resume(t.Context(), name); err != nil || p.State != client.Working {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := c.Stop(t.Context(), name); err != nil {
		t.Error(err)
	}
	result, err := c.Follow(t.Context(), name, func(client.Progress) {})
	if err != nil || result.Run != nil || result.Search.Status != "stopped" {
		t.Fatalf("%+v, %v", result, err)
	}
	unasked := *c
	unasked.Temporal = &unaskable{Client: c.Temporal, t: t}
	if list, err := unasked.Searches(t.Context(), ""); err != nil || len(list) != 1 || list[0].Status != "stopped" ||
		list[0].Trials != 5007 || list[0].Told != result.Search.Trials || list[0].Best == nil ||
		*list[0].Best != result.Search.Best[0].Validation || !strings.HasSuffix(list[0].OnValidation, " %") || list[0].Ended.IsZero() {
		t.Errorf("%+v, %v", list, err)
	}
	b, r, err := c.ExportModel(t.Context(), name, client.Pick{Trial: -1})
	if err != nil || r.Trial.Trial != result.Search.Best[0].Trial {
		t.Fatalf("%+v, %v", r, err)
	}
	if _, err := exported.Decode(b); err != nil {
		t.Error(err)
	}
	in, err := c.ReportInput(t.Context(), []string{name})
	if err != nil || len(in.Searches) != 1 || len(in.Cards) != 1 || len(in.Evaluations) != 1 {
		t.Fatalf("%+v, %v", in, err)
	}
	if ran, best := in.Searches[0].Span, in.Evaluations[0]; ran.Started == "" || !(ran.Seconds > 0) || best.Confusion == nil ||
		best.Trial != r.Trial.Trial || best.Confusion.Examples() != in.Cards[0].Card.Test {
		t.Errorf("it ran %+v, its best model: %+v", ran, best)
	}
	var missing *client.NotFoundError
	if _, err := c.Extend(t.Context(), name, workflows.Extension{Trials: 5}); err == nil || errors.As(err, &missing) ||
		!strings.Contains(err.Error(), "has ended") {
		t.Errorf("a search that has ended is extended: %v", err)
	}
	for what, err := range map[string]error{
		"follow": func() error { _, err := c.Follow(t.Context(), "nobody", nil); return err }(),
		"pause":  func() error { _, err := c.Pause(t.Context(), "nobody", ""); return err }(),
		"delete": c.DeleteSchedule(t.Context(), "nobody"),
	} {
		if !errors.As(err, &missing) || missing.Name != "nobody" {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A run of an experiment is followed in the same way, and a schedule starts one.
func TestRunsAndSchedules(t *testing.T) {
	c := connected(t)
	serve(t, c)
	fields := []byte(`{"experiment":"small"}`)
	name, err := c.StartRun(t.Context(), catalog.KindExperiment, "run-"+c.TaskQueue, "small", fields)
	if err != nil {
		t.Fatal(err)
	}
	if kind, err := c.KindOf(t.Context(), name); err != nil || kind != client.Run {
		t.Errorf("%s, %v", kind, err)
	}
	told := false
	result, err := c.Follow(t.Context(), name, func(p client.Progress) {
		told = told || p.Run != nil && p.Search == nil &&
			p.Run.Name == name
	})
	if err != nil || !told || result.Search != nil || result.Run.Searches != 1 {
		t.Fatalf("%+v, told %v, %v", result.Run, told, err)
	}
	// A start that is refused the run's name leaves it in the list as it ended.
	w, err := c.Temporal.ExecuteWorkflow(t.Context(), sdk.StartWorkflowOptions{ID: name, TaskQueue: c.TaskQueue},
		string(catalog.KindExperiment), json.RawMessage(fields))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Get(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "held by another") {
		t.Errorf("a start under the run's name: %v", err)
	}
	runs, err := c.Runs(t.Context(), "")
	if i := slices.IndexFunc(runs, func(e *client.Entry) bool { return e.Name == name }); err != nil || i < 0 {
		t.Errorf("it is not listed: %v", err)
	} else if e := runs[i]; e.Status != "completed" || e.Reason != "" || e.Done != 1 || e.Told != result.Run.Trials || e.Trials != e.Told {
		t.Errorf("listed after a refused start: %+v", e)
	}
	s := client.ScheduleSpec{Name: "schedule-" + c.TaskQueue, Cron: "30 2 * * 1-5", Zone: "UTC", Overlap: "skip",
		Kind: catalog.KindExperiment, Experiment: "small", Spec: fields}
	e, err := c.CreateSchedule(t.Context(), s)
	if err != nil || len(e.When) != 1 || e.When[0] != "30 2 * * 1-5" || e.Overlap != "skip" || e.Kind != s.Kind || len(e.Next) == 0 ||
		e.Next[0].Before(time.Now()) {
		t.Fatalf("%+v, %v", e, err)
	}
	if _, err := c.CreateSchedule(t.Context(), s); !errors.As(err, new(*client.TakenError)) {
		t.Error(err)
	}
	if err := c.PauseSchedule(t.Context(), s.Name); err != nil {
		t.Error(err)
	}
	if again, err := c.FindSchedule(t.Context(), s.Name); err != nil || !again.Paused || again.Note != e.Note {
		t.Errorf("%+v, %v", again, err)
	}
	if err := c.DeleteSchedule(t.Context(), s.Name); err != nil {
		t.Error(err)
	}
	// What would be taken for another time, or never comes, is refused, and nothing is left of it.
	for cron, want := range map[string]string{
		"0 99 * * *": "Hour", "0 0 31 2 *": "never comes", "0 2 30 2 *": "never comes", "0 0 2 * * *": "it has 6 fields; give five",
		"0 0 2 * * * 2030": "7 fields", "0 2 * * 1 2030": "6 fields", "@every 1ns": "too small", "@reboot": "@reboot", " ": "0 fields",
		"CRON_TZ=Europe/Berlin 0 2 * * *": "--time-zone", "TZ=UTC @daily": "--time-zone",
	} {
		s.Cron = cron
		if _, err := c.CreateSchedule(t.Context(), s); !errors.Is(err, client.ErrUsage) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", cron, err, want)
		}
	}
	if _, err := c.FindSchedule(t.Context(), s.Name); !errors.As(err, new(*client.NotFoundError)) {
		t.Errorf("a schedule that was refused is there: %v", err)
	}
	for cron, want := range map[string]string{"@every 90m": "@every 1h30m0s", "@daily": "0 0 * * *", "0 0 29 2 *": "0 0 29 2 *"} {
		s.Cron = cron
		if e, err := c.CreateSchedule(t.Context(), s); err != nil || len(e.When) != 1 || e.When[0] != want {
			t.Errorf("%q: %+v, %v", cron, e, err)
		}
		if err := c.DeleteSchedule(t.Context(), s.Name); err != nil {
			t.Error(err)
		}
	}

	// A trigger says what came of it: a run, or nothing while one runs.
	s.Cron, s.Spec, s.Paused = "0 2 * * *", []byte(`{"experiment":"small","trials":5000}`), true
	if _, err := c.CreateSchedule(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	started, err := c.TriggerSchedule(t.Context(), s.Name)
	if err != nil || !strings.HasPrefix(started, "small-") {
		t.Errorf("triggered: %q, %v", started, err)
	}
	if _, err := c.TriggerSchedule(t.Context(), s.Name); err == nil || !strings.Contains(err.Error(), started+" still runs") ||
		!strings.Contains(err.Error(), "skip") {
		t.Errorf("triggered while it runs: %v", err)
	}
	runs, err = c.Runs(t.Context(), "small")
	for deadline := time.Now().Add(time.Minute); err == nil && len(runs) < 2 && time.Now().Before(deadline); {
		time.Sleep(50 * time.Millisecond) // Temporal's list lags behind
		runs, err = c.Runs(t.Context(), "small")
	}
	if err != nil || len(runs) < 2 || runs[0].Name != name || runs[0].Status != "completed" ||
		runs[0].Done != 1 || runs[0].Told != 3 {
		t.Errorf("%+v, %v", runs, err)
	}
	if err := errors.Join(c.DeleteSchedule(t.Context(), s.Name), c.Temporal.TerminateWorkflow(t.Context(), started, "", "seen")); err != nil {
		t.Error(err)
	}
}

// The address of a search's page has its name in one piece, slashes and all.
func TestAddress(t *testing.T) {
	c := &client.Client{Namespace: "default", UI: "http://127.0.0.1:8233"}
	for name, want := range map[string]string{
		"spam-naml-s1-1":       "http://127.0.0.1:8233/namespaces/default/workflows/spam-naml-s1-1",
		"nlp-1/transfer/a/b+c": "http://127.0.0.1:8233/namespaces/default/workflows/nlp-1%2Ftransfer%2Fa%2Fb+c",
		"a b?c#d%":             "http://127.0.0.1:8233/namespaces/default/workflows/a%20b%3Fc%23d%25",
	} {
		if got := c.Address(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if got := (&client.Client{}).Address("x"); got != "" {
		t.Errorf("without a web UI: %s", got)
	}
}
