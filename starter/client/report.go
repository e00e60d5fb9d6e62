package client

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"tnaml/activities/library"
	"tnaml/experiments/report"
	"tnaml/experiments/study"
)

// lineage says which searches one goes on from, oldest first, and whose trials it
// learned from.
func lineage(r *library.SearchRecord) (from, sources string) {
	var on, taken []string
	for _, o := range r.Origins {
		on = append(on, fmt.Sprintf("%s (%d trials)", o.Search, o.Trials))
	}
	for _, t := range r.Sources {
		taken = append(taken, fmt.Sprintf("%s (%d of %d trials)", t.Search, t.Trials, t.Trials+t.LeftOut))
	}
	return strings.Join(on, ", "), strings.Join(taken, ", ")
}

// ReportInput gathers what a report on searches shows: their ledgers so far, when they
// ran, how the best models do, and their tasks' cards. Title and date are the caller's.
func (c *Client) ReportInput(ctx context.Context, names []string) (report.Input, error) {
	var in report.Input
	var candidates []study.Candidate
	seen := map[string]bool{}
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			continue // one search is no repetition of itself
		}
		l, err := c.Find(ctx, name)
		if err != nil {
			return in, err
		}
		status := l.Record.Status
		if status == "running" && c.other(l.Record.Namespace) == "" {
			status = c.Status(ctx, name)
		}
		reason := l.Record.Reason
		if l.Behind != nil {
			reason = noAnswer(l.Behind)
		}
		one := report.Search{
			Name: name, Status: status, Reason: reason, Span: c.span(ctx, name), Config: *l.Config,
			Trials: l.Trials, Costs: l.Costs,
		}
		one.From, one.Sources = lineage(&l.Record)
		for i := range l.Config.Tasks {
			corrected, err := c.Corrected(ctx, l, i)
			if err != nil {
				return in, err
			}
			one.Corrected = append(one.Corrected, corrected)
		}
		if l.Record.Controller != "" {
			p, err := library.ReadController(ctx, c.Store, l.Record.Controller)
			if err != nil {
				return in, err
			}
			one.Greedy = p.GreedyAll()
		}
		in.Searches = append(in.Searches, one)
		candidates = append(candidates, study.Candidate{Search: name, Config: l.Config, Trials: l.Trials})
		for _, t := range l.Config.Tasks {
			if seen[t.Name] {
				continue
			}
			if seen[t.Name] = true; t.Data == "" { // imported trials may be of a task that is not here
				continue
			}
			card, err := library.CardOf(ctx, c.Store, t)
			if err != nil {
				return in, err
			}
			toBeat, err := library.YardsticksOf(ctx, c.Store, t)
			if err != nil {
				return in, err
			}
			in.Cards = append(in.Cards, report.Card{Task: t.Name, Card: *card, Yardsticks: toBeat})
		}
	}
	in.Evaluations = c.evaluations(ctx, candidates)
	return in, ctx.Err()
}

// ReportStudy gathers what a report on an experiment shows: the study, when its runs
// and searches ran, and how the targets' best models do.
func (c *Client) ReportStudy(ctx context.Context, experiment string, runs ...string) (*study.Study, error) {
	st, err := library.ReadStudy(ctx, c.Store, experiment, runs...)
	if err != nil {
		return nil, err
	}
	var g errgroup.Group
	g.SetLimit(16)
	for i := range st.Runs {
		g.Go(func() error { st.Runs[i].Span = c.span(ctx, st.Runs[i].Name); return nil })
	}
	var candidates []study.Candidate
	for i := range st.Ledgers {
		l := &st.Ledgers[i]
		g.Go(func() error { l.Span = c.span(ctx, l.Search); return nil })
		if l.Phase == study.Transfer {
			candidates = append(candidates, study.Candidate{Search: l.Search, Config: &l.Config, Trials: l.Trials})
		}
	}
	_ = g.Wait() // they return none
	st.Evaluations = c.evaluations(ctx, candidates)
	return st, ctx.Err()
}

// evaluations classifies the test splits of tasks with their best models. One that
// cannot be used any more is told, and keeps no report from being written.
func (c *Client) evaluations(ctx context.Context, candidates []study.Candidate) (out []study.Evaluation) {
	for _, b := range study.BestKept(candidates) {
		e := study.Evaluation{Task: b.Config.Tasks[b.Task].Name, Search: b.Search, Trial: b.Trial.Trial}
		confusion, err := library.TestConfusion(ctx, c.Store, b.Config, b.Trial)
		if err != nil {
			e.Missing = err.Error()
		} else {
			e.Confusion = &confusion
		}
		out = append(out, e)
	}
	return out
}

// span is when a workflow ran, by Temporal; empty where it does not know it any more.
// A workflow that went on as a new run began with its first.
func (c *Client) span(ctx context.Context, name string) (s study.Span) {
	d, err := c.Temporal.DescribeWorkflowExecution(ctx, name, "")
	if err != nil {
		return s
	}
	info := d.GetWorkflowExecutionInfo()
	start, end := info.GetStartTime(), info.GetCloseTime()
	if first := info.GetFirstRunId(); first != "" && first != info.GetExecution().GetRunId() {
		if d, err = c.Temporal.DescribeWorkflowExecution(ctx, name, first); err != nil {
			return s
		}
		start = d.GetWorkflowExecutionInfo().GetStartTime()
	}
	s.Started = start.AsTime().UTC().Format("2006-01-02 15:04 UTC")
	if end != nil {
		s.Seconds = end.AsTime().Sub(start.AsTime()).Round(time.Millisecond).Seconds()
	}
	return s
}
