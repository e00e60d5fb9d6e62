package search

import (
	"errors"
	"fmt"
	"slices"

	"tnaml/experiments/search/strategy"
	"tnaml/nn/safetensors"
)

// Segment is a piece of the ledger: the trials between two checkpoints, and the
// reference of the earlier one, empty for the first. Segments are small and kept
// for ever; states are apart from them, and only the newest are needed.
type Segment struct {
	Previous string  `json:"previous,omitempty"`
	Trials   []Trial `json:"trials"`
}

// state is the part of a state's object that is JSON.
type state struct {
	// Config is the configuration's digest, Space the search space's.
	Config  string     `json:"config"`
	Space   string     `json:"space"`
	Told    int        `json:"told"`
	Pending []pending  `json:"pending"`
	Leaders [][]Leader `json:"leaders"`
	Range   extents    `json:"range"`
}

// The kinds of a checkpoint's two objects.
const (
	segmentKind = "ledger"
	stateKind   = "state"
)

// Segment returns the trials told since the last call as a segment of the
// ledger, an object; previous references the segment that was returned then.
// FORMAT.md describes it.
func (s *Searcher) Segment(previous string) []byte {
	segment := Segment{Previous: previous, Trials: s.segment}
	if segment.Trials == nil {
		segment.Trials = []Trial{}
	}
	s.segment = nil
	return segment.Encode()
}

// Encode returns the segment as an object.
func (s Segment) Encode() []byte {
	f := safetensors.New(segmentKind)
	f.PutJSON("segment", s)
	return f.Encode()
}

// State returns the state as an object (FORMAT.md). Equal states give equal
// bytes.
func (s *Searcher) State() []byte {
	f := safetensors.New(stateKind)
	f.PutJSON("state", state{s.digest, s.config.Space.Digest(), s.told, s.pending, s.leaders, s.extents})
	s.strategy.Put(f)
	if s.pruner != nil {
		s.pruner.Put(f)
	}
	return f.Encode()
}

// Restore returns the searcher that a state was of. A state of another
// configuration is an error.
func Restore(c Config, object []byte) (*Searcher, error) {
	return RestoreOf(strategy.Builtin(), c, object)
}

// RestoreOf is Restore with the strategies of a table.
func RestoreOf(table strategy.Table, c Config, object []byte) (*Searcher, error) {
	return restore(table, c, object, c.Digest())
}

// Fork returns the searcher that goes on from s under a configuration that differs in
// its Fork and in its strategy's settings. All of the strategy's state is carried
// over; settings that leave no place for a part of it are an error, and so are those
// that only a start reads. Proposals that wait for their outcome stay as they are.
func (s *Searcher) Fork(c Config) (*Searcher, error) {
	same := c
	same.Fork, same.Settings = s.config.Fork, s.config.Settings
	if same.Digest() != s.digest {
		return nil, errors.New("fork: the configurations differ in more than the strategy's settings")
	}
	if c.Fork == nil || c.Fork.Trials != s.told {
		return nil, fmt.Errorf("fork: the search stands at %d trials", s.told)
	}
	d, err := strategy.Builtin().Find(c.Strategy)
	if err != nil {
		return nil, fmt.Errorf("fork: %w", err)
	}
	if err := d.CheckFork(s.config.Settings, c.Settings); err != nil {
		return nil, fmt.Errorf("settings of %s: %w", c.Strategy, err)
	}
	forked, err := restore(strategy.Builtin(), c, s.State(), s.digest)
	if err != nil {
		return nil, fmt.Errorf("the settings of %s do not fit the search's %w", c.Strategy, err)
	}
	had, has := safetensors.New(stateKind), safetensors.New(stateKind)
	s.strategy.Put(had)
	forked.strategy.Put(has)
	for _, name := range had.Names() {
		if !slices.Contains(has.Names(), name) {
			return nil, fmt.Errorf("the settings of %s do not fit the search's state: they have no place for its %s", c.Strategy, name)
		}
	}
	return forked, nil
}

// restore is RestoreOf for a state made by the configuration of a digest.
func restore(table strategy.Table, c Config, object []byte, digest string) (*Searcher, error) {
	f, err := decode(object, stateKind)
	if err != nil {
		return nil, err
	}
	fresh := c
	fresh.Controller, fresh.Sources = "", "" // what is still needed of them is in the state
	s, err := blank(table, fresh, fresh.Start(nil, nil))
	if err != nil {
		return nil, err
	}
	s.config, s.digest = c, c.Digest()
	var st state
	if err := f.GetJSON("state", &st); err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	if st.Config != digest {
		return nil, fmt.Errorf("state: made by the search configuration %s, this one is %s", st.Config, digest)
	}
	if len(st.Pending) != c.Lag || len(st.Leaders) != len(c.Tasks) || len(st.Range) != len(c.Tasks) || st.Told < 0 {
		return nil, fmt.Errorf("state: %d proposals for a lag of %d, leaders of %d tasks for %d",
			len(st.Pending), c.Lag, len(st.Leaders), len(c.Tasks))
	}
	for i, p := range st.Pending {
		if p.Trial != st.Told+i || p.Task < 0 || p.Task >= len(c.Tasks) {
			return nil, fmt.Errorf("state: proposal %d is for trial %d of task %d", i, p.Trial, p.Task)
		}
		if _, err := c.Space.Values(p.Actions); err != nil {
			return nil, fmt.Errorf("state: proposal for trial %d: %w", p.Trial, err)
		}
	}
	s.told, s.pending, s.leaders, s.extents = st.Told, st.Pending, st.Leaders, st.Range
	if s.pruner != nil {
		if err := s.pruner.Get(f); err != nil {
			return nil, fmt.Errorf("state: %w", err)
		}
	}
	if err := s.strategy.Get(f); err != nil {
		return nil, fmt.Errorf("state: strategy %s: %w", c.Strategy, err)
	}
	return s, nil
}

// DecodeSegment reads a segment of the ledger.
func DecodeSegment(object []byte) (Segment, error) {
	var s Segment
	f, err := decode(object, segmentKind)
	if err != nil {
		return s, err
	}
	if err := f.GetJSON("segment", &s); err != nil {
		return s, fmt.Errorf("ledger: %w", err)
	}
	return s, nil
}

func decode(b []byte, kind string) (*safetensors.File, error) {
	f, err := safetensors.Decode(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kind, err)
	}
	if f.Kind() != kind {
		return nil, fmt.Errorf("%s: the object is a %q", kind, f.Kind())
	}
	return f, nil
}

// Controller returns the learned controller as an object: its weights and where
// it comes from. It is nil for strategies that learn none.
func (s *Searcher) Controller() []byte {
	l, ok := s.strategy.(strategy.Learner)
	if !ok {
		return nil
	}
	return strategy.EncodeController(l, strategy.Origin{
		Space: s.config.Space, Tasks: s.config.Tasks, Trials: s.told, Strategy: s.config.Strategy, Seed: s.config.Seed,
		From: s.config.Controller, Settings: s.config.Settings,
	})
}
