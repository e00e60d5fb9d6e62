package child

import (
	"math"
	"strconv"

	"gonum.org/v1/gonum/blas"

	"tnaml/nn/rng"
)

// hidden is one hidden layer: z = x·W, normalised, then y = f(gain∘ẑ + bias),
// or y = f(z + bias) without normalisation. Shapes are batch × width.
type hidden struct {
	in, out    int
	weights    tensor // in × out
	bias, gain tensor // out; gain only with a normalisation
	// mean and deviation are the statistics batch normalisation uses in
	// evaluation, out each.
	mean, deviation []float32

	// Of the latest forward pass:
	x       []float32 // the input, owned by the layer below
	z       []float32 // ẑ with a normalisation, else unused
	y       []float32
	d       []float32 // dy/d(argument of f), dropout included
	inverse []float32 // 1/σ: of each unit (batch) or each example (layer)
	sums    [2][]float32
}

// epsilon keeps the variances of normalisations from zero.
const epsilon = 1e-5

// network is a child model while it is trained: weights, their optimiser's
// state and the workspace of one batch.
type network struct {
	cfg     Config
	dim     int
	classes int

	embedding *sparse // nil when the module is frozen
	known     []bool
	layers    []*hidden
	out       tensor // last width × classes
	outBias   tensor // classes
	wide      *sparse

	// The batch.
	inputs  []float32 // batch × dim: mean token vectors
	inverse []float32 // 1/number of known tokens of each document
	logits  []float32 // batch × classes; dlogits after the loss
	dy      []float32 // batch × the widest layer or dim
	dz      []float32
}

// newNetwork lays out a child model. Weights start by Glorot and Bengio (2010):
// uniform in ±√(6/(in+out)); biases and the wide tower at 0, gains at 1.
func newNetwork(cfg Config, d *Data, t *Table, seed uint64) *network {
	b := cfg.batch()
	touched := maxTouched(&d.Train, b)
	n := &network{cfg: cfg, dim: t.Dim, classes: d.Classes, known: t.Known}
	if cfg.FineTune {
		n.embedding = newSparse(append([]float32(nil), t.Vectors...), t.Dim, touched)
		n.inverse = make([]float32, b)
	}
	width, widest := t.Dim, t.Dim
	for l := range cfg.HiddenLayers {
		h := &hidden{in: width, out: cfg.HiddenSize}
		h.weights = newTensor(h.in * h.out)
		glorot(h.weights.value, h.in, h.out, seed, "child/layer/"+strconv.Itoa(l))
		h.bias = newTensor(h.out)
		h.y, h.d = make([]float32, b*h.out), make([]float32, b*h.out)
		if cfg.Normalisation != NoNorm {
			h.gain = newTensor(h.out)
			fill(h.gain.value, 1)
			h.z = make([]float32, b*h.out)
			h.inverse = make([]float32, max(b, h.out))
			h.sums = [2][]float32{make([]float32, h.out), make([]float32, h.out)}
		}
		if cfg.Normalisation == BatchNorm {
			h.mean, h.deviation = make([]float32, h.out), make([]float32, h.out)
		}
		n.layers = append(n.layers, h)
		width = h.out
		widest = max(widest, width)
	}
	n.out = newTensor(width * d.Classes)
	glorot(n.out.value, width, d.Classes, seed, "child/out")
	n.outBias = newTensor(d.Classes)
	n.wide = newSparse(make([]float32, d.WideVocabulary*d.Classes), d.Classes, touched)
	n.inputs = make([]float32, b*t.Dim)
	n.logits = make([]float32, b*d.Classes)
	n.dy, n.dz = make([]float32, b*widest), make([]float32, b*widest)
	return n
}

func glorot(w []float32, in, out int, seed uint64, stream string) {
	r := rng.New(seed, stream, 0)
	limit := float32(math.Sqrt(6 / float64(in+out)))
	for i := range w {
		w[i] = limit * (2*r.Float32() - 1)
	}
}

func fill(v []float32, x float32) {
	for i := range v {
		v[i] = x
	}
}

// gather makes the batch's mean token vectors: from the shared document
// vectors of a frozen module, or from the present embedding.
func (n *network) gather(e *Examples, rows []int32, documents []float32) {
	for b, i := range rows {
		x := n.inputs[b*n.dim:][:n.dim]
		if n.embedding == nil {
			copy(x, documents[int(i)*n.dim:][:n.dim])
		} else {
			n.inverse[b] = meanVector(e, int(i), n.embedding.value, n.known, n.dim, x)
		}
	}
}

// forward computes the logits of a training batch; key decides the dropout.
func (n *network) forward(e *Examples, rows []int32, key uint64) {
	batch := len(rows)
	x, width := n.inputs, n.dim
	for l, h := range n.layers {
		h.x = x
		n.linear(h, batch)
		size := batch * h.out
		if h.z != nil {
			h.normalise(n.cfg.Normalisation, batch)
		}
		activate(n.cfg.Activation, h.y[:size], h.y[:size], h.d[:size])
		if n.cfg.Dropout > 0 {
			drop(n.cfg.Dropout, mix(key+uint64(l)), h.y[:size], h.d[:size])
		}
		x, width = h.y, h.out
	}
	gemm(blas.NoTrans, blas.NoTrans, matrix(x, batch, width), matrix(n.out.value, width, n.classes), matrix(n.logits, batch, n.classes))
	for b, i := range rows {
		logits := n.logits[b*n.classes:][:n.classes]
		add(logits, n.outBias.value)
		wideLogits(e, int(i), n.wide.value, n.wideRows(), logits)
	}
}

// wideRows is the number of tokens the wide tower sees.
func (n *network) wideRows() int32 { return int32(len(n.wide.slot)) }

// wideLogits adds the wide tower's part: the rows of the tokens that occur in
// document i, each once however often it occurs (one-hot encoding).
func wideLogits(e *Examples, i int, wide []float32, rows int32, logits []float32) {
	classes := len(logits)
	for _, id := range e.IDs[e.Offsets[i]:e.Offsets[i+1]] {
		if id >= rows {
			break // ascending
		}
		add(logits, wide[int(id)*classes:])
	}
}

func add(y, x []float32) {
	x = x[:len(y)]
	for i := range y {
		y[i] += x[i]
	}
}

// linear computes y = x·W, plus the bias where no normalisation follows.
func (n *network) linear(h *hidden, batch int) {
	gemm(blas.NoTrans, blas.NoTrans, matrix(h.x, batch, h.in), matrix(h.weights.value, h.in, h.out), matrix(h.y, batch, h.out))
	if h.z == nil {
		for b := range batch {
			add(h.y[b*h.out:][:h.out], h.bias.value)
		}
	}
}

// loss turns the logits into the gradient of the mean cross-entropy and
// returns its sum over the batch, in nats.
func (n *network) loss(e *Examples, rows []int32) float64 {
	sum := 0.0
	scale := 1 / float32(len(rows))
	for b, i := range rows {
		p := n.logits[b*n.classes:][:n.classes]
		label := e.Labels[i]
		logit := p[label]
		top, total := softmax(p)
		sum += float64(top-logit) + math.Log(float64(total))
		p[label]--
		for k := range p {
			p[k] *= scale
		}
	}
	return sum
}

// softmax turns logits into probabilities in place; it returns their maximum m
// and Σ exp(logit − m).
func softmax(v []float32) (top, total float32) {
	top = v[0]
	for _, x := range v[1:] {
		top = max(top, x)
	}
	for k, x := range v {
		v[k] = exp32(x - top)
		total += v[k]
	}
	inverse := 1 / total
	for k := range v {
		v[k] *= inverse
	}
	return top, total
}

// backward computes all gradients from the logits'.
func (n *network) backward(e *Examples, rows []int32) {
	batch := len(rows)
	for b, i := range rows {
		d := n.logits[b*n.classes:][:n.classes]
		for _, id := range e.IDs[e.Offsets[i]:e.Offsets[i+1]] {
			if id >= n.wideRows() {
				break
			}
			add(n.wide.gradient(id), d)
		}
	}
	x, width := n.inputs, n.dim
	if len(n.layers) > 0 {
		last := n.layers[len(n.layers)-1]
		x, width = last.y, last.out
	}
	dlogits := matrix(n.logits, batch, n.classes)
	gemm(blas.Trans, blas.NoTrans, matrix(x, batch, width), dlogits, matrix(n.out.grad, width, n.classes))
	columnSums(n.logits, batch, n.classes, n.outBias.grad)
	if len(n.layers) == 0 && n.embedding == nil {
		return
	}
	gemm(blas.NoTrans, blas.Trans, dlogits, matrix(n.out.value, width, n.classes), matrix(n.dy, batch, width))
	for l := len(n.layers) - 1; l >= 0; l-- {
		h := n.layers[l]
		dz := n.dz[:batch*h.out]
		dy := n.dy[:len(dz)]
		d := h.d[:len(dz)]
		for k := range dz {
			dz[k] = dy[k] * d[k]
		}
		columnSums(dz, batch, h.out, h.bias.grad)
		if h.z != nil {
			h.normaliseBack(n.cfg.Normalisation, dz, batch)
		}
		gemm(blas.Trans, blas.NoTrans, matrix(h.x, batch, h.in), matrix(dz, batch, h.out), matrix(h.weights.grad, h.in, h.out))
		if l > 0 || n.embedding != nil {
			gemm(blas.NoTrans, blas.Trans, matrix(dz, batch, h.out), matrix(h.weights.value, h.in, h.out), matrix(n.dy, batch, h.in))
		}
	}
	if n.embedding != nil {
		n.embeddingBack(e, rows)
	}
}

// embeddingBack spreads the gradient of each mean over the tokens' vectors.
func (n *network) embeddingBack(e *Examples, rows []int32) {
	for b, i := range rows {
		d := n.dy[b*n.dim:][:n.dim]
		for k := e.Offsets[i]; k < e.Offsets[i+1]; k++ {
			if id := e.IDs[k]; n.known[id] {
				axpy(e.Counts[k]*n.inverse[b], d, n.embedding.gradient(id))
			}
		}
	}
}

// columnSums sets sums to the sum of the rows.
func columnSums(v []float32, rows, cols int, sums []float32) {
	sums = sums[:cols]
	copy(sums, v[:cols])
	for r := 1; r < rows; r++ {
		add(sums, v[r*cols:])
	}
}

// update takes the optimiser's step. L2 shrinks the deep tower's weight
// matrices and the embedding's touched rows, not its biases and gains; L1 is
// the wide tower's.
func (n *network) update() {
	rate, l2 := float32(n.cfg.DeepLearningRate), float32(n.cfg.DeepRegularisation)
	if n.embedding != nil {
		n.embedding.step(rate, 0, l2)
	}
	for _, h := range n.layers {
		h.weights.step(rate, 0, l2)
		h.bias.step(rate, 0, 0)
		if h.z != nil {
			h.gain.step(rate, 0, 0)
		}
	}
	n.out.step(rate, 0, l2)
	n.outBias.step(rate, 0, 0)
	n.wide.step(float32(n.cfg.WideLearningRate), float32(n.cfg.WideRegularisation), 0)
}

// finite reports whether all weights are numbers, and the statistics that batch
// normalisation uses in evaluation.
func (n *network) finite() bool {
	ok := finite(n.out.value) && finite(n.outBias.value) && finite(n.wide.value)
	for _, h := range n.layers {
		ok = ok && finite(h.weights.value) && finite(h.bias.value) && finite(h.gain.value) && finite(h.mean) && finite(h.deviation)
	}
	return ok && (n.embedding == nil || finite(n.embedding.value))
}
