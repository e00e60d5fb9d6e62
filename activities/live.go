package activities

import (
	"container/list"
	"sync"

	"tnaml/experiments/search"
)

// liveSearches keeps strategy states in memory between Learn calls, under the
// digest of everything they have absorbed. A state is taken out while it is
// being changed: whoever fails half-way simply does not put it back, and the
// next call rebuilds it from checkpoint and journal.
type liveSearches struct {
	mu    sync.Mutex
	limit int
	order *list.List // of *liveSearch, most recently used first
	index map[string]*list.Element
}

type liveSearch struct {
	key      string
	searcher *search.Searcher
}

func newLiveSearches(limit int) *liveSearches {
	return &liveSearches{limit: limit, order: list.New(), index: map[string]*list.Element{}}
}

// take removes and returns the state under a key, or nil.
func (l *liveSearches) take(key string) *search.Searcher {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.index[key]
	if !ok {
		return nil
	}
	l.order.Remove(e)
	delete(l.index, key)
	return e.Value.(*liveSearch).searcher
}

// put keeps a state under a key.
func (l *liveSearches) put(key string, s *search.Searcher) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e, ok := l.index[key]; ok {
		e.Value.(*liveSearch).searcher = s
		l.order.MoveToFront(e)
		return
	}
	l.index[key] = l.order.PushFront(&liveSearch{key, s})
	for l.order.Len() > l.limit {
		last := l.order.Back()
		l.order.Remove(last)
		delete(l.index, last.Value.(*liveSearch).key)
	}
}
