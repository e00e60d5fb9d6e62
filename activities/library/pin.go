package library

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"tnaml/activities/store"
	"tnaml/experiments/search"
	"tnaml/experiments/search/pruner"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// Names are what a person configures a search with: names that stand for objects.
type Names struct {
	Tasks    []string        `json:"tasks"`
	Strategy string          `json:"strategy"`
	Settings json.RawMessage `json:"settings,omitempty"`
	// Space names the search space; empty: the controller's, else that of the tasks'
	// kind.
	Space string `json:"space"`
	Seed  uint64 `json:"seed"`
	Lag   int    `json:"lag"`
	// KeepModels is the number of models kept of each task.
	KeepModels int `json:"keep_models"`
	// Modules are those to choose from where the space asks for all; empty: those
	// of the controller, else all in the store.
	Modules []string `json:"modules,omitempty"`
	// Controller is the pretrained controller to start from: name, name@version
	// or digest.
	Controller string `json:"controller,omitempty"`
	// Sources names the searches whose trials the strategy learns from. They have ended.
	Sources []string `json:"sources,omitempty"`
	// Pruner ends trials early; nil: none does.
	Pruner *pruner.Choice `json:"pruner,omitempty"`
	// Budget is checked against the objective.
	Budget search.Budget `json:"budget,omitzero"`
}

// Pin finds the objects that a search's names stand for now. The sources, if there are
// any, are yet to be stored. What is named wrongly is ErrInvalid, all of it together;
// other errors are the store's.
func Pin(ctx context.Context, s store.Store, n Names) (*search.Config, *Sources, error) {
	config := &search.Config{Strategy: n.Strategy, Seed: n.Seed, Lag: n.Lag, KeepModels: n.KeepModels}
	var wrong []error
	if n.Pruner != nil {
		canonical, err := n.Pruner.Canonical()
		if config.Pruner = &canonical; err != nil {
			wrong = append(wrong, err)
		}
	}
	tasks, faults, err := PinTasks(ctx, s, n.Tasks)
	if err != nil {
		return nil, nil, err
	}
	config.Tasks, wrong = tasks, append(wrong, faults...)
	var from *strategy.Pretrained
	if n.Controller != "" {
		from, _, err = LoadController(ctx, s, n.Controller)
		switch {
		case errors.Is(err, store.ErrNotFound):
			wrong = append(wrong, err)
		case err != nil:
			return nil, nil, err
		}
	}
	past, faults, err := readPast(ctx, s, n.Sources)
	if err != nil {
		return nil, nil, err
	}
	wrong = append(wrong, faults...)
	config.Space, config.Modules, faults, err = PinSpace(ctx, s, n.Space, config.Kind(), config.Tasks, n.Modules, from)
	if err != nil {
		return nil, nil, err
	}
	if from != nil && len(faults) == 0 && len(config.Tasks) > 0 {
		if from, err = from.For(&config.Space); err != nil {
			return nil, nil, Invalid(err) // PinSpace has said so already
		}
	}
	if d, err := strategy.Builtin().Find(n.Strategy); err != nil {
		wrong = append(wrong, err)
	} else if len(n.Sources) > 0 && !d.FromSources {
		wrong = append(wrong, fmt.Errorf(`"sources": the strategy %s learns from no trials of other tasks`, n.Strategy))
	} else if n.Controller == "" || from != nil {
		if from != nil && d.Continues {
			config.Controller = from.Ref
		}
		if config.Settings, err = d.Canonical(n.Settings, from); err != nil {
			wrong = append(wrong, fmt.Errorf("settings of %s: %w", n.Strategy, err))
		}
	}
	if err := n.Budget.Unreachable(config.Space.Objective); err != nil {
		wrong = append(wrong, err)
	}
	if wrong = append(wrong, faults...); len(wrong) > 0 {
		return nil, nil, Invalid(errors.Join(wrong...))
	}
	sources, err := pinSources(config, past)
	if err := errors.Join(err, config.Validate()); err != nil {
		return nil, nil, Invalid(err)
	}
	return config, sources, nil
}

// PinTasks finds tasks by name. They must be of one kind. wrong holds what is
// named wrongly; err is the store's.
func PinTasks(ctx context.Context, s store.Store, names []string) (tasks []search.Task, wrong []error, err error) {
	var missing []string
	unquoted := "" // the first that is missing
	for _, name := range names {
		record, err := datasets.get(ctx, s, name)
		switch {
		case errors.Is(err, store.ErrNotFound):
			if len(missing) == 0 {
				unquoted = name
			}
			missing = append(missing, strconv.Quote(name))
			continue
		case errors.Is(err, ErrUnreadable):
			wrong = append(wrong, err)
			continue
		case err != nil:
			return nil, nil, err
		}
		t := record.task()
		if len(tasks) > 0 && t.Kind != tasks[0].Kind {
			wrong = append(wrong, fmt.Errorf("task %q is of kind %s and task %q of kind %s: one controller designs models of one kind",
				tasks[0].Name, tasks[0].Kind, name, t.Kind))
			continue
		}
		tasks = append(tasks, t)
	}
	if len(missing) > 0 {
		known, err := namesNear(ctx, s, store.Dataset, unquoted)
		if err != nil {
			return nil, nil, err
		}
		wrong = append(wrong, fmt.Errorf("there is no task %s (%s): import with `starter data import`, "+
			"what is public with `starter data pull`, or add an external one with `starter task add`", strings.Join(missing, ", "), known))
	}
	return tasks, wrong, nil
}

// PinSpace finds a search space by name, empty for the controller's or that of
// the tasks' kind, and fills it: with settings and objective, and with the modules
// to choose from, all there are of the kind where modules is empty and from brings
// none; those of documents' vectors only where they have all the tasks'. wrong holds what is named wrongly; err is the store's.
func PinSpace(
	ctx context.Context, s store.Store, name, kind string, tasks []search.Task, modules []string, from *strategy.Pretrained,
) (
	filled space.Space, pinned []search.Module, wrong []error, err error,
) {
	if name == "" && from != nil {
		name = from.Space().Name
	}
	if name == "" {
		name = kind // the built-in spaces are named so
	}
	if name == "" {
		return filled, nil, nil, nil // without a task, which is wrong already
	}
	sp, err := LoadSpace(ctx, s, name)
	switch {
	case name == kind && errors.Is(err, ErrInvalid):
		wrong = append(wrong, fmt.Errorf("tasks of kind %s have no search space of their own: name one (see `starter space list`)", kind))
	case errors.Is(err, store.ErrNotFound) || errors.Is(err, ErrInvalid):
		wrong = append(wrong, err)
	case err != nil:
		return filled, nil, nil, err
	}
	found := err == nil
	catalogue, err := Modules(ctx, s)
	switch {
	case errors.Is(err, ErrUnreadable):
		wrong = append(wrong, err)
	case err != nil:
		return filled, nil, nil, err
	}
	catalogue = slices.DeleteFunc(catalogue, func(r ModuleRecord) bool { return kind != "" && string(r.Kind) != kind })
	catalogue = slices.DeleteFunc(catalogue, func(r ModuleRecord) bool {
		task := r.lacks(tasks)
		if task != "" && slices.Contains(modules, r.Name) {
			wrong = append(wrong, fmt.Errorf("the module %q holds vectors of documents, and none of the task %q: give them with "+
				"`starter data import … --vectors FILE --vectors-name %s`", r.Name, task, r.Name))
			modules = slices.DeleteFunc(slices.Clone(modules), func(n string) bool { return n == r.Name })
		}
		return task != ""
	})
	if len(modules) == 0 && from != nil { // the controller's, but for those that are gone
		modules = slices.DeleteFunc(from.Modules(), func(name string) bool {
			return !slices.ContainsFunc(catalogue, func(r ModuleRecord) bool { return r.Name == name })
		})
	}
	if len(modules) > 0 {
		chosen, fault := chooseModules(catalogue, modules)
		if fault != nil {
			wrong = append(wrong, fault)
		} else {
			catalogue = chosen
		}
	}
	if !found || kind == "" { // nothing to fill, or without a task to fill it for
		return filled, nil, wrong, nil
	}
	refs := map[string]store.Ref{}
	var names []string
	for _, m := range catalogue {
		names, refs[m.Name] = append(names, m.Name), m.Ref
	}
	def := trainer.Find(sp.TrainerName())
	if !def.Takes(kind) {
		return filled, nil, append(wrong, fmt.Errorf("space %q is for the trainer %s, which takes no tasks of kind %s",
			name, def.Name(), kind)), nil
	}
	if filled, err = def.Fill(sp, kind, names); err != nil {
		return filled, nil, append(wrong, err), nil
	}
	for _, m := range def.Modules(&filled) {
		pinned = append(pinned, search.Module{Name: m, Data: string(refs[m])})
	}
	if from != nil {
		if err := from.Fits(&filled); err != nil {
			wrong = append(wrong, err)
		}
	}
	return filled, pinned, wrong, nil
}

// chooseModules picks modules of the catalogue by name.
func chooseModules(catalogue []ModuleRecord, names []string) ([]ModuleRecord, error) {
	var out []ModuleRecord
	var missing, known []string
	for _, m := range catalogue {
		known = append(known, m.Name)
		if slices.Contains(names, m.Name) {
			out = append(out, m)
		}
	}
	for _, n := range names {
		if !slices.Contains(known, n) {
			missing = append(missing, n)
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("no module %s of the tasks' kind in the store (there are: %s)",
			strings.Join(missing, ", "), nearest(known, missing[0]))
	}
	return out, nil
}

// ClaimAll claims what a configuration needs. What is gone is ErrInvalid, all of
// it together.
func ClaimAll(ctx context.Context, s store.Store, config *search.Config) error {
	var gone []error
	check := func(ref, what, name, wayOut string) error {
		if ref == "" { // an external task's, that has nothing attached
			return nil
		}
		err := Claim(ctx, s, store.Ref(ref))
		if errors.Is(err, store.ErrNotFound) {
			gone = append(gone, fmt.Errorf("%s %q: its %w: %s", what, name, err, wayOut))
			return nil
		}
		return err
	}
	for _, t := range config.Tasks {
		if err := check(t.Data, "task", t.Name, "import it again"); err != nil {
			return err
		}
	}
	for _, m := range config.Modules {
		if err := check(m.Data, "module", m.Name, "add it again, or remove its name"); err != nil {
			return err
		}
	}
	if len(gone) > 0 {
		return Invalid(errors.Join(gone...))
	}
	return nil
}
