package client

import (
	"context"
	"fmt"

	"tnaml/activities/library"
	"tnaml/activities/trainers"
	"tnaml/experiments/data/text"
	"tnaml/experiments/yardstick"
)

// Yardsticks returns what the yardsticks have on a text task. They are trained here, not
// on a worker, unless they have been before and are not wanted again; progress is told
// which is under way.
func (c *Client) Yardsticks(ctx context.Context, task string, again bool, progress func(yardstick string)) ([]yardstick.Result, error) {
	t, ref, err := library.LoadTask[*text.Task](ctx, c.Store, task)
	if err != nil {
		return nil, err
	}
	if !again {
		if kept, err := library.Yardsticks(ctx, c.Store, ref); err != nil || len(kept) > 0 {
			return kept, err
		}
	}
	var out []yardstick.Result
	for _, y := range yardstick.All() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		progress(y.Name)
		var r yardstick.Result
		seconds, err := trainers.CPUSeconds(func() (err error) { r, err = y.Train(t); return err })
		if err != nil {
			return nil, fmt.Errorf("%s: %w", y.Name, err)
		}
		r.Name, r.CPUSeconds = y.Name, seconds
		out = append(out, r)
	}
	return out, library.PublishYardsticks(ctx, c.Store, ref, out)
}
