package monitor

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"

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

// moved is when a search was last seen to learn, and how many trials it had then been told; -1:
// this worker has not seen it learn.
type moved struct {
	at   time.Time
	told int
}

func newSearches() *searches { return &searches{known: memory.NewLRU[moved](maxSearches, nil)} }

// learned notes that a search has gone on.
func (s *searches) learned(id string, told int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known.Add(id, moved{time.Now(), told})
}

// waits notes a search that waits with this worker: where it was not known, from now on.
func (s *searches) waits(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.known.Contains(id) {
		s.known.Add(id, moved{time.Now(), -1})
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

// age is how long the search has stood still that has for longest.
func (s *searches) age(now time.Time) (oldest time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.known.Values() {
		oldest = max(oldest, now.Sub(m.at))
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

// look asks the server about those that seem to stand still, and forgets those that have
// ended or were told more trials elsewhere.
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
		info := d.GetWorkflowExecutionInfo()
		told := -1
		if p := info.GetSearchAttributes().GetIndexedFields()[workflows.AttributeTrials.GetName()]; p != nil {
			_ = converter.GetDefaultDataConverter().FromPayload(p, &told)
		}
		switch {
		case info.GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, was.told >= 0 && told > was.told:
			s.forget(id, was)
		case was.told < 0 && told >= 0:
			s.mu.Lock()
			if m, ok := s.known.Peek(id); ok && m == was {
				s.known.Add(id, moved{was.at, told})
			}
			s.mu.Unlock()
		}
	}
}
