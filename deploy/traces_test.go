package deploy

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"tnaml/activities/store"
)

// Spans go where the environment says, those of the store below the one that they are part of;
// without it nothing is started.
func TestTracesGoWhereTheEnvironmentSays(t *testing.T) {
	var mu sync.Mutex
	var spans []string
	parents := map[string]string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var got collector.ExportTraceServiceRequest
		b, err := io.ReadAll(r.Body)
		if err == nil {
			err = proto.Unmarshal(b, &got)
		}
		if err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, resource := range got.GetResourceSpans() {
			for _, a := range resource.GetResource().GetAttributes() {
				if a.GetKey() == "service.name" {
					spans = append(spans, "of "+a.GetValue().GetStringValue())
				}
			}
			for _, scope := range resource.GetScopeSpans() {
				for _, s := range scope.GetSpans() {
					spans = append(spans, s.GetName())
					parents[s.GetName()] = string(s.GetParentSpanId())
				}
			}
		}
	}))
	defer server.Close()
	environ := []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + server.URL, "OTEL_SERVICE_NAME=tried"}
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		t.Setenv(name, value)
	}
	c := &Config{environ: func() []string { return environ }}
	tr, err := c.traces(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	s := tr.store(store.NewMemory())
	if _, err := s.Put(t.Context(), []byte("part of nothing")); err != nil {
		t.Fatal(err)
	}
	ctx, span := tr.tracer.Start(t.Context(), "trial")
	if _, err := s.Put(ctx, []byte("a model")); err != nil {
		t.Fatal(err)
	}
	span.End()
	tr.close()
	slices.Sort(spans)
	if want := []string{"of tried", "store put", "trial"}; !slices.Equal(spans, want) {
		t.Errorf("%q, want %q", spans, want)
	}
	if id := span.SpanContext().SpanID(); parents["store put"] != string(id[:]) {
		t.Errorf("the request is not below the trial")
	}

	for _, environ := range [][]string{nil, append(environ, "OTEL_SDK_DISABLED=true"), append(environ, "OTEL_TRACES_EXPORTER=none")} {
		c := &Config{environ: func() []string { return environ }}
		if tr, err := c.traces(t.Context(), nil); tr != nil || err != nil {
			t.Errorf("%v: %v, %v", environ, tr, err)
		}
	}
	c = &Config{environ: func() []string { return append(environ, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc") }}
	if _, err := c.traces(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "http/protobuf") {
		t.Error(err)
	}
}

// Where the servers are not there, what sends spans ends too.
func TestTracesEndWithoutServers(t *testing.T) {
	c, err := Load(nil, []string{"TNAML_TEMPORAL_ADDRESS=127.0.0.1:1", "TNAML_S3_ENDPOINT=127.0.0.1:1", "TNAML_DATA_DIR=" + t.TempDir(),
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := c.Connect(ctx, nil); err == nil {
		t.Fatal("connected")
	}
	var all bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&all, 1); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(all.String(), "NewBatchSpanProcessor") {
		t.Error("spans are still to be sent")
	}
}
