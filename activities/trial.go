package activities

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

const (
	// lostTries and lostWait: a worker that a trial was lost with before leaves it to
	// others so often, for so long, and takes it where nobody else does.
	lostTries = 3
	lostWait  = 2 * time.Second
)

// Trial runs one trial, or takes its outcome from the trial cache. The outcome is
// a function of the request alone, so that a retry on another worker gives the
// same. Errors are the infrastructure's; the trial's own failures are outcomes.
func (a *Activities) Trial(ctx context.Context, in TrialInput) (TrialResult, error) {
	result, err := a.trial(ctx, in)
	return result, classify(err)
}

func (a *Activities) trial(ctx context.Context, in TrialInput) (TrialResult, error) {
	t := a.trainers[in.Trainer]
	if t == nil {
		return TrialResult{}, fmt.Errorf("trial %d: this worker does not serve the trainer %q", in.Request.Trial, in.Trainer)
	}
	if a.lostHere(in.Lost) && activity.GetInfo(ctx).Attempt <= lostTries {
		return TrialResult{}, temporal.NewApplicationErrorWithOptions("it was lost with this worker before: others may try it", "",
			temporal.ApplicationErrorOptions{NextRetryDelay: lostWait})
	}
	// Where nothing is looked up or held, there is no key to make. A trial that is ok is the
	// same without its floors, or is cut at them; of a failure nobody knows where it would have
	// been below them.
	whole := sync.OnceValue(func() string { return trialKey(t, &in.Request, nil) })
	key := whole
	var hit *library.CachedTrial
	var err error
	if t.Cached() && !in.Retrain {
		if hit, err = a.lookUp(ctx, key(), &in.Request, len(in.Prune) > 0); err == nil && hit == nil && len(in.Prune) > 0 {
			key = func() string { return trialKey(t, &in.Request, in.Prune) }
			hit, err = a.lookUp(ctx, key(), &in.Request, false)
		}
		if err != nil {
			return TrialResult{}, err
		}
		a.outcomes.Note(hit != nil)
	}
	anew, inherited := hit == nil, false // inherited: other searches may have the outcome
	if anew {
		if hit, inherited, err = a.run(ctx, t, in.Request, in.Line); err != nil {
			return TrialResult{}, err
		}
		if hit.Outcome.Status == trainer.OK {
			key = whole
		} else {
			key = func() string { return trialKey(t, &in.Request, in.Prune) }
		}
	}
	out := TrialResult{hit.Outcome, hit.Cost}
	if t.Cached() { // what is named depends on the request, not on what the cache happens to hold
		if !in.Keeps(hit.Outcome) {
			out.Model = ""
		}
		if !in.Examples {
			out.Examples = ""
		}
	}
	var given library.Hold
	if out.Model != "" && in.Keeps(hit.Outcome) || out.Examples != "" {
		given = library.Hold{Search: activity.GetInfo(ctx).WorkflowExecution.ID, // its name
			Line: in.Line, Since: now(), Model: store.Ref(out.Model), Examples: store.Ref(out.Examples)}
	}
	if inherited || given.Search != "" {
		if err := a.remember(ctx, key(), hit, anew, given); err != nil {
			return TrialResult{}, err
		}
	}
	return out, nil
}

// run runs a trial and stores its model and its examples where the request asks for
// them. inherited
// says that the outcome is worth the same to any search: what lacks one search's
// objective may have another's.
func (a *Activities) run(
	ctx context.Context, t trainer.Trainer, r trainer.Request, line string,
) (out *library.CachedTrial, inherited bool, err error) {
	search := library.OfLine(library.ForSearch(ctx, activity.GetInfo(ctx).WorkflowExecution.ID), line)
	result, left, err := guarded(search, t, r, func(p trainer.Progress) error {
		tell(ctx, p.Checked()) // it is written elsewhere, while the trainer goes on
		return context.Cause(ctx)
	})
	trainerEnded(ctx)
	if err != nil {
		return nil, false, err
	}
	out = &library.CachedTrial{Outcome: result.Checked(r.Objective)}
	out.Cost.CPUSeconds, out.Cost.WallSeconds = result.CPUSeconds, result.WallSeconds
	out.Cost.Worker, out.Cost.InstructionSet = a.worker, a.instructionSet
	for _, o := range []struct {
		what   string
		object []byte
		ref    *string
	}{{"model", left.model, &out.Outcome.Model}, {"examples", left.examples, &out.Outcome.Examples}} {
		if o.object == nil {
			continue
		}
		ref, err := a.store.Put(ctx, o.object)
		if err != nil {
			return nil, false, fmt.Errorf("trial %d: storing its %s: %w", r.Trial, o.what, err)
		}
		*o.ref = string(ref)
	}
	return out, t.Cached() && !result.Own && out.Outcome.Status == result.Status, nil
}

// objects are what a trial leaves to be stored; nil where there is none.
type objects struct{ model, examples []byte }

// guarded is the trainer's Run, with the objects that the request asks for. A panic
// in them is the trial's own failure: it would come again on every worker.
func guarded(
	ctx context.Context, t trainer.Trainer, r trainer.Request, progress func(trainer.Progress) error,
) (result trainer.Result, left objects, err error) {
	defer func() {
		if v := recover(); v != nil {
			activity.GetLogger(ctx).Error("the trainer panicked", "trial", r.Trial, "task", r.Task.Name, "panic", v, "stack", string(debug.Stack()))
			result, left, err = trainer.Result{Outcome: trainer.Outcome{Status: trainer.Failed,
				Reason: fmt.Sprintf("the trainer %s panicked: %s", t.Name(), panicOf(v))}}, objects{}, nil
		}
	}()
	result, err = t.Run(ctx, r, progress)
	if err != nil {
		return result, left, err
	}
	checked := result.Checked(r.Objective)
	if result.Encode != nil && r.Keeps(checked) {
		left.model = result.Encode()
	}
	if result.Right != nil && r.Examples && checked.Status == trainer.OK {
		left.examples = result.Right.Encode()
	}
	return result, left, nil
}

// trialKey is the trial cache's key: a digest of everything the outcome is a
// function of, with these floors. An option that stands for an object counts as the
// object; an objective only where its curve is asked for.
func trialKey(t trainer.Trainer, r *trainer.Request, floors []trainer.Point) string {
	var curve *space.Objective
	if r.Curve {
		curve = &r.Objective
	}
	choices := make(map[string]any, len(r.Choices))
	for name, v := range r.Choices {
		choices[name] = v
		if s, ok := v.(string); ok && r.Objects[s] != "" {
			choices[name] = r.Objects[s]
		}
	}
	b, err := json.Marshal(struct {
		Trainer, Version string
		Kind, Data       string
		Parameters       json.RawMessage `json:",omitempty"`
		Choices          map[string]any
		Settings         json.RawMessage
		Seed             uint64
		Limits           trainer.Limits
		Curve            *space.Objective `json:",omitempty"`
		Floors           []trainer.Point  `json:",omitempty"`
	}{t.Name(), t.Version(), r.Task.Kind, r.Task.Data, r.Task.Parameters, choices, r.Settings, r.Seed, r.Limits, curve, floors})
	if err != nil {
		panic(err) // plain numbers and strings
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// lookUp asks the trial cache; nil means that the trial must be run. A hit
// without the model that this search wants to keep, or the examples that it asks for, is
// none, nor, where only those that are ok are asked for, any other.
func (a *Activities) lookUp(ctx context.Context, key string, r *trainer.Request, ok bool) (*library.CachedTrial, error) {
	value, _, err := a.store.GetName(ctx, store.Trial, key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	var hit library.CachedTrial
	if err == nil {
		err = json.Unmarshal(value, &hit)
	} else if !errors.Is(err, store.ErrCorrupt) {
		return nil, fmt.Errorf("trial cache: %w", err)
	}
	if err != nil { // it is run anew, and its record left as it is: see remember
		activity.GetLogger(ctx).Warn("a record of the trial cache cannot be read", "trial", key, "error", err)
		return nil, nil
	}
	hit.Outcome = hit.Outcome.Checked(r.Objective)
	if ok && hit.Outcome.Status != trainer.OK {
		return nil, nil
	}
	hit.Outcome = hit.Outcome.Cut(r.Prune, r.Objective)
	for _, o := range []struct {
		wanted bool
		ref    string
	}{{r.Keeps(hit.Outcome), hit.Outcome.Model}, {r.Examples && hit.Outcome.Status == trainer.OK, hit.Outcome.Examples}} {
		if !o.wanted {
			continue
		}
		if o.ref == "" {
			return nil, nil
		}
		if there, err := a.store.Has(ctx, store.Ref(o.ref)); err != nil {
			return nil, fmt.Errorf("trial cache: %w", err)
		} else if !there {
			return nil, nil
		}
	}
	hit.Cost.Cached = true
	hit.Cost.CPUSeconds, hit.Cost.WallSeconds = 0, 0
	return &hit, nil
}

// remember enters a trial into the cache, if it was run anew, and what a search was
// given among what it holds, if that is anything. A record that cannot be read is left:
// it may say who holds what. The new objects are then only as safe as they are young,
// until the search's next checkpoint.
func (a *Activities) remember(ctx context.Context, key string, t *library.CachedTrial, anew bool, given library.Hold) error {
	err := store.Update(ctx, a.store, store.Trial, key, func(old []byte) ([]byte, error) {
		next := *t
		if old != nil {
			if anew && t.Outcome.Model == "" && t.Outcome.Examples == "" {
				return old, nil // never trade an object for none
			}
			var before library.CachedTrial
			if err := json.Unmarshal(old, &before); err != nil {
				return nil, fmt.Errorf("%w: %w", library.ErrUnreadable, err)
			}
			next.Holds = before.Holds
			if !anew {
				next.Outcome, next.Cost = before.Outcome, before.Cost
			}
			next.Outcome.Model = cmp.Or(next.Outcome.Model, before.Outcome.Model)
			next.Outcome.Examples = cmp.Or(next.Outcome.Examples, before.Outcome.Examples)
		}
		i := slices.IndexFunc(next.Holds, given.Same)
		switch {
		case given.Search != "" && i < 0:
			next.Holds = append(next.Holds, given)
		case given.Search != "" && !next.Holds[i].Dropped.IsZero():
			next.Holds[i].Dropped = time.Time{} // it is wanted again
		case !anew:
			return nil, nil
		}
		return json.Marshal(next)
	})
	if errors.Is(err, store.ErrCorrupt) || errors.Is(err, library.ErrUnreadable) {
		activity.GetLogger(ctx).Warn("a trial is not entered into the trial cache", "trial", key, "error", err)
		return nil
	}
	return err
}
