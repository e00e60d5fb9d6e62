package client

import (
	"context"

	"tnaml/activities/library"
	"tnaml/experiments/report"
)

// ReportInput gathers what a report on searches shows: their ledgers so far, and their
// tasks' cards. Title and date are the caller's.
func (c *Client) ReportInput(ctx context.Context, names []string) (report.Input, error) {
	var in report.Input
	seen := map[string]bool{}
	for _, name := range names {
		l, err := c.Find(ctx, name)
		if err != nil {
			return in, err
		}
		status := l.Record.Status
		if status == "running" {
			status = c.Status(ctx, name)
		}
		one := report.Search{Name: name, Status: status, Config: *l.Config, Trials: l.Trials, Costs: l.Costs}
		if l.Record.Controller != "" {
			p, err := library.ReadController(ctx, c.Store, l.Record.Controller)
			if err != nil {
				return in, err
			}
			one.Greedy = p.GreedyAll()
		}
		in.Searches = append(in.Searches, one)
		for _, t := range l.Config.Tasks {
			if seen[t.Name] {
				continue
			}
			seen[t.Name] = true
			card, err := library.CardOf(ctx, c.Store, t)
			if err != nil {
				return in, err
			}
			in.Cards = append(in.Cards, report.Card{Task: t.Name, Card: *card})
		}
	}
	return in, nil
}
