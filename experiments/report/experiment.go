package report

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"

	"tnaml/experiments/search/strategy"
	"tnaml/experiments/study"
)

//go:embed experiment.html
var experimentHTML string

var experimentTemplate = template.Must(template.Must(pageTemplate.Clone()).New("experiment").Parse(experimentHTML))

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
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	err := e.Encode(struct {
		Table       []study.Row        `json:"table"`
		Comparisons []study.Comparison `json:"comparisons"`
		Ranking     *study.Ranking     `json:"ranking,omitempty"`
		Tunings     []study.ArmTuning  `json:"overtuning,omitempty"`
		Costs       []costRow          `json:"costs"`
		Saving      *saving            `json:"saving,omitempty"`
		Study       *study.Study       `json:"study"`
	}{s.Table(), s.Comparisons(), s.Ranking(), s.Tunings(), costs(s), savings(s), s})
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
		in.Searches = append(in.Searches, Search{
			Name: l.Search, Strategy: string(l.Phase) + " " + l.Arm, Config: l.Config, Trials: l.Trials, Costs: l.Costs,
		})
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
	for i := range s.Ledgers {
		if l := &s.Ledgers[i]; l.Config.Space.Objective.Metric != "" && l.Config.Space.Objective != s.Objective() {
			errs = append(errs, fmt.Errorf("report: search %q optimises %v, others %v: they cannot be compared",
				l.Search, l.Config.Space.Objective, s.Objective()))
			break
		}
	}
	return errors.Join(append(errs, in.validate())...)
}

// experimentView is what the page's template shows.
type experimentView struct {
	Title, Description, Generated string
	Style                         template.CSS
	TopN, Searches, Trials        int
	Runs                          []study.Run
	// Tables compare the arms, Costs is what they cost.
	Tables     []*pageTable
	Costs      *pageTable
	Saving     *saving
	Savings    *pageTable
	Simulated  []*pageTable
	Targets    []*targetView
	Pretrained []*pretrainView
	Failures   []study.Ledger
	Unfinished string
	Verdicts   []study.Verdict
	Cards      []study.Card
	// Ledgers are all searches.
	Ledgers []study.Ledger
}

// armLook is an arm with its line style, the same on the whole page.
type armLook struct {
	Name         string
	Colour, Dash int
}

// targetView is a target task.
type targetView struct {
	study.Row
	ID     string
	Legend []*armLook
	Plots  []figure
	// Together shows both splits of each arm, where Plots do not.
	Together []figure
	// Options are the probabilities of a choice's options over the trials.
	Options    []optionFigure
	Evaluation *evaluationView
}

// pageTable is a table with what the page alone shows of it.
type pageTable struct {
	Table
	looks   looks
	targets map[string]string
}

// Look is the line style of the arm that a column is of, nil for another one.
func (t *pageTable) Look(c Column) *armLook {
	if !c.Arm {
		return nil
	}
	return t.looks[c.Name]
}

// Narrow says that the table is too small to be as wide as the page.
func (t *pageTable) Narrow() bool { return len(t.Columns) < 6 }

// Target is the part of the page on the task that a row is of, empty for none.
func (t *pageTable) Target(row []Cell) string { return t.targets[row[0].Text] }

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
	// Greedy holds the controller's greedy architecture for each task; none while
	// there is no controller.
	Greedy []greedyRow
	// Similarity holds the cosines of the task embeddings; nil without.
	Similarity [][]float64
	// Information says how much the controller tells the tasks apart; nil without.
	Information *strategy.Information
	Plots       []figure
	Legend      []*armLook
}

func newExperimentView(s *study.Study, generated string) (*experimentView, error) {
	v := &experimentView{
		Title: s.Experiment, Description: s.Description, Generated: generated, Style: template.CSS(pageCSS), TopN: topN,
		Searches: len(s.Ledgers), Runs: s.Runs, Verdicts: study.Regressions(s.Verdicts), Failures: s.Failed(), Unfinished: Unfinished(s),
		Cards: s.Cards, Ledgers: s.Ledgers,
		Costs: &pageTable{Table: costTable(costs(s))}, Saving: savings(s),
	}
	for i := range s.Ledgers {
		v.Trials += len(s.Ledgers[i].Trials)
	}
	if v.Saving != nil {
		v.Savings = &pageTable{Table: savingTable(v.Saving)}
	}
	looks := newLooks(s)
	targets := map[string]string{}
	for i, row := range s.Table() {
		t := &targetView{Row: row, ID: fmt.Sprintf("target-%d", i+1)}
		targets[t.Task] = t.ID
		for _, c := range t.Cells {
			t.Legend = append(t.Legend, looks[c.Arm])
		}
		t.Evaluation = evaluationOf(s.Evaluations, t.Task)
		var err error
		if t.Plots, t.Together, err = armFigures(s, t, looks); err != nil {
			return nil, err
		}
		if t.Options, err = optionFigures(s, t); err != nil {
			return nil, err
		}
		v.Targets = append(v.Targets, t)
	}
	for _, t := range Tables(s) {
		v.Tables = append(v.Tables, &pageTable{t, looks, targets})
	}
	for _, t := range SimulatedTables(s) {
		v.Simulated = append(v.Simulated, &pageTable{Table: t, looks: looks})
	}
	var err error
	v.Pretrained, err = pretrainings(s)
	return v, err
}

// looks are the line styles of arms, by their names.
type looks map[string]*armLook

// newLooks gives each arm a style by its place among all, so that a task without
// an arm does not change the others'. The baseline is the dashed one.
func newLooks(s *study.Study) looks {
	out := looks{}
	for i, arm := range s.ArmNames() {
		out[arm] = &armLook{Name: arm, Colour: i % colours, Dash: learnerDashes[i/colours%len(learnerDashes)]}
		if arm == s.Baseline {
			out[arm].Dash = baselineDash
		}
	}
	return out
}
