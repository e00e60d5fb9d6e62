// Package memory keeps what a worker has loaded and decoded, within a bound of
// bytes.
package memory

import (
	"container/list"
	"context"
	"sync"
)

// Cache keeps decoded, read-only values in memory, least recently used out
// first, within a bound of bytes. A value being loaded is loaded once: others
// who ask for it wait.
type Cache struct {
	mu    sync.Mutex
	limit int64
	used  int64
	order *list.List // of *entry, most recently used first
	index map[string]*list.Element
	loads map[string]*loading
}

type entry struct {
	key   string
	value any
	size  int64
}

type loading struct {
	done  chan struct{}
	value any
	err   error
}

// New returns a cache of at most limit bytes.
func New(limit int64) *Cache {
	return &Cache{limit: limit, order: list.New(), index: map[string]*list.Element{}, loads: map[string]*loading{}}
}

// Get returns the value of a key, loading it if it is absent. load says how
// many bytes the value takes. A failed load is not kept; one that failed
// because its own caller gave up is tried again by whoever waited for it.
func (c *Cache) Get(ctx context.Context, key string, load func(context.Context) (any, int64, error)) (any, error) {
	for {
		c.mu.Lock()
		if e, ok := c.index[key]; ok {
			c.order.MoveToFront(e)
			c.mu.Unlock()
			return e.Value.(*entry).value, nil
		}
		l, found := c.loads[key]
		if !found {
			l = &loading{done: make(chan struct{})}
			c.loads[key] = l
			c.mu.Unlock()
			return c.fill(ctx, key, l, load)
		}
		c.mu.Unlock()
		select {
		case <-l.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if l.err == nil {
			return l.value, nil
		}
	}
}

func (c *Cache) fill(ctx context.Context, key string, l *loading, load func(context.Context) (any, int64, error)) (any, error) {
	var size int64
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.loads, key)
		if l.err == nil && l.value != nil {
			c.add(&entry{key: key, value: l.value, size: size})
		}
		close(l.done)
	}()
	// A panic in load must not leave others waiting for ever: they see
	// errLoadPanicked and load for themselves.
	l.err = errLoadPanicked
	l.value, size, l.err = load(ctx)
	return l.value, l.err
}

// add inserts an entry and evicts others until the bound holds. A value larger
// than the whole bound is not kept.
func (c *Cache) add(e *entry) {
	if e.size > c.limit {
		return
	}
	c.index[e.key] = c.order.PushFront(e)
	c.used += e.size
	for c.used > c.limit {
		last := c.order.Back()
		old := last.Value.(*entry)
		c.order.Remove(last)
		delete(c.index, old.key)
		c.used -= old.size
	}
}

type cacheError string

func (e cacheError) Error() string { return string(e) }

const errLoadPanicked = cacheError("loading panicked")

// Of is Get for values of one type.
func Of[T any](ctx context.Context, c *Cache, key string, load func(context.Context) (T, int64, error)) (T, error) {
	v, err := c.Get(ctx, key, func(ctx context.Context) (any, int64, error) { return load(ctx) })
	if err != nil {
		var zero T
		return zero, err
	}
	return v.(T), nil
}
