// Package bench is the command that compares search strategies on a recorded benchmark,
// in this process: it needs no servers.
package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tnaml/experiments/benchmark"
	"tnaml/experiments/benchmark/simulate"
	"tnaml/experiments/catalog"
	"tnaml/experiments/search/strategy"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

// app is the program, with what the benchmark takes.
type app struct {
	*terminal.App
	open func(set string) (*simulate.World, error)
}

// options are what the flags say.
type options struct {
	set, armsFile, against, out string
	baseline                    string
	strategies, tasks           []string
	settings                    []string
	at                          []int
	trials, seeds, lag, workers int
	pretrainTrials              int
	pretrainSeeds               int
	byTask, csv                 bool
	chosen                      bool // --strategies was given
}

// Command is the command bench.
func Command(t *terminal.App) *cobra.Command {
	cmd := command(app{t, simulate.Open})
	cmd.AddCommand(CompareCommand(t), PackCommand(t), ShowCommand(t))
	return cmd
}

func command(a app) *cobra.Command {
	o := options{
		set: benchmark.Paper, strategies: []string{strategy.Random, strategy.NAML}, tasks: []string{"test"}, trials: 500, seeds: 50,
		lag: catalog.Defaults().Lag, workers: runtime.GOMAXPROCS(0), pretrainTrials: 4000, pretrainSeeds: 3,
	}
	cmd := &cobra.Command{
		Use: "bench", Short: "Compare search strategies on a recorded benchmark, in minutes and without servers", Args: cobra.NoArgs,
		Long: "Compare search strategies on a recorded benchmark. Nothing is trained: searches run as they do elsewhere, with the same\n" +
			"seeds, and a surrogate fitted to recorded trials answers in the trainer's place. It needs no servers, and gives the same\n" +
			"figures on any number of cores.\n\n" +
			"What --strategies names is [NAME=]ARM[:PRESET][@PRETRAINING]. ARM is a strategy, an arm of the file of --arms, or one of\n" +
			"those that experiments share (" + strings.Join(armNames(catalog.SharedArms()), ", ") + "); there are lists of these, too:\n" +
			"default, ablations (the paper's), ladder (the rivals). What starts from other tasks' trials is pretrained on the\n" +
			"development tasks, but for the target. A strategy that learns from such trials starts from the first pretraining, of the\n" +
			"file or else multitask, unless it says @none; evolution starts from nothing, and warm-evolution is what starts from them.\n" +
			"naml@multitask goes on from the controller, as transfer does. oracle is no search: it knows the configuration that is\n" +
			"best on the validation split, so that what it is ahead by is what there was to find.\n" +
			"Where an arm and a pretraining have one name, --settings is of both. Strategies and settings are chosen on the\n" +
			"development tasks, and told of on the test tasks.\n\n" +
			"Normalised regret: 0 is the best model known of a task, 1 its median random configuration.\n\n" +
			"Columns of --csv: arm, task, seed, trials; of the model that is best on the validation split after so many trials its\n" +
			"values on the two splits (validation, test); the mean values of the ten best (top10_validation, top10_test); and of the\n" +
			"best model its regret on the test split (regret), its validation value in the mean over seeds of its training\n" +
			"(validation_mean) and the regret by that (found_regret).",
		Example: "  starter bench --strategies random,naml,naml@multitask\n" +
			"  starter bench --strategies naml,fast=naml --settings fast='{\"policy_gradient\":{\"learning_rate\":0.01}}' --tasks development\n" +
			"  starter bench --strategies ablations --trials 100 --seeds 20 --out ablations.html",
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.chosen = cmd.Flags().Changed("strategies")
			return a.run(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.set, "set", o.set, "recorded benchmark: "+strings.Join(benchmark.Names(), ", "))
	f.StringSliceVar(&o.strategies, "strategies", o.strategies, "arms, as [NAME=]ARM[:PRESET][@PRETRAINING]")
	f.StringVar(&o.armsFile, "arms", "", "YAML file of more arms and pretrainings; all its arms are run where --strategies is not given")
	f.StringArrayVar(&o.settings, "settings", nil, "NAME=SETTINGS of an arm or a pretraining: JSON, the name of a preset, or @FILE")
	f.StringSliceVar(&o.tasks, "tasks", o.tasks, "targets: test, development, all, and names")
	f.IntVar(&o.trials, "trials", o.trials, "trials of each search")
	f.IntVar(&o.seeds, "seeds", o.seeds, "searches of each arm and task, with the seeds from 1 on")
	f.IntSliceVar(&o.at, "at", nil, "numbers of trials to give figures at (default 1,3,10,30,100,300 and --trials)")
	f.IntVar(&o.lag, "lag", o.lag, "a proposal knows the results up to so many trials before, as in real searches of as many at once (the\n"+
		"figures of experiments/benchmark have 1)")
	f.IntVar(&o.pretrainTrials, "pretrain-trials", o.pretrainTrials, "trials of a pretraining, where the file of --arms says none")
	f.IntVar(&o.pretrainSeeds, "pretrain-seeds", o.pretrainSeeds, "pretrainings, with the seeds from 1 on: the searches' seeds take turns")
	f.IntVar(&o.workers, "parallel", o.workers, "searches at once; changes nothing of the figures")
	o.shown(f)
	return a.JSONFlag(cmd)
}

// shown are the flags that say how results are shown.
func (o *options) shown(f *pflag.FlagSet) {
	f.StringVar(&o.against, "against", "", "arm that the others are compared with (default the first)")
	f.StringVar(&o.baseline, "baseline", "", "show what the paper's Table 1 has: trials to this arm's last top10, and top10 on the test split")
	f.BoolVar(&o.byTask, "by-task", false, "show the tasks one by one too")
	f.BoolVar(&o.csv, "csv", false, "print CSV: a row for each arm, task, seed and number of trials")
	f.StringVar(&o.out, "out", "", "write a file too: .html (with curves and diagrams), .json (all searches), .csv or .txt")
}

// run runs the benchmark and shows it.
func (a app) run(ctx context.Context, o options) error {
	form, formErr := a.form(o)
	w, worldErr := a.open(o.set)
	if worldErr != nil {
		return client.Usage(errors.Join(worldErr, formErr))
	}
	p, err := a.plan(ctx, w, o)
	if err := errors.Join(formErr, err); err != nil {
		return client.Usage(err)
	}
	result, err := a.follow(ctx, w, p)
	if err != nil && (ctx.Err() == nil || result.Seeds == 0) {
		if ctx.Err() != nil {
			return terminal.ErrInterrupted
		}
		return err
	}
	if err != nil {
		a.Say("interrupted: these are the figures of %d of %d seeds", result.Seeds, p.Seeds)
		err = terminal.ErrInterrupted
	}
	return errors.Join(a.show(o, form, pageOf(o.set, result, o.baseline)), err)
}

// plan makes the plan of what the flags say. Everything wrong with them comes together.
func (a app) plan(ctx context.Context, w *simulate.World, o options) (simulate.Plan, error) {
	p := simulate.Plan{
		Trials: o.trials, Seeds: o.seeds, PretrainSeeds: o.pretrainSeeds, Lag: o.lag, Workers: o.workers, Budgets: o.at, Against: o.against,
		Tasks: w.Expand(o.tasks),
	}
	if len(p.Budgets) == 0 {
		for _, b := range []int{1, 3, 10, 30, 100, 300} {
			if b < o.trials {
				p.Budgets = append(p.Budgets, b)
			}
		}
		p.Budgets = append(p.Budgets, o.trials)
	}
	errs := o.positive(&p)
	unread, armsErr := a.arms(ctx, w, o, &p)
	errs = append(errs, armsErr)
	var names []string
	for _, arm := range p.Arms {
		names = append(names, arm.Name)
	}
	for _, f := range []struct{ flag, arm string }{{"--against", o.against}, {"--baseline", o.baseline}} {
		if f.arm != "" && !slices.Contains(slices.Concat(names, unread), f.arm) {
			errs = append(errs, fmt.Errorf("%s: %q is none of the arms (there are: %s)", f.flag, f.arm,
				cmp.Or(strings.Join(names, ", "), "none that can be read")))
		}
	}
	if len(p.Arms) == 0 && armsErr != nil { // what is missing has been told: one stands in, so that the rest is checked too
		p.Arms = []simulate.Arm{{Name: strategy.Random, Strategy: strategy.Random}}
	}
	if len(p.Arms) > 0 && !slices.Contains(names, p.Against) {
		p.Against = p.Arms[0].Name
	}
	return p, errors.Join(append(errs, p.Check(w))...)
}

// positive says which numbers are too small, by their flags, and has 1 in their places so
// that it is not said again.
func (o *options) positive(p *simulate.Plan) (errs []error) {
	for _, n := range []struct {
		flag string
		is   *int
	}{
		{"trials", &p.Trials}, {"seeds", &p.Seeds}, {"lag", &p.Lag}, {"pretrain-trials", &o.pretrainTrials},
		{"pretrain-seeds", &p.PretrainSeeds}, {"parallel", &p.Workers},
	} {
		if *n.is < 1 {
			errs = append(errs, fmt.Errorf("--%s is %d: it must be above 0", n.flag, *n.is))
			*n.is = 1
			if n.flag == "trials" && len(o.at) == 0 {
				p.Budgets = []int{1}
			} else if n.flag == "trials" {
				p.Trials = max(1, slices.Max(o.at))
			}
		}
	}
	return errs
}

// follow runs a plan, and says how far it is.
func (a app) follow(ctx context.Context, w *simulate.World, p simulate.Plan) (*simulate.Result, error) {
	progress := a.NewProgress()
	defer progress.Clear()
	var mu sync.Mutex
	most := 0
	progress.Update("fitting surrogates")
	return simulate.Run(ctx, w, p, func(done, all int) {
		mu.Lock()
		defer mu.Unlock()
		if most = max(most, done); most == done {
			progress.Update(fmt.Sprintf("%s of %s trials, %d %%", humanize.Comma(int64(done)), humanize.Comma(int64(all)), 100*done/all))
		}
	})
}

// pageOf is a result with its figures, and those of the paper's Table 1 where a baseline is named.
func pageOf(set string, result *simulate.Result, baseline string) *page {
	p := &page{Set: set, Result: result, Figures: result.Figures()}
	if baseline != "" {
		p.Baseline = result.Baseline(baseline)
	}
	return p
}

// page is what is shown.
type page struct {
	Set string `json:"set"`
	*simulate.Result
	Figures *simulate.Figures `json:"figures"`
	// Baseline is there where it was asked for.
	Baseline *simulate.Baseline `json:"baseline,omitempty"`
}
