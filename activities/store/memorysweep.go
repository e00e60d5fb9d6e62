package store

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// SetClock makes the store date what is written by another clock, for tests.
func (m *Memory) SetClock(now func() time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clock = now
}

// Now implements Sweeper.
func (m *Memory) Now(ctx context.Context) (time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.clock(), ctx.Err()
}

// Kinds implements Sweeper.
func (m *Memory) Kinds(ctx context.Context) ([]Kind, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	seen := map[Kind]bool{}
	for key := range m.names {
		kind, _, _ := strings.Cut(key, "\x00")
		seen[Kind(kind)] = true
	}
	return slices.Sorted(maps.Keys(seen)), nil
}

// Blobs implements Sweeper.
func (m *Memory) Blobs(ctx context.Context, f func(Blob) error) error {
	m.mu.Lock()
	var all []Blob
	for ref, b := range m.blobs {
		all = append(all, Blob{ref, int64(len(b.data)), b.modified})
	}
	m.mu.Unlock()
	return Each(ctx, 1, all, func(_ context.Context, v Blob) error { return f(v) })
}

// Peek implements Sweeper.
func (m *Memory) Peek(ctx context.Context, ref Ref, n int) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if _, err := ParseRef(string(ref)); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.blobs[ref]
	if !ok {
		return nil, fmt.Errorf("object %s: %w", ref, ErrNotFound)
	}
	return bytes.Clone(b.data[:min(n, len(b.data))]), nil
}

// Discard implements Sweeper.
func (m *Memory) Discard(ctx context.Context, ref Ref) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := ParseRef(string(ref)); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.blobs[ref]
	if !ok {
		return nil
	}
	if m.trash[ref] == nil {
		m.trash[ref] = map[string]memoryBlob{}
	}
	m.version++
	m.trash[ref][strconv.Itoa(m.version)] = memoryBlob{b.data, m.clock()}
	delete(m.blobs, ref)
	return nil
}

// restore puts a blob that was set aside back in its place. The lock is held.
func (m *Memory) restore(ref Ref) {
	if _, there := m.blobs[ref]; there {
		return
	}
	for _, b := range m.trash[ref] {
		m.blobs[ref] = memoryBlob{b.data, m.clock()}
		return
	}
}

// Trash implements Sweeper.
func (m *Memory) Trash(ctx context.Context, f func(Discarded) error) error {
	m.mu.Lock()
	var all []Discarded
	for ref, entries := range m.trash {
		for entry, b := range entries {
			all = append(all, Discarded{ref, int64(len(b.data)), b.modified, entry})
		}
	}
	m.mu.Unlock()
	return Each(ctx, 1, all, func(_ context.Context, v Discarded) error { return f(v) })
}

// Purge implements Sweeper.
func (m *Memory) Purge(ctx context.Context, entries []Discarded) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return Each(ctx, 1, entries, func(_ context.Context, d Discarded) error {
		delete(m.trash[d.Ref], d.entry)
		return nil
	})
}
