// Package table is a recorded benchmark as a task: an object that maps choices to
// metrics, so that a trial is a look-up. Configurations that were not recorded may
// be estimated by a fitted additive model with noise.
package table

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"tnaml/experiments/data"
	"tnaml/nn/safetensors"
)

// Bounds of a benchmark.
const (
	maxBytes   = 256 << 20 // of its JSON
	maxRows    = 500_000
	maxChoices = 64
	maxOptions = 1<<16 - 1 // of a choice
	maxMetrics = 100
	maxPairs   = 200_000 // of a metric
	maxName    = 100     // bytes of a choice's or a metric's
	maxText    = 1000    // bytes of an option that is a string
	maxPoints  = 64      // of a curve
	maxStep    = 1_000_000_000
)

// Recorded is a benchmark as people write it, in JSON of just this form. There
// are rows, or effects, or both.
type Recorded struct {
	// Metrics are the names of what each row has, and each look-up gives.
	Metrics []string `json:"metrics"`
	Rows    []Row    `json:"rows,omitempty"`
	// Effects estimate each of the metrics where no row has the choices.
	Effects Effects `json:"effects,omitempty"`
}

// Row is a configuration with its metrics. All rows have the same choices; the
// options are strings, numbers or truth values.
type Row struct {
	Choices map[string]any     `json:"choices"`
	Metrics map[string]float64 `json:"metrics"`
	// Curves holds metrics on their way, each a list of (step, value), at most 64, the last
	// of which is the metric itself.
	Curves map[string][][2]float64 `json:"curves,omitempty"`
}

// Effects are additive models, one a metric.
type Effects map[string]Effect

// Effect is the additive model of one metric.
type Effect struct {
	Intercept float64 `json:"intercept"`
	// Choices holds what each option adds, by choice and by the option's JSON text:
	// "2", "true", "\"adam\"". Choices that are not among them add nothing.
	Choices map[string]map[string]float64 `json:"choices,omitempty"`
	// Pairs holds what two options add beside that where they come together.
	Pairs []Pair `json:"pairs,omitempty"`
	// Noise is the standard deviation of a look-up, drawn by the trial's seed.
	Noise float64 `json:"noise,omitempty"`
	// Min and Max, where given, bound the value.
	Min *float64 `json:"min,omitempty"`
	Max *float64 `json:"max,omitempty"`
}

// Pair is an interaction of options of two choices.
type Pair struct {
	Choices two[string] `json:"choices"`
	Options two[any]    `json:"options"`
	Effect  float64     `json:"effect"`
}

// Table is a recorded benchmark as a task.
type Table struct {
	Name string
	Recorded
	Card  data.Card
	index *index
}

// Build makes a task of a benchmark. What is wrong is reported all together.
// Equal arguments give equal tasks.
func Build(r Recorded, o data.Options) (*Table, error) {
	return build(r, nil, o, new(data.Problems))
}

// build adds to the problems found so far; lines are those of the rows, or nil.
func build(r Recorded, lines []int, o data.Options, p *data.Problems) (*Table, error) {
	o, err := o.Unsplit()
	if err != nil {
		p.Fail(err)
	}
	t := &Table{Name: o.Name}
	t.Recorded, t.index = normalised(r, lines, p)
	if err := p.Err("table " + o.Name); err != nil {
		return nil, err
	}
	t.Card = data.Card{Examples: len(t.Rows), Table: t.card(), Options: o}
	return t, nil
}

func (t *Table) card() *data.TableCard {
	c := &data.TableCard{Fitted: len(t.Effects) > 0}
	for _, name := range t.Metrics {
		m := data.MetricRange{Name: name}
		for i, row := range t.Rows {
			v := row.Metrics[name]
			if i == 0 {
				m.Min, m.Max = v, v
			}
			m.Min, m.Max = min(m.Min, v), max(m.Max, v)
		}
		c.Metrics = append(c.Metrics, m)
		c.Interactions += len(t.Effects[name].Pairs)
	}
	for _, k := range t.index.choices {
		c.Choices = append(c.Choices, data.ChoiceOptions{Name: k.name, Options: len(k.options)})
	}
	return c
}

// container is the container kind of an encoded task, benchmark the name of its
// array.
const (
	container = "table"
	benchmark = "benchmark"
)

// Encode returns the task as a safetensors file of kind "table": the metadata
// "table" holds the options as JSON, the array "benchmark" (U8) the benchmark as
// Read takes it, without white space, names sorted, each option in one form. Equal
// tasks give equal bytes.
func (t *Table) Encode() []byte {
	f := safetensors.New(container)
	f.PutJSON(container, t.Card.Options)
	b, err := json.Marshal(t.Recorded)
	if err != nil {
		panic(err) // strings and finite numbers
	}
	safetensors.Put(f, benchmark, b)
	return f.Encode()
}

// Decode reads what Encode wrote. A task that is damaged or inconsistent is an
// error.
func Decode(b []byte) (*Table, error) {
	f, err := safetensors.Decode(b)
	if err != nil {
		return nil, fmt.Errorf("table: %w", err)
	}
	return decode(f)
}

func decode(f *safetensors.File) (*Table, error) {
	if f.Kind() != container {
		return nil, fmt.Errorf("table: the object is a %q, not a table", f.Kind())
	}
	var o data.Options
	if err := f.GetJSON(container, &o); err != nil {
		return nil, fmt.Errorf("table: %w", err)
	}
	if names := f.Names(); !slices.Equal(names, []string{benchmark}) {
		return nil, fmt.Errorf("table %s: it has the arrays %q, not %q alone", o.Name, names, benchmark)
	}
	b, _, err := safetensors.Get[uint8](f, benchmark, -1)
	if err != nil {
		return nil, fmt.Errorf("table %s: %w", o.Name, err)
	}
	return read(b, o, true)
}

// Look returns the metrics of a configuration: those of the row that has just
// these choices, else the effects' values with noise drawn by the seed. It is
// false where neither knows the choices. Numbers are equal by value: 1.0 is 1. It
// may be called by several goroutines; the metrics are the caller's.
func (t *Table) Look(choices map[string]any, seed uint64) (metrics map[string]float64, ok bool) {
	at := t.index.find(choices)
	if row, ok := t.index.row(&at, len(choices)); ok {
		return maps.Clone(t.Rows[row].Metrics), true
	}
	return t.estimate(&at, seed)
}

// Curve is a metric of a configuration on its way, nil where that was not recorded. It is
// the table's own.
func (t *Table) Curve(choices map[string]any, metric string) [][2]float64 {
	at := t.index.find(choices)
	if row, ok := t.index.row(&at, len(choices)); ok {
		return t.Rows[row].Curves[metric]
	}
	return nil
}

func (t *Table) estimate(at *numbers, seed uint64) (metrics map[string]float64, ok bool) {
	if len(t.Effects) == 0 {
		return nil, false
	}
	metrics = make(map[string]float64, len(t.Metrics))
	for i, name := range t.Metrics {
		if metrics[name], ok = t.index.models[i].value(at, seed); !ok {
			return nil, false
		}
	}
	return metrics, true
}
