package gc

import (
	"context"
	"encoding/json"
	"regexp"
	"time"

	"tnaml/activities/library"
	"tnaml/activities/store"
)

// weak is a name that goes when nothing wants it any more.
type weak struct {
	kind store.Kind
	name string
}

// waiting is the checkpoint of a trial.
type waiting struct {
	by     root
	record library.CheckpointRecord
	since  time.Time
}

// checkpoint notes a trial's checkpoint. Without one that can be read the trial begins anew.
func (m *marking) checkpoint(r root, e store.Entry, value []byte) {
	w := waiting{by: r, since: e.Modified}
	if json.Unmarshal(value, &w.record) != nil {
		w.record = library.CheckpointRecord{}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.waiting = append(m.waiting, w)
}

// checkpoints marks those whose searches have a name and have not ended, and what is
// young; the names of others are to be removed.
func (m *marking) checkpoints(ctx context.Context) error {
	return store.Each(ctx, parallel, m.waiting, func(ctx context.Context, w waiting) error {
		_, malformed := store.ParseRef(string(w.record.Ref))
		alive := m.wanted(library.Hold{Search: w.record.Search, Line: w.record.Line, Since: w.since})
		if malformed != nil || !alive && m.old(w.since) {
			m.doom(w.by)
			return nil
		}
		if there, err := m.present(ctx, w.record.Ref); err != nil || !there {
			return err
		}
		return m.reach(ctx, w.by, kindCheckpoint, w.record.Ref)
	})
}

func (m *marking) doom(r root) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.doomed = append(m.doomed, weak{r.kind, r.name})
}

// features marks the features whose task and module are kept; the names of others
// are to be removed.
func (m *marking) features(ctx context.Context, r root, e store.Entry, value []byte) error {
	var f library.FeaturesRecord
	err := json.Unmarshal(value, &f)
	if _, malformed := store.ParseRef(string(f.Ref)); err != nil || malformed != nil {
		f = library.FeaturesRecord{} // they are computed again
	}
	m.mu.Lock()
	_, task := m.reached[f.Data]
	_, module := m.reached[f.Module]
	m.mu.Unlock()
	keep := task && module || !m.old(e.Modified)
	if !keep {
		m.doom(r)
	}
	if !keep || f.Ref == "" {
		return nil
	}
	if there, err := m.present(ctx, f.Ref); err != nil || !there {
		return err // they are computed again
	}
	return m.reach(ctx, r, kindFeatures, f.Ref)
}

// yardstick leaves what simple models have on a task as long as the task is kept; it
// refers to nothing else.
func (m *marking) yardstick(_ context.Context, r root, e store.Entry, value []byte) error {
	var y library.YardstickRecord
	if json.Unmarshal(value, &y) != nil {
		y = library.YardstickRecord{} // they are trained again
	}
	m.mu.Lock()
	_, task := m.reached[y.Data]
	m.mu.Unlock()
	if !task && m.old(e.Modified) {
		m.doom(r)
	}
	return nil
}

var reference = regexp.MustCompile(`sha256:[0-9a-f]{64}`)

// hint notes whatever looks like a reference.
func (m *marking) hint(r root, b []byte) {
	if m.o.typed {
		return
	}
	found := reference.FindAll(b, -1)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, f := range found {
		m.hints[store.Ref(f)] = r
	}
}

// followHints marks what merely looks like a reference, where there is such an
// object. Nothing must be there.
func (m *marking) followHints(ctx context.Context) error {
	aside := map[store.Ref]bool{}
	for _, d := range m.trash {
		aside[d.Ref] = true
	}
	for len(m.hints) > 0 {
		hints := m.hints
		m.hints = map[store.Ref]root{}
		var refs []store.Ref
		for ref := range hints {
			_, listed := m.blobs[ref]
			if _, reached := m.reached[ref]; !reached && (listed || aside[ref]) {
				refs = append(refs, ref)
			}
		}
		if err := store.Each(ctx, parallel, refs, func(ctx context.Context, ref store.Ref) error {
			if there, err := m.s.Has(ctx, ref); err != nil || !there {
				return err
			}
			head, err := m.s.Peek(ctx, ref, peek)
			if err != nil {
				return err
			}
			return m.reach(ctx, hints[ref], kindOf(head), ref)
		}); err != nil {
			return err
		}
	}
	return nil
}
