package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tnaml/deploy/stack/stacktest"
	"tnaml/workflows"
)

// A search is asked and told from the terminal and over HTTP, to its end: good and bad
// input, in words and as JSON, with its exit codes.
func TestAskTellServe(t *testing.T) {
	b, _ := online(t)
	b.worker()
	b.ok("task", "add", "north", "--parameters", `{"fold":3}`)
	o := b.run("task", "add", "north", "--parameters", `{"fold":4}`)
	if o.code != exitFailed || strings.Count(o.stderr, `task "north" exists already`) != 1 || strings.Count(o.stderr, "exists already") != 1 {
		t.Errorf("other parameters under a name: %+v", o)
	}
	b.ok("space", "add", b.write("own.yaml", "name: own\ntrainer: external\nobjective: {metric: rmse, direction: minimise}\nchoices:\n"+
		"  - {name: depth, options: [2, 4, 8]}\n  - {name: rate, options: [0.3, 0.1]}\n"))
	b.ok("search", "--task", "north", "--space", "own", "--strategy", "random", "--trials", "5", "--lag", "2", "--name", "own",
		"--pruner", "median", "--detach")
	asked := func(out string) (trials []workflows.AskedTrial) {
		t.Helper()
		var a workflows.Asked
		if err := json.Unmarshal([]byte(out), &a); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return a.Trials
	}
	first := asked(b.ok("ask", "own", "--wait", "--json"))
	if len(first) != 1 || first[0].Trial != 0 || !first[0].Curve || len(first[0].Params) != 2 ||
		!strings.Contains(string(first[0].Task.Parameters), `"fold": 3`) {
		t.Fatalf("%+v", first)
	}
	if out := b.ok("ask", "own"); !strings.Contains(out, "trial 1 of north, seed ") || !strings.Contains(out, "  depth = ") {
		t.Error(out)
	}
	b.fails(exitUnfinished, []string{"no trial is open: waits for 2 trials to be told"}, "ask", "own")
	b.fails(exitFailed, []string{"there is no trial 9"}, "ask", "own", "--trial", "9")
	b.fails(exitFailed, []string{`search "none"`}, "ask", "none")
	again := asked(b.ok("ask", "own", "--trial", "0", "--json"))
	if again[0].Seed != first[0].Seed || again[0].LeaseEnds.Before(first[0].LeaseEnds) {
		t.Errorf("%+v, was %+v", again, first)
	}
	b.fails(exitFailed, []string{`it lacks the objective "rmse"`}, "tell", "own", "--trial", "0", "--metric", "size=3")
	b.fails(exitFailed, []string{"no curve"}, "tell", "own", "--trial", "0", "--metric", "rmse=0.5")
	b.fails(exitFailed, []string{"trial 3 has not been asked"}, "tell", "own", "--trial", "3", "--state", "fail")
	tell := []string{"tell", "own", "--trial", "0", "--metric", "rmse=0.5", "--curve", "10=0.75", "--curve", "20=0.5", "--steps", "20",
		"--cost", "cpu_seconds=7.5", "--cost", "wall_seconds=3"}
	if out := b.ok(append(tell, "--json")...); !strings.Contains(out, `"trial": 0`) || !strings.Contains(out, `"trials": 5`) {
		t.Error(out)
	}
	if out := b.ok(tell...); !strings.Contains(out, "Trial 0 is told so before") {
		t.Error(out)
	}
	b.fails(exitFailed, []string{"told with something else"}, "tell", "own", "--trial", "0", "--metric", "rmse=0.25", "--curve", "20=0.25")

	// The rest over HTTP.
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var stdout, stderr stacktest.Output
	token := strings.Repeat("s3cret", 5)
	ended := make(chan int, 1)
	go func() {
		ended <- Run(ctx, Process{Args: []string{"serve", "--listen", "127.0.0.1:0", "--token-file", b.write("token", token)}, Environ: b.environ,
			Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr, Width: func(io.Writer) int { return 80 }})
	}()
	url := ""
	for deadline := time.Now().Add(time.Minute); url == "" && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if at, _, there := strings.Cut(stdout.String(), "\n"); there {
			url = at
		}
	}
	if url == "" {
		t.Fatal(stderr.String())
	}
	call := func(path, token, body string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		out, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(out)
	}
	if status, out := call("/own/ask", "guessed", "{}"); status != http.StatusUnauthorized {
		t.Errorf("%d %s", status, out)
	}
	if status, out := call("/own/tell", token, `{"trial":1,"state":"fail","state":"complete"}`); status < 400 || status >= 500 ||
		!strings.Contains(out, `is there twice`) {
		t.Errorf("%d %s", status, out)
	}
	if status, out := call("/own/tell", token, `{"trial":1,"state":"fail","reason":"no luck"}`); status != http.StatusOK {
		t.Errorf("%d %s", status, out)
	}
	for trial := 2; trial < 5; {
		status, out := call("/own/ask", token, `{"count":2}`)
		if status != http.StatusOK {
			time.Sleep(100 * time.Millisecond) // those before are being learned from
			continue
		}
		for _, a := range asked(out) {
			if a.Trial != trial {
				t.Fatalf("trial %d, want %d", a.Trial, trial)
			}
			told := fmt.Sprintf(`{"trial":%d,"state":"complete","metrics":{"rmse":%d},"curve":[[10,%d]]}`, trial, trial, trial)
			if status, out := call("/own/tell", token, told); status != http.StatusOK {
				t.Fatalf("%d %s", status, out)
			}
			trial++
		}
	}
	if stop(); <-ended != exitOK || strings.Contains(stdout.String()+stderr.String(), token) {
		t.Errorf("%s%s", stdout.String(), stderr.String())
	}
	b.fails(exitUnfinished, []string{"takes no more trials"}, "ask", "own", "--wait")
	if out := b.ok(tell...); !strings.Contains(out, "told so before") { // after its end, too
		t.Error(out)
	}
	for want, args := range map[string][]string{"other,own\n": {"--sources", "other,o"}, "own\n": {"--from", "o"}} {
		if o := b.run(append([]string{"__complete", "search"}, args...)...); !strings.Contains(o.stdout, want) {
			t.Errorf("%v is completed with %s", args, o.stdout)
		}
	}
	name := filepath.Join(b.dir, "trials.csv")
	b.ok("trials", "own", "--format", "csv", "--out", name)
	csv, err := os.ReadFile(name)
	if err != nil || !bytes.Contains(csv, []byte(`"[[10,0.75],[20,0.5]]"`)) || !bytes.Contains(csv, []byte(",7.5,3,")) {
		t.Errorf("%v %s", err, csv)
	}
}
