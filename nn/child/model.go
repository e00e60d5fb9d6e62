package child

import (
	"errors"
	"fmt"
	"math"
	"slices"

	kernels "tnaml/nn/blas"
	"tnaml/nn/safetensors"
)

// Model is a trained child model. It is safe for concurrent use.
type Model struct {
	header
	// table is the embedding, vocabulary × dim: the model's own when the
	// module was tuned, else the module's (nil while it is detached).
	table []float32
	known []bool
	// module is the table of a tuned model before it was tuned. tuned has the rows
	// that tuning changed, while the model is detached.
	module []float32
	tuned  *partial
	// layers hold weights only.
	layers       []layerWeights
	out, outBias []float32
	wide         []float32 // (WideVocabulary + NGrams) × Classes
	vectors      []float32 // Dim × Classes, of documents' unit vectors, or nil
	pixels       []float32 // Pixels × Classes, of images
	tokens       []float32 // the weights of tokens in a document's mean, or nil for ones
	columns      []float32 // the factors of weighted features, or nil where all are 1
}

// header is the part of an encoded model that is JSON.
type header struct {
	Cfg            Config `json:"config"`
	Dim            int    `json:"dim"`
	NClasses       int    `json:"classes"`
	NVocabulary    int    `json:"vocabulary"`
	WideVocabulary int    `json:"wide_vocabulary"`
	NGrams         int    `json:"ngrams,omitempty"`
	Features       int    `json:"features,omitempty"`
	NPixels        int    `json:"pixels,omitempty"`
	Alone          bool   `json:"document_vectors,omitempty"`
	// Temperature divides the logits; 0 means 1.
	Temperature float64 `json:"temperature,omitempty"`
}

type layerWeights struct {
	in, out         int
	weights         []float32
	bias, gain      []float32
	mean, deviation []float32
}

// model takes the trained weights out of a network.
func (n *network) model(d *Data, t *Table) *Model {
	m := &Model{
		header: header{Cfg: n.cfg, Dim: n.dim, NClasses: n.classes, NVocabulary: d.Vocabulary, WideVocabulary: d.WideVocabulary, NGrams: d.NGrams,
			Features: d.Features, NPixels: d.Pixels, Alone: t.alone(d)},
		table: t.Vectors, known: t.Known,
		out: n.out.value, outBias: n.outBias.value, wide: n.wide.value, columns: n.columns, tokens: n.tokens,
	}
	if n.base != nil {
		m.outBias, m.wide = slices.Clone(m.outBias), make([]float32, len(m.wide))
		kernels.Axpy(n.share.value[0], n.wideBias, m.outBias)
		kernels.Axpy(n.share.value[0], n.wide.value, m.wide)
		if n.vectors != nil {
			m.vectors = make([]float32, len(n.vectors))
			kernels.Axpy(n.share.value[0], n.vectors, m.vectors)
		}
	}
	if n.attention != nil && d.Vocabulary > 0 {
		m.tokens = n.attention.tokenWeights(t)
	}
	if n.embedding != nil {
		m.table, m.module = n.embedding.value, t.Vectors
	}
	if n.pixels != nil {
		m.pixels = n.pixels.weight.value
	}
	for _, h := range n.layers {
		m.layers = append(m.layers, layerWeights{h.in, h.out, h.weights.value, h.bias.value, h.gain.value, h.mean, h.deviation})
	}
	return m
}

// Config returns the model's configuration.
func (m *Model) Config() Config { return m.Cfg }

// Vocabulary returns the number of tokens the model knows.
func (m *Model) Vocabulary() int { return m.NVocabulary }

// Classes returns the number of classes.
func (m *Model) Classes() int { return m.NClasses }

// NGrams returns the number of n-grams of tokens that the wide tower knows:
// those of the longest, Config.WideNGrams, that the examples must have too.
func (m *Model) NGrams() int { return m.header.NGrams }

// Features returns the number of features that the wide tower sees in the place of
// tokens and n-grams: those of Config.WideFeatures, whose counts the examples must have.
func (m *Model) Features() int { return m.header.Features }

// wideRows is the number of rows of the wide tower for features, or for tokens and
// n-grams.
func (h *header) wideRows() int {
	if h.Cfg.WideFeatures != "" {
		return h.Features
	}
	return h.WideVocabulary + h.NGrams
}

// Pixels returns the number of values of an image, 0 for a model of texts.
func (m *Model) Pixels() int { return m.NPixels }

// TakesVectors reports whether the deep tower takes vectors of texts that no tokens make
// up: PredictFrom must be given them.
func (m *Model) TakesVectors() bool { return m.Alone }

// Detached reports whether the model lacks its module's table: a model of texts is
// stored without it, but for the rows that tuning changed. Attach gives it back. A
// model of images, or of vectors of texts, never has one.
func (m *Model) Detached() bool { return m.table == nil && m.NPixels == 0 && !m.Alone }

// Attach gives a detached model the table of its module in the task's
// vocabulary.
func (m *Model) Attach(t *Table) error {
	if t.Dim != m.Dim || len(t.Vectors) != m.NVocabulary*m.Dim || len(t.Known) != m.NVocabulary {
		return fmt.Errorf("child model: a table of %d × %d for a model of %d × %d", len(t.Known), t.Dim, m.NVocabulary, m.Dim)
	}
	if err := weighable(m.tokens, t.Known); err != nil {
		return fmt.Errorf("child model: %w", err)
	}
	m.table, m.known = t.Vectors, t.Known
	if m.tuned != nil {
		m.table, m.module = slices.Clone(t.Vectors), t.Vectors
		m.tuned.over(m.table, m.Dim)
		m.tuned = nil
	}
	return nil
}

// weighable reports a token with a vector, but without a weight: the mean of a document of such
// alone would be no number. Those without a vector count for nothing anyway.
func weighable(weights []float32, known []bool) error {
	for id, w := range weights {
		if known[id] && w == 0 {
			return fmt.Errorf("token %d has a vector and the weight 0", id)
		}
	}
	return nil
}

// positive reports the first number that is not.
func positive(name string, v []float32, zero bool) error {
	for i, x := range v {
		if !(x > 0 || zero && x == 0) {
			return fmt.Errorf("array %q: number %d is %v", name, i, x)
		}
	}
	return nil
}

// evaluationBatch is the number of documents evaluated together.
const evaluationBatch = 128

// Workspace is room for Model.PredictInto; the zero value has none yet. It is one
// goroutine's at a time.
type Workspace struct {
	a, b, scratch, logits, pixels, ofWide, ofVectors, ofMeans, ones, values []float32
	documents, means, wide                                                  bags
}

// grow returns n elements of what may be in v, or, where that is too short, of zeros.
func grow[T any](v []T, n int) []T {
	if cap(v) < n {
		return make([]T, n)
	}
	return v[:n]
}

// scores calls yield with the logits of each document in turn. vectors are the
// documents' mean token vectors, or nil to compute them.
func (m *Model) scores(w *Workspace, e *Examples, vectors []float32, yield func(i int, logits []float32)) {
	widest := m.Dim
	for _, l := range m.layers {
		widest = max(widest, l.out)
	}
	rows := min(evaluationBatch, e.Len())
	w.a, w.b, w.scratch = grow(w.a, rows*widest), grow(w.b, rows*widest), grow(w.scratch, rows*widest)
	w.logits, w.pixels, w.ofWide = grow(w.logits, rows*m.NClasses), grow(w.pixels, rows*m.NPixels), grow(w.ofWide, m.NClasses)
	if len(w.ones) < widest {
		w.ones = ones(widest)
	}
	logits := w.logits
	var scale []float32
	if m.NPixels > 0 {
		scale = pixelScale(m.NPixels)
	}
	w.wide.ofWide(e, m.wideRows())
	if m.vectors != nil {
		w.ofVectors = grow(w.ofVectors, rows*m.NClasses)
	}
	attention := m.Cfg.Pooling == Attention // the wide tower's vectors are then others
	if vectors == nil || attention {
		w.documents.ofMeans(e, m.known, m.tokens)
	}
	if vectors == nil && attention && m.vectors != nil {
		w.means.ofMeans(e, m.known, nil)
	}
	for from := 0; from < e.Len(); from += evaluationBatch {
		n := min(evaluationBatch, e.Len()-from)
		for i := range n {
			x := w.a[i*m.Dim:][:m.Dim]
			switch {
			case vectors != nil && !attention:
				copy(x, vectors[(from+i)*m.Dim:])
			case m.Cfg.Pooling == Max:
				w.documents.largest(from+i, m.table, x)
			default:
				w.documents.sum(from+i, m.table, x)
			}
		}
		x, width := w.a, m.Dim
		if m.vectors != nil {
			of := w.a[:n*m.Dim]
			if attention && vectors != nil {
				of = vectors[from*m.Dim:][:n*m.Dim]
			} else if attention {
				of = grow(w.ofMeans, n*m.Dim)
				for i := range n {
					w.means.sum(from+i, m.table, of[i*m.Dim:][:m.Dim])
				}
				w.ofMeans = of
			}
			unitRows(w.b, of, m.Dim, 1) // where the first layer's output will be
			kernels.Multiply(w.ofVectors, w.b, m.vectors, n, m.Dim, m.NClasses)
		}
		y := w.b
		for _, l := range m.layers {
			kernels.Multiply(y, x, l.weights, n, l.in, l.out)
			for i := range n {
				l.normalise(m.Cfg.Normalisation, y[i*l.out:][:l.out], w.scratch, w.ones[:l.out])
			}
			activate(m.Cfg.Activation, y[:n*l.out], y[:n*l.out], w.scratch)
			x, y, width = y, x, l.out
		}
		kernels.Multiply(logits, x, m.out, n, width, m.NClasses)
		if m.NPixels > 0 {
			lookUp(scale, e.Pixels[from*m.NPixels:(from+n)*m.NPixels], w.pixels)
			addPixels(logits, w.pixels, m.pixels, n, m.NPixels, m.NClasses)
		}
		for i := range n {
			l := logits[i*m.NClasses:][:m.NClasses]
			add(l, m.outBias)
			if m.vectors != nil {
				add(l, w.ofVectors[i*m.NClasses:][:m.NClasses])
			}
			w.wide.sum(from+i, m.wide, w.ofWide)
			add(l, w.ofWide)
			yield(from+i, l)
		}
	}
}

// normalise turns one example's linear map into the activation's argument.
func (l *layerWeights) normalise(kind Normalisation, y, scratch, ones []float32) {
	switch kind {
	case BatchNorm:
		for k := range y {
			y[k] = float32(l.gain[k]*((y[k]-l.mean[k])/l.deviation[k])) + l.bias[k]
		}
	case LayerNorm:
		layerNorm(y, scratch, l.gain, l.bias, ones)
	default:
		add(y, l.bias)
	}
}

// Predict returns the probability of each class for each document, n × Classes,
// calibrated by Outcome.Temperature.
// It panics on a detached model and on one of images: a programmer error.
func (m *Model) Predict(e *Examples) []float32 {
	m.ofTexts()
	return m.PredictFrom(e, nil)
}

// PredictFrom is Predict with the vectors that the deep tower takes, n × Dim:
// the features of images. It panics where their number is another.
func (m *Model) PredictFrom(e *Examples, vectors []float32) []float32 {
	out := make([]float32, e.Len()*m.NClasses)
	m.PredictInto(new(Workspace), out, e, vectors)
	return out
}

// PredictInto is PredictFrom, or, without vectors, Predict, into n × Classes numbers of out.
// What it says of a document does not depend on those beside it.
func (m *Model) PredictInto(w *Workspace, out []float32, e *Examples, vectors []float32) {
	if vectors == nil {
		m.attached()
	}
	m.fits(e, vectors)
	e = m.weigh(w, e)
	scale := float32(1)
	if m.Temperature > 0 {
		scale = float32(1 / m.Temperature)
	}
	m.scores(w, e, vectors, func(i int, logits []float32) {
		p := out[i*m.NClasses:][:m.NClasses]
		for c, v := range logits {
			p[c] = v * scale
		}
		softmax(p)
	})
}

// Evaluate returns how well the model classifies the documents. It panics on a
// detached model and on one of images: a programmer error.
func (m *Model) Evaluate(e *Examples) Metrics {
	m.ofTexts()
	m.fits(e, nil)
	metrics, _, _ := m.evaluate(m.weigh(new(Workspace), e), nil, func(int32, []float32) {})
	return metrics
}

// fits panics where the examples are not what the model takes.
func (m *Model) fits(e *Examples, vectors []float32) {
	if (vectors != nil || m.Alone) && len(vectors) != e.Len()*m.Dim || len(e.Pixels) != e.Len()*m.NPixels {
		panic(fmt.Sprintf("child: %d vector elements and %d pixels for %d examples of %d and %d",
			len(vectors), len(e.Pixels), e.Len(), m.Dim, m.NPixels))
	}
	if m.Features() > 0 && e.Len() > 0 && (e.Wide == nil || e.Wide.Columns != m.Features() || len(e.Wide.Values) != len(e.Wide.IDs)) {
		panic(fmt.Sprintf("child: the model's wide tower sees %d features, whose counts the examples lack", m.Features()))
	}
	if e.Wide == nil && m.NGrams() > 0 && e.Len() > 0 {
		panic("child: the model's wide tower sees n-grams, which the examples lack")
	}
}

// ofTexts panics where the model cannot take documents by themselves.
func (m *Model) ofTexts() {
	m.attached()
	if m.NPixels > 0 || m.Alone {
		panic("child: a model of images, or of vectors of texts, needs these: use PredictFrom")
	}
}

func (m *Model) attached() {
	if m.Detached() {
		panic("child: the model lacks its module's table: Attach it first")
	}
}

// evaluate is Evaluate with the documents' mean token vectors, if known; see is called with
// the label and the logits of each in turn. It also returns whether all were numbers.
func (m *Model) evaluate(e *Examples, vectors []float32, see func(label int32, logits []float32)) (metrics Metrics, right []byte, ok bool) {
	if m.Cfg.FineTune {
		vectors = nil
	}
	t := newTally(e.Len(), m.NClasses)
	ok = true
	m.scores(new(Workspace), e, vectors, func(i int, logits []float32) {
		t.add(e.Labels[i], logits)
		see(e.Labels[i], logits)
		ok = ok && kernels.Finite(logits)
	})
	return t.metrics(), t.bits, ok
}

// evaluateAll is evaluate that also returns all logits, n × Classes.
func (m *Model) evaluateAll(e *Examples, vectors []float32) (metrics Metrics, right []byte, all []float32, ok bool) {
	all = make([]float32, 0, e.Len()*m.NClasses)
	metrics, right, ok = m.evaluate(e, vectors, func(_ int32, logits []float32) { all = append(all, logits...) })
	return metrics, right, all, ok
}

const kind = "model"

// ModelFormat is the version of what Encode writes.
const ModelFormat = 4

// EncodeAlone returns the model as a safetensors file of kind "model" that needs
// nothing else: the metadata "model" says its shape; the arrays are
// "layer/<i>/weights" (in × out), "bias", "gain", "mean" and "deviation",
// "out/weights", "out/bias", "wide" (tokens and n-grams × classes),
// "token/weights" (of the tokens in a document's mean, where they are not 1),
// "wide/columns" (the factors of weighted features, where they are not 1),
// "wide/vectors" (dim × classes, of documents' unit vectors, where there are such), of images
// "pixels" (pixels × classes), of texts, but for those of TakesVectors, "table" (tokens ×
// dim) and "known". It panics
// on a detached model.
func (m *Model) EncodeAlone() []byte {
	m.attached()
	f := m.file()
	safetensors.Put(f, "wide", m.wide, m.wideRows(), m.NClasses)
	if m.NPixels > 0 {
		safetensors.Put(f, "pixels", m.pixels, m.NPixels, m.NClasses)
		return f.Encode()
	}
	if m.Alone {
		return f.Encode()
	}
	known := make([]uint8, len(m.known))
	for i, k := range m.known {
		if k {
			known[i] = 1
		}
	}
	safetensors.Put(f, "table", m.table, m.NVocabulary, m.Dim)
	safetensors.Put(f, "known", known)
	return f.Encode()
}

// Encode returns the model as it is stored: EncodeAlone without what is to be had
// elsewhere. The weights that L1 has made zero are left out of "wide" and "pixels",
// where they are enough, and the module's table is: see Attach. Of one that was tuned "table" has the rows
// that differ from the module's. "wide/mask", "pixels/mask" and "table/mask", a bit for
// each weight or row, the first the lowest of its byte, say which are there. It
// panics on a detached model that was tuned.
func (m *Model) Encode() []byte {
	f := m.file()
	putPruned(f, "wide", m.wide, m.NClasses)
	if m.NPixels > 0 {
		putPruned(f, "pixels", m.pixels, m.NClasses)
	}
	if m.Cfg.FineTune && m.NPixels == 0 {
		m.attached()
		changes(m.table, m.module, m.Dim).put(f, "table", m.Dim)
	}
	return f.Encode()
}

// file is what both forms of a model have.
func (m *Model) file() *safetensors.File {
	f := safetensors.New(kind)
	f.PutJSON(kind, m.header)
	for i, l := range m.layers {
		name := fmt.Sprintf("layer/%d/", i)
		safetensors.Put(f, name+"weights", l.weights, l.in, l.out)
		for _, v := range l.vectors() {
			if *v.data != nil {
				safetensors.Put(f, name+v.name, *v.data)
			}
		}
	}
	safetensors.Put(f, "out/weights", m.out, len(m.out)/m.NClasses, m.NClasses)
	safetensors.Put(f, "out/bias", m.outBias)
	if m.tokens != nil {
		safetensors.Put(f, "token/weights", m.tokens)
	}
	if m.columns != nil {
		safetensors.Put(f, "wide/columns", m.columns)
	}
	if m.vectors != nil {
		safetensors.Put(f, "wide/vectors", m.vectors, m.Dim, m.NClasses)
	}
	return f
}

type namedVector struct {
	name string
	data *[]float32
}

func (l *layerWeights) vectors() []namedVector {
	return []namedVector{{"bias", &l.bias}, {"gain", &l.gain}, {"mean", &l.mean}, {"deviation", &l.deviation}}
}

// DecodeModel reads what Encode or EncodeAlone wrote. Arrays and metadata that it does not
// know are left alone. A model that could not predict is an error.
func DecodeModel(b []byte) (*Model, error) {
	f, err := safetensors.DecodeKind(b, kind)
	if err != nil {
		return nil, fmt.Errorf("child model: %w", err)
	}
	var m Model
	if err := f.GetJSON(kind, &m.header); err != nil {
		return nil, fmt.Errorf("child model: %w", err)
	}
	if err := m.decode(f); err != nil {
		return nil, fmt.Errorf("child model: %w", err)
	}
	return &m, nil
}

func (m *Model) decode(f *safetensors.File) error {
	if err := m.Cfg.Validate(); err != nil {
		return err
	}
	if m.Dim < 1 || m.NClasses < 1 || m.NVocabulary < 0 || m.WideVocabulary < 0 || m.WideVocabulary > m.NVocabulary || m.NPixels < 0 ||
		m.Temperature != 0 && !(m.Temperature >= 1./maxLogitScale && m.Temperature <= maxLogitScale) || m.header.Features < 0 ||
		(m.header.Features > 0) != (m.Cfg.WideFeatures != "") || m.header.NGrams < 0 || m.header.NGrams > math.MaxInt32-m.WideVocabulary ||
		max(m.Dim, m.NClasses, m.NVocabulary, m.NPixels, m.header.Features) > math.MaxInt32 {
		return fmt.Errorf("impossible shape %+v", m.header)
	}
	if m.NPixels > 0 && (m.wideRows() > 0 || m.Cfg.WideFeatures != "") {
		return fmt.Errorf("a model of images, of %d pixels, whose wide tower sees %d features of texts", m.NPixels, m.wideRows())
	}
	if tokens := m.NPixels == 0 && !m.Alone; !tokens && m.Cfg.Pooling != "" || m.Cfg.Frozen() && m.Cfg.FineTune {
		return fmt.Errorf("impossible configuration: pooling %q and wide vectors %v, of tokens: %v, of a tuned module: %v", m.Cfg.Pooling,
			m.Cfg.WideVectors, tokens, m.Cfg.FineTune)
	}
	var errs []error
	get := func(name string, dims ...int) []float32 {
		v, _, err := safetensors.Get[float32](f, name, dims...)
		if err == nil && !kernels.Finite(v) {
			err = fmt.Errorf("array %q holds what is no number", name)
		}
		errs = append(errs, err)
		return v
	}
	width := m.Dim
	for i := range m.Cfg.HiddenLayers {
		l := layerWeights{in: width, out: m.Cfg.HiddenSize}
		name := fmt.Sprintf("layer/%d/", i)
		l.weights = get(name+"weights", l.in, l.out)
		want := []string{"bias"}
		if m.Cfg.Normalisation != NoNorm {
			want = append(want, "gain")
		}
		if m.Cfg.Normalisation == BatchNorm {
			want = append(want, "mean", "deviation")
		}
		for _, v := range l.vectors() {
			if slices.Contains(want, v.name) {
				*v.data = get(name+v.name, l.out)
				if v.name == "deviation" {
					errs = append(errs, positive(name+v.name, *v.data, false))
				}
			}
		}
		m.layers = append(m.layers, l)
		width = l.out
	}
	m.out, m.outBias = get("out/weights", width, m.NClasses), get("out/bias", m.NClasses)
	weights := func(name string, rows int) []float32 {
		if !f.Has(name + maskSuffix) {
			return get(name, rows, m.NClasses)
		}
		s, err := getPartial(f, name, rows*m.NClasses, 1)
		if errs = append(errs, err); err != nil {
			return nil
		}
		out := make([]float32, rows*m.NClasses)
		s.over(out, 1)
		return out
	}
	m.wide = weights("wide", m.wideRows())
	if m.has(f, &errs, "token/weights", (m.Cfg.Pooling == SIF || m.Cfg.Pooling == Attention) && m.NVocabulary > 0) {
		m.tokens = get("token/weights", m.NVocabulary)
		errs = append(errs, positive("token/weights", m.tokens, true))
	}
	if m.has(f, &errs, "wide/vectors", m.Cfg.solvedVectors()) {
		m.vectors = get("wide/vectors", m.Dim, m.NClasses)
	}
	if w := m.Cfg.weighting(); m.has(f, &errs, "wide/columns", w.Bytes(m.header.Features) > 0) {
		m.columns = get("wide/columns", m.header.Features)
	}
	if m.NPixels > 0 {
		m.pixels = weights("pixels", m.NPixels)
	}
	switch {
	case m.Alone && (m.Cfg.FineTune || m.NPixels > 0):
		errs = append(errs, errors.New("a model of vectors of texts has neither a tuned module nor pixels"))
	case f.Has("table" + maskSuffix):
		var err error
		m.tuned, err = getPartial(f, "table", m.NVocabulary, m.Dim)
		errs = append(errs, err)
	case f.Has("table"):
		m.table = get("table", m.NVocabulary, m.Dim)
		known, _, err := safetensors.Get[uint8](f, "known", m.NVocabulary)
		errs = append(errs, err)
		m.known = make([]bool, len(known))
		for i, k := range known {
			m.known[i] = k != 0
		}
		if len(m.known) == len(m.tokens) {
			errs = append(errs, weighable(m.tokens, m.known))
		}
	case m.Cfg.FineTune:
		errs = append(errs, errors.New("a tuned model without its table"))
	}
	return errors.Join(errs...)
}

// has reports whether a model has an array, by its configuration; it is an error where the
// file says otherwise.
func (m *Model) has(f *safetensors.File, errs *[]error, name string, configured bool) bool {
	if configured != f.Has(name) {
		*errs = append(*errs, fmt.Errorf("the array %q: %v by the configuration, %v by the file", name, configured, !configured))
	}
	return configured && f.Has(name)
}
