package controller

import (
	"context"
	"fmt"
	"runtime"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"tnaml/activities/library"
	"tnaml/experiments/benchmark"
	"tnaml/experiments/benchmark/simulate"
	"tnaml/experiments/catalog"
	"tnaml/experiments/search/strategy"
	"tnaml/starter/cli/spec"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

func (a app) pretrainCommand() *cobra.Command {
	var set, settings string
	var seed uint64
	p := simulate.Pretraining{Strategy: strategy.NAML, Trials: 4000, Tasks: []string{"development"}}
	lag := catalog.Defaults().Lag
	cmd := &cobra.Command{
		Use: "pretrain NAME", Short: "Pretrain a controller on a recorded benchmark, in seconds, and publish it", Args: cobra.ExactArgs(1),
		Long: "Pretrain a controller on a recorded benchmark, and publish it as the newest version of a name. Nothing is trained: what\n" +
			"thousands of trials of the benchmark's tasks gave was recorded, and a surrogate fitted to them answers in the trainer's place\n" +
			"(see bench). The controller then starts real searches of other tasks in the benchmark's search space.",
		Example: "  starter controller pretrain recorded\n" +
			"  starter search --task spam --space paper --strategy naml --controller recorded\n" +
			"  starter run nlp --kind transfer --controller recorded --arms transfer --trials 100",
		RunE: func(cmd *cobra.Command, args []string) error {
			p.Name = args[0]
			if err := client.CheckName("controller", p.Name); err != nil {
				return client.Usage(err)
			}
			w, err := simulate.Open(set)
			if err != nil {
				return client.Usage(err)
			}
			if p.Settings, err = spec.Settings(cmd.Context(), settings); err != nil {
				return fmt.Errorf("--settings: %w", err)
			}
			p.Tasks = w.Expand(p.Tasks)
			if err := p.Check(w, lag); err != nil {
				return client.Usage(err)
			}
			learned, err := a.pretrain(cmd.Context(), w, p, seed, lag)
			if err != nil {
				return err
			}
			return a.WithClient(cmd.Context(), func(c *client.Client) error {
				v, err := library.ImportController(cmd.Context(), c.Store, p.Name, learned.Object)
				if err != nil {
					return err
				}
				return a.Answer(struct {
					library.ControllerVersion
					Information float64 `json:"information_bits"`
					Most        float64 `json:"most_bits"`
				}{v, learned.Information, learned.Most},
					"controller %s: %s trials of the recorded benchmark %s on %s; it tells its tasks apart by %.2f bits of %.2f",
					v.Full(), humanize.Comma(int64(v.Trials)), set, strings.Join(v.Tasks, ", "), learned.Information, learned.Most)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&set, "set", benchmark.Paper, "recorded benchmark: "+strings.Join(benchmark.Names(), ", "))
	f.StringSliceVar(&p.Tasks, "tasks", p.Tasks, "tasks to learn on: development, test, all, or names")
	f.IntVar(&p.Trials, "trials", p.Trials, "trials of all tasks together")
	f.Uint64Var(&seed, "seed", 1, "decides every random draw")
	f.IntVar(&lag, "lag", lag, "a proposal knows the results up to so many trials before")
	f.StringVar(&settings, "settings", "multitask", "parameters of the strategy naml: JSON, the name of a preset, or @FILE")
	terminal.Positive(cmd, "trials", "lag")
	return a.JSONFlag(cmd)
}

// pretrain says what it is doing meanwhile.
func (a app) pretrain(ctx context.Context, w *simulate.World, p simulate.Pretraining, seed uint64, lag int) (*simulate.Controller, error) {
	progress := a.NewProgress()
	defer progress.Clear()
	progress.Update(fmt.Sprintf("fitting surrogates of %d tasks, and learning from %s trials", len(p.Tasks), humanize.Comma(int64(p.Trials))))
	out, err := simulate.Pretrain(ctx, w, p, seed, lag, runtime.GOMAXPROCS(0))
	if err != nil && ctx.Err() != nil {
		err = terminal.ErrInterrupted
	}
	return out, err
}
