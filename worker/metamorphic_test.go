package main_test

import (
	crand "crypto/rand"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"tnaml/workflows"
)

// subject is a search that is run again and again.
type subject struct {
	name string
	spec spec
	// trials is its budget, many the one of the long form.
	trials, many int
}

// words trains its models anew: nothing may come from the trial cache.
var words = subject{"words", spec{"tasks": []string{"words"}, "space": "tiny", "lag": 6, "checkpoint_every": 8, "retrain": true}, 24, 60}

// pruned ends its trials early, by floors that travel with them.
var pruned = subject{"pruned", merged(words.spec, spec{"pruner": "halving"}), 24, 60}

// knobs learns on two tasks at once.
var knobs = subject{"knobs", spec{"tasks": []string{"knobs", "levers"}, "space": "knobs", "lag": 6, "checkpoint_every": 20}, 120, 1000}

func (s subject) budget() int {
	if *long {
		return s.many
	}
	return s.trials
}

// variation is a way to run a search that must not change what comes of it.
type variation struct {
	name    string
	subject subject
	spec    spec
	workers int // 0 means one
	env     []string
	during  []disturbance
	long    bool
	differs bool // what is varied does change what comes of it: the suite sees such things
}

// disturbance happens to a running search; trials is its budget in the end.
type disturbance func(t *testing.T, b *bench, c *course, trials int)

// course is a search with its workers.
type course struct {
	run client.WorkflowRun
	now []*process
	env []string
	// lost counts those that were killed, resets how often the search was reset.
	lost, resets int
}

var variations = []variation{
	{name: "two workers", subject: words, workers: 2},
	{name: "four workers", subject: knobs, workers: 4},
	{name: "another seed", subject: knobs, spec: spec{"seed": 2}, differs: true},
	{name: "one in flight", subject: knobs, spec: spec{"parallel": 1}},
	{name: "from the trial cache", subject: words, spec: spec{"retrain": false}, during: []disturbance{again}},
	{name: "no caches", subject: words, env: []string{"TNAML_WORKER_CACHE_MB=1", "TNAML_WORKER_DISK_CACHE_MB=0"}, long: true},
	{name: "a checkpoint each trial", subject: knobs, spec: spec{"checkpoint_every": 1}},
	{name: "no checkpoint on the way", subject: knobs, spec: spec{"checkpoint_every": 500}},
	{name: "short histories", subject: knobs, spec: spec{"history_limit": 100}},
	{name: "pruned, four workers", subject: pruned, workers: 4},
	{name: "pruned, one in flight, a checkpoint each trial", subject: pruned, spec: spec{"parallel": 1, "checkpoint_every": 1}},
	{name: "pruned and killed", subject: pruned, workers: 2, during: []disturbance{killed, killed}},
	{name: "one processor", subject: words, env: []string{"GOMAXPROCS=1"}, long: true},
	{name: "eight processors", subject: words, env: []string{"GOMAXPROCS=8"}},
	{name: "pauses", subject: knobs, during: []disturbance{paused, paused, paused}},
	{name: "extended", subject: knobs, spec: spec{"trials": 50}, during: []disturbance{extended}},
	{name: "gone on from where it ended", subject: knobs, spec: spec{"trials": 50}, during: []disturbance{goneOn}},
	{name: "reset", subject: knobs, during: []disturbance{reset}},
	{name: "its only worker is killed", subject: words, during: []disturbance{killed}},
	{name: "killed at random points", subject: knobs, workers: 2,
		during: []disturbance{killed, killed, killed, killed, killed, killed}, long: true},
	{name: "killed in training", subject: words, workers: 2, during: []disturbance{killed, killed, killed, killed}, long: true},
	{name: "all at once", subject: knobs, workers: 2, env: []string{"GOMAXPROCS=1", "TNAML_WORKER_CACHE_MB=1"},
		spec:   spec{"trials": 50, "parallel": 3, "checkpoint_every": 7, "history_limit": 150},
		during: []disturbance{extended, paused, killed, reset}}, // extended while there is enough left
	{name: "all at once, at length", subject: knobs, workers: 4, spec: spec{"trials": 50, "checkpoint_every": 3, "history_limit": 200},
		during: []disturbance{extended, killed, paused, reset, killed, killed, reset, paused, killed}, long: true},
}

// One search gives one ledger and one controller, bit for bit, however it is run
// and whatever happens to it. At length:
//
//	go test ./worker -run TestMetamorphic -long -v -timeout 60m
func TestMetamorphic(t *testing.T) {
	a := shared(t)
	want := map[string]outcome{}
	for _, s := range []subject{words, knobs, pruned} {
		b := newBench(t, a, a, "")
		w := b.worker(t, "alone")
		got := b.outcome(t, b.start(t, workflows.SearchWorkflow, "alone", merged(s.spec, spec{"trials": s.budget()})))
		w.stop(t)
		if len(got.trials) != s.budget() || got.controller == "" {
			t.Fatalf("%s: %d trials of %d, controller %q", s.name, len(got.trials), s.budget(), got.controller)
		}
		want[s.name] = got
	}
	for _, v := range variations {
		if v.long && !*long {
			continue
		}
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, a, a, "")
			n := v.subject.budget()
			begun := time.Now()
			c := &course{now: b.workers(t, max(v.workers, 1), v.env...), env: v.env}
			c.run = b.start(t, workflows.SearchWorkflow, "varied", merged(v.subject.spec, spec{"trials": n}, v.spec))
			for _, d := range v.during {
				d(t, b, c, n)
			}
			got := b.outcome(t, c.run)
			lost, doubled, unequal := want[v.subject.name].compare(got)
			if v.differs {
				if lost+doubled != 0 || unequal != 2 {
					t.Errorf("lost %d, doubled %d, digests unequal %d of 2", lost, doubled, unequal)
				}
				return
			}
			if lost+doubled+unequal > 0 || len(got.trials) != n {
				t.Errorf("lost %d, doubled %d, digests unequal %d, of %d trials: %+v", lost, doubled, unequal, n, got.record)
			}
			if v.spec["checkpoint_every"] == nil && v.spec["trials"] == nil && got.record.Ledger != want[v.subject.name].record.Ledger {
				t.Errorf("the segments of the ledger differ: %s", got.record.Ledger)
			}
			if n := len(got.record.Replaced); got.record.Line == "" || n > c.resets || n < min(c.resets, 1) { // however many runs it had
				t.Errorf("reset %d times, its record was written by %d lines of runs: %+v", c.resets, n+1, got.record.Fence)
			}
			if v.workers > 1 && c.lost == 0 && len(got.workers) < 2 {
				t.Errorf("only %v took part", got.workers)
			}
			t.Logf("%d trials, %d workers lost, %.1f s", n, c.lost, time.Since(begun).Seconds())
		})
	}
}

// points draws where a search is disturbed: by the test's name, so that a run can be
// repeated, and above what has been told already.
func points(t *testing.T, b *bench, run client.WorkflowRun, trials, salt int) int {
	p, _ := b.progress(t.Context(), run)
	seed := uint64(salt)
	for _, c := range t.Name() {
		seed = seed*31 + uint64(c)
	}
	left := max(p.Trials, trials/4) - p.Told
	return p.Told + 1 + rand.New(rand.NewPCG(seed, 0)).IntN(max(left/2, 1))
}

// killed ends a worker by SIGKILL at some point, and starts another one.
func killed(t *testing.T, b *bench, c *course, trials int) {
	b.told(t, c.run, points(t, b, c.run, trials, c.lost))
	victim := c.now[0]
	victim.kill()
	c.lost++
	c.now = append(c.now[1:], b.worker(t, fmt.Sprintf("heir-%d", c.lost), c.env...))
}

// paused pauses a search, waits until nothing runs, and resumes it.
func paused(t *testing.T, b *bench, c *course, trials int) {
	b.told(t, c.run, points(t, b, c.run, trials, 100))
	b.update(t, c.run, workflows.Pause, "for a while")
	b.until(t, c.run, "quiet", func(p workflows.Progress) bool { return p.Status == "paused" && p.Running == 0 })
	b.update(t, c.run, workflows.Resume)
}

// extended brings a search's budget to its end.
func extended(t *testing.T, b *bench, c *course, trials int) {
	p, ok := b.progress(t.Context(), c.run)
	for !ok {
		p, ok = b.progress(t.Context(), c.run)
	}
	if p.Trials < trials {
		b.update(t, c.run, workflows.Extend, trials-p.Trials)
	}
}

// goneOn lets the search end before its time, and has another one go on from it.
func goneOn(t *testing.T, b *bench, c *course, trials int) {
	b.outcome(t, c.run)
	c.run = b.start(t, workflows.SearchWorkflow, "further", spec{"from": c.run.GetID(), "trials": trials})
}

// again runs the search twice: the second time all comes from the trial cache.
func again(t *testing.T, b *bench, c *course, trials int) {
	first := b.outcome(t, c.run)
	second := b.start(t, workflows.SearchWorkflow, "again", merged(words.spec, spec{"trials": trials, "retrain": false}))
	var result workflows.SearchResult
	if err := b.end(t, second, &result); err != nil || result.Cached != trials {
		t.Errorf("%d of %d trials came from the cache, %v", result.Cached, trials, err)
	}
	if lost, doubled, unequal := first.compare(b.outcome(t, second)); lost+doubled+unequal > 0 {
		t.Errorf("from the cache: lost %d, doubled %d, digests unequal %d", lost, doubled, unequal)
	}
}

// reset sets a running search back to the middle of its history.
func reset(t *testing.T, b *bench, c *course, trials int) {
	b.told(t, c.run, points(t, b, c.run, trials, 200))
	d, err := b.client.DescribeWorkflowExecution(t.Context(), c.run.GetID(), "")
	if err != nil {
		t.Fatal(err)
	}
	execution := d.GetWorkflowExecutionInfo().GetExecution()
	var done []int64
	for events := b.client.GetWorkflowHistory(t.Context(), execution.GetWorkflowId(), execution.GetRunId(), false, 0); events.HasNext(); {
		event, err := events.Next()
		if err != nil {
			t.Fatal(err)
		}
		if event.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
			done = append(done, event.GetEventId())
		}
	}
	if len(done) == 0 {
		return // it has just continued as new
	}
	if _, err := b.client.ResetWorkflowExecution(t.Context(), &workflowservice.ResetWorkflowExecutionRequest{
		Namespace: b.namespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: c.run.GetID(), RunId: execution.GetRunId()},
		Reason: "a test", WorkflowTaskFinishEventId: done[len(done)/2], RequestId: crand.Text(),
	}); err != nil {
		t.Fatal(err)
	}
	c.resets++
}
