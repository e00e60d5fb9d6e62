package library

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tnaml/activities/store"
	"tnaml/experiments/catalog"
	"tnaml/experiments/data"
	"tnaml/experiments/search"
	"tnaml/experiments/space"
)

// Removal is a name to be removed. To remove a name is all that is done: what it
// stands for stays as long as another name leads to it, and then until garbage
// collection.
type Removal struct {
	Kind store.Kind `json:"kind"`
	Name string     `json:"name"`
	// Runs are those of an experiment that go; the experiment itself stays if Part.
	Runs []string `json:"runs,omitempty"`
	Part bool     `json:"part,omitempty"`
	// Searches are an experiment's searches, whose names go with it.
	Searches []string `json:"searches,omitempty"`
	// KeptBy names the searches that were configured with what the name stands for,
	// and keep it.
	KeptBy []string `json:"kept_by,omitempty"`
}

// PlanRemoval finds out what removing names means. runs, of a single experiment
// only, leaves the experiment itself alone. Names that do not exist, or are built
// in, are reported together.
func PlanRemoval(ctx context.Context, s store.Store, kind store.Kind, names, runs []string) ([]Removal, error) {
	var out []Removal
	var wrong []error
	for _, name := range names {
		if slices.ContainsFunc(out, func(r Removal) bool { return r.Name == name }) {
			continue
		}
		value, _, err := s.GetName(ctx, kind, name)
		if errors.Is(err, store.ErrCorrupt) { // what is damaged can go
			err = nil
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		r := Removal{Kind: kind, Name: name, Part: len(runs) > 0}
		switch {
		case kind == store.Space && err != nil && slices.Contains(space.BuiltinNames(), name):
			wrong = append(wrong, fmt.Errorf("space %q is built in and stays", name))
			continue
		case kind == store.Experiment && catalog.IsBuiltin(name) && !r.Part:
			wrong = append(wrong, fmt.Errorf("experiment %q is built in and stays; its runs can be removed with --run", name))
			continue
		case kind == store.Experiment && catalog.IsBuiltin(name) && err != nil: // it is there, without a record
			wrong = append(wrong, r.unknownRun(runs[0], nil))
			continue
		case err != nil:
			wrong = append(wrong, unknownName(ctx, s, kind, name))
			continue
		}
		if kind == store.Experiment {
			if err := r.experiment(ctx, s, value, runs); err != nil {
				wrong = append(wrong, err)
			}
		}
		out = append(out, r)
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, err
	}
	return out, keptBy(ctx, s, kind, out)
}

// experiment fills in an experiment's runs and searches. A record or a report that
// cannot be read must not keep the name from being removed.
func (r *Removal) experiment(ctx context.Context, s store.Store, value []byte, runs []string) error {
	var record ExperimentRecord
	if err := experiments.decode(r.Name, value, &record); err != nil && r.Part {
		return err
	}
	var known []string
	for _, e := range record.Runs {
		known = append(known, e.Name)
		if r.Part && !slices.Contains(runs, e.Name) {
			continue
		}
		if !slices.Contains(r.Runs, e.Name) {
			r.Runs = append(r.Runs, e.Name)
		}
		names, err := searchesOf(ctx, s, e)
		if err != nil {
			continue
		}
		for _, name := range names {
			if _, _, err := s.GetName(ctx, store.Search, name); errors.Is(err, store.ErrNotFound) {
				continue
			} else if err != nil {
				return err
			}
			if !slices.Contains(r.Searches, name) {
				r.Searches = append(r.Searches, name)
			}
		}
	}
	for _, run := range runs {
		if !slices.Contains(known, run) {
			return r.unknownRun(run, known)
		}
	}
	return nil
}

func (r *Removal) unknownRun(run string, known []string) error {
	if len(known) == 0 {
		return fmt.Errorf("experiment %q has no run %s: %w, nor any other", r.Name, run, store.ErrNotFound)
	}
	return fmt.Errorf("experiment %q has no run %s: %w (there are: %s)", r.Name, run, store.ErrNotFound, strings.Join(known, ", "))
}

// searchesOf names the searches of a run.
func searchesOf(ctx context.Context, s store.Store, e RunEntry) ([]string, error) {
	if e.Report == "" { // its start failed
		return nil, nil
	}
	report, err := ReadReport(ctx, s, e.Report)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, o := range slices.Concat(report.Outcomes, report.Plan.Outcomes(e.Name)) {
		if !slices.Contains(names, o.Search) {
			names = append(names, o.Search)
		}
	}
	return names, nil
}

// RunOf finds the run that a search belongs to, among those whose record says that
// they run; its name is empty where there is none.
func RunOf(ctx context.Context, s store.Store, searchName string) (RunEntry, error) {
	records, err := Experiments(ctx, s)
	if err != nil {
		return RunEntry{}, err
	}
	for _, r := range records {
		for _, e := range r.Runs {
			if e.Status != "running" {
				continue
			}
			names, err := searchesOf(ctx, s, e)
			if err != nil {
				return RunEntry{}, fmt.Errorf("experiment %q: run %s: %w", r.Name, e.Name, err)
			}
			if slices.Contains(names, searchName) {
				return e, nil
			}
		}
	}
	return RunEntry{}, nil
}

// keptBy finds the searches that keep what names stand for.
func keptBy(ctx context.Context, s store.Store, kind store.Kind, removals []Removal) error {
	if kind != store.Dataset && kind != store.Module && kind != store.Controller {
		return nil
	}
	refs := map[string][]int{} // of removals, by what they stand for
	for i, r := range removals {
		for _, ref := range refsOf(ctx, s, r) {
			refs[ref] = append(refs[ref], i)
		}
	}
	records, err := Searches(ctx, s)
	if err != nil && !errors.Is(err, ErrUnreadable) {
		return err
	}
	configs := map[store.Ref]*search.Config{}
	for _, record := range records {
		if record.Config == "" {
			continue
		}
		if configs[record.Config] == nil {
			if configs[record.Config], err = ReadConfig(ctx, s, record.Config); err != nil {
				continue // what it keeps, garbage collection will ask, and not give up
			}
		}
		c := configs[record.Config]
		used := []string{c.Controller}
		for _, t := range c.Tasks {
			used = append(used, t.Data)
		}
		for _, m := range c.Modules {
			used = append(used, m.Data)
		}
		for _, ref := range used {
			for _, i := range refs[ref] {
				if !slices.Contains(removals[i].KeptBy, record.Name) {
					removals[i].KeptBy = append(removals[i].KeptBy, record.Name)
				}
			}
		}
	}
	return ctx.Err()
}

// refsOf are the objects that a name stands for; none where its record cannot be
// read.
func refsOf(ctx context.Context, s store.Store, r Removal) (out []string) {
	either := records[struct {
		Ref      string
		Card     data.Card
		Versions []ControllerVersion
	}]{r.Kind}
	record, err := either.get(ctx, s, r.Name)
	if err != nil {
		return nil
	}
	if record.Ref != "" {
		out = append(out, record.Ref)
	}
	if e := record.Card.External; e != nil && e.Attached != nil {
		out = append(out, e.Attached.Ref)
	}
	for _, v := range record.Versions {
		out = append(out, string(v.Ref))
	}
	return out
}

// Remove removes names. What was done already, or is gone, is no error.
func Remove(ctx context.Context, s store.Store, removals []Removal) error {
	for _, r := range removals {
		// The searches first: should it break off, the experiment still names them.
		for _, name := range r.Searches {
			if err := s.DeleteName(ctx, store.Search, name); err != nil {
				return err
			}
		}
		if !r.Part {
			if err := s.DeleteName(ctx, r.Kind, r.Name); err != nil {
				return err
			}
			continue
		}
		err := experiments.update(ctx, s, r.Name, func(record *ExperimentRecord, there bool) error {
			if !there {
				return errKeep
			}
			record.Runs = slices.DeleteFunc(record.Runs, func(e RunEntry) bool { return slices.Contains(r.Runs, e.Name) })
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// RecordedRunning lists the searches and runs of experiments whose records say that
// they run. Temporal knows whether they do.
func RecordedRunning(ctx context.Context, s store.Store) ([]string, error) {
	searches, err := Searches(ctx, s)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, r := range searches {
		if r.Status == "running" {
			out = append(out, r.Name)
		}
	}
	records, err := Experiments(ctx, s)
	if err != nil {
		return nil, err
	}
	for _, r := range records {
		for _, e := range r.Runs {
			if e.Status == "running" && !slices.Contains(out, e.Name) {
				out = append(out, e.Name)
			}
		}
	}
	return out, nil
}
