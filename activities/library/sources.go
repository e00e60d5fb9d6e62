package library

import (
	"context"
	"errors"
	"fmt"

	"tnaml/activities/store"
	"tnaml/experiments/search"
	"tnaml/experiments/search/strategy"
)

// Taken says how many trials another search has started from, and how many of its were
// left out (search.Config.SourcesOf).
type Taken struct {
	Search  string `json:"search"`
	Trials  int    `json:"trials"`
	LeftOut int    `json:"left_out,omitempty"`
}

// Sources is what a search starts from of others: one object, and what is in it. It is
// a copy: nothing is lost with the searches.
type Sources struct {
	Object []byte
	From   []Taken
}

// readPast reads the ledgers of searches that have ended. wrong holds what is named
// wrongly; err is the store's.
func readPast(ctx context.Context, s store.Store, names []string) (past []search.Past, wrong []error, err error) {
	for _, name := range names {
		record, err := ReadRecord(ctx, s, name)
		switch {
		case errors.Is(err, store.ErrNotFound), errors.Is(err, ErrUnreadable):
			wrong = append(wrong, fmt.Errorf(`"sources": %w`, err))
			continue
		case err != nil:
			return nil, nil, err
		case record.Status == "running":
			wrong = append(wrong, fmt.Errorf(`"sources": search %q has not ended: let it end, or stop it (starter stop %s)`, name, name))
			continue
		case record.Config == "" || record.Ledger == "":
			wrong = append(wrong, fmt.Errorf(`"sources": search %q has no trials on record (%s)`, name, record.Status))
			continue
		}
		p := search.Past{Name: name}
		if p.Config, err = ReadConfig(ctx, s, record.Config); err != nil {
			return nil, nil, err
		}
		if p.Trials, err = ReadLedger(ctx, s, record.Ledger); err != nil {
			return nil, nil, err
		}
		past = append(past, p)
	}
	return past, wrong, nil
}

// pinSources makes the object of the trials that a search starts from; nil without any.
func pinSources(config *search.Config, past []search.Past) (*Sources, error) {
	if len(past) == 0 {
		return nil, nil
	}
	sources, taken, err := config.SourcesOf(past)
	if err != nil {
		return nil, fmt.Errorf(`"sources": %w`, err)
	}
	out := &Sources{Object: strategy.EncodeSources(&config.Space, sources)}
	config.Sources = string(store.RefOf(out.Object))
	for i, p := range past {
		out.From = append(out.From, Taken{p.Name, taken[i], len(p.Trials) - taken[i]})
	}
	return out, nil
}
