// Package trainers holds the trainers that workers can serve: builtin, our child
// models of texts and images, and table, recorded benchmarks.
package trainers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"

	"tnaml/activities/memory"
	"tnaml/activities/store"
	"tnaml/experiments/data/text"
	"tnaml/experiments/trainer"
	"tnaml/nn/child"
	nnimage "tnaml/nn/image"
)

// Builtin trains the child models of nn/child.
type Builtin struct {
	trainer.Builtin
	store  store.Store
	memory *memory.Cache
	// extracting holds one token while features of images are being computed.
	extracting chan struct{}
}

// NewBuiltin returns the trainer over a store. What it decodes it keeps in m.
func NewBuiltin(s store.Store, m *memory.Cache) *Builtin {
	return &Builtin{store: s, memory: m, extracting: make(chan struct{}, 1)}
}

// Version names what an outcome depends on besides the request: the training's
// own version, the encodings', and what the kernels run on.
func (*Builtin) Version() string {
	return fmt.Sprintf("%s model %d features %d n-grams %d features of texts %d %s", child.TrainerVersion, child.ModelFormat,
		nnimage.FeaturesVersion, text.NGramsVersion, text.FeaturesVersion, child.InstructionSet())
}

// CPUSeconds is what f takes, which runs on the calling goroutine.
func CPUSeconds(f func() error) (float64, error) {
	clock := startClock()
	defer clock.release()
	err := f()
	return clock.cpu().Seconds(), err
}

// Cached says that outcomes are kept for other searches.
func (*Builtin) Cached() bool { return true }

// Run trains and evaluates a child model. What is wrong with a request, or with data
// that does not fit together, would be wrong again: it is the trial's own failure.
func (b *Builtin) Run(ctx context.Context, r trainer.Request, progress func(trainer.Progress) error) (trainer.Result, error) {
	return b.run(ctx, r, progress, 0)
}

// Refit trains the model of a trial anew, on the validation examples too
// (child.WithValidation), and gives it the temperature that the trial's own model has. Of
// what comes out the figures of the test split are the new model's; those of the validation
// split are no estimate.
func (b *Builtin) Refit(ctx context.Context, r trainer.Request, temperature float64) (trainer.Result, error) {
	if !(temperature > 0) || math.IsInf(temperature, 0) {
		return failed("its own model has no temperature"), nil
	}
	r.Keep, r.Constraints = nil, nil // it has been chosen: it is kept, and no figure of its own is asked
	return b.run(ctx, r, func(trainer.Progress) error { return nil }, temperature)
}

// run trains a model; refit is the temperature of one that is refitted, else 0.
func (b *Builtin) run(
	ctx context.Context, r trainer.Request, progress func(trainer.Progress) error, refit float64,
) (trainer.Result, error) {
	cfg, module, err := b.Child(r.Choices, r.Settings)
	if err != nil {
		return failed("no child model: %w", err), nil
	}
	if limit := r.Limits.Steps; limit > 0 && cfg.Steps > limit {
		reason := fmt.Sprintf("needs %d training steps, the limit is %d", cfg.Steps, limit)
		return trainer.Result{Outcome: trainer.Outcome{Status: trainer.OverSteps, Reason: reason}}, nil
	}
	ref := store.Ref(r.Objects[module])
	if ref == "" {
		return failed("the request has no object for the module %q", module), nil
	}
	alive := func() error { return errors.Join(ctx.Err(), progress(trainer.Progress{Steps: cfg.Steps})) }
	var in inputs
	switch r.Task.Kind {
	case "image":
		in, err = b.loadImages(ctx, store.Ref(r.Task.Data), ref, alive)
	case "text":
		in, err = b.load(ctx, &cfg, store.Ref(r.Task.Data), ref, b.Reshuffles(r.Settings) || refit > 0)
	default:
		return failed("tasks of kind %q are not trained on", r.Task.Kind), nil
	}
	if err != nil {
		return trainer.Result{}, err
	}
	clock := startClock()
	defer clock.release()
	limit, reshuffled := r.Limits.MemoryBytes, b.Reshuffles(r.Settings)
	switch {
	case refit > 0:
		in.data, in.documents = child.WithValidation(in.data, in.documents, in.table.Dim)
	case reshuffled:
		in.data, in.documents = child.Reshuffle(in.data, in.documents, in.table.Dim, r.Seed)
		if limit > 0 {
			limit = max(1, limit-in.data.Bytes(in.documents))
		}
	}
	var ended error // from outside
	curve := curveOf(&r)
	var weighted func() (*child.WeightedFeatures, error)
	if in.weighted != nil {
		weighted = func() (w *child.WeightedFeatures, err error) {
			w, ended = in.weighted(ctx)
			return w, ended
		}
	}
	model, outcome, err := child.Train(cfg, in.data, in.table, r.Seed, child.Options{
		Documents:   in.documents,
		Weighted:    weighted,
		MemoryLimit: limit,
		Progress: func(step, steps int, loss float64) error {
			if ended = ctx.Err(); ended == nil {
				ended = progress(trainer.Progress{Step: step, Steps: steps, Metrics: map[string]float64{trainer.TrainingLoss: loss}})
			}
			return ended
		},
		Curve:       curve.see(),
		Temperature: refit,
	})
	var out trainer.Result
	switch {
	case ended != nil:
		return trainer.Result{}, ended
	case err != nil:
		out = failed("%w", err)
	default:
		out.Outcome = curve.with(outcomeOf(outcome))
		if r.Examples && out.Status == trainer.OK {
			out.Right = &trainer.Right{Test: trainer.Bits{N: in.data.Test.Len(), Packed: outcome.TestRight}}
			if !reshuffled { // else they are of examples that no other trial has
				out.Right.Validation = trainer.Bits{N: in.data.Validation.Len(), Packed: outcome.ValidationRight}
			}
		}
	}
	if model != nil && r.Keeps(out.Outcome) {
		out.Encode = model.Encode
	}
	out.CPUSeconds, out.WallSeconds = clock.cpu().Seconds(), clock.wall().Seconds()
	return out, nil
}

// outcomeOf is a child model's outcome in the contract's terms.
func outcomeOf(o child.Outcome) trainer.Outcome {
	out := trainer.Outcome{
		Status: trainer.Status(o.Status), Reason: o.Reason, Steps: o.Steps,
		Metrics: map[string]float64{trainer.Parameters: float64(o.Parameters)},
	}
	if out.Status != trainer.OK {
		return out
	}
	out.Metrics[trainer.TrainingLoss], out.Metrics[trainer.Temperature] = o.Loss, o.Temperature
	maps.Copy(out.Metrics, measured("validation_", o.Validation, o.ValidationCalibration))
	maps.Copy(out.Metrics, measured("test_", o.Test, o.TestCalibration))
	return out
}

// failed is a trial that its own request keeps from running.
func failed(format string, a ...any) trainer.Result {
	return trainer.Result{Outcome: trainer.Outcome{Status: trainer.Failed, Reason: fmt.Errorf(format, a...).Error()}}
}
