package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/encoding/protojson"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/deploy/stack/stacktest"
	"tnaml/experiments/data"
	"tnaml/experiments/data/text"
	"tnaml/experiments/search"
	"tnaml/experiments/space"
	"tnaml/nn/embedding"
	"tnaml/workflows"
)

// What DESIGN promises about durability, tried on real processes: a search
// with one seed gives one ledger and one controller, bit for bit, whatever the
// number of workers and whatever is killed on the way.
func TestSearchIsTheSameWhateverHappensToItsWorkers(t *testing.T) {
	b := newBench(t)
	// Each search trains its trials anew: nothing may come from the cache.
	spec := func(trials int) string {
		return fmt.Sprintf(`{"tasks":["words"],"space":"tiny","trials":%d,"lag":6,"checkpoint_every":8,"retrain":true}`, trials)
	}
	const trials = 40

	one := b.worker(t, "one")
	want := b.outcome(t, b.start(t, "alone", spec(trials)))
	one.stop(t)
	if want.record.Told != trials || want.record.Controller == "" {
		t.Fatalf("record %+v", want.record)
	}

	t.Run("three workers", func(t *testing.T) {
		var all []*process
		for _, name := range []string{"a", "b", "c"} {
			w := b.worker(t, name)
			defer w.stop(t)
			all = append(all, w)
		}
		for _, w := range all { // else the first one up may do it all
			w.waitForStart(t)
		}
		got := b.outcome(t, b.start(t, "three", spec(trials)))
		want.sameAs(t, got)
		if len(got.workers) < 2 {
			t.Errorf("only %v took part", got.workers)
		}
	})

	t.Run("the only worker is killed", func(t *testing.T) {
		// Now and then the victim is at the end of the search before it is killed.
		const tries = 5
		for try := 1; ; try++ {
			victim := b.worker(t, "victim")
			run := b.start(t, "killed", spec(trials))
			b.waitFor(t, run, 12)
			victim.kill(t)
			heir := b.worker(t, "heir")
			got := b.outcome(t, run)
			heir.stop(t)
			want.sameAs(t, got)
			if len(got.workers) == 2 {
				break
			}
			if try == tries {
				t.Fatalf("workers that took part: %v", got.workers)
			}
		}
	})

	t.Run("the trial cache gives the same", func(t *testing.T) {
		w := b.worker(t, "cached")
		defer w.stop(t)
		run := b.start(t, "cached", strings.Replace(spec(trials), `"retrain":true`, `"retrain":false`, 1))
		want.sameAs(t, b.outcome(t, run))
		var result workflows.SearchResult
		if err := run.Get(t.Context(), &result); err != nil || result.Cached != trials {
			t.Errorf("%d of %d trials came from the cache, %v", result.Cached, trials, err)
		}
	})
}

// bench is a dev stack with a task, a module and a small search space.
type bench struct {
	binary string
	env    []string
	client client.Client
	store  store.Store
}

func newBench(t *testing.T) *bench {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "worker")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("building the worker: %v\n%s", err, out)
	}
	a := stacktest.Shared(t)
	c, err := client.Dial(client.Options{HostPort: a.Temporal, Namespace: a.Namespace})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	bucket := "durability"
	s, err := store.OpenS3(t.Context(), store.S3Config{
		Endpoint: a.S3Endpoint, Bucket: bucket, Region: a.S3Region,
		AccessKey: a.S3AccessKey, SecretKey: a.S3SecretKey, CreateBucket: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{binary: binary, client: c, store: s, env: append(os.Environ(),
		"TNAML_TEMPORAL_ADDRESS="+a.Temporal, "TNAML_TEMPORAL_NAMESPACE="+a.Namespace,
		"TNAML_S3_ENDPOINT="+a.S3Endpoint, "TNAML_S3_BUCKET="+bucket, "TNAML_S3_REGION="+a.S3Region,
		"TNAML_S3_ACCESS_KEY="+a.S3AccessKey, "TNAML_S3_SECRET_KEY="+a.S3SecretKey,
	)}
	b.fill(t)
	return b
}

// fill stores the task "words", the module "m-8" and the space "tiny".
func (b *bench) fill(t *testing.T) {
	var examples []text.Example
	for i := range 600 {
		words := []string{"alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"}
		label := []string{"even", "odd"}[i*7%13%2]
		line := fmt.Sprintf("%s %s %s %d", words[i%8], words[i*7%13%8], words[i/8%8], i%31)
		examples = append(examples, text.Example{Text: line, Label: label})
	}
	built, err := text.Build(examples, data.Options{Name: "words"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := library.PublishTask(t.Context(), b.store, built, true); err != nil {
		t.Fatal(err)
	}
	m := &embedding.Module{Name: "m-8", Language: "en", Dim: 8, Tokens: []string{"alpha", "beta", "gamma", "delta"},
		Vectors: make([]float32, 32)}
	for i := range m.Vectors {
		m.Vectors[i] = float32(i%5-2) / 4
	}
	if _, err := library.PublishModule(t.Context(), b.store, m, true); err != nil {
		t.Fatal(err)
	}
	sp, err := space.Builtin("text-small")
	if err != nil {
		t.Fatal(err)
	}
	sp.Name = "tiny"
	if err := library.PublishSpace(t.Context(), b.store, sp, true); err != nil {
		t.Fatal(err)
	}
}

// start starts a search.
func (b *bench) start(t *testing.T, name, spec string) client.WorkflowRun {
	t.Helper()
	run, err := b.client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: t.Name() + "/" + name, TaskQueue: workflows.TaskQueue,
	}, workflows.SearchWorkflow, json.RawMessage(spec))
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// waitFor waits until a search has absorbed a number of trials.
func (b *bench) waitFor(t *testing.T, run client.WorkflowRun, trials int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	for {
		value, err := b.client.QueryWorkflow(ctx, run.GetID(), "", workflows.ProgressQuery)
		if err == nil {
			var p workflows.Progress
			if err := value.Get(&p); err != nil {
				t.Fatal(err)
			}
			if p.Told >= trials {
				return
			}
		}
		select {
		case <-ctx.Done():
			t.Fatal("the search does not get on")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// outcome is what must be equal: the ledger, and the digests of the last
// checkpoint and of the controller.
type outcome struct {
	record  library.SearchRecord
	trials  []search.Trial
	workers map[string]bool
}

func (b *bench) outcome(t *testing.T, run client.WorkflowRun) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var result workflows.SearchResult
	if err := run.Get(ctx, &result); err != nil {
		t.Fatal(err)
	}
	b.record(t, run)
	record, err := library.ReadRecord(ctx, b.store, run.GetID())
	if err != nil {
		t.Fatal(err)
	}
	trials, err := library.ReadLedger(ctx, b.store, record.Ledger)
	if err != nil {
		t.Fatal(err)
	}
	costs, err := library.ReadCosts(ctx, b.store, record.Costs)
	if err != nil {
		t.Fatal(err)
	}
	workers := map[string]bool{}
	for _, c := range costs {
		workers[c.Worker] = true
	}
	return outcome{record, trials, workers}
}

// record writes a run's history to the directory that TNAML_RECORD names, for
// the replay test of worker/host.
func (b *bench) record(t *testing.T, run client.WorkflowRun) {
	dir := os.Getenv("TNAML_RECORD")
	if dir == "" {
		return
	}
	var history historypb.History
	for events := b.client.GetWorkflowHistory(t.Context(), run.GetID(), run.GetRunID(), false,
		enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); events.HasNext(); {
		event, err := events.Next()
		if err != nil {
			t.Fatal(err)
		}
		history.Events = append(history.Events, event)
	}
	text, err := protojson.Marshal(&history)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, filepath.Base(run.GetID())+".json"), text, 0o644); err != nil {
		t.Fatal(err)
	}
}

func (o outcome) sameAs(t *testing.T, other outcome) {
	t.Helper()
	if diff := cmp.Diff(o.trials, other.trials); diff != "" {
		t.Errorf("ledgers differ: %s", diff)
	}
	if o.record.Ledger != other.record.Ledger {
		t.Errorf("checkpoints differ: %s and %s", o.record.Ledger, other.record.Ledger)
	}
	if o.record.Controller != other.record.Controller {
		t.Errorf("controllers differ: %s and %s", o.record.Controller, other.record.Controller)
	}
}

// process is a worker process.
type process struct {
	*exec.Cmd
	log *stacktest.Output
}

func (b *bench) worker(t *testing.T, name string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(b.binary), log: new(stacktest.Output)}
	p.Env = append(b.env, "TNAML_WORKER_IDENTITY="+name, "TNAML_DATA_DIR="+t.TempDir(), "TNAML_LOG_LEVEL=info")
	p.Stdout, p.Stderr = p.log, p.log
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.ProcessState == nil {
			_ = p.Process.Kill()
			_ = p.Wait()
		}
		if t.Failed() {
			t.Logf("worker %s:\n%s", name, p.log)
		}
	})
	return p
}

// waitForStart waits until the worker asks for work.
func (p *process) waitForStart(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); !strings.Contains(p.log.String(), "Started Worker"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a worker does not start")
		}
	}
}

// stop ends a worker that has started: before, it would end by the signal.
func (p *process) stop(t *testing.T) {
	t.Helper()
	p.waitForStart(t)
	_ = p.Process.Signal(syscall.SIGTERM)
	if err := p.Wait(); err != nil {
		t.Errorf("worker did not end cleanly: %v\n%s", err, p.log)
	}
}

func (p *process) kill(t *testing.T) {
	t.Helper()
	_ = p.Process.Signal(syscall.SIGKILL)
	_ = p.Wait()
}
