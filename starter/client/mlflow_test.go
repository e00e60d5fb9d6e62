package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tnaml/activities/library"
	"tnaml/experiments/search"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// tracking is an MLflow tracking server as far as its REST API goes, which takes no
// request that the documented one would not: fields, sizes of batches, params once.
type tracking struct {
	mu          sync.Mutex
	experiments map[string]string
	runs        map[string]*trackedRun
	order       []string
	requests    int
	// fail answers a request before or after it is done, 0 for not at all.
	fail func(n int, path string) (status int, done bool)
	// sent is how often each request has come.
	sent map[string]int
	bad  []string
}

type trackedRun struct {
	Experiment, Status, Name string
	Start, End               int64
	Params, Tags             map[string]string
	Metrics                  map[string]bool // key, value, timestamp and step
}

var keyForm = regexp.MustCompile(`^[\p{L}\p{N}_./ -]+$`)

// mostFailures is how often one request fails, fewer times than it is sent again.
const mostFailures = mlflowAttempts - 2

func (s *tracking) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	path, ok := strings.CutPrefix(r.URL.Path, "/api/2.0/mlflow/")
	if !ok {
		http.NotFound(w, r)
		return
	}
	status, done := 0, false
	if s.fail != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if s.sent == nil {
			s.sent = map[string]int{}
		}
		key := r.URL.String() + string(body)
		if s.sent[key]++; s.sent[key] <= mostFailures { // or a request may fail for ever, by the order in which they come
			status, done = s.fail(s.requests, path)
		}
	}
	if status != 0 && !done {
		http.Error(w, "busy", status)
		return
	}
	answer, code := s.answer(r, path)
	if status != 0 {
		panic(http.ErrAbortHandler) // done, and nobody is told
	}
	if code != "" {
		w.WriteHeader(map[string]int{"RESOURCE_DOES_NOT_EXIST": 404}[code] + map[bool]int{true: 400}[code != "RESOURCE_DOES_NOT_EXIST"])
		answer = map[string]string{"error_code": code, "message": fmt.Sprint(answer)}
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// read decodes a request, in which only known fields may stand.
func (s *tracking) read(r *http.Request, into any) (string, bool) {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
		s.bad = append(s.bad, fmt.Sprintf("%s %s: %v", r.Method, r.URL.Path, err))
		return fmt.Sprint(err), false
	}
	return "", true
}

func (s *tracking) answer(r *http.Request, path string) (any, string) {
	const invalid = "INVALID_PARAMETER_VALUE"
	type pair struct {
		Key, Value string
	}
	put := func(to map[string]string, pairs []pair, most int, once bool) string {
		if len(pairs) > most {
			return "too many"
		}
		for _, p := range pairs {
			if had, there := to[p.Key]; !keyForm.MatchString(p.Key) || len(p.Key) > 250 || len(p.Value) > 500 || once && there && had != p.Value {
				return "param or tag " + p.Key
			}
			to[p.Key] = p.Value
		}
		return ""
	}
	switch path {
	case "experiments/get-by-name":
		id := s.experiments[r.URL.Query().Get("experiment_name")]
		if id == "" {
			return "no such experiment", "RESOURCE_DOES_NOT_EXIST"
		}
		return map[string]any{"experiment": map[string]any{"experiment_id": id, "lifecycle_stage": "active"}}, ""
	case "experiments/create":
		var q struct {
			Name string `json:"name"`
		}
		if why, ok := s.read(r, &q); !ok {
			return why, invalid
		}
		if s.experiments[q.Name] != "" {
			return "it is there", "RESOURCE_ALREADY_EXISTS"
		}
		s.experiments[q.Name] = fmt.Sprint(len(s.experiments) + 1)
		return map[string]any{"experiment_id": s.experiments[q.Name]}, ""
	case "runs/create":
		var q struct {
			Experiment string `json:"experiment_id"`
			Start      int64  `json:"start_time"`
			Name       string `json:"run_name"`
			Tags       []pair `json:"tags"`
		}
		if why, ok := s.read(r, &q); !ok {
			return why, invalid
		}
		id := fmt.Sprintf("run%d", len(s.runs))
		run := &trackedRun{q.Experiment, "RUNNING", q.Name, q.Start, 0, map[string]string{}, map[string]string{}, map[string]bool{}}
		if why := put(run.Tags, q.Tags, 100, false); why != "" {
			s.bad = append(s.bad, why)
			return why, invalid
		}
		s.runs[id], s.order = run, append(s.order, id)
		return map[string]any{"run": map[string]any{"info": map[string]any{"run_id": id}}}, ""
	case "runs/log-batch":
		var q struct {
			Run     string `json:"run_id"`
			Params  []pair `json:"params"`
			Tags    []pair `json:"tags"`
			Metrics []struct {
				Key       string   `json:"key"`
				Value     *float64 `json:"value"`
				Timestamp *int64   `json:"timestamp"`
				Step      int64    `json:"step"`
			} `json:"metrics"`
		}
		if why, ok := s.read(r, &q); !ok {
			return why, invalid
		}
		run := s.runs[q.Run]
		if run == nil {
			return "no such run", "RESOURCE_DOES_NOT_EXIST"
		}
		why := put(run.Params, q.Params, 100, true) + put(run.Tags, q.Tags, 100, false)
		for _, m := range q.Metrics {
			if m.Value == nil || m.Timestamp == nil || !keyForm.MatchString(m.Key) {
				why += "metric " + m.Key
				continue
			}
			run.Metrics[fmt.Sprintf("%s=%v at %d, %d", m.Key, *m.Value, m.Step, *m.Timestamp)] = true
		}
		if len(q.Metrics)+len(q.Params)+len(q.Tags) > 1000 {
			why += "more than 1000 things"
		}
		if why != "" {
			s.bad = append(s.bad, why)
			return why, invalid
		}
		return struct{}{}, ""
	case "runs/update":
		var q struct {
			Run    string `json:"run_id"`
			Status string `json:"status"`
			End    int64  `json:"end_time"`
		}
		if why, ok := s.read(r, &q); !ok || !slices.Contains([]string{"FINISHED", "FAILED", "KILLED"}, q.Status) {
			return why, invalid
		}
		s.runs[q.Run].Status, s.runs[q.Run].End = q.Status, q.End
		return struct{}{}, ""
	case "runs/search":
		return s.search(r)
	}
	s.bad = append(s.bad, "path "+path)
	return "no such endpoint", "ENDPOINT_NOT_FOUND"
}

// filterForm is what is understood of MLflow's filters.
var filterForm = regexp.MustCompile("^tags\\.`([^`]+)` = '([^']*)'$")

func (s *tracking) search(r *http.Request) (any, string) {
	var q struct {
		Experiments []string `json:"experiment_ids"`
		Most        int      `json:"max_results"`
		View        string   `json:"run_view_type"`
		Filter      string   `json:"filter"`
		Page        string   `json:"page_token"`
	}
	why, ok := s.read(r, &q)
	filter := filterForm.FindStringSubmatch(q.Filter)
	if !ok || filter == nil || q.Most > 50000 || len(q.Experiments) == 0 {
		return why + q.Filter, "INVALID_PARAMETER_VALUE"
	}
	at := 0
	_, _ = fmt.Sscan(q.Page, &at)
	out := map[string]any{}
	var found []any
	for ; at < len(s.order) && len(found) < 7; at++ { // pages are short
		run := s.runs[s.order[at]]
		if run.Tags[filter[1]] != filter[2] || !slices.Contains(q.Experiments, run.Experiment) {
			continue
		}
		var tags []map[string]string
		for k, v := range run.Tags {
			tags = append(tags, map[string]string{"key": k, "value": v})
		}
		info := map[string]any{"run_id": s.order[at], "status": run.Status}
		found = append(found, map[string]any{"info": info, "data": map[string]any{"tags": tags}})
	}
	if out["runs"] = found; at < len(s.order) {
		out["next_page_token"] = fmt.Sprint(at)
	}
	return out, ""
}

// measured is a ledger with many choices and metrics.
func measured(trials int) *Ledger {
	l := &Ledger{Name: "mine", Record: library.SearchRecord{Started: time.Unix(1e9, 0)}, Config: &search.Config{
		Strategy: "random", Tasks: []search.Task{{Name: "a"}, {Name: "b"}},
		Space: space.Space{Name: "s", Trainer: "t", Objective: space.Objective{Metric: "loss", Direction: space.Minimise}},
	}}
	for i := range 130 {
		l.Config.Space.Choices = append(l.Config.Space.Choices, space.Choice{Name: fmt.Sprintf("c%d/../x", i), Options: []any{0.5, int64(2)}})
	}
	for i := range trials {
		t := search.Trial{Trial: i, Task: i % 2, Actions: make([]int, 130), Status: trainer.OK, Steps: 10 * i, Validation: float64(i),
			Metrics: map[string]float64{"validation_loss": float64(i), "f1@k": .5}}
		if i == 2 {
			t.Curve = []trainer.Point{{Step: 5, Value: 4}, {Step: 20, Value: 2}}
		}
		if i%4 == 3 {
			t.Status, t.Reason, t.Metrics, t.Validation = trainer.Diverged, strings.Repeat("no number ", 100), nil, 0
		}
		l.Trials = append(l.Trials, t)
		l.Costs = append(l.Costs, search.Cost{Trial: i, WallSeconds: 2})
	}
	return l
}

// A search's trials are an experiment's runs, whatever breaks on the way: each once, and
// the same when it is said again.
func TestLogMLflow(t *testing.T) {
	l := measured(30)
	log := func(s *tracking, to MLflow) (*Logged, error) {
		server := httptest.NewServer(s)
		defer server.Close()
		to.Address, to.Experiment, to.wait = server.URL+"/", "exp", time.Millisecond
		return l.LogMLflow(t.Context(), to, 0)
	}
	calm := &tracking{experiments: map[string]string{}, runs: map[string]*trackedRun{}}
	got, err := log(calm, MLflow{})
	if err != nil || *got != (Logged{"exp", "1", 30, 0}) {
		t.Fatalf("%+v, %v, %q", got, err, calm.bad)
	}
	bySeed := func(s *tracking) map[string]*trackedRun {
		out := map[string]*trackedRun{}
		for _, r := range s.runs {
			if out[r.Tags["tnaml.trial"]] != nil {
				t.Errorf("trial %s is there twice", r.Tags["tnaml.trial"])
			}
			out[r.Tags["tnaml.trial"]] = r
		}
		return out
	}
	want := bySeed(calm)
	id := func(i int) string { return fmt.Sprintf("mine/%d@%s", i, l.Config.Digest()) }
	seven, two := want[id(7)], want[id(2)]
	if seven.Status != "FAILED" || two.Status != "FINISHED" || two.Tags["tnaml.task"] != "a" || len(two.Params) != 130 ||
		two.Params["c1/._/x"] != "0.5" || two.End != 1e12+2000 || seven.Tags["tnaml.reason"] == "" || two.Name != "mine/2" {
		t.Errorf("%+v\n%+v", two, seven)
	}
	metrics := map[string]bool{"validation_loss=4 at 5, 1000000002000": true, "validation_loss=2 at 20, 1000000002000": true,
		"f1_k=0.5 at 20, 1000000002000": true}
	if d := cmp.Diff(metrics, two.Metrics); d != "" {
		t.Error(d)
	}
	if got, err = log(calm, MLflow{}); err != nil || got.Runs != 0 || got.Present != 30 {
		t.Errorf("again: %+v, %v", got, err)
	}

	rough := &tracking{experiments: map[string]string{}, runs: map[string]*trackedRun{}}
	rough.fail = func(n int, path string) (int, bool) {
		switch n % 5 {
		case 1:
			return http.StatusServiceUnavailable, false
		case 3:
			return 1, true // done, but the connection breaks
		}
		return 0, false
	}
	if got, err = log(rough, MLflow{}); err != nil {
		t.Fatalf("%+v, %v, %q", got, err, rough.bad)
	}
	if d := cmp.Diff(want, bySeed(rough)); d != "" {
		t.Error(d)
	}

	// What broke off is gone on with.
	broken := &tracking{experiments: map[string]string{}, runs: map[string]*trackedRun{}}
	broken.fail = func(n int, path string) (int, bool) {
		return map[bool]int{true: 400}[path == "runs/update" && n > 40], false
	}
	if _, err = log(broken, MLflow{}); err == nil || !strings.Contains(err.Error(), "answers 400") {
		t.Error(err)
	}
	if broken.fail = nil; len(broken.runs) == 0 {
		t.Error("nothing was logged before it broke")
	}
	if _, err = log(broken, MLflow{}); err != nil {
		t.Error(err)
	}
	if d := cmp.Diff(want, bySeed(broken)); d != "" {
		t.Error(d)
	}
	if bad := slices.Concat(calm.bad, rough.bad, broken.bad); len(bad) > 0 {
		t.Errorf("requests that the API does not take: %q", bad)
	}
}

// Errors say what is wrong, and no secret.
func TestLogMLflowRefuses(t *testing.T) {
	l := measured(2)
	for address, want := range map[string]string{"localhost:5000": "URL", "ftp://x": "URL", "http://u:secret@127.0.0.1:1": "127.0.0.1:1"} {
		_, err := l.LogMLflow(t.Context(), MLflow{Address: address, Token: "hidden", wait: 1}, 0)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") ||
			strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: %v", address, err)
		}
	}
	for answer, want := range map[string]string{"<html>": "not JSON", "{}": "no experiment_id"} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(answer)) }))
		_, err := l.LogMLflow(t.Context(), MLflow{Address: server.URL, wait: 1}, 0)
		server.Close()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", answer, err)
		}
	}
	for name, want := range map[string]string{"/etc/x": "_/etc/x", "p@5%": "p_5_", "größe": "größe"} {
		if got := mlflowKey(name); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
}
