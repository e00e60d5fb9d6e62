package library

import (
	"time"

	"tnaml/activities/store"
	"tnaml/experiments/search"
	"tnaml/experiments/trainer"
)

// CachedTrial is the value of names/trial/<key>: a result that any search may
// take over instead of training the same child model again.
type CachedTrial struct {
	// Outcome names the model, if it was stored.
	Outcome trainer.Outcome `json:"outcome"`
	Cost    search.Cost     `json:"cost"`
	// Holds says which searches were given the model, or the object of its examples.
	// Until its next checkpoint a search has the references in its workflow only, where
	// garbage collection does not look.
	Holds []Hold `json:"holds,omitempty"`
}

// Hold says that a search was given references.
type Hold struct {
	Search string `json:"search"`
	// Line is the search's (Fence) that was given them, Since when by the worker's clock.
	Line     string    `json:"line"`
	Since    time.Time `json:"since"`
	Model    store.Ref `json:"model,omitempty"`
	Examples store.Ref `json:"examples,omitempty"`
	// Dropped is when a collection has found first that nobody wants it any more.
	Dropped time.Time `json:"dropped,omitzero"`
}

// Same says that two holds are of the same references, given to the same line.
func (h Hold) Same(as Hold) bool {
	return h.Search == as.Search && h.Line == as.Line && h.Model == as.Model && h.Examples == as.Examples
}
