package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tnaml/experiments/exported"
	"tnaml/experiments/strict"
)

// lengths says of a text whether it is short or long, and notes how many came together.
type lengths struct {
	info    exported.Info
	vectors *exported.VectorModule
	gate    chan struct{} // what each prediction waits for, or nil
	batches atomic.Int64
	most    atomic.Int64
}

func (l *lengths) About() *exported.Info                    { return &l.info }
func (l *lengths) Vectors() (*exported.VectorModule, error) { return l.vectors, nil }

func (l *lengths) Predict(texts []string, vectors []float32) (out []exported.Prediction) {
	for most := l.most.Load(); int64(len(texts)) > most && !l.most.CompareAndSwap(most, int64(len(texts))); most = l.most.Load() {
		continue
	}
	l.batches.Add(1) // last: who waits for it reads the other
	if l.gate != nil {
		<-l.gate
	}
	for i, text := range texts {
		p := float32(len(text)) / 100
		switch text {
		case "panic":
			panic("what it said")
		case "nan":
			p = float32(math.NaN())
		}
		if l.vectors != nil {
			p = vectors[i*l.vectors.Dim]
		}
		label := "short"
		if p > .5 {
			label = "long \"one\""
		}
		out = append(out, exported.Prediction{Label: label, Probabilities: []float32{p, 1 - p}})
	}
	return out
}

func (l *lengths) ReadImage(file []byte) ([]uint8, error) {
	if !bytes.HasPrefix(file, []byte("PNG")) {
		return nil, errors.New("no PNG")
	}
	return file[3:4], nil
}

func (l *lengths) PredictImages(pixels []uint8) (out []exported.Prediction, err error) {
	for _, p := range pixels {
		out = append(out, exported.Prediction{Label: "short", Probabilities: []float32{float32(p), 0}})
	}
	return out, nil
}

const modelToken = "0123456789abcdef"

func served(t testing.TB, p exported.Predictor) *httptest.Server {
	t.Helper()
	server, err := ModelServer(p, modelToken)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(nil)
	s.Config = server
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func send(t testing.TB, s *httptest.Server, method, path, kind, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+modelToken)
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	answer, err := s.Client().Do(r)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Error(err)
	}
	return answer.StatusCode, string(b)
}

var twoLabels = exported.Info{Task: "lengths", Labels: []string{"long \"one\"", "short"}}

func TestModelServer(t *testing.T) {
	texts := served(t, &lengths{info: twoLabels})
	vectors := served(t, &lengths{info: twoLabels, vectors: &exported.VectorModule{Module: "given", Dim: 2}})
	images := served(t, &lengths{info: exported.Info{Labels: twoLabels.Labels, Image: &exported.ImageSize{Height: 1, Width: 1, Channels: 1}}})
	many := func(n int) string { return `{"texts": [` + strings.Repeat(`"a",`, n-1) + `"a"]}` }
	for _, c := range []struct {
		server       *httptest.Server
		method, path string
		kind, body   string
		status       int
		want         string
	}{
		{texts, "POST", "/v1/predict", "", `{"text": "hello"}`, 200,
			`{"predictions":[{"label":"short","probabilities":{"long \"one\"":0.05,"short":0.95}}]}` + "\n"},
		{texts, "POST", "/v1/predict", "application/json", `{"texts": ["", "` + strings.Repeat("é", 30) + `"]}`, 200,
			`{"label":"long \"one\"",`},
		{texts, "POST", "/v1/predict", "", `{"texts": []}`, 200, `{"predictions":[]}`},
		{texts, "POST", "/v1/predict", "", many(maxTexts), 200, `"label":"short"`},
		{texts, "POST", "/v1/predict", "", many(maxTexts + 1), 400, "there can be 4096"},
		{texts, "POST", "/v1/predict", "", `{"text": "` + strings.Repeat("x", maxTextBody) + `"}`, 413, "more than 1048576 bytes"},
		{texts, "POST", "/v1/predict", "", `{}`, 400, "either text or texts"},
		{texts, "POST", "/v1/predict", "", ``, 400, "must be a JSON object"},
		{texts, "POST", "/v1/predict", "", `null`, 400, "either text or texts"},
		{texts, "POST", "/v1/predict", "", `["a"]`, 400, "must be a JSON object"},
		{texts, "POST", "/v1/predict", "", `{"text": "a", "texts": ["b"]}`, 400, "either text or texts"},
		{texts, "POST", "/v1/predict", "", `{"texts": ["a", null]}`, 400, "texts[1] is null"},
		{texts, "POST", "/v1/predict", "", `{"text": "a", "text": "b"}`, 400, `\"text\" is there twice`},
		{texts, "POST", "/v1/predict", "", `{"texts": ["a"], "\u0074exts": ["b"]}`, 400, `\"texts\" is there twice`},
		{texts, "POST", "/v1/predict", "", `{"text": "a\\", "Text" : "b"}`, 400, `\"text\" is there twice`},
		{texts, "POST", "/v1/predict", "", `{"texts": ["text", "\"text\": 1", "\\", "texts"]}`, 200, `"predictions"`},
		{texts, "POST", "/v1/predict", "", `{"texts": [7]}`, 400, `\"texts\" is [7]: it must be a list of words`},
		{texts, "POST", "/v1/predict", "", `{"texts": "a"}`, 400, `it must be a list of words`},
		{texts, "POST", "/v1/predict", "", `{"txt": "a"}`, 400, "txt"},
		{texts, "POST", "/v1/predict", "", `{"text": "a"} {"text": "b"}`, 400, "one JSON object"},
		{texts, "POST", "/v1/predict", "", "{\"text\": \"\xff\"}", 400, "UTF-8"},
		{texts, "POST", "/v1/predict", "", strings.Repeat("[", 200000), 400, "JSON"},
		{texts, "POST", "/v1/predict", "", `{"images": ["UE5H"]}`, 400, "takes no images"},
		{texts, "POST", "/v1/predict", "", `{"text": "a", "vectors": [[1]]}`, 400, "takes no vectors"},
		{texts, "POST", "/v1/predict", "", `{"texts": ["a", "nan"]}`, 400, "number 2: the model's answer is no number"},
		{texts, "POST", "/v1/predict", "", `{"text": "panic"}`, 500, "the model failed: what it said"},
		{texts, "POST", "/v1/predict", "image/png", "PNGa", 400, "JSON"},
		{texts, "GET", "/v1/predict", "", "", 405, "use POST"},
		{texts, "GET", "/nowhere", "", "", 404, "/v1/predict"},
		{texts, "GET", "/v1/model", "", "", 200, `"task":"lengths"`},
		{texts, "GET", "/metrics", "", "", 200, `tnaml_model_requests_total{code="413"} 1`},
		{vectors, "POST", "/v1/predict", "", `{"texts": ["a", "b"], "vectors": [[0.75, 1], [0.25, 1]]}`, 200,
			`"short":0.25}},{"label":"short"`},
		{vectors, "POST", "/v1/predict", "", `{"texts": ["a", "b"], "vectors": [[0.75, 1]]}`, 400,
			"one for each of the 2 texts; there are 1"},
		{vectors, "POST", "/v1/predict", "", `{"text": "a", "vectors": [[1]]}`, 400, "vectors[0] has 1 numbers"},
		{vectors, "POST", "/v1/predict", "", `{"text": "a", "vectors": [[1e39, 1]]}`, 400, "1e39"},
		{vectors, "POST", "/v1/predict", "", `{"text": "a"}`, 400, "module given"},
		{images, "POST", "/v1/predict", "image/png", "PNG\x01", 200, `"long \"one\"":1,`},
		{images, "POST", "/v1/predict", "", `{"images": ["UE5HAQ==", "UE5HAg=="]}`, 200, `"long \"one\"":2,`},
		{images, "POST", "/v1/predict", "image/png", "GIF", 400, "image 1: no PNG"},
		{images, "POST", "/v1/predict", "", `{"images": ["!"]}`, 400, "base64"},
		{images, "POST", "/v1/predict", "", `{"text": "a"}`, 400, "one of images"},
		{images, "POST", "/v1/predict", "", `{"images": [` + strings.Repeat(`"UE5H",`, maxImages) + `"UE5H"]}`, 400, "there can be 16"},
	} {
		body := c.body[:min(len(c.body), 60)]
		if status, got := send(t, c.server, c.method, c.path, c.kind, c.body); status != c.status || !strings.Contains(got, c.want) {
			t.Errorf("%s %s %s: %d %.300s, want %d %s", c.method, c.path, body, status, got, c.status, c.want)
		}
	}
	for path, want := range map[string]int{"/healthz": 200, "/v1/model": 401, "/metrics": 401, "/v1/predict": 401, "/healthz/": 401} {
		answer, err := http.Get(texts.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		if answer.Body.Close(); answer.StatusCode != want {
			t.Errorf("%s without the token: %d, want %d", path, answer.StatusCode, want)
		}
	}
}

// Probabilities are written as `predict --json` writes them.
func TestNumbersAsJSON(t *testing.T) {
	for _, v := range []float32{0, 1, .5, 1e-6, 9.99e-7, 1e-7, 1e-12, 1e-45, .1, 1. / 3, math.SmallestNonzeroFloat32, 0.99999994} {
		var back float32
		got := appendNumber(nil, v)
		if err := json.Unmarshal(got, &back); err != nil || math.Float32bits(back) != math.Float32bits(v) {
			t.Errorf("%v is %s: %v", v, got, err)
		}
		want, err := json.Marshal(v)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s, want %s, %v", got, want, err)
		}
	}
}

// A request that comes alone is answered alone; what comes while all processors are at work is
// answered together, each with its own.
func TestRequestsTogether(t *testing.T) {
	m := &lengths{info: twoLabels, gate: make(chan struct{})}
	b := newBatcher(m)
	b.most = 2
	const all = 100
	var wait sync.WaitGroup
	for i := range all {
		wait.Go(func() {
			texts := []string{strings.Repeat("x", i), "y", strings.Repeat("x", i+1)}
			if i == 50 {
				texts[1] = "panic"
			}
			of, err := b.predict(texts, nil)
			if i == 50 {
				if err == nil {
					t.Error("of what the model panics there is an answer")
				}
				return
			}
			if err != nil || len(of) != 3 || of[0].Probabilities[0] != float32(i)/100 || of[2].Probabilities[0] != float32(i+1)/100 {
				t.Errorf("request %d: %+v, %v", i, of, err)
			}
		})
	}
	until := func(running, waiting int) {
		for there := false; !there; time.Sleep(time.Millisecond) {
			b.mu.Lock()
			there = b.running == running && len(b.waiting) == waiting && m.batches.Load() >= int64(running)
			b.mu.Unlock()
		}
	}
	until(2, all-2)
	if n := m.batches.Load(); n != 2 || m.most.Load() != 3 {
		t.Errorf("%d batches, of up to %d texts, while two could be served", n, m.most.Load())
	}
	close(m.gate)
	wait.Wait()
	if most := m.most.Load(); most > maxBatch || most < 200 {
		t.Errorf("up to %d texts together", most)
	}
	until(0, 0) // who answered for others ends a moment after their requests
}

// Of too many requests some are told so; those under way are answered when the server stops.
func TestModelServerFullAndStopped(t *testing.T) {
	m := &lengths{info: twoLabels, gate: make(chan struct{})}
	s := served(t, m)
	var mu sync.Mutex
	statuses := map[int]int{}
	var wait sync.WaitGroup
	for i := range maxTextRequests {
		wait.Go(func() {
			status := 503
			for status == 503 { // the look below had the last place: else there would never be as many as there may be
				status, _ = send(t, s, "POST", "/v1/predict", "", fmt.Sprintf(`{"text": "%d"}`, i))
			}
			mu.Lock()
			statuses[status]++
			mu.Unlock()
		})
	}
	var refused string
	for status := 0; status != 503; time.Sleep(time.Millisecond) { // more than there may be, once all have come
		if status, refused = send(t, s, "GET", "/v1/model", "", ""); status != 200 && status != 503 {
			t.Fatal(status, refused)
		}
	}
	if !strings.Contains(refused, "more than 256 requests at once") {
		t.Error(refused)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- s.Config.Shutdown(t.Context()) }()
	time.Sleep(20 * time.Millisecond)
	close(m.gate)
	wait.Wait()
	if err := <-stopped; err != nil || statuses[200] != maxTextRequests {
		t.Errorf("%v, %v", statuses, err)
	}
}

// What a request has twice is found, whatever is around it.
func FuzzTwice(f *testing.F) {
	for _, body := range []string{`{"text":"a","text":"b"}`, `{"texts":["text","texts"],"vectors":[[1]]}`,
		`{"text":"\\\"","\u0074ext":""}`, `null`} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		d := json.NewDecoder(bytes.NewReader(body))
		d.DisallowUnknownFields() // so that no object is in another
		if !json.Valid(body) || d.Decode(new(ask)) != nil {
			return
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(body, &fields); err != nil {
			t.Fatal(err)
		}
		want := strict.Twice(body) != nil
		for a := range fields {
			for b := range fields {
				want = want || a != b && strings.EqualFold(a, b)
			}
		}
		if err := twice(body); (err != nil) != want {
			t.Errorf("%q: %v, want an error: %t", body, err, want)
		}
	})
}

// BenchmarkServe measures requests of one text over HTTP on this machine's loopback, one after
// the other: the model takes no time.
func BenchmarkServe(b *testing.B) {
	s := served(b, &lengths{info: twoLabels})
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		if status, answer := send(b, s, "POST", "/v1/predict", "", `{"text": "free prize, call now"}`); status != 200 {
			b.Fatal(answer)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}
