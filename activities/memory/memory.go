// Package memory keeps what a worker has loaded and decoded, within a bound of
// bytes.
package memory

import (
	"context"
	"fmt"
	"math"
	"runtime/debug"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/sync/singleflight"
)

// Cache keeps decoded, read-only values in memory, least recently used out
// first, within a bound of bytes. A value being loaded is loaded once: others
// who ask for it wait.
type Cache struct {
	Tally
	mu      sync.Mutex
	limit   int64
	used    int64
	entries *simplelru.LRU[string, entry]
	loads   singleflight.Group
}

type entry struct {
	value any
	size  int64
}

// New returns a cache of at most limit bytes.
func New(limit int64) *Cache {
	c := &Cache{limit: limit}
	// What bounds it is the sum of sizes, not their number: see add.
	c.entries = NewLRU(math.MaxInt, func(_ string, e entry) { c.used -= e.size })
	return c
}

// NewLRU returns an LRU cache of at most size entries, not safe for concurrent use.
func NewLRU[V any](size int, evicted func(string, V)) *simplelru.LRU[string, V] {
	l, err := simplelru.NewLRU(size, evicted)
	if err != nil {
		panic(err) // a size below 1: a programmer error
	}
	return l
}

// Get returns the value of a key, loading it if it is absent. load says how
// many bytes the value takes. A failed load is not kept, and fails nobody but
// its own caller: whoever waited for it tries it again, since the caller may
// merely have given up. A panic is the caller's too.
func (c *Cache) Get(ctx context.Context, key string, load func(context.Context) (any, int64, error)) (any, error) {
	v, ok := c.find(key)
	if c.Note(ok); ok {
		return v, nil
	}
	for {
		// Written by the load, and read after its end: they say that it was this call's.
		var own bool
		var panicked any
		done := c.loads.DoChan(key, func() (value any, err error) {
			own = true
			defer func() {
				if p := recover(); p != nil {
					panicked = fmt.Sprintf("%v\n%s", p, debug.Stack())
					err = errLoadPanicked
				}
			}()
			if v, ok := c.find(key); ok {
				return v, nil // loaded since it was asked for
			}
			value, size, err := load(ctx)
			if err == nil {
				c.add(key, entry{value, size})
			}
			return value, err
		})
		select {
		case r := <-done:
			switch {
			case r.Err == nil:
				return r.Val, nil
			case own && panicked != nil:
				panic(panicked)
			case own:
				return nil, r.Err
			}
		case <-ctx.Done(): // a load of this call's own ends by itself
			return nil, ctx.Err()
		}
	}
}

func (c *Cache) find(key string) (any, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries.Get(key)
	return e.value, ok
}

// add inserts an entry and evicts others until the bound holds. A value larger
// than the whole bound is not kept.
func (c *Cache) add(key string, e entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.size > c.limit {
		return
	}
	c.entries.Add(key, e)
	for c.used += e.size; c.used > c.limit; {
		c.entries.RemoveOldest()
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
