package simulate

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tnaml/experiments/data"
	"tnaml/experiments/data/table"
	"tnaml/experiments/search"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// recorded is a landscape that a table has.
type recorded struct {
	*table.Table
	space *space.Space
}

func (r recorded) Look(actions []int, seed uint64) (trainer.Status, float64, float64) {
	choices, err := r.space.Values(actions)
	if err != nil {
		panic(err)
	}
	m, ok := r.Table.Look(choices, seed)
	if !ok {
		return trainer.Failed, 0, 0
	}
	return trainer.OK, m["validation_score"], m["test_score"]
}

// tables is a world of tables: sums over the options, with noise, and one option that no
// table knows.
func tables(t *testing.T) (*World, map[string]*table.Table) {
	w := testWorld(t)
	all := map[string]*table.Table{}
	for k, task := range append(w.Development, w.Test...) {
		effects := table.Effects{}
		for _, metric := range []string{"validation_score", "test_score"} {
			e := table.Effect{Intercept: .5, Choices: map[string]map[string]float64{}, Noise: .01}
			for i, c := range w.Space.Choices {
				e.Choices[c.Name] = map[string]float64{}
				for o := range c.Options {
					if i > 0 || o > 0 {
						e.Choices[c.Name][fmt.Sprint(o)] = float64((o*(i+k))%5) / 100
					}
				}
			}
			effects[metric] = e
		}
		b, err := json.Marshal(table.Recorded{Metrics: []string{"validation_score", "test_score"}, Effects: effects})
		if err != nil {
			t.Fatal(err)
		}
		if all[task], err = table.Read(b, data.Options{Name: task}); err != nil {
			t.Fatal(err)
		}
	}
	w.Landscape = func(task string) (Landscape, error) { return recorded{all[task], &w.Space}, nil }
	return w, all
}

// A strategy cannot tell: a simulated search is, trial by trial, what the platform makes
// of the same configuration with the trainer table: requests in words, outcomes that are
// checked, states that are stored and restored, and controllers and sources as objects.
func TestAsRealSearches(t *testing.T) {
	w, all := tables(t)
	p := testPlan()
	p.Trials = 30
	for _, d := range w.Strategies {
		if d.FromSources {
			p.Arms = append(p.Arms, Arm{Name: d.Name, Strategy: d.Name, From: "multitask"})
		}
	}
	r := newRunner(w, &p, quiet)
	for task := range all {
		r.lands[task], _ = w.Landscape(task)
	}
	for i := range p.Arms {
		a := &p.Arms[i]
		from := r.needs(a, "x", 1)
		objects := search.From{}
		d, err := w.Strategies.Find(a.Strategy)
		if err != nil {
			t.Fatal(err)
		}
		var controller *strategy.Pretrained
		if from != nil {
			if err := r.pretrain(t.Context(), from); err != nil {
				t.Fatal(err)
			}
		}
		if from != nil && d.FromController {
			if controller, err = strategy.DecodeController(from.controller); err != nil {
				t.Fatal(err)
			}
		}
		settings, err := d.Canonical(a.Settings, controller)
		if err != nil {
			t.Fatal(err)
		}
		c := w.config(a.Strategy, settings, []string{"x"}, 2, p.Lag)
		if from != nil && d.Continues {
			c.Controller, objects.Controller = controller.Ref, from.controller
		}
		if from != nil && d.FromSources {
			c.Sources, objects.Sources = from.ref, strategy.EncodeSources(&c.Space, from.sources)
		}
		got, err := r.target(t.Context(), a, "x", 2, from)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(platform(t, all, c, objects, p.Trials), got); diff != "" {
			t.Errorf("%s (-real +simulated):\n%s", a.Name, diff)
		}
	}
}

// platform runs a search as the platform does.
func platform(t *testing.T, all map[string]*table.Table, c search.Config, from search.From, trials int) []search.Trial {
	t.Helper()
	s, err := search.NewFrom(c, from)
	if err != nil {
		t.Fatal(err)
	}
	var rows []search.Trial
	for i := range trials {
		if i%7 == 6 {
			if s, err = search.Restore(c, s.State()); err != nil {
				t.Fatal(err)
			}
		}
		p, err := s.Ask(i)
		if err != nil {
			t.Fatal(err)
		}
		o := trainer.Outcome{Status: trainer.Failed}
		if m, ok := all[c.Tasks[p.Task].Name].Look(p.Choices, p.Seed); ok {
			o = trainer.Outcome{Status: trainer.OK, Metrics: m}
		}
		row := search.NewTrial(p, o.Checked(c.Space.Objective), c.Space.Objective)
		if err := s.Tell(row); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	search.FillRewards(&c, rows)
	return rows
}
