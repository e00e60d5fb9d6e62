package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"tnaml/activities/gc"
	"tnaml/deploy"
	"tnaml/experiments/catalog"
	"tnaml/workflows"
)

// overlaps are the policies for a run whose time comes while the one before
// still runs.
var overlaps = map[string]enumspb.ScheduleOverlapPolicy{
	"skip":            enumspb.SCHEDULE_OVERLAP_POLICY_SKIP,
	"buffer-one":      enumspb.SCHEDULE_OVERLAP_POLICY_BUFFER_ONE,
	"buffer-all":      enumspb.SCHEDULE_OVERLAP_POLICY_BUFFER_ALL,
	"cancel-other":    enumspb.SCHEDULE_OVERLAP_POLICY_CANCEL_OTHER,
	"terminate-other": enumspb.SCHEDULE_OVERLAP_POLICY_TERMINATE_OTHER,
	"allow-all":       enumspb.SCHEDULE_OVERLAP_POLICY_ALLOW_ALL,
}

func overlapNames() string {
	var names []string
	for n := range overlaps {
		names = append(names, n)
	}
	sort.Strings(names)
	return strings.Join(names, ", ")
}

func overlapName(p enumspb.ScheduleOverlapPolicy) string {
	for name, q := range overlaps {
		if p == q {
			return name
		}
	}
	return "skip" // the server's default
}

func (a *app) scheduleCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "schedule", Short: "Experiments and garbage collections at fixed times, as Temporal Schedules"}
	cmd.AddCommand(a.scheduleCreateCommand(), a.scheduleListCommand(), a.scheduleShowCommand(),
		a.scheduleDoCommand("trigger", "Run it now", "triggered", func(ctx context.Context, h client.ScheduleHandle) error {
			return h.Trigger(ctx, client.ScheduleTriggerOptions{})
		}),
		a.scheduleDoCommand("pause", "Start no more runs until resumed", "paused", func(ctx context.Context, h client.ScheduleHandle) error {
			note, err := noteOf(ctx, h)
			if err != nil {
				return err
			}
			return h.Pause(ctx, client.SchedulePauseOptions{Note: note})
		}),
		a.scheduleDoCommand("resume", "Go on after a pause", "resumed", func(ctx context.Context, h client.ScheduleHandle) error {
			note, err := noteOf(ctx, h)
			if err != nil {
				return err
			}
			return h.Unpause(ctx, client.ScheduleUnpauseOptions{Note: note})
		}),
		a.scheduleDoCommand("delete", "Delete it; runs that have begun go on", "deleted", func(ctx context.Context, h client.ScheduleHandle) error {
			return h.Delete(ctx)
		}),
	)
	return group(cmd)
}

// ofRun marks the flags of an experiment's run.
const ofRun = "run"

func (a *app) scheduleCreateCommand() *cobra.Command {
	var r runFlags
	var cron, zone, overlap, experiment string
	var paused, collect bool
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
			kind, err := parseKind(r.kind)
			if err != nil {
				return usageError{err}
			}
			var errs []error
			if err := checkName("schedule", args[0]); err != nil {
				errs = append(errs, err)
			}
			switch {
			case collect:
				cmd.Flags().Visit(func(f *pflag.Flag) {
					if _, is := f.Annotations[ofRun]; is {
						errs = append(errs, fmt.Errorf("--%s does not go with --collect", f.Name))
					}
				})
				if grace < 0 {
					errs = append(errs, fmt.Errorf("--grace is %s: it must be 0 or more", span(grace)))
				}
			case experiment == "":
				errs = append(errs, errors.New("no --experiment (see `starter experiment list`), and no --collect"))
			case cmd.Flags().Changed("grace"):
				errs = append(errs, errors.New("--grace goes with --collect alone"))
			}
			if cron == "" {
				errs = append(errs, errors.New(`no --cron: give one like "0 2 * * *", two o'clock every night`))
			}
			policy, ok := overlaps[overlap]
			if !ok {
				errs = append(errs, fmt.Errorf("--overlap is %q: it must be one of %s", overlap, overlapNames()))
			}
			if _, err := time.LoadLocation(zone); err != nil {
				errs = append(errs, fmt.Errorf("--time-zone: %w", err))
			}
			if len(errs) > 0 {
				return usageError{errors.Join(errs...)}
			}
			note := fmt.Sprintf("garbage collection, grace period %s", span(grace))
			action := client.ScheduleWorkflowAction{
				ID: collectionPrefix + args[0], Workflow: workflows.CollectWorkflow, TaskQueue: a.config.Temporal.TaskQueue,
				Args: []any{workflows.CollectSpec{Grace: grace.String()}},
			}
			if !collect {
				spec, err := r.spec(cmd, experiment)
				if err != nil {
					return err
				}
				note = fmt.Sprintf("%s of the experiment %s", kind, experiment)
				action.ID, action.Workflow, action.Args = runName(kind, experiment), string(kind), []any{spec}
			}
			return a.withServers(cmd.Context(), func(s *deploy.Servers) error {
				if !collect {
					plan, err := a.plan(cmd.Context(), s, kind, experiment, action.Args[0].(json.RawMessage))
					if err != nil {
						return err
					}
					action.StaticSummary = planSummary(plan)
				}
				handle, err := s.Client.ScheduleClient().Create(cmd.Context(), client.ScheduleOptions{
					ID:      args[0],
					Spec:    client.ScheduleSpec{CronExpressions: []string{cron}, TimeZoneName: zone},
					Overlap: policy, Paused: paused,
					Note: note, Action: &action,
				})
				if errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
					return fmt.Errorf("a schedule named %q exists already: delete it with `starter schedule delete %s`, or choose another name", args[0], args[0])
				}
				var invalid *serviceerror.InvalidArgument
				if errors.As(err, &invalid) {
					return usageError{fmt.Errorf("--cron %q: %s", cron, invalid.Message)}
				}
				if err != nil {
					return fmt.Errorf("schedule %s: %w", args[0], err)
				}
				return a.showSchedule(cmd.Context(), handle)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&experiment, "experiment", "", "the experiment to run")
	f.StringVar(&r.kind, "kind", "benchmark", "part of it to run: "+strings.ToLower(strings.Join(kindNames(), ", ")))
	f.StringSliceVar(&r.tasks, "tasks", nil, "target tasks")
	f.StringSliceVar(&r.arms, "arms", nil, "arms of the targets")
	f.StringSliceVar(&r.seeds, "seeds", nil, "each target is searched once with each")
	f.IntVar(&r.trials, "trials", 0, "trials of each target's searches")
	f.IntVar(&r.pretrainTrials, "pretrain-trials", 0, "trials of the pretraining")
	f.IntVar(&r.concurrency, "concurrency", 0, "searches at once")
	f.StringVar(&r.settings, "settings", "", settingsUsage)
	f.VisitAll(func(f *pflag.Flag) { f.Annotations = map[string][]string{ofRun: nil} })
	f.BoolVar(&collect, "collect", false, "collect garbage instead of running an experiment")
	f.DurationVar(&grace, "grace", grace, "with --collect, the age from which an object is set aside, and what was set aside is deleted")
	f.StringVar(&cron, "cron", "", "when: minute, hour, day of the month, month, day of the week")
	f.StringVar(&zone, "time-zone", "UTC", "IANA time zone of the cron expression")
	f.StringVar(&overlap, "overlap", "skip", "while the run before still runs: "+overlapNames())
	f.BoolVar(&paused, "paused", false, "create it paused")
	positive(cmd, "trials", "pretrain-trials", "concurrency")
	return a.jsonFlag(cmd)
}

// scheduleView is a schedule for people and scripts.
type scheduleView struct {
	Name     string       `json:"name"`
	Kind     catalog.Kind `json:"kind"`
	Spec     string       `json:"spec,omitempty"`
	When     []string     `json:"when"`
	TimeZone string       `json:"time_zone"`
	Overlap  string       `json:"overlap"`
	Paused   bool         `json:"paused"`
	Note     string       `json:"note,omitempty"`
	Next     []time.Time  `json:"next"`
	Running  []string     `json:"running"`
	Recent   []recentRun  `json:"recent"`
}

type recentRun struct {
	At   time.Time `json:"at"`
	Name string    `json:"name"`
}

// describe reads a schedule.
func describeSchedule(ctx context.Context, h client.ScheduleHandle) (*scheduleView, error) {
	d, err := h.Describe(ctx)
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		return nil, noSchedule(h.GetID())
	}
	if err != nil {
		return nil, fmt.Errorf("schedule %s: %w", h.GetID(), err)
	}
	v := &scheduleView{Name: h.GetID(), When: []string{}, Next: d.Info.NextActionTimes, Running: []string{}, Recent: []recentRun{}}
	if d.Schedule.State != nil {
		v.Paused, v.Note = d.Schedule.State.Paused, d.Schedule.State.Note
	}
	if d.Schedule.Policy != nil {
		v.Overlap = overlapName(d.Schedule.Policy.Overlap)
	}
	if s := d.Schedule.Spec; s != nil {
		v.TimeZone = s.TimeZoneName
		for _, c := range s.Calendars {
			v.When = append(v.When, calendar(c))
		}
		v.When = append(v.When, s.CronExpressions...)
	}
	if w, ok := d.Schedule.Action.(*client.ScheduleWorkflowAction); ok {
		if name, ok := w.Workflow.(string); ok {
			v.Kind = catalog.Kind(name)
		}
	}
	for _, r := range d.Info.RunningWorkflows {
		v.Running = append(v.Running, r.WorkflowID)
	}
	for _, r := range d.Info.RecentActions {
		one := recentRun{At: r.ActualTime}
		if r.StartWorkflowResult != nil {
			one.Name = r.StartWorkflowResult.WorkflowID
		}
		v.Recent = append(v.Recent, one)
	}
	return v, nil
}

// noteOf is a schedule's note, which says what it runs: to pause would replace it.
func noteOf(ctx context.Context, h client.ScheduleHandle) (string, error) {
	d, err := h.Describe(ctx)
	if err != nil || d.Schedule.State == nil {
		return "", err
	}
	return d.Schedule.State.Note, nil
}

func noSchedule(name string) error {
	return fmt.Errorf("there is no schedule %q: see `starter schedule list`", name)
}

// calendar writes a calendar specification, which the server makes of a cron
// expression, as one again.
func calendar(c client.ScheduleCalendarSpec) string {
	field := func(ranges []client.ScheduleRange, first, last int) string {
		var parts []string
		for _, r := range ranges {
			end, step := max(r.End, r.Start), max(r.Step, 1)
			switch {
			case r.Start == first && end == last && step == 1:
				return "*"
			case r.Start == first && end == last:
				parts = append(parts, fmt.Sprintf("*/%d", step))
			case end == r.Start:
				parts = append(parts, fmt.Sprint(r.Start))
			case step == 1:
				parts = append(parts, fmt.Sprintf("%d-%d", r.Start, end))
			default:
				parts = append(parts, fmt.Sprintf("%d-%d/%d", r.Start, end, step))
			}
		}
		return strings.Join(parts, ",")
	}
	return strings.Join([]string{
		field(c.Minute, 0, 59), field(c.Hour, 0, 23), field(c.DayOfMonth, 1, 31), field(c.Month, 1, 12), field(c.DayOfWeek, 0, 6),
	}, " ")
}

// showSchedule prints a schedule.
func (a *app) showSchedule(ctx context.Context, h client.ScheduleHandle) error {
	v, err := describeSchedule(ctx, h)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(v)
	}
	state := "active"
	if v.Paused {
		state = "paused"
	}
	a.print("%s (%s): %s", v.Name, state, v.Note)
	a.print("when     %s %s", strings.Join(v.When, "; "), v.TimeZone)
	a.print("overlap  %s", v.Overlap)
	for i, t := range v.Next[:min(len(v.Next), 3)] {
		a.print("%s %s", []string{"next    ", "        ", "        "}[i], t.Local().Format("2006-01-02 15:04 MST"))
	}
	for _, r := range v.Running {
		a.print("running  %s (`starter watch %s`)", r, r)
	}
	for _, r := range v.Recent {
		a.print("ran      %s  %s", r.At.Local().Format("2006-01-02 15:04"), r.Name)
	}
	return nil
}

func (a *app) scheduleListCommand() *cobra.Command {
	return a.jsonFlag(&cobra.Command{
		Use: "list", Short: "List the schedules", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withServers(cmd.Context(), func(s *deploy.Servers) error {
				views := []*scheduleView{}
				entries, err := s.Client.ScheduleClient().List(cmd.Context(), client.ScheduleListOptions{})
				if err != nil {
					return err
				}
				for entries.HasNext() {
					e, err := entries.Next()
					if err != nil {
						return err
					}
					v, err := describeSchedule(cmd.Context(), s.Client.ScheduleClient().GetHandle(cmd.Context(), e.ID))
					if err != nil {
						continue // deleted since it was listed
					}
					views = append(views, v)
				}
				if a.json {
					return a.printJSON(views)
				}
				if len(views) == 0 {
					a.say("There are no schedules yet: `starter schedule create` makes one.")
					return nil
				}
				t := newTable(table.Row{"schedule", "for", "when", "next", "state"})
				for _, v := range views {
					next, state := "", "active"
					if len(v.Next) > 0 {
						next = v.Next[0].Local().Format("2006-01-02 15:04")
					}
					if v.Paused {
						state = "paused"
					}
					t.AppendRow(table.Row{v.Name, v.Note, strings.Join(v.When, "; ") + " " + v.TimeZone, next, state})
				}
				a.print("%s", t.Render())
				return nil
			})
		},
	})
}

func (a *app) scheduleShowCommand() *cobra.Command {
	return a.jsonFlag(&cobra.Command{
		Use: "show NAME", Short: "Show a schedule: when, what ran, what runs next", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withServers(cmd.Context(), func(s *deploy.Servers) error {
				return a.showSchedule(cmd.Context(), s.Client.ScheduleClient().GetHandle(cmd.Context(), args[0]))
			})
		},
	})
}

// scheduleDoCommand is a command that does one thing to a schedule.
func (a *app) scheduleDoCommand(name, short, done string, do func(context.Context, client.ScheduleHandle) error) *cobra.Command {
	return a.jsonFlag(&cobra.Command{
		Use: name + " NAME", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withServers(cmd.Context(), func(s *deploy.Servers) error {
				h := s.Client.ScheduleClient().GetHandle(cmd.Context(), args[0])
				err := do(cmd.Context(), h)
				var missing *serviceerror.NotFound
				if errors.As(err, &missing) {
					return noSchedule(args[0])
				}
				if err != nil {
					return fmt.Errorf("schedule %s: %w", args[0], err)
				}
				if a.json {
					return a.printJSON(map[string]string{"name": args[0], "status": done})
				}
				a.print("schedule %s %s", args[0], done)
				return nil
			})
		},
	})
}
