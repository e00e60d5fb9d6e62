package workflows_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"tnaml/activities"
	"tnaml/activities/library"
	"tnaml/experiments/data"
	"tnaml/experiments/data/external"
	"tnaml/experiments/trainer"
	"tnaml/workflows"
)

// askedFixture has the external tasks north and south, and a space whose trials are
// asked. No trial is ever an activity.
func askedFixture(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t)
	f.folds(t, "north", "south")
	f.space(t, trainer.External{}.Name())
	f.resetAsked(t)
	return f
}

var updates int

// What an update that is accepted adds to a history: a workflow task's three events,
// accepted, completed. What is refused adds nothing. The test environment counts none.
const updateEvents = 5

// update sends an update, of which the history grows; then gets its answer as JSON, or
// the error.
func (f *fixture) update(t *testing.T, name string, arg any, then func(answer json.RawMessage, err error)) {
	t.Helper()
	updates++
	f.UpdateWorkflow(name, fmt.Sprint("update ", updates), &testsuite.TestUpdateCallback{
		OnAccept: func() {}, OnReject: func(err error) { then(nil, err) },
		OnComplete: func(v any, err error) {
			f.events += updateEvents
			f.SetCurrentHistoryLength(f.events)
			b, failed := json.Marshal(v)
			if failed != nil {
				t.Error(failed)
			}
			then(b, err)
		},
	}, arg)
}

// ask asks for trials.
func (f *fixture) ask(t *testing.T, in workflows.Ask, then func([]workflows.AskedTrial, error)) {
	t.Helper()
	f.update(t, workflows.AskUpdate, in, func(answer json.RawMessage, err error) {
		var out workflows.Asked
		if err == nil {
			err = json.Unmarshal(answer, &out)
		}
		then(out.Trials, err)
	})
}

// tell tells what somebody types.
func (f *fixture) tell(t *testing.T, typed string, then func(workflows.Told, error)) {
	t.Helper()
	f.update(t, workflows.TellUpdate, json.RawMessage(typed), func(answer json.RawMessage, err error) {
		var out workflows.Told
		if err == nil {
			err = json.Unmarshal(answer, &out)
		}
		then(out, err)
	})
}

// honest is what a trial of these tests gives; every seventh fails.
func honest(a workflows.AskedTrial) string {
	if a.Trial%7 == 5 {
		return fmt.Sprintf(`{"trial": %d, "state": "pruned", "metrics": {"rmse": 11}, "curve": [[2, 12], [3, 11]], "steps": 3}`, a.Trial)
	}
	if a.Trial%7 == 6 {
		return fmt.Sprintf(`{"trial": %d, "state": "fail", "reason": "no luck"}`, a.Trial)
	}
	return fmt.Sprintf(`{"trial": %d, "state": "complete", "metrics": {"rmse": %v, "size": 3}}`, a.Trial, 10-reward(a.Trial, a.Params))
}

func refusal(err error) string {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return app.Type()
	}
	return ""
}

// asker asks and tells until the search takes no more, count at a time, and tells the
// last first; pause is how long it works on them.
func (f *fixture) asker(t *testing.T, count int, pause time.Duration) {
	var again func()
	tellAll := func(trials []workflows.AskedTrial) {
		slices.Reverse(trials)
		for _, a := range trials {
			f.tell(t, honest(a), func(_ workflows.Told, err error) {
				if err != nil {
					t.Errorf("trial %d: %v", a.Trial, err)
				}
			})
		}
	}
	again = func() {
		f.ask(t, workflows.Ask{Count: count}, func(trials []workflows.AskedTrial, err error) {
			switch kind := refusal(err); {
			case kind == workflows.RefusedEnded:
				return
			case err != nil && kind != workflows.RefusedNow:
				t.Error(err)
				return
			case err != nil: // nothing is open: it looks again
				f.RegisterDelayedCallback(again, time.Minute)
				return
			}
			f.RegisterDelayedCallback(func() {
				tellAll(trials)
				f.RegisterDelayedCallback(again, time.Millisecond)
			}, pause)
		})
	}
	f.RegisterDelayedCallback(again, time.Second)
}

const askedSpec = `{"tasks":["north","south"],"space":"boosting","strategy":"naml","trials":30,"lag":4,"checkpoint_every":8,` +
	`"history_limit":%d,"trial_timeout":"1h"}`

// Whoever asks, in whatever order it is told: one seed, one ledger; no trial is an
// activity, and outcomes that wait survive a continued run.
func TestAskedTrialsAreCanonical(t *testing.T) {
	var want []byte
	for _, c := range []struct {
		name    string
		askers  []int // how many trials each asks at a time
		history int
	}{{"one", []int{1}, 100_000}, {"two", []int{1, 1}, 100_000}, {"many", []int{3, 2, 4}, 100_000}, {"continued", []int{3, 1}, 100}} {
		f := askedFixture(t)
		var carried []any
		var result *workflows.SearchResult
		runs := 1
		for ; ; runs++ {
			for i, count := range c.askers {
				f.asker(t, count, time.Duration(3*i+1)*time.Second)
			}
			got, err := f.run(t, fmt.Sprintf(askedSpec, c.history), carried...)
			var again *workflow.ContinueAsNewError
			if errors.As(err, &again) {
				var raw json.RawMessage
				var state workflows.SearchState
				if err := decode(again.Input, &raw, &state); err != nil {
					t.Fatal(err)
				}
				carried = []any{&state}
				f.resetAsked(t) // what its askers have is nobody's until the leases end
				continue
			}
			if err != nil {
				t.Fatal(c.name, err)
			}
			result = got
			break
		}
		if c.history == 100 != (runs > 2) || result.Status != "completed" || result.Trials != 30 {
			t.Errorf("%s: %d runs, %+v", c.name, runs, result)
		}
		statuses := map[trainer.Status]int{}
		trials := f.ledger(t, result)
		for _, trial := range trials {
			statuses[trial.Status]++
		}
		if diff := cmp.Diff(map[trainer.Status]int{trainer.OK: 22, trainer.Pruned: 4, trainer.Failed: 4}, statuses); diff != "" {
			t.Error(diff)
		}
		b, err := json.Marshal(trials)
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = b
		}
		if diff := cmp.Diff(string(want), string(b)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

// resetAsked is a fresh environment over the same store.
func (f *fixture) resetAsked(t *testing.T) {
	f.reset(t)
	f.train = nil
	f.events = 3
	f.SetCurrentHistoryLength(f.events)
}

// What is asked and told again and again changes nothing but the leases, and lets the
// history grow: it leads to a new run too, each as long as the one before.
func TestAsksAloneContinueAsNew(t *testing.T) {
	for _, told := range []bool{false, true} {
		f := askedFixture(t)
		var carried []any
		var last time.Time
		taken := 0
		took := func(err error) {
			if err != nil {
				t.Errorf("told %v: %v", told, err)
			}
			taken++
		}
		again := func() {
			if told {
				f.tell(t, `{"trial":1,"state":"fail"}`, func(_ workflows.Told, err error) { took(err) })
				return
			}
			f.ask(t, workflows.Ask{Trial: new(int)}, func(trials []workflows.AskedTrial, err error) {
				if took(err); len(trials) == 1 {
					last = trials[0].LeaseEnds
				}
			})
		}
		for run := range 3 {
			f.resetAsked(t)
			taken = 0
			if run == 0 {
				f.RegisterDelayedCallback(func() {
					f.ask(t, workflows.Ask{Count: 2}, func(_ []workflows.AskedTrial, err error) { took(err) })
				}, time.Second)
			}
			for i := range 60 {
				f.RegisterDelayedCallback(again, time.Duration(i+1)*30*time.Second)
			}
			f.RegisterDelayedCallback(func() { f.UpdateWorkflow(workflows.Stop, "stop", callback(t, nil)) }, 2*time.Hour)
			_, err := f.run(t, fmt.Sprintf(askedSpec, 100), carried...)
			var next *workflow.ContinueAsNewError
			if !errors.As(err, &next) || taken != 20 { // 103 events
				t.Fatalf("told %v: run %d ended after %d updates: %v", told, run, taken, err)
			}
			var raw json.RawMessage
			var state workflows.SearchState
			if err := decode(next.Input, &raw, &state); err != nil {
				t.Fatal(err)
			}
			if !told && (!state.Asked[0].Equal(last) || len(state.Asked) != 2) || told && (len(state.Results) != 1 || len(state.Asked) != 1) {
				t.Errorf("told %v: run %d carried %v, %v", told, run, state.Asked, state.Results)
			}
			carried = []any{&state}
		}
	}
}

// While a step waits for a resume no run can end, so nothing may make its history grow.
func TestStuckSearchIsNotAsked(t *testing.T) {
	f := askedFixture(t)
	broken := true
	f.fail = func(step string, in any) error {
		if learn, ok := in.(activities.LearnInput); ok && broken && len(learn.Results) > 0 {
			return temporal.NewNonRetryableApplicationError("the store is away", activities.ErrTypeInvalid, nil)
		}
		return nil
	}
	f.RegisterDelayedCallback(func() {
		f.ask(t, workflows.Ask{Count: 2}, func(_ []workflows.AskedTrial, err error) {})
		f.tell(t, `{"trial":0,"state":"fail"}`, func(_ workflows.Told, err error) {})
	}, time.Second)
	taken, refused := 0, 0
	one := 1
	for i := range 60 {
		f.RegisterDelayedCallback(func() {
			f.ask(t, workflows.Ask{Trial: &one}, func(_ []workflows.AskedTrial, err error) {
				if err == nil {
					taken++
				} else if refused++; refusal(err) != workflows.RefusedNow || !strings.Contains(err.Error(), "the store is away") {
					t.Error(err)
				}
			})
		}, time.Duration(i+1)*time.Minute)
	}
	f.RegisterDelayedCallback(func() {
		broken = false
		f.UpdateWorkflow(workflows.Resume, "resume", callback(t, nil))
	}, 2*time.Hour)
	_, err := f.run(t, fmt.Sprintf(askedSpec, 100))
	if !workflow.IsContinueAsNewError(err) || taken != 18 || refused != 42 {
		t.Errorf("%d taken, %d refused: %v", taken, refused, err)
	}
}

// A trial that is asked is another's only when the lease has ended, unless it is asked
// by its number; it is the same each time. Bad tells are refused, and the trial stays
// open; the same again is fine.
func TestAskAndTell(t *testing.T) {
	f := askedFixture(t)
	spec := strings.NewReplacer(`"lag":4`, `"lag":2`, `"trials":30`, `"trials":3`).Replace(fmt.Sprintf(askedSpec, 100_000))
	var first workflows.AskedTrial
	refused := func(want, kind string) func(error) {
		return func(err error) {
			if err == nil || !strings.Contains(err.Error(), want) || refusal(err) != kind {
				t.Errorf("%v; want %q, %s", err, want, kind)
			}
		}
	}
	notAsked := func(want, kind string) func([]workflows.AskedTrial, error) {
		return func(got []workflows.AskedTrial, err error) { refused(want, kind)(err) }
	}
	is := func(trial int) func([]workflows.AskedTrial, error) {
		return func(got []workflows.AskedTrial, err error) {
			if err != nil || len(got) != 1 || got[0].Trial != trial {
				t.Errorf("asked %+v, %v; want trial %d", got, err, trial)
				return
			}
			if trial == 0 && first.Params == nil {
				first = got[0]
			}
			if again := got[0]; trial == 0 {
				if again.LeaseEnds.Before(first.LeaseEnds) {
					t.Errorf("the lease of %+v was %v", again, first.LeaseEnds)
				}
				if again.LeaseEnds = first.LeaseEnds; !cmp.Equal(again, first) {
					t.Errorf("asked again it is %+v, and was %+v", again, first)
				}
			}
		}
	}
	zero, one, two, nine := 0, 1, 2, 9
	// counted from an hour, so that the search has begun on a busy machine too: time that is skipped costs none
	at := func(after time.Duration, do func()) { f.RegisterDelayedCallback(do, time.Hour+after) }
	at(1*time.Second, func() {
		if p := f.progress(t); p.Status != "waiting" || p.Reason != "waits for 2 trials to be told" || p.Running != 0 {
			t.Errorf("%+v", p)
		}
		f.tell(t, `{"trial":0,"state":"complete","metrics":{"rmse":1}}`, func(_ workflows.Told, err error) {
			refused("trial 0 has not been asked", workflows.Refused)(err)
		})
		f.ask(t, workflows.Ask{}, is(0))
		f.ask(t, workflows.Ask{Count: 101}, notAsked("give a number from 1 to 100", workflows.Refused))
		f.ask(t, workflows.Ask{Trial: &nine}, notAsked("there is no trial 9", workflows.Refused))
		f.ask(t, workflows.Ask{Trial: &two}, notAsked("trial 2 has not been asked", workflows.RefusedNow))
		f.ask(t, workflows.Ask{Count: 5}, is(1))
		f.ask(t, workflows.Ask{}, notAsked("no trial is open: waits for 2 trials", workflows.RefusedNow))
	})
	at(30*time.Minute, func() { f.ask(t, workflows.Ask{Trial: &zero}, is(0)) }) // renewed
	at(70*time.Minute, func() {
		f.ask(t, workflows.Ask{}, is(1)) // whose lease has ended
		f.ask(t, workflows.Ask{}, notAsked("no trial is open", workflows.RefusedNow))
	})
	at(100*time.Minute, func() {
		f.ask(t, workflows.Ask{}, is(0))
		for typed, want := range map[string]string{
			`{"trial":0,"state":"complete","metrics":{"rmse":null}}`:                   `the metric "rmse" is no number`,
			`{"trial":0,"state":"complete","metrics":{"size":1}}`:                      `it lacks the objective "rmse"`,
			`{"trial":0,"state":"complete","metrics":{"rmse":1e300}}`:                  "must be a number of at most 1e+30",
			`{"trial":0,"state":"good","metrics":{"rmse":1}}`:                          `"state" is "good": it is complete, pruned or fail`,
			`{"trial":0,"state":"complete","metrics":{"rmse":1},"colour":1}`:           `unknown field "colour"`,
			`{"trial":0,"state":"complete","metrics":{"rmse":1,"size":2,"rmse":2}}`:    `the field "metrics.rmse" is there twice`,
			`{"trial":1,"state":"fail","trial":0}`:                                     `the field "trial" is there twice`,
			`{"state":"fail"}`:                                                         `no "trial" is told`,
			`{"trial":7,"state":"fail"}`:                                               "there is no trial 7",
			`{"trial":-1,"state":"fail"}`:                                              "there is no trial -1",
			`[]`:                                                                       "not a JSON object",
			`{"trial":0,"state":"fail","steps":-1}`:                                    "-1 steps",
			`{"trial":0,"state":"fail","reason":"` + strings.Repeat("x", 40000) + `"}`: "more than 32768",
		} {
			f.tell(t, typed, func(_ workflows.Told, err error) { refused(want, workflows.Refused)(err) })
		}
		f.tell(t, `{"trial":1,"state":"complete","metrics":{"rmse":2,"size":1},"cost":{"cpu_seconds":3}}`, func(got workflows.Told, err error) {
			if err != nil || got != (workflows.Told{Trial: 1, Told: 0, Trials: 3}) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	})
	at(101*time.Minute, func() {
		f.tell(t, `{"trial":1,"state":"complete","metrics":{"size":1,"rmse":2}}`, func(got workflows.Told, err error) {
			if err != nil || !got.Again {
				t.Errorf("%+v, %v", got, err)
			}
		})
		f.tell(t, `{"trial":1,"state":"complete","metrics":{"rmse":2.5}}`, func(_ workflows.Told, err error) {
			refused(`told with something else: ok {"rmse":2,"size":1}`, workflows.Refused)(err)
		})
		f.ask(t, workflows.Ask{Trial: &one}, notAsked("trial 1 has been told", workflows.Refused))
		f.UpdateWorkflow(workflows.Pause, "pause", callback(t, nil), "lunch")
		f.tell(t, `{"trial":0,"state":"fail","reason":"x"}`, func(_ workflows.Told, err error) {
			if err != nil {
				t.Error(err)
			}
		})
	})
	at(102*time.Minute, func() {
		f.ask(t, workflows.Ask{}, notAsked("is paused: lunch", workflows.RefusedNow))
		f.tell(t, `{"trial":0,"state":"fail","reason":"x"}`, func(got workflows.Told, err error) {
			if err != nil || !got.Again || got.Told != 2 {
				t.Errorf("%+v, %v", got, err)
			}
		})
		f.UpdateWorkflow(workflows.Resume, "resume", callback(t, nil))
	})
	at(103*time.Minute, func() {
		f.ask(t, workflows.Ask{}, is(2))
		f.UpdateWorkflow(workflows.Extend, "extend", callback(t, nil), 1)
	})
	at(104*time.Minute, func() {
		f.ask(t, workflows.Ask{}, is(3))
		f.UpdateWorkflow(workflows.Stop, "stop", callback(t, nil))
		f.ask(t, workflows.Ask{}, notAsked("takes no more trials", workflows.RefusedEnded))
		f.tell(t, `{"trial":3,"state":"fail"}`, func(_ workflows.Told, err error) {
			refused("takes no more trials", workflows.RefusedEnded)(err)
		})
	})
	result, err := f.run(t, spec)
	if err != nil || result.Status != "stopped" || result.Trials != 2 || result.Failed != 1 || result.CPUSeconds != 3 {
		t.Fatalf("%+v, %v", result, err)
	}
	if p := f.progress(t); p.Running != 0 || p.SecondsLeft != 0 { // trial 2 is leased, and 3 was asked
		t.Errorf("at the end: %+v", p)
	}
	if first.Task.Name == "" || len(first.Task.Parameters) == 0 || len(first.Params) != 3 || first.Seed == 0 ||
		first.Objective.Metric != "rmse" {
		t.Errorf("%+v", first)
	}
}

// Only searches whose space says so are asked.
func TestOthersAreNotAsked(t *testing.T) {
	f := newFixture(t)
	f.RegisterDelayedCallback(func() {
		f.ask(t, workflows.Ask{}, func(_ []workflows.AskedTrial, err error) {
			if refusal(err) != workflows.Refused || !strings.Contains(err.Error(), "its trials are run by the trainer builtin") {
				t.Error(err)
			}
		})
		f.UpdateWorkflow(workflows.Resume, "go on", callback(t, nil))
	}, time.Minute)
	f.RegisterDelayedCallback(func() { f.UpdateWorkflow(workflows.Pause, "pause", callback(t, nil), "") }, 0)
	if _, err := f.run(t, `{"tasks":["tiny"],"trials":5}`); err != nil {
		t.Error(err)
	}
}

// What waits for an earlier trial is carried from run to run: it has a bound.
func TestWaitingOutcomesHaveABound(t *testing.T) {
	f := askedFixture(t)
	if _, _, err := library.PublishExternal(t.Context(), f.store, external.Spec{}, nil, data.Options{Name: "west"}, false); err != nil {
		t.Fatal(err)
	}
	taken, refusals := 0, 0
	f.RegisterDelayedCallback(func() {
		f.ask(t, workflows.Ask{Count: 100}, func(trials []workflows.AskedTrial, err error) {
			if err != nil || len(trials) != 100 {
				t.Errorf("%d, %v", len(trials), err)
			}
		})
	}, time.Second)
	f.RegisterDelayedCallback(func() {
		var metrics []string
		for k := range 60 {
			metrics = append(metrics, fmt.Sprintf(`"%s%d": 0.12345678901234567`, strings.Repeat("m", 60), k))
		}
		for trial := 1; trial < 100; trial++ {
			typed := fmt.Sprintf(`{"trial":%d,"state":"complete","metrics":{"rmse":1,%s}}`, trial, strings.Join(metrics, ","))
			f.tell(t, typed, func(_ workflows.Told, err error) {
				if err == nil {
					taken++
				} else if refusal(err) == workflows.RefusedNow && strings.Contains(err.Error(), "tell trial 0 first") {
					refusals++
				} else {
					t.Error(err)
				}
			})
		}
	}, 2*time.Second)
	f.RegisterDelayedCallback(func() { f.UpdateWorkflow(workflows.Stop, "stop", callback(t, nil)) }, time.Minute)
	if _, err := f.run(t, `{"tasks":["west"],"space":"boosting","strategy":"random","trials":200,"lag":100}`); err != nil {
		t.Fatal(err)
	}
	if taken < 20 || refusals < 20 {
		t.Errorf("%d taken, %d refused", taken, refusals)
	}
}

// What a constraint says of a trial that is asked: told the same again it is the same,
// and without the metric that it is about a tell is refused, and the trial stays open.
func TestToldUnderConstraints(t *testing.T) {
	f := askedFixture(t)
	sp, err := trainer.Load(fmt.Appendf(nil, "constraints: [{metric: size, max: 2}]\n"+ownSpace, trainer.External{}.Name()))
	if err != nil {
		t.Fatal(err)
	}
	if err := library.PublishSpace(t.Context(), f.store, sp, true); err != nil {
		t.Fatal(err)
	}
	large := `{"trial":0,"state":"complete","metrics":{"rmse":1,"size":3},"model":"m"}`
	f.RegisterDelayedCallback(func() {
		f.ask(t, workflows.Ask{Count: 2}, func(trials []workflows.AskedTrial, err error) {
			if err != nil || len(trials) != 2 || len(trials[0].Constraints) != 1 {
				t.Errorf("%+v, %v", trials, err)
			}
		})
		for _, typed := range []string{large, large, `{"trial":1,"state":"complete","metrics":{"rmse":1}}`} {
			f.tell(t, typed, func(got workflows.Told, err error) {
				if strings.HasPrefix(typed, `{"trial":1`) {
					if refusal(err) != workflows.Refused || !strings.Contains(err.Error(), "it lacks size, which constraints are about") {
						t.Errorf("%+v, %v", got, err)
					}
				} else if err != nil {
					t.Error(err)
				}
			})
		}
	}, time.Second)
	f.RegisterDelayedCallback(func() {
		f.tell(t, large, func(got workflows.Told, err error) { // now it has been learned from
			if err != nil || !got.Again || got.Told != 1 {
				t.Errorf("%+v, %v", got, err)
			}
		})
		f.tell(t, strings.Replace(large, `"size":3`, `"size":4`, 1), func(_ workflows.Told, err error) {
			if refusal(err) != workflows.Refused || !strings.Contains(err.Error(), `told with something else: infeasible {"rmse":1,"size":3}`) {
				t.Error(err)
			}
		})
		f.tell(t, `{"trial":1,"state":"complete","metrics":{"rmse":1,"size":2}}`, func(got workflows.Told, err error) {
			if err != nil || got.Again {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}, time.Minute)
	r, err := f.run(t, `{"tasks":["north"],"space":"boosting","strategy":"random","trials":2,"lag":2}`)
	if err != nil || r.Trials != 2 || r.Infeasible != 1 || r.Failed != 0 || len(r.Best) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
}
