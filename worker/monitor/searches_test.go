package monitor

import (
	"context"
	"fmt"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"

	"tnaml/workflows"
)

// server says of each search how it stands; of one that is not there, that.
type server map[string]stands

// stands is a search with what it was told at its last checkpoint, of whose steps one is the last:
// looked is how often it has looked whether it is served.
type stands struct {
	told, step, looked int
	ended              bool
}

func (s server) DescribeWorkflowExecution(_ context.Context, id, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	is, ok := s[id]
	if !ok {
		return nil, serviceerror.NewNotFound(id)
	}
	p, err := converter.GetDefaultDataConverter().ToPayload(is.told)
	info := &workflowpb.WorkflowExecutionInfo{Status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, SearchAttributes: &commonpb.SearchAttributes{
		IndexedFields: map[string]*commonpb.Payload{workflows.AttributeTrials.GetName(): p}}, HistoryLength: int64(100*is.step + is.looked)}
	if is.ended {
		info.Status = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
	}
	pending := []*workflowpb.PendingActivityInfo{{ActivityId: fmt.Sprint(is.step), Attempt: int32(is.looked)}}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: info, PendingActivities: pending}, err
}

// The age is that of the search that stands still: not of one that has ended, or learns on another
// worker.
func TestProgressAge(t *testing.T) {
	s := newSearches()
	if s.age(time.Now()) != 0 {
		t.Error("there is an age without a search")
	}
	now := time.Now()
	for _, id := range []string{"stands", "ended", "elsewhere", "told", "gone"} {
		s.learned(id)
	}
	s.waits("waits") // it has come from a worker that stopped
	// The searches were told 12, and had their last checkpoints at 10.
	at := server{"stands": {told: 10}, "ended": {ended: true}, "elsewhere": {told: 10}, "told": {told: 10}, "waits": {told: 7}}
	s.look(t.Context(), at, now) // none has stood still for long
	if n := s.known.Len(); n != 6 {
		t.Fatalf("%d are known", n)
	}
	later := now.Add(2 * lookEvery)
	if age := s.age(later); age != lookEvery { // they may all be at work elsewhere
		t.Errorf("the age is %v, and the server was not asked", age)
	}
	s.look(t.Context(), at, later)
	at["stands"], at["elsewhere"], at["told"] = stands{told: 10, looked: 3}, stands{told: 10, step: 1}, stands{told: 11}
	s.look(t.Context(), at, later)
	if got := fmt.Sprint(s.still(later)); got != "[stands waits]" {
		t.Errorf("%s stand still", got)
	}
	if age := s.age(later).Round(time.Second); age != 2*lookEvery {
		t.Errorf("the age is %v", age)
	}
	s.waits("stands")                      // says nothing new
	at["waits"] = stands{told: 7, step: 1} // it has gone on elsewhere
	s.look(t.Context(), at, later)
	s.forget("stands", moved{time.Now(), "so"}) // meant another time
	if got := fmt.Sprint(s.still(later)); got != "[stands]" {
		t.Errorf("%s stand still", got)
	}
	s.forget("stands", moved{})
	if s.known.Len() != 0 {
		t.Errorf("%v are known", s.known.Keys())
	}
	for i := range 2 * maxSearches {
		s.learned(fmt.Sprint(i))
	}
	if n := s.known.Len(); n != maxSearches {
		t.Errorf("%d are known", n)
	}
}
