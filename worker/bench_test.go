package main_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/deploy"
	"tnaml/deploy/stack"
	"tnaml/deploy/stack/stacktest"
	"tnaml/experiments/data"
	"tnaml/experiments/data/table"
	"tnaml/experiments/data/text"
	"tnaml/experiments/search"
	"tnaml/experiments/space"
	"tnaml/nn/embedding"
	"tnaml/workflows"
)

// long runs the suites at length: all rows, more trials, more kills.
var long = flag.Bool("long", false, "run the suites of this package at length, with all their rows")

// built is where the worker program is, once it is needed.
var built string

// binary is the worker program, built once.
var binary = sync.OnceValues(func() (name string, err error) {
	if built, err = os.MkdirTemp("", "tnaml-worker-"); err != nil {
		return "", err
	}
	name = filepath.Join(built, "worker")
	if out, err := exec.Command("go", "build", "-o", name, ".").CombinedOutput(); err != nil {
		return name, fmt.Errorf("building the worker: %w\n%s", err, out)
	}
	return name, nil
})

func TestMain(m *testing.M) {
	if places := os.Getenv(napperEnv); places != "" {
		if err := napper(places); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	if *long {
		patience *= 4
	}
	// The rows of the suites wait more than they compute.
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = f.Value.Set("6")
	}
	code := m.Run()
	if built != "" {
		_ = os.RemoveAll(built)
	}
	os.Exit(code)
}

// bench is a Temporal server and a bucket of its own with tasks in it: words, whose
// trials train models, and knobs, whose trials are looked up.
type bench struct {
	queue, namespace string
	env              []string
	client           client.Client
	store            store.Store // never through a proxy
}

// clusterEnv names the environment variable with the directory of a cluster (deploy/cluster) for the
// suites to use, in place of a dev stack. Its addresses, certificates and keys are settings, as
// everywhere; its user may make buckets whose names begin with test.
const clusterEnv = "TNAML_TEST_CLUSTER"

// shared is where the servers of all tests are: no addresses stand for the configured ones.
func shared(t *testing.T) stack.Addresses {
	t.Helper()
	if os.Getenv(clusterEnv) != "" {
		return stack.Addresses{}
	}
	return stacktest.Shared(t)
}

// newBench takes its servers from anywhere: endpoint is the workers' way to the
// store, "" the direct one.
func newBench(t *testing.T, server, objects stack.Addresses, endpoint string) *bench {
	t.Helper()
	bucket := stacktest.Bucket(t)
	b := &bench{queue: bucket, env: append(os.Environ(), "TNAML_TEMPORAL_TASK_QUEUE="+bucket, "TNAML_S3_BUCKET="+bucket,
		"TNAML_LOG_LEVEL=info")}
	if server != (stack.Addresses{}) {
		b.env = append(b.env, "TNAML_TEMPORAL_ADDRESS="+server.Temporal, "TNAML_TEMPORAL_NAMESPACE="+server.Namespace,
			"TNAML_S3_ENDPOINT="+objects.S3Endpoint, "TNAML_S3_REGION="+objects.S3Region,
			"TNAML_S3_ACCESS_KEY="+objects.S3AccessKey, "TNAML_S3_SECRET_KEY="+objects.S3SecretKey)
	}
	config, err := deploy.Load(nil, b.env)
	if err != nil {
		t.Fatal(err)
	}
	to, err := config.Target()
	if err != nil {
		t.Fatal(err)
	}
	to.Temporal.Identity, to.S3.CreateBucket, b.namespace = "test", true, to.Temporal.Namespace
	if b.client, err = to.Dial(t.Context(), slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.client.Close)
	if b.store, err = store.OpenS3(t.Context(), to.S3); err != nil {
		t.Fatal(err)
	}
	if endpoint != "" {
		b.env = append(b.env, "TNAML_S3_ENDPOINT="+endpoint)
	}
	b.fill(t)
	return b
}

// fill stores the tasks with a module, and the spaces tiny and knobs.
func (b *bench) fill(t *testing.T) {
	t.Helper()
	check := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"words", "others"} {
		var examples []text.Example
		for i := range 600 {
			words := []string{"alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"}
			label := []string{"even", "odd"}[(i*7%13+len(name))%2]
			line := fmt.Sprintf("%s %s %s %d", words[i%8], words[i*7%13%8], words[i/8%8], i%31)
			examples = append(examples, text.Example{Text: line, Label: label})
		}
		built, err := text.Build(examples, data.Options{Name: name})
		check(nil, err)
		check(library.PublishTask(t.Context(), b.store, built, true))
	}
	m := &embedding.Module{Name: "m-8", Language: "en", Dim: 8, Tokens: []string{"alpha", "beta", "gamma", "delta"},
		Vectors: make([]float32, 32)}
	for i := range m.Vectors {
		m.Vectors[i] = float32(i%5-2) / 4
	}
	check(library.PublishModule(t.Context(), b.store, m, true))
	sp, err := space.Builtin("text-small")
	check(nil, err)
	sp.Name = "tiny"
	check(nil, library.PublishSpace(t.Context(), b.store, sp, true))

	knobs := &space.Space{Name: "knobs", Trainer: "table", Objective: space.Objective{Metric: "gain"}}
	effect := table.Effect{Choices: map[string]map[string]float64{}, Noise: .1}
	for i := range 6 {
		c := space.Choice{Name: fmt.Sprintf("knob_%d", i), Options: []any{int64(1), int64(2), int64(3)}}
		knobs.Choices = append(knobs.Choices, c)
		effect.Choices[c.Name] = map[string]float64{"1": 0, "2": .05, "3": .1}
	}
	check(nil, library.PublishSpace(t.Context(), b.store, knobs, true))
	for _, name := range []string{"knobs", "levers"} {
		built, err := table.Build(table.Recorded{
			Metrics: []string{"validation_gain", "test_gain"}, Effects: table.Effects{"validation_gain": effect, "test_gain": effect},
		}, data.Options{Name: name})
		check(nil, err)
		check(library.PublishTask(t.Context(), b.store, built, true))
	}
}

// spec is a search's, in parts: the later ones win.
type spec map[string]any

func merged(parts ...spec) spec {
	out := spec{}
	for _, p := range parts {
		maps.Copy(out, p)
	}
	return out
}

// start starts a workflow.
func (b *bench) start(t *testing.T, kind, name string, s any) client.WorkflowRun {
	t.Helper()
	return b.startAs(t, kind, b.queue+"/"+name, s)
}

// startAs starts a workflow whose ID is no part of the bench's.
func (b *bench) startAs(t *testing.T, kind, id string, s any) client.WorkflowRun {
	t.Helper()
	raw, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	run, err := b.client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: b.queue}, kind,
		json.RawMessage(raw))
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// patience is how long a search may take that one waits for; a machine with more to do than tests
// is slow. It ends before go test does, which would not say where the search stands.
var patience = 4 * time.Minute

// progress asks a search where it stands; false where nobody answers now.
func (b *bench) progress(ctx context.Context, run client.WorkflowRun) (p workflows.Progress, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	value, err := b.client.QueryWorkflow(ctx, run.GetID(), "", workflows.ProgressQuery)
	return p, err == nil && value.Get(&p) == nil
}

// until waits until a search stands as wanted, or has ended.
func (b *bench) until(t *testing.T, run client.WorkflowRun, what string, want func(workflows.Progress) bool) {
	t.Helper()
	last := workflows.Progress{}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if p, ok := b.progress(t.Context(), run); ok {
			if last = p; want(p) || p.Status == "completed" {
				return
			}
			if p.Status == "failed" || p.Status == "canceled" {
				break
			}
		}
	}
	t.Fatalf("%s: never %s; last %+v\n%s", run.GetID(), what, last, b.standing(t.Context(), run))
}

// standing is what the server knows of a search that does not go on.
func (b *bench) standing(ctx context.Context, run client.WorkflowRun) string {
	d, err := b.client.DescribeWorkflowExecution(ctx, run.GetID(), "")
	said := fmt.Sprintf("%v; workflow task: %v, error %v\n", d.GetWorkflowExecutionInfo().GetStatus(), d.GetPendingWorkflowTask(), err)
	queues := map[string]bool{b.queue: true, workflows.LightQueue(b.queue): true}
	for _, a := range d.GetPendingActivities() {
		queues[a.GetActivityOptions().GetTaskQueue().GetName()] = true
		a.HeartbeatDetails = nil
		said += fmt.Sprintf("under way: %v\n", a)
	}
	for name := range queues {
		for _, kind := range []enumspb.TaskQueueType{enumspb.TASK_QUEUE_TYPE_WORKFLOW, enumspb.TASK_QUEUE_TYPE_ACTIVITY} {
			q, err := b.client.DescribeTaskQueue(ctx, name, kind)
			said += fmt.Sprintf("%s, %v: asked by %v, error %v\n", name, kind, q.GetPollers(), err)
		}
	}
	return said
}

// told waits until a search has learned from a number of trials.
func (b *bench) told(t *testing.T, run client.WorkflowRun, trials int) {
	t.Helper()
	b.until(t, run, fmt.Sprintf("told %d trials", trials), func(p workflows.Progress) bool { return p.Told >= trials })
}

// update asks a running workflow to do something, as the command line does, again where the server has
// given it up (starter/client); one that has ended meanwhile need not.
func (b *bench) update(t *testing.T, run client.WorkflowRun, name string, args ...any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	options := client.UpdateWorkflowOptions{
		UpdateID: rand.Text(), WorkflowID: run.GetID(), UpdateName: name, Args: args, WaitForStage: client.WorkflowUpdateStageCompleted,
	}
	for {
		handle, err := b.client.UpdateWorkflow(ctx, options)
		if err == nil {
			err = handle.Get(ctx, nil)
		}
		var gone *serviceerror.NotFound
		var givenUp *serviceerror.WorkflowNotReady
		switch {
		case err == nil || errors.As(err, &gone):
			return
		case !errors.As(err, &givenUp):
			t.Fatalf("%s: %v", name, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// end waits for a workflow's end, whatever happens to its server meanwhile.
func (b *bench) end(t *testing.T, run client.WorkflowRun, result any) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		// By name alone: a reset goes on in another run.
		err := b.client.GetWorkflow(ctx, run.GetID(), "").Get(ctx, result)
		var ended *temporal.WorkflowExecutionError
		if err == nil || errors.As(err, &ended) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// outcome is what a search left behind.
type outcome struct {
	record library.SearchRecord
	// ledger is the SHA-256 of all trials in order, controller the controller's.
	ledger, controller string
	trials, costs      map[int]int // how often each is there
	workers            map[string]bool
}

// outcome waits for a search's end and reads what it left.
func (b *bench) outcome(t *testing.T, run client.WorkflowRun) outcome {
	t.Helper()
	if err := b.end(t, run, nil); err != nil {
		p, _ := b.progress(t.Context(), run)
		t.Fatalf("%s: %v; last %+v\n%s", run.GetID(), err, p, b.standing(t.Context(), run))
	}
	record, err := library.ReadRecord(t.Context(), b.store, run.GetID())
	if err != nil {
		t.Fatal(err)
	}
	trials, err := library.ReadLedger(t.Context(), b.store, record.Ledger)
	if err != nil {
		t.Fatal(err)
	}
	costs, err := library.ReadCosts(t.Context(), b.store, record.Costs)
	if err != nil {
		t.Fatal(err)
	}
	o := outcome{record: record, ledger: digest(t, trials), controller: string(record.Controller),
		trials: map[int]int{}, costs: map[int]int{}, workers: map[string]bool{}}
	for _, row := range trials {
		o.trials[row.Trial]++
	}
	for _, c := range costs {
		o.costs[c.Trial]++
		o.workers[c.Worker] = true
	}
	return o
}

func digest(t *testing.T, trials []search.Trial) string {
	t.Helper()
	b, err := json.Marshal(trials)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(b))
}

// compare counts what differs from the undisturbed search: trials that are not
// there, trials that are there more than once, digests that are others.
func (o outcome) compare(other outcome) (lost, doubled, unequal int) {
	for trial := range o.trials {
		if other.trials[trial] == 0 || other.costs[trial] == 0 {
			lost++
		}
	}
	for _, seen := range []map[int]int{other.trials, other.costs} {
		for _, n := range seen {
			doubled += n - 1
		}
	}
	for _, pair := range [][2]string{{o.ledger, other.ledger}, {o.controller, other.controller}} {
		if pair[0] != pair[1] || pair[0] == "" {
			unequal++
		}
	}
	return lost, doubled, unequal
}

// process is a worker process.
type process struct {
	*exec.Cmd
	name  string
	queue string
	log   *stacktest.Output
}

// worker starts a worker; it ends with the test.
func (b *bench) worker(t *testing.T, name string, env ...string) *process {
	t.Helper()
	return b.process(t, name, nil, env...)
}

func (b *bench) process(t *testing.T, name string, args []string, env ...string) *process {
	t.Helper()
	program, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return b.program(t, program, name, args, env...)
}

// earlierEnv names the environment variable with a worker program of an earlier build, from which the
// tests of upgrades upgrade; without it they put the build of these sources in the place of itself.
const earlierEnv = "TNAML_TEST_WORKER_EARLIER"

// earlier starts a worker of the earlier build.
func (b *bench) earlier(t *testing.T, name string, env ...string) *process {
	t.Helper()
	if program := os.Getenv(earlierEnv); program != "" {
		return b.program(t, program, name, nil, env...)
	}
	return b.worker(t, name, env...)
}

func (b *bench) program(t *testing.T, program, name string, args []string, env ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(program, args...), name: name, queue: b.queue, log: new(stacktest.Output)}
	p.Env = append(append(b.env, "TNAML_WORKER_IDENTITY="+name, "TNAML_DATA_DIR="+t.TempDir()), env...)
	p.Stdout, p.Stderr = p.log, p.log
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			said := p.log.String()
			t.Logf("worker %s:\n%s", name, said[max(0, len(said)-4000):])
		}
	})
	return p
}

// workers starts several and waits until all ask for work: else the first one up
// may do it all.
func (b *bench) workers(t *testing.T, n int, env ...string) []*process {
	t.Helper()
	var all []*process
	for i := range n {
		all = append(all, b.worker(t, fmt.Sprintf("worker-%d", i+1), env...))
	}
	for _, w := range all {
		w.ready(t)
	}
	return all
}

// ready waits until the worker asks for work, of the workflows' queue, which comes last.
func (p *process) ready(t *testing.T) {
	t.Helper()
	started := func() bool {
		for line := range strings.Lines(p.log.String()) {
			if strings.Contains(line, "Started Worker") && (strings.Contains(line, "TaskQueue="+p.queue+" ") ||
				strings.Contains(line, `"TaskQueue":"`+p.queue+`"`)) {
				return true
			}
		}
		return false
	}
	for deadline := time.Now().Add(patience); !started(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("worker %s does not start:\n%s", p.name, p.log)
		}
	}
}

// stop ends a worker that has started as a person would.
func (p *process) stop(t *testing.T) {
	t.Helper()
	p.ready(t)
	_ = p.Process.Signal(syscall.SIGTERM)
	if err := p.Wait(); err != nil {
		t.Errorf("worker %s did not end cleanly: %v\n%s", p.name, err, p.log)
	}
}

// kill ends a worker as a crash would.
func (p *process) kill() {
	if p.ProcessState == nil {
		_ = p.Process.Kill()
		_ = p.Wait()
	}
}
