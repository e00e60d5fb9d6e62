package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"tnaml/activities/library"
	"tnaml/deploy"
	"tnaml/experiments/catalog"
	"tnaml/workflows"
)

// runFlags are a run's spec as flags. Only what is given goes into the spec: the
// experiment has the rest.
type runFlags struct {
	kind, name, settings, controller              string
	tasks, arms, pretrain, pretrainTasks, modules []string
	seeds                                         []string
	trials, pretrainTrials, concurrency           int
	pretrainSeed                                  uint64
	retrain, overlap, detach                      bool
}

func (a *app) runCommand() *cobra.Command {
	var r runFlags
	cmd := &cobra.Command{
		Use:   "run EXPERIMENT",
		Short: "Run an experiment and follow it: pretraining, the targets in every arm, comparisons",
		Long: "Run a named experiment (see `starter experiment list`) and follow it: controllers are pretrained and published, the targets\n" +
			"are searched in every arm with every seed, and the arms are compared. Ctrl-C only stops following.\n\n" +
			"Flags replace the experiment's own values. Trials that an earlier run had come from the trial cache, and all runs of an\n" +
			"experiment are siblings in its results and its report.",
		Example: "  starter run nlp-small\n" +
			"  starter run nlp-small --seeds 7,8,9 --trials 200 --detach\n" +
			"  starter run nlp-small --kind transfer --controller nlp-small@2 --tasks customer_reviews\n" +
			"  starter run nlp-small --arms transfer,no-task-embedding",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			kind, err := parseKind(r.kind)
			if err != nil {
				return usageError{err}
			}
			spec, err := r.spec(cmd, args[0])
			if err != nil {
				return err
			}
			return a.withServers(cmd.Context(), func(s *deploy.Servers) error {
				name, err := a.startRun(cmd.Context(), s, kind, r.name, args[0], spec)
				if err != nil {
					return err
				}
				if r.detach {
					return a.started(s, name)
				}
				a.say("run %s%s", name, a.where(s, name))
				return a.followRun(cmd.Context(), s, name)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&r.kind, "kind", "experiment", "part of it to run: "+strings.ToLower(strings.Join(kindNames(), ", ")))
	f.StringVar(&r.name, "name", "", "the run's name (default: EXPERIMENT-N)")
	f.StringSliceVar(&r.tasks, "tasks", nil, "target tasks")
	f.StringSliceVar(&r.arms, "arms", nil, "arms of the targets, by their names (default: all of the experiment)")
	f.StringSliceVar(&r.seeds, "seeds", nil, "each target is searched once with each")
	f.StringSliceVar(&r.pretrain, "pretrain", nil, "pretrainings of --kind pretrain; other kinds run those that their arms start from")
	f.Uint64Var(&r.pretrainSeed, "pretrain-seed", 0, "decides every random draw of the pretraining")
	f.IntVar(&r.trials, "trials", 0, "trials of each target's searches")
	f.IntVar(&r.pretrainTrials, "pretrain-trials", 0, "trials of the pretraining")
	f.StringSliceVar(&r.pretrainTasks, "pretrain-tasks", nil, "tasks to pretrain on")
	f.StringVar(&r.controller, "controller", "",
		"name to publish the controller under; with --kind transfer NAME or NAME@VERSION to start from")
	f.StringSliceVar(&r.modules, "module", nil, "embedding modules to choose from (default: all)")
	f.IntVar(&r.concurrency, "concurrency", 0, "searches at once")
	f.StringVar(&r.settings, "settings", "", settingsUsage)
	f.BoolVar(&r.retrain, "retrain", false, "train every trial anew instead of asking the trial cache")
	f.BoolVar(&r.overlap, "allow-overlap", false, "let a target be a pretraining task too")
	f.BoolVar(&r.detach, "detach", false, "do not follow")
	positive(cmd, "trials", "pretrain-trials", "concurrency")
	return a.jsonFlag(cmd)
}

// settingsUsage says what a run's settings are.
const settingsUsage = `parameters by strategy as JSON, e.g. {"naml":{"policy_gradient":{"entropy":0.01}}}, or @FILE`

func kindNames() (out []string) {
	for _, k := range catalog.Kinds() {
		out = append(out, string(k))
	}
	return out
}

func parseKind(s string) (catalog.Kind, error) {
	for _, k := range catalog.Kinds() {
		if strings.EqualFold(s, string(k)) {
			return k, nil
		}
	}
	return "", fmt.Errorf("--kind is %q: it must be one of %s", s, strings.ToLower(strings.Join(kindNames(), ", ")))
}

// spec is the workflow's input.
func (r *runFlags) spec(cmd *cobra.Command, experiment string) (json.RawMessage, error) {
	spec := map[string]any{"experiment": experiment}
	settings, err := readSettings(r.settings)
	if err != nil {
		return nil, err
	}
	seeds := []uint64{}
	for _, s := range r.seeds {
		n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 64)
		if err != nil {
			return nil, usageError{fmt.Errorf("--seeds: %q is not a whole number", s)}
		}
		seeds = append(seeds, n)
	}
	for _, f := range []struct {
		flag, field string
		value       any
	}{
		{"tasks", "tasks", r.tasks}, {"arms", "arms", r.arms}, {"seeds", "seeds", seeds}, {"trials", "trials", r.trials},
		{"pretrain", "pretrain", r.pretrain}, {"pretrain-tasks", "pretrain_tasks", r.pretrainTasks},
		{"pretrain-trials", "pretrain_trials", r.pretrainTrials}, {"pretrain-seed", "pretrain_seed", r.pretrainSeed},
		{"controller", "controller", r.controller}, {"module", "modules", r.modules}, {"concurrency", "concurrency", r.concurrency},
		{"settings", "settings", settings}, {"retrain", "retrain", r.retrain}, {"allow-overlap", "allow_overlap", r.overlap},
	} {
		if cmd.Flags().Changed(f.flag) {
			spec[f.field] = f.value
		}
	}
	return json.Marshal(spec)
}

// startRun starts a run under a name, or under the first free one. What is wrong
// with the spec is found out before anything is started.
func (a *app) startRun(
	ctx context.Context, s *deploy.Servers, kind catalog.Kind, name, experiment string, spec json.RawMessage,
) (string, error) {
	plan, err := a.plan(ctx, s, kind, experiment, spec)
	if err != nil {
		return "", err
	}
	names := []string{name}
	if name == "" {
		names = names[:0]
		for i := 1; i <= maxNumber; i++ {
			names = append(names, runName(kind, experiment)+"-"+strconv.Itoa(i))
		}
	} else if err := checkName("run", name); err != nil {
		return "", err
	}
	for _, n := range names {
		_, err := s.Client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
			ID: n, TaskQueue: a.config.Temporal.TaskQueue,
			WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
			WorkflowExecutionErrorWhenAlreadyStarted: true,
			StaticSummary:                            planSummary(plan),
		}, string(kind), spec)
		var exists *serviceerror.WorkflowExecutionAlreadyStarted
		if errors.As(err, &exists) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("starting run %s: %w", n, err)
		}
		return n, nil
	}
	if name != "" {
		return "", fmt.Errorf("a run named %q exists already: follow it with `starter watch %s`, or choose another name", name, name)
	}
	return "", fmt.Errorf("%d runs like this one exist already: give a --name", maxNumber)
}

func runName(kind catalog.Kind, experiment string) string {
	if kind == catalog.KindExperiment {
		return experiment
	}
	return experiment + "-" + strings.ToLower(string(kind))
}

func planSummary(p *catalog.Plan) string {
	return fmt.Sprintf("%s · %d searches · %d trials", p.Experiment, len(p.Pretrain)+len(p.Searches), p.Trials())
}

// plan checks a spec against its experiment and the store, as the workflow will.
func (a *app) plan(
	ctx context.Context, s *deploy.Servers, kind catalog.Kind, experiment string, spec json.RawMessage,
) (*catalog.Plan, error) {
	e, err := library.LoadExperiment(ctx, s.Store, experiment)
	if err != nil {
		return nil, err
	}
	plan, err := catalog.MakePlan(kind, e, spec)
	if err != nil {
		return nil, usageError{err}
	}
	if err := a.checkTasks(ctx, s, plan.Tasks()); err != nil {
		return nil, err
	}
	return plan, nil
}

// isRun says that a workflow is one of an experiment.
func (a *app) isRun(ctx context.Context, s *deploy.Servers, name string) (bool, error) {
	d, err := s.Client.DescribeWorkflowExecution(ctx, name, "")
	if err != nil {
		return false, err
	}
	_, err = parseKind(d.GetWorkflowExecutionInfo().GetType().GetName())
	return err == nil, nil
}

// followRun shows a run's progress until it ends, then what it found.
func (a *app) followRun(ctx context.Context, s *deploy.Servers, name string) error {
	result, err := a.waitRun(ctx, s, a.newProgress(), name)
	if ctx.Err() != nil {
		a.say("The run goes on. Follow it again with `starter watch %s`.", name)
		return errInterrupted
	}
	if err != nil {
		// A regressed night has its figures.
		a.say("run %s: %s", name, message(err))
		if experiment := a.experimentOf(context.WithoutCancel(ctx), s, name); experiment != "" {
			if e := a.showRun(ctx, s, experiment, name); e != nil {
				a.say("%s", message(e))
			}
		}
		return fmt.Errorf("run %s failed", name)
	}
	if a.json {
		return a.printJSON(struct {
			Name string `json:"name"`
			*workflows.ExperimentResult
		}{name, result})
	}
	a.print("%s %s: %d searches, %d trials (%d from the trial cache), %s of CPU time",
		name, result.Status, result.Searches, result.Trials, result.Cached, duration(result.CPUSeconds))
	for _, c := range result.Controllers {
		a.print("controller %s: %d trials on %s", c.Full(), c.Trials, strings.Join(c.Tasks, ", "))
	}
	return a.showRun(ctx, s, result.Experiment, name)
}

// experimentOf is the experiment of a run, by its progress.
func (a *app) experimentOf(ctx context.Context, s *deploy.Servers, name string) string {
	p, err := queryRun(ctx, s.Client, name)
	if err != nil {
		return ""
	}
	return p.Experiment
}

// waitRun waits for a run and shows its progress.
func (a *app) waitRun(ctx context.Context, s *deploy.Servers, p *progressLine, name string) (*workflows.ExperimentResult, error) {
	defer p.clear()
	var result workflows.ExperimentResult
	done := make(chan error, 1)
	go func() { done <- s.Client.GetWorkflow(ctx, name, "").Get(ctx, &result) }()
	silent := time.Now()
	for {
		progress, err := queryRun(ctx, s.Client, name)
		var missing *serviceerror.NotFound
		switch {
		case errors.As(err, &missing):
			return nil, err
		case err == nil:
			silent = time.Now()
			p.update(runLines(progress, searchesOf(ctx, s, progress), a.Terminal)...)
		case time.Since(silent) > queryTimeout:
			p.update("no worker answers: is one running? (`starter up`, or the worker program)")
		}
		select {
		case err := <-done:
			if err != nil {
				return nil, err
			}
			return &result, nil
		case <-time.After(2 * pollEvery):
		}
	}
}

func queryRun(ctx context.Context, c client.Client, name string) (workflows.ExperimentProgress, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	var p workflows.ExperimentProgress
	response, err := c.QueryWorkflowWithOptions(ctx, &client.QueryWorkflowWithOptionsRequest{
		WorkflowID: name, QueryType: workflows.ProgressQuery,
		QueryRejectCondition: enumspb.QUERY_REJECT_CONDITION_NONE,
	})
	if err != nil {
		return p, err
	}
	return p, response.QueryResult.Get(&p)
}

// searchesOf asks the searches of a run that are in flight.
func searchesOf(ctx context.Context, s *deploy.Servers, p workflows.ExperimentProgress) []workflows.Progress {
	var out []workflows.Progress
	for _, name := range p.Running {
		if q, err := queryProgress(ctx, s.Client, name); err == nil {
			out = append(out, q)
		}
	}
	return out
}

// maxSearchLines is how many searches a run's progress shows.
const maxSearchLines = 8

// runLines are a run's progress: the run, and its searches in flight. Where there
// is no terminal they are only those that have no trials to count yet, for what
// they compute before may take minutes.
func runLines(p workflows.ExperimentProgress, searches []workflows.Progress, terminal bool) []string {
	told := p.Told
	var lines []string
	for _, q := range searches {
		told += q.Told
		if terminal || q.Preparing != "" {
			lines = append(lines, "  "+progressText(q))
		}
	}
	return append([]string{runText(p, told)}, lines[:min(len(lines), maxSearchLines)]...)
}

// runText is a run's progress in a line.
func runText(p workflows.ExperimentProgress, told int) string {
	if p.Status == "planning" {
		return p.Name + "  planning"
	}
	line := fmt.Sprintf("%s  %d/%d searches", p.Name, p.Done, p.Searches)
	if n := len(p.Running); n > 0 {
		line += fmt.Sprintf(", %d running", n)
	}
	line += fmt.Sprintf("  %d/%d trials", told, p.Trials)
	if p.Failed > 0 {
		line += fmt.Sprintf("  %d failed", p.Failed)
	}
	elapsed := p.Updated.Sub(p.Started).Seconds()
	switch {
	case p.Status == "running" && told > 0 && elapsed > 5 && p.Trials > told:
		line += "  " + duration(elapsed*float64(p.Trials-told)/float64(told)) + " left"
	case p.Status != "running":
		line += "  " + p.Status
		if p.Reason != "" {
			line += ": " + p.Reason
		}
	}
	return line
}

// showRun prints what a run found.
func (a *app) showRun(ctx context.Context, s *deploy.Servers, experiment, name string) error {
	st, err := library.ReadStudy(ctx, s.Store, experiment, name)
	if err != nil {
		return err
	}
	if text := studyTables(st); text != "" {
		a.print("\n%s", text)
	}
	a.say("\nNext: `starter report %s`, `starter experiment results %s`, `starter controller list`", experiment, experiment)
	return nil
}
