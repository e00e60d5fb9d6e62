package library

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"tnaml/activities/store"
	"tnaml/experiments/metrics"
	"tnaml/experiments/search"
	"tnaml/experiments/study"
	"tnaml/experiments/trainer"
)

// ReadStudy gathers the searches of an experiment, of all its runs or of those
// that are named (by their workflow ID). A search that two runs share, since
// one was started like the other, is there once, for the older run. Of a run
// that has not ended, the searches that have are in it, and those that run as
// far as their last checkpoint.
func ReadStudy(ctx context.Context, s store.Store, experiment string, runs ...string) (*study.Study, error) {
	record, err := ReadExperiment(ctx, s, experiment)
	if errors.Is(err, store.ErrNotFound) {
		if _, err := ExperimentYAML(ctx, s, experiment); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("experiment %q has not been run: `starter run %s` does", experiment, experiment)
	}
	if err != nil {
		return nil, err
	}
	var unknown []string
	for _, name := range runs {
		if !slices.ContainsFunc(record.Runs, func(e RunEntry) bool { return e.Name == name }) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		var known []string
		for _, e := range record.Runs {
			known = append(known, e.Name)
		}
		return nil, fmt.Errorf("experiment %q has no run %s (there are: %s)", experiment, strings.Join(unknown, ", "), strings.Join(known, ", "))
	}
	out := &study.Study{Experiment: experiment, FixedBudgets: map[string]int{}}
	r := studyReader{s: s, out: out, seen: map[string]bool{}}
	for _, e := range record.Runs {
		if len(runs) > 0 && !slices.Contains(runs, e.Name) || e.Report == "" { // its start failed
			continue
		}
		if err := r.run(ctx, e); err != nil {
			return nil, fmt.Errorf("experiment %q: run %s: %w", experiment, e.Name, err)
		}
	}
	out.Ledgers = superseded(out.Ledgers)
	out.SplitArms()
	out.Sort()
	return out, errors.Join(r.cards(ctx), r.right(ctx))
}

// ReadNight gathers the transfer searches of a run, without their tasks' cards.
func ReadNight(ctx context.Context, s store.Store, run string, report *RunReport) (*study.Study, error) {
	r := studyReader{s: s, out: &study.Study{Experiment: report.Plan.Experiment}, seen: map[string]bool{}}
	r.arms(&report.Plan)
	for _, o := range report.Plan.ordered(run, report.Outcomes) {
		if o.Phase != study.Transfer {
			continue
		}
		if err := r.ledger(ctx, run, o); err != nil {
			return nil, err
		}
	}
	r.out.Sort()
	return r.out, nil
}

// superseded drops searches that did not come to their end where another run brought the
// same one to it, or further; of equally far ones the last stays.
func superseded(ledgers []study.Ledger) []study.Ledger {
	key := func(l study.Ledger) string {
		return fmt.Sprintf("%s %s %s %d %d", l.Phase, l.Task, l.Arm, l.Seed, l.Budget)
	}
	const end = math.MaxInt
	far := func(l study.Ledger) int {
		if l.Status == "completed" {
			return end
		}
		return len(l.Trials)
	}
	furthest := map[string]int{} // places
	for i, l := range ledgers {
		if at, ok := furthest[key(l)]; !ok || far(l) >= far(ledgers[at]) {
			furthest[key(l)] = i
		}
	}
	var out []study.Ledger
	for i, l := range ledgers {
		if far(l) == end || furthest[key(l)] == i {
			out = append(out, l)
		}
	}
	return out
}

type studyReader struct {
	s    store.Store
	out  *study.Study
	seen map[string]bool
}

func (r *studyReader) run(ctx context.Context, e RunEntry) error {
	report, err := ReadReport(ctx, r.s, e.Report)
	if err != nil {
		return err
	}
	spec, err := json.Marshal(report.Plan.Spec)
	if err != nil {
		return err
	}
	r.out.Runs = append(r.out.Runs, study.Run{
		Name: e.Name, Type: string(e.Kind), Status: e.Status, Spec: string(spec), Simulated: report.Simulated,
	})
	r.out.Description = report.Plan.Description
	r.arms(&report.Plan)
	for t, n := range report.Plan.FixedBudgets {
		r.out.FixedBudgets[t] = n
	}
	if report.Verdicts != nil {
		r.out.Verdicts = report.Verdicts
	}
	outcomes := report.Outcomes
	if e.Status == "running" {
		if outcomes, err = r.running(ctx, e, report); err != nil {
			return err
		}
	}
	for _, o := range report.Plan.ordered(e.Name, outcomes) {
		if err := r.ledger(ctx, e.Name, o); err != nil {
			return err
		}
	}
	return nil
}

// arms adds the arms of a run to those of the runs before it: what is in both
// is as the later run has it, and so is the order.
func (r *studyReader) arms(p *Planned) {
	if len(p.Arms) == 0 {
		return
	}
	arms := slices.Clone(p.Arms)
	for _, a := range r.out.Arms {
		if !slices.ContainsFunc(arms, func(b study.Arm) bool { return b.Name == a.Name }) {
			arms = append(arms, a)
		}
	}
	r.out.Arms, r.out.Baseline, r.out.Against = arms, p.Baseline, p.Against
}

// running finds the searches of a run that has not written down its end, by
// their names.
func (r *studyReader) running(ctx context.Context, e RunEntry, report *RunReport) ([]Outcome, error) {
	out := slices.Clone(report.Outcomes)
	for _, o := range report.Plan.Outcomes(e.Name) {
		if slices.ContainsFunc(out, func(have Outcome) bool { return have.Search == o.Search }) {
			continue
		}
		record, err := ReadRecord(ctx, r.s, o.Search)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		o.Status, o.Trials = record.Status, record.Told
		o.Config, o.Ledger, o.Costs, o.Controller = record.Config, record.Ledger, record.Costs, record.Controller
		out = append(out, o)
	}
	return out, nil
}

// SearchID is the workflow ID of a run's search.
func SearchID(experiment, run, step string) string {
	// A run is often named for its experiment: once is enough.
	if run == experiment || strings.HasPrefix(run, experiment+"/") || strings.HasPrefix(run, experiment+"-") {
		return run + "/" + step
	}
	return experiment + "/" + run + "/" + step
}

// Outcomes lists the searches of a plan that have not been run.
func (p *Planned) Outcomes(run string) []Outcome {
	var out []Outcome
	for _, s := range p.Pretrain {
		out = append(out, Outcome{
			Search: SearchID(p.Experiment, run, s.Name()), Phase: study.Pretrain,
			Arm: s.Pretraining, Strategy: s.Strategy, Seed: s.Seed, Budget: s.Trials,
		})
	}
	for _, s := range p.Searches {
		o := Outcome{
			Search: SearchID(p.Experiment, run, s.Name()), Phase: study.Transfer, Task: s.Task,
			Arm: s.Arm, Strategy: s.Strategy, Seed: s.Seed, Budget: s.Trials,
		}
		if v, ok := p.Controllers[cmp.Or(s.From, s.Sources)]; ok {
			o.StartsFrom(s, v)
		}
		out = append(out, o)
	}
	return out
}

// ordered puts outcomes, which come in the order of their end, into the plan's: a
// study does not show which worker was faster.
func (p *Planned) ordered(run string, outcomes []Outcome) []Outcome {
	at := map[string]int{}
	for i, o := range p.Outcomes(run) {
		at[o.Search] = i
	}
	return slices.SortedStableFunc(slices.Values(outcomes), func(a, b Outcome) int { return cmp.Compare(at[a.Search], at[b.Search]) })
}

func (r *studyReader) ledger(ctx context.Context, run string, o Outcome) error {
	if o.Status == "skipped" {
		return nil
	}
	key := fmt.Sprintf("%s %s %s %d %d %s", o.Phase, o.Task, o.Arm, o.Seed, o.Budget, o.Ledger)
	if o.Ledger != "" && r.seen[key] {
		return nil
	}
	r.seen[key] = true
	if o.Config == "" {
		// It was cancelled, or failed: what it left behind is under its name.
		record, err := ReadRecord(ctx, r.s, o.Search)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err == nil {
			o.Config, o.Ledger, o.Costs, o.Controller = record.Config, record.Ledger, record.Costs, record.Controller
		}
	}
	l := study.Ledger{
		Phase: o.Phase, Task: o.Task, Arm: o.Arm, Strategy: o.Strategy, Seed: o.Seed,
		Run: run, Search: o.Search, Status: o.Status, Reason: o.Reason,
		Budget: o.Budget, From: string(o.From), FromName: o.FromName, Sources: o.Sources,
		Controller: string(o.Controller),
	}
	if o.Config != "" {
		config, err := ReadConfig(ctx, r.s, o.Config)
		if err != nil {
			return err
		}
		l.Config = *config
		if l.From == "" {
			l.From = config.Controller
		}
	}
	var err error
	if l.Trials, err = ReadLedger(ctx, r.s, o.Ledger); err != nil {
		return err
	}
	if l.Costs, err = ReadCosts(ctx, r.s, o.Costs); err != nil {
		return err
	}
	if o.Controller != "" {
		p, err := ReadController(ctx, r.s, o.Controller)
		if err != nil {
			return err
		}
		l.TaskEmbeddings, l.Greedy = p.TaskEmbeddings(), p.GreedyAll()
		if len(l.TaskEmbeddings) > 1 {
			l.Information = p.Information()
		}
	}
	r.out.Ledgers = append(r.out.Ledgers, l)
	return nil
}

// cards adds the tasks' cards.
func (r *studyReader) cards(ctx context.Context) error {
	seen := map[string]bool{}
	for _, l := range r.out.Ledgers {
		for _, t := range l.Config.Tasks {
			if seen[t.Name] {
				continue
			}
			seen[t.Name] = true
			card, err := CardOf(ctx, r.s, t)
			if err != nil {
				return err
			}
			toBeat, err := YardsticksOf(ctx, r.s, t)
			if err != nil {
				return err
			}
			r.out.Cards = append(r.out.Cards, study.Card{Task: t.Name, Card: *card, Yardsticks: toBeat})
		}
	}
	return nil
}

// right adds which examples the ten best models of each target's search have right,
// where that is known: intervals of differences are made of it. They pair the examples of a
// task, so that bits of as many as its first model has are taken, and no others.
func (r *studyReader) right(ctx context.Context) error {
	sizes := map[string]int{}
	for i := range r.out.Ledgers {
		l := &r.out.Ledgers[i]
		if l.Phase != study.Transfer {
			continue
		}
		of := l.Task
		for _, t := range l.Config.Tasks {
			of += "\n" + t.Data + string(t.Parameters)
		}
		top, _ := metrics.AccuracyTopN(l.Trials, 0, search.TopN)
		for _, t := range top.Trials {
			right, err := RightOf(ctx, r.s, t)
			if err != nil {
				return fmt.Errorf("search %q: trial %d: %w", l.Search, t.Trial, err)
			}
			if right == nil {
				continue
			}
			if n, seen := sizes[of]; seen && n != right.Test.N {
				continue
			}
			sizes[of] = right.Test.N
			if l.Right == nil {
				l.Right = map[int]*trainer.Right{}
			}
			l.Right[t.Trial] = right
		}
	}
	return nil
}

// RightOf reads which examples a trial's model has right; nil where nothing is known of it: it
// was not stored, its trainer keeps it elsewhere, or what lies there is gone or is something
// else. A ledger is never written anew, so that no row of it may end what is read of all.
func RightOf(ctx context.Context, s store.Store, t search.Trial) (*trainer.Right, error) {
	ref, err := store.ParseRef(t.Examples)
	if err != nil {
		return nil, nil
	}
	right, err := open(ctx, s, "examples", ref, trainer.DecodeRight)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, ErrInvalid) {
		return nil, nil
	}
	return right, err
}
