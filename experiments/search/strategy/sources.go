package strategy

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/nn/safetensors"
)

// Source is what is known of another task: the trials of searches of it, in their
// order.
type Source struct {
	Task   string  `json:"task"`
	Trials []Known `json:"trials"`
}

// Known is a trial of another task, its actions in the space of the search that
// learns from it. Rewards of two tasks are not of one scale.
type Known struct {
	Actions []int          `json:"actions"`
	Status  trainer.Status `json:"status"`
	// Reward is what the strategy was told, more being better (Told).
	Reward float64 `json:"reward"`
}

// sourcesKind is the kind of a sources object.
const sourcesKind = "sources"

// EncodeSources makes the object of the other tasks' trials that a search in the
// space starts from: a safetensors file of the kind "sources" with the digest of the
// space and, as one JSON array of bytes, the sources.
func EncodeSources(sp *space.Space, sources []Source) []byte {
	f := safetensors.New(sourcesKind)
	f.PutJSON("space", sp.Digest())
	b, err := json.Marshal(sources)
	if err != nil {
		panic(err) // plain numbers and strings
	}
	safetensors.Put(f, "sources", b, len(b))
	return f.Encode()
}

// DecodeSources reads what EncodeSources wrote for the space.
func DecodeSources(b []byte, sp *space.Space) (ref string, sources []Source, err error) {
	f, err := safetensors.DecodeKind(b, sourcesKind)
	if err != nil {
		return "", nil, fmt.Errorf("sources: %w", err)
	}
	var of string
	if err := f.GetJSON("space", &of); err != nil {
		return "", nil, fmt.Errorf("sources: %w", err)
	}
	if of != sp.Digest() {
		return "", nil, fmt.Errorf("sources: they are of the space %s, the search's is %s", of, sp.Digest())
	}
	raw, _, err := safetensors.Get[uint8](f, "sources")
	if err == nil {
		err = json.Unmarshal(raw, &sources)
	}
	if err != nil {
		return "", nil, fmt.Errorf("sources: %w", err)
	}
	return digest(b), sources, checkSources(sp, sources)
}

// rewarded are what strategies learn from: of each task its trials' actions with rewards
// that can be compared, as inside a search (effective). Tasks without a trial that ended
// well are left out.
func rewarded(sources []Source) (out []rewardedTask) {
	for _, s := range sources {
		task := rewardedTask{name: s.Task}
		var statuses []trainer.Status
		var told []float64
		for _, t := range s.Trials {
			statuses, told = append(statuses, t.Status), append(told, t.Reward)
			task.actions, task.ok = append(task.actions, t.Actions), append(task.ok, t.Status == trainer.OK)
		}
		if slices.Contains(task.ok, true) {
			task.rewards = effective(statuses, told)
			out = append(out, task)
		}
	}
	return out
}

type rewardedTask struct {
	name    string
	actions [][]int
	rewards []float64
	ok      []bool
}

// best lists the n best of the trials that ended well, the best first, equal ones in
// their order.
func (t *rewardedTask) best(n int) []int {
	order := slices.DeleteFunc(descending(t.rewards), func(i int) bool { return !t.ok[i] })
	return order[:min(n, len(order))]
}

// putActions saves one sequence of actions a row.
func putActions(f *safetensors.File, name string, choices int, actions [][]int) {
	flat := make([]int32, 0, len(actions)*choices)
	for _, row := range actions {
		for _, a := range row {
			flat = append(flat, int32(a))
		}
	}
	safetensors.Put(f, name, flat, len(actions), choices)
}

// getActions reads what putActions saved, of the space.
func getActions(f *safetensors.File, name string, sp *space.Space) ([][]int, error) {
	flat, shape, err := safetensors.Get[int32](f, name, -1, len(sp.Choices))
	if err != nil {
		return nil, err
	}
	actions := make([][]int, shape[0])
	for i := range actions {
		actions[i] = make([]int, len(sp.Choices))
		for k := range actions[i] {
			actions[i][k] = int(flat[i*len(sp.Choices)+k])
		}
		if _, err := sp.Values(actions[i]); err != nil {
			return nil, fmt.Errorf("%s: row %d: %w", name, i, err)
		}
	}
	return actions, nil
}

func checkSources(sp *space.Space, sources []Source) error {
	var errs []error
	for _, s := range sources {
		for i, t := range s.Trials {
			if _, err := sp.Values(t.Actions); err != nil {
				errs = append(errs, fmt.Errorf("sources: task %q, trial %d: %w", s.Task, i, err))
				break
			}
		}
	}
	return errors.Join(errs...)
}
