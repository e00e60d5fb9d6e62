// Package follow shows how searches and runs of experiments go on, and what they found.
package follow

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/table"

	"tnaml/experiments/trainer"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
	"tnaml/workflows"
)

// app is the program, with what following takes.
type app struct{ *terminal.App }

// Follow shows a search's or a run's progress until it ends, then what it found.
func Follow(ctx context.Context, t *terminal.App, c *client.Client, kind client.Kind, name string) error {
	t.Say("%s %s%s", kind, name, Where(c, name))
	result, err := Wait(ctx, t, c, kind, name)
	if ctx.Err() != nil {
		return Interrupted(t, kind, name)
	}
	a := app{t}
	switch {
	case kind == client.Collection && err == nil:
		return t.PrintJSON(result.Collection)
	case kind == client.Run:
		return a.runEnded(ctx, c, name, result.Run, err)
	case err != nil:
		return fmt.Errorf("%s %s: %w", kind, name, err)
	}
	return a.showResult(name, result.Search)
}

// Interrupted says that what was followed goes on.
func Interrupted(t *terminal.App, kind client.Kind, name string) error {
	t.Say("The %s goes on. Follow it again with `starter watch %s`.", kind, name)
	return terminal.ErrInterrupted
}

// Wait waits for what goes on and shows its progress.
func Wait(ctx context.Context, t *terminal.App, c *client.Client, kind client.Kind, name string) (client.Result, error) {
	line := t.NewProgress()
	if kind == client.Collection {
		line.Quiet()
	}
	defer line.Clear()
	return c.Follow(ctx, name, func(p client.Progress) {
		switch {
		case p.State == client.Silent:
			line.Update("no worker answers: is one running? (`starter up`, or the worker program)")
		case p.Collection != nil:
			line.Update(collectionText(p.Collection))
		case p.Run != nil:
			line.Update(runLines(p.Run, t.Terminal)...)
		default:
			line.Update(searchText(p.Search))
		}
	})
}

// Started says under which name a search or a run has been started that is not followed.
func Started(t *terminal.App, c *client.Client, name string) error {
	if t.JSON {
		return t.PrintJSON(map[string]string{"name": name, "ui": c.Address(name)})
	}
	t.Print("%s", name)
	t.Say("Follow it with `starter watch %s`.%s", name, Where(c, name))
	return nil
}

// Where is where a search or a run can be seen, for the end of a line.
func Where(c *client.Client, name string) string {
	if address := c.Address(name); address != "" {
		return "  " + address
	}
	return ""
}

// Text is progress in a line.
func Text(p client.Progress) string {
	if p.Run != nil {
		return runText(p.Run.ExperimentProgress, p.Run.Told)
	}
	return searchText(p.Search)
}

// collectionText is a garbage collection's progress in a line.
func collectionText(p *client.CollectionProgress) string {
	switch {
	case p.Failure != "":
		return "waiting to try again: " + p.Failure
	case p.Step == "":
		return "collecting"
	case p.Total > 0:
		return fmt.Sprintf("%s %s/%s", p.Step, humanize.Comma(int64(p.Done)), humanize.Comma(int64(p.Total)))
	}
	return p.Step + " " + humanize.Comma(int64(p.Done))
}

// searchText is a search's progress in a line.
func searchText(p *client.SearchProgress) string {
	line := fmt.Sprintf("%s  %d/%d trials", p.Name, p.Told, p.Trials)
	if p.Preparing != "" {
		line += "  " + p.Preparing
	}
	if p.Images.Total > 0 {
		line += fmt.Sprintf(", now image %s of %s", humanize.Comma(int64(p.Images.Done)), humanize.Comma(int64(p.Images.Total)))
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
		line += "  " + terminal.Duration(p.SecondsLeft) + " left"
	case p.Status != "running":
		line += "  " + p.Status
		if p.Reason != "" {
			line += ": " + p.Reason
		}
	}
	return line
}

// showResult shows what a search found.
func (a app) showResult(name string, r *workflows.SearchResult) error {
	if a.JSON {
		return a.PrintJSON(struct {
			Name string `json:"name"`
			*workflows.SearchResult
		}{name, r})
	}
	a.Print("%s %s after %d trials, %s of CPU time", name, r.Status, r.Trials, terminal.Duration(r.CPUSeconds))
	onTest := func(v float64) string { // a trainer may have no test split
		if slices.ContainsFunc(r.Best, func(b workflows.Best) bool { return b.Test != 0 }) {
			return trainer.Text(r.Objective, v)
		}
		return "–"
	}
	for _, accuracy := range r.Accuracy {
		a.Print("\n%s: %s-top%d validation %s, test %s", accuracy.Task, r.Objective.Metric, accuracy.Models,
			trainer.Text(r.Objective, accuracy.Validation), onTest(accuracy.Test))
		t := terminal.NewTable(table.Row{"trial", "validation", "test", "model"}, "trial", "validation", "test")
		for _, b := range r.Best {
			if b.Task == accuracy.Task {
				t.AppendRow(table.Row{b.Trial, trainer.Text(r.Objective, b.Validation), onTest(b.Test), b.Summary})
			}
		}
		a.Print("%s", t.Render())
	}
	if len(r.Accuracy) == 0 {
		a.Print("No trial ended with a model: see `starter trials %s`.", name)
		return nil
	}
	if !slices.ContainsFunc(r.Best, func(b workflows.Best) bool { return b.Model != "" }) {
		a.Say("\nNext: `starter report %s`", name) // its trainer leaves no models
		return nil
	}
	a.Say("\nNext: `starter report %s`, `starter predict %s FILE`, `starter model export %s`", name, name, name)
	return nil
}
