package workflows_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"go.temporal.io/sdk/temporal"

	"tnaml/experiments/trainer"
	"tnaml/workflows"
)

// A search whose trainer nobody serves says so, also after a pause, and no more once
// a trial has ended.
func TestSearchWaitsForATrainer(t *testing.T) {
	f := newFixture(t)
	f.unserved = true
	var statuses []string
	f.OnUpsertTypedSearchAttributes(mock.MatchedBy(func(a temporal.SearchAttributes) bool {
		if s, ok := a.GetKeyword(workflows.AttributeStatus); ok && (len(statuses) == 0 || statuses[len(statuses)-1] != s) {
			statuses = append(statuses, s)
		}
		return true
	})).Return(nil)
	served := make(chan struct{})
	f.train = func(ctx context.Context, r trainer.Request) (trainer.Outcome, error) {
		<-served
		return plain(ctx, r)
	}
	serve := sync.OnceFunc(func() { close(served) })
	defer serve()
	f.RegisterDelayedCallback(func() {
		p := f.progress(t)
		if p.Status != "waiting" || !strings.Contains(p.Reason, "no worker serves the trainer builtin") {
			t.Errorf("without a worker: %+v", p)
		}
		f.SignalWorkflow(workflows.Pause, "")
		f.SignalWorkflow(workflows.Resume, nil)
	}, 3*time.Second)
	f.RegisterDelayedCallback(serve, 4*time.Second)
	result, err := f.run(t, `{"tasks":["tiny"],"trials":5}`)
	if err != nil || result.Trials != 5 {
		t.Fatalf("%+v, %v", result, err)
	}
	if want := []string{"running", "waiting", "paused", "waiting", "running", "completed"}; !slices.Equal(statuses, want) {
		t.Errorf("it was %v, want %v", statuses, want)
	}
}
