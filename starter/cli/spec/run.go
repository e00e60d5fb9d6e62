package spec

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"tnaml/experiments/catalog"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"

	"github.com/spf13/cobra"
)

// Run is a run's spec as flags. Only what is given goes into the spec: the
// experiment has the rest.
type Run struct {
	Kind                                  string
	settings, ablation, controller        string
	tasks, arms, ablations, pretrainTasks []string
	modules                               []string
	seeds                                 []string
	trials, pretrainTrials, concurrency   int
	seed                                  uint64
	retrain, overlap                      bool
}

// Flags gives a command a run's flags; kind is what it runs unless told otherwise.
func (r *Run) Flags(cmd *cobra.Command, kind catalog.Kind) {
	f := cmd.Flags()
	f.StringVar(&r.Kind, "kind", strings.ToLower(string(kind)), "part of it to run: "+kindNames())
	f.StringSliceVar(&r.tasks, "tasks", nil, "target tasks (with --kind pretrain: the tasks to pretrain on)")
	f.StringSliceVar(&r.arms, "arms", nil, "arms of the targets: random, naml, transfer (with --kind policy: policy gradients)")
	f.StringSliceVar(&r.ablations, "ablations", nil, strings.Join(catalog.Ablations(), ", "))
	f.StringVar(&r.ablation, "ablation", "", "the ablation of --kind ablation")
	f.StringSliceVar(&r.seeds, "seeds", nil, "each target is searched once with each")
	f.Uint64Var(&r.seed, "pretrain-seed", 0, "decides every random draw of the pretraining")
	f.IntVar(&r.trials, "trials", 0, "trials of each target's searches (with --kind pretrain: of the pretraining)")
	f.IntVar(&r.pretrainTrials, "pretrain-trials", 0, "trials of the pretraining")
	f.StringSliceVar(&r.pretrainTasks, "pretrain-tasks", nil, "tasks to pretrain on")
	f.StringVar(&r.controller, "controller", "", "name to publish the controller under; with --kind transfer NAME or NAME@VERSION to start from")
	f.StringSliceVar(&r.modules, "module", nil, "embedding modules to choose from (default: all)")
	f.IntVar(&r.concurrency, "concurrency", 0, "searches at once")
	f.StringVar(&r.settings, "settings", "", "the strategy's parameters as JSON, or @FILE")
	f.BoolVar(&r.retrain, "retrain", false, "train every trial anew instead of asking the trial cache")
	f.BoolVar(&r.overlap, "allow-overlap", false, "let a target be a pretraining task too")
	terminal.Positive(cmd, "trials", "pretrain-trials", "concurrency")
}

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
func (r *Run) Spec(cmd *cobra.Command, kind catalog.Kind, experiment string) (json.RawMessage, error) {
	spec := map[string]any{"experiment": experiment}
	settings, err := Settings(r.settings)
	if err != nil {
		return nil, err
	}
	seeds := []uint64{}
	for _, s := range r.seeds {
		n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 64)
		if err != nil {
			return nil, client.Usage(fmt.Errorf("--seeds: %q is not a whole number", s))
		}
		seeds = append(seeds, n)
	}
	pretrainSeed := "pretrain_seed"
	if kind == catalog.KindPretrain {
		pretrainSeed = "seed"
	}
	for _, f := range []struct {
		flag, field string
		value       any
	}{
		{"tasks", "tasks", r.tasks}, {"arms", "arms", r.arms}, {"ablations", "ablations", r.ablations}, {"ablation", "ablation", r.ablation},
		{"seeds", "seeds", seeds}, {"pretrain-seed", pretrainSeed, r.seed}, {"trials", "trials", r.trials}, {"pretrain-trials", "pretrain_trials", r.pretrainTrials},
		{"pretrain-tasks", "pretrain_tasks", r.pretrainTasks}, {"controller", "controller", r.controller}, {"module", "modules", r.modules},
		{"concurrency", "concurrency", r.concurrency}, {"settings", "settings", settings}, {"retrain", "retrain", r.retrain}, {"allow-overlap", "allow_overlap", r.overlap},
	} {
		if cmd.Flags().Changed(f.flag) {
			spec[f.field] = f.value
		}
	}
	return json.Marshal(spec)
}
