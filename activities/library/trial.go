package library

import (
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
	// Holds says which searches were given the model. Until its next checkpoint
	// a search has the reference in its workflow only, where garbage collection
	// does not look.
	Holds []Hold `json:"holds,omitempty"`
}

// Hold says that a search was given a model.
type Hold struct {
	Search string    `json:"search"`
	Model  store.Ref `json:"model"`
}
