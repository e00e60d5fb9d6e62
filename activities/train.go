package activities

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/activity"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/data"
	"tnaml/experiments/data/text"
	"tnaml/experiments/search"
	"tnaml/nn/child"
	nnimage "tnaml/nn/image"
	"tnaml/nn/rng"
)

// heartbeatEvery is how often a running trial says that it lives. The SDK
// throttles what is more than the heartbeat timeout needs.
const heartbeatEvery = 2 * time.Second

// errOverTime is the trial's own time limit, told apart from a lost worker.
var errOverTime = errors.New("over its time limit")

// Stopping starts the error of a trial that a stopping worker gives back.
const Stopping = "worker is stopping"

// Train runs one trial: loads the task, trains the child model and evaluates
// it. The result is a function of the input alone, so that a retry on another
// worker gives the same. Errors are the infrastructure's; the trial's own
// failures are results.
func (a *Activities) Train(ctx context.Context, in TrainInput) (TrialResult, error) {
	result, err := a.train(ctx, in)
	return result, classify(err)
}

func (a *Activities) train(ctx context.Context, in TrainInput) (TrialResult, error) {
	config, err := a.config(ctx, in.Config)
	if err != nil {
		return TrialResult{}, err
	}
	p := in.Proposal
	if p.Task < 0 || p.Task >= len(config.Tasks) {
		return TrialResult{}, invalid(fmt.Errorf("trial %d: no task %d in this search", p.Trial, p.Task))
	}
	cfg, moduleName, err := config.Space.Child(p.Actions)
	if err != nil {
		return TrialResult{}, invalid(fmt.Errorf("trial %d: %w", p.Trial, err))
	}
	module, err := library.ModuleRef(config, moduleName)
	if err != nil {
		return TrialResult{}, invalid(err)
	}
	data := store.Ref(config.Tasks[p.Task].Data)
	seed := rng.Derive(config.Seed, "trial", uint64(p.Trial))
	key := trialKey(data, module, cfg, seed, in.MemoryLimit, config.Modality)

	hit, err := a.lookUp(ctx, key, p, in.Retrain)
	if err != nil {
		return TrialResult{}, err
	}
	anew := hit == nil
	if anew {
		if hit, err = a.trainAnew(ctx, in, cfg, config.Modality, data, module, seed); err != nil {
			return TrialResult{}, err
		}
	}
	holder := ""
	if keeps(p, hit.Outcome) {
		holder = activity.GetInfo(ctx).WorkflowExecution.ID // the search's name
	}
	if anew || holder != "" {
		if err := a.remember(ctx, key, hit, anew, holder); err != nil {
			return TrialResult{}, err
		}
	}
	return a.result(config, p, hit), nil
}

// result makes the ledger row. Which models it names depends on the proposal
// alone, not on what the cache happens to hold.
func (a *Activities) result(config *search.Config, p search.Proposal, c *library.CachedTrial) TrialResult {
	t := search.Trial{
		Trial: p.Trial, Task: p.Task, Actions: p.Actions,
		Status: c.Outcome.Status, Reason: c.Outcome.Reason,
		Validation: c.Outcome.Validation, Test: c.Outcome.Test,
		Loss: c.Outcome.Loss, Parameters: c.Outcome.Parameters,
	}
	if keeps(p, c.Outcome) {
		t.Model = string(c.Model)
	}
	cost := c.Cost
	cost.Trial = p.Trial
	return TrialResult{Trial: t, Cost: cost, Summary: config.Space.Describe(p.Actions)}
}

// keeps says whether a trial's model is worth storing.
func keeps(p search.Proposal, o child.Outcome) bool {
	return o.Status == child.OK && o.Validation > p.Keep
}

// trialKey is the trial cache's key: a digest of everything the result is a
// function of.
func trialKey(dataRef, module store.Ref, cfg child.Config, seed uint64, memoryLimit int64, modality data.Kind) string {
	features, ngrams := 0, 0
	if modality == data.Image {
		features = nnimage.FeaturesVersion
	} else if cfg.WideNGrams > 1 {
		ngrams = text.NGramsVersion
	}
	b, err := json.Marshal(struct {
		Trainer, InstructionSet string
		Data, Module            store.Ref
		Config                  child.Config
		Seed                    uint64
		MemoryLimit             int64
		Features                int `json:",omitempty"`
		NGrams                  int `json:",omitempty"`
	}{child.TrainerVersion, child.InstructionSet(), dataRef, module, cfg, seed, memoryLimit, features, ngrams})
	if err != nil {
		panic(err) // plain numbers and strings
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// lookUp asks the trial cache; nil means that the trial must be trained. A hit
// without the model that this search wants to keep is none.
func (a *Activities) lookUp(ctx context.Context, key string, p search.Proposal, retrain bool) (*library.CachedTrial, error) {
	if retrain {
		return nil, nil
	}
	value, _, err := a.store.GetName(ctx, store.Trial, key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("trial cache: %w", err)
	}
	var hit library.CachedTrial
	if err := json.Unmarshal(value, &hit); err != nil {
		return nil, nil // a record we cannot read is as good as none
	}
	if keeps(p, hit.Outcome) {
		if hit.Model == "" {
			return nil, nil
		}
		if there, err := a.store.Has(ctx, hit.Model); err != nil {
			return nil, fmt.Errorf("trial cache: %w", err)
		} else if !there {
			return nil, nil
		}
	}
	hit.Cost.Cached = true
	hit.Cost.CPUSeconds, hit.Cost.WallSeconds = 0, 0
	return &hit, nil
}

// remember enters a trial into the cache, if it was trained anew, and holder
// among those who hold its model, if there is one. A time limit is the one thing
// that depends on the machine's speed, so such a result is never passed on.
func (a *Activities) remember(ctx context.Context, key string, t *library.CachedTrial, anew bool, holder string) error {
	if t.Outcome.Status == child.OverTime {
		return nil
	}
	return store.Update(ctx, a.store, store.Trial, key, func(old []byte) ([]byte, error) {
		if old != nil && anew && t.Model == "" {
			return old, nil // never trade a model for none
		}
		next := *t
		var before library.CachedTrial
		if json.Unmarshal(old, &before) == nil { // a record we cannot read is as good as none
			next.Holds = before.Holds
			if !anew {
				next.Outcome, next.Model, next.Cost = before.Outcome, before.Model, before.Cost
			}
		}
		if h := (library.Hold{Search: holder, Model: t.Model}); holder != "" && !slices.Contains(next.Holds, h) {
			next.Holds = append(next.Holds, h)
		} else if !anew {
			return nil, nil
		}
		return json.Marshal(next)
	})
}

// trainAnew trains and evaluates a child model, and stores it where the
// proposal asks for it.
func (a *Activities) trainAnew(ctx context.Context, in TrainInput, cfg child.Config, modality data.Kind, dataRef, moduleRef store.Ref, seed uint64) (*library.CachedTrial, error) {
	beat := startHeartbeat(ctx)
	defer beat.stop()
	alive := aliveCheck(ctx)
	data, table, documents, err := a.inputs(ctx, cfg, modality, dataRef, moduleRef, alive)
	if err != nil {
		return nil, err
	}
	clock := startClock()
	defer clock.release()
	model, outcome, err := child.Train(cfg, data, table, seed, child.Options{
		Documents:   documents,
		MemoryLimit: in.MemoryLimit,
		Progress: func(step, steps int, loss float64) error {
			beat.set(Step{step, steps, loss})
			if err := alive(); err != nil {
				return err
			}
			if in.TimeLimit > 0 && clock.wall() > in.TimeLimit {
				return errOverTime
			}
			return nil
		},
	})
	switch {
	case errors.Is(err, errOverTime):
		outcome = child.Outcome{Status: child.OverTime, Reason: fmt.Sprintf("ran longer than %s", in.TimeLimit), Parameters: outcome.Parameters}
	case err != nil:
		return nil, err
	}
	done := &library.CachedTrial{Outcome: outcome, Cost: search.Cost{
		CPUSeconds: clock.cpu().Seconds(), WallSeconds: clock.wall().Seconds(),
		InstructionSet: child.InstructionSet(), Worker: a.worker,
	}}
	if keeps(in.Proposal, outcome) {
		if done.Model, err = a.store.Put(ctx, model.Encode()); err != nil {
			return nil, fmt.Errorf("trial %d: storing its model: %w", in.Proposal.Trial, err)
		}
	}
	return done, nil
}

// aliveCheck returns what ends long work: an error once the activity has been
// cancelled or its worker is stopping.
func aliveCheck(ctx context.Context) func() error {
	stopped := activity.GetWorkerStopChannel(ctx)
	return func() error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-stopped:
			return errors.New(Stopping + ": the work starts again elsewhere")
		default:
			return nil
		}
	}
}

// Step is a trial's progress, as its heartbeat carries it.
type Step struct {
	Step  int     `json:"step"`
	Steps int     `json:"steps"`
	Loss  float64 `json:"loss"`
}

// heartbeat reports the progress of long work from its own goroutine, so that long
// steps and loading do not look like a lost worker.
type heartbeat struct {
	latest atomic.Pointer[any]
	quit   chan struct{}
	done   chan struct{}
}

func startHeartbeat(ctx context.Context) *heartbeat {
	h := &heartbeat{quit: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(h.done)
		tick := time.NewTicker(heartbeatEvery)
		defer tick.Stop()
		for {
			select {
			case <-h.quit:
				return
			case <-ctx.Done():
				return
			case <-tick.C:
				if details := h.latest.Load(); details != nil {
					activity.RecordHeartbeat(ctx, *details)
				} else {
					activity.RecordHeartbeat(ctx)
				}
			}
		}
	}()
	return h
}

func (h *heartbeat) set(details any) { h.latest.Store(&details) }

func (h *heartbeat) stop() {
	close(h.quit)
	<-h.done
}
