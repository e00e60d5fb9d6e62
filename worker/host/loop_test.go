package host

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/deploy/stack/stacktest"
	"tnaml/experiments/data"
	"tnaml/experiments/data/table"
	"tnaml/experiments/data/text"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/nn/embedding"
	"tnaml/workflows"
)

// free is the built-in trainer with trials that cost nothing: what is left is the
// loop around them.
type free struct{ trainer.Builtin }

func (free) Version() string { return "0" }
func (free) Cached() bool    { return false }

func (free) Run(_ context.Context, r trainer.Request, _ func(trainer.Progress) error) (trainer.Result, error) {
	accuracy := r.Choices[trainer.Dropout].(float64)/2 + float64(r.Trial%100)/1000
	return trainer.Result{Outcome: trainer.Outcome{Status: trainer.OK, Metrics: map[string]float64{
		"validation_accuracy": accuracy, "test_accuracy": accuracy,
	}}}, nil
}

// BenchmarkLoop measures searches of b.N trials that cost nothing, 16 in flight,
// on the dev stack: trials/s, history events a trial, and the rate of the last
// tenth over that of the first. A search of 5,000 trials comes before: a server that
// has just started is faster until its caches are full, which says nothing about
// the loop. Run it with a fixed number of trials:
//
//	go test ./worker/host -run '^$' -bench Loop -benchtime 10000x
//
// "table" is random search with the trainer table, over forty choices, whose trials
// come through a queue of their own.
func BenchmarkLoop(b *testing.B) {
	for _, by := range []string{strategy.Random, strategy.NAML} {
		b.Run(by, func(b *testing.B) { benchmarkLoop(b, by, `{"tasks":["words"],"strategy":"`+by+`"`) })
	}
	b.Run("table", func(b *testing.B) {
		benchmarkLoop(b, "table", `{"tasks":["knobs"],"strategy":"random","space":"knobs"`)
	})
}

// knobs are a space of forty choices, and a benchmark of it.
func knobs() (*space.Space, *table.Table, error) {
	sp := &space.Space{Name: "knobs", Trainer: "table", Objective: space.Objective{Metric: "gain"}}
	effect := table.Effect{Choices: map[string]map[string]float64{}, Noise: 1}
	for i := range 40 {
		c := space.Choice{Name: fmt.Sprintf("knob_%d", i), Options: []any{int64(1), int64(2), int64(3)}}
		sp.Choices = append(sp.Choices, c)
		effect.Choices[c.Name] = map[string]float64{"1": 0, "2": 1, "3": 2}
	}
	built, err := table.Build(table.Recorded{
		Metrics: []string{"validation_gain", "test_gain"}, Effects: table.Effects{"validation_gain": effect, "test_gain": effect},
	}, data.Options{Name: "knobs"})
	return sp, built, err
}

func benchmarkLoop(b *testing.B, name, spec string) {
	if b.N < 100 {
		return // the framework's first try
	}
	a := stacktest.Shared(b)
	c, err := client.Dial(client.Options{HostPort: a.Temporal, Namespace: a.Namespace, Logger: quiet{}})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	s, err := store.OpenS3(b.Context(), store.S3Config{
		Endpoint: a.S3Endpoint, Bucket: "loop", Region: a.S3Region, AccessKey: a.S3AccessKey, SecretKey: a.S3SecretKey, CreateBucket: true,
	})
	if err != nil {
		b.Fatal(err)
	}
	var examples []text.Example
	for i := range 200 {
		examples = append(examples, text.Example{Text: fmt.Sprintf("word%d word%d", i, i%7), Label: []string{"even", "odd"}[i%2]})
	}
	words, err := text.Build(examples, data.Options{Name: "words"})
	if err != nil {
		b.Fatal(err)
	}
	sp, recorded, err := knobs()
	if err != nil {
		b.Fatal(err)
	}
	if err := library.PublishSpace(b.Context(), s, sp, true); err != nil {
		b.Fatal(err)
	}
	for _, t := range []data.Task{words, recorded} {
		if _, err := library.PublishTask(b.Context(), s, t, true); err != nil {
			b.Fatal(err)
		}
	}
	for _, name := range []string{"m-1", "m-2"} {
		m := &embedding.Module{Name: name, Language: "en", Dim: 2, Tokens: []string{"word1"}, Vectors: []float32{1, 2}}
		if _, err := library.PublishModule(b.Context(), s, m, true); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := EnsureSearchAttributes(b.Context(), c, a.Namespace); err != nil {
		b.Fatal(err)
	}
	queue := "loop-" + name
	ctx, stop := context.WithCancel(b.Context())
	stopped := make(chan error, 1)
	go func() {
		stopped <- Run(ctx, c, s, Options{Namespace: a.Namespace, TaskQueue: queue, Slots: 16, Trainers: []trainer.Trainer{free{}}})
	}()
	defer func() {
		stop()
		if err := <-stopped; err != nil {
			b.Error(err)
		}
	}()
	start := func(trials int) client.WorkflowRun {
		spec := fmt.Sprintf(`%s,"trials":%d,"lag":16,"seed":%d}`, spec, trials, time.Now().UnixNano())
		run, err := c.ExecuteWorkflow(b.Context(), client.StartWorkflowOptions{TaskQueue: queue}, workflows.SearchWorkflow, json.RawMessage(spec))
		if err != nil {
			b.Fatal(err)
		}
		return run
	}
	if b.N >= 1000 {
		if err := start(5000).Get(b.Context(), nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	run := start(b.N)
	done := make(chan error, 1)
	go func() { done <- run.Get(b.Context(), nil) }()
	type mark struct {
		at   time.Time
		told int
	}
	marks := []mark{{time.Now(), 0}}
	for running := true; running; {
		select {
		case err := <-done:
			if err != nil {
				b.Fatal(err)
			}
			running = false
		case <-time.After(100 * time.Millisecond):
			if value, err := c.QueryWorkflow(b.Context(), run.GetID(), "", workflows.ProgressQuery); err == nil {
				var p workflows.Progress
				if value.Get(&p) == nil && p.Told > marks[len(marks)-1].told {
					marks = append(marks, mark{time.Now(), p.Told})
				}
			}
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "trials/s")
	b.ReportMetric(float64(events(b, c, run.GetID()))/float64(b.N), "events/trial")
	rate := func(from, to int) float64 { // trials/s between two numbers of trials
		var first, last *mark
		for i := range marks {
			if marks[i].told <= from {
				first = &marks[i]
			}
			if marks[i].told <= to {
				last = &marks[i]
			}
		}
		return float64(last.told-first.told) / last.at.Sub(first.at).Seconds()
	}
	if b.N >= 1000 {
		var tenths []string
		for i := range 10 {
			tenths = append(tenths, fmt.Sprintf("%.0f", rate(b.N*i/10, b.N*(i+1)/10)))
		}
		b.Logf("trials/s by tenths: %s", strings.Join(tenths, " "))
		b.ReportMetric(rate(b.N*9/10, b.N)/rate(b.N/20, b.N/20+b.N/10), "last/first")
	}
}

// events counts the history events of a workflow's chain of runs.
func events(b *testing.B, c client.Client, id string) (n int64) {
	b.Helper()
	for runID := ""; ; {
		d, err := c.DescribeWorkflowExecution(b.Context(), id, runID)
		if err != nil {
			b.Fatal(err)
		}
		n += d.GetWorkflowExecutionInfo().GetHistoryLength()
		h := c.GetWorkflowHistory(b.Context(), id, d.GetWorkflowExecutionInfo().GetExecution().GetRunId(), false, 0)
		if !h.HasNext() {
			return n
		}
		first, err := h.Next()
		if err != nil {
			b.Fatal(err)
		}
		if runID = first.GetWorkflowExecutionStartedEventAttributes().GetContinuedExecutionRunId(); runID == "" {
			return n
		}
	}
}

type quiet struct{}

var _ log.Logger = quiet{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}
