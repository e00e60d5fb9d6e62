package library

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"tnaml/activities/store"
	"tnaml/experiments/data"
	"tnaml/experiments/search"
	"tnaml/experiments/yardstick"
)

// YardstickRecord is the value of names/yardstick/<key>: what the yardsticks have on a
// task. It goes when the task is kept no more.
type YardstickRecord struct {
	Data    store.Ref          `json:"data"`
	Results []yardstick.Result `json:"results"`
}

// yardstickKey is the name of the yardsticks of a task: a digest of all they are a
// function of.
func yardstickKey(task store.Ref) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "yardstick %d %s", yardstick.Version, task))
	return hex.EncodeToString(sum[:])
}

// Yardsticks reads what the yardsticks have on a task, by its data: nothing where they
// have not been trained, or the record is damaged: to train them again repairs it.
func Yardsticks(ctx context.Context, s store.Store, task store.Ref) ([]yardstick.Result, error) {
	r, err := yardsticks.get(ctx, s, yardstickKey(task))
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, ErrUnreadable) {
		return nil, nil
	}
	return r.Results, err
}

// YardsticksOf is Yardsticks of a search's task.
func YardsticksOf(ctx context.Context, s store.Store, t search.Task) ([]yardstick.Result, error) {
	if t.Kind != string(data.Text) || t.Data == "" {
		return nil, nil
	}
	return Yardsticks(ctx, s, store.Ref(t.Data))
}

// PublishYardsticks keeps what the yardsticks have on a task, in the place of what was kept before.
func PublishYardsticks(ctx context.Context, s store.Store, task store.Ref, results []yardstick.Result) error {
	return yardsticks.publish(ctx, s, yardstickKey(task), YardstickRecord{task, results}, true)
}
