package main_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"go.temporal.io/sdk/client"

	"tnaml/deploy/stack"
	"tnaml/deploy/stack/stacktest"
	"tnaml/workflows"
)

// fault is something that goes wrong while a search runs. A new one is a row.
type fault struct {
	name    string
	workers int // 0 means one
	spec    spec
	// store is what happens to requests on their way to the store.
	store *trouble
	// strike breaks something else and returns how often; stacks is how many dev stacks
	// of its own it takes: one, or two of which the second is the store.
	strike func(t *testing.T, s *scene) int
	stacks int
	// cluster rows are for a cluster (see clusterEnv), which other rows' servers are not.
	cluster bool
	// says is what somebody must have been told, in the search's progress, with a
	// waiting activity, or in a worker's log.
	says string
	long bool
}

// scene is where a fault happens.
type scene struct {
	*bench
	run             client.WorkflowRun
	crew            []*process
	server, objects *stack.Stack // where the row has its own
	trials          int
}

var faults = []fault{
	{name: "worker: SIGKILL", workers: 2, strike: killWorkers(1)},
	{name: "worker: SIGKILL, all of them, often", workers: 2, strike: killWorkers(8), long: true},
	{name: "worker: SIGSTOP past the heartbeat", workers: 2, strike: stopWorker, long: true},
	{name: "server: SIGKILL", stacks: 2, strike: func(t *testing.T, s *scene) int { return killStacks(t, s, 3, s.server) }, long: true},
	{name: "store: SIGKILL", stacks: 2, strike: func(t *testing.T, s *scene) int { return killStacks(t, s, 3, s.objects) },
		says: "connection refused", long: true},
	{name: "server and store: SIGKILL", stacks: 1, strike: func(t *testing.T, s *scene) int { return killStacks(t, s, 1, s.server) }},
	{name: "store: 503", store: &trouble{every: 6, after: 40, act: refused(503, "SlowDown")}},
	{name: "store: 500 for every request", store: &trouble{every: 1, lasts: 4 * time.Second, act: refused(500, "InternalError")},
		says: "InternalError", long: true},
	{name: "store: 403, now and then", store: &trouble{every: 10, limit: 5, after: 40, act: refused(403, "AccessDenied")},
		says: "AccessDenied", long: true},
	{name: "store: slow", store: &trouble{every: 2, after: 40, act: slow(time.Second)}, long: true},
	{name: "store: answers are lost", store: &trouble{every: 4, of: writes, act: unanswered}},
	{name: "store: truncated", store: &trouble{every: 3, of: reads, act: truncated}},
	{name: "store: corrupted objects", store: &trouble{every: 1, limit: 6, of: objects, act: corrupted}, says: "corrupt"},
	{name: "store: corrupted names", store: &trouble{every: 5, limit: 10, of: reads, act: corrupted}, long: true},
	{name: "store: stalled half-way", workers: 2, store: &trouble{every: 3, limit: 2, of: reads, act: stalled}, long: true},
	{name: "store: full", store: &trouble{every: 1, after: 20, lasts: 4 * time.Second, of: writes, act: refused(507, "XMinioStorageFull")},
		says: "disk is full"},
	{name: "store: a disk that is full", stacks: 2, strike: func(t *testing.T, s *scene) int { return fillDisk(t, s, "objects") },
		says: "disk is full|no space", long: true},
	{name: "server: a disk that is full", stacks: 2, strike: func(t *testing.T, s *scene) int { return fillDisk(t, s, "server") }, long: true},
	{name: "cluster: four workers, all killed", cluster: true, workers: 4, strike: killWorkers(4)},
	{name: "cluster: Temporal SIGKILL", cluster: true, workers: 4, strike: restart("temporal")},
	{name: "cluster: PostgreSQL SIGKILL", cluster: true, workers: 4, strike: restart("postgresql")},
	{name: "cluster: MinIO SIGKILL", cluster: true, workers: 4, strike: restart("minio"), says: "connection refused"},
	{name: "cluster: all SIGKILL", cluster: true, workers: 4, strike: restart("temporal", "minio", "postgresql")},
	{name: "cluster: lost, and restored", cluster: true, workers: 4, spec: spec{"parallel": 1}, strike: restored(false)},
	{name: "cluster: lost, and restored with a bucket that is ahead", cluster: true, workers: 4, spec: spec{"parallel": 1},
		strike: restored(true)},
}

// broken is the search that is broken: it stores models, and asks the store for
// each trial.
var broken = subject{"broken", merged(words.spec, spec{"retrain": false, "checkpoint_every": 4, "trial_timeout": "1m"}), 24, 60}

// Whatever breaks, no trial is lost, none counts twice, and what comes of a search is
// the same bit for bit. At length, with the table of it:
//
//	go test ./worker -run TestFaults -long -v -timeout 90m
func TestFaults(t *testing.T) {
	a, cluster := shared(t), os.Getenv(clusterEnv) != ""
	n := broken.budget()
	if cluster { // a backup takes some seconds, in which the search should not end
		n = broken.many
	}
	b := newBench(t, a, a, "")
	w := b.worker(t, "alone")
	want := b.outcome(t, b.start(t, workflows.SearchWorkflow, "alone", merged(broken.spec, spec{"trials": n})))
	w.stop(t)
	var mu sync.Mutex
	lines := map[string]string{}
	t.Cleanup(func() {
		out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintln(out, "\nfault\tinjected\tlost\tdoubled\tdigests unequal\tseconds\tsaid")
		for _, f := range faults {
			if line := lines[f.name]; line != "" && testing.Verbose() {
				_, _ = fmt.Fprintln(out, line)
			}
		}
		if testing.Verbose() {
			_ = out.Flush()
		}
	})
	for _, f := range faults {
		if f.long && !*long || f.cluster && !cluster || cluster && (f.stacks > 0 || f.store != nil) {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			if !f.cluster { // whose servers are all rows'
				t.Parallel()
			}
			s := newScene(t, f, a, n)
			begun := time.Now()
			endpoint := (*proxy)(nil)
			injected := 0
			if f.store != nil {
				endpoint = newProxy(t, a.S3Endpoint)
				s.bench = newBench(t, a, a, endpoint.URL)
			}
			s.crew = s.workers(t, max(f.workers, 1))
			if endpoint != nil {
				endpoint.begin(f.store)
			}
			s.run = s.start(t, workflows.SearchWorkflow, "broken", merged(broken.spec, spec{"trials": n}, f.spec))
			said := s.witness(t)
			if f.strike != nil {
				injected = f.strike(t, s)
			}
			got := s.outcome(t, s.run)
			if endpoint != nil {
				injected = endpoint.count()
			}
			told := said()
			lost, doubled, unequal := want.compare(got)
			mu.Lock()
			lines[f.name] = fmt.Sprintf("%s\t%d\t%d\t%d\t%d\t%.0f\t%s", f.name, injected, lost, doubled, unequal, time.Since(begun).Seconds(),
				short(told, f.says))
			mu.Unlock()
			if injected == 0 || lost+doubled+unequal > 0 || len(got.trials) != n {
				t.Errorf("injected %d, lost %d, doubled %d, digests unequal %d, of %d trials: %+v", injected, lost, doubled, unequal, n, got.record)
			}
			if f.says != "" && !regexp.MustCompile(f.says).MatchString(strings.Join(told, "\n")) {
				t.Errorf("nobody was told of %q, but of:\n%s", f.says, strings.Join(told, "\n"))
			}
		})
	}
}

// short is what was said, for a table: the line that had to be, else the first.
func short(told []string, says string) string {
	if len(told) == 0 {
		return "nothing: it went on"
	}
	line := told[0]
	for _, l := range told {
		if says != "" && regexp.MustCompile(says).MatchString(l) {
			line = l
			break
		}
	}
	return line[:min(len(line), 160)]
}

// newScene gives a row its servers.
func newScene(t *testing.T, f fault, shared stack.Addresses, trials int) *scene {
	t.Helper()
	s := &scene{trials: trials}
	if f.stacks == 0 {
		if f.store == nil {
			s.bench = newBench(t, shared, shared, "")
		}
		return s
	}
	dirs := [2]string{t.TempDir(), t.TempDir()}
	if strings.Contains(f.name, "disk") {
		for _, dir := range dirs {
			mountSmall(t, dir)
		}
	}
	s.server = stacktest.Start(t, dirs[0])
	if s.objects = s.server; f.stacks > 1 {
		s.objects = stacktest.Start(t, dirs[1])
	}
	s.bench = newBench(t, s.server.Addresses(), s.objects.Addresses(), "")
	return s
}

// witness watches a search as a person would, resumes it where it has paused
// itself, and returns what there was to read, in the end also in the workers' logs.
func (s *scene) witness(t *testing.T) func() []string {
	ctx, cancel := context.WithCancel(t.Context())
	told := map[string]int{}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			if p, ok := s.progress(ctx, s.run); ok {
				if p.Reason != "" {
					told["search "+p.Status+": "+p.Reason]++
				}
				if p.Status == "paused" {
					_ = s.client.SignalWorkflow(ctx, s.run.GetID(), "", workflows.Resume, nil)
				}
			}
			if d, err := s.client.DescribeWorkflowExecution(ctx, s.run.GetID(), ""); err == nil {
				for _, a := range d.GetPendingActivities() {
					if failure := a.GetLastFailure().GetMessage(); failure != "" {
						told[a.GetActivityType().GetName()+": "+failure]++
					}
				}
			}
			select {
			case <-ctx.Done():
			case <-time.After(200 * time.Millisecond):
			}
		}
	}()
	t.Cleanup(cancel)
	return func() []string {
		cancel()
		<-ended
		lines := slices.Sorted(maps.Keys(told))
		logged := map[string]int{}
		for _, w := range s.crew {
			for line := range strings.Lines(w.log.String()) {
				if _, message, ok := strings.Cut(line, "level=WARN "); ok {
					logged[strings.TrimSpace("worker: "+message)]++
				} else if _, message, ok := strings.Cut(line, "level=ERROR "); ok {
					logged[strings.TrimSpace("worker: "+message)]++
				}
			}
		}
		return append(lines, slices.Sorted(maps.Keys(logged))...)
	}
}

// killWorkers ends workers by SIGKILL, spread over the search, and starts others.
func killWorkers(times int) func(t *testing.T, s *scene) int {
	return func(t *testing.T, s *scene) int {
		for i := range times {
			s.told(t, s.run, s.trials*(i+1)/(times+2))
			victim := i % 2
			s.crew[victim].kill()
			s.crew[victim] = s.worker(t, fmt.Sprintf("heir-%d", i+1))
		}
		return times
	}
}

// stopWorker has one worker stand still until others have taken its trials, and
// then go on with them.
func stopWorker(t *testing.T, s *scene) int {
	s.told(t, s.run, s.trials/3)
	_ = s.crew[0].Process.Signal(syscall.SIGSTOP)
	time.Sleep(15 * time.Second) // the time-out of heartbeats is 10 s
	_ = s.crew[0].Process.Signal(syscall.SIGCONT)
	return 1
}

// killStacks ends servers by SIGKILL, all at once, and starts them again where they
// were.
func killStacks(t *testing.T, s *scene, times int, stacks ...*stack.Stack) int {
	for i := range times {
		s.told(t, s.run, s.trials*(i+1)/(times+2))
		for _, k := range stacks {
			k.Kill()
		}
		time.Sleep(time.Second)
		for j, k := range stacks {
			again := stacktest.Start(t, k.Addresses().Dir)
			if was, is := k.Addresses(), again.Addresses(); was.Temporal != is.Temporal || was.S3Endpoint != is.S3Endpoint {
				t.Fatalf("it came back at %+v, was at %+v", is, was)
			}
			stacks[j] = again
		}
	}
	return times
}

// mountSmall puts a small file system at a directory.
func mountSmall(t *testing.T, dir string) {
	t.Helper()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("a disk that is full needs the right to mount one: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", dir).CombinedOutput(); err != nil {
			t.Errorf("umount %s: %v: %s", dir, err, out)
		}
	})
}

// fillDisk fills the disk of a server for some seconds.
func fillDisk(t *testing.T, s *scene, which string) int {
	at := s.server.Addresses().Dir
	if which == "objects" {
		at = s.objects.Addresses().Dir
	}
	s.told(t, s.run, s.trials/3)
	ballast := filepath.Join(at, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
	_ = f.Close()
	time.Sleep(8 * time.Second)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if which == "server" { // SQLite may have given the server up: it is started again, as a person would
		select {
		case <-s.server.Done():
			s.server = stacktest.Start(t, at)
		default:
		}
	}
	return 1
}

// onCluster runs deploy/cluster/cluster.sh on the cluster of the tests.
func onCluster(t *testing.T, args ...string) {
	t.Helper()
	script := exec.CommandContext(t.Context(), "../deploy/cluster/cluster.sh", append([]string{os.Getenv(clusterEnv)}, args...)...)
	if out, err := script.CombinedOutput(); err != nil {
		t.Fatalf("cluster.sh %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// restart ends servers of the cluster by SIGKILL, twice, all at once, and starts them again.
func restart(parts ...string) func(t *testing.T, s *scene) int {
	return func(t *testing.T, s *scene) int {
		const times = 2
		for i := range times {
			s.told(t, s.run, s.trials*(i+1)/(times+2))
			onCluster(t, append([]string{"restart"}, parts...)...)
		}
		return times
	}
}

// restored backs the cluster up while the search runs, loses all of it later, and puts it back.
// What a bucket holds may be ahead of the histories: here, if asked for, by all of the search.
func restored(ahead bool) func(t *testing.T, s *scene) int {
	return func(t *testing.T, s *scene) int {
		length := func() int64 {
			for deadline := time.Now().Add(patience); ; time.Sleep(time.Second) { // servers that have just begun are slow
				d, err := s.client.DescribeWorkflowExecution(t.Context(), s.run.GetID(), "")
				if err == nil {
					return d.GetWorkflowExecutionInfo().GetHistoryLength()
				}
				if time.Now().After(deadline) {
					t.Fatal(err)
				}
			}
		}
		backup := t.TempDir()
		s.told(t, s.run, s.trials/3)
		onCluster(t, "dump", backup)
		if ahead {
			s.outcome(t, s.run)
		}
		onCluster(t, "mirror", backup, s.queue)
		s.told(t, s.run, s.trials*2/3)
		// What workers still hold are answers to what the restored server has not asked.
		for i := range s.crew {
			s.crew[i].kill()
		}
		was := length()
		onCluster(t, "destroy")
		onCluster(t, "restore", backup)
		if is := length(); is >= was {
			t.Errorf("the history has %d events, had %d: nothing was lost", is, was)
		}
		for i := range s.crew {
			s.crew[i] = s.worker(t, fmt.Sprintf("after-%d", i+1))
		}
		return 1
	}
}
