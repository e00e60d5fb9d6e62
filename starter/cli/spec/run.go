package spec

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"tnaml/experiments/catalog"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

// Run is a run's spec as flags. Only what is given goes into the spec: the
// experiment has the rest.
type Run struct {
	Kind                                          string
	settings, controller                          string
	tasks, arms, pretrain, pretrainTasks, modules []string
	seeds                                         []string
	trials, pretrainTrials, concurrency           int
	pretrainSeed                                  uint64
	examples, retrain, overlap                    bool
}

// Flags gives a command a run's flags; kind is what it runs unless told otherwise.
func (r *Run) Flags(cmd *cobra.Command, kind catalog.Kind) {
	f := cmd.Flags()
	f.StringVar(&r.Kind, "kind", strings.ToLower(string(kind)), "part of it to run: "+kindNames())
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
	f.BoolVar(&r.examples, "examples", false, "store which examples each trial's model has right; never changes the result")
	f.BoolVar(&r.retrain, "retrain", false, "train every trial anew instead of asking the trial cache")
	f.BoolVar(&r.overlap, "allow-overlap", false, "let a target be a pretraining task too")
	terminal.Positive(cmd, "trials", "pretrain-trials", "concurrency")
}

// settingsUsage says what a run's settings are.
const settingsUsage = `parameters by strategy as JSON, e.g. {"naml":{"policy_gradient":{"entropy":0.01}}}, or @FILE`

func kindNames() string {
	var names []string
	for _, k := range catalog.Kinds() {
		names = append(names, strings.ToLower(string(k)))
	}
	return strings.Join(names, ", ")
}

// Kind is the kind that --kind names.
func Kind(name string) (catalog.Kind, error) {
	for _, k := range catalog.Kinds() {
		if strings.EqualFold(name, string(k)) {
			return k, nil
		}
	}
	return "", client.Usage(fmt.Errorf("--kind is %q: it must be one of %s", name, kindNames()))
}

// Spec is the workflow's input.
func (r *Run) Spec(cmd *cobra.Command, experiment string) (json.RawMessage, error) {
	spec := map[string]any{"experiment": experiment}
	settings, err := Settings(cmd.Context(), r.settings)
	if err != nil {
		return nil, fmt.Errorf("--settings: %w", err)
	}
	seeds := []uint64{}
	for _, s := range r.seeds {
		n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 64)
		if err != nil {
			return nil, client.Usage(fmt.Errorf("--seeds: %q is not a whole number", s))
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
		{"examples", "examples", r.examples},
	} {
		if cmd.Flags().Changed(f.flag) {
			spec[f.field] = f.value
		}
	}
	return json.Marshal(spec)
}
