package library

import (
	"context"
	"fmt"

	"tnaml/activities/store"
	"tnaml/experiments/exported"
	"tnaml/experiments/guard"
	"tnaml/experiments/metrics"
	"tnaml/experiments/search"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// Ensemble is kept models of one task whose mean prediction is used, each as often as it
// was picked for it (guard.Ensemble): to use on texts or images as an exported model is.
type Ensemble struct {
	Task string
	// Kept is the number of the models that it was chosen from.
	Kept    int
	Members []Member
	// Validation and Test are its accuracies: the first is what it was chosen by.
	Validation, Test float64
	// Single is the task's best trial: the model that is used without an ensemble.
	Single search.Trial
}

// Member is a model of an ensemble.
type Member struct {
	// Trial is the model's, Weight how often it was picked.
	Trial, Weight int
	model         *exported.Model
	module        store.Ref // of images
}

// ChooseEnsemble picks models, size times, for the ensemble of a search's task, among the
// task's kept ones: those of its best trials.
func ChooseEnsemble(
	ctx context.Context, s store.Store, name string, config *search.Config, trials []search.Trial, task, size int,
) (*Ensemble, error) {
	if t := config.Space.TrainerName(); t != space.DefaultTrainer {
		return nil, fmt.Errorf("search %q: its models are of the trainer %s: only those of %s can predict", name, t, space.DefaultTrainer)
	}
	if (trainer.Builtin{}).Reshuffles(config.Space.Settings) {
		return nil, fmt.Errorf("search %q: each of its models has a validation split of its own (reshuffle), and has been trained on the "+
			"others': there is none to choose an ensemble by", name)
	}
	top, trained := metrics.AccuracyTopN(trials, task, max(1, config.KeepModels))
	if !trained {
		return nil, fmt.Errorf("search %q has no trained model of task %q yet", name, config.Tasks[task].Name)
	}
	read, err := reader(ctx, s, config, task, featuresAnyway)
	if err != nil {
		return nil, err
	}
	out := &Ensemble{Task: config.Tasks[task].Name, Single: top.Trials[0]}
	var kept []search.Trial
	var models []*judged
	var predictions [][]float32
	for _, t := range top.Trials {
		if there, err := isKept(ctx, s, t); err != nil {
			return nil, err
		} else if !there {
			continue
		}
		m, err := read(t)
		if err != nil {
			return nil, fmt.Errorf("model of trial %d: %w", t.Trial, err)
		}
		kept, models, predictions = append(kept, t), append(models, m), append(predictions, m.validation.predict())
	}
	if out.Kept = len(kept); out.Kept == 0 {
		return nil, fmt.Errorf("search %q: of task %q no model %w, so there is no ensemble: `--retrain` without it trains the best again, "+
			"and a search with --keep-models keeps them", name, out.Task, ErrNotKept)
	}
	labels := models[0].labels
	var validation, test [][]float32
	for i, weight := range guard.Ensemble(predictions, models[0].validation.truth, len(labels), size) {
		if weight == 0 {
			continue
		}
		m, err := member(ctx, s, name, config, kept[i], weight)
		if err != nil {
			return nil, err
		}
		out.Members = append(out.Members, m)
		validation, test = append(validation, predictions[i]), append(test, models[i].test.predict())
	}
	out.Validation = confusion(labels, models[0].validation.truth, out.mean(validation)).Accuracy()
	out.Test = confusion(labels, models[0].test.truth, out.mean(test)).Accuracy()
	return out, nil
}

func member(ctx context.Context, s store.Store, name string, config *search.Config, t search.Trial, weight int) (m Member, err error) {
	m.Trial, m.Weight = t.Trial, weight
	b, err := ExportModel(ctx, s, name, config, t)
	if err != nil {
		return m, err
	}
	if m.model, err = exported.Decode(b); err == nil && m.model.Info.Image != nil {
		_, m.module, err = moduleOf(config, t)
	}
	return m, err
}

// mean is the mean of what the members say, each as often as it was picked.
func (e *Ensemble) mean(probabilities [][]float32) []float32 {
	total := 0
	for _, m := range e.Members {
		total += m.Weight
	}
	out := make([]float32, len(probabilities[0]))
	for i := range out {
		sum := 0.0
		for k, m := range e.Members {
			sum += float64(m.Weight) * float64(probabilities[k][i])
		}
		out[i] = float32(sum / float64(total))
	}
	return out
}

// SingleAccuracy is what the task's best model has on its splits.
func (e *Ensemble) SingleAccuracy() (validation, test float64) {
	return e.Single.Metrics["validation_"+trainer.Accuracy], e.Single.Metrics["test_"+trainer.Accuracy]
}

// About says what the models are of: what it says is theirs alike, but for the trial.
func (e *Ensemble) About() *exported.Info { return e.Members[0].model.About() }

// Vectors says which vectors of documents some of the models take; nil: none does. Models
// that take different ones cannot be given them.
func (e *Ensemble) Vectors() (*exported.VectorModule, error) {
	var out *exported.VectorModule
	for _, m := range e.Members {
		switch v := m.model.Info.Vectors; {
		case v == nil:
		case out == nil:
			out = v
		case *out != *v:
			return nil, fmt.Errorf("the ensemble's models take vectors of the modules %q and %q: predict with one model (--trial)",
				out.Module, v.Module)
		}
	}
	return out, nil
}

// Predict classifies texts, with the vectors of each where a model takes these.
func (e *Ensemble) Predict(texts []string, vectors []float32) []exported.Prediction {
	var all [][]float32
	for _, m := range e.Members {
		all = append(all, m.model.OfTexts(texts, vectors))
	}
	return e.Members[0].model.Predictions(e.mean(all))
}

// ReadImage reads an image file as the models take it.
func (e *Ensemble) ReadImage(file []byte) ([]uint8, error) {
	return e.Members[0].model.ReadImage(file)
}

// PredictImages classifies images, given by ReadImage, one after another. Features are
// computed once for each module.
func (e *Ensemble) PredictImages(pixels []uint8) ([]exported.Prediction, error) {
	features := map[store.Ref][]float32{}
	var all [][]float32
	for _, m := range e.Members {
		if _, there := features[m.module]; !there {
			set, err := m.model.Features(pixels)
			if err != nil {
				return nil, err
			}
			features[m.module] = set
		}
		all = append(all, m.model.OfImages(pixels, features[m.module]))
	}
	return e.Members[0].model.Predictions(e.mean(all)), nil
}
