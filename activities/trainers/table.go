package trainers

import (
	"context"

	"tnaml/activities/memory"
	"tnaml/activities/store"
	"tnaml/experiments/trainer"
)

// Table looks outcomes up in the task's object.
type Table struct {
	trainer.Table
	store  store.Store
	memory *memory.Cache
}

// NewTable returns the trainer over a store.
func NewTable(s store.Store, m *memory.Cache) *Table { return &Table{store: s, memory: m} }

// Version is that of the look-up.
func (*Table) Version() string { return "1" }

// Cached says that looking up again is cheaper than any cache.
func (*Table) Cached() bool { return false }

// Run looks a trial up.
func (t *Table) Run(ctx context.Context, r trainer.Request, progress func(trainer.Progress) error) (trainer.Result, error) {
	return failed("not there yet"), nil
}
