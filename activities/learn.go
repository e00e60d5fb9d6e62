package activities

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/search"
)

// Learn tells a search's strategy new results, in trial order, and asks for
// the proposals that follow. It runs as a local activity. The strategy's state
// is a function of position and results, so Learn may run any number of times:
// a worker that has the state in memory goes on from it, any other rebuilds it
// from the checkpoint and the journal.
func (a *Activities) Learn(ctx context.Context, in LearnInput) (LearnOutput, error) {
	out, err := a.learn(ctx, in)
	return out, classify(err)
}

func (a *Activities) learn(ctx context.Context, in LearnInput) (LearnOutput, error) {
	config, err := a.config(ctx, in.Config)
	if err != nil {
		return LearnOutput{}, err
	}
	s, err := a.searcher(ctx, config, in.Config, in.Position)
	if err != nil {
		return LearnOutput{}, err
	}
	var out LearnOutput
	pos := in.Position
	pos.Journal = pos.Journal[:len(pos.Journal):len(pos.Journal)] // the workflow's own: never appended to
	if len(in.Results) == 0 {
		for i := range config.Lag {
			p, err := s.Ask(i)
			if err != nil {
				return LearnOutput{}, invalid(err)
			}
			out.Proposals = append(out.Proposals, p)
		}
	}
	for _, r := range in.Results {
		if err := s.Tell(r.Trial); err != nil {
			return LearnOutput{}, invalid(err)
		}
		pos.Told++
		pos.Journal = append(pos.Journal, r)
		pos.State = nextState(pos.State, r.Trial)
		p, err := s.Ask(pos.Told + config.Lag - 1)
		if err != nil {
			return LearnOutput{}, invalid(err)
		}
		out.Proposals = append(out.Proposals, p)
		if pos.Told%in.CheckpointEvery == 0 {
			if err := a.checkpoint(ctx, s, &pos); err != nil {
				return LearnOutput{}, err
			}
			out.Checkpoint, out.Costs, out.CheckpointTold = pos.Checkpoint, pos.Costs, pos.Told
		}
	}
	if out.Checkpoint != "" {
		err := library.UpdateRecord(ctx, a.store, in.Name, func(r *library.SearchRecord) {
			r.GoesOn(in.Name, in.Config)
			r.Told, r.Checkpoint, r.Costs = out.CheckpointTold, out.Checkpoint, out.Costs
		})
		if err != nil {
			return LearnOutput{}, err
		}
	}
	out.State = pos.State
	a.live.put(liveKey(in.Config, pos.State), s)
	return out, nil
}

// searcher returns the strategy's state at a position: from memory, or rebuilt.
func (a *Activities) searcher(ctx context.Context, config *search.Config, ref store.Ref, pos Position) (*search.Searcher, error) {
	if s := a.live.take(liveKey(ref, pos.State)); s != nil && s.Told() == pos.Told {
		return s, nil
	}
	var s *search.Searcher
	var err error
	if pos.Checkpoint == "" {
		var controller []byte
		if config.Controller != "" {
			if controller, err = a.store.Get(ctx, store.Ref(config.Controller)); err != nil {
				return nil, fmt.Errorf("controller: %w", err)
			}
		}
		s, err = search.NewFrom(*config, controller)
	} else {
		var b []byte
		if b, err = a.store.Get(ctx, pos.Checkpoint); err != nil {
			return nil, fmt.Errorf("checkpoint: %w", err)
		}
		s, err = search.Restore(*config, b)
	}
	if err != nil {
		return nil, invalid(err)
	}
	for _, r := range pos.Journal {
		if err := s.Tell(r.Trial); err != nil {
			return nil, invalid(fmt.Errorf("journal: %w", err))
		}
	}
	if s.Told() != pos.Told {
		return nil, invalid(fmt.Errorf("checkpoint and journal hold %d results, want %d", s.Told(), pos.Told))
	}
	return s, nil
}

// liveKey names a state: one configuration after one sequence of results.
func liveKey(config store.Ref, state string) string { return string(config) + " " + state }

// nextState extends the digest over all results told by one.
func nextState(state string, t search.Trial) string {
	b, err := json.Marshal(t)
	if err != nil {
		panic(err) // plain numbers and strings
	}
	h := sha256.New()
	h.Write([]byte(state))
	h.Write(b)
	return hex.EncodeToString(h.Sum(nil))
}

// checkpoint stores the strategy's state with the ledger segment since the
// previous checkpoint, and the costs of the same trials beside it: those
// depend on the machine and must not enter the checkpoint's digest.
func (a *Activities) checkpoint(ctx context.Context, s *search.Searcher, pos *Position) error {
	ref, err := a.store.Put(ctx, s.Checkpoint(string(pos.Checkpoint)))
	if err != nil {
		return fmt.Errorf("checkpoint at %d trials: %w", pos.Told, err)
	}
	segment := library.CostSegment{Previous: pos.Costs}
	for _, r := range pos.Journal {
		segment.Costs = append(segment.Costs, r.Cost)
	}
	costs, err := a.store.Put(ctx, segment.Encode())
	if err != nil {
		return fmt.Errorf("costs at %d trials: %w", pos.Told, err)
	}
	pos.Checkpoint, pos.Costs, pos.Journal = ref, costs, nil
	return nil
}

// Finish ends a search: writes the last checkpoint, the controller and the
// record.
func (a *Activities) Finish(ctx context.Context, in FinishInput) (Finished, error) {
	out, err := a.finish(ctx, in)
	return out, classify(err)
}

func (a *Activities) finish(ctx context.Context, in FinishInput) (Finished, error) {
	config, err := a.config(ctx, in.Config)
	if err != nil {
		return Finished{}, err
	}
	s, err := a.searcher(ctx, config, in.Config, in.Position)
	if err != nil {
		return Finished{}, err
	}
	pos := in.Position
	if len(pos.Journal) > 0 || pos.Checkpoint == "" {
		if err := a.checkpoint(ctx, s, &pos); err != nil {
			return Finished{}, err
		}
	}
	out := Finished{Checkpoint: pos.Checkpoint, Costs: pos.Costs}
	controller, err := s.Controller()
	if err != nil {
		return Finished{}, invalid(err)
	}
	if controller != nil {
		if out.Controller, err = a.store.Put(ctx, controller); err != nil {
			return Finished{}, fmt.Errorf("controller: %w", err)
		}
	}
	err = library.UpdateRecord(ctx, a.store, in.Name, func(r *library.SearchRecord) {
		r.GoesOn(in.Name, in.Config)
		r.Status, r.Told = in.Status, pos.Told
		r.Checkpoint, r.Costs, r.Controller = out.Checkpoint, out.Costs, out.Controller
	})
	return out, err
}
