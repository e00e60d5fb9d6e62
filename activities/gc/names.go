package gc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"tnaml/activities/library"
	"tnaml/activities/store"
)

// roots are the kinds of names that keep what they refer to, in the order in which
// references travel from one to another.
var roots = []store.Kind{
	store.Trial, store.Checkpoint, store.Dataset, store.Module, store.Controller, store.Space, store.Search, store.Experiment,
}

// names reads the names of a kind.
func (m *marking) names(ctx context.Context, kind store.Kind, visit func(context.Context, root, store.Entry, []byte) error) error {
	entries, err := m.s.Names(ctx, kind, "")
	if err != nil {
		return err
	}
	done := 0
	return store.Each(ctx, parallel, entries, func(ctx context.Context, e store.Entry) error {
		value, _, err := m.s.GetName(ctx, kind, e.Name)
		if errors.Is(err, store.ErrNotFound) {
			return nil // removed since
		}
		if errors.Is(err, store.ErrCorrupt) {
			value, err = m.damaged(root{kind: kind, name: e.Name}, value, err)
		}
		if err != nil {
			return err
		}
		if err := visit(ctx, root{kind: kind, name: e.Name}, e, value); err != nil {
			return err
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		done++
		m.o.progress(fmt.Sprintf("following the names of kind %s", kind), done, len(entries))
		return nil
	})
}

// damaged is what a name whose value is damaged is visited with: nothing. The caches
// can do without, and what looks like a reference in them is kept; others stop marking.
func (m *marking) damaged(r root, value []byte, err error) ([]byte, error) {
	if !slices.Contains([]store.Kind{store.Trial, store.Features, store.Checkpoint, store.Yardstick}, r.kind) {
		return nil, m.stuck(r, err)
	}
	m.hint(r, value)
	return nil, nil
}

// name marks what a name refers to.
func (m *marking) name(ctx context.Context, r root, e store.Entry, value []byte) error {
	decode := func(v any) error {
		if err := json.Unmarshal(value, v); err != nil {
			return m.stuck(r, fmt.Errorf("its record is not valid: %w", err))
		}
		m.hint(r, value)
		return nil
	}
	switch r.kind {
	case store.Dataset:
		var d library.DatasetRecord
		if err := decode(&d); err != nil {
			return err
		}
		if e := d.Card.External; e != nil && e.Attached != nil {
			if err := m.reach(ctx, r, kindTask, store.Ref(e.Attached.Ref)); err != nil {
				return err
			}
		}
		return m.reach(ctx, r, kindTask, d.Ref)
	case store.Module:
		var d library.ModuleRecord
		if err := decode(&d); err != nil {
			return err
		}
		return m.reach(ctx, r, kindModule, d.Ref)
	case store.Controller:
		var c library.ControllerRecord
		if err := decode(&c); err != nil {
			return err
		}
		for _, v := range c.Versions {
			if err := m.reach(ctx, r, kindController, v.Ref); err != nil {
				return err
			}
		}
	case store.Search:
		var s library.SearchRecord
		if err := decode(&s); err != nil {
			return err
		}
		m.mu.Lock()
		m.searches[r.name] = named{s.Released, s.Started, e.Modified, s.Fence}
		m.mu.Unlock()
		for _, model := range s.Models {
			if err := m.reach(ctx, r, kindModel, model); err != nil {
				return err
			}
		}
		return m.search(ctx, r, s.Config, s.Ledger, s.State, s.Costs, s.Controller)
	case store.Experiment:
		var e library.ExperimentRecord
		if err := decode(&e); err != nil {
			return err
		}
		for _, run := range e.Runs {
			r.run = run.Name
			if err := m.reach(ctx, r, kindReport, run.Report); err != nil {
				return err
			}
		}
	case store.Space:
		m.hint(r, value)
	case store.Trial:
		m.trial(r, value)
	case store.Checkpoint:
		m.checkpoint(r, e, value)
	}
	return nil
}

// search marks what a search left behind. Of the states only the newest is
// reached: an older one can be told anew from the ledger.
func (m *marking) search(ctx context.Context, r root, config, ledger, state, costs, controller store.Ref) error {
	if err := m.reach(ctx, r, kindConfig, config); err != nil {
		return err
	}
	if err := m.reach(ctx, r, kindLedger, ledger); err != nil {
		return err
	}
	if err := m.reach(ctx, r, kindState, state); err != nil {
		return err
	}
	if err := m.reach(ctx, r, kindCosts, costs); err != nil {
		return err
	}
	return m.reach(ctx, r, kindController, controller)
}
