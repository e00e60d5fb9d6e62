package activities

import (
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"tnaml/activities/memory"
	"tnaml/experiments/search"
)

// liveSearches keeps strategy states in memory between Learn calls, under the
// digest of everything they have absorbed. A state is taken out while it is
// being changed: whoever fails half-way simply does not put it back, and the
// next call rebuilds it.
type liveSearches struct {
	memory.Tally
	mu     sync.Mutex // to look a state up and to remove it is one step
	states *simplelru.LRU[string, *search.Searcher]
}

func newLiveSearches(limit int) *liveSearches {
	return &liveSearches{states: memory.NewLRU[*search.Searcher](limit, nil)}
}

// take removes and returns the state under a key, or nil.
func (l *liveSearches) take(key string) *search.Searcher {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, there := l.states.Get(key)
	l.Note(there)
	l.states.Remove(key)
	return s
}

// put keeps a state under a key.
func (l *liveSearches) put(key string, s *search.Searcher) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.states.Add(key, s)
}
