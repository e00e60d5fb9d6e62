package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/sync/errgroup"

	"tnaml/experiments/exchange"
	"tnaml/experiments/limit"
	"tnaml/experiments/trainer"
)

// MLflow is a tracking server: https://mlflow.org/docs/latest/rest-api.html.
type MLflow struct {
	// Address is its URL, which may hold a user and a password; Token is that of a bearer.
	Address, Token string
	// Experiment is the name of the experiment that runs are put into.
	Experiment string
	// Progress is told of how many trials are there; it may be nil.
	Progress func(done, total int)

	http *http.Client
	wait time.Duration // before a request is sent again, then twice as long
}

// Logged says what an export to MLflow did.
type Logged struct {
	Experiment   string `json:"experiment"`
	ExperimentID string `json:"experiment_id"`
	// Runs is the number of runs logged, Present that of the trials that were there.
	Runs    int `json:"runs"`
	Present int `json:"present"`
}

const (
	// mlflowAtOnce is how many runs are logged at once.
	mlflowAtOnce = 8
	// mlflowAttempts is how often a request is sent, mlflowWait how long is waited first.
	mlflowAttempts = 6
	mlflowWait     = 500 * time.Millisecond
	// mlflowTimeout bounds a request.
	mlflowTimeout = 60 * time.Second
	// What a batch may have at most, by the API: params and tags, and things in all.
	mlflowParams = 100
	mlflowBatch  = 1000
	// mlflowText bounds a param's or tag's value, as the strictest of versions do.
	mlflowText = 500
	// mlflowAnswer bounds an answer that is read.
	mlflowAnswer = 64 << 20
)

// Tags of the runs: what they are of. The first is a trial's identity, by which it is
// logged once.
const (
	tagTrial  = "tnaml.trial"
	tagSearch = "tnaml.search"
)

// mlflowPair is a param or a tag.
type mlflowPair struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

type mlflowMetric struct {
	Key       string  `json:"key"`
	Value     float64 `json:"value"`
	Timestamp int64   `json:"timestamp"`
	Step      int     `json:"step"`
}

// LogMLflow logs a search's trials, from one on, as runs of an experiment: choices as
// params, metrics at the trial's last step and the objective at those of its curve, what
// else is known as tags. Trials that are there are left alone, those of an export that broke off are gone on with: their identity
// is a tag, and all that is logged is the same each time.
func (l *Ledger) LogMLflow(ctx context.Context, to MLflow, from int) (*Logged, error) {
	if u, err := url.Parse(to.Address); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, Usage(errors.New("the address of an MLflow server is a URL such as http://localhost:5000"))
	}
	to.http, to.wait = cmp.Or(to.http, &http.Client{Timeout: mlflowTimeout}), cmp.Or(to.wait, mlflowWait)
	out := &Logged{Experiment: to.Experiment}
	var err error
	if out.ExperimentID, err = to.experiment(ctx); err != nil {
		return nil, err
	}
	runs, err := to.runs(ctx, out.ExperimentID, tagSearch, l.Name)
	if err != nil {
		return nil, err
	}
	digest := l.Config.Digest()
	g, each := errgroup.WithContext(ctx)
	g.SetLimit(mlflowAtOnce)
	for i := from; i < len(l.Trials); i++ {
		if each.Err() != nil {
			break
		}
		id := fmt.Sprintf("%s/%d@%s", l.Name, i, digest)
		run := runs[id]
		if run.ended() {
			out.Present++
			continue
		}
		out.Runs++
		g.Go(func() error {
			if err := l.logRun(each, to, out.ExperimentID, i, id, run); err != nil {
				return fmt.Errorf("trial %d: %w", i, err)
			}
			return nil
		})
		if to.Progress != nil {
			to.Progress(i-from+1, len(l.Trials)-from)
		}
	}
	return out, g.Wait()
}

// mlflowRun is a run that is there.
type mlflowRun struct{ id, status string }

func (r mlflowRun) ended() bool {
	return r.id != "" && r.status != "RUNNING" && r.status != "SCHEDULED"
}

// logRun logs one trial: into the run that is there, if there is one.
func (l *Ledger) logRun(ctx context.Context, to MLflow, experiment string, i int, id string, run mlflowRun) error {
	r := l.Row(i)
	started := l.Record.Started.UnixMilli()
	if l.Record.Started.IsZero() {
		started = 0
	}
	ended := started + int64(r.WallSeconds*1000)
	tags := []mlflowPair{
		{tagTrial, id}, {tagSearch, l.Name},
		{"tnaml.task", r.TaskName}, {"tnaml.strategy", l.Config.Strategy}, {"tnaml.space", l.Config.Space.Name},
		{"tnaml.status", string(r.Status)}, {"tnaml.seed", strconv.FormatUint(l.Config.TrialSeed(i), 10)},
		{"mlflow.runName", fmt.Sprintf("%s/%d", l.Name, i)}, {"mlflow.source.name", "tnaml"},
	}
	for name, text := range map[string]string{"tnaml.reason": r.Reason, "tnaml.model": r.Model, "mlflow.note.content": r.Summary} {
		if text != "" {
			tags = append(tags, mlflowPair{name, limit.Cut(text, mlflowText)})
		}
	}
	if run.id == "" {
		var err error
		if run, err = to.create(ctx, experiment, id, started, tags); err != nil || run.ended() {
			return err
		}
	}
	var params []mlflowPair
	for _, c := range l.Config.Space.Choices {
		params = append(params, mlflowPair{mlflowKey(c.Name), limit.Cut(fmt.Sprint(r.Choices[c.Name]), mlflowText)})
	}
	if err := to.batches(ctx, run.id, params, tags, l.metrics(r, ended)); err != nil {
		return err
	}
	status := "FINISHED"
	switch {
	case r.Status == trainer.Pruned:
		status = "KILLED"
	case !r.OK():
		status = "FAILED"
	}
	return to.call(ctx, http.MethodPost, "runs/update", map[string]any{"run_id": run.id, "status": status, "end_time": ended}, nil)
}

// metrics are those of a trial, by name, at its last step, and the objective's before at
// those of its curve.
func (l *Ledger) metrics(r Row, at int64) (out []mlflowMetric) {
	objective := exchange.CurveMetric(l.Trials, l.Config.Space.Objective)
	on, step := exchange.Way(r.Trial, objective)
	for _, p := range on {
		out = append(out, mlflowMetric{mlflowKey(objective), p.Value, at, p.Step})
	}
	for name, v := range r.Metrics {
		out = append(out, mlflowMetric{mlflowKey(name), v, at, step})
	}
	slices.SortFunc(out, func(a, b mlflowMetric) int { return cmp.Or(strings.Compare(a.Key, b.Key), cmp.Compare(a.Step, b.Step)) })
	return out
}

// mlflowKey is a name as a key may be: letters, digits, _, -, ., / and blanks.
func mlflowKey(name string) string {
	name = strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_-./ ", r) {
			return r
		}
		return '_'
	}, name)
	if strings.HasPrefix(name, "/") || strings.HasPrefix(name, ".") { // it is a path to a server that keeps files
		name = "_" + name
	}
	return strings.NewReplacer("//", "/_", "..", "._").Replace(name)
}

// experiment finds the experiment, or makes it.
func (m *MLflow) experiment(ctx context.Context) (string, error) {
	var found struct {
		Experiment struct {
			ID    string `json:"experiment_id"`
			Stage string `json:"lifecycle_stage"`
		} `json:"experiment"`
	}
	var made struct {
		ID string `json:"experiment_id"`
	}
	for {
		err := m.call(ctx, http.MethodGet, "experiments/get-by-name?experiment_name="+url.QueryEscape(m.Experiment), nil, &found)
		switch {
		case err == nil && found.Experiment.Stage == "deleted":
			return "", fmt.Errorf("the experiment %q of the MLflow server was deleted: restore it, or name another", m.Experiment)
		case err == nil && found.Experiment.ID == "":
			return "", errors.New("the MLflow server's answer has no experiment_id: is it one?")
		case err == nil:
			return found.Experiment.ID, nil
		case !isMLflow(err, "RESOURCE_DOES_NOT_EXIST"):
			return "", err
		}
		err = m.call(ctx, http.MethodPost, "experiments/create", map[string]any{"name": m.Experiment}, &made)
		if err == nil && made.ID != "" {
			return made.ID, nil
		}
		if !isMLflow(err, "RESOURCE_ALREADY_EXISTS") { // else another has made it meanwhile
			return "", cmp.Or(err, errors.New("the MLflow server's answer has no experiment_id"))
		}
	}
}

// runs finds the runs with a tag, by the identity of their trials.
func (m *MLflow) runs(ctx context.Context, experiment, tag, value string) (map[string]mlflowRun, error) {
	out := map[string]mlflowRun{}
	token := ""
	for {
		ask := map[string]any{
			"experiment_ids": []string{experiment}, "max_results": mlflowBatch, "run_view_type": "ACTIVE_ONLY",
			"filter": fmt.Sprintf("tags.`%s` = '%s'", tag, value), // of letters, digits, points, slashes and the like
		}
		if token != "" {
			ask["page_token"] = token
		}
		var page struct {
			Runs []struct {
				Info struct {
					ID     string `json:"run_id"`
					Status string `json:"status"`
				} `json:"info"`
				Data struct {
					Tags []mlflowPair `json:"tags"`
				} `json:"data"`
			} `json:"runs"`
			Next string `json:"next_page_token"`
		}
		if err := m.call(ctx, http.MethodPost, "runs/search", ask, &page); err != nil {
			return nil, err
		}
		for _, r := range page.Runs {
			for _, t := range r.Data.Tags {
				if t.Key == tagTrial {
					out[t.Value] = mlflowRun{r.Info.ID, r.Info.Status}
				}
			}
		}
		if page.Next == "" || page.Next == token || len(page.Runs) == 0 {
			return out, nil
		}
		token = page.Next
	}
}

// create makes a run. Where no answer comes, the run may be there nevertheless: it is
// looked for before another is made.
func (m *MLflow) create(ctx context.Context, experiment, id string, started int64, tags []mlflowPair) (run mlflowRun, err error) {
	ask := map[string]any{"experiment_id": experiment, "start_time": started, "tags": tags}
	for _, t := range tags {
		if t.Key == "mlflow.runName" {
			ask["run_name"] = t.Value
		}
	}
	var made struct {
		Run struct {
			Info struct {
				ID string `json:"run_id"`
			} `json:"info"`
		} `json:"run"`
	}
	for attempt := range mlflowAttempts {
		if attempt > 0 {
			if err := m.pause(ctx, attempt); err != nil {
				return run, err
			}
			runs, err := m.runs(ctx, experiment, tagTrial, id)
			if err != nil || runs[id].id != "" {
				return runs[id], err
			}
		}
		if err = m.send(ctx, http.MethodPost, "runs/create", ask, &made); err == nil {
			if made.Run.Info.ID == "" {
				return run, errors.New("the MLflow server's answer has no run_id")
			}
			return mlflowRun{made.Run.Info.ID, "RUNNING"}, nil
		}
		if !temporary(err) {
			break
		}
	}
	return run, err
}

// batches logs params, tags and metrics, as many at once as may be.
func (m *MLflow) batches(ctx context.Context, run string, params, tags []mlflowPair, metrics []mlflowMetric) error {
	for len(params)+len(tags)+len(metrics) > 0 {
		p, t := min(len(params), mlflowParams), min(len(tags), mlflowParams)
		n := min(len(metrics), mlflowBatch-p-t)
		ask := map[string]any{"run_id": run}
		if p > 0 {
			ask["params"] = params[:p]
		}
		if t > 0 {
			ask["tags"] = tags[:t]
		}
		if n > 0 {
			ask["metrics"] = metrics[:n]
		}
		if err := m.call(ctx, http.MethodPost, "runs/log-batch", ask, nil); err != nil {
			return err
		}
		params, tags, metrics = params[p:], tags[t:], metrics[n:]
	}
	return nil
}

// mlflowError is an answer that is not what was asked for.
type mlflowError struct {
	Status  int    `json:"-"`
	Code    string `json:"error_code"`
	Message string `json:"message"`
}

func (e *mlflowError) Error() string {
	return fmt.Sprintf("the MLflow server answers %d %s: %s", e.Status, cmp.Or(e.Code, http.StatusText(e.Status)), limit.Note(e.Message))
}

func isMLflow(err error, code string) bool {
	var e *mlflowError
	return errors.As(err, &e) && e.Code == code
}

// temporary says that a request may be sent again: there was no answer, or one that says
// so.
func temporary(err error) bool {
	var e *mlflowError
	if errors.As(err, &e) {
		return e.Status == http.StatusTooManyRequests || e.Status >= 500 && e.Status != http.StatusNotImplemented
	}
	var broken *url.Error
	return errors.As(err, &broken) && !errors.Is(err, context.Canceled)
}

// pause waits before an attempt.
func (m *MLflow) pause(ctx context.Context, attempt int) error {
	wait := m.wait << (attempt - 1)
	select {
	case <-time.After(wait/2 + rand.N(wait)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// call sends what may be sent again.
func (m *MLflow) call(ctx context.Context, method, path string, ask, answer any) (err error) {
	for attempt := range mlflowAttempts {
		if attempt > 0 {
			if err := m.pause(ctx, attempt); err != nil {
				return err
			}
		}
		if err = m.send(ctx, method, path, ask, answer); err == nil || !temporary(err) {
			return err
		}
	}
	return err
}

// send sends one request. Its errors name no secret.
func (m *MLflow) send(ctx context.Context, method, path string, ask, answer any) error {
	var body io.Reader
	if ask != nil {
		b, err := json.Marshal(ask)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(m.Address, "/")+"/api/2.0/mlflow/"+path, body)
	if err != nil {
		return errors.New("the address of the MLflow server is not valid")
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if m.Token != "" {
		r.Header.Set("Authorization", "Bearer "+m.Token)
	}
	got, err := m.http.Do(r)
	var broken *url.Error
	if errors.As(err, &broken) {
		broken.URL = r.URL.Redacted()
	}
	if err != nil {
		return err
	}
	defer got.Body.Close() // read only
	b, err := io.ReadAll(io.LimitReader(got.Body, mlflowAnswer))
	if err != nil {
		return &url.Error{Op: method, URL: r.URL.Redacted(), Err: err}
	}
	if got.StatusCode != http.StatusOK {
		e := &mlflowError{Status: got.StatusCode}
		_ = json.Unmarshal(b, e) // another server's may be of any form
		return e
	}
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal(b, answer); err != nil {
		return fmt.Errorf("the MLflow server's answer to %s is not JSON: is it one?", strings.SplitN(path, "?", 2)[0])
	}
	return nil
}
