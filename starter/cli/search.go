package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"tnaml/activities/store"
	"tnaml/deploy"
	"tnaml/experiments/search/strategy"
	"tnaml/workflows"
)

func (a *app) searchCommand() *cobra.Command {
	spec := workflows.DefaultSearchSpec()
	var name, settings string
	var detach bool
	cmd := &cobra.Command{
		Use:   "search --task TASK",
		Short: "Start a search and follow it",
		Long: "Start a search and follow it. It runs on the workers there are; Ctrl-C only stops following.\n\n" +
			"With more than one task, each trial's task is drawn at random and one controller learns for all.",
		Example: "  starter search --task sms_spam --trials 200\n" +
			"  starter search --task sms_spam --strategy random --seed 2 --detach\n" +
			`  starter search --task a --task b --settings '{"policy_gradient":{"learning_rate":0.0001}}'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if spec.Settings, err = readSettings(settings); err != nil {
				return err
			}
			if err := spec.Validate(); err != nil {
				return usageError{err}
			}
			return a.withServers(cmd.Context(), func(s *deploy.Servers) error {
				started, err := a.start(cmd.Context(), s, name, spec)
				if err != nil {
					return err
				}
				if detach {
					return a.started(s, started)
				}
				a.say("search %s%s", started, a.where(s, started))
				return a.follow(cmd.Context(), s, started)
			})
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&spec.Tasks, "task", nil, "task to search, as imported; may be repeated")
	f.StringVar(&spec.Strategy, "strategy", spec.Strategy, strings.Join(strategy.Builtin().Names(), ", "))
	f.IntVar(&spec.Trials, "trials", spec.Trials, "budget: the number of trials")
	f.Uint64Var(&spec.Seed, "seed", spec.Seed, "decides every random draw")
	f.StringVar(&spec.Space, "space", spec.Space, "`NAME` of the search space, see starter space list (default: the controller's, else text or image, as the tasks are)")
	f.IntVar(&spec.Lag, "lag", spec.Lag, "a proposal knows the results up to so many trials before; part of the result")
	f.IntVar(&spec.Parallel, "parallel", 0, "trials in flight, at most the lag (default: the lag); never changes the result")
	f.StringVar(&name, "name", "", "the search's name (default: task-strategy-sSEED-N)")
	f.StringVar(&spec.Experiment, "experiment", "", "label to list and compare searches by")
	f.StringVar(&settings, "settings", "", "the strategy's parameters as JSON, the name of a preset, or @FILE")
	f.StringVar(&spec.Controller, "controller", "", "pretrained controller to start from: `NAME` or NAME@VERSION (see starter controller list)")
	f.StringSliceVar(&spec.Modules, "module", nil, "embedding module to choose from; may be repeated (default: the controller's, else all)")
	f.IntVar(&spec.CheckpointEvery, "checkpoint-every", spec.CheckpointEvery, "trials between two checkpoints")
	f.StringVar(&spec.TrialTimeout, "trial-timeout", spec.TrialTimeout, "a trial's time limit")
	f.IntVar(&spec.MemoryLimitMB, "memory-limit-mb", spec.MemoryLimitMB, "a trial's memory limit")
	f.BoolVar(&spec.Retrain, "retrain", false, "train every trial anew instead of asking the trial cache")
	f.BoolVar(&detach, "detach", false, "do not follow")
	positive(cmd, "parallel")
	return a.jsonFlag(cmd)
}

// presetForm is that of a preset's name.
var presetForm = regexp.MustCompile(`^[a-z][a-z0-9_-]*$`)

func readSettings(s string) (json.RawMessage, error) {
	if s == "" {
		return nil, nil
	}
	b := []byte(s)
	if file, ok := strings.CutPrefix(s, "@"); ok {
		var err error
		if b, err = os.ReadFile(file); err != nil {
			return nil, fmt.Errorf("--settings: %w", err)
		}
	}
	if word := strings.TrimSpace(s); presetForm.MatchString(word) {
		return json.Marshal(word)
	}
	if !json.Valid(b) {
		return nil, usageError{fmt.Errorf("--settings is not valid JSON: %s", cut(string(b), 80))}
	}
	return b, nil
}

// start starts a search under a name, or under the first free one of its kind.
// What the spec lacks is found out before anything is started.
func (a *app) start(ctx context.Context, s *deploy.Servers, name string, spec workflows.SearchSpec) (string, error) {
	if err := a.checkTasks(ctx, s, spec.Tasks); err != nil {
		return "", err
	}
	names := []string{name}
	if name == "" {
		base := fmt.Sprintf("%s-%s-s%d", strings.Join(spec.Tasks, "+"), spec.Strategy, spec.Seed)
		if len(base) > 80 {
			base = fmt.Sprintf("%d-tasks-%s-s%d", len(spec.Tasks), spec.Strategy, spec.Seed)
		}
		names = names[:0]
		for i := 1; i <= maxNumber; i++ {
			names = append(names, base+"-"+strconv.Itoa(i))
		}
	} else if err := checkName("search", name); err != nil {
		return "", err
	}
	raw, err := json.Marshal(spec)
	if err != nil {
		return "", err
	}
	for _, n := range names {
		_, err = s.Client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
			ID: n, TaskQueue: a.config.Temporal.TaskQueue,
			WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
			WorkflowExecutionErrorWhenAlreadyStarted: true,
			StaticSummary:                            fmt.Sprintf("%s · %s · %d trials · seed %d", strings.Join(spec.Tasks, ", "), spec.Strategy, spec.Trials, spec.Seed),
		}, workflows.SearchWorkflow, json.RawMessage(raw))
		var exists *serviceerror.WorkflowExecutionAlreadyStarted
		if errors.As(err, &exists) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("starting search %s: %w", n, err)
		}
		return n, nil
	}
	if name != "" {
		return "", fmt.Errorf("a search named %q exists already: follow it with `starter watch %s`, or choose another name", name, name)
	}
	return "", fmt.Errorf("%d searches like this one exist already: give a --name", maxNumber)
}

// maxNumber bounds the numbers that are tried for a name.
const maxNumber = 1000

// checkTasks finds out about misspelt tasks before a workflow is started.
func (a *app) checkTasks(ctx context.Context, s *deploy.Servers, tasks []string) error {
	entries, err := s.Store.Names(ctx, store.Dataset, "")
	if err != nil {
		return err
	}
	known := map[string]bool{}
	var names []string
	for _, e := range entries {
		known[e.Name] = true
		names = append(names, e.Name)
	}
	var errs []error
	for _, t := range tasks {
		if !known[t] {
			errs = append(errs, fmt.Errorf("there is no task %q", t))
		}
	}
	if len(errs) == 0 {
		return nil
	}
	if len(names) == 0 {
		return fmt.Errorf("%w, nor any other: import one with `starter data import`", errors.Join(errs...))
	}
	return fmt.Errorf("%w (there are: %s)", errors.Join(errs...), strings.Join(names, ", "))
}

// where is where a search can be seen. The searches of a run have slashes in their
// names, which the web UI wants escaped.
func (a *app) where(s *deploy.Servers, name string) string {
	if s.UI == "" {
		return ""
	}
	return fmt.Sprintf("  %s/namespaces/%s/workflows/%s", s.UI, url.PathEscape(s.Namespace), url.PathEscape(name))
}

func (a *app) started(s *deploy.Servers, name string) error {
	if a.json {
		return a.printJSON(map[string]string{"name": name, "ui": strings.TrimSpace(a.where(s, name))})
	}
	a.print("%s", name)
	a.say("Follow it with `starter watch %s`.%s", name, a.where(s, name))
	return nil
}
