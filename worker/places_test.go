package main_test

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/deploy/stack/stacktest"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/worker/host"
	"tnaml/workflows"
)

// modeller is a trainer whose trials leave models. It counts them, and how many run at once.
type modeller struct {
	trainer.Definition
	begun, running, most atomic.Int32
}

func (*modeller) Version() string { return "1" }
func (*modeller) Cached() bool    { return false }

func (m *modeller) Run(_ context.Context, r trainer.Request, _ func(trainer.Progress) error) (trainer.Result, error) {
	m.begun.Add(1)
	if n := m.running.Add(1); n > m.most.Load() { // of one place
		m.most.Store(n)
	}
	defer m.running.Add(-1)
	time.Sleep(50 * time.Millisecond)
	return trainer.Result{
		Outcome: trainer.Outcome{Status: trainer.OK, Metrics: map[string]float64{"validation_accuracy": float64(r.Trial) / 100}},
		Encode:  func() []byte { return fmt.Appendf(nil, "model %d", r.Trial) },
	}, nil
}

// narrow is a store that takes models only once it is opened.
type narrow struct {
	store.Store
	opened  chan struct{}
	waiting atomic.Int32
}

func (s *narrow) Put(ctx context.Context, b []byte) (store.Ref, error) {
	if bytes.HasPrefix(b, []byte("model ")) {
		s.waiting.Add(1)
		defer s.waiting.Add(-1)
		select {
		case <-s.opened:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	return s.Store.Put(ctx, b)
}

// While a trial's model is on its way to the store, the next trial runs in its place; but no third
// one, whose model would be in memory beside two others.
func TestModelOnItsWayTakesNoPlace(t *testing.T) {
	a := stacktest.Shared(t)
	b := newBench(t, a, a, "")
	sp := &space.Space{Name: "models", Trainer: "modeller", Objective: space.Objective{Metric: trainer.Accuracy},
		Choices: []space.Choice{{Name: "depth", Options: []any{int64(1), int64(2), int64(3)}}}}
	if err := library.PublishSpace(t.Context(), b.store, sp, true); err != nil {
		t.Fatal(err)
	}
	s, m := &narrow{Store: b.store, opened: make(chan struct{})}, &modeller{Definition: trainer.Find("modeller")}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- host.Run(ctx, b.client, s, host.Options{TaskQueue: b.queue, Slots: 1, Trainers: []trainer.Trainer{m}})
	}()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	const trials = 12
	run := b.start(t, workflows.SearchWorkflow, "models", merged(spec{"tasks": []string{"words"}, "space": "models", "strategy": "random"},
		spec{"trials": trials, "lag": 6, "keep_models": trials}))
	for deadline := time.Now().Add(patience); s.waiting.Load() < 2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d trials have begun, %d models are on their way\n%s", m.begun.Load(), s.waiting.Load(), b.standing(t.Context(), run))
		}
	}
	time.Sleep(2 * time.Second) // it would begin at once
	if n := m.begun.Load(); n != 2 {
		t.Errorf("%d trials have begun with two models on their way", n)
	}
	close(s.opened)
	if got := b.outcome(t, run); len(got.trials) != trials || m.begun.Load() != trials || m.most.Load() != 1 {
		t.Errorf("%d trials, %d begun, %d at once", len(got.trials), m.begun.Load(), m.most.Load())
	}
}
