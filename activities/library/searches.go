package library

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"tnaml/activities/store"
	"tnaml/experiments/search"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/nn/safetensors"
)

// SearchRecord is the value of names/search/<name>.
type SearchRecord struct {
	Name string `json:"name"`
	// RunID is the first run of the workflow's chain, which a reset keeps. Owner is
	// whose the name is: that run, or, of an experiment's search, the experiment's.
	RunID string `json:"run_id"`
	Owner string `json:"owner,omitempty"`
	Fence
	Spec json.RawMessage `json:"spec"`
	// Namespace is Temporal's, where the workflow is; empty where it is not known.
	Namespace string `json:"namespace,omitempty"`
	// Config is empty where the start failed.
	Config store.Ref `json:"config,omitempty"`
	// Status is "running" until Finish says otherwise. A terminated workflow
	// leaves it at "running": Temporal knows better. Reason says why it failed.
	Status  string    `json:"status"`
	Reason  string    `json:"reason,omitempty"`
	Started time.Time `json:"started,omitzero"`
	Ended   time.Time `json:"ended,omitzero"`
	Told    int       `json:"told"`
	// Trials is the budget that it had when it ended, extensions counted.
	Trials int `json:"trials,omitempty"`
	// Best is the best value on the validation split, and Objective what it is of, once
	// the search has ended.
	Best      *float64        `json:"best,omitempty"`
	Objective space.Objective `json:"objective,omitzero"`
	// Seconds is how long it has run by then, pauses left out, with the searches that it
	// goes on from.
	Seconds float64 `json:"seconds,omitempty"`
	// Ledger is the newest segment of the ledger, State the strategy's state after
	// it, of a search that runs, Costs the newest cost segment.
	Ledger     store.Ref `json:"ledger,omitempty"`
	State      store.Ref `json:"state,omitempty"`
	Costs      store.Ref `json:"costs,omitempty"`
	Controller store.Ref `json:"controller,omitempty"`
	// Origins are the searches that it goes on from, oldest first: its ledger has their
	// trials.
	Origins []Origin `json:"origins,omitempty"`
	// Sources are the searches whose trials it started from.
	Sources []Taken `json:"sources,omitempty"`
	// Reevaluated says whose models it trains again, and which, of one that does.
	Reevaluated *Reevaluated `json:"reevaluated,omitempty"`
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

// StartSearch gives a search that starts its name, with the record that it begins
// with. A name that another run holds is a HeldError, and an attempt whose search has gone on
// without it ErrLate: nothing is written.
func StartSearch(ctx context.Context, s store.Store, started SearchRecord) error {
	return searches.update(ctx, s, started.Name, func(r *SearchRecord, _ bool) error {
		if err := r.heldFrom(started.Owner); err != nil {
			return err
		}
		fence, taken, err := r.begin(started.Fence)
		if again := r.RunID == started.RunID && !taken; err == nil && again && r.Config != "" && (r.Told > started.Told || !r.Ended.IsZero()) {
			err = ErrLate
		}
		if err != nil {
			return fmt.Errorf("%s %q: %w", store.Search, started.Name, err)
		}
		*r = started
		r.Fence = fence
		return nil
	})
}

// UpdateRecord changes the record of a search that goes on, by compare-and-set. The
// record is there already, unless the name was removed and the workflow goes on: what
// it leads to is then all that is kept of it. A name that another run has taken since
// is a HeldError, and of whose line others have come after is ErrLate: garbage collection would delete what they
// have learned. A line that goes on takes its own record never back: it leaves what is further, or has ended,
// as it is. So may an attempt that was asleep, and so may the run itself, that does again what a workflow task did
// that was lost with its worker: it will come to the same.
func UpdateRecord(ctx context.Context, s store.Store, name string, w Writer, change func(*SearchRecord)) error {
	return searches.update(ctx, s, name, func(r *SearchRecord, there bool) error {
		if there && r.RunID != w.RunID && r.Config != "" {
			return r.held()
		}
		before := *r
		fence, taken, err := r.pass(w.Line)
		r.Fence, r.RunID, r.Config = fence, w.RunID, w.Config
		if r.Status == "" {
			r.Owner, r.Status = w.RunID, "running"
		}
		change(r)
		if err != nil {
			return fmt.Errorf("%s %q: %w", store.Search, name, err)
		}
		if back := r.Told < before.Told || !before.Ended.IsZero(); !taken && r.Ended.IsZero() && back {
			return errKeep
		}
		return nil
	})
}

// CloseRecord says in a run's record, if it has one, how the run ended.
func CloseRecord(ctx context.Context, s store.Store, name string, w Writer, status, reason string, ended time.Time) error {
	return searches.update(ctx, s, name, func(r *SearchRecord, there bool) error {
		fence, _, err := r.pass(w.Line)
		if !there || r.RunID != w.RunID || err != nil {
			return errKeep
		}
		r.Fence, r.Status, r.Reason, r.Ended = fence, status, cmp.Or(r.Reason, reason), ended
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
