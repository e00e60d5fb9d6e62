package client

import (
	"context"
	"fmt"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"tnaml/activities"
	"tnaml/activities/library"
	"tnaml/workflows"
)

// Trainers names the trainers that spaces ask for, besides those that are known already,
// sorted.
func (c *Client) Trainers(ctx context.Context, known []string) ([]string, error) {
	spaces, err := library.Spaces(ctx, c.Store)
	out := slices.Clone(known)
	for _, sp := range spaces {
		out = append(out, sp.TrainerName())
	}
	slices.Sort(out)
	return slices.Compact(out), err
}

// Workers names the workers that have asked for workflows lately, sorted.
func (c *Client) Workers(ctx context.Context) ([]string, error) {
	return c.pollers(ctx, c.TaskQueue, enumspb.TASK_QUEUE_TYPE_WORKFLOW)
}

// Serving names the workers that have asked for a trainer's trials lately, sorted. One whose
// places are all taken asks for none.
func (c *Client) Serving(ctx context.Context, trainer string) ([]string, error) {
	return c.pollers(ctx, workflows.TrainerQueue(c.TaskQueue, trainer), enumspb.TASK_QUEUE_TYPE_ACTIVITY)
}

// pollers names the workers that have asked a task queue lately, sorted.
func (c *Client) pollers(ctx context.Context, queue string, of enumspb.TaskQueueType) ([]string, error) {
	d, err := c.Temporal.DescribeTaskQueue(ctx, queue, of)
	if err != nil {
		return nil, fmt.Errorf("task queue %s: %w", queue, err)
	}
	out := []string{}
	for _, p := range d.GetPollers() {
		if time.Since(p.GetLastAccessTime().AsTime()) < activities.PollerAge {
			out = append(out, p.GetIdentity())
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}
