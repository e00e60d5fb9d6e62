package client

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	sdk "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"tnaml/workflows"
)

// leasing refuses asks until a trial opens; from then on it leases one and says so after a while, or
// never where it is silent. Whoever does not wait for that has lost the trial.
type leasing struct {
	sdk.Client
	opens           time.Time
	takes           time.Duration
	silent, away    bool
	begun, answered int
}

func (l *leasing) UpdateWorkflow(ctx context.Context, _ sdk.UpdateWorkflowOptions) (sdk.WorkflowUpdateHandle, error) {
	open := !time.Now().Before(l.opens)
	l.begun++
	after := time.After(l.takes)
	if l.silent || l.away {
		after = nil
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-after:
	}
	if !open {
		return nil, temporal.NewApplicationError("no trial is open", workflows.RefusedNow)
	}
	l.answered++
	return leased{}, nil
}

func (*leasing) DescribeWorkflowExecution(context.Context, string, string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	return nil, errors.New("it is not told what it is")
}

func (l *leasing) CheckHealth(ctx context.Context, _ *sdk.CheckHealthRequest) (*sdk.CheckHealthResponse, error) {
	if l.away {
		return nil, errors.New("connection refused")
	}
	return &sdk.CheckHealthResponse{}, nil
}

type leased struct{ sdk.WorkflowUpdateHandle }

func (leased) Get(_ context.Context, out any) error {
	*(out.(*workflows.Asked)) = workflows.Asked{Trials: []workflows.AskedTrial{{Trial: 7}}}
	return nil
}

// However a wait ends, a trial that the workflow leases comes to whoever asked; where no worker
// answers, that is said, and not that none was open.
func TestAWaitThatEndsLosesNoTrial(t *testing.T) {
	ended := context.DeadlineExceeded
	for name, c := range map[string]struct {
		server leasing
		wait   time.Duration
		opens  time.Duration
		want   error
		trials int
		within time.Duration
	}{
		"ends under an ask that is answered":    {leasing{takes: 2 * time.Second}, time.Second, 0, nil, 1, 2 * time.Second},
		"ends under an ask that is refused":     {leasing{takes: 2 * time.Second}, time.Second, time.Hour, ended, 0, 2 * time.Second},
		"ends between asks":                     {leasing{}, 10 * time.Second, time.Hour, ended, 0, 10 * time.Second},
		"a trial opens":                         {leasing{}, 10 * time.Second, 5 * time.Second, nil, 1, 7 * time.Second},
		"no worker, and a wait of ten seconds":  {leasing{silent: true}, 10 * time.Second, 0, ErrSilent, 0, updateTimeout},
		"no worker, and a wait of fifty":        {leasing{silent: true}, 50 * time.Second, 0, ErrSilent, 0, updateTimeout},
		"no server, and a wait of ten seconds":  {leasing{away: true}, 10 * time.Second, 0, ErrAway, 0, updateTimeout},
		"has ended before: nothing is begun":    {leasing{}, -time.Second, 0, ended, 0, 0},
		"an answer that takes longer than asks": {leasing{takes: time.Minute}, time.Second, 0, ErrSilent, 0, updateTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				server := c.server
				server.opens = began.Add(c.opens)
				ctx, cancel := context.WithTimeout(t.Context(), c.wait)
				defer cancel()
				out, err := (&Client{Temporal: &server}).AskWait(ctx, "own", workflows.Ask{})
				if !errors.Is(err, c.want) || len(out.Trials) != c.trials || server.answered != c.trials || time.Since(began) > c.within {
					t.Errorf("%d trials of %d leased, %v after %v; want %d, %v within %v", len(out.Trials), server.answered, err,
						time.Since(began), c.trials, c.want, c.within)
				}
				if c.wait < 0 && server.begun > 0 {
					t.Errorf("%d asks were begun after the wait's end", server.begun)
				}
			})
		})
	}
}

// One ask is as one of a wait: whoever has it canceled under way gets what comes of it.
func TestACanceledAskIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := leasing{takes: 2 * time.Second}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		out, err := (&Client{Temporal: &server}).Ask(ctx, "own", workflows.Ask{})
		if err != nil || len(out.Trials) != 1 {
			t.Errorf("%+v, %v", out, err)
		}
	})
}
