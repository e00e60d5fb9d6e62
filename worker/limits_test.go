package main_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"tnaml/deploy/stack/stacktest"
	"tnaml/workflows"
)

var limitTrials = flag.Int("limit-trials", 100_000, "the trials of TestLimits")

// A search may be as long as one likes: neither its rate nor what its worker takes of
// memory depends on how many trials lie behind it. It takes a quarter of an hour:
//
//	go test ./worker -run TestLimits -long -v -timeout 1h
func TestLimits(t *testing.T) {
	if !*long {
		t.Skip("a search of 100,000 trials runs with -long")
	}
	a := stacktest.Shared(t)
	b := newBench(t, a, a, "")
	w := b.workers(t, 1, "TNAML_WORKER_SLOTS=16")[0]
	n := *limitTrials
	run := b.start(t, workflows.SearchWorkflow, "long", merged(knobs.spec, spec{
		"strategy": "random", "trials": n, "lag": 16, "checkpoint_every": 500}))
	var rates, sizes []float64
	t.Logf("%9s %9s %12s %12s", "trials", "trials/s", "worker MB", "servers MB")
	at, before := time.Now(), 0
	for i := 1; i <= 10; i++ {
		told := before
		for until := n * i / 10; told < until; time.Sleep(100 * time.Millisecond) {
			p, ok := b.progress(t.Context(), run)
			if time.Since(at) > time.Hour/2 {
				t.Fatalf("after %d trials it does not get on: %+v", told, p)
			}
			if ok {
				told = p.Told
			}
		}
		rate := float64(told-before) / time.Since(at).Seconds()
		at, before = time.Now(), told
		rates, sizes = append(rates, rate), append(sizes, resident(w.Process.Pid))
		t.Logf("%9d %9.0f %12.0f %12.0f", told, rate, sizes[i-1], resident(a.PID))
	}
	o := b.outcome(t, run)
	if lost := n - len(o.trials); lost != 0 || len(o.costs) != n {
		t.Errorf("%d trials of %d, costs of %d", len(o.trials), n, len(o.costs))
	}
	// Against the first tenths together: a machine has other things to do now and then.
	if early, late := slices.Max(rates[1:4]), slices.Max(rates[7:]); late < early/2 {
		t.Errorf("the rate falls from %.0f to %.0f trials/s", early, late)
	}
	if early, late := slices.Max(sizes[1:4]), slices.Max(sizes[7:]); late > 1.25*early+20 {
		t.Errorf("the worker grows from %.0f to %.0f MB", early, late)
	}
}

// resident is a process's memory in MB, 0 where that cannot be found out.
func resident(pid int) float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), "VmRSS:")
	var kb float64
	_, _ = fmt.Sscan(rest, &kb)
	return kb / 1e3
}
