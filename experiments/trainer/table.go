package trainer

import "tnaml/experiments/space"

// Table is the definition of the trainer table: it looks outcomes up in the
// task's object, a recorded or fitted benchmark (experiments/data/table), so that
// a trial takes microseconds. Any choices will do that the object knows.
type Table struct{}

// Name is the trainer's name.
func (Table) Name() string { return "table" }

// Takes says that tasks of recorded benchmarks are taken.
func (Table) Takes(kind string) bool { return kind == "table" }

// Metrics are those of the object.
func (Table) Metrics() []Metric { return nil }

// Check reports settings: there are none.
func (t Table) Check(sp *space.Space) []space.Problem {
	if len(sp.Settings) > 0 && string(sp.Settings) != "{}" {
		return []space.Problem{space.In("settings", "the trainer %s has no settings", t.Name())}
	}
	return nil
}

// Fill fills in the objective.
func (t Table) Fill(sp *space.Space, _ string, _ []string) (space.Space, error) {
	return fill(t, sp), nil
}

// Modules are none.
func (Table) Modules(*space.Space) []string { return nil }

// Words lists the choices.
func (Table) Words(choices map[string]any) string { return words(choices) }
