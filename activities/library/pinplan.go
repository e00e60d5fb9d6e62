package library

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"tnaml/activities/store"
	"tnaml/experiments/catalog"
	"tnaml/experiments/search"
	"tnaml/experiments/search/strategy"
)

// PinPlan finds what the names in an experiment's plan stand for now. What is named
// wrongly is ErrInvalid, all of it together; other errors are the store's.
func PinPlan(ctx context.Context, s store.Store, plan *catalog.Plan) (*Planned, error) {
	p := &Planned{Plan: *plan, Controllers: map[string]ControllerVersion{}}
	wrong, err := pinPlan(ctx, s, p)
	if err != nil {
		return nil, err
	}
	if len(wrong) > 0 {
		return nil, Invalid(fmt.Errorf("experiment %q: %w", p.Experiment, errors.Join(wrong...)))
	}
	return p, nil
}

// pinPlan finds what a plan's names stand for. What is missing is in wrong, the
// store's own trouble is err.
func pinPlan(ctx context.Context, s store.Store, p *Planned) (wrong []error, err error) {
	tasks, wrong, err := PinTasks(ctx, s, p.Tasks())
	if err != nil {
		return nil, err
	}
	loaded, missed, err := pinControllers(ctx, s, p)
	if err != nil {
		return nil, err
	}
	return pinPlanSpace(ctx, s, p, tasks, loaded, append(wrong, missed...))
}

// pinControllers finds the published controllers that arms start from.
func pinControllers(ctx context.Context, s store.Store, p *Planned) (loaded []pinned, wrong []error, err error) {
	arms, read := map[string]bool{}, map[string]*strategy.Pretrained{}
	for _, step := range p.Searches {
		from := cmp.Or(step.From, step.Sources)
		learned := func(s catalog.PretrainStep) bool { return s.Pretraining == from }
		if arms[step.Arm] || from == "" || slices.ContainsFunc(p.Pretrain, learned) {
			continue
		}
		arms[step.Arm] = true
		c, ok := read[from]
		if !ok {
			var v ControllerVersion
			c, v, err = LoadController(ctx, s, from)
			if errors.Is(err, store.ErrNotFound) && step.From == "" { // it may be a search
				past, faults, err := readPast(ctx, s, []string{from})
				if err != nil {
					return nil, nil, err
				}
				for _, fault := range faults {
					wrong = append(wrong, fmt.Errorf("the arm %q starts from %q, which is no controller: %w", step.Arm, from, fault))
				}
				for _, search := range past {
					p.Controllers[from] = ControllerVersion{Search: search.Name, Trials: len(search.Trials)}
				}
				continue
			}
			if errors.Is(err, store.ErrNotFound) {
				wrong = append(wrong, fmt.Errorf("the arm %q starts from a controller: %w", step.Arm, err))
			} else if err != nil {
				return nil, nil, err
			}
			read[from], p.Controllers[from] = c, v
		}
		if c != nil && step.Sources != "" {
			fault, err := pinSearchOf(ctx, s, p.Controllers[from])
			if err != nil {
				return nil, nil, err
			}
			if fault != nil {
				wrong = append(wrong, fmt.Errorf("the arm %q learns from the trials behind the controller %s: %w", step.Arm, from, fault))
			}
		}
		if c != nil && step.From != "" {
			loaded = append(loaded, pinned{step, c})
		}
	}
	return loaded, wrong, nil
}

// pinSearchOf makes sure that the search is there which learned a controller. fault says
// why there is none.
func pinSearchOf(ctx context.Context, s store.Store, v ControllerVersion) (fault, err error) {
	if v.Search == "" {
		return errors.New("which search learned it is not known: it was imported, or named by its digest"), nil
	}
	_, err = ReadRecord(ctx, s, v.Search)
	if errors.Is(err, store.ErrNotFound) {
		return err, nil
	}
	return nil, err
}

// pinned is the first search of an arm that starts from a published controller.
type pinned struct {
	step       catalog.SearchStep
	controller *strategy.Pretrained
}

func pinPlanSpace(ctx context.Context, s store.Store, p *Planned, tasks []search.Task, loaded []pinned, wrong []error) ([]error, error) {
	kind := ""
	if len(tasks) > 0 {
		kind = tasks[0].Kind
	}
	var from *strategy.Pretrained
	if len(loaded) > 0 {
		from = loaded[0].controller
	}
	// All searches of the run choose from the same modules.
	filled, modules, faults, err := PinSpace(ctx, s, p.Spec.Space, kind, tasks, p.Spec.Modules, from)
	if err != nil {
		return nil, err
	}
	wrong = append(wrong, faults...)
	p.Modules = []string{}
	for _, m := range modules {
		p.Modules = append(p.Modules, m.Name)
	}
	if len(faults) > 0 {
		return wrong, nil
	}
	arms := map[string]bool{}
	for _, step := range p.Searches {
		if err := step.Budget.Unreachable(filled.Objective); err != nil && !arms[step.Arm] {
			wrong = append(wrong, fmt.Errorf("the arm %q: %w", step.Arm, err))
		}
		arms[step.Arm] = true
	}
	for _, l := range loaded {
		from, err := l.controller.For(&filled)
		if err != nil {
			return append(wrong, fmt.Errorf("the arm %q starts from %s: %w", l.step.Arm, l.step.From, err)), nil
		}
		if _, err := strategy.SettingsFrom(l.step.Strategy, l.step.Settings, from); err != nil {
			wrong = append(wrong, fmt.Errorf("the arm %q starts from %s: %w", l.step.Arm, l.step.From, err))
		}
	}
	return wrong, nil
}
