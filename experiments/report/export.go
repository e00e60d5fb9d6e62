package report

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"tnaml/experiments/guard"
	"tnaml/experiments/metrics"
	"tnaml/experiments/search"
	"tnaml/experiments/study"
	"tnaml/experiments/trainer"
)

// WriteCSV writes every trial of every search, a line each, under a header line.
// The choices of all the searches' spaces and the metrics are the last columns,
// as "choice.NAME" and "metric.NAME", since they may have any names; a cell is
// empty where the space lacks the choice, or the trial its cost.
func WriteCSV(w io.Writer, in Input) error {
	if err := in.validate(); err != nil {
		return err
	}
	header := []string{
		"search", "strategy", "seed", "trial", "task", "status", "reason", "validation", "test", "reward", "steps",
		"cpu_seconds", "wall_seconds", "cached", "worker", "model",
	}
	// Choices by name, then metrics by name: searches may have different ones, and
	// they may be called as another column is.
	columns := map[string]int{}
	column := func(name string) {
		if _, ok := columns[name]; !ok {
			columns[name] = len(header)
			header = append(header, name)
		}
	}
	metrics := map[string]bool{}
	for i := range in.Searches {
		for _, c := range in.Searches[i].Config.Space.Choices {
			column("choice." + c.Name)
		}
		for _, t := range in.Searches[i].Trials {
			for name := range t.Metrics {
				metrics["metric."+name] = true
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(metrics)) {
		column(name) // with something before it, so no formula
	}
	c := csv.NewWriter(w)
	if err := c.Write(header); err != nil {
		return fmt.Errorf("writing the trials: %w", err)
	}
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	for i := range in.Searches {
		s := &in.Searches[i]
		costs := make(map[int]search.Cost, len(s.Costs))
		for _, c := range s.Costs {
			costs[c.Trial] = c
		}
		for _, t := range s.Trials {
			row := make([]string, len(header))
			copy(row, []string{
				s.Name, s.strategy(), strconv.FormatUint(s.Config.Seed, 10), strconv.Itoa(t.Trial), s.Config.Tasks[t.Task].Name,
				string(t.Status), t.Reason, number(t.Validation), number(t.Test), number(t.Reward), strconv.Itoa(t.Steps),
			})
			if c, ok := costs[t.Trial]; ok {
				row[11], row[12], row[13], row[14] = number(c.CPUSeconds), number(c.WallSeconds), strconv.FormatBool(c.Cached), c.Worker
			}
			row[15] = t.Model
			for k, choice := range s.Config.Space.Choices {
				row[columns["choice."+choice.Name]] = fmt.Sprint(choice.Options[t.Actions[k]])
			}
			for name, v := range t.Metrics {
				row[columns["metric."+name]] = number(v)
			}
			for k := range row {
				row[k] = harmless(row[k])
			}
			if err := c.Write(row); err != nil {
				return fmt.Errorf("writing the trials: %w", err)
			}
		}
	}
	c.Flush()
	if err := c.Error(); err != nil {
		return fmt.Errorf("writing the trials: %w", err)
	}
	return nil
}

// harmless is a cell that a spreadsheet takes for text where it would take it for a
// formula, with an apostrophe before it: names and reasons are not ours. Numbers stay.
func harmless(cell string) string {
	if cell == "" || !strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return cell
	}
	if _, err := strconv.ParseFloat(cell, 64); err == nil {
		return cell
	}
	return "'" + cell
}

// document is what WriteJSON writes: the input and the figures made of it.
type document struct {
	Title     string `json:"title"`
	Generated string `json:"generated,omitempty"`
	// TopN is the N of every accuracy-topN in it.
	TopN     int      `json:"top_n"`
	Results  []result `json:"results"`
	Searches []Search `json:"searches"`
	Cards    []Card   `json:"cards,omitempty"`
	// Evaluations are those of the tasks' best models.
	Evaluations []study.Evaluation `json:"evaluations,omitempty"`
}

// result is one search on one task.
type result struct {
	Task     string `json:"task"`
	Search   string `json:"search"`
	Strategy string `json:"strategy"`
	Seed     uint64 `json:"seed"`
	Trials   int    `json:"trials"`
	Failed   int    `json:"failed"`
	// Models is the number of models averaged, at most TopN.
	Models     int              `json:"models"`
	Validation metrics.Estimate `json:"validation"`
	Test       metrics.Estimate `json:"test"`
	// Tested is false where the trainer reports nothing of a test split.
	Tested bool `json:"tested"`
	// Gap is by how much validation is better than test.
	Gap float64 `json:"gap"`
	// Corrected is what the best of them is expected to have on new examples.
	Corrected *guard.Corrected `json:"corrected,omitempty"`
	// Best lists the trials of the models averaged, best first.
	Best       []int           `json:"best"`
	CPUSeconds float64         `json:"cpu_seconds"`
	Cached     int             `json:"cached"`
	Curve      []metrics.Point `json:"curve"`
}

// WriteJSON writes the input as one JSON document, with the results per task and
// search that the page shows, learning curves included.
func WriteJSON(w io.Writer, in Input) error {
	if err := in.validate(); err != nil {
		return err
	}
	v, err := newView(in)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	d := document{Title: in.Title, Generated: in.Generated, TopN: topN, Results: []result{}, Searches: in.Searches, Cards: in.Cards,
		Evaluations: in.Evaluations}
	for _, tv := range v.Tasks {
		for _, a := range tv.Arms {
			r := result{
				Task: tv.Task, Search: a.Search, Strategy: a.Strategy, Seed: a.Seed, Trials: a.Trials, Failed: a.Failed,
				Models: a.Top.Models(), Validation: a.Top.Validation, Test: a.Top.Test, Tested: a.Tested,
				Gap: trainer.Reward(a.Scale.Objective, a.Top.Gap()), Best: []int{}, CPUSeconds: a.Cost.CPU, Cached: a.Cost.Cached, Curve: a.curve,
				Corrected: a.Corrected,
			}
			for _, t := range a.Top.Trials {
				r.Best = append(r.Best, t.Trial)
			}
			if r.Curve == nil {
				r.Curve = []metrics.Point{}
			}
			d.Results = append(d.Results, r)
		}
	}
	b, err := json.MarshalIndent(d, "", " ")
	if err != nil {
		return fmt.Errorf("report as JSON: %w", err)
	}
	if _, err := w.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}
