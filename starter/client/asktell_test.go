package client_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"tnaml/activities/library"
	"tnaml/experiments/data"
	"tnaml/experiments/data/external"
	"tnaml/experiments/trainer"
	"tnaml/starter/client"
	"tnaml/workflows"
)

// own has external tasks and a space whose trials are asked.
func own(t *testing.T, c *client.Client) workflows.SearchSpec {
	t.Helper()
	for _, name := range []string{"north", "south"} {
		spec := external.Spec{Parameters: json.RawMessage(`{"region": "` + name + `"}`)}
		if _, _, err := library.PublishExternal(t.Context(), c.Store, spec, nil, data.Options{Name: name}, true); err != nil {
			t.Fatal(err)
		}
	}
	sp, err := trainer.Load([]byte("name: own\ntrainer: external\nobjective: {metric: rmse, direction: minimise}\nchoices:\n" +
		"  - {name: depth, options: [2, 4, 8, 16]}\n  - {name: rate, options: [0.3, 0.1, 0.03]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := library.PublishSpace(t.Context(), c.Store, sp, true); err != nil {
		t.Fatal(err)
	}
	s := workflows.DefaultSearchSpec()
	s.Tasks, s.Space, s.Strategy, s.Trials, s.Lag, s.CheckpointEvery = []string{"north", "south"}, "own", "naml", 40, 4, 10
	return s
}

func measured(a workflows.AskedTrial) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"trial":%d,"state":"complete","metrics":{"rmse":%v}}`, a.Trial,
		1/a.Params["depth"].(float64)+a.Params["rate"].(float64)+float64(a.Seed%1000)/1e4))
}

// loop asks and tells until the search takes no more trials, and returns how many it ran.
func loop(t *testing.T, c *client.Client, name string, took func(trial int)) (n int) {
	for {
		asked, err := c.AskWait(t.Context(), name, workflows.Ask{})
		var refused *client.RefusedError
		if errors.As(err, &refused) && refused.Ended {
			return n
		}
		if err != nil {
			t.Error(err)
			return n
		}
		for _, a := range asked.Trials {
			if took(a.Trial); a.Task.Parameters == nil {
				t.Errorf("%+v", a)
			}
			if _, err := c.Tell(t.Context(), name, measured(a)); err != nil {
				t.Error(err)
				return n
			}
			n++
		}
	}
}

// Two who ask at once, who never get one trial between them, and one who does all: one
// ledger. What a search has ended with can be told again, and nothing else.
func TestTwoAskersAreOne(t *testing.T) {
	c := connected(t)
	serve(t, c)
	spec := own(t, c)
	var ledgers []string
	for askers := 1; askers <= 2; askers++ {
		name, err := c.StartSearch(t.Context(), fmt.Sprintf("asked-%d-%s", askers, c.TaskQueue), spec)
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		var mu sync.Mutex
		taken := map[int]int{}
		began := time.Now()
		for range askers {
			all.Go(func() {
				loop(t, c, name, func(trial int) {
					mu.Lock()
					taken[trial]++
					mu.Unlock()
				})
			})
		}
		all.Wait()
		t.Logf("%d askers: %.1f asks and tells a second", askers, 2*float64(spec.Trials)/time.Since(began).Seconds())
		if _, err := c.Follow(t.Context(), name, func(client.Progress) {}); err != nil {
			t.Fatal(err)
		}
		l, err := c.Find(t.Context(), name)
		if err != nil || len(l.Trials) != spec.Trials || len(taken) != spec.Trials {
			t.Fatalf("%d trials, %d taken, %v", len(l.Trials), len(taken), err)
		}
		for trial, n := range taken {
			if n != 1 {
				t.Errorf("trial %d was taken %d times", trial, n)
			}
		}
		ledgers = append(ledgers, string(l.Record.Ledger))

		last := l.Trials[39]
		if told, err := c.Tell(t.Context(), name, json.RawMessage(fmt.Sprintf(`{"trial":39,"state":"complete","metrics":{"rmse":%v}}`,
			last.Metrics["rmse"]))); err != nil || !told.Again {
			t.Errorf("%+v, %v", told, err)
		}
		for typed, want := range map[string]string{
			`{"trial":39,"state":"complete","metrics":{"rmse":77}}`: "trial 39 has been told with something else",
			`{"trial":40,"state":"fail"}`:                           "takes no more trials",
			`{"trial":39,"state":"fine"}`:                           `"state" is "fine"`,
			`nonsense`:                                              "no JSON",
		} {
			var refused *client.RefusedError
			if _, err := c.Tell(t.Context(), name, json.RawMessage(typed)); !errors.As(err, &refused) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", typed, err)
			}
		}
		if _, err := c.Ask(t.Context(), name, workflows.Ask{}); err == nil || !strings.Contains(err.Error(), "takes no more trials") {
			t.Error(err)
		}
	}
	if ledgers[0] != ledgers[1] || ledgers[0] == "" {
		t.Errorf("the ledgers are %q", ledgers)
	}
	if _, err := c.Ask(t.Context(), "nobody", workflows.Ask{}); !errors.As(err, new(*client.NotFoundError)) {
		t.Error(err)
	}
}

// Whoever asks as a search ends is told that it takes no more, whether the call comes
// before, while or after its workflow closes.
func TestAskedAsItEnds(t *testing.T) {
	c := connected(t)
	serve(t, c)
	spec := own(t, c)
	spec.Strategy, spec.Trials, spec.Lag = "random", 2, 1
	never := spec.Trials
	for i := range 5 {
		name, err := c.StartSearch(t.Context(), fmt.Sprintf("ends-%d-%s", i, c.TaskQueue), spec)
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for range 24 {
			all.Go(func() {
				for {
					_, err := c.Ask(t.Context(), name, workflows.Ask{Trial: &never})
					var refused *client.RefusedError
					switch {
					case errors.As(err, &refused) && refused.Ended:
						return
					case err != nil && !errors.As(err, &refused):
						t.Error(err)
						return
					}
				}
			})
		}
		loop(t, c, name, func(int) {})
		all.Wait()
	}
}

// A search whose runs are short continues as new every few changes, and what comes meanwhile makes the
// server do that again: no change is lost, none is refused.
func TestSteeredAsItContinues(t *testing.T) {
	c := connected(t)
	serve(t, c)
	spec := own(t, c)
	spec.HistoryLimit = 100
	name, err := c.StartSearch(t.Context(), "continues-"+c.TaskQueue, spec)
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var signals, changes sync.WaitGroup
	for range 4 {
		signals.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(20 * time.Millisecond):
					if err := c.Temporal.SignalWorkflow(t.Context(), name, "", workflows.Extend, 0); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	for i := range 4 {
		changes.Go(func() {
			for range 25 {
				p, err := c.Pause(t.Context(), name, fmt.Sprint("by ", i))
				if err == nil && p.State != client.Paused && p.State != client.Silent { // then it is left with the search
					t.Errorf("paused, it is %s", p.State)
				}
				if err == nil {
					_, err = c.Resume(t.Context(), name)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	changes.Wait()
	close(stop)
	signals.Wait()
	if d, err := c.Temporal.DescribeWorkflowExecution(t.Context(), name, ""); err != nil ||
		d.GetWorkflowExecutionInfo().GetFirstRunId() == d.GetWorkflowExecutionInfo().GetExecution().GetRunId() {
		t.Errorf("it has not continued as new: %v, %v", d, err)
	}
	if p, err := c.Stop(t.Context(), name); err != nil || p.State == client.Paused {
		t.Errorf("at the end: %+v, %v", p, err)
	}
}
