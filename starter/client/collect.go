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

// collectionPrefix begins the workflow IDs of collections; no search's name has it.
const collectionPrefix = "gc:"

// CollectionProgress is where a garbage collection stands.
type CollectionProgress struct {
	// Collecting has no step before it has begun.
	activities.Collecting
	// Failure is why it waits to try again.
	Failure string
}

// StartCollection has a worker collect garbage, and returns the collection's name.
func (c *Client) StartCollection(ctx context.Context, spec workflows.CollectSpec) (string, error) {
	run, err := c.Temporal.ExecuteWorkflow(ctx, sdk.StartWorkflowOptions{
		ID: collectionPrefix + time.Now().UTC().Format("20060102-150405.000"), TaskQueue: c.TaskQueue,
		WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
	}, workflows.CollectWorkflow, spec)
	if err != nil {
		return "", fmt.Errorf("starting the collection: %w", err)
	}
	return run.GetID(), nil
}

// errNoAnswer says that no worker has taken something up.
var errNoAnswer = errors.New("no worker has it")

func (c *Client) collectionProgress(ctx context.Context, name string) (*CollectionProgress, error) {
	d, err := c.Temporal.DescribeWorkflowExecution(ctx, name, "")
	if err != nil {
		return nil, called(Collection, name, err)
	}
	if p := collecting(d.GetPendingActivities()); p != nil {
		return p, nil
	}
	return nil, errNoAnswer
}

// collecting says how far a collection is, by its activity; it is nil where no worker
// has it.
func collecting(pending []*workflowpb.PendingActivityInfo) *CollectionProgress {
	for _, one := range pending {
		if one.GetState() != enumspb.PENDING_ACTIVITY_STATE_STARTED {
			if one.GetLastFailure() != nil {
				return &CollectionProgress{Failure: one.GetLastFailure().GetMessage()}
			}
			continue
		}
		var p CollectionProgress
		_ = converter.GetDefaultDataConverter().FromPayloads(one.GetHeartbeatDetails(), &p.Collecting) // none is none yet
		return &p
	}
	return nil
}
