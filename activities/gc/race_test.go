package gc_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tnaml/activities/gc"
	"tnaml/activities/library"
	"tnaml/activities/store"
)

// crowd is a store in which time passes and others work between any two calls of a
// collection.
type crowd struct {
	*store.Memory
	t *testing.T

	now atomic.Int64 // nanoseconds since 1970
	mu  sync.Mutex
	r   *rand.Rand
	// pending are references that somebody holds and has not named yet, with the
	// time by which he will have.
	pending []promise
	named   map[string]store.Ref
	count   int
	puts    int
	hits    int
}

type promise struct {
	ref store.Ref
	by  time.Time
}

// hold is how long a reference may be without a name: with a step of time, less than
// the grace period.
const hold = gc.DefaultGrace * 8 / 10

func newCrowd(t *testing.T, seed uint64) *crowd {
	c := &crowd{Memory: store.NewMemory(), t: t, r: rand.New(rand.NewPCG(seed, 1)), named: map[string]store.Ref{}}
	c.now.Store(1e18)
	c.SetClock(c.time)
	return c
}

func (c *crowd) time() time.Time { return time.Unix(0, c.now.Load()) }

func content(i int) []byte { return fmt.Appendf(nil, "content %d", i) }

// work is what happens between two calls. The lock is held.
func (c *crowd) work() {
	ctx := context.Background()
	for range c.r.IntN(3) {
		switch c.r.IntN(6) {
		case 0: // store what may be there already
			ref, err := c.Memory.Put(ctx, content(c.r.IntN(8)))
			if err != nil {
				c.t.Error(err)
			}
			c.pending = append(c.pending, promise{ref, c.time().Add(time.Duration(c.r.Int64N(int64(hold))))})
			c.puts++
		case 1: // a hit of the trial cache
			ref := store.RefOf(content(c.r.IntN(8)))
			if there, err := c.Has(ctx, ref); err != nil {
				c.t.Error(err)
			} else if there {
				c.pending = append(c.pending, promise{ref, c.time().Add(time.Duration(c.r.Int64N(int64(hold))))})
				c.hits++
			}
		case 2, 3: // remove a name
			for name := range c.named {
				if err := c.Memory.DeleteName(ctx, store.Dataset, name); err != nil {
					c.t.Error(err)
				}
				delete(c.named, name)
				break
			}
		case 4: // time passes, now and then much of it
			c.now.Add(c.r.Int64N(int64(gc.DefaultGrace) / 8))
		case 5:
			c.now.Add(c.r.Int64N(int64(time.Minute)))
		}
		c.keepPromises()
	}
}

// keepPromises names what must be named by now.
func (c *crowd) keepPromises() {
	left := c.pending[:0]
	for _, p := range c.pending {
		if p.by.After(c.time()) {
			left = append(left, p)
			continue
		}
		c.count++
		name := fmt.Sprint(c.count)
		value, err := json.Marshal(library.DatasetRecord{Ref: p.ref})
		if err != nil {
			c.t.Error(err)
		}
		if _, err := c.Memory.SetName(context.Background(), store.Dataset, name, value, ""); err != nil {
			c.t.Error(err)
		}
		c.named[name] = p.ref
	}
	c.pending = left
}

// check opens all that is held or named, on a copy: reading puts back.
func (c *crowd) check() {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := map[store.Ref]bool{}
	for _, p := range c.pending {
		all[p.ref] = true
	}
	for _, ref := range c.named {
		all[ref] = true
	}
	there := refs(c.t, c.Memory)
	for ref := range inTrash(c.t, c.Memory) {
		there[ref] = true
	}
	for ref := range all {
		if !there[ref] {
			c.t.Fatalf("%s is lost", ref)
		}
	}
}

func (c *crowd) between() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.work()
}

func (c *crowd) GetName(ctx context.Context, kind store.Kind, name string) ([]byte, store.Version, error) {
	c.between()
	return c.Memory.GetName(ctx, kind, name)
}

func (c *crowd) Names(ctx context.Context, kind store.Kind, prefix string) ([]store.Entry, error) {
	c.between()
	return c.Memory.Names(ctx, kind, prefix)
}

func (c *crowd) Discard(ctx context.Context, ref store.Ref) error {
	c.between()
	return c.Memory.Discard(ctx, ref)
}

func (c *crowd) Purge(ctx context.Context, e []store.Discarded) error {
	c.between()
	return c.Memory.Purge(ctx, e)
}

// Collections, one after another and two at once, amid others who store what is
// there already, take what the trial cache has, name it most of a grace period
// later, and remove names: nothing that is held or named is ever lost, and what is
// not goes.
func TestNothingIsLostInACrowd(t *testing.T) {
	seeds := 60
	if testing.Short() {
		seeds = 10
	}
	deleted, puts, hits := 0, 0, 0
	for seed := range seeds {
		c := newCrowd(t, uint64(seed))
		for range 30 {
			c.between()
			var wg sync.WaitGroup
			for range 1 + seed%2 {
				wg.Go(func() {
					p, err := gc.Survey(t.Context(), c, gc.Options{})
					if err != nil {
						t.Error(err)
						return
					}
					if err := p.Run(t.Context(), c, gc.Options{}); err != nil {
						t.Error(err)
					}
					c.mu.Lock()
					deleted += p.Deleted.Objects
					c.mu.Unlock()
				})
			}
			wg.Wait()
			c.check()
		}
		puts, hits = puts+c.puts, hits+c.hits
	}
	if deleted < seeds || puts < 10*seeds || hits < seeds {
		t.Errorf("%d deleted, %d stored, %d hits: the test is of nothing", deleted, puts, hits)
	}
	t.Logf("%d deleted, %d stored, %d hits", deleted, puts, hits)
}

// A blob that is stored again between marking and setting aside, and named much
// later, outlives the next collection.
func TestStoredAgainWhileCollected(t *testing.T) {
	s := store.NewMemory()
	advance := clockOf(s)
	data := []byte("old")
	ref, err := s.Put(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	advance(30 * gc.DefaultGrace)
	p, err := gc.Survey(t.Context(), s, gc.Options{})
	if err != nil || gc.Sum(p.SetAside).Objects != 1 {
		t.Fatalf("%+v, %v", p, err)
	}
	if _, err := s.Put(t.Context(), data); err != nil { // it is there already
		t.Fatal(err)
	}
	if err := p.Run(t.Context(), s, gc.Options{}); err != nil {
		t.Fatal(err)
	}
	advance(gc.DefaultGrace - time.Minute)
	collect(t, s, gc.Options{})
	value, err := json.Marshal(library.DatasetRecord{Ref: ref})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.SetName(t.Context(), store.Dataset, "late", value, ""); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		advance(gc.DefaultGrace)
		collect(t, s, gc.Options{})
	}
	if !refs(t, s)[ref] || len(inTrash(t, s)) > 0 {
		t.Error("the blob is lost, or its entry is not cleared away")
	}
}

// However short the grace period, an entry of a blob that is reached stays for
// MinGrace: somebody who has copied the blob there may have yet to remove it.
func TestEntriesOfReachedBlobs(t *testing.T) {
	s := store.NewMemory()
	advance := clockOf(s)
	data := []byte("old")
	ref, err := s.Put(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	value, err := json.Marshal(library.DatasetRecord{Ref: ref})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.SetName(t.Context(), store.Dataset, "used", value, ""); err != nil {
		t.Fatal(err)
	}
	if err := s.Discard(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), data); err != nil { // as if it had not been removed yet
		t.Fatal(err)
	}
	o := gc.Options{Grace: gc.NoGrace, Idle: func(context.Context) error { return nil }}
	if p := collect(t, s, o); !inTrash(t, s)[ref] || p.Waiting.Objects != 1 {
		t.Errorf("the entry is gone: %+v", p)
	}
	advance(gc.MinGrace)
	if collect(t, s, o); inTrash(t, s)[ref] || !refs(t, s)[ref] {
		t.Error("the entry stays, or the blob does not")
	}
}
