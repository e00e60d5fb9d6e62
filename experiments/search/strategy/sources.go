package strategy

import (
	"encoding/json"
	"errors"
	"fmt"

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
	// Reward is what the strategy was told, more being better.
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
