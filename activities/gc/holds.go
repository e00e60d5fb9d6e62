package gc

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"tnaml/activities/library"
	"tnaml/activities/store"
)

// cached is an entry of the trial cache, with who holds its objects.
type cached struct {
	by    root
	holds []library.Hold
}

// named is what is known of a search that has a name: whether it has ended, and
// keeps the models of its record alone, when it started, when the record was written, and by which line of its runs.
type named struct {
	released         bool
	started, written time.Time
	by               library.Fence
}

// trial notes which searches hold a trial's objects. A record that cannot be read is as good
// as none to the trial cache, but a later version may know who holds what it names.
func (m *marking) trial(r root, value []byte) {
	var t library.CachedTrial
	if err := json.Unmarshal(value, &t); err != nil {
		m.hint(r, value)
		return
	}
	if len(t.Holds) == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cached = append(m.cached, cached{r, t.Holds})
}

// wanted says that a search has a name, and has not ended since it was given what it holds. One that has
// ended and was reset goes on: its record has not seen the line of runs that is given things, until the next
// checkpoint says that it goes on. It remembers some lines only, hence the time, with a day for clocks that differ
// and for processes that were asleep. What was given before the search started was another one's, whose name was given up; a
// store refuses those whose clocks are wrong by more than a quarter of an hour.
func (m *marking) wanted(h library.Hold) bool {
	by, ok := m.searches[h.Search]
	switch {
	case !ok, h.Since.Before(by.started.Add(-MinGrace)):
		return false
	case !by.released:
		return true
	}
	return !by.by.Saw(h.Line) && h.Since.After(by.written.Add(-DefaultGrace))
}

// held marks the objects that are held for searches that want them.
func (m *marking) held(ctx context.Context) error {
	return store.Each(ctx, parallel, m.cached, func(ctx context.Context, c cached) error {
		t := tidying{name: c.by.name, holds: map[library.Hold]verdict{}}
		for _, h := range c.holds {
			v := verdict{wanted: m.wanted(h)}
			v.gone = !v.wanted && !h.Dropped.IsZero() && m.old(h.Dropped)
			t.holds[h] = v
			t.due = t.due || v.wanted != h.Dropped.IsZero() || v.gone
			if !v.wanted {
				continue
			}
			for kind, ref := range map[string]store.Ref{kindModel: h.Model, kindExamples: h.Examples} {
				if _, err := store.ParseRef(string(ref)); err != nil {
					continue
				}
				// One that is not there is in no ledger's row yet, else it would be missed
				// there.
				there, err := m.present(ctx, ref)
				if err == nil && there {
					err = m.reach(ctx, c.by, kind, ref)
				}
				if err != nil {
					return err
				}
			}
		}
		if t.due {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.tidy = append(m.tidy, t)
		}
		return nil
	})
}

// verdict is what marking has found of a hold.
type verdict struct{ wanted, gone bool }

// tidying is what a collection changes in an entry of the trial cache; due, if anything.
type tidying struct {
	name  string
	holds map[library.Hold]verdict
	due   bool
}

// Tidies says that holds in the trial cache are to be written anew, or removed.
func (p *Plan) Tidies() bool { return len(p.tidy) > 0 }

// run writes the holds of an entry, those alone that marking has seen. It goes in two steps, as an object does: one that
// nobody wants is marked, and goes when another marking, the grace period later, finds it so again. What it held has
// been set aside before it is marked (at), so that it outlives no hold that would bring it back.
func (t tidying) run(ctx context.Context, s store.Store, at time.Time) error {
	err := store.Update(ctx, s, store.Trial, t.name, func(old []byte) ([]byte, error) {
		var c library.CachedTrial
		if old == nil || json.Unmarshal(old, &c) != nil {
			return nil, nil
		}
		c.Holds = slices.DeleteFunc(c.Holds, func(h library.Hold) bool { return t.holds[h].gone })
		for i, h := range c.Holds {
			v, seen := t.holds[h]
			switch {
			case !seen:
				continue
			case v.wanted:
				c.Holds[i].Dropped = time.Time{}
			case h.Dropped.IsZero():
				c.Holds[i].Dropped = at.UTC() // a time of another zone would be another one, read again
			}
		}
		return json.Marshal(c)
	})
	if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrCorrupt) {
		return nil // next time
	}
	return err
}
