package client

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"

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

// Poller is a worker that has asked a task queue for work lately.
type Poller struct {
	Name string `json:"name"`
	// Ago is how long ago it has asked last. One that lives and has a place free asks anew within
	// a minute, so that one that has just died is told by nothing but this.
	Ago time.Duration `json:"ago"`
}

// longPoll is how long a poll lasts, with time for the next to arrive.
const longPoll = 70 * time.Second

// Silent says that it should have asked again by now, if it lives and has a place free.
func (p Poller) Silent() bool { return p.Ago > longPoll }

// Workers are those that have asked for workflows lately, by name.
func (c *Client) Workers(ctx context.Context) ([]Poller, error) {
	return c.pollers(ctx, c.TaskQueue, enumspb.TASK_QUEUE_TYPE_WORKFLOW)
}

// Serving are the workers that have asked for a trainer's trials lately, by name. One whose
// places are all taken asks for none.
func (c *Client) Serving(ctx context.Context, trainer string) ([]Poller, error) {
	return c.pollers(ctx, workflows.TrainerQueue(c.TaskQueue, trainer), enumspb.TASK_QUEUE_TYPE_ACTIVITY)
}

func (c *Client) pollers(ctx context.Context, queue string, of enumspb.TaskQueueType) ([]Poller, error) {
	d, err := c.Temporal.DescribeTaskQueue(ctx, queue, of)
	if err != nil {
		return nil, fmt.Errorf("task queue %s: %w", queue, err)
	}
	return pollersOf(d.GetPollers(), time.Now()), nil
}

// pollersOf are those that the server lists, each once, with its latest poll.
func pollersOf(listed []*taskqueuepb.PollerInfo, now time.Time) []Poller {
	latest := map[string]time.Duration{}
	for _, p := range listed {
		ago := max(0, now.Sub(p.GetLastAccessTime().AsTime())) // the server's clock may be ahead
		if before, there := latest[p.GetIdentity()]; ago < activities.PollerAge && (!there || ago < before) {
			latest[p.GetIdentity()] = ago
		}
	}
	out := []Poller{}
	for _, name := range slices.Sorted(maps.Keys(latest)) {
		out = append(out, Poller{name, latest[name]})
	}
	return out
}
