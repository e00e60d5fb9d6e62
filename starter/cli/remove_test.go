package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tnaml/activities"
	"tnaml/activities/gc"
	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/deploy"
	"tnaml/deploy/stack/stacktest"
	"tnaml/starter/cli/terminal"
)

// answered runs a command at a terminal.
func (b *console) answered(answer string, args ...string) output {
	b.t.Helper()
	return b.asked(strings.NewReader(answer), args...)
}

func (b *console) asked(answer io.Reader, args ...string) output {
	b.t.Helper()
	var stdout, stderr stacktest.Output
	code := Run(b.t.Context(), Process{Args: args, Environ: b.environ, Stdin: answer, Stdout: &stdout, Stderr: &stderr, Interactive: true})
	return output{code, stdout.String(), stderr.String()}
}

// afterwards is a reader that does something before it is read.
type afterwards struct {
	io.Reader
	do func()
}

func (r afterwards) Read(p []byte) (int, error) {
	r.do()
	return r.Reader.Read(p)
}

// app is one run of the program with a console's environment.
func (b *console) app() *terminal.App {
	return &terminal.App{Process: Process{Environ: b.environ, Stderr: new(stacktest.Output), Stdout: new(stacktest.Output)},
		Config: loadConfig(b.t, b.environ)}
}

// servers are those of a console.
func (b *console) servers() *deploy.Servers {
	b.t.Helper()
	s, err := b.app().Connect(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(s.Close)
	return s
}

func (b *console) gc(args ...string) (c activities.Collected) {
	b.t.Helper()
	if err := json.Unmarshal([]byte(b.ok(append([]string{"gc", "--json"}, args...)...)), &c); err != nil {
		b.t.Fatal(err)
	}
	return c
}

// What is removed goes by gc, what remaining searches need stays, though its names
// are gone.
func TestRemoveAndCollect(t *testing.T) {
	b, _ := online(t)
	b.worker()
	b.ok("data", "import", b.write("reviews.tsv", reviews()))
	b.ok("data", "import", b.write("other.tsv", strings.ReplaceAll(reviews(), "book", "song")))
	b.ok("module", "add", b.write("tiny.vec", vectors))
	b.ok("module", "add", b.write("small.vec", strings.ReplaceAll(vectors, "0.5", "0.25")))
	search := []string{"search", "--space", "text-small", "--trials", "12", "--checkpoint-every", "5"}
	b.ok(append(search, "--task", "reviews", "--name", "rc-first")...)
	b.ok(append(search, "--task", "other", "--name", "rc-second", "--module", "tiny")...)

	b.fails(exitFailed, []string{`task "review"`, `task "othr"`, "reviews", "not found"}, "data", "remove", "review", "othr",
		"reviews", "--yes")
	b.fails(exitFailed, []string{`search "rc-frist"`, "rc-first"}, "remove", "rc-frist", "--yes")
	b.fails(exitFailed, []string{"built in"}, "space", "remove", "text-small", "--yes")
	b.fails(exitFailed, []string{"built in", "--run"}, "experiment", "remove", "nlp-small", "--yes")
	b.fails(exitFailed, []string{`"nlp-small" has no run x`, "not found"}, "experiment", "remove", "nlp-small", "--run", "x", "--yes")
	b.fails(exitUsage, []string{"nothing was removed", "--yes", "reviews"}, "data", "remove", "reviews")
	b.fails(exitUsage, []string{"--run"}, "experiment", "remove", "a", "b", "--run", "x", "--yes")
	for _, answer := range []string{"", "\n", "n\n", "what\n"} {
		if o := b.answered(answer, "data", "remove", "reviews"); o.code != exitOK || !strings.Contains(o.stderr, "Remove reviews? [y/N]") ||
			!strings.Contains(o.stdout, "Nothing was removed") {
			t.Errorf("%q: %+v", answer, o)
		}
	}
	if out := b.ok("data", "list"); !strings.Contains(out, "reviews") {
		t.Errorf("removed unasked: %s", out)
	}
	// Somebody comes to use it while the question stands.
	s := b.servers()
	record, _, err := s.Store.GetName(t.Context(), store.Search, "rc-first")
	if err != nil {
		t.Fatal(err)
	}
	o := b.asked(afterwards{strings.NewReader("y\n"), func() {
		if err := store.Update(t.Context(), s.Store, store.Search, "rc-late", func([]byte) ([]byte, error) { return record, nil }); err != nil {
			t.Error(err)
		}
	}}, "data", "remove", "reviews")
	if o.code != exitFailed || !strings.Contains(o.stderr, "nothing was removed: what goes with it, or keeps it, has changed") {
		t.Errorf("%+v", o)
	}
	if err := s.Store.DeleteName(t.Context(), store.Search, "rc-late"); err != nil {
		t.Fatal(err)
	}
	if o := b.answered("y\n", "data", "remove", "reviews"); o.code != exitOK || !strings.Contains(o.stderr, "rc-first keeps it") ||
		!strings.Contains(o.stdout, "Removed reviews") {
		t.Errorf("%+v", o)
	}
	var plan []library.Removal
	if err := json.Unmarshal([]byte(b.ok("module", "remove", "tiny", "small", "--yes", "--json")), &plan); err != nil || len(plan) != 2 ||
		len(plan[0].KeptBy) != 2 || len(plan[1].KeptBy) != 1 {
		t.Errorf("%+v, %v", plan, err)
	}
	b.fails(exitFailed, []string{`"tiny"`}, "module", "remove", "tiny", "--yes")

	// All of both searches is there still.
	before := b.gc("--grace", "0", "--yes")
	if gc.Sum(before.Kept).Objects < 10 || before.Done && before.Deleted.Objects == 0 {
		t.Errorf("%+v", before)
	}
	whole := func(name string) {
		t.Helper()
		b.ok("best", name)
		b.ok("model", "export", name, "-o", filepath.Join(t.TempDir(), name))
		b.ok("report", name, "-o", filepath.Join(b.dir, name+".html"))
		if o := b.feed("a good film\n", "predict", name); o.code != exitOK {
			t.Errorf("%+v", o)
		}
	}
	whole("rc-first")
	whole("rc-second")
	b.ok("remove", "rc-first", "--yes")
	dry := b.gc("--dry-run", "--grace", "0")
	if dry.Done || gc.Sum(dry.SetAside).Objects == 0 {
		t.Errorf("a dry run: %+v", dry)
	}
	out := b.ok("gc", "--dry-run", "--grace", "0")
	for _, kind := range []string{"model", "ledger", "state"} {
		if !strings.Contains(out, kind) {
			t.Errorf("no %s: %s", kind, out)
		}
	}
	if o := b.answered("n\n", "gc", "--grace", "0"); !strings.Contains(o.stderr, "Do it? [y/N]") || strings.Contains(o.stdout, "Set aside ") {
		t.Errorf("%+v", o)
	}
	if o := b.run("gc", "--grace", "0"); o.code != exitOK || !strings.Contains(o.stderr, "--yes") {
		t.Errorf("%+v", o)
	}
	if c := b.gc("--yes"); c.Done || c.Young.Objects != gc.Sum(dry.SetAside).Objects {
		t.Errorf("within the grace period: %+v", c)
	}
	if o := b.answered("y\n", "gc", "--grace", "0"); o.code != exitOK || !strings.Contains(o.stdout, "deleted ") {
		t.Errorf("%+v", o)
	}
	whole("rc-second")
	b.fails(exitFailed, []string{`"rc-first"`}, "best", "rc-first")
	// The same search as the one removed gives the same, though its cached models
	// are gone.
	b.ok("data", "import", filepath.Join(b.dir, "reviews.tsv"))
	b.ok("module", "add", filepath.Join(b.dir, "tiny.vec"))
	b.ok("module", "add", filepath.Join(b.dir, "small.vec"))
	b.ok(append(search, "--task", "reviews", "--name", "rc-third")...)
	whole("rc-third")

	b.ok("remove", "rc-second", "rc-third", "--yes")
	b.ok("data", "remove", "other", "reviews", "--yes")
	b.ok("module", "remove", "tiny", "small", "--yes")
	if c := b.gc("--grace", "0", "--yes"); !c.Done || len(c.Kept) > 0 || c.Deleted.Objects == 0 {
		t.Errorf("%+v", c)
	}
	if out = b.ok("gc", "--grace", "0"); !strings.Contains(out, "There is nothing to do") {
		t.Errorf("%s", out)
	}
	b.fails(exitUsage, []string{"exclude"}, "gc", "--yes", "--dry-run")
	b.fails(exitUsage, []string{"--grace is -1s: it must be 0 or more"}, "gc", "--grace", "-1s")
}

// An experiment goes with its searches, one run alone without the others; nothing
// goes that runs.
func TestRemoveExperiment(t *testing.T) {
	b, _ := online(t)
	b.worker()
	b.ok("data", "import", b.write("reviews.tsv", reviews()))
	b.ok("module", "add", b.write("tiny.vec", vectors))
	b.ok("experiment", "add", b.write("mine.yaml", "name: mine\nspace: text-small\nseeds: [1]\ntransfer: {tasks: [reviews], trials: "+
		"11, arms: [random]}\n"))
	b.ok("run", "mine")
	b.ok("run", "mine")
	if o := b.run("experiment", "remove", "mine", "--run", "mine-2", "--yes"); o.code != exitOK || !strings.Contains(o.stderr, "go") ||
		!strings.Contains(o.stdout, "mine-2") {
		t.Errorf("%+v", o)
	}
	b.lists(nil, func(o output) bool {
		return strings.Contains(o.stdout, "mine-1/") && !strings.Contains(o.stdout, "mine-2/")
	})
	b.gc("--grace", "0", "--yes")
	b.ok("experiment", "results", "mine")
	b.ok("report", "mine", "-o", filepath.Join(b.dir, "mine.html"))
	b.fails(exitFailed, []string{"no run mine-9", "mine-1"}, "experiment", "remove", "mine", "--run", "mine-9", "--yes")

	name := strings.TrimSpace(b.ok("run", "mine", "--trials", "4000", "--detach"))
	running := ""
	b.lists(nil, func(o output) bool {
		for _, line := range strings.Split(o.stdout, "\n") {
			if f := strings.Fields(line); len(f) > 0 && strings.HasPrefix(f[0], name+"/") {
				running = f[0]
			}
		}
		return running != ""
	})
	b.fails(exitFailed, []string{name, "is running", "starter stop"}, "experiment", "remove", "mine", "--yes")
	b.fails(exitFailed, []string{running, "starter stop"}, "remove", running, "--yes")
	b.fails(exitFailed, []string{name, "grace", "1h"}, "gc", "--grace", "0", "--yes")
	b.gc("--yes")
	for strings.Count(b.run("trials", running, "--format", "csv").stdout, "\n") < 2 {
		time.Sleep(50 * time.Millisecond)
	}
	if told := b.ok("stop", name); strings.Contains(told, " 0/4000 trials") { // its search in flight has told some
		t.Errorf("what was told of its trials is not counted: %s", told)
	}
	b.fails(exitUnfinished, []string{"stopped"}, "watch", name)
	b.ok("experiment", "remove", "mine", "--yes")
	b.lists(nil, func(o output) bool { return !strings.Contains(o.stdout, "mine") })
	if out := b.ok("experiment", "list"); strings.Contains(out, "mine") {
		t.Errorf("%s", out)
	}
}

// Collections with a grace period of moments, one after another, while a search
// runs on what an earlier one has left in the trial cache, while it is paused for
// longer than that, and while it goes on: nothing of it is lost.
func TestCollectedWhileItRuns(t *testing.T) {
	b, _ := online(t)
	b.worker()
	b.ok("data", "import", b.write("reviews.tsv", reviews()))
	b.ok("module", "add", b.write("tiny.vec", vectors))
	// No checkpoint before the end: the models are in the journal.
	search := []string{"search", "--task", "reviews", "--space", "text-small", "--checkpoint-every", "500"}
	b.ok(append(search, "--trials", "12", "--name", "cw-first")...)
	b.ok("remove", "cw-first", "--yes") // nothing but the trial cache has its models
	s := b.servers()
	const grace = 6 * time.Second
	o := gc.Options{Grace: grace, Idle: func(context.Context) error { return nil }}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	var deleted int
	go func() {
		var err error
		for err == nil && ctx.Err() == nil {
			var p *gc.Plan
			if p, err = gc.Survey(t.Context(), s.Store, o); err == nil {
				err = p.Run(t.Context(), s.Store, o)
				deleted += p.Deleted.Objects
			}
			time.Sleep(200 * time.Millisecond)
		}
		done <- err
	}()
	b.ok(append(search, "--trials", "4000", "--name", "cw-second", "--detach")...)
	for strings.Count(b.run("trials", "cw-second", "--format", "csv").stdout, "\n") < 14 {
		time.Sleep(50 * time.Millisecond)
	}
	b.ok("pause", "cw-second")
	b.fails(exitFailed, []string{"cw-second is running", "starter stop cw-second"}, "remove", "cw-second", "--yes")
	time.Sleep(3 * grace)
	b.ok("resume", "cw-second")
	time.Sleep(time.Second)
	b.ok("stop", "cw-second")
	b.fails(exitUnfinished, []string{"stopped"}, "watch", "cw-second")
	time.Sleep(3 * grace)
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if deleted == 0 {
		t.Error("nothing was collected: the test is of nothing")
	}
	f, err := b.app().Client(s).Find(t.Context(), "cw-second")
	if err != nil {
		t.Fatal(err)
	}
	models := 0
	record, err := library.ReadRecord(t.Context(), s.Store, "cw-second")
	if err != nil {
		t.Fatal(err)
	}
	for _, trial := range f.Trials {
		if !slices.Contains(record.Models, store.Ref(trial.Model)) {
			continue
		}
		models++
		if _, err := library.ExportModel(t.Context(), s.Store, "cw-second", f.Config, trial); err != nil {
			t.Error(err)
		}
	}
	if models < 10 {
		t.Errorf("%d models", models)
	}
	b.ok("report", "cw-second", "-o", filepath.Join(b.dir, "second.html"))
}

// What cannot be read stops gc, and the command that it names removes it, whatever
// is the matter with it.
func TestGCNamesTheWayOut(t *testing.T) {
	b, a := online(t)
	s, err := store.OpenS3(t.Context(), store.S3Config{
		Endpoint: a.S3Endpoint, Bucket: stacktest.Bucket(t), Region: a.S3Region,
		AccessKey: a.S3AccessKey, SecretKey: a.S3SecretKey, CreateBucket: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	b.environ = append(b.environ, "TNAML_S3_BUCKET="+bucketOf(s))
	b.worker()
	lost := store.RefOf([]byte("lost"))
	for kind, name := range map[store.Kind]string{store.Dataset: "d", store.Module: "m", store.Controller: "c", store.Search: "s",
		store.Experiment: "e"} {
		for _, value := range []string{"{", fmt.Sprintf(
			`{"ref":"nonsense","config":%q,"versions":[{"ref":"nonsense"}],"runs":[{"name":"r","report":%q}]}`, lost, lost)} {
			if _, err := s.SetName(t.Context(), kind, name, []byte(value), ""); err != nil {
				t.Fatal(err)
			}
			o := b.run("gc", "--dry-run")
			at := strings.Index(o.stderr, "`starter ")
			if o.code != exitFailed || at < 0 {
				t.Fatalf("%s %s: %+v", kind, value, o)
			}
			command := strings.Fields(strings.Split(o.stderr[at+1:], "`")[0])
			b.ok(append(command[1:], "--yes")...)
			b.ok("gc", "--dry-run")
		}
	}
}

func bucketOf(s *store.S3) string { return strings.Split(s.String(), `"`)[1] }
