package memory

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestCacheLoadsOnceForManyCallers(t *testing.T) {
	c := New(100)
	var loads atomic.Int32
	release := make(chan struct{})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			v, err := c.Get(t.Context(), "k", func(context.Context) (any, int64, error) {
				loads.Add(1)
				<-release
				return "value", 10, nil
			})
			if v != "value" || err != nil {
				t.Errorf("got %v, %v", v, err)
			}
		})
	}
	close(release)
	wg.Wait()
	if n := loads.Load(); n != 1 {
		t.Errorf("loaded %d times", n)
	}
}

func TestCacheKeepsItsBound(t *testing.T) {
	c := New(100)
	for i := range 50 {
		if _, err := c.Get(t.Context(), fmt.Sprint(i), func(context.Context) (any, int64, error) { return i, 30, nil }); err != nil {
			t.Fatal(err)
		}
		if n := c.entries.Len(); c.used > 100 || n > 3 || c.used != int64(30*n) {
			t.Fatalf("after %d entries: %d bytes in %d entries", i+1, c.used, n)
		}
	}
	if _, err := c.Get(t.Context(), "49", func(context.Context) (any, int64, error) {
		return nil, 0,
			errors.New("loaded again")
	}); err != nil {
		t.Errorf("the newest entry was evicted: %v", err)
	}
	if v, err := c.Get(t.Context(), "huge", func(context.Context) (any, int64, error) { return "huge", 101, nil }); v != "huge" || err != nil {
		t.Errorf("got %v, %v", v, err)
	}
	if n := c.entries.Len(); n != 3 {
		t.Errorf("a value over the bound pushed others out: %d left", n)
	}
}

func TestCacheForgetsFailures(t *testing.T) {
	c := New(100)
	boom := errors.New("boom")
	if _, err := c.Get(t.Context(), "k", func(context.Context) (any, int64, error) { return nil, 0, boom }); !errors.Is(err, boom) {
		t.Fatalf("got %v", err)
	}
	if v, err := c.Get(t.Context(), "k", func(context.Context) (any, int64, error) { return 1, 1, nil }); v != 1 || err != nil {
		t.Errorf("got %v, %v", v, err)
	}
}

// Whose load panics has the panic; who waited for it loads anew, and so does who
// comes later.
func TestCacheSurvivesAPanic(t *testing.T) {
	c := New(100)
	loading, release := make(chan struct{}), make(chan struct{})
	waiter := make(chan error)
	var panicked any
	var wg sync.WaitGroup
	wg.Go(func() {
		defer func() { panicked = recover() }()
		_, _ = c.Get(t.Context(), "k", func(context.Context) (any, int64, error) {
			close(loading)
			<-release
			panic("boom")
		})
	})
	<-loading
	go func() {
		v, err := c.Get(t.Context(), "k", func(context.Context) (any, int64, error) { return 1, 1, nil })
		if v != 1 && err == nil {
			err = fmt.Errorf("got %v", v)
		}
		waiter <- err
	}()
	time.Sleep(10 * time.Millisecond) // so that it waits, most likely
	close(release)
	if err := <-waiter; err != nil {
		t.Error(err)
	}
	wg.Wait()
	if said := fmt.Sprint(panicked); !strings.Contains(said, "boom") || !strings.Contains(said, "TestCacheSurvivesAPanic") {
		t.Errorf("the panic does not say where: %v", panicked)
	}
	if v, err := c.Get(t.Context(), "k", func(context.Context) (any, int64, error) { return 2, 1, nil }); v != 1 || err != nil {
		t.Errorf("got %v, %v", v, err)
	}
}

// Who gives up gets away at once, whether he loads or waits, and others have what
// they asked for.
func TestCacheOfThoseWhoGiveUp(t *testing.T) {
	c := New(100)
	loading := make(chan struct{})
	first, giveUp := context.WithCancel(t.Context())
	owner, waiter := make(chan error), make(chan error)
	go func() {
		_, err := c.Get(first, "k", func(ctx context.Context) (any, int64, error) {
			close(loading)
			<-ctx.Done()
			return nil, 0, ctx.Err()
		})
		owner <- err
	}()
	<-loading
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	never := func(context.Context) (any, int64, error) { return nil, 0, errors.New("loaded by one who has given up") }
	if _, err := c.Get(impatient, "k", never); !errors.Is(err, context.Canceled) {
		t.Errorf("one who waits: %v", err)
	}
	go func() {
		v, err := c.Get(t.Context(), "k", func(context.Context) (any, int64, error) { return 1, 1, nil })
		if v != 1 && err == nil {
			err = fmt.Errorf("got %v", v)
		}
		waiter <- err
	}()
	time.Sleep(10 * time.Millisecond) // so that it waits, most likely
	giveUp()
	if err := <-owner; !errors.Is(err, context.Canceled) {
		t.Errorf("the loader: %v", err)
	}
	if err := <-waiter; err != nil {
		t.Errorf("another: %v", err)
	}
}
