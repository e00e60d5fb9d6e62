package memory

import "sync/atomic"

// Tally counts how often what was asked of a cache was there.
type Tally struct{ hits, misses atomic.Int64 }

// Note counts an answer.
func (t *Tally) Note(hit bool) {
	if hit {
		t.hits.Add(1)
	} else {
		t.misses.Add(1)
	}
}

// Counts returns the answers so far.
func (t *Tally) Counts() (hits, misses int64) { return t.hits.Load(), t.misses.Load() }
