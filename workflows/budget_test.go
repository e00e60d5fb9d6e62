package workflows_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/client"

	"tnaml/activities/library"
	"tnaml/experiments/search"
	"tnaml/experiments/trainer"
	"tnaml/workflows"
)

// goals is a trainer of curves, of which some trials fail and some models are large.
func goals(ctx context.Context, r trainer.Request) (trainer.Outcome, error) {
	o, err := sometimes(ctx, r)
	if err != nil || o.Status != trainer.OK {
		return o, err
	}
	o.Steps = 25 << (r.Trial % 4)
	end := o.Metrics["validation_accuracy"]
	for step := 25; step <= o.Steps && r.Curve; step *= 2 {
		o.Curve = append(o.Curve, trainer.Point{Step: step, Value: end * (1 - 10/float64(step+20)*float64(r.Seed%5)/5)})
	}
	if r.Curve {
		o.Curve[len(o.Curve)-1].Value = end
	}
	o.Metrics["parameters"] = float64(r.Seed % 100)
	return o.Cut(r.Prune, r.Objective), nil
}

// The bounds that are functions of the ledger end a search at the same trial, whatever
// is in flight then; what is told at once ends there too.
func TestBudgetEndsAtOneTrial(t *testing.T) {
	for budget, want := range map[string]struct {
		trials int
		reason string
	}{
		`{"failed":3}`:                  {18, "the budget of 3 failed trials is used up"}, // 3, 10 and 17
		`{"steps":1000}`:                {15, "the budget of 1000 training steps is used up, with 1000"},
		`{"goal":0.27}`:                 {0, "the goal is reached: accuracy of 27.00 %"},
		`{"steps":100000}`:              {40, "the budget of 40 trials is used up"},
		`{"cpu_hours":1,"failed":1000}`: {40, "the budget of 40 trials is used up"},
	} {
		var first *workflows.SearchResult
		var ledger []search.Trial
		for _, parallel := range []int{1, 3, 8} {
			f := newFixture(t)
			f.train = goals
			name := fmt.Sprintf("parallel-%d", parallel)
			r := f.must(t, name, fmt.Sprintf(
				`{"tasks":["tiny"],"strategy":"random","trials":40,"lag":8,"parallel":%d,"checkpoint_every":7,"budget":%s}`,
				parallel, budget))
			if r.Status != "completed" || !strings.Contains(r.Reason, want.reason) || want.trials > 0 && r.Trials != want.trials {
				t.Fatalf("%s: %s after %d trials: %s", budget, r.Status, r.Trials, r.Reason)
			}
			record, err := library.ReadRecord(t.Context(), f.store, name)
			if err != nil || record.Reason != r.Reason || record.Told != r.Trials || f.progress(t).Reason != r.Reason {
				t.Errorf("%s: the record says %+v, %v", budget, record, err)
			}
			rows := f.ledger(t, r)
			if first == nil {
				first, ledger = r, rows
				continue
			}
			r.CPUSeconds = first.CPUSeconds
			r.Costs = first.Costs
			if diff := cmp.Diff(first, r) + cmp.Diff(ledger, rows); diff != "" {
				t.Errorf("%s: with %d in flight: %s", budget, parallel, diff)
			}
		}
		if last := ledger[len(ledger)-1]; strings.Contains(budget, "goal") && last.Validation < .27 {
			t.Errorf("the goal is reached with %v", last.Validation)
		}
	}
}

// Hours end a search at whatever was told last, and a budget can be extended while it
// runs; a search goes on from one that its budget has ended.
func TestBudgetOfHoursAndMore(t *testing.T) {
	f := newFixture(t)
	var hanging atomic.Bool // one trainer throughout: attempts of a search before may still be ending
	f.train = func(ctx context.Context, r trainer.Request) (trainer.Outcome, error) {
		if hanging.Load() && r.Trial >= 5 {
			<-ctx.Done()
			return trainer.Outcome{}, ctx.Err()
		}
		return goals(ctx, r)
	}
	r := f.must(t, "cpu", `{"tasks":["tiny"],"strategy":"random","trials":40,"lag":4,"parallel":1,"budget":{"cpu_hours":0.0025}}`)
	if r.Trials != 9 || r.Reason != "the budget of 0.0025 CPU hours is used up" { // a second each
		t.Errorf("%d trials: %s", r.Trials, r.Reason)
	}
	more := f.must(t, "more", `{"from":"cpu","trials":20}`)
	if more.Trials != 20 || more.Reason != "" {
		t.Errorf("went on to %d: %s", more.Trials, more.Reason)
	}
	// It counts the trials of both: one has failed, and the second is the last of 11; one
	// failure, or the CPU seconds of nine trials, are used up before.
	again := f.must(t, "again", `{"from":"cpu","trials":20,"budget":{"failed":2,"cpu_hours":0.0031}}`)
	if again.Trials != 11 || again.Reason != "the budget of 2 failed trials is used up" {
		t.Errorf("went on to %d: %s", again.Trials, again.Reason)
	}
	refusedBudget := func(spec string, wants ...string) {
		t.Helper()
		_, err := f.named(t, "bad", spec)
		record, failed := library.ReadRecord(t.Context(), f.store, "bad")
		for _, want := range wants {
			if err == nil || !strings.Contains(err.Error(), want) || failed != nil || !strings.Contains(record.Reason, want) {
				t.Errorf("%s: %v; on record: %s, %v", spec, err, record.Reason, failed)
			}
		}
	}
	refusedBudget(`{"from":"cpu","trials":20,"budget":{"failed":1,"cpu_hours":0.0025,"hours":100}}`,
		`"failed" is 1, which is reached: 1 trials have failed`, `"cpu_hours" is 0.0025, which is reached: 0.0025 CPU hours are used`)

	hanging.Store(true)
	hours := f.must(t, "hours", `{"tasks":["tiny"],"strategy":"random","trials":40,"lag":4,"budget":{"hours":0.0005}}`)
	if hours.Trials != 5 || hours.Reason != "the budget of 0.0005 hours is used up" {
		t.Errorf("%d trials: %s", hours.Trials, hours.Reason)
	}

	f.reset(t)
	hanging.Store(false)
	f.RegisterDelayedCallback(func() {
		f.UpdateWorkflow(workflows.Extend, "u", callback(t, nil), workflows.Extension{Trials: 5, Budget: search.Budget{Failed: 2}})
		f.UpdateWorkflow(workflows.Extend, "v", callback(t, func(err error) {
			if err == nil || !strings.Contains(err.Error(), `no bound "steps"`) || !strings.Contains(err.Error(), `no bound "hours"`) {
				t.Errorf("bounds that there are none of are extended: %v", err)
			}
		}), workflows.Extension{Budget: search.Budget{Steps: 1000, Hours: 2}})
	}, 0)
	extended, err := f.run(t, `{"tasks":["tiny"],"strategy":"random","trials":40,"budget":{"failed":1}}`)
	if p := f.progress(t); err != nil || extended.Trials != 18 || extended.Failed != 3 || p.Trials != 45 || p.Budget.Failed != 3 {
		t.Errorf("%+v %v %+v", extended, err, p)
	}
}

// Of hours too what was used before counts, in each search that goes on; pauses do not.
func TestBudgetOfHoursBefore(t *testing.T) {
	f := askedFixture(t)
	spec := strings.Replace(fmt.Sprintf(askedSpec, 100_000), "naml", "random", 1)
	begins := time.Time{}
	named := func(name, spec string) *workflows.SearchResult {
		t.Helper()
		f.resetAsked(t)
		f.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: name})
		begins = f.Now()
		switch name {
		case "first": // one trial, and half an hour in all
			f.RegisterDelayedCallback(func() {
				f.ask(t, workflows.Ask{}, func(_ []workflows.AskedTrial, err error) {
					if err != nil {
						t.Error(err)
					}
				})
				f.tell(t, `{"trial":0,"state":"complete","metrics":{"rmse":1}}`, func(_ workflows.Told, err error) {
					if err != nil {
						t.Error(err)
					}
				})
			}, time.Minute)
			f.RegisterDelayedCallback(func() { f.UpdateWorkflow(workflows.Stop, "s", callback(t, nil)) }, 30*time.Minute)
		case "second": // ten minutes, a pause of ten hours, 80 minutes
			f.RegisterDelayedCallback(func() { f.UpdateWorkflow(workflows.Pause, "p", callback(t, nil), "night") }, 10*time.Minute)
			f.RegisterDelayedCallback(func() { f.UpdateWorkflow(workflows.Resume, "r", callback(t, nil)) }, 610*time.Minute)
		}
		r, err := f.run(t, spec)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return r
	}
	for _, c := range []struct {
		name, spec, reason string
		took, whole        time.Duration // with the pause; without it, with the searches before
	}{
		{"first", spec, "", 30 * time.Minute, 30 * time.Minute},
		{"second", `{"from":"first","trials":20,"budget":{"hours":2}}`, "the budget of 2 hours is used up", 690 * time.Minute, 2 * time.Hour},
		{"third", `{"from":"second","trials":20,"budget":{"hours":2.25}}`, "the budget of 2.25 hours is used up", 15 * time.Minute,
			135 * time.Minute},
	} {
		r := named(c.name, c.spec)
		record, err := library.ReadRecord(t.Context(), f.store, c.name)
		if err != nil || r.Trials != 1 || r.Reason != c.reason || math.Abs(record.Seconds-c.whole.Seconds()) > 2 {
			t.Errorf("%s: %+v, %v: %v seconds, %v", c.name, r.Reason, r.Trials, record.Seconds, err)
		}
		if took := f.Now().Sub(begins); (took - c.took).Abs() > 2*time.Second {
			t.Errorf("%s took %v, want %v", c.name, took, c.took)
		}
	}
	f.resetAsked(t)
	_, err := f.named(t, "bad", `{"from":"third","trials":20,"budget":{"hours":2.2}}`)
	if want := `"hours" is 2.2, which is reached: 2.25 hours are used`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v", err)
	}
}

// With a pruner and constraints a seed gives one ledger whatever is in flight, over
// checkpoints that are lost too; no trial that is pruned or infeasible is among the best.
func TestPrunedAndInfeasible(t *testing.T) {
	publishSpace := func(f *fixture) {
		sp, err := trainer.Load([]byte(goalsSpace))
		if err != nil {
			t.Fatal(err)
		}
		if err := library.PublishSpace(t.Context(), f.store, sp, false); err != nil {
			t.Fatal(err)
		}
	}
	for _, pruner := range []string{`"median"`, `{"name":"halving","settings":{"reduction":2}}`} {
		var want []search.Trial
		for _, parallel := range []int{1, 4} {
			f := newFixture(t)
			f.train = goals
			publishSpace(f)
			r := f.must(t, "s", fmt.Sprintf(`{"tasks":["tiny"],"space":"goals","strategy":"tpe","trials":60,"lag":4,"parallel":%d,`+
				`"checkpoint_every":9,"pruner":%s}`,
				parallel, pruner))
			rows := f.ledger(t, r)
			if want == nil {
				want = rows
			}
			if diff := cmp.Diff(want, rows); diff != "" {
				t.Errorf("%s: with %d in flight: %s", pruner, parallel, diff)
			}
			seen := map[trainer.Status]int{}
			for _, row := range rows {
				seen[row.Status]++
			}
			if r.Pruned == 0 || r.Infeasible == 0 || r.Failed == 0 || r.Pruned != seen[trainer.Pruned] || r.Infeasible != seen[trainer.Infeasible] ||
				r.Failed != seen[trainer.Failed] {
				t.Errorf("%s: %+v of %v", pruner, r, seen)
			}
			for _, b := range r.Best {
				if rows[b.Trial].Status != trainer.OK {
					t.Errorf("trial %d, among the best, is %s", b.Trial, rows[b.Trial].Status)
				}
			}
			lose(t, f.store, "s")
			if on := f.must(t, "on", `{"from":"s","trials":70}`); !cmp.Equal(f.ledger(t, on)[:60], want) || on.Pruned < r.Pruned {
				t.Errorf("%s: went on with %+v", pruner, on)
			}
		}
	}
	f := newFixture(t) // a trainer without curves is refused
	r, err := f.named(t, "bare", `{"tasks":["tiny"],"strategy":"random","trials":5,"pruner":"median"}`)
	if err != nil || r.Failed != 5 || !strings.Contains(f.ledger(t, r)[0].Reason,
		"the search has a pruner, which needs the objective at steps") {
		t.Errorf("%+v %v", r, err)
	}
	if r, err := f.named(t, "never", `{"tasks":["tiny"],"strategy":"random","trials":5,"budget":{"goal":99}}`); err == nil ||
		!strings.Contains(err.Error(), `"goal" is 99: accuracy lies between 0 and 1`) {
		t.Errorf("%+v %v", r, err)
	}
	for spec, want := range map[string]string{
		`"pruner":"hyperband"`: "unknown pruner \"hyperband\" (known: median, halving)",
		`"pruner":{"name":"median","settings":{"percentile":-1}}`: "percentile is -1",
		`"budget":{"failed":-1,"goal":1e99}`:                      `"failed" is -1`,
		`"budget":{"steps":0}`:                                    `"budget.steps" is 0: leave it out`,
		`"budget":5`:                                              `"budget" is 5: it must be an object with any of the fields failed, steps`,
		`"pruner":5`:                                              "not a JSON object, but 5: give an object",
		`"budget":{"fails":1}`:                                    `unknown field "budget.fails"`,
	} {
		if _, err := workflows.ParseSearchSpec([]byte(`{"tasks":["tiny"],` + spec + `}`)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", spec, err)
		}
	}
}

// goalsSpace bounds what text-small offers.
const goalsSpace = `
name: goals
constraints: [{metric: parameters, max: 80}]
choices:
  - {name: module, options: ["*"]}
  - {name: fine_tune, options: [false, true]}
  - {name: hidden_layers, options: [0, 1, 2]}
  - {name: hidden_size, options: [32, 64, 128]}
  - {name: activation, options: [relu, tanh]}
  - {name: normalisation, options: [none, batch]}
  - {name: dropout, options: [0, 0.1]}
  - {name: deep_learning_rate, options: [0.03, 0.1]}
  - {name: deep_regularisation, options: [0, 0.01]}
  - {name: wide_learning_rate, options: [0.03, 0.1]}
  - {name: wide_regularisation, options: [0, 0.01]}
  - {name: steps, options: [50, 100, 200, 400]}
`
