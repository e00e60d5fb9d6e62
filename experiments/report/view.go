package report

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"tnaml/experiments/data"
	"tnaml/experiments/guard"
	"tnaml/experiments/metrics"
	"tnaml/experiments/search"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/space"
	"tnaml/experiments/study"
	"tnaml/experiments/trainer"
	"tnaml/experiments/yardstick"
)

// view is what the page's template shows.
type view struct {
	Title, Generated string
	Style            template.CSS
	TopN, Trials     int
	// Scale is the objective of all tasks; where they differ, it is called so.
	Scale    scale
	Searches []Search
	Tasks    []*taskView
	Matches  []match
	Pairs    []pair
	Configs  []configView
}

// Singles says that a transferred search stands beside a single-task one.
func (v *view) Singles() bool {
	return slices.ContainsFunc(v.Matches, func(m match) bool { return m.Single != nil })
}

// Spans says that it is known when any search ran.
func (v *view) Spans() bool {
	return slices.ContainsFunc(v.Searches, func(s Search) bool { return s.Started != "" })
}

// taskView is one task's part of the page.
type taskView struct {
	// Task is the task's name, Name what the page calls it: with the objective,
	// where searches have different ones.
	Task, Name, ID string
	Scale          scale
	Card           *data.Card
	Yardsticks     []yardstick.Result
	// Data says that searches on different data share the task's name.
	Data  bool
	Arms  []*arm
	Plots []figure
	// Seeds are the plots of strategies over seeds; none where there is one each.
	Seeds      []figure
	Strategies []*arm // the first arm of each, for the legend of Seeds
	Best       []bestRow
	Evaluation *evaluationView
	Options    []armOptions
	Failures   []failure
	Pareto     *paretoView
}

// Failed says that all that is among Failures has failed.
func (tv *taskView) Failed() bool {
	return !slices.ContainsFunc(tv.Failures, func(f failure) bool { return !trainer.Status(f.Status).Failure() })
}

// Tested says that any search has values on the test split.
func (tv *taskView) Tested() bool {
	return slices.ContainsFunc(tv.Arms, func(a *arm) bool { return a.Tested })
}

// Corrected says that any arm's best model has a corrected accuracy.
func (tv *taskView) Corrected() bool {
	return slices.ContainsFunc(tv.Arms, func(a *arm) bool { return a.Corrected != nil })
}

// Weights says that the trainer of any of the best models reports their weights.
func (tv *taskView) Weights() bool {
	return slices.ContainsFunc(tv.Best, func(r bestRow) bool { return r.Weights() > 0 })
}

// figure is a drawing, with the heading above it.
type figure struct {
	Heading string
	SVG     template.HTML
	// Panel says that it is one of small multiples, of the line style Arm; Note says
	// what their lines are.
	Panel bool
	Arm   *arm
	Note  string
}

// arm is one search on one task.
type arm struct {
	Search, From     string
	Sources          string
	Strategy, Status string
	Seed             uint64
	// Colour and Dash are the line's style, the same for a strategy on all tasks.
	Colour, Dash   int
	Trials, Failed int
	// Scale is the search's objective, Tested says that its models were measured on the
	// test split; Untested are those that were not, where others were.
	Scale                    scale
	Tested                   bool
	Untested                 int
	Top                      metrics.TopN
	Corrected                *guard.Corrected
	BestValidation, BestTest bool // no other arm's is better beyond 2 s.e.m.
	Cost                     cost

	task   int
	search *Search
	curve  []metrics.Point
	costs  map[int]search.Cost
}

// cost is what an arm's trials took.
type cost struct {
	Trained, Cached, Unknown int
	CPU, Wall                float64 // seconds
	Mean, Median, Max        float64 // CPU-seconds of a trained trial
	Workers                  int
	InstructionSets          string
}

// Ran is when the search ran.
func (a *arm) Ran() study.Span { return a.search.Span }

// Reason is why the search ended before its trials were used up.
func (a *arm) Reason() string { return a.search.Reason }

// Best is the arm's best model.
func (a *arm) Best() search.Trial { return a.Top.Trials[0] }

// Expected is the best model's corrected accuracy.
func (a *arm) Expected() string {
	return a.Scale.Estimate(metrics.Estimate{Mean: a.Corrected.Accuracy, Error: a.Corrected.Error})
}

// random says that the arm is the paper's baseline.
func (a *arm) random() bool { return a.search.Config.Strategy == strategy.Random }

// bestRow is one of the best models.
type bestRow struct {
	*arm
	search.Trial
	CPU     float64
	Summary string
}

// Weights is the number of the model's weights, 0 where its trainer reports none.
func (r bestRow) Weights() int { return int(r.Metrics[trainer.Parameters]) }

// failure is the failed trials of one arm and status.
type failure struct {
	*arm
	Status string
	Count  int
	// First is the first such trial and Reason its reason; Others counts the
	// other reasons.
	First  int
	Reason string
	Others int
}

type configView struct {
	Name, Strategy, Space, JSON string
	Seed                        uint64
	Lag, Modules                int
	Size                        string
}

func newView(in Input) (*view, error) {
	searches, err := named(in.Searches)
	if err != nil {
		return nil, err
	}
	in.Searches = searches
	v := &view{Title: in.Title, Generated: in.Generated, Style: template.CSS(pageCSS), TopN: topN, Searches: in.Searches}
	look := styles{colour: map[styleKey]int{}}
	type key struct {
		task      string
		objective space.Objective
	}
	tasks := map[key]*taskView{}
	data := map[key]search.Task{}
	objectives := map[space.Objective]bool{}
	for i := range in.Searches {
		s := &in.Searches[i]
		v.Trials += len(s.Trials)
		costs := make(map[int]search.Cost, len(s.Costs))
		for _, c := range s.Costs {
			costs[c.Trial] = c
		}
		v.Scale = scaleOf(&s.Config.Space)
		objectives[v.Scale.Objective] = true
		for k, t := range s.Config.Tasks {
			at := key{t.Name, v.Scale.Objective}
			tv := tasks[at]
			if tv == nil {
				tv = &taskView{Task: t.Name, Name: t.Name, Scale: v.Scale, ID: fmt.Sprintf("task-%d", len(v.Tasks)+1)}
				tasks[at], data[at] = tv, t
				v.Tasks = append(v.Tasks, tv)
			}
			tv.Data = tv.Data || data[at].Data != t.Data || !bytes.Equal(data[at].Parameters, t.Parameters)
			a := newArm(s, k, costs)
			look.set(a, tv.Arms)
			tv.Arms = append(tv.Arms, a)
		}
		if err := v.addConfig(s); err != nil {
			return nil, err
		}
	}
	if len(objectives) > 1 {
		v.Scale = scale{Objective: space.Objective{Metric: "objective"}}
		for _, tv := range v.Tasks {
			tv.Name += " · " + tv.Scale.Metric
			for _, a := range tv.Arms {
				a.Scale.units = true
			}
		}
	}
	for _, tv := range v.Tasks {
		for i := range in.Cards {
			if in.Cards[i].Task == tv.Task {
				tv.Card, tv.Yardsticks = &in.Cards[i].Card, in.Cards[i].Yardsticks
			}
		}
		tv.Evaluation = evaluationOf(in.Evaluations, tv.Task)
	}
	for _, tv := range v.Tasks {
		if err := tv.fill(); err != nil {
			return nil, fmt.Errorf("task %q: %w", tv.Name, err)
		}
		tv.Pareto = paretoOf(tv, in.Pareto)
	}
	if len(in.Pareto) == 2 && !slices.ContainsFunc(v.Tasks, func(tv *taskView) bool { return tv.Pareto != nil }) {
		return nil, fmt.Errorf("no feasible model has both metrics, %s and %s", in.Pareto[0].Metric, in.Pareto[1].Metric)
	}
	v.Matches, v.Pairs = matches(v.Tasks), pairs(v.Tasks)
	return v, nil
}

func (v *view) addConfig(s *Search) error {
	b, err := json.MarshalIndent(s.Config, "", "  ")
	if err != nil {
		return fmt.Errorf("search %q: its configuration: %w", s.Name, err)
	}
	c := &s.Config
	v.Configs = append(v.Configs, configView{s.Name, s.strategy(), c.Space.Name, string(b), c.Seed, c.Lag, len(c.Modules), size(&c.Space)})
	return nil
}

// size is how many models a space has.
func size(sp *space.Space) string {
	if n := sp.Size(); n < 1e18 {
		return strconv.FormatUint(n, 10)
	}
	digits := 0.
	for _, c := range sp.Choices {
		digits += math.Log10(float64(len(c.Options)))
	}
	return fmt.Sprintf("about 10^%.0f", digits)
}

func (tv *taskView) fill() error {
	markBest(tv.Arms)
	for _, a := range tv.Arms {
		tv.Failures = append(tv.Failures, failures(a)...)
		if !a.random() {
			if o, ok := options(a); ok {
				tv.Options = append(tv.Options, o)
			}
		}
		if !slices.ContainsFunc(tv.Strategies, func(b *arm) bool { return b.Strategy == a.Strategy }) {
			tv.Strategies = append(tv.Strategies, a)
		}
		for _, t := range a.Top.Trials {
			tv.Best = append(tv.Best, bestRow{a, t, a.costs[t.Trial].CPUSeconds, trainer.Describe(&a.search.Config.Space, t.Actions)})
		}
	}
	// Stable: ties go to the earlier search and trial, as in accuracy-topN.
	slices.SortStableFunc(tv.Best, func(a, b bestRow) int { return cmp.Compare(b.Reward, a.Reward) })
	tv.Best = tv.Best[:min(len(tv.Best), topN)]
	var err error
	if tv.Plots, err = curveFigures(tv); err != nil {
		return err
	}
	if len(tv.Strategies) < len(tv.Arms) {
		tv.Seeds, err = seedFigures(tv)
	}
	return err
}

func newArm(s *Search, k int, costs map[int]search.Cost) *arm {
	a := &arm{Search: s.Name, From: s.From, Sources: s.Sources,
		Strategy: s.strategy(), Status: s.Status, Seed: s.Config.Seed, task: k, search: s, costs: costs}
	a.Scale = scaleOf(&s.Config.Space)
	untested, of := metrics.Untested(s.Trials, a.Scale.Objective)
	if a.Tested = untested == 0; untested < of {
		a.Untested = untested
	}
	if k < len(s.Corrected) {
		a.Corrected = s.Corrected[k]
	}
	var trained []float64
	workers, sets := map[string]bool{}, map[string]bool{}
	for i := range s.Trials {
		t := &s.Trials[i]
		if t.Task != k {
			continue
		}
		a.Trials++
		if t.Status.Failure() {
			a.Failed++
		}
		c, ok := costs[t.Trial]
		switch {
		case !ok:
			a.Cost.Unknown++
			continue
		case c.Cached:
			a.Cost.Cached++
			continue
		}
		a.Cost.Trained++
		a.Cost.CPU += c.CPUSeconds
		a.Cost.Wall += c.WallSeconds
		a.Cost.Max = max(a.Cost.Max, c.CPUSeconds)
		trained = append(trained, c.CPUSeconds)
		if c.Worker != "" {
			workers[c.Worker] = true
		}
		if c.InstructionSet != "" {
			sets[c.InstructionSet] = true
		}
	}
	a.Cost.Mean, a.Cost.Median = metrics.Mean(trained).Mean, metrics.Median(trained)
	a.Cost.Workers = len(workers)
	a.Cost.InstructionSets = strings.Join(slices.Sorted(maps.Keys(sets)), ", ")
	a.Top, _ = metrics.AccuracyTopN(s.Trials, k, topN)
	a.curve = metrics.Curve(s.Trials, k, topN)
	return a
}

// markBest marks the arms whose accuracy-top10 is the best or cannot be told
// from it. Arms with fewer than ten models stand outside the comparison: their
// mean is of another thing; and so do, on the test split, those that have no values there.
func markBest(arms []*arm) {
	mark := func(of func(*arm) metrics.Estimate, best func(*arm) *bool, among func(*arm) bool) {
		var full []*arm
		var all []metrics.Estimate
		for _, a := range arms {
			if a.Top.Models() == topN && among(a) {
				full, all = append(full, a), append(all, of(a).Reward(a.Scale.Objective))
			}
		}
		for i, is := range metrics.Best(all) {
			*best(full[i]) = is
		}
	}
	mark(func(a *arm) metrics.Estimate { return a.Top.Validation }, func(a *arm) *bool { return &a.BestValidation },
		func(*arm) bool { return true })
	mark(func(a *arm) metrics.Estimate { return a.Top.Test }, func(a *arm) *bool { return &a.BestTest }, func(a *arm) bool { return a.Tested })
}

// failures groups an arm's failed trials by status, in order of appearance.
func failures(a *arm) []failure {
	var out []failure
	reasons := map[string]map[string]bool{}
	for _, t := range a.search.Trials {
		if t.Task != a.task || t.OK() {
			continue
		}
		status := string(t.Status)
		at := slices.IndexFunc(out, func(f failure) bool { return f.Status == status })
		if at < 0 {
			out = append(out, failure{arm: a, Status: status, First: t.Trial, Reason: t.Reason})
			at, reasons[status] = len(out)-1, map[string]bool{}
		}
		out[at].Count++
		reasons[status][t.Reason] = true
		out[at].Others = len(reasons[status]) - 1
	}
	return out
}

// styles gives a strategy, and each repetition of it, one line style on all
// tasks of the page: a colour for each repetition, a dash for each strategy, so
// that strategies can be told apart without colour.
type styles struct {
	colour   map[styleKey]int
	learners []string
}

type styleKey struct {
	strategy   string
	repetition int
}

// set chooses the style of an arm that follows others of its task. The baseline
// is the dashed one.
func (s *styles) set(a *arm, before []*arm) {
	key := styleKey{strategy: a.Strategy}
	for _, b := range before {
		if b.Strategy == a.Strategy {
			key.repetition++
		}
	}
	if _, ok := s.colour[key]; !ok {
		s.colour[key] = len(s.colour)
	}
	a.Colour = s.colour[key] % colours
	if a.random() {
		a.Dash = baselineDash
		return
	}
	if !slices.Contains(s.learners, a.Strategy) {
		s.learners = append(s.learners, a.Strategy)
	}
	a.Dash = learnerDashes[slices.Index(s.learners, a.Strategy)%len(learnerDashes)]
}
