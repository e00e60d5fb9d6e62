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
)

// TestConfusion evaluates a trial's model, which must have been kept, on the test
// split of its task.
func TestConfusion(ctx context.Context, s store.Store, config *search.Config, t search.Trial) (metrics.Confusion, error) {
	task := config.Tasks[t.Task]
	b, err := s.Get(ctx, store.Ref(task.Data))
	if err != nil {
		return metrics.Confusion{}, fmt.Errorf("task %q: %w", task.Name, err)
	}
	evaluate := confusionOfTexts
	if task.Kind == string(data.Image) {
		evaluate = confusionOfImages
	}
	c, err := evaluate(ctx, s, config, t, b)
	if err != nil {
		return c, fmt.Errorf("model of trial %d: %w", t.Trial, err)
	}
	return c, nil
}

func confusionOfTexts(ctx context.Context, s store.Store, config *search.Config, t search.Trial, task []byte) (c metrics.Confusion, err error) {
	decoded, err := text.Decode(task)
	if err != nil {
		return c, err
	}
	model, err := loadModel(ctx, s, config, t, decoded)
	if err != nil {
		return c, err
	}
	grams, err := decoded.NGrams(max(1, model.Config().WideNGrams))
	if err != nil {
		return c, err
	}
	examples := decoded.Data(grams).Test
	return confusion(decoded.Labels, examples.Labels, model.Predict(&examples)), nil
}

func confusionOfImages(ctx context.Context, s store.Store, config *search.Config, t search.Trial, task []byte) (c metrics.Confusion, err error) {
	decoded, err := image.Decode(task)
	if err != nil {
		return c, err
	}
	b, err := s.Get(ctx, store.Ref(t.Model))
	if err != nil {
		return c, err
	}
	model, err := child.DecodeModel(b)
	if err != nil {
		return c, err
	}
	name, module, err := moduleOf(config, t)
	if err != nil {
		return c, err
	}
	features, err := StoredFeatures(ctx, s, store.Ref(config.Tasks[t.Task].Data), module)
	if err != nil {
		return c, fmt.Errorf("features under the module %q: %w", name, err)
	}
	examples := decoded.Data().Test
	return confusion(decoded.Labels, examples.Labels, model.PredictFrom(&examples, features.Test)), nil
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
