package child

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"

	kernels "tnaml/nn/blas"
	"tnaml/nn/rng"
)

// Options are the surroundings of a training run.
type Options struct {
	// Documents are the shared document vectors of a frozen module; nil
	// computes them.
	Documents *DocumentVectors
	// Weighted returns the shared weighted features of the wide tower, those of the
	// configuration's weighting; nil weighs them for this trial. It is asked only if the
	// trial keeps to MemoryLimit. An error is returned.
	Weighted func() (*WeightedFeatures, error)
	// MemoryLimit bounds what the trial allocates, in bytes; 0 is no limit.
	MemoryLimit int64
	// Progress is called every progressEvery steps with the mean loss since
	// the last call. An error ends the training and is returned.
	Progress func(step, steps int, loss float64) error
	// Curve, where it is there, is called at CurveStep's steps but the last with how well
	// the model classifies the validation split by then, and by how much its probabilities
	// are off. It changes nothing of the training; true ends it, with the status Pruned.
	Curve func(step int, validation Metrics, off Calibration) (prune bool)
	// Temperature is the model's; 0 has it fitted on the validation split, which needs one
	// that the model has not been taught (WithValidation).
	Temperature float64
}

// CurveStep says whether the model is measured after a step: after 25, 50, 100, 200, …
func CurveStep(step int) bool {
	return step%firstCurveStep == 0 && bits.OnesCount(uint(step/firstCurveStep)) == 1
}

const firstCurveStep = 25

const (
	// progressEvery is the number of steps between two calls of Progress.
	progressEvery = 10
	// lossSteps is the number of last steps over which Outcome.Loss is a mean.
	lossSteps = 100
	// populationBatches is the number of batches over which the statistics
	// that batch normalisation uses in evaluation are taken, with the final
	// weights (Wu and Johnson, 2021: "precise" batch normalisation). A moving
	// average would mix in weights of long before in a run of 50 steps.
	populationBatches = 20
)

// Memory returns about how many bytes a trial allocates, besides the inputs it
// shares with others. To weigh features is its own: some trial has to.
func Memory(cfg Config, d *Data, t *Table) int64 {
	b := int64(cfg.batch())
	tokens := int64(maxTokens(d.Train.Offsets, cfg.batch()))
	seen := int64(maxTokens(d.Train.wide().Offsets, cfg.batch()))
	var floats int64
	if cfg.FineTune {
		floats += tableFloats(int64(d.Vocabulary), int64(t.Dim), tokens)
		floats += 2 * int64(len(d.Train.IDs)+d.Train.Len()) // the documents as bags
	}
	width, widest := int64(t.Dim), int64(t.Dim)
	if cfg.Pooling == Attention {
		floats += 2*int64(len(d.Train.IDs)+d.Train.Len()) + 2*tokens // the documents as bags, weights
	}
	for range cfg.HiddenLayers {
		out := int64(cfg.HiddenSize)
		floats += 3*width*out + 3*b*out
		width, widest = out, max(widest, out)
	}
	floats += 3 * width * int64(d.Classes)
	if examples := int64(d.Train.Len()); cfg.WideSolver == Dual { // weights, those of a fold, scores and their dual variables
		classes, rows := int64(d.Classes), int64(d.wideRows())
		floats += 3*rows*classes + examples*(3*classes+4)
		if cfg.WideVectors > 0 { // the vectors, and their weights, those of a fold and in the model's order
			floats += int64(t.Dim) * (examples + 3*classes)
		}
		if cfg.WideBayes > 0 { // sums of double precision, weights and those of a fold; logits, and both towers' of double
			floats += 4*rows*classes + 3*examples*classes
		}
	} else {
		floats += tableFloats(int64(d.wideRows()), int64(d.Classes), seen) + examples
	}
	floats += b*(int64(t.Dim)+int64(d.Classes)) + 2*b*widest
	floats += int64(d.Pixels) * (3*int64(d.Classes) + b)
	return 4*(floats+int64(d.Train.Len())) + weighingBytes(cfg, d)
}

// Train trains a child model on the training split and evaluates it on the
// other two. The outcome is a function of cfg, d, t and seed, bit for bit on
// one instruction set. It uses one core and no clock.
//
// Where the paper leaves a choice open: every batch is full, epochs follow one
// another without a gap, each in an order of its own; the deep tower's L2 is on
// weight matrices and embeddings, not on biases and gains; only the table rows
// that a batch touches take a step, the proximal part of it too; the wide tower
// sees whether a token, or an n-gram of tokens, occurs, not how often, and starts from a share of naive
// Bayes' weights (Config.WideStart); the one bias of a class is the
// deep tower's; batch normalisation is evaluated with the statistics of 20
// batches under the final weights; L2 rounds a weight below 1e-20 to zero.
//
// The model's own failures are outcomes: OverMemory (nothing was trained) and
// Diverged, both without a model. An error is an invalid configuration, data
// that does not fit together, or what Progress returned, then with the
// parameters in the outcome and nothing else.
func Train(cfg Config, d *Data, t *Table, seed uint64, o Options) (*Model, Outcome, error) {
	if err := cfg.Validate(); err != nil {
		return nil, Outcome{}, fmt.Errorf("child model: %w", err)
	}
	if d.Pixels > 0 || t.alone(d) {
		cfg.Pooling = "" // there are no tokens
	}
	if err := check(cfg, d, t, o.Documents); err != nil {
		return nil, Outcome{}, fmt.Errorf("child model: %w", err)
	}
	out := Outcome{Parameters: parameters(cfg, d, t)}
	need := Memory(cfg, d, t)
	if o.Weighted == nil {
		need += weightedBytes(cfg, d)
	}
	if o.MemoryLimit > 0 && need > o.MemoryLimit {
		const mib = 1 << 20
		out.Status = OverMemory
		out.Reason = fmt.Sprintf("needs %.1f MiB, the limit is %.1f MiB", float64(need)/mib, float64(o.MemoryLimit)/mib)
		return nil, out, nil
	}
	documents := o.Documents
	if !cfg.FineTune && documents == nil && d.Pixels == 0 {
		documents = EmbedBy(d, t, cfg.Pooling)
	}
	var weighted *WeightedFeatures
	if cfg.WideFeatures != "" && o.Weighted != nil {
		var err error
		if weighted, err = o.Weighted(); err != nil {
			return nil, out, err
		}
	} else if cfg.WideFeatures != "" {
		weighted = Weigh(cfg, d)
	}
	d = weighted.in(d)
	var ofTrain []float32
	if documents != nil {
		ofTrain = documents.Train
	}
	n := newNetwork(cfg, d, t, ofTrain, seed)
	if weighted != nil {
		n.columns = weighted.Columns
	}
	r := newRun(n, d, documents, seed)
	last, since := 0.0, 0.0
	for step := range cfg.Steps {
		loss := r.step(step)
		if !(loss < 1e30) {
			out.Steps = step + 1
			out.Status, out.Reason = Diverged, fmt.Sprintf("loss not finite: %v at step %d of %d", loss, step+1, cfg.Steps)
			return nil, out, nil
		}
		if step >= cfg.Steps-lossSteps {
			last += loss / float64(min(lossSteps, cfg.Steps))
		}
		since += loss
		if o.Progress != nil && ((step+1)%progressEvery == 0 || step+1 == cfg.Steps) {
			if err := o.Progress(step+1, cfg.Steps, since/float64(step%progressEvery+1)); err != nil {
				return nil, out, err
			}
			since = 0
		}
		if o.Curve != nil && CurveStep(step+1) && step+1 < cfg.Steps {
			on, off, ok := r.measure(d, t, documents)
			if ok && o.Curve(step+1, on, off) {
				out.Status, out.Steps = Pruned, step+1
				return nil, out, nil
			}
		}
	}
	out.Steps = cfg.Steps
	if cfg.Normalisation == BatchNorm {
		r.population()
	}
	if !n.finite() {
		out.Status, out.Reason = Diverged, fmt.Sprintf("a weight is not finite after %d steps", cfg.Steps)
		return nil, out, nil
	}
	m := n.model(d, t)
	var validation, test []float32
	if documents != nil {
		validation, test = documents.Validation, documents.Test
	}
	// The temperature needs all logits of the validation split at once; of the test split,
	// which may be the larger, none are kept.
	onValidation, validationRight, logits, ok := m.evaluateAll(&d.Validation, validation)
	var ofValidation Calibration
	temperature := o.Temperature
	if ok {
		if temperature == 0 {
			temperature = 1 / logitScale(logits, d.Validation.Labels, d.Classes)
		}
		ofValidation = calibration(logits, d.Validation.Labels, d.Classes, temperature)
	}
	ofTest := newCalibrated(temperature)
	var onTest Metrics
	var testRight []byte
	if ok {
		onTest, testRight, ok = m.evaluate(&d.Test, test, ofTest.add)
	}
	if !ok {
		out.Status, out.Reason = Diverged, fmt.Sprintf("a logit is not finite in evaluation after %d steps", cfg.Steps)
		return nil, out, nil
	}
	out.Status, out.Loss, out.Validation, out.Test = OK, last, onValidation, onTest
	out.ValidationRight, out.TestRight = validationRight, testRight
	out.ValidationCalibration, out.TestCalibration = ofValidation, ofTest.calibration()
	out.Temperature, m.Temperature = temperature, temperature
	return m, out, nil
}

// check reports together what does not fit in a trial's inputs. It looks at
// every document's label but not at its tokens, which decoding has checked.
func check(cfg Config, d *Data, t *Table, documents *DocumentVectors) error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	if d.Classes < 1 {
		bad("the task has %d classes", d.Classes)
	}
	if d.WideVocabulary < 0 || d.WideVocabulary > d.Vocabulary {
		bad("a wide vocabulary of %d tokens must lie between 0 and the vocabulary's %d", d.WideVocabulary, d.Vocabulary)
	}
	if d.WideFeatures != cfg.WideFeatures {
		bad("data of the features %q and a configuration of %q for the wide tower", d.WideFeatures, cfg.WideFeatures)
	}
	if d.Pixels > 0 && cfg.WideSolver == Dual {
		bad("the wide tower of images has no solver %q", Dual)
	}
	if cfg.Frozen() && cfg.FineTune {
		bad("a wide tower of vectors, and pooling by %s or %s, need a module that stays as it is: fine-tuning changes it", Max, Attention)
	}
	if d.WordFeatures != nil && len(d.WordFeatures) != d.Features {
		bad("%d marks of words for %d features", len(d.WordFeatures), d.Features)
	}
	if d.Pixels == 0 && d.WideFeatures == "" && max(1, d.WideNGrams) != max(1, cfg.WideNGrams) {
		bad("data for n-grams of up to %d tokens and a configuration for up to %d", max(1, d.WideNGrams), max(1, cfg.WideNGrams))
	}
	if t.alone(d) {
		if cfg.FineTune || documents == nil {
			bad("vectors of documents cannot be fine-tuned, and they must be given")
		}
	} else if t.Dim < 1 || len(t.Vectors) != d.Vocabulary*t.Dim || len(t.Known) != d.Vocabulary {
		bad("a table of %d numbers and %d marks for %d tokens of %d dimensions", len(t.Vectors), len(t.Known), d.Vocabulary, t.Dim)
	}
	if d.Train.Len() == 0 {
		bad("the training split is empty")
	}
	if d.Pixels > 0 && (cfg.FineTune || documents == nil) {
		bad("an image module cannot be fine-tuned here, and its features must be given")
	}
	var vectors DocumentVectors
	if documents != nil {
		vectors = *documents
	}
	for _, s := range []struct {
		name     string
		examples *Examples
		vectors  []float32
	}{
		{"training", &d.Train, vectors.Train}, {"validation", &d.Validation, vectors.Validation}, {"test", &d.Test, vectors.Test},
	} {
		n := s.examples.Len()
		if n > 0 && len(s.examples.Offsets) != n+1 {
			bad("the %s split has %d labels and %d offsets", s.name, n, len(s.examples.Offsets))
		}
		for i, label := range s.examples.Labels {
			if label < 0 || int(label) >= d.Classes {
				bad("document %d of the %s split has label %d of %d", i, s.name, label, d.Classes)
				break
			}
		}
		if w := s.examples.Wide; w == nil && d.NGrams > 0 && n > 0 || w != nil && len(w.Offsets) != n+1 {
			bad("what the wide tower sees of the %s split does not fit %d documents and %d n-grams", s.name, n, d.NGrams)
		}
		if w := s.examples.Wide; d.WideFeatures != "" && (w == nil || w.Columns != d.Features || len(w.Values) != len(w.IDs)) {
			bad("the features of the %s split are not %d with their counts", s.name, d.Features)
		}
		if len(s.examples.Pixels) != n*d.Pixels {
			bad("%d pixels for the %s split of %d × %d", len(s.examples.Pixels), s.name, n, d.Pixels)
		}
		if documents != nil && len(s.vectors) != n*t.Dim {
			bad("%d document vector elements for the %s split of %d × %d", len(s.vectors), s.name, n, t.Dim)
		}
	}
	return errors.Join(errs...)
}

// run is a training run: a network and the order of its examples.
type run struct {
	*network
	data      *Examples
	seen      *bags     // what the wide tower sees of the training split
	bags      *bags     // the training split, where the module is tuned
	documents []float32 // of the training split, where it is frozen
	seed      uint64
	key       uint64 // of the dropout
	order     []int32
	epoch     int
	at        int // next place in order
	rows      []int32
}

func newRun(n *network, d *Data, documents *DocumentVectors, seed uint64) *run {
	r := &run{network: n, data: &d.Train, seed: seed, seen: wideBags(&d.Train, d.wideRows()), key: rng.Derive(seed, "child/dropout", 0)}
	if n.cfg.FineTune || n.attention != nil {
		r.bags = meanBags(r.data, n.known, n.tokens)
	}
	if !n.cfg.FineTune {
		r.documents = documents.Train
	}
	r.order = make([]int32, d.Train.Len())
	r.rows = make([]int32, n.cfg.batch())
	for i := range r.order {
		r.order[i] = int32(i)
	}
	r.shuffle()
	return r
}

// shuffle orders the examples of an epoch.
func (r *run) shuffle() {
	g := rng.New(r.seed, "child/epoch", uint64(r.epoch))
	for i := len(r.order) - 1; i > 0; i-- {
		k := g.Uint64N(uint64(i + 1))
		r.order[i], r.order[k] = r.order[k], r.order[i]
	}
	r.epoch++
	r.at = 0
}

// next lays out the next batch: epochs follow one another without a gap, so
// that every batch is full, in small sets too.
func (r *run) next() {
	for i := range r.rows {
		if r.at == len(r.order) {
			r.shuffle()
		}
		r.rows[i] = r.order[r.at]
		r.at++
	}
}

// step trains on one batch and returns its mean loss.
func (r *run) step(step int) float64 {
	r.next()
	r.gather(r.bags, r.rows, r.documents)
	if r.embedding != nil {
		r.embedding.turn(r.bags, r.rows)
	}
	if r.base == nil {
		r.wide.turn(r.seen, r.rows)
	}
	r.forward(r.data, r.seen, r.rows, mix(r.key+uint64(step)*golden))
	loss := r.loss(r.data, r.rows) / float64(len(r.rows))
	r.backward(r.bags, r.rows)
	r.update()
	return loss
}

// population takes the statistics of batch normalisation over further batches
// of the training split, without dropout.
func (r *run) population() {
	dropout := r.cfg.Dropout
	r.cfg.Dropout = 0
	for _, h := range r.layers {
		clear(h.mean)
		clear(h.deviation)
	}
	for range populationBatches {
		r.next()
		r.gather(r.bags, r.rows, r.documents)
		r.forward(r.data, r.seen, r.rows, 0)
		for _, h := range r.layers {
			kernels.Axpy(1./populationBatches, h.sums[0], h.mean)
			kernels.Axpy(1./populationBatches, h.sums[1], h.deviation)
		}
	}
	for _, h := range r.layers {
		for k, v := range h.deviation {
			h.deviation[k] = kernels.Sqrt(v + Epsilon)
		}
	}
	r.cfg.Dropout = dropout
}

// measure evaluates the model as it is on the validation split; false where it is not
// finite. The training goes on as if nothing had been: statistics are taken of batches
// that are laid out on the side.
func (r *run) measure(d *Data, t *Table, documents *DocumentVectors) (Metrics, Calibration, bool) {
	if r.cfg.Normalisation == BatchNorm {
		aside := *r
		aside.order, aside.rows = slices.Clone(r.order), slices.Clone(r.rows)
		aside.population()
	}
	if !r.finite() {
		return Metrics{}, Calibration{}, false
	}
	var vectors []float32
	if documents != nil {
		vectors = documents.Validation
	}
	on, _, logits, ok := r.model(d, t).evaluateAll(&d.Validation, vectors)
	if !ok {
		return on, Calibration{}, false
	}
	labels := d.Validation.Labels
	return on, calibration(logits, labels, d.Classes, 1/logitScale(logits, labels, d.Classes)), true
}

// parameters counts the trainable weights.
func parameters(cfg Config, d *Data, t *Table) int {
	count, width := 0, t.Dim
	if cfg.Pooling == Attention {
		count += t.Dim
	}
	if cfg.FineTune {
		count += len(t.Vectors)
	}
	for range cfg.HiddenLayers {
		count += (width + 1) * cfg.HiddenSize
		if cfg.Normalisation != NoNorm {
			count += cfg.HiddenSize
		}
		width = cfg.HiddenSize
	}
	if cfg.WideSolver == Dual {
		count++ // the share
		if cfg.WideVectors > 0 {
			count += t.Dim * d.Classes
		}
	}
	return count + (width+1+d.wideRows()+d.Pixels)*d.Classes
}
