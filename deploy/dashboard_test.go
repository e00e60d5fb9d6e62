package deploy_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// dashboard is what Grafana is given.
type dashboard struct {
	Panels []struct {
		ID      int
		Title   string
		GridPos struct{ X, Y, W, H int }
		Targets []struct{ Expr string }
	}
	Templating struct {
		List []struct{ Name, Definition string }
	}
	Annotations struct {
		List []struct{ Expr string }
	}
}

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	b, err := os.ReadFile("grafana/tnaml.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// The dashboard and the alerts ask for no metric that a worker does not serve, panels do not
// lie on each other, and no two have one number.
func TestDashboard(t *testing.T) {
	served := string(exposition(time.Minute))
	d := readDashboard(t)
	alerts, err := os.ReadFile("prometheus/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	text := string(alerts)
	ids := map[int]bool{}
	cells := map[[2]int]string{}
	for _, p := range d.Panels {
		if ids[p.ID] || len(p.Targets) == 0 {
			t.Errorf("%s: number %d again, or no query", p.Title, p.ID)
		}
		ids[p.ID] = true
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if cells[at] != "" || at[0] >= 24 {
					t.Errorf("%s lies on %s or outside", p.Title, cells[at])
				}
				cells[at] = p.Title
			}
		}
		for _, q := range p.Targets {
			text += q.Expr + "\n"
		}
	}
	names := regexp.MustCompile(`tnaml_\w+`).FindAllString(text, -1)
	if len(names) < 30 {
		t.Errorf("only %d metrics are used", len(names))
	}
	for _, name := range names {
		if !strings.Contains(served, "\n"+name) {
			t.Errorf("no worker serves %s", name)
		}
	}
}

// The alerts are what promtool takes, and go off when they should. Where Prometheus is
// installed (Debian's package prometheus), it scrapes a worker's metrics, and every query of the
// dashboard has an answer.
func TestPrometheus(t *testing.T) {
	for _, program := range []string{"promtool", "prometheus"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed", program)
		}
	}
	for _, args := range []string{"check config prometheus.yml", "check rules alerts.yml", "test rules alerts_test.yml"} {
		cmd := exec.CommandContext(t.Context(), "promtool", strings.Fields(args)...)
		cmd.Dir = "prometheus"
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", args, err, out)
		}
	}

	server := startPrometheus(t, time.Second)
	d := readDashboard(t)
	queries := map[string]string{}
	for _, p := range d.Panels {
		for _, q := range p.Targets {
			queries[q.Expr] = p.Title
		}
	}
	for _, a := range d.Annotations.List {
		queries[a.Expr] = "annotation"
	}
	deadline := time.Now().Add(2 * time.Minute)
	for len(queries) > 0 {
		for expr, title := range queries {
			expanded := strings.NewReplacer("$__rate_interval", "20s", "$trainer", ".*").Replace(expr)
			answer, err := ask(server+"/api/v1/query", url.Values{"query": {expanded}})
			if err != nil {
				t.Fatalf("%s: %s: %v", title, expanded, err)
			}
			var found struct {
				Result []struct {
					Value [2]any
				}
			}
			if err := json.Unmarshal(answer, &found); err != nil {
				t.Fatal(err)
			}
			if len(found.Result) > 0 && found.Result[0].Value[1] != "NaN" {
				delete(queries, expr)
			}
		}
		if time.Now().After(deadline) {
			for expr, title := range queries {
				t.Errorf("%s is empty: %s", title, expr)
			}
			break
		}
		time.Sleep(time.Second)
	}
	for _, v := range d.Templating.List {
		m := regexp.MustCompile(`^label_values\((\w+), (\w+)\)$`).FindStringSubmatch(v.Definition)
		if m == nil {
			continue
		}
		answer, err := ask(server+"/api/v1/label/"+m[2]+"/values", url.Values{"match[]": {m[1]}})
		if err != nil || !strings.Contains(string(answer), "builtin") {
			t.Errorf("the variable %s: %s, %v", v.Name, answer, err)
		}
	}
}

// startPrometheus starts Prometheus with the alerts over two workers, and returns its address.
func startPrometheus(t *testing.T, every time.Duration) string {
	t.Helper()
	began := time.Now()
	worker := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(exposition(time.Since(began)))
	}))
	t.Cleanup(worker.Close)
	rules, err := filepath.Abs("prometheus/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := fmt.Sprintf("global: {scrape_interval: %v, scrape_timeout: %v, evaluation_interval: %v}\nrule_files: [%q]\n"+
		"scrape_configs:\n  - {job_name: tnaml, static_configs: [{targets: [%q]}]}\n", every, every, every, rules,
		strings.TrimPrefix(worker.URL, "http://"))
	if err := os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	const attempts = 5
	for range attempts {
		if server := prometheusAtAPort(t, dir); server != "" {
			return server
		}
	}
	b, _ := os.ReadFile(filepath.Join(dir, "log"))
	t.Fatalf("Prometheus does not start:\n%s", b)
	return ""
}

// prometheusAtAPort starts it at a port that was free a moment ago; it returns none where
// another has taken that meanwhile.
func prometheusAtAPort(t *testing.T, dir string) string {
	t.Helper()
	free, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	_ = free.Close()
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("prometheus", "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		<-ended
		_ = log.Close()
	})
	server := "http://" + address
	for range 240 {
		select {
		case <-ended: // whoever answers is another
			if b, _ := os.ReadFile(log.Name()); !strings.Contains(string(b), "address already in use") {
				t.Fatalf("Prometheus has ended:\n%s", b)
			}
			return ""
		case <-time.After(500 * time.Millisecond):
		}
		if answer, err := http.Get(server + "/-/ready"); err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return server
			}
		}
	}
	b, _ := os.ReadFile(log.Name())
	t.Fatalf("Prometheus does not start:\n%s", b)
	return ""
}

// ask asks Prometheus and returns the answer's data.
func ask(address string, query url.Values) (json.RawMessage, error) {
	response, err := http.Get(address + "?" + query.Encode())
	if err != nil {
		return nil, err
	}
	defer response.Body.Close() // read only
	b, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.Unmarshal(b, &answer); err != nil {
		return nil, fmt.Errorf("%w: %s", err, b)
	}
	if answer.Status != "success" {
		return nil, errors.New(answer.Error)
	}
	return answer.Data, nil
}

// exposition is what a worker serves, some time after its start.
func exposition(after time.Duration) []byte {
	var out strings.Builder
	s := after.Seconds()
	line := func(name, labels string, value float64) {
		if labels != "" {
			labels = "{" + labels + "}"
		}
		fmt.Fprintf(&out, "%s%s %g\n", name, labels, value)
	}
	counter := func(name, labels string, value float64) {
		line(name, labels, float64(int(value)))
	}
	histogram := func(name, labels string, perSecond float64, buckets []float64) {
		for i, le := range buckets {
			counter(name+"_bucket", fmt.Sprintf("%s,le=\"%g\"", labels, le), s*perSecond*float64(i+1)/float64(len(buckets)))
		}
		counter(name+"_bucket", labels+`,le="+Inf"`, s*perSecond)
		counter(name+"_count", labels, s*perSecond)
		line(name+"_sum", labels, s*perSecond*buckets[0])
	}
	out.WriteString("# a worker's metrics\n")
	for i, trainer := range []string{"builtin", "boost"} {
		label := fmt.Sprintf("trainer=%q", trainer)
		for j, status := range []string{"ok", "failed", "pruned", "given_back"} {
			counter("tnaml_trials_total", label+fmt.Sprintf(",status=%q", status), s*[]float64{5, 1, 2, 1}[j])
		}
		histogram("tnaml_trial_seconds", label, 5, []float64{1, 5, 15, 60, 300})
		histogram("tnaml_trial_queue_wait_seconds", label, 5, []float64{.1, .5, 1, 5})
		line("tnaml_trials_running", label, float64(int(s/20+float64(i))%5))
		line("tnaml_slots", label, 4)
	}
	for _, kind := range []string{"memory", "disk", "features"} {
		label := fmt.Sprintf("kind=%q", kind)
		counter("tnaml_cache_hits_total", label, s*9)
		counter("tnaml_cache_misses_total", label, s*3)
	}
	for _, operation := range slices.Sorted(slices.Values([]string{"get", "put", "set_name"})) {
		label := fmt.Sprintf("operation=%q", operation)
		histogram("tnaml_store_seconds", label, 20, []float64{.003, .01, .03, .1})
		counter("tnaml_store_errors_total", label, s/2)
		counter("tnaml_store_objects_total", label, s*20)
		counter("tnaml_store_bytes_total", label, s*3e6)
	}
	line("tnaml_search_progress_age_seconds", "", float64(int(s)%90))
	line("tnaml_disk_free_bytes", `path_kind="data"`, 80e9-s*1e6)
	line("tnaml_disk_free_bytes", `path_kind="scratch"`, 20e9)
	line("tnaml_nightly_regression", "", 1)
	line("tnaml_nightly_judged_timestamp_seconds", "", 1.8e9)
	line("tnaml_build_info", `version="1a2b3c4",go="go1.26.8"`, 1)
	return []byte(out.String())
}
