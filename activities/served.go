package activities

import (
	"context"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
)

// pollerAge is how long ago a worker that lives has asked for work, at the most: a
// poll takes a minute. The server lists workers for some minutes after they have
// gone.
const pollerAge = 90 * time.Second

// Served says whether a worker asks for activities of a task queue.
func (a *Activities) Served(ctx context.Context, queue string) (bool, error) {
	d, err := activity.GetClient(ctx).DescribeTaskQueue(ctx, queue, enumspb.TASK_QUEUE_TYPE_ACTIVITY)
	if err != nil {
		return false, fmt.Errorf("task queue %s: %w", queue, err)
	}
	for _, p := range d.GetPollers() {
		if time.Since(p.GetLastAccessTime().AsTime()) < pollerAge {
			return true, nil
		}
	}
	return false, nil
}
