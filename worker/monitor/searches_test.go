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

// server says of each search how many trials it was told; of one that is not there, that.
type server map[string]int

func (s server) DescribeWorkflowExecution(_ context.Context, id, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	told, ok := s[id]
	if !ok {
		return nil, serviceerror.NewNotFound(id)
	}
	p, err := converter.GetDefaultDataConverter().ToPayload(told)
	info := &workflowpb.WorkflowExecutionInfo{Status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, SearchAttributes: &commonpb.SearchAttributes{
		IndexedFields: map[string]*commonpb.Payload{workflows.AttributeTrials.GetName(): p}}}
	if told < 0 {
		info.Status = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: info}, err
}

// The age is that of the search that stands still: not of one that has ended, or learns on another
// worker.
func TestProgressAge(t *testing.T) {
	s := newSearches()
	if s.age(time.Now()) != 0 {
		t.Error("there is an age without a search")
	}
	now := time.Now()
	s.learned("stands", 10)
	s.learned("ended", 10)
	s.learned("elsewhere", 10)
	s.learned("gone", 10)
	s.waits("waits") // it has come from a worker that stopped
	at := server{"stands": 10, "ended": -1, "elsewhere": 15, "waits": 7}
	s.look(t.Context(), at, now) // none has stood still for long
	if n := s.known.Len(); n != 5 {
		t.Fatalf("%d are known", n)
	}
	later := now.Add(2 * lookEvery)
	s.look(t.Context(), at, later)
	if got := fmt.Sprint(s.still(later)); got != "[stands waits]" {
		t.Errorf("%s stand still", got)
	}
	if age := s.age(later).Round(time.Second); age != 2*lookEvery {
		t.Errorf("the age is %v", age)
	}
	s.waits("stands") // says nothing new
	at["waits"] = 8   // it has gone on elsewhere
	s.look(t.Context(), at, later)
	s.forget("stands", moved{time.Now(), 3}) // meant another time
	if got := fmt.Sprint(s.still(later)); got != "[stands]" {
		t.Errorf("%s stand still", got)
	}
	s.forget("stands", moved{})
	if s.known.Len() != 0 {
		t.Errorf("%v are known", s.known.Keys())
	}
	for i := range 2 * maxSearches {
		s.learned(fmt.Sprint(i), 0)
	}
	if n := s.known.Len(); n != maxSearches {
		t.Errorf("%d are known", n)
	}
}
