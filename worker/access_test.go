package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tnaml/activities/store"
	"tnaml/deploy/stack/stacktest"
	"tnaml/worker/host"
	"tnaml/workflows"
)

// robbed is a store whose answers to one worker are 403.
type robbed struct {
	store.Store
	now atomic.Bool
}

func (s *robbed) Get(ctx context.Context, ref store.Ref) ([]byte, error) {
	if s.now.Load() {
		return nil, fmt.Errorf("object %s: %w", ref, store.ErrDenied)
	}
	return s.Store.Get(ctx, ref)
}

func (s *robbed) GetName(ctx context.Context, kind store.Kind, name string) ([]byte, store.Version, error) {
	if s.now.Load() {
		return nil, "", fmt.Errorf("%s %q: %w", kind, name, store.ErrDenied)
	}
	return s.Store.GetName(ctx, kind, name)
}

func (s *robbed) Put(ctx context.Context, data []byte) (store.Ref, error) {
	if s.now.Load() {
		return "", store.ErrDenied
	}
	return s.Store.Put(ctx, data)
}

// A worker whose keys are taken away in the middle of a search costs the search
// nothing: it takes no more work until it has them again.
func TestOneWorkerLosesItsKeys(t *testing.T) {
	if testing.Short() {
		t.Skip("runs searches")
	}
	a := stacktest.Shared(t)
	b := newBench(t, a, a, "")
	b.slow(t, 2000)
	const spec = `{"tasks":["words"],"space":"slow","strategy":"random","trials":60,"lag":6,"retrain":true}`
	healthy := b.worker(t, "healthy")
	defer healthy.stop(t)
	want := b.outcome(t, b.start(t, workflows.SearchWorkflow, "undisturbed", json.RawMessage(spec)))

	s, log := &robbed{Store: b.store}, new(stacktest.Output)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- host.Run(ctx, b.client, s, host.Options{TaskQueue: b.queue, Identity: "robbed", Log: slog.New(slog.NewTextHandler(log, nil))})
	}()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	run := b.start(t, workflows.SearchWorkflow, "robbed", json.RawMessage(spec))
	b.resume(t, run)
	b.told(t, run, 10)
	s.now.Store(true)
	if got := b.outcome(t, run); got.ledger != want.ledger {
		t.Errorf("another ledger: %+v, want %+v", got, want)
	}
	says := func(what string) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); !strings.Contains(log.String(), what); time.Sleep(100 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("its log does not say %q: %s", what, log)
			}
		}
	}
	says("it takes no work until it has")
	s.now.Store(false)
	says("this worker takes work again")
}
