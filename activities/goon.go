package activities

import (
	"context"
	"fmt"
	"slices"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/search"
	"tnaml/experiments/trainer"
)

// goOn begins a search where another one stands, in its record too. The other's ledger
// is the beginning of the new one's.
func (a *Activities) goOn(ctx context.Context, o *library.Onward, record *library.SearchRecord) (*Begun, error) {
	from := o.From
	b := &Begun{Spec: o.Spec, Position: Position{Ledger: from.Ledger, State: from.State, Costs: from.Costs, Told: from.Told},
		Seconds: from.Seconds}
	err := a.summarise(b, o.Config, o.Trials, o.Costs)
	if err != nil {
		return nil, library.Invalid(fmt.Errorf("search %q: %w", from.Name, err))
	}
	if o.Config.Fork != o.Old.Fork {
		if b.Position.State, err = a.fork(ctx, o, b.Position); err != nil {
			return nil, err
		}
	}
	for _, ref := range []store.Ref{from.Ledger, from.Costs} {
		if err := library.Claim(ctx, a.store, ref); err != nil {
			return nil, err
		}
	}
	record.Spec, record.Told, record.Seconds = o.Spec, from.Told, from.Seconds
	record.Ledger, record.State, record.Costs, record.Models = from.Ledger, b.Position.State, from.Costs, from.Models
	record.Sources = from.Sources
	record.Origins = append(slices.Clone(from.Origins), library.Origin{Search: from.Name, Trials: from.Told})
	return b, nil
}

// fork stores the state that a search goes on from under other settings.
func (a *Activities) fork(ctx context.Context, o *library.Onward, pos Position) (store.Ref, error) {
	old, err := a.searcher(ctx, o.Old, o.From.Config, pos)
	if err != nil {
		return "", err
	}
	s, err := old.Fork(*o.Config)
	if err != nil {
		return "", library.Invalid(err)
	}
	ref, err := a.store.Put(ctx, s.State())
	if err != nil {
		return "", fmt.Errorf("state: %w", err)
	}
	return ref, nil
}

// summarise counts the trials told so far as a search counts them.
func (a *Activities) summarise(b *Begun, config *search.Config, trials []search.Trial, costs []search.Cost) error {
	b.Best = map[int][]Best{}
	words := trainer.Find(config.Space.TrainerName())
	for i, t := range trials {
		b.CPUSeconds += costs[i].CPUSeconds
		if costs[i].Cached {
			b.Cached++
		}
		b.Steps += t.Steps
		t.Reward = trainer.Reward(config.Space.Objective, t.Validation) // as it was when it was told
		switch {
		case t.Status.Failure():
			b.Failed++
			t.Reward = 0
		case t.Status == trainer.Pruned:
			b.Pruned++
		case t.Status == trainer.Infeasible:
			b.Infeasible++
		}
		b.Position.Digest, _ = nextDigest(b.Position.Digest, t)
		if !t.OK() {
			continue
		}
		choices, err := config.Space.Values(t.Actions)
		if err != nil {
			return err
		}
		b.Best[t.Task] = Insert(b.Best[t.Task], Row{Trial: t, Summary: words.Words(choices)})
	}
	return nil
}
