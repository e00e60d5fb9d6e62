package schedule

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tnaml/activities/gc"
	"tnaml/experiments/catalog"
	"tnaml/starter/cli/samples"
	"tnaml/starter/cli/spec"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
	"tnaml/workflows"
)

// app is the program, with the commands of schedules.
type app struct{ *terminal.App }

// Command is the command schedule.
func Command(t *terminal.App) *cobra.Command {
	a := app{t}
	cmd := &cobra.Command{Use: "schedule", Short: "Experiments and garbage collections at fixed times, as Temporal Schedules"}
	cmd.AddCommand(a.createCommand(), a.listCommand(), a.showCommand(),
		a.triggerCommand(),
		a.doCommand("pause", "Start no more runs until resumed", "paused", (*client.Client).PauseSchedule),
		a.doCommand("resume", "Go on after a pause", "resumed", (*client.Client).ResumeSchedule),
		a.doCommand("delete", "Delete it; runs that have begun go on", "deleted", (*client.Client).DeleteSchedule),
	)
	return cmd
}

// ofRun marks the flags of an experiment's run.
const ofRun = "run"

func (a app) createCommand() *cobra.Command {
	var run spec.Run
	var want client.ScheduleSpec
	var collect bool
	grace := gc.DefaultGrace
	cmd := &cobra.Command{
		Use:   "create NAME --cron \"MINUTE HOUR DAY MONTH WEEKDAY\" (--experiment EXPERIMENT | --collect)",
		Short: "Run an experiment, or collect garbage, at fixed times",
		Long: "Run an experiment, or collect garbage as `starter gc` does, at fixed times. A benchmark compares each run's figures with the\n" +
			"runs before it and fails where they are worse, so that an alert can hang on failed workflows of type Benchmark.",
		Example: "  starter schedule create nightly --cron \"0 2 * * *\" --experiment nightly\n" +
			"  starter schedule create weekly --cron \"0 3 * * 6\" --time-zone Europe/Berlin --experiment nlp-small --kind experiment\n" +
			"  starter schedule create gc --cron \"0 4 * * *\" --collect",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			kind, err := spec.Kind(run.Kind)
			if err != nil {
				return err
			}
			want.Name, want.Kind = args[0], kind
			if collect {
				want.Collect = &workflows.CollectSpec{Grace: terminal.Span(grace)}
			}
			if err := check(cmd.Flags(), want, grace); err != nil {
				return client.Usage(err)
			}
			if !collect {
				if want.Spec, err = run.Spec(cmd, want.Experiment); err != nil {
					return err
				}
			}
			return a.WithClient(cmd.Context(), func(c *client.Client) error {
				if !collect {
					if err := samples.Ensure(cmd.Context(), a.App, c, want.Kind, want.Experiment, want.Spec, ""); err != nil {
						return err
					}
				}
				e, err := c.CreateSchedule(cmd.Context(), want)
				switch {
				case err != nil:
					return err
				case a.JSON:
					return a.PrintJSON(e)
				}
				a.show(e)
				return nil
			})
		},
	}
	run.Flags(cmd, catalog.KindBenchmark)
	f := cmd.Flags()
	f.StringVar(&want.Experiment, "experiment", "", "the experiment to run")
	f.VisitAll(func(flag *pflag.Flag) { _ = f.SetAnnotation(flag.Name, ofRun, nil) }) // it is there
	f.BoolVar(&collect, "collect", false, "collect garbage instead of running an experiment")
	f.DurationVar(&grace, "grace", grace, "with --collect, the age from which an object is set aside, and what was set aside is deleted")
	f.StringVar(&want.Cron, "cron", "", "when: minute, hour, day of the month, month, day of the week; or @daily and the like, or @every 90m")
	f.StringVar(&want.Zone, "time-zone", "UTC", "IANA time zone of the cron expression")
	f.StringVar(&want.Overlap, "overlap", "skip", "while the run before still runs: "+strings.Join(client.Overlaps(), ", "))
	f.BoolVar(&want.Paused, "paused", false, "create it paused")
	return a.JSONFlag(cmd)
}

// check tells all that is wrong with the flags together.
func check(flags *pflag.FlagSet, s client.ScheduleSpec, grace time.Duration) error {
	var errs []error
	if err := client.CheckName("schedule", s.Name); err != nil {
		errs = append(errs, err)
	}
	switch {
	case s.Collect != nil:
		flags.Visit(func(f *pflag.Flag) {
			if _, is := f.Annotations[ofRun]; is {
				errs = append(errs, fmt.Errorf("--%s does not go with --collect", f.Name))
			}
		})
		if grace < 0 {
			errs = append(errs, fmt.Errorf("--grace is %s: it must be 0 or more", terminal.Span(grace)))
		}
	case s.Experiment == "":
		errs = append(errs, errors.New("no --experiment (see `starter experiment list`), and no --collect"))
	case flags.Changed("grace"):
		errs = append(errs, errors.New("--grace goes with --collect alone"))
	}
	if s.Cron == "" {
		errs = append(errs, errors.New(`no --cron: give one like "0 2 * * *", two o'clock every night`))
	}
	if known := client.Overlaps(); !slices.Contains(known, s.Overlap) {
		errs = append(errs, fmt.Errorf("--overlap is %q: it must be one of %s", s.Overlap, strings.Join(known, ", ")))
	}
	if _, err := time.LoadLocation(s.Zone); err != nil {
		errs = append(errs, fmt.Errorf("--time-zone: %w", err))
	}
	return errors.Join(errs...)
}

// show prints a schedule.
func (a app) show(v *client.ScheduleEntry) {
	a.Print("%s (%s): %s", v.Name, state(v), v.Note)
	a.Print("when     %s %s", strings.Join(v.When, "; "), v.TimeZone)
	a.Print("overlap  %s", v.Overlap)
	next := v.Next[:min(len(v.Next), 3)]
	if v.Paused {
		next = nil // as long as nobody resumes it
	}
	for i, t := range next {
		a.Print("%s %s", []string{"next    ", "        ", "        "}[i], t.Local().Format("2006-01-02 15:04 MST"))
	}
	for _, r := range v.Running {
		a.Print("running  %s (`starter watch %s`)", r, r)
	}
	for _, r := range v.Recent {
		a.Print("ran      %s  %s", terminal.When(r.At), r.Name)
	}
}

func (a app) listCommand() *cobra.Command {
	return (&terminal.Listing[*client.ScheduleEntry]{
		Short:   "List the schedules",
		Empty:   "There are no schedules yet: `starter schedule create` makes one.",
		Columns: []string{"schedule", "when", "next", "state", "~for"},
		Row: func(v *client.ScheduleEntry) []any {
			next := ""
			if len(v.Next) > 0 && !v.Paused {
				next = terminal.When(v.Next[0])
			}
			return []any{v.Name, strings.Join(v.When, "; ") + " " + v.TimeZone, next, state(v), v.Note}
		},
		Read: func(ctx context.Context, c *client.Client) ([]*client.ScheduleEntry, error) { return c.Schedules(ctx) },
	}).Command(a.App)
}

func (a app) showCommand() *cobra.Command {
	return terminal.Shown[*client.ScheduleEntry]{
		Use: "show NAME", Short: "Show a schedule: when, what ran, what runs next",
		Read: func(ctx context.Context, c *client.Client, name string) (*client.ScheduleEntry, error) {
			return c.FindSchedule(ctx, name)
		},
		Print: a.show,
	}.Command(a.App)
}

func state(v *client.ScheduleEntry) string {
	if v.Paused {
		return "paused"
	}
	return "active"
}

func (a app) triggerCommand() *cobra.Command {
	return a.JSONFlag(&cobra.Command{
		Use: "trigger NAME", Short: "Run it now, and say what came of it", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.WithClient(cmd.Context(), func(c *client.Client) error {
				started, err := c.TriggerSchedule(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				text := fmt.Sprintf("schedule %s triggered: it has started %s (`starter watch %s`)", args[0], started, started)
				if started == "" {
					text = fmt.Sprintf("schedule %s triggered: it starts once the run before has ended", args[0])
				}
				return a.Answer(map[string]string{"name": args[0], "status": "triggered", "started": started}, "%s", text)
			})
		},
	})
}

// doCommand is a command that does one thing to a schedule.
func (a app) doCommand(name, short, done string, do func(*client.Client, context.Context, string) error) *cobra.Command {
	return a.JSONFlag(&cobra.Command{
		Use: name + " NAME", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.WithClient(cmd.Context(), func(c *client.Client) error {
				if err := do(c, cmd.Context(), args[0]); err != nil {
					return err
				}
				return a.Answer(map[string]string{"name": args[0], "status": done}, "schedule %s %s", args[0], done)
			})
		},
	})
}
