package child

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"tnaml/nn/sparse"
)

// DefaultBatchSize is the paper's.
const DefaultBatchSize = 100

// Limits of what a child model may be.
const (
	maxHiddenLayers = 5
	maxHiddenSize   = 1 << 14
	maxSteps        = 1 << 30
	maxBatchSize    = 1 << 16
	maxWideStart    = 10
	maxWideCost     = 1e6
	maxWideVectors  = 100
	maxWideBayes    = 100
	// MaxWideNGrams is the length of the longest n-grams that a wide tower can see.
	MaxWideNGrams = 3
)

// Validate reports everything wrong with a configuration together.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	if c.HiddenLayers < 0 || c.HiddenLayers > maxHiddenLayers {
		bad("%d hidden layers: there can be 0 to %d", c.HiddenLayers, maxHiddenLayers)
	}
	if c.HiddenSize < 1 || c.HiddenSize > maxHiddenSize {
		bad("a hidden size of %d must lie between 1 and %d", c.HiddenSize, maxHiddenSize)
	}
	word := func(what, value string, known ...string) {
		if value != "" && !slices.Contains(known, value) {
			bad("unknown %s %q (known: %v)", what, value, known)
		}
	}
	word("wide features", string(c.WideFeatures), string(Words1), string(Words2), string(Words3), string(Characters), string(Both))
	if c.WideWeighting != "" {
		if err := (sparse.Weighting{Weight: c.WideWeighting}).Validate(); err != nil {
			bad("wide weighting: %w", err)
		}
	}
	word("wide normalisation", string(c.WideNormalisation), string(NoRowNorm), string(L2))
	word("wide solver", string(c.WideSolver), string(Adagrad), string(Dual))
	word("loss", string(c.Loss), string(Softmax), string(SquaredHinge))
	word("pooling", string(c.Pooling), string(Mean), string(SIF), string(Max), string(Attention))
	word("class weights", string(c.ClassWeights), string(NoClassWeights), string(Balanced))
	if !(c.WideCost >= 0 && c.WideCost <= maxWideCost) {
		bad("a wide cost of %v must lie between 0 and %v, 0 meaning 1", c.WideCost, float64(maxWideCost))
	}
	if !(c.WideShare >= 0 && c.WideShare <= 1) {
		bad("a wide share of %v must lie between 0 and 1, 0 meaning 1", c.WideShare)
	}
	if !(c.WideVectors >= 0 && c.WideVectors <= maxWideVectors) {
		bad("wide vectors of length %v: it must lie between 0 and %v, 0 meaning none", c.WideVectors, float64(maxWideVectors))
	}
	if !(c.WideBayes >= 0 && c.WideBayes <= maxWideBayes) {
		bad("a naive Bayes of smoothing %v in the wide tower: it must lie between 0 and %v, 0 meaning none", c.WideBayes, float64(maxWideBayes))
	}
	if known := []Activation{ReLU, ReLU6, LeakyReLU, Swish, Sigmoid, Tanh}; !slices.Contains(known, c.Activation) {
		bad("unknown activation %q (known: %v)", c.Activation, known)
	}
	if known := []Normalisation{NoNorm, BatchNorm, LayerNorm}; !slices.Contains(known, c.Normalisation) {
		bad("unknown normalisation %q (known: %v)", c.Normalisation, known)
	}
	if !(c.Dropout >= 0 && c.Dropout < 1) {
		bad("a dropout of %v must lie in [0, 1)", c.Dropout)
	}
	for _, v := range []struct {
		name  string
		value float64
		zero  bool // may be 0
	}{
		{"deep learning rate", c.DeepLearningRate, false}, {"deep regularisation", c.DeepRegularisation, true},
		{"wide learning rate", c.WideLearningRate, false}, {"wide regularisation", c.WideRegularisation, true},
	} {
		if !(v.value > 0 || v.zero && v.value == 0) || math.IsInf(v.value, 0) {
			bad("a %s of %v must be positive", v.name, v.value)
		}
	}
	if c.Steps < 1 || c.Steps > maxSteps {
		bad("%d training steps must lie between 1 and %d", c.Steps, maxSteps)
	}
	if c.WideStart != -1 && !(c.WideStart >= 0 && c.WideStart <= maxWideStart) {
		bad("a wide start of %v must lie between 0 and %d, 0 meaning %v, or be -1 to start from zero",
			c.WideStart, maxWideStart, DefaultWideStart)
	}
	if c.WideNGrams < 0 || c.WideNGrams > MaxWideNGrams {
		bad("n-grams of up to %d tokens for the wide tower: there can be up to %d", c.WideNGrams, MaxWideNGrams)
	}
	if c.BatchSize < 0 || c.BatchSize > maxBatchSize {
		bad("a batch size of %d must lie between 1 and %d, or be 0 for %d", c.BatchSize, maxBatchSize, DefaultBatchSize)
	}
	if c.BatchSize == 1 && c.Normalisation == BatchNorm {
		bad("batch normalisation with a batch size of 1: one example has no variance, and every layer would say the same of all; " +
			"let batches have 2 or more, or normalise otherwise")
	}
	return errors.Join(errs...)
}

// wideStart is the share of naive Bayes' weights, 0 for none.
func (c Config) wideStart() float64 {
	switch c.WideStart {
	case 0:
		return DefaultWideStart
	case -1:
		return 0
	}
	return c.WideStart
}

// solvedVectors reports whether the wide tower has weights of documents' vectors.
func (c Config) solvedVectors() bool { return c.WideSolver == Dual && c.WideVectors > 0 }

// Frozen reports whether the model needs a module that stays as it is.
func (c Config) Frozen() bool { return c.solvedVectors() || c.Pooling == Max || c.Pooling == Attention }

// cost is that of an example of the wide tower's dual problem.
func (c Config) cost() float64 {
	if c.WideCost == 0 {
		return 1
	}
	return c.WideCost
}

// classWeights are how much each class's examples count; nil: all the same.
func (c Config) classWeights(labels []int32, classes int) []float32 {
	if c.ClassWeights != Balanced {
		return nil
	}
	n := make([]int, classes)
	for _, label := range labels {
		n[label]++
	}
	out := make([]float32, classes)
	for k, n := range n {
		if n > 0 {
			out[k] = float32(float64(len(labels)) / float64(classes*n))
		}
	}
	return out
}

// weighting is that of the wide tower's features.
func (c Config) weighting() sparse.Weighting {
	w := sparse.Weighting{Weight: c.WideWeighting, Sublinear: true, Normalise: c.WideNormalisation == L2}
	if w.Weight == "" {
		w.Weight = sparse.Binary
	}
	return w
}

// batch is the number of examples in a step.
func (c Config) batch() int {
	if c.BatchSize == 0 {
		return DefaultBatchSize
	}
	return c.BatchSize
}
