package workflows

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"tnaml/activities"
	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/catalog"
	"tnaml/experiments/limit"
	"tnaml/experiments/search"
	"tnaml/experiments/search/pruner"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/strict"
)

// SearchSpec is the input of the Search workflow: one JSON object in which
// every field but "tasks" has a default. It is what a person types into the UI.
type SearchSpec struct {
	// Tasks names the tasks to search, as imported. With more than one, each
	// trial's task is drawn at random (multitask search).
	Tasks []string `json:"tasks"`
	// Strategy is one of strategy.Builtin: "naml" (the controller), "random", ….
	Strategy string `json:"strategy"`
	// Trials is the budget.
	Trials int `json:"trials"`
	// Budget is what else ends the search, whichever comes first.
	Budget search.Budget `json:"budget,omitzero"`
	// Pruner ends trials early: a name of pruner.Definitions, or an object with a name and
	// settings. Part of the search's identity.
	Pruner *pruner.Choice `json:"pruner,omitempty"`
	// Seed decides every random draw of the search.
	Seed uint64 `json:"seed"`
	// Space names the search space, built in or stored; empty: the controller's,
	// else "text" or "image", as the tasks are.
	Space string `json:"space,omitempty"`
	// Lag: the proposal for trial i is asked from the state that has absorbed
	// exactly the trials 0…i−lag. Part of the search's identity.
	Lag int `json:"lag"`
	// Parallel is the number of trials in flight, at most Lag; 0 means Lag. It
	// changes the speed, never the result.
	Parallel int `json:"parallel,omitempty"`
	// Modules are the embedding modules to choose from where the space asks for
	// all there are; empty: the controller's, else all in the store.
	Modules []string `json:"modules,omitempty"`
	// Controller is the pretrained controller that the strategy starts from: name,
	// name@version or digest.
	Controller string `json:"controller,omitempty"`
	// Sources names searches that have ended, whose trials of other tasks the strategy
	// learns from.
	Sources []string `json:"sources,omitempty"`
	// Settings are the strategy's own parameters, or the name of a preset; absent
	// ones have defaults.
	Settings json.RawMessage `json:"settings,omitempty"`
	// From names a search that has ended, to go on from: what is not said here is as
	// that one has it, and "trials" counts its trials too. Only "settings", a trial's
	// limits and what does not change the results may be others.
	From string `json:"from,omitempty"`
	// Reevaluate has the search train the best models of From again, with seeds and, of
	// the trainer builtin, validation splits of their own, and nothing else.
	Reevaluate *library.Reevaluate `json:"reevaluate,omitempty"`
	// Experiment is a label to list and compare searches by.
	Experiment string `json:"experiment,omitempty"`
	// CheckpointEvery is the number of trials between two checkpoints.
	CheckpointEvery int `json:"checkpoint_every"`
	// TrialTimeout bounds an attempt at a trial, as a Go duration, loading and storing
	// included. It never gives a result, which must not depend on the machine: the
	// trial is tried again, then the search pauses.
	TrialTimeout string `json:"trial_timeout"`
	// TrialSteps is a trial's limit of training steps; 0: none. A child model that
	// would need more is a result with status "over_steps".
	TrialSteps int `json:"trial_steps,omitempty"`
	// MemoryLimitMB is a trial's memory limit. A child model that would need
	// more is a result with status "over_memory".
	MemoryLimitMB int `json:"memory_limit_mb"`
	// KeepModels is the number of models kept of each task, those of the best trials.
	KeepModels int `json:"keep_models"`
	// Examples stores which examples of the splits each trial's model has right, where its
	// trainer can tell; it changes no result.
	Examples bool `json:"examples,omitempty"`
	// Retrain trains every trial anew instead of asking the trial cache.
	Retrain bool `json:"retrain,omitempty"`
	// HistoryLimit is the number of history events after which the workflow
	// continues as new, where the server has not suggested it earlier.
	HistoryLimit int `json:"history_limit"`
}

// DefaultSearchSpec returns the defaults that a spec is decoded over: how a search is
// run is as in an experiment that does not say it.
func DefaultSearchSpec() SearchSpec {
	e := catalog.Defaults()
	return SearchSpec{
		Strategy:        DefaultStrategy(nil),
		Trials:          100,
		Seed:            1,
		Lag:             e.Lag,
		CheckpointEvery: e.CheckpointEvery,
		TrialTimeout:    e.TrialTimeout,
		MemoryLimitMB:   e.MemoryLimitMB,
		KeepModels:      e.KeepModels,
		HistoryLimit:    catalog.HistoryLimit,
	}
}

// DefaultStrategy is the strategy of a search that names none: where there are sources, the
// one that makes the most of them, else the paper's.
func DefaultStrategy(sources []string) string {
	if len(sources) > 0 {
		return strategy.Kindred
	}
	return strategy.NAML
}

// ParseSearchSpec decodes a spec over the defaults and checks it: unknown
// fields are refused with the list of known ones, and all problems come
// together.
func ParseSearchSpec(raw []byte) (SearchSpec, error) {
	spec := DefaultSearchSpec()
	if err := strict.Unmarshal(raw, &spec); err != nil {
		return spec, fmt.Errorf("search spec: %w", err)
	}
	var given struct {
		Strategy *string `json:"strategy"`
	}
	if err := json.Unmarshal(raw, &given); err == nil && given.Strategy == nil {
		spec.Strategy = DefaultStrategy(spec.Sources)
	}
	if err := spec.Validate(); err != nil {
		return spec, fmt.Errorf("search spec: %w", err)
	}
	return spec, nil
}

// Names are the spec's names, as they are pinned.
func (s SearchSpec) Names() library.Names {
	return library.Names{
		Tasks: s.Tasks, Strategy: s.Strategy, Settings: s.Settings, Space: s.Space, Seed: s.Seed, Lag: s.Lag, Modules: s.Modules,
		Controller: s.Controller, Sources: s.Sources, KeepModels: s.KeepModels, Pruner: s.Pruner,
		Budget: s.Budget,
	}
}

// Validate reports everything wrong with the spec together. What needs the
// store (do the tasks exist? does the space?) is checked by the workflow.
func (s SearchSpec) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(s.Tasks) == 0 && s.From == "" {
		bad(`"tasks" is empty: name at least one imported task, e.g. {"tasks":["sms_spam"]}`)
	}
	errs = append(errs, limit.Names("tasks", s.Tasks)...)
	errs = append(errs, limit.Names("modules", s.Modules)...)
	for _, n := range []struct{ field, value string }{{"space", s.Space}, {"controller", s.Controller}, {"experiment", s.Experiment}} {
		if n.value != "" {
			errs = append(errs, limit.Name(strconv.Quote(n.field), n.value))
		}
	}
	if s.From != "" {
		errs = append(errs, store.CheckName(store.Search, s.From))
	}
	if s.Reevaluate != nil {
		if s.From == "" {
			bad(`"reevaluate" is for the models of another search: name it in "from"`)
		}
		errs = append(errs, s.Reevaluate.Validate())
	}
	if n := len(s.Sources); n > limit.MaxTasks {
		bad(`"sources" has %d names, at most %d are possible`, n, limit.MaxTasks)
	}
	for i, name := range s.Sources[:min(len(s.Sources), limit.MaxTasks)] {
		if err := store.CheckName(store.Search, name); err != nil {
			bad(`"sources": %w`, err)
		} else if slices.Contains(s.Sources[:i], name) {
			bad(`"sources" names %q twice`, name)
		}
	}
	if n := len(s.Settings); n > MaxSettings {
		bad(`"settings" has %d bytes, at most %d are possible`, n, MaxSettings)
	}
	if d, err := strategy.Builtin().Find(s.Strategy); err != nil {
		errs = append(errs, err)
	} else if s.Controller != "" && !d.FromController {
		bad(`"controller" is %q, but the strategy %q starts from none`, s.Controller, s.Strategy)
	} else if len(s.Sources) > 0 && !d.FromSources {
		bad(`"sources" are given, but the strategy %q learns from no trials of other tasks`, s.Strategy)
	} else if d.NeedsSettings && s.Controller == "" && len(s.Settings) == 0 {
		bad(`the strategy %q needs "settings" (see `+"`starter strategy show %s`"+`), or a "controller" to take them from`, s.Strategy,
			s.Strategy)
	}
	if s.Trials < 1 {
		bad(`"trials" is %d: a search needs a budget of at least 1`, s.Trials)
	}
	if s.Trials > limit.MaxTrials {
		bad(`"trials" is %d: at most %d are possible`, s.Trials, limit.MaxTrials)
	}
	errs = append(errs, s.Budget.Problems()...)
	if s.Pruner != nil {
		_, err := s.Pruner.Canonical()
		errs = append(errs, err)
	}
	running := limit.Running{Lag: s.Lag, Parallel: s.Parallel, CheckpointEvery: s.CheckpointEvery, TrialSteps: s.TrialSteps,
		MemoryLimitMB: s.MemoryLimitMB, KeepModels: s.KeepModels, HistoryLimit: s.HistoryLimit}
	if s.From != "" && len(s.Tasks) == 0 {
		running.Lag = limit.MaxLag // it is the other search's
	}
	errs = append(errs, running.Problems()...)
	if d, err := time.ParseDuration(s.TrialTimeout); err != nil || d < time.Second || d > limit.MaxTrialHours*time.Hour {
		bad(`"trial_timeout" is %q: it must be a duration of 1s to %dh, e.g. "30m"`, limit.Note(s.TrialTimeout), limit.MaxTrialHours)
	}
	return limit.Problems(slices.DeleteFunc(errs, func(err error) bool { return err == nil }))
}

// MaxSettings bounds a strategy's settings, in bytes.
const MaxSettings = 64 << 10

// pinnedSpec is a spec as a run began with it.
type pinnedSpec struct {
	Spec SearchSpec `json:"spec"`
	// Wrong says why it is none.
	Wrong string `json:"wrong,omitempty"`
}

// pinSpec reads a search's spec once: a replay, perhaps years later and by another
// version, finds the defaults and the bounds of that day in the history.
func pinSpec(ctx workflow.Context, raw json.RawMessage) (SearchSpec, error) {
	var p pinnedSpec
	err := workflow.SideEffect(ctx, func(ctx workflow.Context) any {
		spec, err := ParseSearchSpec(raw)
		if err == nil {
			err = checkID(ctx, store.Search)
		}
		if err != nil {
			return pinnedSpec{Wrong: limit.Cut(err.Error(), limit.MaxMessage)}
		}
		return pinnedSpec{Spec: spec}
	}).Get(&p)
	if err == nil && p.Wrong != "" {
		err = temporal.NewNonRetryableApplicationError(p.Wrong, activities.ErrTypeInvalid, nil)
	}
	return p.Spec, err
}

// checkID refuses a workflow ID that could be no record's name. Those that the server
// itself cannot handle never get here.
func checkID(ctx workflow.Context, kind store.Kind) error {
	id := workflow.GetInfo(ctx).WorkflowExecution.ID
	if err := store.CheckName(kind, id); err != nil {
		return fmt.Errorf("the workflow ID: %w", err)
	}
	return limit.ID(id)
}

// parallel is the number of trials in flight.
func (s SearchSpec) parallel() int {
	if s.Parallel == 0 {
		return s.Lag
	}
	return s.Parallel
}

// trialTimeout is the parsed time limit; Validate has checked it.
func (s SearchSpec) trialTimeout() time.Duration {
	d, _ := time.ParseDuration(s.TrialTimeout)
	return d
}
