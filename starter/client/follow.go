package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	sdk "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"tnaml/activities"
	"tnaml/workflows"
)

// State is what one who follows must tell apart.
type State string

// The states.
const (
	// Working: it goes on.
	Working State = "working"
	// Paused: it waits for somebody to resume it; the progress has the reason.
	Paused State = "paused"
	// Silent: no worker answers, so nobody knows how far it is.
	Silent State = "silent"
	// Away: the Temporal server does not answer; what it runs goes on when it is back.
	Away State = "away"
)

// Progress is where a search or a run stands.
type Progress struct {
	State State
	// One of these is there, but where State is Silent or Away.
	Search     *SearchProgress
	Run        *RunProgress
	Collection *CollectionProgress
}

// Answer is the progress as the workflow gave it, for scripts.
func (p Progress) Answer() any {
	switch {
	case p.Run != nil:
		return p.Run.ExperimentProgress
	case p.Search != nil:
		return p.Search.Progress
	}
	return p.Collection
}

// Why is the reason that the progress gives for its state.
func (p Progress) Why() string {
	switch {
	case p.Run != nil:
		return p.Run.Reason
	case p.Search != nil:
		return p.Search.Reason
	}
	return ""
}

// SearchProgress is where a search stands.
type SearchProgress struct {
	workflows.Progress
	// Images says how many images have the features that are being computed, where the
	// search prepares them: only their activities' heartbeats know.
	Images activities.Images
}

// RunProgress is where a run of an experiment stands.
type RunProgress struct {
	workflows.ExperimentProgress
	// Flight holds its searches in flight, those that answered.
	Flight []SearchProgress
}

// Result is what a search or a run found, or a collection did; the others are nil.
type Result struct {
	Search     *workflows.SearchResult
	Run        *workflows.ExperimentResult
	Collection *activities.Collected
}

// Follow follows a search, a run or a collection until it ends, or ctx does, and tells its progress.
// Where it ended without a result, that is the error; it goes on if ctx ends. A server that is away
// ends nothing.
func (c *Client) Follow(ctx context.Context, name string, tell func(Progress)) (Result, error) {
	kind, err := c.KindOf(ctx, name)
	if err != nil {
		return Result{}, err
	}
	var r Result
	switch kind {
	case Run:
		r.Run = &workflows.ExperimentResult{}
		err = c.wait(ctx, kind, name, 2*pollEvery, r.Run, tell)
	case Collection:
		r.Collection = &activities.Collected{}
		err = c.wait(ctx, kind, name, pollEvery, r.Collection, tell)
	default:
		r.Search = &workflows.SearchResult{}
		err = c.wait(ctx, kind, name, pollEvery, r.Search, tell)
	}
	return r, err
}

// wait waits for a workflow; its error is returned as it is.
func (c *Client) wait(ctx context.Context, kind Kind, name string, every time.Duration, result any, tell func(Progress)) error {
	done := make(chan error, 1)
	go func() { done <- c.outcome(ctx, name, every, result) }()
	answered := time.Now()
	for {
		p, err := c.progress(ctx, kind, name)
		switch {
		case errors.As(err, new(*NotFoundError)):
			return err
		case err == nil:
			answered = time.Now()
			tell(p)
		case errors.Is(err, ErrAway):
			tell(Progress{State: Away})
		case ctx.Err() == nil && time.Since(answered) > queryTimeout:
			tell(Progress{State: Silent})
		}
		select {
		case err := <-done:
			if ctx.Err() != nil {
				return ctx.Err() // the SDK has words of its own for it
			}
			return err
		case <-time.After(every):
		}
	}
}

// outcome waits for a workflow's result. The SDK gives a server up that has been away for a while,
// which is no end of what it runs: it is asked again.
func (c *Client) outcome(ctx context.Context, name string, every time.Duration, result any) error {
	for {
		err := c.Temporal.GetWorkflow(ctx, name, "").Get(ctx, result)
		if !unanswered(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(every):
		}
	}
}

// Progress asks where a search, a run or a collection stands. Where nobody answers, the error is ErrSilent or ErrAway.
func (c *Client) Progress(ctx context.Context, name string) (Progress, error) {
	kind, err := c.KindOf(ctx, name)
	if err != nil {
		return Progress{}, err
	}
	return c.progress(ctx, kind, name)
}

func (c *Client) progress(ctx context.Context, kind Kind, name string) (Progress, error) {
	switch kind {
	case Search:
		s, err := c.searchProgress(ctx, name)
		return Progress{State: stateOf(s.Status), Search: &s}, err
	case Collection:
		p, err := c.collectionProgress(ctx, name)
		return Progress{State: Working, Collection: p}, err
	}
	var r RunProgress
	if err := c.query(ctx, name, &r.ExperimentProgress); err != nil {
		return Progress{}, called(kind, name, err)
	}
	c.flight(ctx, &r)
	r.settle()
	return Progress{State: stateOf(r.Status), Run: &r}, nil
}

// flight asks a run's searches in flight where they stand.
func (c *Client) flight(ctx context.Context, r *RunProgress) {
	for _, search := range r.Running {
		if s, err := c.searchProgress(ctx, search); err == nil {
			r.Flight = append(r.Flight, s)
		}
	}
}

// AllTold is the number of trials that have been told, those of searches in flight
// included.
func (r *RunProgress) AllTold() int {
	told := r.Told
	for _, s := range r.Flight {
		told += s.Told
	}
	return told
}

// SecondsLeft estimates the time to the run's end by the rates of its searches in flight,
// which know of no pauses; 0 if unknown. A search that has no rate yet is taken to be as
// fast as the others, and the run ends no earlier than the one that needs longest. What
// searches that have ended early did not need is not to come.
func (r *RunProgress) SecondsLeft() float64 {
	var rate, known, working, longest float64
	left := 0
	for _, s := range r.Flight {
		left += max(s.Trials-s.Told, 0)
		if s.Status == "paused" {
			continue
		}
		if working++; s.TrialsPerSecond > 0 {
			rate, known, longest = rate+s.TrialsPerSecond, known+1, max(longest, s.SecondsLeft)
		}
	}
	if known == 0 {
		return 0
	}
	if waiting := r.Searches - r.Done - len(r.Flight); waiting > 0 { // of about as many trials as the others
		left += waiting * r.Trials / r.Searches
	}
	return max(float64(left)/(rate*working/known), longest)
}

// settle has a run whose searches in flight have all paused be paused: it waits for
// somebody as they do.
func (r *RunProgress) settle() {
	if r.Status != "running" || len(r.Flight) == 0 || len(r.Flight) < len(r.Running) {
		return
	}
	for _, s := range r.Flight {
		if s.Status != "paused" {
			return
		}
	}
	r.Status, r.Reason = "paused", fmt.Sprintf("%s is: %s", r.Flight[0].Name, r.Flight[0].Reason)
	if n := len(r.Flight); n > 1 {
		r.Reason = fmt.Sprintf("its %d searches in flight are, %s: %s", n, r.Flight[0].Name, r.Flight[0].Reason)
	}
}

func stateOf(status string) State {
	if status == "paused" {
		return Paused
	}
	return Working
}

func (c *Client) searchProgress(ctx context.Context, name string) (SearchProgress, error) {
	var s SearchProgress
	if err := c.query(ctx, name, &s.Progress); err != nil {
		return s, called(Search, name, err)
	}
	if s.Preparing == "" {
		return s, nil
	}
	if d, err := c.Temporal.DescribeWorkflowExecution(ctx, name, ""); err == nil {
		s.Images = underWay(d.GetPendingActivities())
	}
	return s, nil
}

// query asks a workflow how far it is.
func (c *Client) query(ctx context.Context, name string, progress any) error {
	return c.queried(ctx, name, workflows.ProgressQuery, progress)
}

// queried asks a workflow something; one that has ended answers too.
func (c *Client) queried(ctx context.Context, name, query string, out any) error {
	within, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	var response *sdk.QueryWorkflowWithOptionsResponse
	err := persist(within, func() (err error) {
		response, err = c.Temporal.QueryWorkflowWithOptions(within, &sdk.QueryWorkflowWithOptionsRequest{
			WorkflowID: name, QueryType: query, QueryRejectCondition: enumspb.QUERY_REJECT_CONDITION_NONE,
		})
		return err
	})
	if err != nil {
		return c.silence(ctx, err)
	}
	if err := response.QueryResult.Get(out); err != nil {
		return fmt.Errorf("its %s: %w", query, err)
	}
	return nil
}

// underWay adds up how many images have the features that are being computed.
func underWay(pending []*workflowpb.PendingActivityInfo) (sum activities.Images) {
	for _, a := range pending {
		var one activities.Images
		if a.GetActivityType().GetName() == "Features" && converter.GetDefaultDataConverter().FromPayloads(a.GetHeartbeatDetails(), &one) == nil {
			sum.Done += one.Done
			sum.Total += one.Total
		}
	}
	return sum
}
