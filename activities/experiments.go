package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/catalog"
	"tnaml/experiments/search/strategy"
)

// PlanInput asks for a run's plan.
type PlanInput struct {
	Kind  catalog.Kind    `json:"kind"`
	Name  string          `json:"name"`
	RunID string          `json:"run_id"`
	Spec  json.RawMessage `json:"spec"`
}

// PlanExperiment reads the experiment, plans the run and records that it runs.
// What is wrong with the spec, and what the store lacks, comes together.
func (a *Activities) PlanExperiment(ctx context.Context, in PlanInput) (library.Planned, error) {
	p, err := a.plan(ctx, in)
	if err != nil {
		return library.Planned{}, classify(err)
	}
	report, err := library.PutReport(ctx, a.store, &library.RunReport{Plan: *p, Outcomes: []library.Outcome{}})
	if err != nil {
		return library.Planned{}, classify(err)
	}
	entry := library.RunEntry{
		Name: in.Name, RunID: in.RunID, Kind: in.Kind, Status: "running", Started: time.Now().UTC().Truncate(time.Second),
		Searches: len(p.Pretrain) + len(p.Searches), Report: report,
	}
	return *p, classify(library.UpdateRun(ctx, a.store, p.Experiment, entry, func(*library.RunEntry) {}))
}

func (a *Activities) plan(ctx context.Context, in PlanInput) (*library.Planned, error) {
	name, err := catalog.ExperimentOf(in.Spec)
	if err != nil {
		return nil, invalid(fmt.Errorf("%s spec: %w", in.Kind, err))
	}
	e, err := library.LoadExperiment(ctx, a.store, name)
	if errors.Is(err, store.ErrNotFound) {
		return nil, invalid(err)
	}
	if err != nil {
		return nil, err
	}
	plan, err := catalog.MakePlan(in.Kind, e, in.Spec)
	if err != nil {
		return nil, invalid(err)
	}
	p := &library.Planned{Plan: *plan, Controllers: map[string]library.ControllerVersion{}}
	wrong, err := a.pin(ctx, p)
	if err != nil {
		return nil, err
	}
	if len(wrong) > 0 {
		return nil, invalid(fmt.Errorf("experiment %q: %w", name, errors.Join(wrong...)))
	}
	return p, nil
}

// pin finds what a plan's names stand for. What is missing is in wrong, the
// store's own trouble is err.
func (a *Activities) pin(ctx context.Context, p *library.Planned) (wrong []error, err error) {
	tasks, wrong, err := library.PinTasks(ctx, a.store, p.Tasks())
	if err != nil {
		return nil, err
	}
	kind := ""
	if len(tasks) > 0 {
		kind = tasks[0].Kind
	}
	loaded, missed, err := a.pinControllers(ctx, p)
	if err != nil {
		return nil, err
	}
	return a.pinSpace(ctx, p, kind, loaded, append(wrong, missed...))
}

// pinControllers finds the published controllers that arms start from.
func (a *Activities) pinControllers(ctx context.Context, p *library.Planned) (loaded []pinned, wrong []error, err error) {
	arms, read := map[string]bool{}, map[string]*strategy.Pretrained{}
	for _, step := range p.Searches {
		learned := func(s catalog.PretrainStep) bool { return s.Pretraining == step.From }
		if arms[step.Arm] || step.From == "" || slices.ContainsFunc(p.Pretrain, learned) {
			continue
		}
		arms[step.Arm] = true
		c, ok := read[step.From]
		if !ok {
			var v library.ControllerVersion
			if c, v, err = library.LoadController(ctx, a.store, step.From); errors.Is(err, store.ErrNotFound) {
				wrong = append(wrong, fmt.Errorf("the arm %q starts from a controller: %w", step.Arm, err))
			} else if err != nil {
				return nil, nil, err
			}
			read[step.From], p.Controllers[step.From] = c, v
		}
		if c != nil {
			loaded = append(loaded, pinned{step, c})
		}
	}
	return loaded, wrong, nil
}

// pinned is the first search of an arm that starts from a published controller.
type pinned struct {
	step       catalog.SearchStep
	controller *strategy.Pretrained
}

func (a *Activities) pinSpace(ctx context.Context, p *library.Planned, kind string, loaded []pinned, wrong []error) ([]error, error) {
	var from *strategy.Pretrained
	if len(loaded) > 0 {
		from = loaded[0].controller
	}
	// All searches of the run choose from the same modules.
	filled, modules, faults, err := library.PinSpace(ctx, a.store, p.Spec.Space, kind, p.Spec.Modules, from)
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
	for _, l := range loaded {
		if err := l.controller.Fits(&filled); err != nil {
			return append(wrong, fmt.Errorf("the arm %q starts from %s: %w", l.step.Arm, l.step.From, err)), nil
		}
		if _, err := strategy.TransferSettings(l.step.Strategy, l.step.Settings, l.controller); err != nil {
			wrong = append(wrong, fmt.Errorf("the arm %q starts from %s: %w", l.step.Arm, l.step.From, err))
		}
	}
	return wrong, nil
}

// RecordRunInput writes down how far a run is.
type RecordRunInput struct {
	Experiment string            `json:"experiment"`
	Kind       catalog.Kind      `json:"kind"`
	Name       string            `json:"name"`
	RunID      string            `json:"run_id"`
	Status     string            `json:"status"`
	Outcomes   []library.Outcome `json:"outcomes"`
}

// RecordRun stores a run's outcomes under its experiment.
func (a *Activities) RecordRun(ctx context.Context, in RecordRunInput) (store.Ref, error) {
	ref, err := a.recordRun(ctx, in)
	return ref, classify(err)
}

func (a *Activities) recordRun(ctx context.Context, in RecordRunInput) (store.Ref, error) {
	entry, report, err := library.FindRun(ctx, a.store, in.Experiment, in.Name, in.RunID)
	if err != nil {
		return "", err
	}
	report.Outcomes = in.Outcomes
	ref, err := library.PutReport(ctx, a.store, report)
	if err != nil {
		return "", err
	}
	return ref, library.UpdateRun(ctx, a.store, in.Experiment, *entry, func(e *library.RunEntry) { e.Status, e.Report = in.Status, ref })
}
