package client

import (
	"context"
	"fmt"

	"tnaml/activities/library"
)

// Pick chooses one model of a search.
type Pick struct {
	// Task names the task, of a search over several.
	Task string
	// Trial is the trial's number, or negative for the task's best on the validation
	// split.
	Trial int
}

// ExportModel makes the exported form of a search's model (see library.DecodeBundle),
// and says which trial's it is.
func (c *Client) ExportModel(ctx context.Context, name string, p Pick) ([]byte, Row, error) {
	l, err := c.Find(ctx, name)
	if err != nil {
		return nil, Row{}, err
	}
	at := p.Trial
	if at < 0 {
		task, err := l.Task(p.Task)
		if err != nil {
			return nil, Row{}, err
		}
		top, ok := l.Best(task)
		if !ok {
			return nil, Row{}, fmt.Errorf("search %s has no trained model of task %q yet", name, l.Config.Tasks[task].Name)
		}
		at = top.Trials[0].Trial
	}
	if at >= len(l.Trials) {
		return nil, Row{}, fmt.Errorf("search %s has %d trials, there is no trial %d", name, len(l.Trials), at)
	}
	b, err := library.ExportModel(ctx, c.Store, name, l.Config, l.Trials[at])
	return b, l.Row(at), err
}
