package child

import (
	"math"
	"strconv"

	"gonum.org/v1/gonum/blas"

	kernels "tnaml/nn/blas"
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
	ones    []float32
}

// Epsilon keeps the variances of normalisations from zero.
const Epsilon = 1e-5

// network is a child model while it is trained: weights, their optimiser's
// state and the workspace of one batch.
type network struct {
	cfg     Config
	dim     int
	classes int

	embedding *table // nil when the module is frozen
	known     []bool
	tokens    []float32  // the weights of tokens in a document's mean; nil for ones
	module    []float32  // the vectors of one that stays
	attention *attention // nil for other poolings
	layers    []*hidden
	out       tensor // last width × classes
	outBias   tensor // classes
	wide      *table
	pixels    *pixels // nil for texts
	// Of a wide tower that was solved first: its biases, its logits of the training
	// split, examples × classes, its weights of the documents' unit vectors, dim ×
	// classes, if it has any, and the share of all in the model's, which is trained.
	wideBias, base []float32
	vectors        []float32
	share          tensor
	columns        []float32 // the factors of weighted features, or nil
	weights        []float32 // of the classes' examples; nil for ones

	// The batch.
	inputs []float32 // batch × dim: pooled token vectors
	logits []float32 // batch × classes; dlogits after the loss
	ofWide []float32 // classes: the wide tower's part of them
	// dy is batch × the widest layer or dim: after backward, the gradients of
	// the inputs. spare is as large.
	dy, spare []float32
}

// newNetwork lays out a child model. Weights start by Glorot and Bengio (2010):
// uniform in ±√(6/(in+out)); biases and the weights of pixels at 0, gains at 1;
// those of tokens as WideStart says. Where the wide tower is solved first, the output
// weights start at 0: the deep tower then says nothing before it has learnt something.
// Documents are the training split's vectors, of a module that stays.
func newNetwork(cfg Config, d *Data, t *Table, documents []float32, seed uint64) *network {
	b := cfg.batch()
	tokens, seen := maxTokens(d.Train.Offsets, b), maxTokens(d.Train.wide().Offsets, b)
	n := &network{cfg: cfg, dim: t.Dim, classes: d.Classes, known: t.Known, module: t.Vectors,
		weights: cfg.classWeights(d.Train.Labels, d.Classes)}
	if !t.alone(d) {
		n.tokens = cfg.Pooling.tokenWeights(d)
	}
	if cfg.FineTune {
		n.embedding = newTable(append([]float32(nil), t.Vectors...), t.Dim, tokens)
	}
	if cfg.Pooling == Attention {
		n.attention = newAttention(t.Dim)
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
			h.inverse, h.ones = make([]float32, max(b, h.out)), ones(h.out)
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
	n.outBias = newTensor(d.Classes)
	wide := make([]float32, d.wideRows()*d.Classes)
	if cfg.WideSolver == Dual {
		n.wide = &table{cols: d.Classes, value: wide}
		n.solveWide(d, documents, seed)
	} else {
		glorot(n.out.value, width, d.Classes, seed, "child/out")
		if scale := cfg.wideStart(); scale > 0 {
			tokens := d.WideVocabulary
			if d.WideFeatures != "" {
				tokens = d.Features
			}
			naiveBayes(wide, &d.Train, tokens, d.Classes, scale, cfg.WideRegularisation)
		}
		n.wide = newTable(wide, d.Classes, seen)
	}
	n.pixels = newPixels(d.Pixels, d.Classes, b)
	n.inputs = make([]float32, b*t.Dim)
	n.logits = make([]float32, b*d.Classes)
	n.dy, n.spare = make([]float32, b*widest), make([]float32, b*widest)
	n.ofWide = make([]float32, d.Classes)
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

// ones returns n ones.
func ones(n int) []float32 {
	v := make([]float32, n)
	fill(v, 1)
	return v
}

// gather makes the batch's mean token vectors: from the shared document
// vectors of a frozen module, or from the present embedding.
func (n *network) gather(b *bags, rows []int32, documents []float32) {
	if n.attention != nil {
		n.attention.turn(b, rows)
	}
	for place, i := range rows {
		x := n.inputs[place*n.dim:][:n.dim]
		switch {
		case n.attention != nil:
			attend(b, int(i), n.module, n.attention.query.value, n.attention.weights[n.attention.starts[place]:], x)
		case n.embedding == nil:
			copy(x, documents[int(i)*n.dim:][:n.dim])
		default:
			b.sum(int(i), n.embedding.value, x)
		}
	}
}

// forward computes the logits of a training batch from the mean token vectors
// or features and from what the wide tower sees; key decides the dropout.
func (n *network) forward(e *Examples, wide *bags, rows []int32, key uint64) {
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
	kernels.Multiply(n.logits, x, n.out.value, batch, width, n.classes)
	for b, i := range rows {
		logits := n.logits[b*n.classes:][:n.classes]
		add(logits, n.outBias.value)
		if n.base != nil {
			share := n.share.value[0]
			for k, v := range n.base[int(i)*n.classes:][:n.classes] {
				logits[k] += float32(share * v)
			}
			continue
		}
		wide.sum(int(i), n.wide.value, n.ofWide)
		add(logits, n.ofWide)
	}
	if n.pixels != nil {
		n.pixels.forward(e, rows, n.logits, n.classes)
	}
}

// add computes y += x for rows as short as a class count or as long as a layer.
func add(y, x []float32) {
	if len(y) >= narrow {
		kernels.Add(x[:len(y)], y)
		return
	}
	x = x[:len(y)]
	for i := range y {
		y[i] += x[i]
	}
}

// linear computes y = x·W, plus the bias where no normalisation follows.
func (n *network) linear(h *hidden, batch int) {
	kernels.Multiply(h.y, h.x, h.weights.value, batch, h.in, h.out)
	if h.z == nil {
		for b := range batch {
			add(h.y[b*h.out:][:h.out], h.bias.value)
		}
	}
}

// loss turns the logits into the gradient of the mean loss and returns its sum over
// the batch, that of the cross-entropy in nats.
func (n *network) loss(e *Examples, rows []int32) float64 {
	sum := 0.0
	for b, i := range rows {
		p := n.logits[b*n.classes:][:n.classes]
		label := e.Labels[i]
		scale, weight := 1/float32(len(rows)), 1.
		if n.weights != nil {
			weight = float64(n.weights[label])
			scale *= n.weights[label]
		}
		if n.cfg.Loss == SquaredHinge {
			sum += float64(weight * squaredHinge(p, label))
		} else {
			logit := p[label]
			top, total := softmax(p)
			sum += float64(weight * (float64(top-logit) + math.Log(float64(total))))
			p[label]--
		}
		for k := range p {
			p[k] *= scale
		}
	}
	return sum
}

// squaredHinge turns logits into the gradient of the squared hinge losses of each class
// against the rest, and returns their sum.
func squaredHinge(v []float32, label int32) (sum float64) {
	for k, x := range v {
		y := float32(-1)
		if int32(k) == label {
			y = 1
		}
		short := max(0, 1-y*x)
		sum += float64(short) * float64(short)
		v[k] = -2 * y * short
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
		v[k] = kernels.Exp(x - top)
		total += v[k]
	}
	inverse := 1 / total
	for k := range v {
		v[k] *= inverse
	}
	return top, total
}

// backward computes the gradients of the dense layers and of the inputs, dy, from
// the logits'. Those of the tables' rows follow from dy and from the logits'.
func (n *network) backward(b *bags, rows []int32) {
	batch := len(rows)
	x, width := n.inputs, n.dim
	if len(n.layers) > 0 {
		last := n.layers[len(n.layers)-1]
		x, width = last.y, last.out
	}
	dlogits := kernels.Matrix(n.logits, batch, n.classes)
	kernels.Product(blas.Trans, blas.NoTrans, kernels.Matrix(x, batch, width), dlogits, 0, kernels.Matrix(n.out.grad, width, n.classes))
	columnSums(n.logits, batch, n.classes, n.outBias.grad)
	if n.base != nil {
		sum := float32(0)
		for b, i := range rows {
			for k, v := range n.base[int(i)*n.classes:][:n.classes] {
				sum += float32(n.logits[b*n.classes+k] * v)
			}
		}
		n.share.grad[0] = sum
	}
	if n.pixels != nil {
		n.pixels.backward(n.logits, batch, n.classes)
	}
	below := n.embedding != nil || n.attention != nil
	if len(n.layers) == 0 && !below {
		return
	}
	weights := kernels.Matrix(n.out.value, width, n.classes)
	kernels.Product(blas.NoTrans, blas.Trans, dlogits, weights, 0, kernels.Matrix(n.dy, batch, width))
	for l := len(n.layers) - 1; l >= 0; l-- {
		h := n.layers[l]
		dz := n.dy[:batch*h.out]
		gradient := kernels.Matrix(dz, batch, h.out)
		kernels.Mul(h.d[:len(dz)], dz)
		columnSums(dz, batch, h.out, h.bias.grad)
		if h.z != nil {
			h.normaliseBack(n.cfg.Normalisation, dz, batch)
		}
		kernels.Product(blas.Trans, blas.NoTrans, kernels.Matrix(h.x, batch, h.in), gradient, 0, kernels.Matrix(h.weights.grad, h.in, h.out))
		if l > 0 || below {
			weights := kernels.Matrix(h.weights.value, h.in, h.out)
			kernels.Product(blas.NoTrans, blas.Trans, gradient, weights, 0, kernels.Matrix(n.spare, batch, h.in))
			n.dy, n.spare = n.spare, n.dy
		}
	}
	if n.attention != nil {
		n.attention.backward(b, rows, n.module, n.dy)
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
		n.embedding.step(n.dy, rate, 0, l2)
	}
	if n.attention != nil {
		n.attention.query.step(rate, 0, l2)
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
	if n.base != nil {
		n.share.step(rate, 0, 0)
	} else {
		n.wide.step(n.logits, float32(n.cfg.WideLearningRate), float32(n.cfg.WideRegularisation), 0)
	}
	if n.pixels != nil {
		n.pixels.weight.step(float32(n.cfg.WideLearningRate), float32(n.cfg.WideRegularisation), 0)
	}
}

// finite reports whether all weights are numbers, and the statistics that batch
// normalisation uses in evaluation.
func (n *network) finite() bool {
	ok := kernels.Finite(n.share.value) && kernels.Finite(n.out.value) && kernels.Finite(n.outBias.value) && kernels.Finite(n.wide.value) &&
		kernels.Finite(n.vectors)
	if n.attention != nil {
		ok = ok && kernels.Finite(n.attention.query.value)
	}
	for _, h := range n.layers {
		ok = ok && kernels.Finite(h.weights.value) && kernels.Finite(h.bias.value) && kernels.Finite(h.gain.value) &&
			kernels.Finite(h.mean) && kernels.Finite(h.deviation)
	}
	return ok && (n.embedding == nil || kernels.Finite(n.embedding.value)) && (n.pixels == nil || kernels.Finite(n.pixels.weight.value))
}
