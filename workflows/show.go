package workflows

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"tnaml/activities"
	"tnaml/experiments/limit"
	"tnaml/experiments/trainer"
)

// The search attributes by which the UI lists and filters.
var (
	AttributeExperiment = temporal.NewSearchAttributeKeyKeyword("TnamlExperiment")
	AttributeTasks      = temporal.NewSearchAttributeKeyKeywordList("TnamlTasks")
	AttributeStrategy   = temporal.NewSearchAttributeKeyKeyword("TnamlStrategy")
	AttributeStatus     = temporal.NewSearchAttributeKeyKeyword("TnamlStatus")
	AttributeSeed       = temporal.NewSearchAttributeKeyInt64("TnamlSeed")
	AttributeTrials     = temporal.NewSearchAttributeKeyInt64("TnamlTrials")
	AttributeBest       = temporal.NewSearchAttributeKeyFloat64("TnamlBest")
)

// SearchAttributes lists all of them, for whoever registers them with a server.
func SearchAttributes() []temporal.SearchAttributeKey {
	return []temporal.SearchAttributeKey{
		AttributeExperiment, AttributeTasks, AttributeStrategy, AttributeStatus,
		AttributeSeed, AttributeTrials, AttributeBest,
	}
}

// attributes brings the search attributes up to date: once for what does not
// change, then with each checkpoint and change of status. Each call is a
// history event, so it is not made for every trial.
func (r *run) attributes(ctx workflow.Context, status string) {
	updates := []temporal.SearchAttributeUpdate{AttributeTrials.ValueSet(int64(r.state.Position.Told))}
	best := r.best()
	if !r.described && !r.underWay {
		// The UI starts "a workflow like this one" with the attributes of the old run:
		// what is not, or not yet, known of this one must go.
		tasks, strategy, seed := AttributeTasks.ValueUnset(), AttributeStrategy.ValueUnset(), AttributeSeed.ValueUnset()
		experiment := AttributeExperiment.ValueUnset()
		if r.described = len(r.spec.Tasks) > 0; r.described { // else they are those of the search to go on from
			tasks, strategy = AttributeTasks.ValueSet(attributeTasks(r.spec.Tasks)), AttributeStrategy.ValueSet(r.spec.Strategy)
			seed = AttributeSeed.ValueSet(int64(r.spec.Seed))
		}
		if r.spec.Experiment != "" {
			experiment = AttributeExperiment.ValueSet(r.spec.Experiment)
		}
		updates = append(updates, tasks, strategy, seed, experiment)
		if best == nil {
			updates = append(updates, AttributeBest.ValueUnset())
		}
	}
	if status != "" {
		updates = append(updates, AttributeStatus.ValueSet(status))
	}
	if best != nil {
		updates = append(updates, AttributeBest.ValueSet(best.Validation))
	}
	// The error is only of encoding, which these types cannot fail.
	_ = workflow.UpsertTypedSearchAttributes(ctx, updates...)
}

// attributeTasks is a list of tasks as a search attribute: a server takes 2 KB.
func attributeTasks(tasks []string) []string {
	some, cut := limit.List(tasks, 1500)
	if cut {
		some = append(slices.Clone(some), "…")
	}
	return some
}

// best is the best model of all tasks, nil while there is none.
func (r *run) best() *activities.Best {
	var best *activities.Best
	for i := range r.spec.Tasks {
		if b := r.state.Best[i]; len(b) > 0 && (best == nil || b[0].Reward > best.Reward) {
			best = &b[0]
		}
	}
	return best
}

// status is the search's status in a word.
func (r *run) status() string {
	switch {
	case r.ended:
		return r.finished
	case r.paused(r.finished):
		return statusPaused
	case r.finished != "":
		return "finishing"
	case r.state.Stop:
		return "stopping"
	case r.waits != "" || r.asks() && len(r.open()) > 0:
		return "waiting"
	}
	return "running"
}

func (r *run) progress(ctx workflow.Context) Progress {
	from := r.spec.From
	if r.spec.Reevaluate != nil {
		from = "" // it has none of its trials
	}
	p := Progress{
		Name: r.name, Experiment: r.spec.Experiment, Tasks: r.spec.Tasks, Strategy: r.spec.Strategy, Seed: r.spec.Seed,
		Status: r.status(), Refused: r.state.Refused, From: from, Before: r.state.Before,
		Trainer: r.state.Resolved.Trainer, Objective: r.state.Resolved.Objective,
		Told: r.state.Position.Told, Running: r.running, Trials: r.state.Trials,
		Budget: r.state.Budget, Failed: r.state.Failed, Pruned: r.state.Pruned, Infeasible: r.state.Infeasible,
		Cached: r.state.Cached, Steps: r.state.Steps, CPUSeconds: r.state.CPUSeconds,
		Started: r.state.Started, Updated: workflow.Now(ctx),
	}
	if p.Reason = r.steps.reason(p.Status); p.Reason == "" && r.finished != "" {
		p.Reason = r.reason
	}
	if r.asks() {
		if p.Running = r.leased(p.Updated); p.Reason == "" && p.Status == "waiting" {
			p.Reason = r.untold()
		}
	}
	if r.preparing > 0 {
		p.Preparing = fmt.Sprintf("computing the features of the images: %d of %d done", r.state.Prepared, r.preparing)
	}
	for i, task := range r.spec.Tasks {
		p.Best = append(p.Best, named(task, r.state.Best[i])...)
	}
	if active := r.active(ctx).Seconds(); active > 0 && p.Told > 0 {
		p.TrialsPerSecond = float64(p.Told-p.Before) / active
	}
	if r.ended { // what was asked is told no more
		p.Running = 0
	}
	if p.TrialsPerSecond > 0 && r.finished == "" {
		p.SecondsLeft = float64(max(p.Trials-p.Told, 0)) / p.TrialsPerSecond
	}
	return p
}

// show writes the details that the UI shows on the workflow's page.
func (r *run) show(ctx workflow.Context) {
	workflow.SetCurrentDetails(ctx, details(r.progress(ctx)))
}

// details is a search's progress as Markdown.
func details(p Progress) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s · %s · seed %d\n\n", strings.Join(p.Tasks, ", "), p.Strategy, p.Seed)
	fmt.Fprintf(&b, "**%s** — %d of %d trials", p.Status, p.Told, p.Trials)
	if p.Running > 0 {
		fmt.Fprintf(&b, ", %d running", p.Running)
	}
	if p.Failed > 0 {
		fmt.Fprintf(&b, ", %d failed", p.Failed)
	}
	if p.Pruned > 0 {
		fmt.Fprintf(&b, ", %d pruned", p.Pruned)
	}
	if p.Infeasible > 0 {
		fmt.Fprintf(&b, ", %d infeasible", p.Infeasible)
	}
	if p.Cached > 0 {
		fmt.Fprintf(&b, ", %d from the trial cache", p.Cached)
	}
	if p.TrialsPerSecond > 0 {
		fmt.Fprintf(&b, " · %.2g trials/s", p.TrialsPerSecond)
	}
	if p.SecondsLeft > 0 && p.Status == "running" {
		fmt.Fprintf(&b, " · about %s left", (time.Duration(p.SecondsLeft) * time.Second).String())
	}
	if p.Preparing != "" {
		b.WriteString(" · " + p.Preparing)
	}
	if p.From != "" {
		fmt.Fprintf(&b, " · goes on from %s, which had %d trials", p.From, p.Before)
	}
	b.WriteString("\n\n")
	if p.Status == "completed" && p.Reason != "" {
		fmt.Fprintf(&b, "> **Ended:** %s\n\n", p.Reason)
	} else {
		standing(&b, p.Status, p.Reason)
	}
	if p.Refused != "" {
		fmt.Fprintf(&b, "> **An extension was refused:** %s\n\n", p.Refused)
	}
	if len(p.Best) == 0 {
		return b.String()
	}
	b.WriteString("| task | trial | validation | test | model |\n|---|---:|---:|---:|---|\n")
	shown := map[string]int{}
	for _, best := range p.Best {
		if shown[best.Task]++; shown[best.Task] > activities.Shown {
			continue
		}
		fmt.Fprintf(&b, "| %s | %d | %s | %s | %s |\n", best.Task, best.Trial, trainer.Text(p.Objective, best.Validation),
			trainer.Text(p.Objective, best.Test), best.Summary)
	}
	return b.String()
}
