package follow

import (
	"context"
	"fmt"
	"strings"

	"go.temporal.io/sdk/temporal"

	"tnaml/activities/library"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
	"tnaml/workflows"
)

// runEnded shows what a run found, also one that failed: a regressed night has its
// figures.
func (a app) runEnded(ctx context.Context, c *client.Client, name string, result *workflows.ExperimentResult, err error) error {
	if err != nil {
		a.Say("run %s: %s", name, terminal.Message(err))
		if p, e := c.Progress(ctx, name); e == nil && p.Run != nil && p.Run.Experiment != "" {
			if e := a.showRun(ctx, c, p.Run.Experiment, name); e != nil {
				a.Say("%s", terminal.Message(e))
			}
		}
		if temporal.IsCanceledError(err) {
			return terminal.Unfinished(fmt.Errorf("run %s was canceled before its end", name))
		}
		return fmt.Errorf("run %s failed", name)
	}
	if err := a.showRunResult(ctx, c, name, result); err != nil {
		return err
	}
	if result.Status == "stopped" {
		return terminal.Unfinished(fmt.Errorf("run %s was stopped before its end", name))
	}
	if result.Failed > 0 { // what is compared lacks them
		return fmt.Errorf("run %s: %d of its %d searches failed, and are not compared", name, result.Failed, result.Searches)
	}
	return nil
}

func (a app) showRunResult(ctx context.Context, c *client.Client, name string, result *workflows.ExperimentResult) error {
	if a.JSON {
		return a.PrintJSON(struct {
			Name string `json:"name"`
			*workflows.ExperimentResult
		}{name, result})
	}
	a.Print("%s %s: %d searches, %d trials (%d from the trial cache), %s of CPU time",
		name, result.Status, result.Searches, result.Trials, result.Cached, terminal.Duration(result.CPUSeconds))
	for _, published := range result.Controllers {
		a.Print("controller %s: %d trials on %s", published.Full(), published.Trials, strings.Join(published.Tasks, ", "))
	}
	return a.showRun(ctx, c, result.Experiment, name)
}

// maxSearchLines is how many searches a run's progress shows.
const maxSearchLines = 8

// runLines are a run's progress: the run, and its searches in flight. Where there
// is no terminal they are only those that have no trials to count yet, for what
// they compute before may take minutes.
func runLines(p *client.RunProgress, terminal bool) []string {
	var lines []string
	for _, q := range p.Flight {
		if terminal || q.Preparing != "" {
			lines = append(lines, "  "+searchText(&q))
		}
	}
	return append([]string{runText(p)}, lines[:min(len(lines), maxSearchLines)]...)
}

// runText is a run's progress in a line.
func runText(p *client.RunProgress) string {
	if p.Status == "planning" {
		return p.Name + "  planning"
	}
	line := fmt.Sprintf("%s  %d/%d searches", p.Name, p.Done, p.Searches)
	if n := len(p.Running); n > 0 {
		line += fmt.Sprintf(", %d running", n)
	}
	line += fmt.Sprintf("  %d/%d trials", p.AllTold(), p.Trials)
	if p.Failed > 0 {
		line += fmt.Sprintf("  %d failed", p.Failed)
	}
	if p.Status != "running" || p.Reason != "" {
		line += "  " + p.Status
	} else if left := p.SecondsLeft(); left > 0 {
		line += "  " + terminal.Duration(left) + " left"
	}
	if p.Reason != "" {
		line += ": " + terminal.Flat(p.Reason)
	}
	return line
}

// showRun prints what a run found.
func (a app) showRun(ctx context.Context, c *client.Client, experiment, name string) error {
	st, err := library.ReadStudy(ctx, c.Store, experiment, name)
	if err != nil {
		return err
	}
	if text := StudyTables(st); text != "" {
		a.Print("\n%s", text)
	}
	a.Say("\nNext: `starter report %s`, `starter experiment results %s`, `starter controller list`", experiment, experiment)
	return nil
}
