package store

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Memory is a Store in this process's memory, for tests. It takes and refuses
// what S3 does.
type Memory struct {
	mu      sync.Mutex
	blobs   map[Ref]memoryBlob
	trash   map[Ref]map[string]memoryBlob
	names   map[string]memoryName
	version int
	clock   func() time.Time
}

type memoryBlob struct {
	data     []byte
	modified time.Time
}

type memoryName struct {
	value    []byte
	version  Version
	modified time.Time
}

var _ Store = (*Memory)(nil)

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{blobs: map[Ref]memoryBlob{}, trash: map[Ref]map[string]memoryBlob{}, names: map[string]memoryName{}, clock: time.Now}
}

// Put implements Store.
func (m *Memory) Put(ctx context.Context, data []byte) (Ref, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	ref := RefOf(data)
	m.mu.Lock()
	defer m.mu.Unlock()
	if old, ok := m.blobs[ref]; !ok || verify(ref, old.data) != nil {
		m.blobs[ref] = memoryBlob{bytes.Clone(data), m.clock()}
	}
	return ref, nil
}

// Get implements Store.
func (m *Memory) Get(ctx context.Context, ref Ref) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if _, err := ParseRef(string(ref)); err != nil {
		return nil, err
	}
	m.mu.Lock()
	m.restore(ref)
	b, ok := m.blobs[ref]
	m.mu.Unlock()
	if !ok {
		return nil, fmt.Errorf("object %s: %w", ref, ErrNotFound)
	}
	if err := verify(ref, b.data); err != nil {
		return nil, err
	}
	return append([]byte{}, b.data...), nil
}

// Has implements Store.
func (m *Memory) Has(ctx context.Context, ref Ref) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if _, err := ParseRef(string(ref)); err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.restore(ref)
	_, ok := m.blobs[ref]
	return ok, nil
}

// Damage overwrites a blob behind the store's back, for tests.
func (m *Memory) Damage(ref Ref, data []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.blobs[ref] = memoryBlob{bytes.Clone(data), m.blobs[ref].modified}
}

func memoryKey(kind Kind, name string) string { return string(kind) + "\x00" + name }

// SetName implements Store.
func (m *Memory) SetName(ctx context.Context, kind Kind, name string, value []byte, expect Version) (Version, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	key, err := nameKey(kind, name)
	if err != nil {
		return "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if old := m.names[memoryKey(kind, name)]; old.version != expect {
		return "", fmt.Errorf("%s %q: %w", kind, name, ErrConflict)
	}
	m.version++
	n := memoryName{seal(key, value), Version(strconv.Itoa(m.version)), m.clock()}
	m.names[memoryKey(kind, name)] = n
	return n.version, nil
}

// GetName implements Store.
func (m *Memory) GetName(ctx context.Context, kind Kind, name string) ([]byte, Version, error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	key, err := nameKey(kind, name)
	if err != nil {
		return nil, "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n, ok := m.names[memoryKey(kind, name)]
	if !ok {
		return nil, "", fmt.Errorf("%s %q: %w", kind, name, ErrNotFound)
	}
	value, err := unseal(key, n.value)
	if err != nil {
		return bytes.Clone(n.value), "", fmt.Errorf("%s %q: %w", kind, name, err)
	}
	return bytes.Clone(value), n.version, nil
}

// DamageName flips a bit of a name's value behind the store's back, for tests.
func (m *Memory) DamageName(kind Kind, name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.names[memoryKey(kind, name)]
	n.value = bytes.Clone(n.value)
	n.value[len(n.value)-2] ^= 1
	m.names[memoryKey(kind, name)] = n
}

// DeleteName implements Store.
func (m *Memory) DeleteName(ctx context.Context, kind Kind, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := CheckName(kind, name); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.names, memoryKey(kind, name))
	return nil
}

// Names implements Store.
func (m *Memory) Names(ctx context.Context, kind Kind, prefix string) ([]Entry, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := checkKind(kind); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []Entry
	for key, n := range m.names {
		if name, ok := strings.CutPrefix(key, memoryKey(kind, "")); ok && strings.HasPrefix(name, prefix) {
			out = append(out, Entry{name, n.modified})
		}
	}
	sortEntries(out)
	return out, nil
}

func sortEntries(e []Entry) {
	slices.SortFunc(e, func(a, b Entry) int { return cmp.Compare(a.Name, b.Name) })
}
