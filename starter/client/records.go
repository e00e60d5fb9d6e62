package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/activities/trainers"
	"tnaml/experiments/benchmark"
	"tnaml/experiments/space"
	"tnaml/experiments/study"
	"tnaml/experiments/trainer"
)

// Records are what an experiment's searches of its targets have measured so far, of all
// tasks or of those named: a record a task, of the search that has the most trials.
// Searches of more arms or seeds than one are refused: a record
// is of one search.
func (c *Client) Records(ctx context.Context, experiment string, tasks []string) ([]*benchmark.Record, error) {
	st, err := library.ReadStudy(ctx, c.Store, experiment)
	if err != nil {
		return nil, err
	}
	longest := map[string]study.Ledger{}
	var order, known []string
	for _, l := range st.Ledgers {
		if l.Phase != study.Transfer || l.Config.Space.Name == "" {
			continue
		}
		known = append(known, l.Task)
		if len(tasks) > 0 && !slices.Contains(tasks, l.Task) {
			continue
		}
		had, there := longest[l.Task]
		if !there {
			order = append(order, l.Task)
		} else if had.Arm != l.Arm || had.Seed != l.Seed {
			return nil, fmt.Errorf("experiment %q has searched %s with the arms %s and %s, seeds %d and %d: a record is of one search, so pack an "+
				"experiment of one arm and one seed, as bench-record is", experiment, l.Task, had.Arm, l.Arm, had.Seed, l.Seed)
		}
		if !there || len(l.Trials) > len(had.Trials) {
			longest[l.Task] = l
		}
	}
	var wrong []error
	for _, t := range tasks {
		if !slices.Contains(known, t) {
			wrong = append(wrong, fmt.Errorf("experiment %q has not searched the task %q", experiment, t))
		}
	}
	if len(known) == 0 {
		wrong = append(wrong, fmt.Errorf("experiment %q has no searches on record yet", experiment))
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, err
	}
	var out []*benchmark.Record
	for _, task := range order {
		l := longest[task]
		r, err := c.record(ctx, &l, "starter run "+experiment)
		if err != nil {
			return nil, fmt.Errorf("search %q: %w", l.Search, err)
		}
		out = append(out, r)
	}
	return out, nil
}

// record is a search's ledger as a record.
func (c *Client) record(ctx context.Context, l *study.Ledger, command string) (*benchmark.Record, error) {
	found, err := library.ReadRecord(ctx, c.Store, l.Search)
	if err != nil {
		return nil, err
	}
	var limits struct {
		MemoryLimitMB int64 `json:"memory_limit_mb"`
	}
	if err := json.Unmarshal(found.Spec, &limits); err != nil {
		return nil, fmt.Errorf("its spec: %w", err)
	}
	r := &benchmark.Record{Provenance: benchmark.Provenance{
		Config: l.Config, Trainer: l.Config.Space.TrainerName(), MemoryBytes: limits.MemoryLimitMB << 20, Command: command,
	}}
	if r.Provenance.Trainer == space.DefaultTrainer {
		r.Provenance.Trainer = trainers.NewBuiltin(nil, nil).Version()
	}
	var sets []string
	for _, cost := range l.Costs {
		if !slices.Contains(sets, cost.InstructionSet) {
			sets = append(sets, cost.InstructionSet)
		}
	}
	slices.Sort(sets)
	r.Provenance.InstructionSet = strings.Join(sets, ", ")
	r.Rows = make([]benchmark.Row, len(l.Trials))
	at := make([]int, len(l.Trials))
	for i := range at {
		at[i] = i
	}
	const parallel = 16
	err = store.Each(ctx, parallel, at, func(ctx context.Context, i int) error {
		t := l.Trials[i]
		right, err := library.RightOf(ctx, c.Store, t)
		if err != nil {
			return fmt.Errorf("trial %d: %w", t.Trial, err)
		}
		r.Rows[i] = benchmark.NewRow(t, l.Costs[i].CPUSeconds, right)
		return nil
	})
	// A record has all models' examples, or none: of a trainer that keeps some elsewhere it has none.
	if slices.ContainsFunc(r.Rows, func(row benchmark.Row) bool { return row.Status == trainer.OK && row.Right == nil }) {
		for i := range r.Rows {
			r.Rows[i].Right = nil
		}
	}
	return r, err
}
