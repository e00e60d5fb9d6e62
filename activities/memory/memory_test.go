package memory

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
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
		if c.used > 100 || len(c.index) > 3 || c.order.Len() != len(c.index) {
			t.Fatalf("after %d entries: %d bytes in %d entries", i+1, c.used, len(c.index))
		}
	}
	if _, err := c.Get(t.Context(), "49", func(context.Context) (any, int64, error) { return nil, 0, errors.New("loaded again") }); err != nil {
		t.Errorf("the newest entry was evicted: %v", err)
	}
	if v, err := c.Get(t.Context(), "huge", func(context.Context) (any, int64, error) { return "huge", 101, nil }); v != "huge" || err != nil {
		t.Errorf("got %v, %v", v, err)
	}
	if len(c.index) != 3 {
		t.Errorf("a value over the bound pushed others out: %d left", len(c.index))
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

func TestCacheSurvivesAPanic(t *testing.T) {
	c := New(100)
	func() {
		defer func() { _ = recover() }()
		_, _ = c.Get(t.Context(), "k", func(context.Context) (any, int64, error) { panic("boom") })
	}()
	if v, err := c.Get(t.Context(), "k", func(context.Context) (any, int64, error) { return 1, 1, nil }); v != 1 || err != nil {
		t.Errorf("got %v, %v", v, err)
	}
}
