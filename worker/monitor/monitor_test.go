package monitor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"tnaml/activities"
	"tnaml/activities/memory"
	"tnaml/activities/store"
	"tnaml/experiments/search"
	"tnaml/experiments/trainer"
	"tnaml/worker/monitor"
)

// names are those that dashboards and alerts are written against, with their labels.
var names = map[string][]string{
	"tnaml_trials_total": {"status", "trainer"}, "tnaml_trial_seconds": {"trainer"}, "tnaml_trial_queue_wait_seconds": {"trainer"},
	"tnaml_trials_running": {"trainer"}, "tnaml_slots": {"trainer"},
	"tnaml_cache_hits_total": {"kind"}, "tnaml_cache_misses_total": {"kind"},
	"tnaml_store_seconds": {"operation"}, "tnaml_store_errors_total": {"operation"}, "tnaml_store_objects_total": {"operation"},
	"tnaml_store_bytes_total": {"operation"}, "tnaml_search_progress_age_seconds": nil, "tnaml_disk_free_bytes": {"path_kind"},
	"tnaml_nightly_regression": nil, "tnaml_nightly_judged_timestamp_seconds": nil, "tnaml_build_info": {"go", "version"},
}

// served is a monitor with a test's activities in its interceptor.
type served struct {
	*monitor.Monitor
	env *testsuite.TestActivityEnvironment
	log *bytes.Buffer
}

func newServed(t *testing.T, trial func(context.Context, activities.TrialInput) (activities.TrialResult, error)) *served {
	t.Helper()
	s := &served{log: new(bytes.Buffer)}
	s.Monitor = monitor.New(monitor.Options{Version: "v1", Disks: map[string]string{"data": t.TempDir(), "scratch": t.TempDir() + "/not/yet"},
		Log: slog.New(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	sdk, err := s.SDK()
	if err != nil {
		t.Fatal(err)
	}
	sdk.WithTags(map[string]string{"operation": "x"}).Counter("temporal_request").Inc(1)
	sdk.Timer("temporal_request_latency").Record(time.Second)
	s.Serves(map[string]int{"builtin": 2})
	tally := new(memory.Tally)
	tally.Note(true)
	s.Caches(map[string]*memory.Tally{"memory": tally})
	var suite testsuite.WorkflowTestSuite
	s.env = suite.NewTestActivityEnvironment()
	s.env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{s.Interceptor()}})
	s.env.RegisterActivityWithOptions(trial, activity.RegisterOptions{Name: "Trial"})
	s.env.RegisterActivityWithOptions(func(context.Context, activities.LearnInput) (activities.LearnOutput, error) {
		return activities.LearnOutput{}, nil
	}, activity.RegisterOptions{Name: "Learn"})
	s.env.RegisterActivityWithOptions(func(context.Context, activities.FinishInput) (activities.Finished, error) {
		return activities.Finished{}, nil
	}, activity.RegisterOptions{Name: "Finish"})
	s.env.RegisterActivityWithOptions(func(_ context.Context, in activities.JudgeInput) (activities.Judged, error) {
		return activities.Judged{Status: in.Name}, nil
	}, activity.RegisterOptions{Name: "JudgeNight"})
	return s
}

// get asks for a page.
func (s *served) get(path string) (status int, body string) {
	r := httptest.NewRecorder()
	s.Handler().ServeHTTP(r, httptest.NewRequest(http.MethodGet, path, nil))
	return r.Code, r.Body.String()
}

// scrape reads the metrics.
func (s *served) scrape(t *testing.T) map[string]*dto.MetricFamily {
	t.Helper()
	code, text := s.get("/metrics")
	p := expfmt.NewTextParser(model.UTF8Validation)
	families, err := p.TextToMetricFamilies(strings.NewReader(text))
	if err != nil || code != http.StatusOK {
		t.Fatalf("%d: %v\n%s", code, err, text)
	}
	return families
}

// value is a series' value, or a histogram's count; -1: there is none.
func value(families map[string]*dto.MetricFamily, name string, labels ...string) float64 {
	for _, m := range families[name].GetMetric() {
		var has []string
		for _, l := range m.GetLabel() {
			has = append(has, l.GetValue())
		}
		if slices.Equal(has, labels) {
			return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return -1
}

func trialOf(name string) activities.TrialInput {
	in := activities.TrialInput{Trainer: name}
	in.Request.Trial, in.Request.Task.Name = 17, "reviews"
	return in
}

// Each metric is there with its labels, is as Prometheus wants metrics, and takes no value of a
// label from an input.
func TestMetrics(t *testing.T) {
	outcomes := []func() (activities.TrialResult, error){
		func() (activities.TrialResult, error) { return result(trainer.OK, false), nil },
		func() (activities.TrialResult, error) { return result(trainer.OK, true), nil },
		func() (activities.TrialResult, error) { return result(trainer.Diverged, false), nil },
		func() (activities.TrialResult, error) { return result("made up", false), nil },
		func() (activities.TrialResult, error) {
			return activities.TrialResult{}, errors.New("the disk is full")
		},
		func() (activities.TrialResult, error) {
			return activities.TrialResult{}, temporal.NewApplicationError("stops", activities.ErrTypeStopping)
		},
		func() (activities.TrialResult, error) {
			return activities.TrialResult{}, temporal.NewApplicationError("killed", activities.ErrTypeCutShort)
		},
	}
	next := 0
	s := newServed(t, func(ctx context.Context, in activities.TrialInput) (activities.TrialResult, error) {
		if in.Trainer != "builtin" {
			return result(trainer.OK, false), nil
		}
		activity.GetLogger(ctx).Info("under way")
		next++
		return outcomes[next-1]()
	})
	for range outcomes {
		_, _ = s.env.ExecuteActivity("Trial", trialOf("builtin"))
	}
	for i := range 50 {
		_, _ = s.env.ExecuteActivity("Trial", trialOf(fmt.Sprint("invented-", i)))
	}
	watched := s.Store(store.NewMemory())
	ref, err := watched.Put(t.Context(), []byte("four"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := watched.Get(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	if families := s.scrape(t); families["tnaml_nightly_regression"] != nil {
		t.Error("there is a verdict without a night")
	}
	for _, night := range []string{"passed", "regressed"} {
		if _, err := s.env.ExecuteActivity("JudgeNight", activities.JudgeInput{Name: night}); err != nil {
			t.Fatal(err)
		}
	}
	families := s.scrape(t)
	for name, want := range names {
		if families[name] == nil {
			t.Errorf("there is no %s", name)
			continue
		}
		for _, m := range families[name].GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName())
			}
			if !slices.Equal(labels, want) {
				t.Errorf("%s has the labels %v, want %v", name, labels, want)
			}
		}
	}
	for name, f := range families {
		if _, known := names[name]; !known && strings.HasPrefix(name, "tnaml_") {
			t.Errorf("%s is not among the names", name)
		}
		if n := len(f.GetMetric()); strings.HasPrefix(name, "tnaml_") && n > 8 {
			t.Errorf("%s has %d series", name, n)
		}
	}
	problems, err := promlint.NewWithMetricFamilies(slices.Collect(maps.Values(families))).Lint()
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "tnaml_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	if err != nil {
		t.Error(err)
	}
	for _, want := range []struct {
		value  float64
		name   string
		labels []string
	}{
		{2, "tnaml_trials_total", []string{"ok", "builtin"}}, {1, "tnaml_trials_total", []string{"diverged", "builtin"}},
		{1, "tnaml_trials_total", []string{"other", "builtin"}}, {1, "tnaml_trials_total", []string{"error", "builtin"}},
		{1, "tnaml_trials_total", []string{"given_back", "builtin"}}, {1, "tnaml_trials_total", []string{"cut_short", "builtin"}},
		{50, "tnaml_trials_total", []string{"ok", "other"}},
		{3, "tnaml_trial_seconds", []string{"builtin"}}, {7, "tnaml_trial_queue_wait_seconds", []string{"builtin"}},
		{0, "tnaml_trials_running", []string{"builtin"}}, {2, "tnaml_slots", []string{"builtin"}},
		{1, "tnaml_cache_hits_total", []string{"memory"}}, {0, "tnaml_cache_misses_total", []string{"memory"}},
		{4, "tnaml_store_bytes_total", []string{"put"}}, {1, "tnaml_store_objects_total", []string{"get"}},
		{0, "tnaml_store_errors_total", []string{"get"}}, {1, "tnaml_nightly_regression", nil},
		{1, "temporal_request_total", []string{"x"}}, {1, "temporal_request_latency_seconds", nil},
	} {
		if got := value(families, want.name, want.labels...); got != want.value {
			t.Errorf("%s%v is %v, want %v", want.name, want.labels, got, want.value)
		}
	}
	if got := value(families, "tnaml_disk_free_bytes", "scratch"); got <= 0 {
		t.Errorf("%v bytes are free for a directory that is yet to be made", got)
	}
}

func result(status trainer.Status, cached bool) activities.TrialResult {
	return activities.TrialResult{Outcome: trainer.Outcome{Status: status}, Cost: search.Cost{Cached: cached}}
}

// The lines of a trial name it.
func TestLogLinesNameTheTrial(t *testing.T) {
	s := newServed(t, func(context.Context, activities.TrialInput) (activities.TrialResult, error) {
		return activities.TrialResult{}, errors.New("the disk is full")
	})
	_, _ = s.env.ExecuteActivity("Trial", trialOf("builtin"))
	var line struct {
		Msg, Level, Task, Trainer, Error, Search, Workflow string
		Trial                                              int
	}
	if err := json.NewDecoder(s.log).Decode(&line); err != nil {
		t.Fatal(err)
	}
	if line.Level != "WARN" || line.Trial != 17 || line.Task != "reviews" || line.Trainer != "builtin" || line.Error == "" ||
		line.Search+line.Workflow == "" {
		t.Errorf("%+v", line)
	}
}

// A worker is ready while it takes work and what it needs answers.
func TestReadiness(t *testing.T) {
	s := newServed(t, nothing)
	want := func(code int, text string) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			got, body := s.get("/readyz")
			if got == code && strings.Contains(body, text) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d %q, want %d %q", got, body, code, text)
			}
		}
	}
	want(http.StatusServiceUnavailable, "starts")
	s.Enter("")
	want(http.StatusOK, "ok")
	s.Needs(t.Context(), "the store", func(context.Context) error { return errors.New("no route") })
	want(http.StatusServiceUnavailable, "the store does not answer: no route")
	s.Needs(t.Context(), "the server", func(context.Context) error { return nil })
	s.Enter("it is draining")
	want(http.StatusServiceUnavailable, "draining")
	if code, _ := s.get("/healthz"); code != http.StatusOK {
		t.Errorf("it lives, and answers %d", code)
	}
}

func nothing(context.Context, activities.TrialInput) (activities.TrialResult, error) {
	return activities.TrialResult{}, nil
}

func TestListen(t *testing.T) {
	s := newServed(t, nothing)
	stop, err := s.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var line struct{ Address string }
	if err := json.NewDecoder(s.log).Decode(&line); err != nil {
		t.Fatal(err)
	}
	r, err := http.Get("http://" + line.Address + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if body, _ := io.ReadAll(r.Body); string(body) != "ok\n" {
		t.Errorf("%s", body)
	}
	if _, err := s.Listen(line.Address); err == nil || !strings.Contains(err.Error(), "--metrics") {
		t.Error(err)
	}
	stop()
}
