package main_test

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	"tnaml/activities/library"
	"tnaml/deploy"
	"tnaml/deploy/stack"
	"tnaml/deploy/stack/stacktest"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/worker/host"
	"tnaml/workflows"
)

var scaleBy = flag.Float64("scale-by", 1, "the trials and searches of TestScale, times this")

// TestScale measures what a trial costs the servers, the store and the workers, and how many
// there are in a second, by the number of workers, of searches, and of proposals that are out. Temporal and
// the store are two stacks, so that each has a clock of its own. deploy/SCALE.md reasons from what it prints:
//
//	go test ./worker -run TestScale -long -v -timeout 3h
func TestScale(t *testing.T) {
	if !*long {
		t.Skip("measures; -long")
	}
	m := newMeter(t)
	random := merged(knobs.spec, spec{"strategy": "random"})
	t.Run("naps by workers", func(t *testing.T) { // trials that take a second, and no processor
		const places = 4
		for _, n := range []int{1, 2, 4, 8, 16} {
			b := m.bench(t)
			sp := &space.Space{Name: "naps", Trainer: "nap", Choices: []space.Choice{{Name: "depth", Options: []any{int64(1), int64(2), int64(3)}}}}
			if err := library.PublishSpace(t.Context(), b.store, sp, true); err != nil {
				t.Fatal(err)
			}
			all := b.nappers(t, n, places)
			m.idle(t, fmt.Sprintf("%d workers", n), all)
			m.run(t, b, fmt.Sprintf("%d workers with %d places", n, places), all, 1, merged(random, spec{"tasks": []string{"words"}, "space": "naps",
				"trials": m.times(30 * n * places), "lag": min(2*n*places, 128), "parallel": n * places, "checkpoint_every": 100}))
			stopAll(t, all)
		}
	})
	t.Run("one search by lag", func(t *testing.T) { // trials that take no time at all
		b := m.bench(t)
		all := b.workers(t, 1, "TNAML_WORKER_SLOTS=64")
		for _, lag := range []int{1, 4, 16, 64} {
			m.run(t, b, fmt.Sprintf("lag %d", lag), all, 1,
				merged(random, spec{"trials": m.times(1000 + 50*lag), "lag": lag, "checkpoint_every": 500}))
		}
		stopAll(t, all)
	})
	t.Run("searches at once", func(t *testing.T) {
		for _, n := range []int{1, 10, 100, 1000} {
			b := m.bench(t)
			all := b.workers(t, 4, "TNAML_WORKER_SLOTS=16")
			searches := max(1, m.times(n))
			m.run(t, b, fmt.Sprintf("%d searches", searches), all, searches, merged(random, spec{"trials": max(10, m.times(2000)/n), "lag": 8,
				"checkpoint_every": 500}))
			stopAll(t, all)
		}
	})
}

// meter takes the processor time of two stacks: one whose Temporal server is used, and one
// whose store is.
type meter struct{ server, objects stack.Addresses }

func newMeter(t *testing.T) *meter {
	t.Helper()
	m := &meter{stacktest.Shared(t), stacktest.Fresh(t).Addresses()}
	t.Logf("%d processors (%s), load %s", runtime.NumCPU(), processor(), load())
	return m
}

func (m *meter) bench(t *testing.T) *bench { return newBench(t, m.server, m.objects, "") }

func (m *meter) times(n int) int { return int(float64(n) * *scaleBy) }

// used is what the server, the store and the workers have taken of the processors, in seconds.
type used struct{ server, store, workers float64 }

func (m *meter) used(all []*process) (u used) {
	u.server, u.store = taken(m.server.PID), taken(m.objects.PID)
	for _, w := range all {
		u.workers += taken(w.Process.Pid)
	}
	return u
}

func (u used) since(before used, per float64) used {
	return used{(u.server - before.server) / per, (u.store - before.store) / per, (u.workers - before.workers) / per}
}

// idle logs what workers without work cost.
func (m *meter) idle(t *testing.T, what string, all []*process) {
	t.Helper()
	const seconds = 10
	before := m.used(all)
	time.Sleep(seconds * time.Second)
	u := m.used(all).since(before, seconds/1000.)
	t.Logf("%-28s idle: CPU ms a second: server %4.1f, store %4.1f, workers %5.1f; load %s", what, u.server, u.store, u.workers, load())
}

// run runs searches at once and logs what a trial of theirs cost.
func (m *meter) run(t *testing.T, b *bench, what string, all []*process, searches int, s spec) {
	t.Helper()
	before, began := m.used(all), time.Now()
	var runs []client.WorkflowRun
	for i := range searches {
		runs = append(runs, b.start(t, workflows.SearchWorkflow, fmt.Sprintf("%s/%d", strings.ReplaceAll(what, " ", "-"), i),
			merged(s, spec{"seed": i + 1})))
	}
	started := time.Since(began)
	for _, run := range runs {
		if err := b.end(t, run, nil); err != nil {
			t.Fatalf("%s: %v", run.GetID(), err)
		}
	}
	elapsed, n := time.Since(began).Seconds(), s["trials"].(int)
	u := m.used(all).since(before, float64(n*searches)/1000)
	t.Logf("%-28s %7d trials in %6.1f s (starts %5.1f s): %6.1f trials/s; CPU ms a trial: server %5.2f, store %5.2f, workers %5.2f; "+
		"servers' MB %4.0f, %4.0f; load %s", what, n*searches, elapsed, started.Seconds(), float64(n*searches)/elapsed,
		u.server, u.store, u.workers, resident(m.server.PID), resident(m.objects.PID), load())
	for _, run := range runs {
		if o := b.outcome(t, run); len(o.trials) != n {
			t.Errorf("%s: %d trials of %d", run.GetID(), len(o.trials), n)
		}
	}
}

// nappers starts workers of this very program whose trials sleep for a second.
func (b *bench) nappers(t *testing.T, n, places int) []*process {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var all []*process
	for i := range n {
		all = append(all, b.program(t, program, fmt.Sprintf("napper-%d", i+1), nil, fmt.Sprintf("%s=%d", napperEnv, places)))
	}
	for _, w := range all {
		w.ready(t)
	}
	return all
}

func stopAll(t *testing.T, all []*process) {
	t.Helper()
	for _, w := range all {
		w.stop(t)
	}
}

// napperEnv makes the test program a worker with so many places for naps.
const napperEnv = "TNAML_TEST_NAPPER"

// nap is a trainer whose trials take a second, and no processor.
type nap struct{ trainer.Definition }

func (nap) Version() string { return "1" }
func (nap) Cached() bool    { return false }

func (nap) Run(ctx context.Context, r trainer.Request, _ func(trainer.Progress) error) (trainer.Result, error) {
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return trainer.Result{}, ctx.Err()
	}
	gain := float64(r.Seed%1000) / 1000
	return trainer.Result{Outcome: trainer.Outcome{Status: trainer.OK, Metrics: map[string]float64{"validation": gain, "test": gain}}}, nil
}

// napper is the process that naps.
func napper(places string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	c, err := deploy.Load(nil, append(os.Environ(), "TNAML_WORKER_TRAINERS=nap="+places))
	if err != nil {
		return err
	}
	serve, err := c.Worker.Serve()
	if err != nil {
		return err
	}
	log := c.Logger(os.Stderr, slog.LevelInfo)
	servers, err := c.Connect(ctx, log)
	if err != nil {
		return err
	}
	defer servers.Close()
	return host.Run(ctx, servers.Client, servers.Store, host.Options{
		Namespace: servers.Namespace, TaskQueue: c.Temporal.TaskQueue, Serve: serve,
		Trainers: []trainer.Trainer{nap{trainer.Find("nap")}}, Identity: c.Worker.Identity, Log: log,
	})
}

// taken is the processor time that a process has taken, in seconds, 0 where that cannot be
// found out.
func taken(pid int) float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), ") ") // after the name, which may hold anything
	fields := strings.Fields(rest)
	var user, system float64
	_, _ = fmt.Sscan(fields[11]+" "+fields[12], &user, &system)
	return (user + system) / 100 // the kernel's unit for this is fixed
}

// load is what the machine has to do, over one minute and five.
func load() string {
	b, _ := os.ReadFile("/proc/loadavg")
	return strings.Join(strings.Fields(string(b))[:2], ", ")
}

func processor() string {
	b, _ := os.ReadFile("/proc/cpuinfo")
	_, rest, _ := strings.Cut(string(b), "model name")
	name, _, _ := strings.Cut(rest, "\n")
	return strings.Trim(name, " \t:")
}

// size counts the files below a directory and their bytes, in MB.
func size(dir string) (files int, mb float64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil // what goes while this looks is not counted
		}
		if info, err := d.Info(); err == nil {
			files, mb = files+1, mb+float64(info.Size())/1e6
		}
		return nil
	})
	return files, mb
}
