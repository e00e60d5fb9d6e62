package report

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"

	"github.com/goccy/go-yaml"

	"tnaml/experiments/metrics"
	"tnaml/experiments/search"
	"tnaml/experiments/study"
)

var (
	//go:embed experiment.html
	experimentHTML string
	//go:embed paper.yaml
	paperYAML []byte
)

var experimentTemplate = template.Must(template.Must(pageTemplate.Clone()).New("experiment").Parse(experimentHTML))

// paperRow is a row of the paper's Table 1.
type paperRow struct {
	Task   string             `yaml:"task"`
	Name   string             `yaml:"name"`
	Trials map[string]int     `yaml:"trials"`
	Test   map[string]float64 `yaml:"test"`
	Error  float64            `yaml:"error"`
}

var paper = func() map[string]*paperRow {
	var rows []*paperRow
	if err := yaml.UnmarshalWithOptions(paperYAML, &rows, yaml.Strict()); err != nil {
		panic(err) // embedded
	}
	index := map[string]*paperRow{}
	for _, r := range rows {
		index[r.Task] = r
	}
	return index
}()

// WriteExperiment writes an experiment's page. generated is the date, in words.
// It checks the study first and reports everything wrong with it together; then
// nothing is written.
func WriteExperiment(w io.Writer, s *study.Study, generated string) error {
	if err := validateStudy(s); err != nil {
		return err
	}
	v, err := newExperimentView(s, generated)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	var b bytes.Buffer
	if err := experimentTemplate.Execute(&b, v); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// WriteExperimentJSON writes the data behind the page: the study itself, and the
// tables made of it.
func WriteExperimentJSON(w io.Writer, s *study.Study) error {
	if err := validateStudy(s); err != nil {
		return err
	}
	v, err := newExperimentView(s, "")
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	err = e.Encode(struct {
		Table     []*targetView      `json:"table"`
		Ablations []study.Comparison `json:"comparisons"`
		Costs     []costRow          `json:"costs"`
		Study     *study.Study       `json:"study"`
	}{v.Targets, v.Comparisons, v.Costs, s})
	if err != nil {
		return fmt.Errorf("writing the experiment: %w", err)
	}
	return nil
}

// WriteExperimentCSV writes every trial of every search of an experiment, a line
// each, under a header line.
func WriteExperimentCSV(w io.Writer, s *study.Study) error {
	in := Input{}
	for i := range s.Ledgers {
		l := &s.Ledgers[i]
		in.Searches = append(in.Searches, Search{Name: l.Search, Strategy: string(l.Phase) + " " + l.Arm, Config: l.Config, Trials: l.Trials, Costs: l.Costs})
	}
	return WriteCSV(w, in)
}

func validateStudy(s *study.Study) error {
	in := Input{}
	for i := range s.Ledgers {
		l := &s.Ledgers[i]
		in.Searches = append(in.Searches, Search{Name: l.Search, Config: l.Config, Trials: l.Trials})
	}
	var errs []error
	if len(s.Ledgers) == 0 {
		errs = append(errs, fmt.Errorf("report: the experiment %q has no search that has begun", s.Experiment))
	}
	return errors.Join(append(errs, in.validate())...)
}

// experimentView is what the page's template shows.
type experimentView struct {
	Title, Description, Generated string
	Style                         template.CSS
	TopN, Searches, Trials        int
	Runs                          []study.Run
	Arms                          []*armLook
	Targets                       []*targetView
	// Paper says that a target has figures of the paper's.
	Paper       bool
	Comparisons []study.Comparison
	Policies    []*targetView
	PolicyArms  []*armLook
	Pretrained  []*pretrainView
	Costs       []costRow
	// Speedup is the median over targets of random search's trials over those of
	// the transferred controller, TrialCPU the median CPU time of a trial in
	// seconds, Saved the CPU hours saved a target at the largest budget, BreakEven
	// the number of new tasks after which pretraining has paid.
	Speedup, TrialCPU, Saved float64
	SavedBudget              int
	PretrainTasks            int
	BreakEven                string
	Failures                 []study.Ledger
	Verdicts                 []study.Verdict
	Cards                    []study.Card
}

// armLook is an arm with its line style, the same on the whole page.
type armLook struct {
	Name         string
	Colour, Dash int
}

// targetView is a target task.
type targetView struct {
	Task string `json:"task"`
	ID   string `json:"-"`
	// Budget is the largest of its searches, Fixed the number of trials at which
	// test accuracies are compared.
	Budget int         `json:"budget"`
	Fixed  int         `json:"fixed_budget"`
	Cells  []*cellView `json:"arms"`
	Paper  *paperRow   `json:"paper,omitempty"`
	Plots  []figure    `json:"-"`
	// Options are the probabilities of a choice's options over the trials.
	Options []optionFigure `json:"-"`
}

// cellView is an arm on a task.
type cellView struct {
	*armLook `json:"-"`
	study.Cell
	// AtFixed is the test accuracy-top10 at the fixed budget, over seeds, or over
	// the ten models with one seed.
	AtFixed metrics.Estimate `json:"test_at_fixed_budget"`
	Bold    bool             `json:"best"`
	// Gap is validation less test accuracy-top10 at the end, in fractions of 1.
	Gap float64 `json:"gap"`
	// Ends says that random search's best was reached in the median.
	Ends bool `json:"reached_in_the_median"`
	// Fastest of its row.
	Fastest bool `json:"fastest"`
}

// PaperTrials and PaperTest are the paper's figures, empty where it has none.
func (c *cellView) PaperTrials(p *paperRow) string {
	if p == nil || p.Trials[c.Arm] == 0 {
		return ""
	}
	return count(p.Trials[c.Arm])
}

// PaperTest is the paper's test accuracy-top10, in percent.
func (c *cellView) PaperTest(p *paperRow) string {
	if p == nil || p.Test[c.Arm] == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f", p.Test[c.Arm])
}

// optionFigure is the evolution of one choice.
type optionFigure struct {
	Choice, Search string
	Legend         []*armLook
	Figure         figure
	Open           bool
}

// pretrainView is a pretraining search.
type pretrainView struct {
	Arm, Search, Controller string
	Seed                    uint64
	Trials                  int
	Tasks                   []string
	// Modal is each task's modal architecture.
	Modal []string
	// Similarity holds the cosines of the task embeddings; nil without.
	Similarity [][]float64
	Plots      []figure
	Legend     []*armLook
}

// costRow is what an arm cost.
type costRow struct {
	Phase   study.Phase `json:"phase"`
	Arm     string      `json:"arm"`
	Trained int         `json:"trained"`
	Cached  int         `json:"cached"`
	// CPU is the sum over trained trials, Median and Mean those of a trial, in seconds.
	CPU    float64 `json:"cpu_seconds"`
	Median float64 `json:"median_cpu_seconds"`
	Mean   float64 `json:"mean_cpu_seconds"`
}

func newExperimentView(s *study.Study, generated string) (*experimentView, error) {
	v := &experimentView{
		Title: s.Experiment, Description: s.Description, Generated: generated, Style: template.CSS(pageCSS), TopN: topN, //nolint:gosec // our own style
		Searches: len(s.Ledgers), Runs: s.Runs, Verdicts: study.Regressions(s.Verdicts), Cards: s.Cards,
	}
	for i := range s.Ledgers {
		l := &s.Ledgers[i]
		v.Trials += len(l.Trials)
		if l.Status == "failed" || l.Status == "canceled" {
			v.Failures = append(v.Failures, *l)
		}
	}
	var err error
	if v.Targets, v.Arms, err = targets(s, study.Transfer, "target"); err != nil {
		return nil, err
	}
	if v.Policies, v.PolicyArms, err = targets(s, study.Policy, "policy"); err != nil {
		return nil, err
	}
	for _, t := range v.Targets {
		if t.Paper = paper[t.Task]; t.Paper != nil {
			v.Paper = true
		}
	}
	for _, other := range study.Arms() {
		if c := s.Compare(study.Transfer, study.ArmTransfer, other); other != study.ArmTransfer && c.Tasks > 0 {
			v.Comparisons = append(v.Comparisons, c)
		}
	}
	if v.Pretrained, err = pretrainings(s); err != nil {
		return nil, err
	}
	v.costs(s)
	return v, nil
}

// targets puts the arms of a phase side by side, task by task.
func targets(s *study.Study, p study.Phase, id string) ([]*targetView, []*armLook, error) {
	var looks []*armLook
	look := func(arm string) *armLook {
		if i := slices.IndexFunc(looks, func(l *armLook) bool { return l.Name == arm }); i >= 0 {
			return looks[i]
		}
		l := &armLook{Name: arm, Colour: len(looks) % colours, Dash: len(looks) / colours % len(dashes)}
		if arm == study.ArmRandom {
			l.Dash = baselineDash
		}
		looks = append(looks, l)
		return l
	}
	// In the order of the whole phase, so that a task without an arm does not
	// change the others' colours.
	for _, l := range s.Select(p, "", "") {
		look(l.Arm)
	}
	var out []*targetView
	for i, row := range s.Table(p) {
		t := &targetView{Task: row.Task, ID: fmt.Sprintf("%s-%d", id, i+1), Budget: row.Budget, Fixed: row.Budget}
		if n := s.FixedBudgets[row.Task]; p == study.Transfer && n > 0 {
			t.Fixed = min(n, row.Budget)
		}
		var estimates []metrics.Estimate
		fastest := math.Inf(1)
		for _, c := range row.Cells {
			cell := &cellView{armLook: look(c.Arm), Cell: c, AtFixed: atBudget(s.Select(p, row.Task, c.Arm), t.Fixed)}
			cell.Gap = c.Validation.Mean - c.Test.Mean
			cell.Ends = c.Compared > 0 && c.ToRandom <= float64(row.Budget)
			if cell.Ends {
				fastest = min(fastest, c.ToRandom)
			}
			t.Cells = append(t.Cells, cell)
			estimates = append(estimates, cell.AtFixed)
		}
		for k, best := range metrics.Best(estimates) {
			t.Cells[k].Bold = best && t.Cells[k].Models > 0
			t.Cells[k].Fastest = t.Cells[k].Ends && t.Cells[k].ToRandom == fastest
		}
		var err error
		if t.Plots, err = armFigures(s, p, t, look); err != nil {
			return nil, nil, err
		}
		if t.Options, err = optionFigures(s, p, t); err != nil {
			return nil, nil, err
		}
		out = append(out, t)
	}
	return out, looks, nil
}

// atBudget is the test accuracy-top10 after so many trials: over seeds, or with
// one seed over the ten models (Table 1, right).
func atBudget(ledgers []*study.Ledger, budget int) metrics.Estimate {
	var tests []float64
	var only metrics.Estimate
	for _, l := range ledgers {
		top, ok := metrics.AccuracyTopN(until(l.Trials, budget), 0, topN)
		if ok {
			tests, only = append(tests, top.Test.Mean), top.Test
		}
	}
	if len(tests) == 1 {
		return only
	}
	return metrics.Mean(tests)
}

func until(trials []search.Trial, n int) []search.Trial { return trials[:min(n, len(trials))] }

// costs sums what the arms took.
func (v *experimentView) costs(s *study.Study) {
	type key struct {
		phase study.Phase
		arm   string
	}
	var order []key
	each := map[key][]float64{}
	cached := map[key]int{}
	var all []float64
	for i := range s.Ledgers {
		l := &s.Ledgers[i]
		k := key{l.Phase, l.Arm}
		if _, ok := cached[k]; !ok {
			order, cached[k] = append(order, k), 0
		}
		for _, c := range l.Costs {
			if c.Cached {
				cached[k]++
				continue
			}
			each[k] = append(each[k], c.CPUSeconds)
			all = append(all, c.CPUSeconds)
		}
	}
	for _, k := range order {
		row := costRow{Phase: k.phase, Arm: k.arm, Trained: len(each[k]), Cached: cached[k], Mean: metrics.Mean(each[k]).Mean}
		for _, c := range each[k] {
			row.CPU += c
		}
		row.Median = median(each[k])
		v.Costs = append(v.Costs, row)
	}
	v.TrialCPU = median(all)
	var speedups []float64
	for _, t := range v.Targets {
		var r, x *cellView
		for _, c := range t.Cells {
			switch c.Arm {
			case study.ArmRandom:
				r = c
			case study.ArmTransfer:
				x = c
			}
		}
		if r != nil && x != nil && x.Ends && x.ToRandom > 0 {
			needed := r.ToRandom
			if r.Compared == 0 {
				needed = float64(t.Budget)
			}
			speedups = append(speedups, needed/x.ToRandom)
			v.SavedBudget = max(v.SavedBudget, t.Budget)
		}
	}
	for _, p := range v.Pretrained {
		v.PretrainTasks = max(v.PretrainTasks, len(p.Tasks))
	}
	if len(speedups) == 0 {
		return
	}
	v.Speedup = median(speedups)
	v.Saved = metrics.CPUHoursSaved(v.SavedBudget, v.TrialCPU/3600, v.Speedup)
	v.BreakEven = "never"
	if n := metrics.BreakEven(v.PretrainTasks, v.Speedup); !math.IsInf(n, 1) {
		v.BreakEven = fmt.Sprintf("%.1f", n)
	}
}
