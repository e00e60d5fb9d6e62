package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tnaml/experiments/exported"
	"tnaml/experiments/limit"
	"tnaml/experiments/strict"
	"tnaml/starter/client"
)

// Bounds of requests for predictions. What is under way may take the product of a body and
// the number of requests at once.
const (
	maxTexts, maxTextBody, maxTextRequests    = 4096, 1 << 20, 256
	maxImages, maxImageBody, maxImageRequests = 16, 16 << 20, 16
)

// ModelServer is an HTTP server of a model's predictions, for whoever has the token:
//
//	POST /v1/predict   {"texts": ["…"]}, or {"text": "…"}; of models that take vectors of documents, "vectors" too, a row
//	                   a text. Of images {"images": ["BASE64"]}, or an image file as the body, with its type.
//	                   {"predictions": [{"label": "…", "probabilities": {"…": 0.9, …}}]}, one for each, in order
//	GET  /v1/model     what the model is
//	GET  /metrics      for Prometheus
//	GET  /healthz      without the token
func ModelServer(p exported.Predictor, token string) (*http.Server, error) {
	vectors, err := p.Vectors()
	if err != nil {
		return nil, err
	}
	m := &model{Predictor: p, vectors: vectors, batches: newBatcher(p), most: maxTexts, body: maxTextBody}
	requests := maxTextRequests
	if p.About().Image != nil {
		m.most, m.body, requests = maxImages, maxImageBody, maxImageRequests
		m.reading = make(chan struct{}, m.batches.most)
	}
	for _, label := range p.About().Labels {
		name, err := json.Marshal(label)
		if err != nil {
			return nil, err
		}
		m.labels = append(m.labels, string(name))
	}
	registry := prometheus.NewRegistry()
	metrics := promauto.With(registry)
	m.answered = metrics.NewCounterVec(prometheus.CounterOpts{Name: "tnaml_model_requests_total",
		Help: "Requests for predictions, by the status of the answer."}, []string{"code"})
	m.predicted = metrics.NewCounter(prometheus.CounterOpts{Name: "tnaml_model_predictions_total", Help: "Texts or images classified."})
	m.seconds = metrics.NewHistogram(prometheus.HistogramOpts{Name: "tnaml_model_request_seconds",
		Help: "Time from a request's header to its answer.", Buckets: prometheus.ExponentialBuckets(50e-6, 2, 18)})
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/predict", m.predict)
	mux.HandleFunc("GET /v1/model", func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, p.About()) })
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	guarded := guard(mux, token, requests, "POST /v1/predict, GET /v1/model, /metrics and /healthz are")
	return &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/healthz" && r.Method == http.MethodGet {
				write(w, http.StatusOK, map[string]string{"status": "ok"})
				return
			}
			said := &coded{ResponseWriter: w, code: http.StatusOK}
			guarded.ServeHTTP(said, r)
			if r.URL.Path == "/v1/predict" {
				m.answered.WithLabelValues(strconv.Itoa(said.code)).Inc()
			}
		}),
		MaxHeaderBytes: maxHeaders, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 2 * time.Minute,
		IdleTimeout: 2 * time.Minute,
	}, nil
}

// coded remembers the status of an answer.
type coded struct {
	http.ResponseWriter
	code int
}

// WriteHeader implements http.ResponseWriter.
func (c *coded) WriteHeader(code int) {
	c.code = code
	c.ResponseWriter.WriteHeader(code)
}

// model serves predictions.
type model struct {
	exported.Predictor
	vectors *exported.VectorModule
	labels  []string // as JSON
	batches *batcher
	reading chan struct{} // a place for each image that is read
	// most is how many texts or images a request may have, body how many bytes.
	most, body int

	answered  *prometheus.CounterVec
	predicted prometheus.Counter
	seconds   prometheus.Histogram
}

func (m *model) predict(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	r.Body = http.MaxBytesReader(w, r.Body, int64(m.body))
	if of, err := m.answer(r); err != nil {
		fail(w, err)
	} else {
		m.predicted.Add(float64(len(of)))
		head(w)
		_, _ = w.Write(m.encode(of)) // whoever is gone does not hear it
	}
	m.seconds.Observe(time.Since(began).Seconds())
}

// ask is the body of a request.
type ask struct {
	Text    *string     `json:"text"`
	Texts   []*string   `json:"texts"`
	Vectors [][]float32 `json:"vectors"`
	Images  [][]byte    `json:"images"`
}

// answer reads a request and predicts.
func (m *model) answer(r *http.Request) ([]exported.Prediction, error) {
	body, err := read(r)
	if err != nil {
		return nil, err
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	ofImages := m.About().Image != nil
	var of []exported.Prediction
	if err == nil && strings.HasPrefix(kind, "image/") && ofImages {
		of, err = m.ofImages(r.Context(), [][]byte{body})
	} else {
		var in ask
		if in, err = decode(body); err != nil {
			return nil, client.Usage(err)
		}
		if ofImages {
			of, err = m.ofImages(r.Context(), in.Images)
		} else {
			of, err = m.ofTexts(r.Context(), in)
		}
	}
	for i, p := range of {
		if err := p.Check(); err != nil {
			return nil, client.Usage(fmt.Errorf("number %d: %w", i+1, err))
		}
	}
	return of, err
}

// read reads a body in one piece where its length is told.
func read(r *http.Request) ([]byte, error) {
	var b bytes.Buffer
	if n := r.ContentLength; n > 0 {
		b.Grow(int(min(n, maxTextBody)) + bytes.MinRead)
	}
	_, err := b.ReadFrom(r.Body)
	return b.Bytes(), err
}

// decode reads the JSON of a request: one object of known fields, in UTF-8.
func decode(body []byte) (in ask, err error) {
	if !utf8.Valid(body) {
		return in, errors.New("the body is not valid UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		if said := strict.Unmarshal(body, new(ask)); said != nil { // slower, and in words
			err = errors.New(limit.Cut(said.Error(), limit.MaxMessage))
		}
		return in, fmt.Errorf("the body must be a JSON object such as {\"texts\": [\"…\"]}: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return in, errors.New("the body must be one JSON object, there is more after it")
	}
	return in, twice(body)
}

// twice reports a field that a request has twice, of which encoding/json takes the last, also
// where capitals tell the two apart. The body is an object that has been decoded.
func twice(body []byte) error {
	var names []string
	for quoted := range strict.Names(body) {
		var name string
		if err := json.Unmarshal(quoted, &name); err != nil {
			return err
		}
		if at := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, name) }); at >= 0 {
			return fmt.Errorf("the field %q is there twice: leave one out", names[at])
		}
		names = append(names, name)
	}
	return nil
}

// ofTexts predicts texts, a batch after the other, as long as somebody waits for them.
func (m *model) ofTexts(ctx context.Context, in ask) ([]exported.Prediction, error) {
	texts := make([]string, 0, max(1, len(in.Texts)))
	switch {
	case in.Images != nil:
		return nil, client.Usage(errors.New("the model is one of texts: it takes no images"))
	case in.Text != nil && in.Texts != nil || in.Text == nil && in.Texts == nil:
		return nil, client.Usage(errors.New("give either text or texts"))
	case in.Text != nil:
		texts = append(texts, *in.Text)
	case len(in.Texts) > m.most:
		return nil, client.Usage(fmt.Errorf("%d texts: there can be %d in a request", len(in.Texts), m.most))
	}
	for i, t := range in.Texts {
		if t == nil {
			return nil, client.Usage(fmt.Errorf("texts[%d] is null: it must be a text", i))
		}
		texts = append(texts, *t)
	}
	vectors, dim, err := m.given(in.Vectors, len(texts))
	if err != nil {
		return nil, client.Usage(err)
	}
	out := make([]exported.Prediction, 0, len(texts))
	for from := 0; from < len(texts); from += maxBatch {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		to := min(from+maxBatch, len(texts))
		of, err := m.batches.predict(texts[from:to], vectors[from*dim:to*dim])
		if err != nil {
			return nil, err
		}
		out = append(out, of...)
	}
	return out, nil
}

// given are the vectors that go with so many texts, and their length.
func (m *model) given(rows [][]float32, texts int) (out []float32, dim int, err error) {
	switch {
	case m.vectors == nil && rows != nil:
		return nil, 0, errors.New("the model takes no vectors: leave them out")
	case m.vectors == nil:
		return nil, 0, nil
	case len(rows) != texts:
		return nil, 0, fmt.Errorf("the model takes vectors of whole texts (module %s): give vectors, one for each of the %d texts; "+
			"there are %d", m.vectors.Module, texts, len(rows))
	}
	dim = m.vectors.Dim
	for i, row := range rows {
		if len(row) != dim {
			return nil, 0, fmt.Errorf("vectors[%d] has %d numbers, the model takes those of the module %s, of %d", i, len(row),
				m.vectors.Module, dim)
		}
		out = append(out, row...)
	}
	return out, dim, nil
}

// ofImages reads and predicts images, as many at once as there are processors.
func (m *model) ofImages(ctx context.Context, files [][]byte) (of []exported.Prediction, err error) {
	if len(files) == 0 {
		return nil, client.Usage(errors.New("the model is one of images: give images, in base64, or one as the body with its Content-Type"))
	}
	if len(files) > m.most {
		return nil, client.Usage(fmt.Errorf("%d images: there can be %d in a request", len(files), m.most))
	}
	select {
	case m.reading <- struct{}{}:
		defer func() { <-m.reading }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the model failed: %v", r)
		}
	}()
	var pixels []uint8
	for i, file := range files {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		p, err := m.ReadImage(file)
		if err != nil {
			return nil, client.Usage(fmt.Errorf("image %d: %w", i+1, err))
		}
		pixels = append(pixels, p...)
	}
	return m.PredictImages(pixels)
}

// encode writes predictions as `predict --json` has them.
func (m *model) encode(of []exported.Prediction) []byte {
	b := append(make([]byte, 0, 64+len(of)*32*(1+len(m.labels))), `{"predictions":[`...)
	for i, p := range of {
		if i > 0 {
			b = append(b, ',')
		}
		at := slices.Index(m.About().Labels, p.Label)
		b = append(append(append(b, `{"label":`...), m.labels[at]...), `,"probabilities":{`...)
		for k, v := range p.Probabilities {
			if k > 0 {
				b = append(b, ',')
			}
			b = append(append(b, m.labels[k]...), ':')
			b = appendNumber(b, v)
		}
		b = append(b, "}}"...)
	}
	return append(b, "]}\n"...)
}

// appendNumber appends a number as encoding/json does: the shortest that reads back the same.
func appendNumber(b []byte, v float32) []byte {
	if v == 0 || v >= 1e-6 || v <= -1e-6 {
		return strconv.AppendFloat(b, float64(v), 'f', -1, 32)
	}
	b = strconv.AppendFloat(b, float64(v), 'e', -1, 32)
	if n := len(b); b[n-2] == '0' { // e-07 is e-7
		b[n-2], b = b[n-1], b[:n-1]
	}
	return b
}
