package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"tnaml/activities"
	"tnaml/deploy"
	"tnaml/experiments/trainer"
	"tnaml/workflows"
)

func (a *app) watchCommand() *cobra.Command {
	return a.jsonFlag(&cobra.Command{
		Use: "watch NAME", Short: "Follow a search, or a run of an experiment, until it ends", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withServers(cmd.Context(), func(s *deploy.Servers) error {
				if strings.HasPrefix(args[0], collectionPrefix) {
					c, err := a.followCollection(cmd.Context(), s, s.Client.GetWorkflow(cmd.Context(), args[0], ""))
					if err != nil {
						return err
					}
					return a.printJSON(c)
				}
				run, err := a.isRun(cmd.Context(), s, args[0])
				if err != nil {
					return err
				}
				if run {
					a.say("run %s%s", args[0], a.where(s, args[0]))
					return a.followRun(cmd.Context(), s, args[0])
				}
				a.say("search %s%s", args[0], a.where(s, args[0]))
				return a.follow(cmd.Context(), s, args[0])
			})
		},
	})
}

const (
	// pollEvery is how often a search's progress is asked.
	pollEvery = 500 * time.Millisecond
	// queryTimeout bounds one question: without a worker nobody answers.
	queryTimeout = 10 * time.Second
)

// follow shows a search's progress until it ends, then its result.
func (a *app) follow(ctx context.Context, s *deploy.Servers, name string) error {
	result, err := a.wait(ctx, s, a.newProgress(), name)
	if ctx.Err() != nil {
		a.say("The search goes on. Follow it again with `starter watch %s`.", name)
		return errInterrupted
	}
	if err != nil {
		return err
	}
	return a.showResult(name, result)
}

// wait waits for searches that run side by side and returns the last one's
// result; errors name the search.
func (a *app) wait(ctx context.Context, s *deploy.Servers, p *progressLine, names ...string) (*workflows.SearchResult, error) {
	var result *workflows.SearchResult
	defer p.clear()
	for _, name := range names {
		run := s.Client.GetWorkflow(ctx, name, "")
		done := make(chan error, 1)
		var r workflows.SearchResult
		go func() { done <- run.Get(ctx, &r) }()
		silent := time.Now()
	poll:
		for {
			lines := make([]string, 0, len(names))
			for _, n := range names {
				progress, err := queryProgress(ctx, s.Client, n)
				if err == nil {
					silent = time.Now()
					lines = append(lines, progressText(progress))
				}
				var missing *serviceerror.NotFound
				if errors.As(err, &missing) {
					return nil, err
				}
			}
			switch {
			case len(lines) == len(names):
				p.update(lines...)
			case time.Since(silent) > queryTimeout:
				p.update("no worker answers: is one running? (`starter up`, or the worker program)")
			}
			select {
			case err := <-done:
				if err != nil {
					return nil, fmt.Errorf("search %s: %w", name, err)
				}
				result = &r
				break poll
			case <-time.After(pollEvery):
			}
		}
	}
	return result, nil
}

func queryProgress(ctx context.Context, c client.Client, name string) (workflows.Progress, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	var p workflows.Progress
	response, err := c.QueryWorkflowWithOptions(ctx, &client.QueryWorkflowWithOptionsRequest{
		WorkflowID: name, QueryType: workflows.ProgressQuery,
		QueryRejectCondition: enumspb.QUERY_REJECT_CONDITION_NONE,
	})
	if err != nil {
		return p, err
	}
	if err := response.QueryResult.Get(&p); err != nil || p.Preparing == "" {
		return p, err
	}
	// How far the features under way are, only their activity's heartbeat knows.
	if d, err := c.DescribeWorkflowExecution(ctx, name, ""); err == nil {
		p.Preparing += underWay(d.GetPendingActivities())
	}
	return p, nil
}

// underWay says how many images have the features that are being computed.
func underWay(pending []*workflowpb.PendingActivityInfo) string {
	var sum activities.Images
	for _, a := range pending {
		var one activities.Images
		if a.GetActivityType().GetName() == "Features" && converter.GetDefaultDataConverter().FromPayloads(a.GetHeartbeatDetails(), &one) == nil {
			sum.Done += one.Done
			sum.Total += one.Total
		}
	}
	if sum.Total == 0 {
		return ""
	}
	return fmt.Sprintf(", now image %s of %s", humanize.Comma(int64(sum.Done)), humanize.Comma(int64(sum.Total)))
}

// progressText is a search's progress in a line.
func progressText(p workflows.Progress) string {
	line := fmt.Sprintf("%s  %d/%d trials", p.Name, p.Told, p.Trials)
	if p.Preparing != "" {
		line += "  " + p.Preparing
	}
	if p.TrialsPerSecond > 0 {
		line += fmt.Sprintf("  %.2g/s", p.TrialsPerSecond)
	}
	if len(p.Best) > 0 {
		best := slices.MaxFunc(p.Best, func(a, b workflows.Best) int { return cmp.Compare(a.Reward, b.Reward) })
		line += "  best validation " + trainer.Text(p.Objective, best.Validation)
	}
	if p.Failed > 0 {
		line += fmt.Sprintf("  %d failed", p.Failed)
	}
	if p.Cached > 0 {
		line += fmt.Sprintf("  %d cached", p.Cached)
	}
	switch {
	case p.Status == "running" && p.SecondsLeft > 0:
		line += "  " + duration(p.SecondsLeft) + " left"
	case p.Status != "running":
		line += "  " + p.Status
		if p.Reason != "" {
			line += ": " + p.Reason
		}
	}
	return line
}

// showResult shows what a search found.
func (a *app) showResult(name string, r *workflows.SearchResult) error {
	if a.json {
		return a.printJSON(struct {
			Name string `json:"name"`
			*workflows.SearchResult
		}{name, r})
	}
	a.print("%s %s after %d trials, %s of CPU time", name, r.Status, r.Trials, duration(r.CPUSeconds))
	for _, accuracy := range r.Accuracy {
		a.print("\n%s: %s-top%d validation %s, test %s", accuracy.Task, r.Objective.Metric, accuracy.Models,
			trainer.Text(r.Objective, accuracy.Validation), trainer.Text(r.Objective, accuracy.Test))
		t := newTable(table.Row{"trial", "validation", "test", "model"}, "trial", "validation", "test")
		for _, b := range r.Best {
			if b.Task == accuracy.Task {
				t.AppendRow(table.Row{b.Trial, trainer.Text(r.Objective, b.Validation), trainer.Text(r.Objective, b.Test), b.Summary})
			}
		}
		a.print("%s", t.Render())
	}
	if len(r.Accuracy) == 0 {
		a.print("No trial ended with a model: see `starter trials %s`.", name)
		return nil
	}
	a.say("\nNext: `starter report %s`, `starter predict %s FILE`, `starter model export %s`", name, name, name)
	return nil
}
