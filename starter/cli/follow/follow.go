// Package follow shows how searches and runs of experiments go on, and what they found.
package follow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/dustin/go-humanize"
	"go.temporal.io/sdk/temporal"

	"tnaml/activities/library"
	"tnaml/experiments/guard"
	"tnaml/experiments/search"
	"tnaml/experiments/trainer"
	"tnaml/experiments/yardstick"
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
	var paused *pausedError
	switch {
	case errors.As(err, &paused):
		if t.JSON {
			if err := t.PrintJSON(paused.Answer()); err != nil {
				return err
			}
		}
		return terminal.Unfinished(paused)
	case kind == client.Collection && err == nil:
		return t.PrintJSON(result.Collection)
	case kind == client.Run:
		return a.runEnded(ctx, c, name, result.Run, err)
	case err != nil:
		return ended(kind, name, err)
	}
	return a.searchEnded(ctx, c, name, result.Search)
}

// Interrupted says that what was followed goes on.
func Interrupted(t *terminal.App, kind client.Kind, name string) error {
	t.Say("The %s goes on. Follow it again with `starter watch %s`.", kind, name)
	return terminal.ErrInterrupted
}

// ended is what became of a workflow that ended without a result.
func ended(kind client.Kind, name string, err error) error {
	err = fmt.Errorf("%s %s: %w", kind, name, err)
	if temporal.IsCanceledError(err) {
		return terminal.Unfinished(err)
	}
	return err
}

// pausedError is the end of waiting for what waits itself, where nobody looks on who
// could have it go on.
type pausedError struct {
	kind client.Kind
	name string
	client.Progress
}

func (e *pausedError) Error() string {
	return fmt.Sprintf("%s %s is paused: %s; `starter resume %s` has it go on, `starter stop %s` finishes it with what is there",
		e.kind, e.name, terminal.Flat(e.Why()), e.name, e.name)
}

// Wait waits for what goes on and shows its progress. Where there is no terminal, or the answer
// is for a script, what pauses ends it.
func Wait(ctx context.Context, t *terminal.App, c *client.Client, kind client.Kind, name string) (client.Result, error) {
	line := t.NewProgress()
	if kind == client.Collection {
		line.Quiet()
	}
	defer line.Clear()
	ctx, leave := context.WithCancelCause(ctx)
	defer leave(nil)
	paused := false
	result, err := c.Follow(ctx, name, func(p client.Progress) {
		if was := paused; p.State != client.Silent && p.State != client.Away {
			paused = p.State == client.Paused
			if attended := t.Terminal && !t.JSON; paused && !attended {
				leave(&pausedError{kind, name, p})
			} else if paused && !was {
				line.Say("It is paused. `starter resume %s` has it go on, `starter stop %s` finishes it with what is there.", name, name)
			}
		}
		switch {
		case p.State == client.Silent:
			line.Update(client.ErrSilent.Error())
		case p.State == client.Away:
			line.Update(fmt.Sprintf("%v; the %s goes on when it is back", client.ErrAway, kind))
		case p.Collection != nil:
			line.Update(collectionText(p.Collection))
		case p.Run != nil:
			line.Update(runLines(p.Run, t.Terminal)...)
		default:
			line.Update(searchText(p.Search))
		}
	})
	if cause := new(*pausedError); errors.As(context.Cause(ctx), cause) {
		err = *cause
	}
	return result, err
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
		return runText(p.Run)
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
	switch {
	case p.Before > 0:
		line += fmt.Sprintf(", %d of them of %s", p.Before, p.From)
	case p.From != "": // its trials are not taken over yet
		line += ", goes on from " + p.From
	}
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
	if p.Pruned > 0 {
		line += fmt.Sprintf("  %d pruned", p.Pruned)
	}
	if p.Infeasible > 0 {
		line += fmt.Sprintf("  %d infeasible", p.Infeasible)
	}
	if p.Cached > 0 {
		line += fmt.Sprintf("  %d cached", p.Cached)
	}
	if p.Status != "running" || p.Reason != "" {
		line += "  " + p.Status
	} else if p.SecondsLeft > 0 {
		line += "  " + terminal.Duration(p.SecondsLeft) + " left"
	}
	if p.Reason != "" {
		line += ": " + terminal.Flat(p.Reason)
	}
	if p.Refused != "" {
		line += "  (an extension was refused: " + terminal.Flat(p.Refused) + ")"
	}
	return line
}

// searchEnded shows what a search found; one that was stopped, or has no model, has not
// found all that it was to find.
func (a app) searchEnded(ctx context.Context, c *client.Client, name string, r *workflows.SearchResult) error {
	if err := a.showResult(ctx, c, name, r); err != nil {
		return err
	}
	switch {
	case r.Status != "completed":
		return terminal.Unfinished(fmt.Errorf("search %s was %s before its end", name, r.Status))
	case len(r.Accuracy) == 0 && r.Infeasible > 0:
		return fmt.Errorf("search %s: no model keeps the space's constraints: see `starter trials %s`", name, name)
	case len(r.Accuracy) == 0:
		return fmt.Errorf("search %s: no trial ended with a model: see `starter trials %s`", name, name)
	}
	return nil
}

func (a app) showResult(ctx context.Context, c *client.Client, name string, r *workflows.SearchResult) error {
	if !a.JSON {
		line := fmt.Sprintf("%s %s after %d trials, %s of CPU time", name, r.Status, r.Trials, terminal.Duration(r.CPUSeconds))
		if r.Pruned > 0 {
			line += fmt.Sprintf(", %d pruned", r.Pruned)
		}
		if r.Infeasible > 0 {
			line += fmt.Sprintf(", %d infeasible", r.Infeasible)
		}
		if r.Reason != "" {
			line += ": " + terminal.Flat(r.Reason)
		}
		a.Print("%s", line)
	}
	var found *client.Ledger
	corrected, toBeat := map[string]*guard.Corrected{}, map[string]yardstick.Result{} // by the task
	if len(r.Accuracy) > 0 {
		var err error
		if found, err = c.Find(ctx, name); err != nil {
			return err
		}
		for i, b := range r.Best { // of most a workflow keeps no words
			if b.Trial < len(found.Trials) {
				r.Best[i].Summary = found.Row(b.Trial).Summary
			}
		}
		for i, t := range found.Config.Tasks {
			of, err := c.Corrected(ctx, found, i)
			if err != nil {
				return err
			}
			if of != nil {
				corrected[t.Name] = of
			}
			results, err := library.YardsticksOf(ctx, c.Store, t)
			if err != nil {
				return err
			}
			if best, ok := yardstick.ToBeat(results); ok {
				toBeat[t.Name] = best
			}
		}
	}
	if a.JSON {
		return a.PrintJSON(struct {
			Name string `json:"name"`
			*workflows.SearchResult
			// Corrected is what the tasks' best models are expected to have on new examples.
			Corrected map[string]*guard.Corrected `json:"corrected,omitempty"`
			// ToBeat is the best simple model of each task of which any was trained.
			ToBeat map[string]yardstick.Result `json:"to_beat,omitempty"`
		}{name, r, corrected, toBeat})
	}
	if found == nil {
		return nil
	}
	for _, accuracy := range r.Accuracy {
		a.Print("\n%s: %s-top%d validation %s, test %s", accuracy.Task, r.Objective.Metric, accuracy.Models,
			found.Value(accuracy.Validation), found.OnTest(accuracy.Test))
		if at := slices.IndexFunc(r.Best, func(b workflows.Best) bool { return b.Task == accuracy.Task }); at >= 0 {
			b := search.Trial{Validation: r.Best[at].Validation, Test: r.Best[at].Test}
			a.Print("The best: %s", found.Say(b, corrected[accuracy.Task]))
		}
		if best, ok := toBeat[accuracy.Task]; ok {
			a.Print("To beat: %s", best.Say())
		}
		var rows [][]any
		for _, b := range r.Best {
			if b.Task == accuracy.Task {
				rows = append(rows, []any{b.Trial, found.Value(b.Validation), found.OnTest(b.Test), b.Summary})
			}
		}
		a.Print("%s", a.Table([]string{">trial", ">validation", ">test", "~model"}, rows))
	}
	if !slices.ContainsFunc(r.Best, func(b workflows.Best) bool { return b.Model != "" }) {
		a.Say("\nNext: `starter report %s`", name) // its trainer leaves no models
		return nil
	}
	a.Say("\nNext: `starter report %s`, `starter predict %s FILE`, `starter model export %s`", name, name, name)
	return nil
}
