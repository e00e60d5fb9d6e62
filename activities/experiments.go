package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tnaml/activities/store"
	"tnaml/experiments/catalog"
	"tnaml/experiments/data"
	"tnaml/experiments/search"
	"tnaml/experiments/space"
	"tnaml/experiments/study"
	"tnaml/nn/safetensors"
)

// ExperimentRecord is the value of names/experiment/<name>.
type ExperimentRecord struct {
	Name string `json:"name"`
	// YAML is the experiment as somebody added it, empty for a built-in one.
	YAML string `json:"yaml,omitempty"`
	// Runs are its workflow runs, oldest first.
	Runs []RunEntry `json:"runs,omitempty"`
}

// RunEntry is one workflow run of an experiment.
type RunEntry struct {
	// Name is the workflow ID, RunID the first run of its chain.
	Name  string       `json:"name"`
	RunID string       `json:"run_id"`
	Kind  catalog.Kind `json:"kind"`
	// Status is "running" until the run ends: completed, stopped, canceled or
	// failed; for a benchmark that was judged, passed or regressed. A terminated
	// workflow leaves it at "running": Temporal knows better.
	Status  string    `json:"status"`
	Started time.Time `json:"started"`
	// Searches is the number of searches planned, pretraining included.
	Searches int `json:"searches"`
	// Report references the RunReport.
	Report store.Ref `json:"report"`
}

// RunReport is what is kept of a run, as an object of kind "run".
type RunReport struct {
	Plan     Planned   `json:"plan"`
	Outcomes []Outcome `json:"outcomes"`
	// Figures and Verdicts are a benchmark's.
	Figures  []study.Figure  `json:"figures,omitempty"`
	Verdicts []study.Verdict `json:"verdicts,omitempty"`
}

// Outcome is one search of a run: references to what it left behind.
type Outcome struct {
	Search string      `json:"search"`
	Phase  study.Phase `json:"phase"`
	// Task is empty for a pretraining.
	Task   string `json:"task,omitempty"`
	Arm    string `json:"arm"`
	Seed   uint64 `json:"seed"`
	Budget int    `json:"budget"`
	// Status is completed, stopped, canceled, failed or skipped; Reason says why.
	Status string `json:"status"`
	Reason string `json:"reason,omitempty"`
	// From is the controller the search started from: its digest; FromName is
	// name@version.
	From     store.Ref `json:"from,omitempty"`
	FromName string    `json:"from_name,omitempty"`

	Trials     int     `json:"trials"`
	Failed     int     `json:"failed,omitempty"`
	Cached     int     `json:"cached,omitempty"`
	CPUSeconds float64 `json:"cpu_seconds"`
	// Validation and Test are accuracy-top10, of the one task, or the mean over
	// the tasks of a pretraining; Models is the number averaged.
	Validation float64 `json:"validation_top10"`
	Test       float64 `json:"test_top10"`
	Models     int     `json:"models,omitempty"`

	Config     store.Ref `json:"config,omitempty"`
	Checkpoint store.Ref `json:"checkpoint,omitempty"`
	Costs      store.Ref `json:"costs,omitempty"`
	Controller store.Ref `json:"controller,omitempty"`
}

// PlanInput asks for a run's plan.
type PlanInput struct {
	Kind  catalog.Kind    `json:"kind"`
	Name  string          `json:"name"`
	RunID string          `json:"run_id"`
	Spec  json.RawMessage `json:"spec"`
}

// Planned is a plan with what its names stand for now.
type Planned struct {
	catalog.Plan
	// Modules are those that all searches of the run choose from.
	Modules []string `json:"modules"`
	// Controllers holds the published controllers that arms start from, by the
	// arm's name in SearchStep.From; those that the run learns itself are not yet
	// in it.
	Controllers map[string]ControllerVersion `json:"controllers,omitempty"`
}

// PlanExperiment reads the experiment, plans the run and records that it runs.
// What is wrong with the spec, and what the store lacks, comes together.
func (a *Activities) PlanExperiment(ctx context.Context, in PlanInput) (Planned, error) {
	p, err := a.plan(ctx, in)
	if err != nil {
		return Planned{}, classify(err)
	}
	report, err := putReport(ctx, a.store, &RunReport{Plan: *p, Outcomes: []Outcome{}})
	if err != nil {
		return Planned{}, classify(err)
	}
	entry := RunEntry{
		Name: in.Name, RunID: in.RunID, Kind: in.Kind, Status: "running", Started: time.Now().UTC().Truncate(time.Second),
		Searches: len(p.Pretrain) + len(p.Searches), Report: report,
	}
	return *p, classify(a.updateRun(ctx, p.Experiment, entry, func(*RunEntry) {}))
}

func (a *Activities) plan(ctx context.Context, in PlanInput) (*Planned, error) {
	name, err := catalog.ExperimentOf(in.Spec)
	if err != nil {
		return nil, invalid(fmt.Errorf("%s spec: %w", in.Kind, err))
	}
	e, err := LoadExperiment(ctx, a.store, name)
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
	p := &Planned{Plan: *plan, Controllers: map[string]ControllerVersion{}}
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
func (a *Activities) pin(ctx context.Context, p *Planned) (wrong []error, err error) {
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
		record, err := Dataset(ctx, a.store, name)
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
		wrong = append(wrong, fmt.Errorf("there is no task %s: import with `starter data import`, or choose others (see `starter data list`)", strings.Join(missing, ", ")))
	}
	// The controllers to start from, all of one space.
	var loaded []*search.Pretrained
	if p.Kind == catalog.KindTransfer {
		for _, step := range p.Searches {
			if step.From == "" {
				continue
			}
			if _, ok := p.Controllers[step.From]; ok {
				continue
			}
			which := p.Spec.Controller
			if step.From == study.ArmNoTaskEmbedding && !strings.HasPrefix(which, "sha256:") {
				which = catalog.AgnosticName(which)
			}
			c, v, err := LoadController(ctx, a.store, which)
			p.Controllers[step.From] = v // found or not, it is asked for once
			switch {
			case errors.Is(err, store.ErrNotFound):
				wrong = append(wrong, fmt.Errorf("the arm %q starts from a controller: %w", step.Arm, err))
				continue
			case err != nil:
				return nil, err
			case step.From == study.ArmNoTaskEmbedding && !c.TaskAgnostic():
				wrong = append(wrong, fmt.Errorf("the arm %q starts from a task-agnostic controller, %s has task embeddings", step.Arm, which))
			}
			loaded = append(loaded, c)
		}
	}
	wrong, err = a.pinSpace(ctx, p, modality, loaded, wrong)
	return wrong, err
}

func (a *Activities) pinSpace(ctx context.Context, p *Planned, modality data.Kind, loaded []*search.Pretrained, wrong []error) ([]error, error) {
	catalogue, err := Modules(ctx, a.store)
	if err != nil {
		return nil, err
	}
	catalogue = ofModality(catalogue, modality)
	modules := catalogue
	if p.Modules = p.Spec.Modules; len(p.Modules) == 0 && len(loaded) > 0 {
		p.Modules = loaded[0].Modules()
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
	sp, err := LoadSpace(ctx, a.store, p.Spec.Space)
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
	for i, c := range loaded {
		if err := c.Fits(&expanded); err != nil {
			wrong = append(wrong, err)
			break
		}
		for _, step := range p.Searches {
			// The other arms' shapes are their own.
			if step.From == "" || step.Strategy == search.Random || (step.From == study.ArmNoTaskEmbedding) != c.TaskAgnostic() {
				continue
			}
			if _, err := search.TransferSettings(step.Strategy, step.Settings, c); err != nil {
				wrong = append(wrong, fmt.Errorf("the arm %q from controller %d: %w", step.Arm, i+1, err))
			}
			break
		}
	}
	return wrong, nil
}

// RecordRunInput writes down how far a run is.
type RecordRunInput struct {
	Experiment string       `json:"experiment"`
	Kind       catalog.Kind `json:"kind"`
	Name       string       `json:"name"`
	RunID      string       `json:"run_id"`
	Status     string       `json:"status"`
	Outcomes   []Outcome    `json:"outcomes"`
}

// RecordRun stores a run's outcomes under its experiment.
func (a *Activities) RecordRun(ctx context.Context, in RecordRunInput) (store.Ref, error) {
	ref, err := a.recordRun(ctx, in)
	return ref, classify(err)
}

func (a *Activities) recordRun(ctx context.Context, in RecordRunInput) (store.Ref, error) {
	entry, report, err := a.findRun(ctx, in.Experiment, in.Name, in.RunID)
	if err != nil {
		return "", err
	}
	report.Outcomes = in.Outcomes
	ref, err := putReport(ctx, a.store, report)
	if err != nil {
		return "", err
	}
	return ref, a.updateRun(ctx, in.Experiment, *entry, func(e *RunEntry) { e.Status, e.Report = in.Status, ref })
}

func (a *Activities) findRun(ctx context.Context, experiment, name, runID string) (*RunEntry, *RunReport, error) {
	record, err := ReadExperiment(ctx, a.store, experiment)
	if err != nil {
		return nil, nil, err
	}
	i := slices.IndexFunc(record.Runs, func(e RunEntry) bool { return e.Name == name && e.RunID == runID })
	if i < 0 {
		return nil, nil, fmt.Errorf("experiment %q: %w: its run %s, %s", experiment, store.ErrNotFound, name, runID)
	}
	report, err := ReadReport(ctx, a.store, record.Runs[i].Report)
	return &record.Runs[i], report, err
}

// updateRun adds a run's entry to its experiment's record, or changes it.
func (a *Activities) updateRun(ctx context.Context, experiment string, entry RunEntry, change func(*RunEntry)) error {
	return store.Update(ctx, a.store, store.Experiment, experiment, func(old []byte) ([]byte, error) {
		r := ExperimentRecord{Name: experiment}
		if old != nil {
			if err := json.Unmarshal(old, &r); err != nil {
				return nil, fmt.Errorf("experiment %q: its record is not valid: %w", experiment, err)
			}
		}
		i := slices.IndexFunc(r.Runs, func(e RunEntry) bool { return e.Name == entry.Name && e.RunID == entry.RunID })
		if i < 0 {
			i = len(r.Runs)
			r.Runs = append(r.Runs, entry)
		}
		change(&r.Runs[i])
		return json.Marshal(r)
	})
}

func putReport(ctx context.Context, s store.Store, r *RunReport) (store.Ref, error) {
	f := safetensors.New("run")
	f.PutJSON("report", r)
	ref, err := s.Put(ctx, f.Encode())
	if err != nil {
		return "", fmt.Errorf("run: %w", err)
	}
	return ref, nil
}

// ReadReport reads what is kept of a run.
func ReadReport(ctx context.Context, s store.Store, ref store.Ref) (*RunReport, error) {
	b, err := s.Get(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("run: %w", err)
	}
	r, err := DecodeReport(b)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", ref, err)
	}
	return r, nil
}

// DecodeReport reads a run report's object.
func DecodeReport(b []byte) (*RunReport, error) {
	f, err := safetensors.Decode(b)
	if err != nil {
		return nil, err
	}
	var r RunReport
	return &r, f.GetJSON("report", &r)
}

// ReadExperiment reads what is known of an experiment by its name: its runs,
// and its YAML where somebody added it. Where it has neither it is ErrNotFound.
func ReadExperiment(ctx context.Context, s store.Store, name string) (*ExperimentRecord, error) {
	var r ExperimentRecord
	if err := readName(ctx, s, store.Experiment, name, &r); err != nil {
		return nil, err
	}
	return &r, nil
}

// Experiments lists the experiments that were added or have runs, by name.
func Experiments(ctx context.Context, s store.Store) ([]ExperimentRecord, error) {
	return readAll[ExperimentRecord](ctx, s, store.Experiment)
}

// ExperimentYAML returns an experiment as it is written: a built-in one, or
// one that was added.
func ExperimentYAML(ctx context.Context, s store.Store, name string) ([]byte, error) {
	if catalog.IsBuiltin(name) {
		return catalog.BuiltinYAML(name)
	}
	r, err := ReadExperiment(ctx, s, name)
	if errors.Is(err, store.ErrNotFound) || err == nil && r.YAML == "" {
		known := catalog.BuiltinNames()
		if records, err := Experiments(ctx, s); err == nil {
			for _, r := range records {
				if r.YAML != "" {
					known = append(known, r.Name)
				}
			}
		}
		return nil, fmt.Errorf("experiment %q: %w (there are: %s; `starter experiment add` adds one of your own)", name, store.ErrNotFound, strings.Join(known, ", "))
	}
	if err != nil {
		return nil, err
	}
	return []byte(r.YAML), nil
}

// LoadExperiment reads an experiment: a built-in one, or one that was added.
func LoadExperiment(ctx context.Context, s store.Store, name string) (*catalog.Experiment, error) {
	b, err := ExperimentYAML(ctx, s, name)
	if err != nil {
		return nil, err
	}
	e, err := catalog.Parse(b)
	if err != nil {
		return nil, fmt.Errorf("experiment %q: %w", name, err)
	}
	return e, nil
}

// PublishExperiment stores an experiment of one's own. A built-in one's name
// cannot be taken, another's only with overwrite.
func PublishExperiment(ctx context.Context, s store.Store, yaml []byte, overwrite bool) (*catalog.Experiment, error) {
	e, err := catalog.Parse(yaml)
	if err != nil {
		return nil, err
	}
	if catalog.IsBuiltin(e.Name) {
		return nil, fmt.Errorf("experiment %q is built in: give yours another name", e.Name)
	}
	return e, store.Update(ctx, s, store.Experiment, e.Name, func(old []byte) ([]byte, error) {
		r := ExperimentRecord{Name: e.Name}
		if old != nil {
			if err := json.Unmarshal(old, &r); err != nil {
				return nil, fmt.Errorf("experiment %q: its record is not valid: %w", e.Name, err)
			}
			if r.YAML != "" && r.YAML != string(yaml) && !overwrite {
				return nil, fmt.Errorf("experiment %q %w, and differs: choose another name, or overwrite it", e.Name, ErrExists)
			}
		}
		r.YAML = string(yaml)
		return json.Marshal(r)
	})
}
