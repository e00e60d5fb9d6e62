package library

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tnaml/activities/store"
	"tnaml/experiments/catalog"
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
	Fence
	// Namespace is Temporal's, where the workflow is; empty where it is not known.
	Namespace string `json:"namespace,omitempty"`
	// Status is "running" until the run ends: completed, stopped, canceled or
	// failed; for a benchmark that was judged, passed or regressed. A terminated
	// workflow leaves it at "running": Temporal knows better.
	Status  string    `json:"status"`
	Reason  string    `json:"reason,omitempty"`
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended,omitzero"`
	// Searches is the number of searches planned, pretraining included.
	Searches int `json:"searches"`
	// Report references the RunReport; it is empty where the start failed, for the
	// Reason.
	Report store.Ref `json:"report,omitempty"`
}

// RunReport is what is kept of a run, as an object of kind "run".
type RunReport struct {
	Plan     Planned   `json:"plan"`
	Outcomes []Outcome `json:"outcomes"`
	// Figures and Verdicts are a benchmark's.
	Figures  []study.Figure  `json:"figures,omitempty"`
	Verdicts []study.Verdict `json:"verdicts,omitempty"`
	// Simulated is what its searches of recorded tasks took.
	Simulated *study.Simulated `json:"simulated,omitempty"`
}

// Outcome is one search of a run: references to what it left behind.
type Outcome struct {
	Search string      `json:"search"`
	Phase  study.Phase `json:"phase"`
	// Task is empty for a pretraining.
	Task string `json:"task,omitempty"`
	// Arm is the arm's name, of a pretraining its own; Strategy is what it searches
	// with.
	Arm      string `json:"arm"`
	Strategy string `json:"strategy"`
	Seed     uint64 `json:"seed"`
	Budget   int    `json:"budget"`
	// Status is completed, stopped, canceled, failed or skipped; Reason says why.
	Status string `json:"status"`
	Reason string `json:"reason,omitempty"`
	// From is the controller the search started from: its digest; FromName is
	// name@version.
	From     store.Ref `json:"from,omitempty"`
	FromName string    `json:"from_name,omitempty"`
	// Sources is the search whose trials the search learned from.
	Sources string `json:"sources,omitempty"`

	Trials     int     `json:"trials"`
	Failed     int     `json:"failed,omitempty"`
	Cached     int     `json:"cached,omitempty"`
	CPUSeconds float64 `json:"cpu_seconds"`
	// Validation and Test are the Objective's top10, of the one task, or the mean over
	// the tasks of a pretraining; Models is the number averaged.
	Objective  space.Objective `json:"objective,omitzero"`
	Validation float64         `json:"validation_top10"`
	Test       float64         `json:"test_top10"`
	Models     int             `json:"models,omitempty"`

	Config     store.Ref `json:"config,omitempty"`
	Ledger     store.Ref `json:"ledger,omitempty"`
	Costs      store.Ref `json:"costs,omitempty"`
	Controller store.Ref `json:"controller,omitempty"`
}

// StartsFrom notes what a planned search starts from: of a controller, itself or the
// trials of the search that learned it.
func (o *Outcome) StartsFrom(s catalog.SearchStep, v ControllerVersion) {
	if s.From != "" {
		o.From, o.FromName = v.Ref, v.Full()
	}
	if s.Sources != "" {
		o.Sources = v.Search
	}
}

// Planned is a plan with what its names stand for now.
type Planned struct {
	catalog.Plan
	// Modules are those that all searches of the run choose from.
	Modules []string `json:"modules"`
	// Controllers holds the published controllers that searches start from, by
	// SearchStep.From or Sources; those that the run learns itself are not in it. Of a
	// search whose trials are started from there is its name alone.
	Controllers map[string]ControllerVersion `json:"controllers,omitempty"`
}

// FindRun reads the entry and the report of an experiment's run.
func FindRun(ctx context.Context, s store.Store, experiment, name, runID string) (*RunEntry, *RunReport, error) {
	record, err := ReadExperiment(ctx, s, experiment)
	if err != nil {
		return nil, nil, err
	}
	i := slices.IndexFunc(record.Runs, func(e RunEntry) bool { return e.Name == name && e.RunID == runID })
	if i < 0 {
		return nil, nil, fmt.Errorf("experiment %q: %w: its run %s, %s", experiment, store.ErrNotFound, name, runID)
	}
	report, err := ReadReport(ctx, s, record.Runs[i].Report)
	return &record.Runs[i], report, err
}

// UpdateRun adds a run's entry to its experiment's record, or changes it. An attempt that others have
// come after is ErrLate, and nothing is written.
func UpdateRun(ctx context.Context, s store.Store, experiment string, entry RunEntry, change func(*RunEntry)) error {
	return experiments.update(ctx, s, experiment, func(r *ExperimentRecord, _ bool) error {
		// A start that failed holds no name.
		r.Runs = slices.DeleteFunc(r.Runs, func(e RunEntry) bool { return e.Name == entry.Name && e.Report == "" })
		i := slices.IndexFunc(r.Runs, func(e RunEntry) bool { return e.Name == entry.Name && e.RunID == entry.RunID })
		if i < 0 {
			i = len(r.Runs)
			r.Runs = append(r.Runs, entry)
		}
		fence, _, err := r.Runs[i].begin(entry.Fence)
		if err != nil {
			return fmt.Errorf("%s %q: run %s: %w", store.Experiment, experiment, entry.Name, err)
		}
		change(&r.Runs[i])
		r.Runs[i].Fence = fence
		return nil
	})
}

// PutReport stores what is kept of a run.
func PutReport(ctx context.Context, s store.Store, r *RunReport) (store.Ref, error) {
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
	return open(ctx, s, "run", ref, DecodeReport)
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
func ReadExperiment(ctx context.Context, s store.Store, name string) (ExperimentRecord, error) {
	return experiments.read(ctx, s, name)
}

// Experiments lists the experiments that were added or have runs, by name: see
// records.list.
func Experiments(ctx context.Context, s store.Store) ([]ExperimentRecord, error) {
	return experiments.list(ctx, s)
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
		records, _ := Experiments(ctx, s) // those that can be read
		for _, r := range records {
			if r.YAML != "" {
				known = append(known, r.Name)
			}
		}
		return nil, fmt.Errorf("experiment %q: %w (there are: %s; `starter experiment add` adds one of your own)",
			name, store.ErrNotFound, nearest(known, name))
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
		return nil, Invalid(fmt.Errorf("experiment %q: %w", name, err))
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
	return e, experiments.update(ctx, s, e.Name, func(r *ExperimentRecord, _ bool) error {
		if r.YAML != "" && r.YAML != string(yaml) && !overwrite {
			return fmt.Errorf("%s %q %w, and differs: choose another name, or replace it with --overwrite", store.Experiment, e.Name, ErrExists)
		}
		r.YAML = string(yaml)
		return nil
	})
}
