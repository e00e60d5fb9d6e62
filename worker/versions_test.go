package main_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	"tnaml/workflows"
)

// current makes a build the one on which searches begin, once its workers are known.
func (b *bench) current(t *testing.T, deployment, build string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	h := b.client.WorkerDeploymentClient().GetHandle(deployment)
	for {
		_, err := h.SetCurrentVersion(ctx, client.WorkerDeploymentSetCurrentVersionOptions{BuildID: build})
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s is not made current: %v", build, err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// A search ends on the build on which it began, all its trials and its end among it, with workers
// of the next build beside it; the next search begins on that.
func TestSearchesKeepTheirBuild(t *testing.T) {
	b := newBench(t, shared(t), shared(t), "")
	version := func(build string) []string {
		return []string{"TNAML_WORKER_DEPLOYMENT=" + b.queue, "TNAML_WORKER_BUILD_ID=" + build}
	}
	// Long enough to go on as new on the way, which is where it would change.
	endless := merged(table12, spec{"trials": 100_000, "history_limit": 200})
	old := b.earlier(t, "old", version("1")...)
	old.ready(t)
	b.current(t, b.queue, "1")
	first := b.start(t, workflows.SearchWorkflow, "first", endless)
	b.told(t, first, 5)
	next := b.worker(t, "next", version("2")...)
	next.ready(t)
	b.current(t, b.queue, "2")
	p, _ := b.progress(t.Context(), first)
	b.told(t, first, p.Told+200)
	second := b.start(t, workflows.SearchWorkflow, "second", table12)
	if o := b.outcome(t, second); len(o.trials) != 12 || len(o.workers) != 1 || !o.workers["next"] {
		t.Errorf("the second search: %d trials by %v", len(o.trials), o.workers)
	}
	b.update(t, first, workflows.Stop)
	if o := b.outcome(t, first); len(o.trials) < 200 || len(o.workers) != 1 || !o.workers["old"] {
		t.Errorf("the first search: %d trials by %v", len(o.trials), o.workers)
	}
	d, err := b.client.DescribeWorkflowExecution(t.Context(), first.GetID(), "")
	if err != nil {
		t.Fatal(err)
	}
	if d.GetWorkflowExecutionInfo().GetExecution().GetRunId() == first.GetRunID() {
		t.Error("it has not gone on as new")
	}
	old.stop(t)
	next.stop(t)
}

// Without versions, a search goes on where the workers of one build are put in the place of another's,
// one after another, and gives what it would have given on the first alone.
func TestUpgradeInPlace(t *testing.T) {
	if os.Getenv(earlierEnv) == "" && !*long {
		t.Skip("no " + earlierEnv + ", and no -long, with which the build is its own predecessor")
	}
	b := newBench(t, shared(t), shared(t), "")
	const n = 400
	s := merged(knobs.spec, spec{"trials": n})
	first := b.earlier(t, "old-1")
	want := b.outcome(t, b.start(t, workflows.SearchWorkflow, "undisturbed", s))
	second := b.earlier(t, "old-2")
	second.ready(t)
	run := b.start(t, workflows.SearchWorkflow, "upgraded", s)
	for i, old := range []*process{first, second} {
		b.told(t, run, n*(i+1)/4)
		next := b.worker(t, fmt.Sprintf("new-%d", i+1))
		next.ready(t)
		old.stop(t)
	}
	got := b.outcome(t, run)
	if lost, doubled, unequal := want.compare(got); lost+doubled+unequal > 0 || len(got.trials) != n {
		t.Errorf("lost %d, doubled %d, digests unequal %d, of %d trials", lost, doubled, unequal, len(got.trials))
	}
	names := slices.Sorted(maps.Keys(got.workers))
	if all := strings.Join(names, " "); !strings.Contains(all, "old") || !strings.Contains(all, "new") {
		t.Errorf("its trials are by %v alone", names)
	}
	t.Logf("%d trials by %v", len(got.trials), names)
}
