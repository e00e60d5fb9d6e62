package main_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/proto"

	"tnaml/deploy"
	"tnaml/deploy/stack/stacktest"
	"tnaml/workflows"
)

// A search's start, its workflow, its trials and their requests of the store are one trace, of two
// programs, where OpenTelemetry's variables ask for it.
func TestASearchIsOneTrace(t *testing.T) {
	var mu sync.Mutex
	spans, children := map[string]*trace.Span{}, map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var got collector.ExportTraceServiceRequest
		b, err := io.ReadAll(r.Body)
		if err == nil {
			err = proto.Unmarshal(b, &got)
		}
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, resource := range got.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				for _, s := range scope.GetSpans() {
					spans[string(s.GetSpanId())] = s
				}
			}
		}
	}))
	defer server.Close()
	b := newBench(t, stacktest.Shared(t), stacktest.Shared(t), "")
	b.env = append(b.env, "OTEL_EXPORTER_OTLP_ENDPOINT="+server.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	config, err := deploy.Load(nil, b.env)
	if err != nil {
		t.Fatal(err)
	}
	servers, err := config.Connect(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	w := b.worker(t, "one", "TNAML_LOG_FORMAT=json", "TNAML_LOG_LEVEL=debug")
	raw, err := json.Marshal(merged(trained, spec{"trials": 2}))
	if err != nil {
		t.Fatal(err)
	}
	run, err := servers.Client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: b.queue + "/traced", TaskQueue: b.queue},
		workflows.SearchWorkflow, json.RawMessage(raw))
	if err != nil {
		t.Fatal(err)
	}
	if o := b.outcome(t, run); len(o.trials) != 2 {
		t.Errorf("%d trials", len(o.trials))
	}
	servers.Close()
	w.stop(t)

	mu.Lock()
	defer mu.Unlock()
	var root *trace.Span
	for _, s := range spans {
		above := []string{s.GetName()}
		last := s
		for p := spans[string(s.GetParentSpanId())]; p != nil; p = spans[string(p.GetParentSpanId())] {
			above, last = append([]string{p.GetName()}, above...), p
		}
		children[strings.Join(above, " / ")]++
		if last.GetName() == "StartWorkflow:Search" {
			root = last
		}
	}
	if root == nil {
		t.Fatalf("no span of the start: %v", children)
	}
	trial := "StartWorkflow:Search / RunWorkflow:Search / StartActivity:Trial / RunActivity:Trial"
	for path, least := range map[string]int{"StartWorkflow:Search": 1, "StartWorkflow:Search / RunWorkflow:Search": 1, trial: 2,
		trial + " / store get": 1, trial + " / store put": 1} {
		if children[path] < least {
			t.Errorf("%d spans of %s: %v", children[path], path, children)
		}
	}
	named := 0
	for _, s := range spans {
		for _, a := range s.GetAttributes() {
			if s.GetName() == "RunActivity:Trial" && a.GetKey() == "task" && a.GetValue().GetStringValue() == "words" {
				named++
			}
		}
	}
	if named != 2 {
		t.Errorf("%d spans of trials name their task", named)
	}

	ended := 0
	for line := range strings.Lines(w.log.String()) {
		var l struct{ Msg, Search, Task, Trainer string }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Errorf("a line that is no JSON: %s", line)
		}
		if l.Msg == "a trial ended" && l.Search == run.GetID() && l.Task == "words" && l.Trainer == "builtin" {
			ended++
		}
	}
	if ended != 2 {
		t.Errorf("%d lines of trials that ended", ended)
	}
}
