// Package report writes searches side by side as one self-contained HTML page,
// with the data behind it as CSV and JSON. It needs no network, no script, and
// reads well in light, in dark and on paper.
package report

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strconv"

	"tnaml/experiments/metrics"
	"tnaml/experiments/search"
	"tnaml/experiments/space"
	"tnaml/experiments/task"
)

// Input is what a report shows.
type Input struct {
	Title string `json:"title"`
	// Generated is the date, in words: this package has no clock.
	Generated string   `json:"generated"`
	Searches  []Search `json:"searches"`
	Cards     []Card   `json:"cards"`
}

// Search is one search with its ledger.
type Search struct {
	Name   string         `json:"name"`
	Status string         `json:"status"`
	Config search.Config  `json:"config"`
	Trials []search.Trial `json:"trials"`
	Costs  []search.Cost  `json:"costs"`
}

// Card is a task's card.
type Card struct {
	Task string    `json:"task"`
	Card task.Card `json:"card"`
}

// topN is the paper's N.
const topN = 10

//go:embed page.html
var page string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"percent": percent, "points": func(v float64) string { return fmt.Sprintf("%.2f", 100*v) }, "seconds": seconds,
}).Parse(page))

func percent(v float64) string { return fmt.Sprintf("%.2f %%", 100*v) }

func seconds(v float64) string {
	switch {
	case v < 120:
		return fmt.Sprintf("%.1f s", v)
	case v < 7200:
		return fmt.Sprintf("%.1f min", v/60)
	}
	return fmt.Sprintf("%.1f h", v/3600)
}

// Write writes the page. Equal inputs give equal bytes.
func Write(w io.Writer, in Input) error {
	v, err := newView(in)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, v); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	_, err = w.Write(b.Bytes())
	return err
}

// view is what the page's template shows.
type view struct {
	Input
	Tasks   []taskView
	Configs []configView
}

// taskView is one task's part of the page.
type taskView struct {
	Name     string
	Card     *task.Card
	Arms     []arm
	Curve    template.HTML
	Shares   []shareView
	Failures []failure
}

// arm is one search on one task.
type arm struct {
	Search, Strategy, Status string
	Seed                     uint64
	Colour                   int // index of the page's series colours
	Trials, Failed, Cached   int
	Top                      metrics.TopN
	Gap                      float64
	// BestTest says that no other arm's test accuracy is better by more than
	// two standard errors.
	BestTest  bool
	Mean      float64 // validation accuracy of all trials, failed ones with 0
	CPU       float64
	MedianCPU float64
	Best      []bestRow
	task      int
	search    *Search
}

type bestRow struct {
	search.Trial
	Summary string
}

// shareView compares how often a choice's options were taken early and late.
type shareView struct {
	Choice string
	Arms   []shareArm
}

type shareArm struct {
	Search  string
	Options []shareOption
}

type shareOption struct {
	Option      string
	First, Last float64
}

// shareWidth is the length of a bar that stands for all trials, in pixels.
const shareWidth = 90

// FirstWidth is the length of the first trials' bar.
func (s shareOption) FirstWidth() string { return fmt.Sprintf("%.1f", shareWidth*s.First) }

// LastWidth is the length of the last trials' bar.
func (s shareOption) LastWidth() string { return fmt.Sprintf("%.1f", shareWidth*s.Last) }

type failure struct {
	Search, Status, Reason string
	Count                  int
}

type configView struct {
	Name string
	JSON string
}

func newView(in Input) (*view, error) {
	v := &view{Input: in}
	var names []string
	for _, s := range in.Searches {
		for _, t := range s.Config.Tasks {
			if !slices.Contains(names, t.Name) {
				names = append(names, t.Name)
			}
		}
	}
	for _, name := range names {
		tv := taskView{Name: name}
		for i := range in.Cards {
			if in.Cards[i].Task == name {
				tv.Card = &in.Cards[i].Card
			}
		}
		for i := range in.Searches {
			s := &in.Searches[i]
			for k, t := range s.Config.Tasks {
				if t.Name == name {
					a := newArm(s, k)
					a.Colour = len(tv.Arms) % len(palette)
					tv.Arms = append(tv.Arms, a)
					tv.Failures = append(tv.Failures, failures(s, k)...)
				}
			}
		}
		markBest(tv.Arms)
		var err error
		if tv.Curve, err = curves(name, tv.Arms); err != nil {
			return nil, err
		}
		tv.Shares = shares(tv.Arms)
		v.Tasks = append(v.Tasks, tv)
	}
	for _, s := range in.Searches {
		b, err := json.MarshalIndent(s.Config, "", "  ")
		if err != nil {
			return nil, err
		}
		v.Configs = append(v.Configs, configView{s.Name, string(b)})
	}
	return v, nil
}

func newArm(s *Search, k int) arm {
	a := arm{Search: s.Name, Strategy: s.Config.Strategy, Status: s.Status, Seed: s.Config.Seed, task: k, search: s}
	var all, cpu []float64
	for i, t := range s.Trials {
		if t.Task != k {
			continue
		}
		a.Trials++
		all = append(all, t.Validation)
		if !t.OK() {
			a.Failed++
		}
		if i >= len(s.Costs) {
			continue
		}
		if s.Costs[i].Cached {
			a.Cached++
			continue
		}
		cpu = append(cpu, s.Costs[i].CPUSeconds)
		a.CPU += s.Costs[i].CPUSeconds
	}
	a.Mean = metrics.Mean(all).Mean
	if len(cpu) > 0 {
		slices.Sort(cpu)
		a.MedianCPU = cpu[len(cpu)/2]
	}
	a.Top, _ = metrics.AccuracyTopN(s.Trials, k, topN)
	a.Gap = a.Top.Validation.Mean - a.Top.Test.Mean
	for _, t := range a.Top.Trials {
		a.Best = append(a.Best, bestRow{t, s.Config.Space.Describe(t.Actions)})
	}
	return a
}

// markBest marks the arms whose test accuracy-top10 is the best or cannot be
// told from it.
func markBest(arms []arm) {
	if len(arms) < 2 {
		return
	}
	best := slices.MaxFunc(arms, func(a, b arm) int { return cmp.Compare(a.Top.Test.Mean, b.Top.Test.Mean) })
	for i := range arms {
		arms[i].BestTest = len(arms[i].Best) > 0 && arms[i].Top.Test.Within(best.Top.Test)
	}
}

func failures(s *Search, k int) []failure {
	var out []failure
	for _, t := range s.Trials {
		if t.Task != k || t.OK() {
			continue
		}
		at := slices.IndexFunc(out, func(f failure) bool { return f.Status == string(t.Status) })
		if at < 0 {
			out = append(out, failure{Search: s.Name, Status: string(t.Status), Reason: t.Reason})
			at = len(out) - 1
		}
		out[at].Count++
	}
	return out
}

// shareTrials is the number of first and last trials whose options are
// compared: the paper's window, or half the search.
const shareTrials = 100

// shares compares the options taken at the start and at the end, for arms that
// learn.
func shares(arms []arm) []shareView {
	var out []shareView
	for _, a := range arms {
		if a.Strategy == search.Random {
			continue
		}
		window := min(shareTrials, a.Trials/2)
		if window == 0 {
			continue
		}
		for c, choice := range a.search.Config.Space.Choices {
			s := metrics.OptionProbabilities(a.search.Trials, a.task, c, len(choice.Options), window)
			if len(s) == 0 || len(choice.Options) < 2 {
				continue
			}
			row := shareArm{Search: a.Search}
			for k, o := range choice.Options {
				row.Options = append(row.Options, shareOption{fmt.Sprint(o), s[0][k], s[len(s)-1][k]})
			}
			at := slices.IndexFunc(out, func(v shareView) bool { return v.Choice == choice.Name })
			if at < 0 {
				out = append(out, shareView{Choice: choice.Name})
				at = len(out) - 1
			}
			out[at].Arms = append(out[at].Arms, row)
		}
	}
	return out
}

// WriteCSV writes every trial of every search, a line each.
func WriteCSV(w io.Writer, in Input) error {
	c := csv.NewWriter(w)
	choices := []string{
		space.Module, space.FineTune, space.HiddenLayers, space.HiddenSize, space.Activation, space.Normalisation, space.Dropout,
		space.DeepLearningRate, space.DeepRegularisation, space.WideLearningRate, space.WideRegularisation, space.Steps,
	}
	header := []string{"search", "strategy", "seed", "trial", "task", "status", "validation_accuracy", "test_accuracy", "loss", "parameters", "cpu_seconds", "cached"}
	if err := c.Write(append(header, choices...)); err != nil {
		return err
	}
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	for _, s := range in.Searches {
		for i, t := range s.Trials {
			cost := search.Cost{}
			if i < len(s.Costs) {
				cost = s.Costs[i]
			}
			row := []string{
				s.Name, s.Config.Strategy, strconv.FormatUint(s.Config.Seed, 10), strconv.Itoa(t.Trial), s.Config.Tasks[t.Task].Name, string(t.Status),
				number(t.Validation), number(t.Test), number(t.Loss), strconv.Itoa(t.Parameters), number(cost.CPUSeconds), strconv.FormatBool(cost.Cached),
			}
			for _, name := range choices {
				at := slices.IndexFunc(s.Config.Space.Choices, func(c space.Choice) bool { return c.Name == name })
				value := ""
				if at >= 0 {
					value = fmt.Sprint(s.Config.Space.Choices[at].Options[t.Actions[at]])
				}
				row = append(row, value)
			}
			if err := c.Write(row); err != nil {
				return err
			}
		}
	}
	c.Flush()
	return c.Error()
}

// WriteJSON writes the whole input.
func WriteJSON(w io.Writer, in Input) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	e.SetEscapeHTML(false)
	return e.Encode(in)
}
