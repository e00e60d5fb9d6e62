package monitor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"

	"tnaml/activities/memory"
	"tnaml/workflows"
)

const (
	// maxSearches bounds the searches that are known, maxLooked those that the server is asked
	// about at one look, which comes once in lookEvery.
	maxSearches = 4096
	maxLooked   = 50
	lookEvery   = time.Minute
)

// searches knows when the searches that this worker moves last learned. One that learns on
// another worker, or ends there, this one is not told of: it asks the server about those that
// seem to stand still.
type searches struct {
	mu    sync.Mutex
	known *simplelru.LRU[string, moved] // by workflow ID
}

// moved is when a search was last seen to learn, and how it then stood at the server; "": nobody
// has looked since.
type moved struct {
	at    time.Time
	stood string
}

func newSearches() *searches { return &searches{known: memory.NewLRU[moved](maxSearches, nil)} }

// learned notes that a search has gone on.
func (s *searches) learned(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known.Add(id, moved{at: time.Now()})
}

// waits notes a search that waits with this worker: where it was not known, from now on.
func (s *searches) waits(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.known.Contains(id) {
		s.known.Add(id, moved{at: time.Now()})
	}
}

// forget drops a search that has ended, or goes on elsewhere, unless it has moved since.
func (s *searches) forget(id string, unless moved) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now, ok := s.known.Peek(id); ok && (unless == moved{} || now == unless) {
		s.known.Remove(id)
	}
}

// age is how long the search has stood still that has for longest. Of one that may have ended on
// another worker, or gone on there, it is no more than a look's time, until the server was asked.
func (s *searches) age(now time.Time) (oldest time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.known.Values() {
		stood := now.Sub(m.at)
		if m.stood == "" {
			stood = min(stood, lookEvery)
		}
		oldest = max(oldest, stood)
	}
	return oldest
}

// describer is what searches ask of the server.
type describer interface {
	DescribeWorkflowExecution(ctx context.Context, id, runID string) (*workflowservice.DescribeWorkflowExecutionResponse, error)
}

// still lists those that have not moved for a look's time, the oldest first.
func (s *searches) still(now time.Time) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	at := map[string]time.Time{}
	for _, id := range s.known.Keys() {
		if m, _ := s.known.Peek(id); now.Sub(m.at) > lookEvery {
			ids, at[id] = append(ids, id), m.at
		}
	}
	slices.SortFunc(ids, func(a, b string) int { return cmp.Or(at[a].Compare(at[b]), cmp.Compare(a, b)) })
	return ids[:min(len(ids), maxLooked)]
}

// standing is how a search stands: in which run, how many trials it had been told at its last
// checkpoint, and what it waits for. It changes with every step of a search that goes on. The
// history is no such thing: one that stands still looks again and again whether it is served.
func standing(d *workflowservice.DescribeWorkflowExecutionResponse) string {
	info := d.GetWorkflowExecutionInfo()
	var steps []string
	for _, a := range d.GetPendingActivities() {
		steps = append(steps, a.GetActivityId())
	}
	for _, c := range d.GetPendingChildren() {
		steps = append(steps, fmt.Sprint("child ", c.GetInitiatedId()))
	}
	slices.Sort(steps)
	told := info.GetSearchAttributes().GetIndexedFields()[workflows.AttributeTrials.GetName()].GetData()
	return fmt.Sprintf("%s %s %q", info.GetExecution().GetRunId(), told, steps)
}

// look asks the server about those that seem to stand still, and forgets those that have
// ended, or gone on elsewhere since the last look.
func (s *searches) look(ctx context.Context, c describer, now time.Time) {
	for _, id := range s.still(now) {
		s.mu.Lock()
		was, ok := s.known.Peek(id)
		s.mu.Unlock()
		if !ok {
			continue
		}
		d, err := c.DescribeWorkflowExecution(ctx, id, "")
		if err != nil {
			if errors.As(err, new(*serviceerror.NotFound)) {
				s.forget(id, was)
			}
			continue
		}
		now := standing(d)
		switch {
		case d.GetWorkflowExecutionInfo().GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, was.stood != "" && was.stood != now:
			s.forget(id, was)
		case was.stood == "":
			s.mu.Lock()
			if m, ok := s.known.Peek(id); ok && m == was {
				s.known.Add(id, moved{was.at, now})
			}
			s.mu.Unlock()
		}
	}
}
