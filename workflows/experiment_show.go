package workflows

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"tnaml/activities"
	"tnaml/activities/library"
	"tnaml/experiments/catalog"
	"tnaml/experiments/space"
	"tnaml/experiments/study"
	"tnaml/experiments/trainer"
)

// ExperimentProgress is where an experiment stands, for people and scripts.
type ExperimentProgress struct {
	Name       string       `json:"name"`
	Experiment string       `json:"experiment"`
	Kind       catalog.Kind `json:"kind"`
	// Status is planning, running, waiting, paused, stopping, finishing, or how it ended.
	Status string `json:"status"`
	Reason string `json:"reason,omitempty"`
	// Searches is the number planned, Done those that have ended, Failed those of
	// them that did not come to their end.
	Searches int `json:"searches"`
	Done     int `json:"done"`
	Failed   int `json:"failed"`
	// Running names the searches in flight: each answers the query progress
	// itself.
	Running []string `json:"running,omitempty"`
	// Simulating says that simulated searches are under way.
	Simulating bool `json:"simulating,omitempty"`
	// Trials is the budget of all searches, Told the trials of those that have
	// ended, Cached those of them that came from the trial cache.
	Trials     int       `json:"trials"`
	Told       int       `json:"told"`
	Cached     int       `json:"cached"`
	CPUSeconds float64   `json:"cpu_seconds"`
	Started    time.Time `json:"started"`
	Updated    time.Time `json:"updated"`
	// Controllers are those published by this run.
	Controllers []library.ControllerVersion `json:"controllers,omitempty"`
}

func (r *experimentRun) status() string {
	switch {
	case r.over:
		return r.finished
	case r.paused(r.finished):
		return statusPaused
	case r.finished != "":
		return "finishing"
	case r.state.Stop:
		return "stopping"
	case r.waits != "":
		return "waiting"
	case r.state.Planned.Experiment == "":
		return "planning"
	}
	return "running"
}

// watch looks what the experiment's own steps wait for; its searches do so themselves.
func (r *experimentRun) watch(ctx workflow.Context) {
	watch(ctx, watched{
		waits:  func() bool { return r.doing > 0 },
		over:   func() bool { return r.over },
		done:   func() int { return r.done },
		trials: func() int { return 0 },
		queue: func() string {
			if r.simulating != nil {
				return workflow.GetInfo(ctx).TaskQueueName
			}
			return ""
		},
		say: r.say,
		unserved: func(queue string) string {
			return fmt.Sprintf("no worker serves the trainer %s, and so the simulated searches (task queue %s): none has asked for work for %s; "+
				"start one with `worker --trainers %s`", space.DefaultTrainer, queue, activities.PollerAge, space.DefaultTrainer)
		},
	})
}

// say shows what the experiment waits for, nothing where it goes on.
func (r *experimentRun) say(ctx workflow.Context, why string) {
	if why != r.waits {
		r.waits = why
		r.attributes(ctx, false)
		r.show(ctx)
	}
}

func (r *experimentRun) progress(ctx workflow.Context) ExperimentProgress {
	p := ExperimentProgress{
		Name: r.name, Experiment: r.state.Planned.Experiment, Kind: r.kind, Status: r.status(),
		Searches: len(r.state.Planned.Pretrain) + len(r.state.Planned.Searches), Done: len(r.state.Outcomes),
		Running: append([]string(nil), r.order...), Simulating: r.simulating != nil, Trials: r.state.Planned.Trials(),
		Started: r.state.Started, Updated: workflow.Now(ctx),
	}
	p.Reason = r.steps.reason(p.Status)
	for _, o := range r.state.Outcomes {
		p.Told += o.Trials
		p.Cached += o.Cached
		p.CPUSeconds += o.CPUSeconds
		if o.Status == "failed" || o.Status == "canceled" {
			p.Failed++
		}
	}
	for _, s := range r.state.Planned.Pretrain {
		if v, ok := r.state.Learned[s.Pretraining]; ok {
			p.Controllers = append(p.Controllers, v)
		}
	}
	return p
}

// attributes brings the search attributes up to date: all of them at the
// start, the counts and the status later.
func (r *experimentRun) attributes(ctx workflow.Context, start bool) {
	if r.state.Planned.Experiment == "" {
		return
	}
	p := r.progress(ctx)
	updates := []temporal.SearchAttributeUpdate{AttributeTrials.ValueSet(int64(p.Told)), AttributeStatus.ValueSet(p.Status)}
	if start {
		updates = append(updates,
			AttributeExperiment.ValueSet(p.Experiment), AttributeTasks.ValueSet(attributeTasks(r.state.Planned.Tasks())),
			AttributeSeed.ValueSet(int64(r.state.Planned.Seed())),
			// The UI starts "a workflow like this one" with the attributes of the old
			// run: what this one has not goes.
			AttributeBest.ValueUnset(), AttributeStrategy.ValueUnset())
	}
	// The error is only of encoding, which these types cannot fail.
	_ = workflow.UpsertTypedSearchAttributes(ctx, updates...)
}

func (r *experimentRun) show(ctx workflow.Context) { r.showVerdict(ctx, nil) }

// showVerdict writes the details that the UI shows on the workflow's page.
func (r *experimentRun) showVerdict(ctx workflow.Context, v *activities.Judged) {
	workflow.SetCurrentDetails(ctx, experimentDetails(r.progress(ctx), r.state.Outcomes, v))
}

// maxShown bounds the rows of a table on the workflow's page.
const maxShown = 60

// experimentDetails is an experiment's progress as Markdown.
func experimentDetails(p ExperimentProgress, outcomes []library.Outcome, verdict *activities.Judged) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s · %s\n\n**%s** — %d of %d searches", p.Kind, p.Experiment, p.Status, p.Done, p.Searches)
	if n := len(p.Running); n > 0 {
		fmt.Fprintf(&b, ", %d running", n)
	}
	if p.Simulating {
		b.WriteString(", and simulated ones")
	}
	if p.Failed > 0 {
		fmt.Fprintf(&b, ", %d failed", p.Failed)
	}
	fmt.Fprintf(&b, " · %d trials", p.Told)
	if p.Cached > 0 {
		fmt.Fprintf(&b, ", %d from the trial cache", p.Cached)
	}
	b.WriteString("\n\n")
	standing(&b, p.Status, p.Reason)
	for _, c := range p.Controllers {
		fmt.Fprintf(&b, "- controller `%s`: %d trials on %s\n", c.Full(), c.Trials, strings.Join(c.Tasks, ", "))
	}
	if verdict != nil {
		showNight(&b, verdict)
	}
	if len(outcomes) == 0 {
		return b.String()
	}
	b.WriteString("\n| phase | task | arm | seed | trials | validation top10 | test top10 | |\n|---|---|---|---:|---:|---:|---:|---|\n")
	for i, o := range outcomes {
		if i == maxShown {
			fmt.Fprintf(&b, "\nand %d more\n", len(outcomes)-i)
			break
		}
		note := o.Status
		if o.Reason != "" {
			note += ": " + strings.ReplaceAll(strings.ReplaceAll(o.Reason, "|", "/"), "\n", "; ")
		}
		task := o.Task
		if o.Phase == study.Pretrain {
			task = "(all)"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %d | %d | %s | %s | %s |\n",
			o.Phase, task, o.Arm, o.Seed, o.Trials, trainer.Text(o.Objective, o.Validation), trainer.Text(o.Objective, o.Test), note)
	}
	return b.String()
}

func showNight(b *strings.Builder, v *activities.Judged) {
	fmt.Fprintf(b, "\n**%s**: %d of %d figures worse, compared with %d earlier nights\n\n", v.Status, v.Regressed, v.Figures, v.Nights)
	for _, w := range v.Worse {
		fmt.Fprintf(b, "- %s\n", w.Say())
	}
	if more := v.Regressed - len(v.Worse); more > 0 {
		fmt.Fprintf(b, "- and %d more\n", more)
	}
	if v.Simulated != nil {
		fmt.Fprintf(b, "\nSimulated searches: %s\n\n", v.Simulated.Say())
		for _, line := range v.Simulated.Lines(false) {
			fmt.Fprintf(b, "- %s\n", line)
		}
	}
	for _, f := range v.Failed {
		fmt.Fprintf(b, "- failed: %s\n", f)
	}
	if more := v.Failures - len(v.Failed); more > 0 {
		fmt.Fprintf(b, "- and %d more failed\n", more)
	}
}
