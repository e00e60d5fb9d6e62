package search

import (
	"fmt"

	"tnaml/nn/safetensors"
)

// Segment is a piece of the ledger: the trials between two checkpoints, and
// the reference of the earlier one, empty for the first.
type Segment struct {
	Previous string  `json:"previous,omitempty"`
	Trials   []Trial `json:"trials"`
}

// state is the part of a checkpoint that is JSON.
type state struct {
	// Config is the configuration's digest.
	Config string `json:"config"`
	// Space is the search space's digest.
	Space   string     `json:"space"`
	Told    int        `json:"told"`
	Pending []pending  `json:"pending"`
	Leaders [][]Leader `json:"leaders"`
}

const checkpointKind = "checkpoint"

// Checkpoint returns the state as an object, with the ledger segment of the
// trials since the last call and the reference of the checkpoint made then.
// FORMAT.md describes it. Equal states give equal bytes.
func (s *Searcher) Checkpoint(previous string) []byte {
	f := safetensors.New(checkpointKind)
	segment := Segment{Previous: previous, Trials: s.segment}
	if segment.Trials == nil {
		segment.Trials = []Trial{}
	}
	f.PutJSON("segment", segment)
	f.PutJSON("state", state{s.digest, s.config.Space.Digest(), s.told, s.pending, s.leaders})
	s.strategy.put(f)
	s.segment = nil
	return f.Encode()
}

// Restore returns the searcher that a checkpoint was made of. A checkpoint of
// another configuration is an error.
func Restore(c Config, checkpoint []byte) (*Searcher, error) {
	f, err := decode(checkpoint)
	if err != nil {
		return nil, err
	}
	s, err := blank(c, nil) // the weights are the checkpoint's
	if err != nil {
		return nil, err
	}
	var st state
	if err := f.GetJSON("state", &st); err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	if st.Config != s.digest {
		return nil, fmt.Errorf("checkpoint: made by the search configuration %s, this one is %s", st.Config, s.digest)
	}
	if len(st.Pending) != c.Lag || len(st.Leaders) != len(c.Tasks) || st.Told < 0 {
		return nil, fmt.Errorf("checkpoint: %d proposals for a lag of %d, leaders of %d tasks for %d", len(st.Pending), c.Lag, len(st.Leaders), len(c.Tasks))
	}
	for i, p := range st.Pending {
		if p.Trial != st.Told+i || p.Task < 0 || p.Task >= len(c.Tasks) {
			return nil, fmt.Errorf("checkpoint: proposal %d is for trial %d of task %d", i, p.Trial, p.Task)
		}
		if _, _, err := c.Space.Child(p.Actions); err != nil {
			return nil, fmt.Errorf("checkpoint: proposal for trial %d: %w", p.Trial, err)
		}
	}
	s.told, s.pending, s.leaders = st.Told, st.Pending, st.Leaders
	if err := s.strategy.get(f); err != nil {
		return nil, fmt.Errorf("checkpoint: strategy %s: %w", c.Strategy, err)
	}
	return s, nil
}

// DecodeSegment reads the ledger segment of a checkpoint.
func DecodeSegment(checkpoint []byte) (Segment, error) {
	var s Segment
	f, err := decode(checkpoint)
	if err != nil {
		return s, err
	}
	if err := f.GetJSON("segment", &s); err != nil {
		return s, fmt.Errorf("checkpoint: %w", err)
	}
	return s, nil
}

func decode(b []byte) (*safetensors.File, error) {
	f, err := safetensors.Decode(b)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	if f.Kind() != checkpointKind {
		return nil, fmt.Errorf("checkpoint: the object is a %q", f.Kind())
	}
	return f, nil
}

// Controller returns the learned controller as an object: its weights and
// where it comes from. It is nil for strategies that learn none.
func (s *Searcher) Controller() ([]byte, error) {
	f := safetensors.New(controllerKind)
	if !s.strategy.controller(f) {
		return nil, nil
	}
	f.PutJSON("origin", Origin{
		Space: s.config.Space.Digest(), SpaceName: s.config.Space.Name, Choices: s.config.Space.Choices,
		Tasks: s.config.Tasks, Trials: s.told, Strategy: s.config.Strategy, Seed: s.config.Seed,
		From: s.config.Controller, Settings: s.config.Settings,
	})
	return f.Encode(), nil
}
