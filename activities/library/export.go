package library

import (
	"context"
	"errors"
	"fmt"

	"tnaml/activities/store"
	"tnaml/experiments/data"
	"tnaml/experiments/data/image"
	"tnaml/experiments/data/text"
	"tnaml/experiments/exported"
	"tnaml/experiments/search"
	"tnaml/experiments/trainer"
	"tnaml/nn/child"
	"tnaml/nn/embedding"
	nnimage "tnaml/nn/image"
)

// ErrNotKept says that a model is not in the store.
var ErrNotKept = errors.New("is not kept")

// ExportModel makes the exported form (exported.Decode) of a trial's model that is kept. What a
// program has left as its model is the archive as it was stored (exported.IsArchive).
func ExportModel(ctx context.Context, s store.Store, name string, config *search.Config, t search.Trial) ([]byte, error) {
	return exportModel(ctx, s, name, config, t, false)
}

// ExportRefitted is ExportModel of a model that has been taught the validation examples too:
// t has its model and its figures on the test split, else what the trial has.
func ExportRefitted(ctx context.Context, s store.Store, name string, config *search.Config, t search.Trial) ([]byte, error) {
	return exportModel(ctx, s, name, config, t, true)
}

func exportModel(ctx context.Context, s store.Store, name string, config *search.Config, t search.Trial, refitted bool) ([]byte, error) {
	if by := config.Space.TrainerName(); by != (trainer.Builtin{}).Name() {
		return archived(ctx, s, name, by, config, t)
	}
	there, err := isKept(ctx, s, t)
	if err != nil {
		return nil, err
	}
	if !there {
		return nil, fmt.Errorf("search %q: the model of trial %d %w: only those of a task's %d best trials are (see `starter best %s`); "+
			"--retrain trains it again, bit for bit", name, t.Trial, ErrNotKept, config.KeepModels, name)
	}
	taskRef := config.Tasks[t.Task]
	b, err := s.Get(ctx, store.Ref(taskRef.Data))
	if err != nil {
		return nil, fmt.Errorf("task %q: %w", taskRef.Name, err)
	}
	info := exported.Info{
		Task: taskRef.Name, Search: name, Trial: t.Trial, Summary: trainer.Describe(&config.Space, t.Actions),
		Validation: t.Metrics["validation_"+trainer.Accuracy], Test: t.Metrics["test_"+trainer.Accuracy], Refitted: refitted,
	}
	export := exportTexts
	if config.Kind() == string(data.Image) {
		export = exportImages
	}
	out, err := export(ctx, s, config, t, b, info)
	if err != nil {
		return nil, fmt.Errorf("model of trial %d: %w", t.Trial, err)
	}
	return out, nil
}

// exportTexts exports a model of texts; data is its encoded task.
func exportTexts(
	ctx context.Context, s store.Store, config *search.Config, t search.Trial, data []byte, info exported.Info,
) ([]byte, error) {
	task, err := text.Decode(data)
	if err != nil {
		return nil, err
	}
	model, err := loadModel(ctx, s, config, t, task)
	if err != nil {
		return nil, err
	}
	var set *nnimage.FeatureSet
	if model.TakesVectors() {
		if set, err = vectorsOf(ctx, s, config, t); err != nil {
			return nil, err
		}
	}
	return exported.EncodeTexts(info, model, task, set)
}

// exportImages exports a model of images; data is its encoded task.
func exportImages(
	ctx context.Context, s store.Store, config *search.Config, t search.Trial, data []byte, info exported.Info,
) ([]byte, error) {
	task, err := image.Decode(data)
	if err != nil {
		return nil, err
	}
	info.Labels, info.Image = task.Labels, &exported.ImageSize{Height: task.Height, Width: task.Width, Channels: task.Channels}
	model, err := storedModel(ctx, s, t)
	if err != nil {
		return nil, err
	}
	name, ref, err := moduleOf(config, t)
	if err != nil {
		return nil, err
	}
	module, err := s.Get(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("module %q: %w", name, err)
	}
	set, err := featuresAnyway(ctx, s, store.Ref(config.Tasks[t.Task].Data), ref)
	if err != nil {
		return nil, fmt.Errorf("module %q: %w", name, err)
	}
	return exported.EncodeImages(info, model, module, set)
}

// archived is a model of a trainer that is not built in.
func archived(ctx context.Context, s store.Store, name, by string, config *search.Config, t search.Trial) ([]byte, error) {
	wrong := func(format string, a ...any) error {
		return fmt.Errorf("search %q: the model of trial %d %w", name, t.Trial, fmt.Errorf(format, a...))
	}
	if t.Model == "" {
		return nil, wrong("%w: the trainer %s left none, or it was not among the task's %d best when it ended", ErrNotKept, by, config.KeepModels)
	}
	ref, err := store.ParseRef(t.Model)
	if err != nil {
		return nil, wrong("is with the trainer %s, as %s", by, t.Model)
	}
	b, err := s.Get(ctx, ref)
	if errors.Is(err, store.ErrNotFound) {
		return nil, wrong("%w any more: only those of a task's %d best trials are (see `starter best %s`)", ErrNotKept, config.KeepModels, name)
	}
	return b, err
}

// isKept says whether a trial's model is in the store.
func isKept(ctx context.Context, s store.Store, t search.Trial) (bool, error) {
	if t.Model == "" {
		return false, nil
	}
	there, err := s.Has(ctx, store.Ref(t.Model))
	if err != nil {
		err = fmt.Errorf("model of trial %d: %w", t.Trial, err)
	}
	return there, err
}

// storedModel reads a trial's model as it was stored.
func storedModel(ctx context.Context, s store.Store, t search.Trial) (*child.Model, error) {
	b, err := s.Get(ctx, store.Ref(t.Model))
	if err != nil {
		return nil, err
	}
	return child.DecodeModel(b)
}

// loadModel reads a trial's model, which was stored without its module's table and
// gets it back.
func loadModel(ctx context.Context, s store.Store, config *search.Config, t search.Trial, data *text.Task) (*child.Model, error) {
	model, err := storedModel(ctx, s, t)
	if err != nil || !model.Detached() {
		return model, err
	}
	name, ref, err := moduleOf(config, t)
	if err != nil {
		return nil, err
	}
	b, err := s.Get(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("module %q: %w", name, err)
	}
	module, err := embedding.Decode(b)
	if err != nil {
		return nil, fmt.Errorf("module %q: %w", name, err)
	}
	return model, model.Attach(module.Table(data.Vocabulary, data.WideVocabulary))
}
