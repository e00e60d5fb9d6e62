package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	sdk "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"tnaml/experiments/catalog"
	"tnaml/workflows"
)

// overlaps are the policies for a run whose time comes while the one before still runs.
var overlaps = map[string]enumspb.ScheduleOverlapPolicy{
	"skip":            enumspb.SCHEDULE_OVERLAP_POLICY_SKIP,
	"buffer-one":      enumspb.SCHEDULE_OVERLAP_POLICY_BUFFER_ONE,
	"buffer-all":      enumspb.SCHEDULE_OVERLAP_POLICY_BUFFER_ALL,
	"cancel-other":    enumspb.SCHEDULE_OVERLAP_POLICY_CANCEL_OTHER,
	"terminate-other": enumspb.SCHEDULE_OVERLAP_POLICY_TERMINATE_OTHER,
	"allow-all":       enumspb.SCHEDULE_OVERLAP_POLICY_ALLOW_ALL,
}

// Overlaps names the overlap policies.
func Overlaps() []string { return slices.Sorted(maps.Keys(overlaps)) }

func overlapName(p enumspb.ScheduleOverlapPolicy) string {
	for name, q := range overlaps {
		if p == q {
			return name
		}
	}
	return "skip" // the server's default
}

// ScheduleSpec is an experiment to be run, or garbage to be collected, at fixed times.
type ScheduleSpec struct {
	Name string
	// Cron is minute, hour, day of the month, month and day of the week, in the IANA
	// time zone Zone; or "@daily" and the like, or "@every" and a duration.
	Cron, Zone string
	Overlap    string
	Paused     bool
	// Kind, Experiment and Spec are those of StartRun.
	Kind       catalog.Kind
	Experiment string
	Spec       json.RawMessage
	// Collect is there for a garbage collection instead.
	Collect *workflows.CollectSpec
}

// CreateSchedule makes a schedule, once its experiment and all its names are found to
// be there.
func (c *Client) CreateSchedule(ctx context.Context, s ScheduleSpec) (*ScheduleEntry, error) {
	overlap, ok := overlaps[s.Overlap]
	if !ok {
		return nil, Usage(fmt.Errorf("overlap is %q: it must be one of %s", s.Overlap, strings.Join(Overlaps(), ", ")))
	}
	if err := CheckName("schedule", s.Name); err != nil {
		return nil, err
	}
	if err := checkCron(s.Cron); err != nil {
		return nil, Usage(fmt.Errorf("cron expression %q: %w", s.Cron, err))
	}
	action, note, err := c.action(ctx, s)
	if err != nil {
		return nil, err
	}
	handle, err := c.Temporal.ScheduleClient().Create(ctx, sdk.ScheduleOptions{
		ID:      s.Name,
		Spec:    sdk.ScheduleSpec{CronExpressions: []string{s.Cron}, TimeZoneName: s.Zone},
		Overlap: overlap, Paused: s.Paused, Note: note, Action: action,
	})
	if errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		return nil, &TakenError{Schedule, s.Name, nil}
	}
	var invalid *serviceerror.InvalidArgument
	if errors.As(err, &invalid) {
		return nil, Usage(fmt.Errorf("cron expression %q: %s", s.Cron, invalid.Message))
	}
	if err != nil {
		return nil, called(Schedule, s.Name, err)
	}
	e, err := describe(ctx, handle)
	if err == nil && len(e.Next) == 0 { // only the server knows
		err = Usage(fmt.Errorf("cron expression %q: that day never comes", s.Cron))
		if failed := handle.Delete(ctx); failed != nil {
			err = fmt.Errorf("%w; the schedule %s could not be deleted again: %w", err, s.Name, failed)
		}
		return nil, err
	}
	return e, err
}

// checkCron refuses what other programs, or the server, would take for another time than
// most people mean.
func checkCron(cron string) error {
	fields := strings.Fields(cron)
	switch {
	case len(fields) > 0 && strings.HasPrefix(fields[0], "@"):
		return nil
	case len(fields) > 0 && strings.Contains(fields[0], "="):
		return errors.New("the time zone is said beside it: --time-zone")
	case len(fields) != 5:
		return fmt.Errorf("it has %d fields; give five, minute, hour, day of the month, month and day of the week: seconds and years, "+
			"which some programs have as well, are not taken; or @hourly, @daily, @weekly, @monthly, @yearly, @every 90m", len(fields))
	}
	return nil
}

// action is what a schedule starts, and its description.
func (c *Client) action(ctx context.Context, s ScheduleSpec) (*sdk.ScheduleWorkflowAction, string, error) {
	a := &sdk.ScheduleWorkflowAction{TaskQueue: c.TaskQueue}
	if s.Collect != nil {
		a.ID, a.Workflow, a.Args = collectionPrefix+s.Name, workflows.CollectWorkflow, []any{*s.Collect}
		return a, "garbage collection, grace period " + s.Collect.Grace, nil
	}
	plan, err := c.Plan(ctx, s.Kind, s.Experiment, s.Spec)
	if err != nil {
		return nil, "", err
	}
	a.ID, a.Workflow, a.Args, a.StaticSummary = runName(s.Kind, s.Experiment), string(s.Kind), []any{s.Spec}, planSummary(plan)
	return a, fmt.Sprintf("%s %s", s.Kind, s.Experiment), nil
}

// ScheduleEntry is a schedule as the server has it.
type ScheduleEntry struct {
	Name     string       `json:"name"`
	Kind     catalog.Kind `json:"kind"`
	When     []string     `json:"when"`
	TimeZone string       `json:"time_zone"`
	Overlap  string       `json:"overlap"`
	Paused   bool         `json:"paused"`
	Note     string       `json:"note,omitempty"`
	Next     []time.Time  `json:"next"`
	Running  []string     `json:"running"`
	Recent   []RecentRun  `json:"recent"`
}

// RecentRun is a run that a schedule started.
type RecentRun struct {
	At   time.Time `json:"at"`
	Name string    `json:"name"`
}

// Schedules lists the schedules.
func (c *Client) Schedules(ctx context.Context) ([]*ScheduleEntry, error) {
	out := []*ScheduleEntry{}
	entries, err := c.Temporal.ScheduleClient().List(ctx, sdk.ScheduleListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing schedules: %w", err)
	}
	for entries.HasNext() {
		e, err := entries.Next()
		if err != nil {
			return nil, fmt.Errorf("listing schedules: %w", err)
		}
		one, err := c.FindSchedule(ctx, e.ID)
		if errors.As(err, new(*NotFoundError)) {
			continue // deleted since it was listed
		}
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	slices.SortFunc(out, func(a, b *ScheduleEntry) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// FindSchedule describes a schedule.
func (c *Client) FindSchedule(ctx context.Context, name string) (*ScheduleEntry, error) {
	return describe(ctx, c.schedule(ctx, name))
}

// triggerTimeout bounds the wait for what comes of a trigger.
const triggerTimeout = 10 * time.Second

// TriggerSchedule runs it now, and returns the name of what it has started: empty where
// that waits for the run before. Where the overlap policy leaves it out, that is the error.
func (c *Client) TriggerSchedule(ctx context.Context, name string) (string, error) {
	handle := c.schedule(ctx, name)
	before, err := handle.Describe(ctx)
	if err != nil {
		return "", called(Schedule, name, err)
	}
	if err := handle.Trigger(ctx, sdk.ScheduleTriggerOptions{}); err != nil {
		return "", called(Schedule, name, err)
	}
	for deadline := time.Now().Add(triggerTimeout); time.Now().Before(deadline); {
		now, err := handle.Describe(ctx)
		if err != nil {
			return "", called(Schedule, name, err)
		}
		e := entryOf(name, now)
		switch {
		case now.Info.NumActionsSkippedOverlap > before.Info.NumActionsSkippedOverlap:
			return "", fmt.Errorf("schedule %s: nothing was started: %s still runs, and the overlap policy is %s", name,
				strings.Join(e.Running, ", "), e.Overlap)
		case now.Info.NumActions > before.Info.NumActions && len(e.Recent) > 0:
			return e.Recent[len(e.Recent)-1].Name, nil
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(pollEvery):
		}
	}
	return "", nil
}

// PauseSchedule starts no more runs until it is resumed.
func (c *Client) PauseSchedule(ctx context.Context, name string) error {
	// A note says what the schedule runs: to pause or resume without one replaces it.
	e, err := c.FindSchedule(ctx, name)
	if err != nil {
		return err
	}
	return called(Schedule, name, c.schedule(ctx, name).Pause(ctx, sdk.SchedulePauseOptions{Note: e.Note}))
}

// ResumeSchedule goes on after a pause.
func (c *Client) ResumeSchedule(ctx context.Context, name string) error {
	e, err := c.FindSchedule(ctx, name)
	if err != nil {
		return err
	}
	return called(Schedule, name, c.schedule(ctx, name).Unpause(ctx, sdk.ScheduleUnpauseOptions{Note: e.Note}))
}

// DeleteSchedule deletes it; runs that have begun go on.
func (c *Client) DeleteSchedule(ctx context.Context, name string) error {
	return called(Schedule, name, c.schedule(ctx, name).Delete(ctx))
}

func (c *Client) schedule(ctx context.Context, name string) sdk.ScheduleHandle {
	return c.Temporal.ScheduleClient().GetHandle(ctx, name)
}

func describe(ctx context.Context, h sdk.ScheduleHandle) (*ScheduleEntry, error) {
	d, err := h.Describe(ctx)
	if err != nil {
		return nil, called(Schedule, h.GetID(), err)
	}
	return entryOf(h.GetID(), d), nil
}

func entryOf(name string, d *sdk.ScheduleDescription) *ScheduleEntry {
	e := &ScheduleEntry{Name: name, When: []string{}, Next: d.Info.NextActionTimes, Running: []string{}, Recent: []RecentRun{}}
	if d.Schedule.State != nil {
		e.Paused, e.Note = d.Schedule.State.Paused, d.Schedule.State.Note
	}
	if d.Schedule.Policy != nil {
		e.Overlap = overlapName(d.Schedule.Policy.Overlap)
	}
	if s := d.Schedule.Spec; s != nil {
		e.TimeZone = s.TimeZoneName
		for _, c := range s.Calendars {
			e.When = append(e.When, calendar(c))
		}
		for _, i := range s.Intervals {
			e.When = append(e.When, "@every "+i.Every.String())
		}
		e.When = append(e.When, s.CronExpressions...)
	}
	if w, ok := d.Schedule.Action.(*sdk.ScheduleWorkflowAction); ok {
		if name, ok := w.Workflow.(string); ok {
			e.Kind = catalog.Kind(name)
		}
	}
	for _, r := range d.Info.RunningWorkflows {
		e.Running = append(e.Running, r.WorkflowID)
	}
	for _, r := range d.Info.RecentActions {
		one := RecentRun{At: r.ActualTime}
		if r.StartWorkflowResult != nil {
			one.Name = r.StartWorkflowResult.WorkflowID
		}
		e.Recent = append(e.Recent, one)
	}
	return e
}

// calendar writes a calendar specification, which the server makes of a cron
// expression, as one again.
func calendar(c sdk.ScheduleCalendarSpec) string {
	field := func(ranges []sdk.ScheduleRange, first, last int) string {
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
