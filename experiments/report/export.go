package report

import (
	"encoding/json"
	"fmt"
	"io"

	"tnaml/experiments/exchange"
	"tnaml/experiments/guard"
	"tnaml/experiments/metrics"
	"tnaml/experiments/study"
	"tnaml/experiments/trainer"
)

// WriteCSV writes every trial of every search, a line each, under a header line
// (exchange.WriteCSV).
func WriteCSV(w io.Writer, in Input) error {
	if err := in.validate(); err != nil {
		return err
	}
	var ledgers []exchange.Ledger
	for i := range in.Searches {
		s := &in.Searches[i]
		ledgers = append(ledgers, exchange.Ledger{Name: s.Name, Strategy: s.strategy(), Config: &s.Config, Trials: s.Trials, Costs: s.Costs})
	}
	return exchange.WriteCSV(w, ledgers)
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
