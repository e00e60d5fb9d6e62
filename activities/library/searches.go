package library

import (
	"context"
	"encoding/json"
	"fmt"

	"tnaml/activities/store"
	"tnaml/experiments/search"
	"tnaml/experiments/trainer"
	"tnaml/nn/safetensors"
)

// SearchRecord is the value of names/search/<name>.
type SearchRecord struct {
	Name   string          `json:"name"`
	RunID  string          `json:"run_id"`
	Spec   json.RawMessage `json:"spec"`
	Config store.Ref       `json:"config"`
	// Status is "running" until Finish says otherwise. A terminated workflow
	// leaves it at "running": Temporal knows better.
	Status string `json:"status"`
	Told   int    `json:"told"`
	// Ledger is the newest segment of the ledger, State the strategy's state after
	// it, of a search that runs, Costs the newest cost segment.
	Ledger     store.Ref `json:"ledger,omitempty"`
	State      store.Ref `json:"state,omitempty"`
	Costs      store.Ref `json:"costs,omitempty"`
	Controller store.Ref `json:"controller,omitempty"`
	// Models are those of the tasks' best trials, as of Told. Of a search that runs
	// garbage collection keeps all that it was given; once Released says that it has
	// ended, these alone.
	Models   []store.Ref `json:"models,omitempty"`
	Released bool        `json:"released,omitempty"`
}

// PutConfig stores a search's configuration as an object.
func PutConfig(ctx context.Context, s store.Store, c *search.Config) (store.Ref, error) {
	f := safetensors.New("search")
	f.PutJSON("config", c)
	ref, err := s.Put(ctx, f.Encode())
	if err != nil {
		return "", fmt.Errorf("search configuration: %w", err)
	}
	return ref, nil
}

// ReadConfig reads a search's configuration.
func ReadConfig(ctx context.Context, s store.Store, ref store.Ref) (*search.Config, error) {
	return open(ctx, s, "search configuration", ref, DecodeConfig)
}

// DecodeConfig reads a search configuration's object.
func DecodeConfig(b []byte) (*search.Config, error) {
	f, err := safetensors.Decode(b)
	if err != nil {
		return nil, err
	}
	var c search.Config
	return &c, f.GetJSON("config", &c)
}

// ReadRecord reads what is known of a search by its name.
func ReadRecord(ctx context.Context, s store.Store, name string) (SearchRecord, error) {
	return searches.read(ctx, s, name)
}

// Searches lists the searches, by name: see records.list.
func Searches(ctx context.Context, s store.Store) ([]SearchRecord, error) {
	return searches.list(ctx, s)
}

// GoesOn makes the record that of a search with a configuration. It is already,
// unless the name was removed, or given to another configuration, and the workflow
// reset to go on from before: what the record leads to is all that is kept of it.
func (r *SearchRecord) GoesOn(name string, config store.Ref) {
	r.Name, r.Config = name, config
	if r.Status == "" {
		r.Status = "running"
	}
}

// UpdateRecord changes a search's record by compare-and-set.
func UpdateRecord(ctx context.Context, s store.Store, name string, change func(*SearchRecord)) error {
	return searches.update(ctx, s, name, func(r *SearchRecord, _ bool) error {
		change(r)
		return nil
	})
}

// Claim makes sure that an object is in its place in the store, before a reference
// to it is passed on. One that garbage collection has set aside is put back: package
// gc counts on it, and a worker's disk cache would hand out what it read before
// without asking the store.
func Claim(ctx context.Context, s store.Store, ref store.Ref) error {
	there, err := s.Has(ctx, ref)
	if err == nil && !there {
		err = fmt.Errorf("object %s: %w", ref, store.ErrNotFound)
	}
	return err
}

// moduleOf is the embedding module of a trial's model: its name and object.
func moduleOf(config *search.Config, t search.Trial) (string, store.Ref, error) {
	choices, err := config.Space.Values(t.Actions)
	if err != nil {
		return "", "", err
	}
	name := fmt.Sprint(choices[trainer.Module])
	for _, m := range config.Modules {
		if m.Name == name {
			return name, store.Ref(m.Data), nil
		}
	}
	return "", "", fmt.Errorf("module %q is in the space but not among the search's modules", name)
}
