package cli

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	"tnaml/deploy/stack/stacktest"
	"tnaml/workflows"
)

// Each way in which a search ends, or does not, has its exit code, and says why.
func TestExitCodes(t *testing.T) {
	b, _ := online(t)
	b.ok("space", "add", b.write("dials.yaml", "name: dials\ntrainer: table\nobjective: {metric: score}\nchoices:\n"+
		"  - {name: size, options: [1, 2, 4, 8]}\n"))
	b.ok("data", "import", b.write("known.json", `{"metrics": ["score"], "effects": {"score": {"intercept": 1}}}`),
		"--kind", "table", "--name", "known", "--yes")
	b.ok("data", "import", b.write("void.json", `{"metrics": ["score"], "rows": [{"choices": {"size": 99}, "metrics": {"score": 1}}]}`),
		"--kind", "table", "--name", "void", "--yes")
	search := func(task, name string, more ...string) []string {
		return append([]string{"search", "--task", task, "--space", "dials", "--strategy", "random", "--name", name}, more...)
	}
	// Without a worker a change is left with the search, within seconds.
	b.ok(search("known", "later", "--trials", "3", "--detach")...)
	// Ctrl-C under a request is an interrupt, whatever the request says of it.
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(2*time.Second, cancel)
	var stderr stacktest.Output
	asked := Process{Args: []string{"stop", "later"}, Environ: b.environ, Stdout: io.Discard, Stderr: &stderr}
	if code := Run(ctx, asked); code != exitInterrupted {
		t.Errorf("interrupted: exit code %d: %s", code, stderr.String())
	}
	started := time.Now()
	if o := b.run("stop", "later"); o.code != exitOK || !strings.Contains(o.stdout, "asked to stop, which takes effect when a worker comes") ||
		time.Since(started) > 30*time.Second {
		t.Errorf("stop without a worker: %+v after %s", o, time.Since(started))
	}
	b.lists(nil, func(o output) bool {
		return strings.Contains(o.stdout, "later") && strings.Contains(o.stdout, "no worker answers")
	})
	b.worker()
	if o := b.run("watch", "later"); o.code != exitUnfinished || !strings.Contains(o.stderr, "search later was stopped before its end") {
		t.Errorf("stopped: %+v", o)
	}
	b.fails(exitFailed, []string{"later has ended: there is nothing to change"}, "stop", "later")

	b.ok(search("known", "whole", "--trials", "3")...)
	b.fails(exitFailed, []string{"no trial ended with a model: see `starter trials none`"}, search("void", "none", "--trials", "2")...)

	// What pauses itself does not leave a script waiting.
	o := b.run(search("void", "sick", "--trials", "500", "--json")...)
	var p workflows.Progress
	if err := json.Unmarshal([]byte(o.stdout), &p); o.code != exitUnfinished || err != nil || p.Status != "paused" || p.Reason == "" {
		t.Errorf("paused: %+v, %v", o, err)
	}
	b.fails(exitUnfinished, []string{"search sick is paused: " + p.Reason, "`starter resume sick`", "`starter stop sick`"}, "watch", "sick")
	b.lists(nil, func(o output) bool {
		return strings.Contains(o.stdout, "sick") && strings.Contains(o.stdout, "paused") && strings.Contains(o.stdout, p.Reason[:20])
	})
	b.width = 56 // where not all columns have room
	b.lists(nil, func(o output) bool { return strings.Contains(o.stdout, p.Reason[:10]) })
	b.width = 0
	s := b.servers()
	if err := s.Client.CancelWorkflow(t.Context(), "sick", ""); err != nil {
		t.Fatal(err)
	}
	b.fails(exitUnfinished, []string{"search sick", "canceled"}, "watch", "sick")

	// A start that fails is listed with its reason.
	spec := json.RawMessage(`{"tasks":["nowhere"],"space":"dials","trials":3}`)
	run, err := s.Client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "lost", TaskQueue: t.Name()},
		workflows.SearchWorkflow, spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Get(t.Context(), nil); err == nil {
		t.Fatal("a search of a task that is not there ended well")
	}
	b.lists(nil, func(o output) bool {
		return strings.Contains(o.stdout, "lost") && strings.Contains(o.stdout, "failed") && strings.Contains(o.stdout, `no task "nowhere"`)
	})
}
