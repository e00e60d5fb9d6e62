package trainer

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"tnaml/experiments/limit"
	"tnaml/experiments/space"
)

// Definition is what is known of a trainer without running it.
type Definition interface {
	Name() string
	// Takes says that the trainer can be given tasks of a kind.
	Takes(kind string) bool
	// Metrics lists what the trainer reports of each split, its default objective
	// first; none: what it reports is not known before.
	Metrics() []Metric
	// Check reports everything in a space that the trainer cannot take.
	Check(sp *space.Space) []space.Problem
	// Fill returns the space as a search is pinned to it: settings and objective
	// with their defaults, and options that stand for a catalogue written out. kind
	// is that of the tasks, catalogue holds the modules for it.
	Fill(sp *space.Space, kind string, catalogue []string) (space.Space, error)
	// Modules lists the modules that are among the options of a filled space.
	Modules(sp *space.Space) []string
	// Words describes the model that choices design, briefly.
	Words(choices map[string]any) string
}

// Metric is a measure of a model on a split.
type Metric struct {
	Name      string          `json:"name"`
	Direction space.Direction `json:"direction"`
	// Doc says what it measures.
	Doc string `json:"doc,omitempty"`
}

// Definitions lists the trainers that the program brings.
func Definitions() []Definition { return []Definition{Builtin{}, Table{}, External{}} }

// Find returns the definition of a trainer by its name. One that the program
// does not bring takes any space and any task: only its workers know better.
func Find(name string) Definition {
	for _, d := range Definitions() {
		if d.Name() == name {
			return d
		}
	}
	return foreign{name}
}

// Check reports everything wrong with a space: in itself, and for its trainer.
func Check(sp *space.Space) []space.Problem {
	return append(sp.Validate(), Find(sp.TrainerName()).Check(sp)...)
}

// Load reads a space from YAML and checks it, with its trainer.
func Load(yaml []byte) (*space.Space, error) { return space.Load(yaml, Check) }

// Describe says in a few words what model a sequence of actions designs.
func Describe(sp *space.Space, actions []int) string {
	choices, err := sp.Values(actions)
	if err != nil {
		return err.Error()
	}
	return Find(sp.TrainerName()).Words(choices)
}

// checkMetrics refuses an objective that is not among a trainer's metrics, and
// constraints on what is neither among them nor among the others that it reports.
func checkMetrics(d Definition, sp *space.Space, others ...string) (out []space.Problem) {
	var names []string
	for _, m := range d.Metrics() {
		names = append(names, m.Name)
	}
	if m := sp.Objective.Metric; m != "" && !slices.Contains(names, m) {
		out = append(out, space.In("objective", "the trainer %s reports no %q (known: %s)", d.Name(), m, strings.Join(names, ", ")))
	}
	names = append(names, others...)
	for _, c := range sp.Constraints {
		if !slices.Contains(names, strings.TrimPrefix(c.Metric, validation+"_")) {
			out = append(out, space.In("constraints", "the trainer %s reports no %q to bound (known: %s)", d.Name(), c.Metric,
				strings.Join(names, ", ")))
		}
	}
	return out
}

// FillObjective gives an objective its defaults.
func FillObjective(d Definition, o space.Objective) space.Objective {
	metrics := d.Metrics()
	if o.Metric == "" {
		o.Metric = validation
		if len(metrics) > 0 {
			o.Metric = metrics[0].Name
		}
	}
	if o.Direction == "" {
		o.Direction = space.Maximise
		if i := slices.IndexFunc(metrics, func(m Metric) bool { return m.Name == o.Metric }); i >= 0 {
			o.Direction = metrics[i].Direction
		}
	}
	return o
}

// foreign is a trainer that runs elsewhere.
type foreign struct{ name string }

func (f foreign) Name() string                      { return f.name }
func (foreign) Takes(string) bool                   { return true }
func (foreign) Metrics() []Metric                   { return nil }
func (foreign) Check(*space.Space) []space.Problem  { return nil }
func (foreign) Modules(*space.Space) []string       { return nil }
func (foreign) Words(choices map[string]any) string { return words(choices) }
func (f foreign) Fill(sp *space.Space, _ string, _ []string) (space.Space, error) {
	return fill(f, sp), nil
}

// fill is a copy of a space with its objective filled in.
func fill(d Definition, sp *space.Space) space.Space {
	out := *sp
	out.Objective = FillObjective(d, sp.Objective)
	out.Settings = slices.Clone(sp.Settings)
	out.Constraints = slices.Clone(sp.Constraints)
	out.Choices = slices.Clone(sp.Choices)
	for i := range out.Choices {
		out.Choices[i].Options = slices.Clone(sp.Choices[i].Options)
	}
	return out
}

// maxWords bounds the description of a model whose choices mean nothing here.
const maxWords = 160

// words lists choices by name.
func words(choices map[string]any) string {
	names := sortedNames(choices)
	var b strings.Builder
	for i, name := range names {
		one := limit.Cut(fmt.Sprintf("%s %v", name, choices[name]), maxWords)
		if i > 0 && b.Len()+len(one) > maxWords {
			fmt.Fprintf(&b, " · and %d more", len(names)-i)
			break
		}
		if i > 0 {
			b.WriteString(" · ")
		}
		b.WriteString(one)
	}
	return b.String()
}

// named lists names for people.
func named[V any](names map[string]V) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(sortedNames(names), ", ")
}

func sortedNames[V any](named map[string]V) []string { return slices.Sorted(maps.Keys(named)) }
