package library

import (
	"context"
	"fmt"

	"tnaml/activities/store"
	"tnaml/experiments/data"
	"tnaml/experiments/data/image"
	"tnaml/experiments/data/text"
	"tnaml/experiments/metrics"
	"tnaml/experiments/search"
	"tnaml/nn/child"
	nnimage "tnaml/nn/image"
)

// TestConfusion evaluates a trial's model, which must have been kept, on the test
// split of its task.
func TestConfusion(ctx context.Context, s store.Store, config *search.Config, t search.Trial) (metrics.Confusion, error) {
	read, err := reader(ctx, s, config, t.Task, StoredFeatures)
	if err != nil {
		return metrics.Confusion{}, err
	}
	m, err := read(t)
	if err != nil {
		return metrics.Confusion{}, fmt.Errorf("model of trial %d: %w", t.Trial, err)
	}
	return confusion(m.labels, m.test.truth, m.test.predict()), nil
}

// judged is a trial's model with the splits of its task that can judge it.
type judged struct {
	labels           []string
	validation, test judge
}

// judge is a split: its examples' classes, and the probabilities of all classes that
// the model gives them.
type judge struct {
	truth   []int32
	predict func() []float32
}

// reader reads a task once, and returns what reads the model of a trial of it; features
// are those of images.
func reader(
	ctx context.Context, s store.Store, config *search.Config, task int,
	features func(context.Context, store.Store, store.Ref, store.Ref) (*nnimage.FeatureSet, error),
) (func(search.Trial) (*judged, error), error) {
	ref := config.Tasks[task]
	b, err := s.Get(ctx, store.Ref(ref.Data))
	if err != nil {
		return nil, fmt.Errorf("task %q: %w", ref.Name, err)
	}
	if ref.Kind != string(data.Image) {
		decoded, err := text.Decode(b)
		return func(t search.Trial) (*judged, error) { return judgedOfTexts(ctx, s, config, t, decoded) }, err
	}
	decoded, err := image.Decode(b)
	return func(t search.Trial) (*judged, error) {
		name, module, err := moduleOf(config, t)
		if err != nil {
			return nil, err
		}
		set, err := features(ctx, s, store.Ref(ref.Data), module)
		if err != nil {
			return nil, fmt.Errorf("features under the module %q: %w", name, err)
		}
		return judgedOfImages(ctx, s, t, decoded, set)
	}, err
}

func judgedOfTexts(ctx context.Context, s store.Store, config *search.Config, t search.Trial, task *text.Task) (*judged, error) {
	model, err := loadModel(ctx, s, config, t, task)
	if err != nil {
		return nil, err
	}
	d, err := task.DataFor(model.Config())
	if err != nil {
		return nil, err
	}
	set := &nnimage.FeatureSet{}
	if model.TakesVectors() {
		if set, err = vectorsOf(ctx, s, config, t); err != nil {
			return nil, err
		}
	}
	of := func(e *child.Examples, vectors []float32) judge {
		return judge{e.Labels, func() []float32 { return model.PredictFrom(e, vectors) }}
	}
	return &judged{task.Labels, of(&d.Validation, set.Validation), of(&d.Test, set.Test)}, nil
}

func judgedOfImages(ctx context.Context, s store.Store, t search.Trial, task *image.Task, set *nnimage.FeatureSet) (*judged, error) {
	model, err := storedModel(ctx, s, t)
	if err != nil {
		return nil, err
	}
	d := task.Data()
	of := func(e *child.Examples, under []float32) judge {
		return judge{e.Labels, func() []float32 { return model.PredictFrom(e, under) }}
	}
	return &judged{task.Labels, of(&d.Validation, set.Validation), of(&d.Test, set.Test)}, nil
}

// confusion counts the most probable classes, the first of equals, against the labels.
func confusion(labels []string, truth []int32, probabilities []float32) metrics.Confusion {
	predicted := make([]int32, len(truth))
	for i := range predicted {
		row := probabilities[i*len(labels):][:len(labels)]
		for k, p := range row {
			if p > row[predicted[i]] {
				predicted[i] = int32(k)
			}
		}
	}
	return metrics.NewConfusion(labels, truth, predicted)
}
