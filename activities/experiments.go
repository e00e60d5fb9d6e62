package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/catalog"
	"tnaml/experiments/data"
	"tnaml/experiments/search"
	"tnaml/experiments/space"
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
	entries, err := a.store.Names(ctx, store.Dataset, "")
	if err != nil {
		return nil, fmt.Errorf("listing tasks: %w", err)
	}
	var missing []string
	cards := map[string]*data.Card{}
	for _, name := range p.Tasks() {
		if !slices.ContainsFunc(entries, func(e store.Entry) bool { return e.Name == name }) {
			missing = append(missing, name)
			continue
		}
		record, err := library.Dataset(ctx, a.store, name)
		if err != nil {
			return nil, err
		}
		cards[name] = &record.Card
	}
	modality, err := modalityOf(p.Tasks(), cards)
	if err != nil {
		wrong = append(wrong, err)
	}
	if len(missing) > 0 {
		const hint = "import with `starter data import`, or choose others (see `starter data list`)"
		wrong = append(wrong, fmt.Errorf("there is no task %s: %s", strings.Join(missing, ", "), hint))
	}
	loaded, missed, err := a.pinControllers(ctx, p)
	if err != nil {
		return nil, err
	}
	return a.pinSpace(ctx, p, modality, loaded, append(wrong, missed...))
}

// pinControllers finds the published controllers that arms start from.
func (a *Activities) pinControllers(ctx context.Context, p *library.Planned) (loaded []pinned, wrong []error, err error) {
	arms, read := map[string]bool{}, map[string]*search.Pretrained{}
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
	controller *search.Pretrained
}

func (a *Activities) pinSpace(
	ctx context.Context, p *library.Planned, modality data.Kind, loaded []pinned, wrong []error,
) ([]error, error) {
	catalogue, err := library.Modules(ctx, a.store)
	if err != nil {
		return nil, err
	}
	catalogue = ofModality(catalogue, modality)
	modules := catalogue
	if p.Modules = p.Spec.Modules; len(p.Modules) == 0 && len(loaded) > 0 {
		p.Modules = loaded[0].controller.Modules()
	}
	if len(p.Modules) > 0 {
		if modules, err = chooseModules(catalogue, p.Modules); err != nil {
			return append(wrong, err), nil
		}
	}
	p.Modules = []string{}
	for _, m := range modules {
		p.Modules = append(p.Modules, m.Name)
	}
	sp, err := library.LoadSpace(ctx, a.store, p.Spec.Space)
	if err != nil {
		return append(wrong, err), nil
	}
	if err := checkSpace(sp, p.Spec.Space, modality, modules); err != nil {
		return append(wrong, err), nil
	}
	var expanded space.Space
	if expanded, _, err = expand(sp, modules); err != nil {
		return append(wrong, fmt.Errorf("space %q: %w", p.Spec.Space, err)), nil
	}
	for _, l := range loaded {
		if err := l.controller.Fits(&expanded); err != nil {
			return append(wrong, fmt.Errorf("the arm %q starts from %s: %w", l.step.Arm, l.step.From, err)), nil
		}
		if _, err := search.TransferSettings(l.step.Strategy, l.step.Settings, l.controller); err != nil {
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
