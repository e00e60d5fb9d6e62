package client

import (
	"context"
	"fmt"
	"strings"

	"tnaml/activities/library"
	"tnaml/experiments/report"
)

// lineage says which searches one goes on from, oldest first.
func lineage(origins []library.Origin) string {
	var out []string
	for _, o := range origins {
		out = append(out, fmt.Sprintf("%s (%d trials)", o.Search, o.Trials))
	}
	return strings.Join(out, ", ")
}

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
		in.Searches = append(in.Searches, report.Search{
			Name: name, From: lineage(l.Record.Origins), Status: status, Config: *l.Config, Trials: l.Trials, Costs: l.Costs,
		})
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
