package client

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/catalog"
	"tnaml/experiments/search"
	"tnaml/workflows"
)

// problems collects what is wrong with a request, to be told together. The store's own
// trouble ends the checks.
type problems struct{ wrong []error }

// add takes an error that says what is wrong with the request, and returns others.
func (p *problems) add(err error) error {
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, library.ErrInvalid) {
		p.wrong = append(p.wrong, err)
		return nil
	}
	return err
}

// checkSearch finds out before a search is started what its workflow would refuse: all
// names that lead nowhere, and settings that its strategy does not know.
func (c *Client) checkSearch(ctx context.Context, spec workflows.SearchSpec) error {
	var p problems
	if err := c.checkTasks(ctx, &p, spec.Tasks); err != nil {
		return err
	}
	if err := c.checkNames(ctx, &p, spec.Space, spec.Modules); err != nil {
		return err
	}
	if err := c.checkStrategy(ctx, &p, spec); err != nil {
		return err
	}
	return errors.Join(p.wrong...)
}

// checkPlan does so for a run of an experiment.
func (c *Client) checkPlan(ctx context.Context, plan *catalog.Plan) error {
	var p problems
	if err := c.checkTasks(ctx, &p, plan.Tasks()); err != nil {
		return err
	}
	if err := c.checkNames(ctx, &p, plan.Spec.Space, plan.Spec.Modules); err != nil {
		return err
	}
	asked := map[string]bool{"": true} // from nothing
	for _, step := range plan.Pretrain {
		asked[step.Pretraining] = true // it will be there
	}
	for _, step := range plan.Searches {
		if asked[step.From] {
			continue
		}
		asked[step.From] = true
		_, err := library.FindController(ctx, c.Store, step.From)
		if err := p.add(err); err != nil {
			return err
		}
	}
	return errors.Join(p.wrong...)
}

// checkTasks looks for all tasks at once.
func (c *Client) checkTasks(ctx context.Context, p *problems, tasks []string) error {
	entries, err := c.Store.Names(ctx, store.Dataset, "")
	if err != nil {
		return err
	}
	known := map[string]bool{}
	var names []string
	for _, e := range entries {
		known[e.Name] = true
		names = append(names, e.Name)
	}
	var errs []error
	for _, t := range tasks {
		if !known[t] {
			errs = append(errs, fmt.Errorf("there is no task %q", t))
		}
	}
	switch {
	case len(errs) == 0:
	case len(names) == 0:
		p.wrong = append(p.wrong, fmt.Errorf("%w, nor any other: import one with `starter data import`", errors.Join(errs...)))
	default:
		p.wrong = append(p.wrong, fmt.Errorf("%w (there are: %s)", errors.Join(errs...), strings.Join(names, ", ")))
	}
	return nil
}

// checkNames looks for a space and modules; an empty space is chosen later.
func (c *Client) checkNames(ctx context.Context, p *problems, space string, modules []string) error {
	if space != "" {
		if _, err := library.LoadSpace(ctx, c.Store, space); err != nil {
			p.wrong = append(p.wrong, err)
		}
	}
	for _, name := range modules {
		_, err := library.Module(ctx, c.Store, name)
		if err := p.add(err); err != nil {
			return err
		}
	}
	return nil
}

// checkStrategy looks for the controller, and reads the settings.
func (c *Client) checkStrategy(ctx context.Context, p *problems, spec workflows.SearchSpec) error {
	var err error
	if spec.Controller == "" {
		_, err = search.ParseSettings(spec.Strategy, spec.Settings)
	} else {
		from, _, e := library.LoadController(ctx, c.Store, spec.Controller)
		if e != nil {
			return p.add(e)
		}
		_, err = search.TransferSettings(spec.Strategy, spec.Settings, from)
	}
	if err != nil {
		p.wrong = append(p.wrong, fmt.Errorf("settings of %s: %w", spec.Strategy, err))
	}
	return nil
}
