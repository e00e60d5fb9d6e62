package trainer

import "tnaml/experiments/space"

// External is the definition of the trainer external: a search's trials are asked and
// told by whoever calls (`starter ask`, `starter tell`), in a loop of their own. Any
// tasks, choices and settings will do: the callers know what they mean.
type External struct{}

// Name is the trainer's name.
func (External) Name() string { return "external" }

// Takes says that all tasks are taken.
func (External) Takes(string) bool { return true }

// Metrics are those that are told.
func (External) Metrics() []Metric { return nil }

// Check has nothing to report.
func (External) Check(*space.Space) []space.Problem { return nil }

// Fill fills in the objective.
func (e External) Fill(sp *space.Space, _ string, _ []string) (space.Space, error) {
	return fill(e, sp), nil
}

// Modules are none.
func (External) Modules(*space.Space) []string { return nil }

// Words lists the choices.
func (External) Words(choices map[string]any) string { return words(choices) }
