package search

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tnaml/experiments/search"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
	"tnaml/workflows"
)

// askCommand and tellCommand are for searches whose trials are run by whoever asks.
func (a app) askCommand() *cobra.Command {
	var in workflows.Ask
	var wait bool
	var trial int
	cmd := &cobra.Command{
		Use: "ask SEARCH", Short: "Take trials to run, of a search whose space has `trainer: external`",
		Long: "Take trials to run, of a search whose space has `trainer: external`: number, task, choices, seed. Say what came of each\n" +
			"with `starter tell`. A trial is yours for the search's --trial-timeout; to ask for it with --trial renews that, and\n" +
			"else it is handed out again. Several may ask at once: the order in which they tell changes nothing.\n\n" +
			"Exit code 3: there is none, now or, with --wait, any more.",
		Example: "  starter search --task north --space boosting --lag 4 --name own --detach\n" +
			"  while trial=$(starter ask own --wait --json); do …; starter tell own --trial N --metric validation=0.83; done",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("trial") {
				if in.Trial = &trial; cmd.Flags().Changed("count") {
					return client.Usage(errors.New("--count does not go with --trial"))
				}
			}
			if in.Count > workflows.MaxAsked {
				return client.Usage(fmt.Errorf("--count is %d: at most %d trials are asked at once", in.Count, workflows.MaxAsked))
			}
			return a.WithClient(cmd.Context(), func(c *client.Client) error {
				ask := c.Ask
				if wait {
					ask = c.AskWait
				}
				answered := a.sayLate(cmd.Context())
				out, err := ask(cmd.Context(), args[0], in)
				answered()
				var refused *client.RefusedError
				if errors.As(err, &refused) && (refused.Later || refused.Ended) {
					return terminal.Unfinished(err)
				}
				if err != nil {
					return err
				}
				var lines []string
				for _, t := range out.Trials {
					lines = append(lines, askedText(t))
				}
				return a.Answer(out, "%s", strings.Join(lines, "\n"))
			})
		},
	}
	f := cmd.Flags()
	f.IntVar(&in.Count, "count", 1, "how many trials")
	f.IntVar(&trial, "trial", 0, "this `TRIAL` again, to renew its lease")
	f.BoolVar(&wait, "wait", false, "wait until there is one, or the search takes no more")
	terminal.Positive(cmd, "count")
	terminal.NotNegative(cmd, "trial")
	return a.JSONFlag(cmd)
}

// lateAfter is how long after a Ctrl-C it is said what is waited for.
const lateAfter = time.Second

// sayLate says, where ctx has ended and what is returned has not been called yet, that an ask
// under way is waited for: its trial is leased already, and printed here or known to nobody.
func (a app) sayLate(ctx context.Context) (answered func()) {
	done, answered := context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() {
		select {
		case <-done.Done():
		case <-time.After(lateAfter):
			a.Say("waiting for what was asked, which may be answered with a trial; Ctrl-C again gives that up till its lease ends")
		}
	})
	return answered
}

// askedText is a trial to run for people.
func askedText(t workflows.AskedTrial) string {
	var b strings.Builder
	fmt.Fprintf(&b, "trial %d of %s, seed %d, until %s", t.Trial, t.Task.Name, t.Seed, t.LeaseEnds.Local().Format(time.TimeOnly))
	if len(t.Task.Parameters) > 0 {
		fmt.Fprintf(&b, "\n  task %s", t.Task.Parameters)
	}
	for _, name := range slices.Sorted(maps.Keys(t.Params)) {
		fmt.Fprintf(&b, "\n  %s = %s", name, space.Literal(t.Params[name]))
	}
	return b.String()
}

// tellMore adds a curve and a cost to what is told.
func tellMore(tell *workflows.Tell, curve, cost []string) error {
	for _, p := range curve {
		step, value, _ := strings.Cut(p, "=")
		at, wrong := strconv.Atoi(step)
		v, err := strconv.ParseFloat(value, 64)
		if wrong != nil || err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("--curve %q: give STEP=VALUE, such as 100=0.71", p)
		}
		tell.Curve = append(tell.Curve, trainer.Point{Step: at, Value: v})
	}
	for _, c := range cost {
		name, value, _ := strings.Cut(c, "=")
		v, err := strconv.ParseFloat(value, 64)
		if tell.Cost == nil {
			tell.Cost = &search.Cost{}
		}
		to := map[string]*float64{"cpu_seconds": &tell.Cost.CPUSeconds, "wall_seconds": &tell.Cost.WallSeconds}[name]
		switch {
		case to == nil || err != nil || !(v >= 0) || math.IsInf(v, 0):
			return fmt.Errorf("--cost %q: give cpu_seconds=SECONDS or wall_seconds=SECONDS", c)
		case *to != 0:
			return fmt.Errorf("--cost %s is given twice", name)
		}
		*to = v
	}
	return nil
}

func (a app) tellCommand() *cobra.Command {
	var metrics, curve, cost []string
	var trial int
	tell := workflows.Tell{Trial: &trial, Metrics: map[string]*float64{}}
	cmd := &cobra.Command{
		Use: "tell SEARCH --trial TRIAL --metric NAME=VALUE", Short: "Say what a trial gave that was asked",
		Long: "Say what a trial gave that was asked (`starter ask`). A trial that is complete needs the objective among its metrics. To\n" +
			"tell the same again changes nothing; to tell something else is refused.",
		Example: "  starter tell own --trial 17 --metric validation=0.83 --metric test=0.81\n" +
			"  starter tell own --trial 18 --state fail --reason 'the data were locked'",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("trial") {
				return client.Usage(errors.New("which trial? Give its number with --trial"))
			}
			for _, m := range metrics {
				name, value, ok := strings.Cut(m, "=")
				v, err := strconv.ParseFloat(value, 64)
				switch {
				case !ok || err != nil || name == "":
					return client.Usage(fmt.Errorf("--metric %q: give NAME=VALUE, such as validation=0.83", m))
				case math.IsNaN(v) || math.IsInf(v, 0):
					return client.Usage(fmt.Errorf("--metric %q is no number that can be learned from: tell --state fail where there is none", m))
				case tell.Metrics[name] != nil:
					return client.Usage(fmt.Errorf("--metric %s is given twice", name))
				}
				tell.Metrics[name] = &v
			}
			if err := tellMore(&tell, curve, cost); err != nil {
				return client.Usage(err)
			}
			raw, err := json.Marshal(tell)
			if err != nil {
				return err
			}
			return a.WithClient(cmd.Context(), func(c *client.Client) error {
				told, err := c.Tell(cmd.Context(), args[0], raw)
				if err != nil {
					return err
				}
				again := ""
				if told.Again {
					again = " so before"
				}
				return a.Answer(told, "Trial %d is told%s: %d of %d are learned from.", told.Trial, again, told.Told, told.Trials)
			})
		},
	}
	f := cmd.Flags()
	f.IntVar(&trial, "trial", 0, "the `TRIAL`'s number, as it was asked")
	f.StringArrayVar(&metrics, "metric", nil, "`NAME=VALUE` that was measured; may be repeated")
	f.StringVar(&tell.State, "state", "complete", "complete, pruned or fail")
	f.StringVar(&tell.Reason, "reason", "", "why it is not complete")
	f.IntVar(&tell.Steps, "steps", 0, "training steps taken")
	f.StringArrayVar(&curve, "curve", nil, "`STEP=VALUE` of the objective on its way, where the trial asks for a curve; may be repeated")
	f.StringArrayVar(&cost, "cost", nil, "cpu_seconds=`SECONDS` or wall_seconds=SECONDS that it took; may be repeated")
	f.StringVar(&tell.Model, "model", "", "what you call its model")
	terminal.NotNegative(cmd, "trial", "steps")
	return a.JSONFlag(cmd)
}
