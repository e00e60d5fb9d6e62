package text

import (
	"fmt"

	"tnaml/nn/child"
)

// wideFeatures are the features by the names that the wide towers of child models have
// for them.
var wideFeatures = map[child.Features]Features{
	child.Words1: {Words: 1}, child.Words2: {Words: 2}, child.Words3: {Words: 3},
	child.Characters: {Characters: maxCharacters}, child.Both: {Words: 2, Characters: maxCharacters},
}

// WideIndex finds the features that the wide towers of some child models see.
func (t *Task) WideIndex(f child.Features) (*FeatureIndex, error) {
	features, ok := wideFeatures[f]
	if !ok {
		return nil, fmt.Errorf("task %s: unknown features %q", t.Name, f)
	}
	return t.Index(features)
}

// WithFeatures is the task's data, as Data gives it without n-grams, with the features
// that wide towers see in the place of tokens. The rest it shares with d.
func (t *Task) WithFeatures(d *child.Data, f child.Features) (*child.Data, error) {
	x, err := t.WideIndex(f)
	if err != nil {
		return nil, err
	}
	out := *d
	out.WideFeatures, out.Features, out.WordFeatures = f, x.Len(), x.ofWords()
	out.Train.Wide, out.Validation.Wide, out.Test.Wide = x.Counts(&t.Train), x.Counts(&t.Validation), x.Counts(&t.Test)
	return &out, nil
}

// DataFor is what a child model is trained on.
func (t *Task) DataFor(cfg child.Config) (*child.Data, error) {
	if cfg.WideFeatures != "" {
		return t.WithFeatures(t.Data(nil), cfg.WideFeatures)
	}
	g, err := t.NGrams(max(1, cfg.WideNGrams))
	if err != nil {
		return nil, err
	}
	return t.Data(g), nil
}

// DecodeWideIndex reads what FeatureIndex.Encode gave of the features of wide towers.
func (t *Task) DecodeWideIndex(b []byte, f child.Features) (*FeatureIndex, error) {
	features, ok := wideFeatures[f]
	if !ok {
		return nil, fmt.Errorf("unknown features %q", f)
	}
	return t.DecodeIndex(b, features)
}
