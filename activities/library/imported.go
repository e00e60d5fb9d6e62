package library

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"tnaml/activities/store"
	"tnaml/experiments/data"
	"tnaml/experiments/data/kinds"
	"tnaml/experiments/exchange"
	"tnaml/experiments/search"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// Imported is the status of a search that none ran: its trials came from a file.
const Imported = search.Imported

// Import says what trials are stored as: a search that has ended.
type Import struct {
	// Name is the search's, Space names the space that the trials are put into.
	Name, Space string
	// Task is that of all trials; empty: the file says.
	Task string
	// Modules are those to choose from where the space asks for all.
	Modules []string
	// Overwrite puts them in the place of other imported trials of the name.
	Overwrite bool
	// Now is the time.
	Now time.Time
}

// importedSegment is how many trials a segment of the ledger has.
const importedSegment = 1000

// ImportTrials stores the trials that read finds for the space, as the ledger of a search
// that has ended: whatever names such a search can name it. Tasks need not be in the
// store; those that are keep their data. What is wrong with the names or the file is
// ErrInvalid, and nothing is stored then.
func ImportTrials(
	ctx context.Context, s store.Store, im Import, read func(*space.Space) (*exchange.Imported, error),
) (*exchange.Imported, error) {
	if err := im.free(ctx, s); err != nil {
		return nil, err
	}
	kind, err := im.kind(ctx, s)
	if err != nil {
		return nil, err
	}
	config := &search.Config{Strategy: search.Imported, Lag: 1}
	var wrong []error
	config.Space, config.Modules, wrong, err = PinSpace(ctx, s, im.Space, kind, nil, im.Modules, nil)
	if err != nil {
		return nil, err
	}
	if len(wrong) > 0 {
		return nil, Invalid(errors.Join(wrong...))
	}
	found, err := read(&config.Space)
	if err != nil {
		return nil, Invalid(err)
	}
	for _, name := range found.Tasks {
		t := search.Task{Name: name, Kind: kind}
		record, err := datasets.get(ctx, s, name)
		switch {
		case err == nil && string(record.Card.Kind()) == kind:
			if of := record.task(); found.Data[name] == "" || found.Data[name] == of.Data {
				t = of
			}
		case err != nil && !errors.Is(err, store.ErrNotFound):
			return nil, err
		}
		config.Tasks = append(config.Tasks, t)
	}
	search.FillRewards(config, found.Trials)
	return found, im.put(ctx, s, config, found)
}

// kind is that of the trials' tasks: of the one that is named, else the first that the
// space's trainer takes, that of the space's name before others.
func (im *Import) kind(ctx context.Context, s store.Store) (string, error) {
	if record, err := datasets.get(ctx, s, im.Task); im.Task != "" && err == nil {
		return string(record.Card.Kind()), nil
	}
	sp, err := LoadSpace(ctx, s, im.Space)
	if err != nil {
		return "", err
	}
	takes := append([]string{sp.Name}, kinds.Names()...)
	known := func(kind string) bool {
		return slices.Contains(takes[1:], kind) && trainer.Find(sp.TrainerName()).Takes(kind)
	}
	if i := slices.IndexFunc(takes, known); i >= 0 {
		return takes[i], nil
	}
	return string(data.Text), nil
}

// free refuses a name that something else has.
func (im *Import) free(ctx context.Context, s store.Store) error {
	held, err := HeldNames(ctx, s)
	if err != nil {
		return err
	}
	var by *HeldError
	if err = held(im.Name); errors.As(err, &by) && by.Kind == store.Search && by.Status == Imported {
		if im.Overwrite {
			return nil
		}
		return fmt.Errorf("imported trials %q %w: choose another name, or replace them with --overwrite", im.Name, ErrExists)
	}
	return err
}

// put stores the ledger, and gives it its name last.
func (im *Import) put(ctx context.Context, s store.Store, config *search.Config, found *exchange.Imported) error {
	spec, err := json.Marshal(Names{Tasks: found.Tasks, Strategy: config.Strategy, Space: im.Space, Lag: 1})
	if err != nil {
		return err
	}
	record := SearchRecord{
		Name: im.Name, Owner: Imported, Spec: spec, Status: Imported, Started: im.Now, Ended: im.Now, Told: len(found.Trials), Released: true,
	}
	if record.Config, err = PutConfig(ctx, s, config); err != nil {
		return err
	}
	for trials := range slices.Chunk(found.Trials, importedSegment) {
		segment := search.Segment{Previous: string(record.Ledger), Trials: trials}
		if record.Ledger, err = s.Put(ctx, segment.Encode()); err != nil {
			return fmt.Errorf("the trials of %q: %w", im.Name, err)
		}
	}
	return searches.update(ctx, s, im.Name, func(r *SearchRecord, there bool) error {
		if there && (r.Status != Imported || !im.Overwrite) {
			if err := r.heldFrom(""); err != nil {
				return err
			}
		}
		*r = record
		return nil
	})
}
