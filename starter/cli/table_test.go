package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"tnaml/experiments/data/table"
	"tnaml/workflows"
)

// knobs are a space of forty invented choices for a trainer, and a benchmark that
// knows them: option by option, the later the better, but for what a task adds.
func knobs(trainer string, task int) (space, benchmark string) {
	yaml := []string{"name: knobs-" + trainer, "trainer: " + trainer, "objective: {metric: latency_ms, direction: minimise}", "choices:"}
	effect := table.Effect{Intercept: 100, Choices: map[string]map[string]float64{}, Noise: .5}
	for i := range 40 {
		name := fmt.Sprintf("knob_%02d", i)
		options := []any{[]any{"low", "mid", "high"}, []any{false, true}, []any{1, 2, 4, 8}, []any{.25, .5}}[i%4].([]any)
		effect.Choices[name] = map[string]float64{}
		var words []string
		for k, o := range options {
			b, _ := json.Marshal(o) // scalars
			words = append(words, string(b))
			effect.Choices[name][string(b)] = -float64(k) + float64((i*7+task)%3)/10
		}
		yaml = append(yaml, fmt.Sprintf("  - {name: %s, options: [%s]}", name, strings.Join(words, ", ")))
	}
	b, _ := json.Marshal(table.Recorded{
		Metrics: []string{"validation_latency_ms", "test_latency_ms"},
		Effects: table.Effects{"validation_latency_ms": effect, "test_latency_ms": effect},
	})
	return strings.Join(yaml, "\n") + "\n", string(b)
}

// A team's own space: forty choices that nobody here knows, a metric to minimise, a
// trainer that is not ours. Searches, pretraining and transfer from the terminal, and
// a search as the web UI starts it.
func TestForeignSpace(t *testing.T) {
	b, _ := online(t)
	b.worker()
	for i := range 3 {
		sp, benchmark := knobs("table", i)
		if i == 0 {
			b.ok("space", "add", b.write("knobs.yaml", sp))
		}
		b.ok("data", "import", b.write(fmt.Sprintf("t%d.json", i), benchmark), "--kind", "table", "--name", fmt.Sprintf("t%d", i), "--yes")
	}
	if out := b.ok("space", "show", "knobs-table"); !strings.Contains(out, "trained by table; the objective is latency_ms, to minimise") {
		t.Error(out)
	}
	b.fails(exitFailed, []string{"tasks of kind table have no search space of their own", "space list"}, "search", "--task", "t0")
	out := b.ok("search", "--task", "t0", "--space", "knobs-table", "--strategy", "random", "--trials", "40", "--name", "foreign")
	if !strings.Contains(out, "latency_ms-top10 validation ") || strings.Contains(out, "%") {
		t.Error(out)
	}
	var rows []struct {
		Reward, Validation float64
		Choices            map[string]any
	}
	for _, line := range strings.Split(strings.TrimSpace(b.ok("trials", "foreign", "--format", "jsonl")), "\n") {
		var r struct {
			Reward, Validation float64
			Choices            map[string]any
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, r)
	}
	if len(rows) != 40 || len(rows[0].Choices) != 40 || rows[0].Reward != -rows[0].Validation {
		t.Errorf("%d trials, the first: %+v", len(rows), rows[0])
	}
	b.ok("experiment", "add", b.write("exp.yaml", `name: knobs
space: knobs-table
settings: {naml: {policy_gradient: {learning_rate: 0.01}}}
pretrain: [{name: full, tasks: [t0, t1], trials: 150}]
transfer:
  tasks: [t2]
  trials: 20
  arms: [{name: random, strategy: random}, {name: transfer, strategy: naml, from: full}]
`))
	out = b.ok("run", "knobs")
	if !strings.Contains(out, "latency_ms-top10") || !strings.Contains(out, "controller knobs@1: 150 trials on t0, t1") {
		t.Error(out)
	}
	b.ok("report", "knobs", "-o", b.write("knobs.html", ""))
	b.ok("search", "--task", "t2", "--space", "knobs-table", "--controller", "knobs", "--trials", "10", "--name", "transferred")

	// As the web UI starts it: one JSON object, and nothing else.
	s := b.servers()
	run, err := s.Client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "from-the-ui", TaskQueue: t.Name()},
		workflows.SearchWorkflow, json.RawMessage(`{"tasks":["t1"],"space":"knobs-table","trials":15,"settings":"paper"}`))
	if err != nil {
		t.Fatal(err)
	}
	var result workflows.SearchResult
	if err := run.Get(t.Context(), &result); err != nil || result.Trials != 15 || len(result.Best) != 10 || result.Best[0].Reward != -result.Best[0].Validation {
		t.Errorf("%+v, %v", result, err)
	}
	for h := s.Client.GetWorkflowHistory(t.Context(), "from-the-ui", "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); h.HasNext(); {
		event, err := h.Next()
		if err != nil {
			t.Fatal(err)
		}
		if a := event.GetActivityTaskScheduledEventAttributes(); a.GetActivityType().GetName() == workflows.TrialActivity {
			if in := string(a.GetInput().GetPayloads()[0].GetData()); !strings.Contains(in, `"knob_00":"`) || a.GetTaskQueue().GetName() != t.Name()+"-table" {
				t.Errorf("a trial reads as %s, on the queue %s", in, a.GetTaskQueue().GetName())
			}
			break
		}
	}
}

// A search whose trainer nobody serves says so within seconds, and waits.
func TestNobodyServesTheTrainer(t *testing.T) {
	b, _ := online(t)
	b.worker()
	sp, benchmark := knobs("bert", 0)
	b.ok("space", "add", b.write("bert.yaml", sp))
	b.ok("data", "import", b.write("t0.json", benchmark), "--kind", "table", "--name", "t0", "--yes")
	b.ok("search", "--task", "t0", "--space", "knobs-bert", "--strategy", "random", "--trials", "4", "--name", "lonely", "--detach")
	s := b.servers()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		var p workflows.Progress
		value, err := s.Client.QueryWorkflow(t.Context(), "lonely", "", workflows.ProgressQuery)
		if err == nil {
			err = value.Get(&p)
		}
		if err == nil && p.Status == "waiting" {
			if !strings.Contains(p.Reason, "no worker serves the trainer bert (task queue "+t.Name()+"-bert)") || p.Running != 4 {
				t.Errorf("%+v", p)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v, %v", p, err)
		}
	}
	if err := s.Client.CancelWorkflow(t.Context(), "lonely", ""); err != nil {
		t.Error(err)
	}
}
