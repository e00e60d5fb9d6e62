package search

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"tnaml/workflows"
)

// budget is a number of trials, or of more trials.
type budget struct {
	n    int
	more bool
}

func (b *budget) String() string { return strconv.Itoa(b.n) }

// Type implements pflag.Value.
func (*budget) Type() string { return "trials" }

// Set implements pflag.Value.
func (b *budget) Set(s string) (err error) {
	digits, more := strings.CutPrefix(s, "+")
	if b.n, err = strconv.Atoi(digits); err != nil || more && b.n < 1 {
		return errors.New("it must be a whole number, or one to be added, e.g. +50")
	}
	b.more = more
	return nil
}

// checkBudget checks what can be checked of a search's flags without its servers.
func checkBudget(want workflows.SearchSpec, trials budget) error {
	if want.From != "" {
		return nil // most is the other search's
	}
	if trials.more {
		return fmt.Errorf("--trials +%d is for a search that goes on from another one: name it with --from, or give a number", trials.n)
	}
	return want.Validate()
}

// given are the fields of a search's spec that were given as flags.
func given(cmd *cobra.Command, want workflows.SearchSpec, g *goals) map[string]any {
	out := map[string]any{}
	if g.given() {
		out["budget"] = want.Budget
	}
	for _, f := range []struct {
		flag, field string
		value       any
	}{
		{"task", "tasks", want.Tasks}, {"strategy", "strategy", want.Strategy}, {"trials", "trials", want.Trials}, {"seed", "seed", want.Seed},
		{"space", "space", want.Space}, {"lag", "lag", want.Lag}, {"parallel", "parallel", want.Parallel},
		{"experiment", "experiment", want.Experiment}, {"settings", "settings", want.Settings}, {"controller", "controller", want.Controller},
		{"sources", "sources", want.Sources}, {"module", "modules", want.Modules}, {"checkpoint-every", "checkpoint_every", want.CheckpointEvery},
		{"trial-timeout", "trial_timeout", want.TrialTimeout}, {"memory-limit-mb", "memory_limit_mb", want.MemoryLimitMB},
		{"trial-steps", "trial_steps", want.TrialSteps}, {"keep-models", "keep_models", want.KeepModels},
		{"pruner", "pruner", want.Pruner}, {"examples", "examples", want.Examples}, {"retrain", "retrain", want.Retrain},
	} {
		if cmd.Flags().Changed(f.flag) {
			out[f.field] = f.value
		}
	}
	return out
}
