package monitor

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"

	"tnaml/activities"
	"tnaml/experiments/trainer"
	"tnaml/workflows"
)

// Statuses of attempts at trials without an outcome, beside the outcomes' own.
const (
	givenBack = "given_back" // by a worker that stops
	cutShort  = "cut_short"  // by the machine
	canceled  = "canceled"
	failed    = "error" // trouble, and tried again
)

// Watch has what the server says of the searches that stand still looked at until the context
// ends.
func (m *Monitor) Watch(ctx context.Context, c client.Client) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(lookEvery):
			m.searches.look(ctx, c, time.Now())
		}
	}
}

// Interceptor watches the attempts at all activities. It is the outermost: it sees the errors
// as the server does.
func (m *Monitor) Interceptor() interceptor.WorkerInterceptor {
	return activities.Around(func(next interceptor.ActivityInboundInterceptorBase) interceptor.ActivityInboundInterceptor {
		return &watched{next, m}
	})
}

type watched struct {
	interceptor.ActivityInboundInterceptorBase
	m *Monitor
}

// Init implements interceptor.ActivityInboundInterceptor.
func (w *watched) Init(outbound interceptor.ActivityOutboundInterceptor) error {
	return w.Next.Init(&named{interceptor.ActivityOutboundInterceptorBase{Next: outbound}})
}

// named gives an activity's own log lines the attributes of what it is at.
type named struct {
	interceptor.ActivityOutboundInterceptorBase
}

type nameKey struct{}

// GetLogger implements interceptor.ActivityOutboundInterceptor.
func (n *named) GetLogger(ctx context.Context) log.Logger {
	names, _ := ctx.Value(nameKey{}).([]any)
	return log.With(n.Next.GetLogger(ctx), names...)
}

// ExecuteActivity implements interceptor.ActivityInboundInterceptor.
func (w *watched) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (out any, err error) {
	info := activity.GetInfo(ctx)
	id, trial := info.WorkflowExecution.ID, activities.Input[activities.TrialInput](in)
	names := []any{"workflow", id}
	if info.WorkflowType != nil && info.WorkflowType.Name == workflows.SearchWorkflow {
		names[0] = "search"
	}
	spans := []attribute.KeyValue{attribute.String(names[0].(string), id)}
	if trial != nil {
		names = append(names, "trial", trial.Request.Trial, "task", trial.Request.Task.Name, "trainer", trial.Trainer)
		spans = append(spans, attribute.Int("trial", trial.Request.Trial), attribute.String("task", trial.Request.Task.Name),
			attribute.String("trainer", trial.Trainer))
	}
	trace.SpanFromContext(ctx).SetAttributes(spans...)
	ctx = context.WithValue(ctx, nameKey{}, names)
	began := time.Now()
	if trial != nil {
		var end func()
		ctx, end = activities.WhenEnded(ctx, w.m.begin(trial, &info))
		defer end()
	}
	out, err = w.Next.ExecuteActivity(ctx, in)
	if err != nil {
		level := slog.LevelWarn
		if statusOf(ctx, err) == givenBack {
			level = slog.LevelInfo
		}
		w.m.log.Log(ctx, level, "an attempt failed", append(names, "activity", info.ActivityType.Name, "attempt", info.Attempt, "error", err)...)
	}
	switch {
	case trial != nil:
		w.m.end(ctx, trial, out, err, time.Since(began), names)
	case info.ActivityType.Name == "Served":
		w.m.searches.waits(id)
	case err != nil:
	default:
		if activities.Input[activities.LearnInput](in) != nil {
			w.m.searches.learned(id)
		} else if activities.Input[activities.FinishInput](in) != nil {
			w.m.searches.forget(id, moved{})
		} else if judged, ok := out.(activities.Judged); ok {
			w.m.nights().judged(judged.Status == "regressed")
		}
	}
	return out, err
}

// begin counts a trial as running until what it returns is called.
func (m *Monitor) begin(trial *activities.TrialInput, info *activity.Info) (end func()) {
	name := m.trainer(trial.Trainer)
	if info.Attempt == 1 {
		m.queueWait.WithLabelValues(name).Observe(max(info.StartedTime.Sub(info.ScheduledTime), 0).Seconds())
	}
	running := m.running.WithLabelValues(name)
	running.Inc()
	return running.Dec
}

// end counts a trial's end.
func (m *Monitor) end(ctx context.Context, trial *activities.TrialInput, out any, err error, took time.Duration, names []any) {
	name, status := m.trainer(trial.Trainer), statusOf(ctx, err)
	if result, ok := out.(activities.TrialResult); ok && err == nil {
		if status = string(result.Status); !slices.Contains(trainer.Statuses(), result.Status) {
			status = other
		}
		if !result.Cost.Cached {
			m.trialSeconds.WithLabelValues(name).Observe(took.Seconds())
		}
		m.log.Debug("a trial ended", append(names, "status", result.Status, "seconds", took.Seconds(), "cached", result.Cost.Cached)...)
	}
	m.trials.WithLabelValues(name, status).Inc()
}

// statusOf is the status of an attempt that ended with an error.
func statusOf(ctx context.Context, err error) string {
	var app *temporal.ApplicationError
	isApp := errors.As(err, &app)
	switch {
	case isApp && app.Type() == activities.ErrTypeStopping:
		return givenBack
	case isApp && app.Type() == activities.ErrTypeCutShort:
		return cutShort
	case ctx.Err() != nil:
		return canceled
	}
	return failed
}
