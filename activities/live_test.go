package activities

import (
	"sync"
	"sync/atomic"
	"testing"

	"tnaml/experiments/search"
)

// A state is given to one taker alone, and the least recently used go first.
func TestLiveSearches(t *testing.T) {
	l := newLiveSearches(2)
	states := []*search.Searcher{{}, {}, {}}
	for i, key := range []string{"a", "b", "c"} {
		l.put(key, states[i])
	}
	if l.take("a") != nil || l.take("b") != states[1] || l.take("b") != nil {
		t.Error("not the newest two, each once")
	}
	var taken atomic.Int32
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if l.take("c") == states[2] {
				taken.Add(1)
			}
		})
	}
	wg.Wait()
	if n := taken.Load(); n != 1 {
		t.Errorf("taken %d times", n)
	}
}
