package main_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tnaml/experiments/report"
	starter "tnaml/starter/client"
	"tnaml/workflows"
)

var (
	limitTrials = flag.Int("limit-trials", 100_000, "the trials of TestLimits")
	limitFor    = flag.Duration("limit-for", 0, "stop the search of TestLimits after so long, with the trials that there are; 0: never")
)

// A search may be as long as one likes: neither its rate, nor what a trial costs, nor what its worker takes of
// memory depends on how many trials lie behind it. It takes a quarter of an hour; or as many of
// a million as an hour has:
//
//	go test ./worker -run TestLimits -long -v -timeout 1h
//	go test ./worker -run TestLimits -long -v -timeout 2h -limit-trials 1000000 -limit-for 1h
func TestLimits(t *testing.T) {
	if !*long {
		t.Skip("a search of 100,000 trials runs with -long")
	}
	m := newMeter(t)
	b := m.bench(t)
	w := b.workers(t, 1, "TNAML_WORKER_SLOTS=16")
	n := *limitTrials
	run := b.start(t, workflows.SearchWorkflow, "long", merged(knobs.spec, spec{
		"strategy": "random", "trials": n, "lag": 16, "checkpoint_every": 500}))
	const rows = 10
	var rates, sizes []float64
	t.Logf("%9s %9s | %24s | %21s | %17s | %8s", "trials", "trials/s", "CPU ms a trial:", "MB in memory:", "store:", "Temporal")
	t.Logf("%9s %9s | %8s %7s %7s | %6s %6s %7s | %8s %8s | %8s",
		"", "", "server", "store", "worker", "server", "store", "worker", "objects", "MB", "MB")
	began := time.Now()
	over := func() bool { return *limitFor > 0 && time.Since(began) > *limitFor }
	at, before, cpu := began, 0, m.used(w)
	for i := 1; i <= rows && before < n && !over(); i++ {
		told := before
		for told < n*i/rows && !over() && (*limitFor == 0 || time.Since(began) < *limitFor*time.Duration(i)/rows) {
			time.Sleep(100 * time.Millisecond)
			p, ok := b.progress(t.Context(), run)
			if time.Since(at) > time.Hour/2 {
				t.Fatalf("after %d trials it does not get on: %+v", told, p)
			}
			if ok {
				told = p.Told
			}
		}
		rate, u := float64(told-before)/time.Since(at).Seconds(), m.used(w)
		per := u.since(cpu, float64(told-before)/1000)
		at, before, cpu = time.Now(), told, u
		rates, sizes = append(rates, rate), append(sizes, resident(w[0].Process.Pid))
		objects, mb := size(filepath.Join(m.objects.Dir, "s3"))
		_, temporal := size(m.server.Dir)
		t.Logf("%9d %9.0f | %8.2f %7.2f %7.2f | %6.0f %6.0f %7.0f | %8d %8.0f | %8.0f, load %s", told, rate, per.server, per.store, per.workers,
			resident(m.server.PID), resident(m.objects.PID), sizes[i-1], objects, mb, temporal, load())
	}
	if over() {
		b.update(t, run, workflows.Stop)
	}
	o := b.outcome(t, run)
	if !over() && len(o.trials) != n || len(o.trials) < before || len(o.costs) != len(o.trials) {
		t.Errorf("%d trials of %d, costs of %d", len(o.trials), n, len(o.costs))
	}
	began = time.Now()
	c := &starter.Client{Temporal: b.client, Store: b.store, Namespace: b.namespace, TaskQueue: b.queue}
	in, err := c.ReportInput(t.Context(), []string{run.GetID()})
	if err != nil {
		t.Fatal(err)
	}
	read := time.Since(began)
	var page bytes.Buffer
	if err := report.Write(&page, in); err != nil {
		t.Fatal(err)
	}
	t.Logf("a report on %d trials: read in %v, written in %v, %.1f MB", len(o.trials), read, time.Since(began)-read,
		float64(page.Len())/1e6)
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
