package main_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	"tnaml/activities/library"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/workflows"
)

// served is where a worker says that it serves its metrics.
var served = regexp.MustCompile(`metrics and health are served" address=(\S+)`)

// taking is the line of a trial that was taken from a worker.
var taking = regexp.MustCompile(`msg="an attempt failed" search=\S+/(short|long) trial=(\d+) .*error="context canceled"`)

// giving is the line of one that a worker has given back.
var giving = regexp.MustCompile(`msg="an attempt failed" search=\S+/(short|long) .*error="worker is stopping`)

// atNaps is the metric of a worker that is at short trials.
var atNaps = regexp.MustCompile(`(?m)^tnaml_trials_running\{trainer="nap"\} [12]$`)

// page asks a worker for a page; 0: it does not answer.
func (p *process) page(path string) (status int, body string) {
	at := served.FindStringSubmatch(p.log.String())
	if at == nil {
		return 0, ""
	}
	r, err := http.Get("http://" + at[1] + path)
	if err != nil {
		return 0, ""
	}
	defer r.Body.Close()
	b, _ := io.ReadAll(r.Body)
	return r.StatusCode, string(b)
}

// march is a program that counts the steps it takes, and goes on from the last one.
const march = `n=$(printf %%05d "$TNAML_TRIAL"); at=$(cat "$TNAML_CHECKPOINT/step" 2>/dev/null || echo 0)
trap 'exit 1' TERM
while [ "$at" -lt %d ]; do
	sleep %v; at=$((at + 1)); echo "step $n" >>"$1"
	echo "$at" >"$TNAML_CHECKPOINT/step.tmp"; mv "$TNAML_CHECKPOINT/step.tmp" "$TNAML_CHECKPOINT/step"
done
echo validation=0.5
`

// Four workers that are restarted one after another, while short trials and long ones are under
// way, lose hardly any work, and no result: what is short ends before its worker does, what is long
// goes on elsewhere from where it was.
func TestRollingRestart(t *testing.T) {
	if testing.Short() {
		t.Skip("restarts workers for a minute")
	}
	const steps, pause = 50, .1 // of a long trial; a short one takes a second
	b := newBench(t, shared(t), shared(t), "")
	dir := t.TempDir()
	naps, marches, script := filepath.Join(dir, "naps"), filepath.Join(dir, "marches"), filepath.Join(dir, "march.sh")
	if err := os.WriteFile(script, fmt.Appendf(nil, march, steps, pause), 0o600); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "tnaml.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, `trainers:
  nap:
    command: [sh, -c, "n=$(printf %%05d $TNAML_TRIAL); echo begun $n >>%s; sleep 1; echo ended $n >>%[1]s; echo validation=0.5"]
    slots: 2
  march: {command: [sh, %q, %q], slots: 2, version: v1}
`, naps, script, marches), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"nap", "march"} {
		sp := &space.Space{Name: name, Trainer: name, Choices: []space.Choice{{Name: "depth", Options: []any{int64(1), int64(2), int64(3)}}}}
		if err := library.PublishSpace(t.Context(), b.store, sp, true); err != nil {
			t.Fatal(err)
		}
	}
	var crew, all []*process
	start := func(i int) *process {
		w := b.process(t, fmt.Sprint("worker-", i), []string{"--config", config, "--metrics", "127.0.0.1:0", "--log-format", "text"})
		w.ready(t)
		all = append(all, w)
		return w
	}
	for i := range 4 {
		crew = append(crew, start(i))
	}
	endless := spec{"tasks": []string{"words"}, "strategy": "random", "trials": 100_000, "lag": 8, "parallel": 8}
	short := b.start(t, workflows.SearchWorkflow, "short", merged(endless, spec{"space": "nap"}))
	long := b.start(t, workflows.SearchWorkflow, "long", merged(endless, spec{"space": "march"}))
	b.told(t, short, 8)
	b.told(t, long, 1)
	draining := 0
	for i, w := range crew {
		if status, why := w.page("/readyz"); status != http.StatusOK {
			t.Errorf("%s is not ready: %d %s", w.name, status, why)
		}
		for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) { // in the middle of short trials
			if _, text := w.page("/metrics"); atNaps.MatchString(text) || time.Now().After(deadline) {
				break
			}
		}
		_ = w.Process.Signal(syscall.SIGTERM)
		ended := make(chan error, 1)
		go func() { ended <- w.Wait() }()
		for gone := false; !gone; {
			select {
			case err := <-ended:
				if gone = true; err != nil {
					t.Errorf("%s: %v", w.name, err)
				}
			case <-time.After(50 * time.Millisecond):
				if status, why := w.page("/readyz"); status == http.StatusServiceUnavailable && strings.Contains(why, "draining") {
					draining |= 1 << i
				}
			}
		}
		crew[i] = start(i)
	}
	if draining == 0 {
		t.Error("no worker said that it was draining")
	}
	b.told(t, short, 40)
	b.told(t, long, 8)
	_, metrics := crew[0].page("/metrics")
	for _, name := range []string{`tnaml_trials_total{status="ok",trainer="nap"}`, `tnaml_slots{trainer="march"} 2`,
		"tnaml_trial_seconds_count",
		"temporal_worker_task_slots_available", "temporal_request_latency_seconds_count", `tnaml_cache_hits_total{kind="state"}`,
		`tnaml_store_seconds_count{operation="get_name"}`, `tnaml_disk_free_bytes{path_kind="scratch"}`} {
		if !strings.Contains(metrics, name) {
			t.Errorf("no %s in the metrics of %s", name, crew[0].name)
		}
	}
	// A machine with other things to do may be too slow for heartbeats: a trial that the server took
	// away from a worker that was not stopping says nothing of stops.
	taken, back := map[string]bool{}, map[string]int{}
	for _, w := range all {
		for _, m := range giving.FindAllStringSubmatch(w.log.String(), -1) {
			back[m[1]]++
		}
		before, _, _ := strings.Cut(w.log.String(), "the worker stops")
		for _, m := range taking.FindAllStringSubmatch(before, -1) {
			n, _ := strconv.Atoi(m[2])
			taken[fmt.Sprintf("%s %05d", m[1], n)] = true
		}
	}
	count := func(file, search, what string) (n float64) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if word, trial, _ := strings.Cut(strings.TrimSpace(line), " "); word == what && !taken[search+" "+trial] {
				n++
			}
		}
		return n
	}
	ends, counted := map[string]int{}, map[string]int{}
	for name, run := range map[string]client.WorkflowRun{"short": short, "long": long} {
		b.update(t, run, workflows.Stop)
		o := b.outcome(t, run)
		for i, trial := range b.ledger(t, run) {
			if trial.Trial != i || trial.Status != trainer.OK || o.trials[i] != 1 || o.costs[i] != 1 {
				t.Errorf("%s: trial %d: %+v, %d times, %d costs", name, i, trial, o.trials[i], o.costs[i])
			}
			if !taken[fmt.Sprintf("%s %05d", name, i)] {
				counted[name]++
			}
		}
		ends[name] = len(o.trials)
	}
	lostNaps := count(naps, "short", "begun") - count(naps, "short", "ended")
	lostSteps := count(marches, "long", "step") - float64(steps*counted["long"])
	lost, work := lostNaps+lostSteps*pause, count(naps, "short", "begun")+count(marches, "long", "step")*pause
	t.Logf("four workers restarted under %d short trials and %d long ones: %.1f s of %.0f s of trials' work lost, %.2f %%: %v short trials "+
		"begun anew, %v steps taken twice; given back: %v; %d trials lost their heartbeats and are not counted", ends["short"], ends["long"],
		lost, work, 100*lost/work, lostNaps, lostSteps, back, len(taken))
	if all := ends["short"] + ends["long"]; len(taken) > all/4 {
		t.Skipf("this machine is too slow for heartbeats: %d of %d trials were taken from workers that did not stop", len(taken), all)
	}
	if back["short"] > 0 {
		t.Errorf("%d trials of a second were given back", back["short"])
	}
	if lost > .02*work {
		t.Error("more than 2 % of the work is lost")
	}
	if left := b.checkpoints(t); len(left) > 0 {
		t.Errorf("checkpoints are left: %v", left)
	}
}

// A second signal ends a worker at once, whatever it is at.
func TestASecondSignalEndsAtOnce(t *testing.T) {
	b := newBench(t, shared(t), shared(t), "")
	b.slow(t, 2_000_000)
	w := b.worker(t, "one", "TNAML_WORKER_DRAIN=1h")
	w.ready(t)
	run := b.start(t, workflows.SearchWorkflow, "slow", spec{"tasks": []string{"words"}, "space": "slow", "strategy": "random", "trials": 1,
		"lag": 1})
	b.underWay(t, run, "one", 0)
	_ = w.Process.Signal(syscall.SIGTERM)
	for deadline := time.Now().Add(patience); !strings.Contains(w.log.String(), "the worker stops"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(w.log)
		}
	}
	began := time.Now()
	again := time.NewTicker(50 * time.Millisecond) // it says that it stops before it is deaf to the next one
	defer again.Stop()
	ended := make(chan error, 1)
	go func() { ended <- w.Wait() }()
	for running := true; running; {
		select {
		case err := <-ended:
			if running = false; err == nil || time.Since(began) > 20*time.Second {
				t.Errorf("after %v: %v", time.Since(began), err)
			}
		case <-again.C:
			_ = w.Process.Signal(syscall.SIGTERM)
		}
	}
	if err := b.client.TerminateWorkflow(t.Context(), run.GetID(), "", "a test's end"); err != nil {
		t.Error(err)
	}
}
