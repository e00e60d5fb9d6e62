package workflows

import (
	"slices"
	"testing"

	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"
)

// starting is a child that starts when its execution is there; a signal waits for that, as the SDK's does.
type starting struct {
	workflow.ChildWorkflowFuture
	execution workflow.Future
	heard     *[]string
}

func (s starting) GetChildWorkflowExecution() workflow.Future { return s.execution }

func (s starting) SignalChildWorkflow(ctx workflow.Context, name string, _ any) workflow.Future {
	_ = s.execution.Get(ctx, nil)
	*s.heard = append(*s.heard, name)
	return s.execution
}

// What is asked of a run while a search starts reaches the search as the last order has it, whichever
// of those that wait for the start goes on first.
func TestOrdersToAStartingSearch(t *testing.T) {
	for _, orders := range [][2]string{{Pause, Resume}, {Resume, Pause}} {
		var env testsuite.WorkflowTestSuite
		e := env.NewTestWorkflowEnvironment()
		var heard []string
		e.ExecuteWorkflow(func(ctx workflow.Context) error {
			execution, start := workflow.NewFuture(ctx)
			r := &experimentRun{running: map[string]workflow.ChildWorkflowFuture{"s": starting{nil, execution, &heard}}, order: []string{"s"}}
			r.steps = steps{held: &r.state.Held, pause: r.pause}
			do := map[string]func(workflow.Context){Pause: func(ctx workflow.Context) { r.pause(ctx, "lunch") }, Resume: r.resume}
			second := workflow.NewChannel(ctx)
			workflow.Go(ctx, func(ctx workflow.Context) { // it goes on first, as the older one
				second.Receive(ctx, nil)
				do[orders[1]](ctx)
			})
			workflow.Go(ctx, func(ctx workflow.Context) {
				do[orders[0]](ctx)
			})
			if err := workflow.Sleep(ctx, 1); err != nil {
				return err
			}
			second.Send(ctx, nil)
			if err := workflow.Sleep(ctx, 1); err != nil {
				return err
			}
			start.SetValue(nil)
			return workflow.Sleep(ctx, 1)
		})
		if err := e.GetWorkflowError(); err != nil || !slices.Equal(heard, orders[1:]) {
			t.Errorf("%v: the search heard %v, %v", orders, heard, err)
		}
	}
}
