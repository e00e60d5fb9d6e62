package child

import "tnaml/nn/sparse"

// WeightedFeatures are the counts of a task's features as the wide tower sees them:
// weighted and normalised. They are shared read-only between trials.
type WeightedFeatures struct {
	Train, Validation, Test *sparse.Matrix
	// Columns are the features' factors, which the training split alone gives; nil
	// where all are 1.
	Columns []float32
}

// Weigh weighs the features of a task for a configuration.
func Weigh(cfg Config, d *Data) *WeightedFeatures {
	w := cfg.weighting()
	columns := w.Columns(d.Train.Wide, d.Train.Labels, d.Classes)
	return &WeightedFeatures{w.Apply(d.Train.Wide, columns), w.Apply(d.Validation.Wide, columns), w.Apply(d.Test.Wide, columns), columns}
}

// weighingBytes is how much memory it takes to learn the features' factors.
func weighingBytes(cfg Config, d *Data) int64 {
	if cfg.WideFeatures == "" {
		return 0
	}
	return cfg.weighting().Bytes(d.Features)
}

// weightedBytes is how much what Weigh makes of the features takes besides: a value a count.
func weightedBytes(cfg Config, d *Data) (n int64) {
	if cfg.WideFeatures == "" {
		return 0
	}
	for _, e := range []*Examples{&d.Train, &d.Validation, &d.Test} {
		n += 4 * int64(len(e.Wide.Values))
	}
	return n
}

// in puts weighted features in the place of their counts; nil leaves the data as it is.
func (w *WeightedFeatures) in(d *Data) *Data {
	if w == nil {
		return d
	}
	out := *d
	out.Train.Wide, out.Validation.Wide, out.Test.Wide = w.Train, w.Validation, w.Test
	return &out
}

// Bytes is about how much memory they take, besides the counts'.
func (w *WeightedFeatures) Bytes() int64 {
	return 4 * int64(len(w.Train.Values)+len(w.Validation.Values)+len(w.Test.Values)+len(w.Columns))
}

// weigh puts the weighted features of examples in the place of their counts.
func (m *Model) weigh(w *Workspace, e *Examples) *Examples {
	if m.Features() == 0 || e.Len() == 0 {
		return e
	}
	out := *e
	w.values = grow(w.values, len(e.Wide.Values))
	out.Wide = m.Cfg.weighting().ApplyInto(w.values, e.Wide, m.columns)
	return &out
}
