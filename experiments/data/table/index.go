package table

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"unicode/utf8"

	"tnaml/experiments/data"
	"tnaml/nn/rng"
)

// index is a benchmark by numbers: each choice and each option has one.
type index struct {
	choices []*choice // sorted by name
	// width is the number of the rows' choices, and rows finds one by the numbers of
	// its options.
	width  int
	rows   map[string]int32
	models []model // one a metric
}

type choice struct {
	name    string
	options map[option]int32
	forms   []any // of the options, by their numbers
	// inRows says that the rows have the choice.
	inRows bool
}

// number returns the number of an option, a new one where it has none yet.
func (c *choice) number(o option) int32 {
	id, ok := c.options[o]
	if !ok {
		id = int32(len(c.options))
		c.options[o] = id
		c.forms = append(c.forms, o.form())
	}
	return id
}

// model is the effects on one metric, by numbers.
type model struct {
	stream           string // of the noise
	intercept, noise float64
	min, max         float64
	// options holds what each option adds, by choice, NaN where that is not known;
	// nil for a choice that adds nothing.
	options [][]float64
	pairs   []pairs
}

// pairs are the interactions of two choices.
type pairs struct {
	a, b    int
	effects map[[2]int32]float64
}

// numbers are the options of a configuration, by choice; -1 is none that is known.
type numbers [maxChoices]int32

func (x *index) find(choices map[string]any) (at numbers) {
	for i, c := range x.choices {
		at[i] = -1
		if v, ok := choices[c.name]; ok {
			if o, err := optionOf(v); err == nil {
				if id, ok := c.options[o]; ok {
					at[i] = id
				}
			}
		}
	}
	return at
}

// row finds the row of a configuration of n choices.
func (x *index) row(at *numbers, n int) (int32, bool) {
	if n != x.width || len(x.rows) == 0 {
		return 0, false
	}
	var key [2 * maxChoices]byte
	row, ok := x.rows[string(x.key(key[:0], at))]
	return row, ok
}

// key appends the numbers of the rows' choices; one that is not known gives the
// key of no row.
func (x *index) key(b []byte, at *numbers) []byte {
	for i, c := range x.choices {
		if c.inRows {
			b = binary.LittleEndian.AppendUint16(b, uint16(at[i])) // -1 is maxOptions, which no option has
		}
	}
	return b
}

// value adds up, always in the same order.
func (m *model) value(at *numbers, seed uint64) (float64, bool) {
	v := m.intercept
	for i, options := range m.options {
		if options == nil {
			continue
		}
		if at[i] < 0 || math.IsNaN(options[at[i]]) {
			return 0, false
		}
		v += options[at[i]]
	}
	for _, p := range m.pairs {
		if at[p.a] >= 0 && at[p.b] >= 0 {
			v += p.effects[[2]int32{at[p.a], at[p.b]}]
		}
	}
	if m.noise > 0 {
		v += float64(m.noise * rng.New(seed, m.stream, 0).NormFloat64()) // rounded: no fused instruction
	}
	return min(max(v, m.min), m.max), true
}

// option is an option, the same for all that are equal: a string, a truth value,
// or a number, whatever its type.
type option struct {
	text         string
	number       float64
	isText, isOn bool
	isTruth      bool
}

// form is the option as its type in JSON.
func (o option) form() any {
	switch {
	case o.isText:
		return o.text
	case o.isTruth:
		return o.isOn
	}
	return o.number
}

// optionOf reads an option.
func optionOf(v any) (option, error) {
	f := 0.0
	switch v := v.(type) {
	case string:
		if !utf8.ValidString(v) || len(v) > maxText {
			return option{}, fmt.Errorf("option %.40q: a string must be UTF-8 of at most %d bytes", v, maxText)
		}
		return option{text: v, isText: true}, nil
	case bool:
		return option{isOn: v, isTruth: true}, nil
	case float64:
		f = v
	case float32:
		f = float64(v)
	case int:
		f = float64(v)
	case int64:
		f = float64(v)
	case json.Number:
		var err error
		if f, err = v.Float64(); err != nil {
			return option{}, fmt.Errorf("option %s: %w", v, err)
		}
	default:
		text, _ := json.Marshal(v)
		return option{}, fmt.Errorf("option %.40s: it must be a string, a number or a truth value", text)
	}
	if !finite(f) {
		return option{}, fmt.Errorf("option %v: it must be finite", f)
	}
	return option{number: f + 0}, nil // 0 for -0
}

// indexer makes an index, and notes what is wrong.
type indexer struct {
	*data.Problems
	lines  []int
	byName map[string]*choice
	x      *index
}

// place names a row for people.
func (x *indexer) place(row int) string {
	if x.lines != nil {
		return fmt.Sprintf("line %d", x.lines[row])
	}
	return fmt.Sprintf("row %d", row+1)
}

// normalised returns a benchmark in its one form, with its index; what is wrong is
// added to the problems.
func normalised(r Recorded, lines []int, p *data.Problems) (Recorded, *index) {
	x := &indexer{p, lines, map[string]*choice{}, &index{rows: map[string]int32{}}}
	x.names("metric", r.Metrics, maxMetrics)
	switch {
	case len(r.Metrics) == 0:
		x.Add("no metrics")
	case len(r.Rows) == 0 && len(r.Effects) == 0 && p.Len() == 0:
		x.Add("neither rows nor effects: there is nothing to look up")
	case len(r.Rows) > maxRows:
		x.Add("%d rows; there may be %d", len(r.Rows), maxRows)
		return r, x.x
	}
	out := Recorded{Metrics: r.Metrics, Rows: x.rows(r.Rows, r.Metrics)}
	out.Effects = x.effects(r.Effects, r.Metrics)
	x.x.choices = slices.SortedFunc(maps.Values(x.byName), func(a, b *choice) int { return cmp.Compare(a.name, b.name) })
	x.names("choice", slices.Sorted(maps.Keys(x.byName)), maxChoices)
	for _, c := range x.x.choices {
		if len(c.options) > maxOptions {
			x.Add("choice %q has %d options; there may be %d", c.name, len(c.options), maxOptions)
		}
		if len(r.Rows) > 0 && !c.inRows {
			x.Add("effects: choice %q is not among those of the rows", c.name)
		}
	}
	if p.Len() == 0 {
		x.number(out)
	}
	return out, x.x
}

// names checks names of metrics or choices.
func (x *indexer) names(what string, names []string, most int) {
	if len(names) > most {
		x.Add("%d %ss; there may be %d", len(names), what, most)
	}
	for i, n := range names {
		switch {
		case n == "" || len(n) > maxName || !utf8.ValidString(n):
			x.Add("%s %.40q: a name has 1 to %d bytes of UTF-8", what, n, maxName)
		case slices.Contains(names[:min(i, most)], n):
			x.Add("%s %q is there twice", what, n)
		}
	}
}

// choice returns a choice by its name.
func (x *indexer) choice(name string) *choice {
	c := x.byName[name]
	if c == nil {
		c = &choice{name: name, options: map[option]int32{}}
		x.byName[name] = c
	}
	return c
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// rows checks the rows and returns them with their options in normal form.
func (x *indexer) rows(rows []Row, metrics []string) []Row {
	if len(rows) == 0 {
		return nil
	}
	names := slices.Sorted(maps.Keys(rows[0].Choices))
	if len(names) == 0 {
		x.Add("%s: no choices", x.place(0))
	}
	for _, n := range names {
		x.choice(n).inRows = true
	}
	out := make([]Row, len(rows))
	for i, row := range rows {
		out[i] = Row{Choices: make(map[string]any, len(names)), Metrics: row.Metrics, Curves: row.Curves}
		x.curves(i, row)
		sameNames(x, i, "choice", names, row.Choices)
		for _, n := range names {
			v, ok := row.Choices[n]
			if !ok {
				continue
			}
			o, err := optionOf(v)
			if err != nil {
				x.Add("%s, choice %q: %w", x.place(i), n, err)
				continue
			}
			c := x.choice(n)
			out[i].Choices[n] = c.forms[c.number(o)] // equal ones share their memory
		}
		sameNames(x, i, "metric", metrics, row.Metrics)
		for _, m := range metrics {
			if v := row.Metrics[m]; !finite(v) {
				x.Add("%s, metric %q: %v is no finite number", x.place(i), m, v)
			}
		}
	}
	return out
}

// curves checks a row's curves.
func (x *indexer) curves(i int, row Row) {
	for _, name := range slices.Sorted(maps.Keys(row.Curves)) {
		curve := row.Curves[name]
		bad := func(format string, a ...any) {
			x.Add("%s, curve of %q: %w", x.place(i), name, fmt.Errorf(format, a...))
		}
		end, ok := row.Metrics[name]
		if n := len(curve); !ok || n == 0 || n > maxPoints {
			bad("%d points of a metric: it must be one of the row's, with 1 to %d", n, maxPoints)
			continue
		}
		for k, p := range curve {
			if !finite(p[1]) || p[0] != math.Trunc(p[0]) || p[0] < 1 || p[0] > maxStep || k > 0 && p[0] <= curve[k-1][0] {
				bad("%v: a point is [step, value], with whole steps that rise, from 1 to %d", p, maxStep)
			}
		}
		if last := curve[len(curve)-1][1]; last != end {
			bad("it ends at %v, the metric is %v", last, end)
		}
	}
}

// sameNames notes what a row lacks, and has too much.
func sameNames[V any](x *indexer, row int, what string, want []string, got map[string]V) {
	same := len(got) == len(want)
	for _, n := range want {
		if _, ok := got[n]; !ok {
			x.Add("%s: no %s %q", x.place(row), what, n)
			same = false
		}
	}
	if same {
		return
	}
	for _, n := range slices.Sorted(maps.Keys(got)) {
		if !slices.Contains(want, n) {
			x.Add("%s: unknown %s %.40q (known: %.40q)", x.place(row), what, n, want)
		}
	}
}

// effects checks the effects and returns them with their options in normal form.
func (x *indexer) effects(effects Effects, metrics []string) Effects {
	if len(effects) == 0 {
		return nil
	}
	for _, m := range slices.Sorted(maps.Keys(effects)) {
		if !slices.Contains(metrics, m) {
			x.Add("effects: unknown metric %.40q (known: %.40q)", m, metrics)
		}
	}
	out := make(Effects, len(effects))
	for _, m := range metrics {
		e, ok := effects[m]
		if !ok {
			x.Add("effects: there are none on metric %q", m)
			continue
		}
		bad := func(format string, a ...any) { x.Add("effects on %q: %w", m, fmt.Errorf(format, a...)) }
		if !finite(e.Intercept) || !finite(e.Noise) || e.Noise < 0 {
			bad("intercept %v and noise %v must be finite, the noise not negative", e.Intercept, e.Noise)
		}
		if e.Min != nil && !finite(*e.Min) || e.Max != nil && !finite(*e.Max) || e.Min != nil && e.Max != nil && *e.Min > *e.Max {
			bad("min and max must be finite, and in this order")
		}
		e.Choices, e.Pairs = x.additive(e.Choices, bad), x.interactions(e.Pairs, bad)
		out[m] = e
	}
	return out
}

func (x *indexer) additive(choices map[string]map[string]float64, bad func(format string, a ...any)) map[string]map[string]float64 {
	out := make(map[string]map[string]float64, len(choices))
	for _, name := range slices.Sorted(maps.Keys(choices)) {
		c, to := x.choice(name), map[string]float64{}
		for _, text := range slices.Sorted(maps.Keys(choices[name])) {
			o, key, err := parse(text)
			_, twice := to[key]
			switch effect := choices[name][text]; {
			case err != nil:
				bad("choice %q: %w", name, err)
			case twice:
				bad("choice %q: option %s is there twice", name, key)
			case !finite(effect):
				bad("choice %q, option %s: %v is no finite number", name, key, effect)
			default:
				c.number(o)
				to[key] = effect
			}
		}
		if len(to) == 0 {
			bad("choice %q: no options", name)
		}
		out[name] = to
	}
	return out
}

// parse reads the JSON text of an option; key is the text of all that are equal.
func parse(text string) (o option, key string, err error) {
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return o, "", fmt.Errorf("option %.40q: give its JSON text, such as 2, true or \"adam\" in quotation marks", text)
	}
	if o, err = optionOf(v); err != nil {
		return o, "", err
	}
	b, err := json.Marshal(o.form())
	return o, string(b), err
}

func (x *indexer) interactions(pairs []Pair, bad func(format string, a ...any)) []Pair {
	if len(pairs) > maxPairs {
		bad("%d pairs; there may be %d", len(pairs), maxPairs)
		return nil
	}
	seen := make(map[Pair]bool, len(pairs))
	out := make([]Pair, 0, len(pairs))
	for i, p := range pairs {
		if p.Choices[0] > p.Choices[1] {
			p.Choices[0], p.Choices[1], p.Options[0], p.Options[1] = p.Choices[1], p.Choices[0], p.Options[1], p.Options[0]
		}
		ok := true
		for k := range p.Options {
			o, err := optionOf(p.Options[k])
			if err != nil {
				bad("pair %d: %w", i+1, err)
				ok = false
				continue
			}
			p.Options[k] = o.form()
			x.choice(p.Choices[k]).number(o)
		}
		key := Pair{Choices: p.Choices, Options: p.Options}
		switch {
		case !ok:
			continue
		case p.Choices[0] == p.Choices[1]:
			bad("pair %d is of choice %q alone", i+1, p.Choices[0])
		case !finite(p.Effect):
			bad("pair %d: %v is no finite number", i+1, p.Effect)
		case seen[key]:
			bad("pair %d is there twice", i+1)
		}
		seen[key] = true
		out = append(out, p)
	}
	return out
}

// number fills in the index of a benchmark in normal form.
func (x *indexer) number(r Recorded) {
	if len(r.Rows) > 0 {
		x.x.width = len(r.Rows[0].Choices)
	}
	for i, row := range r.Rows {
		at := x.x.find(row.Choices)
		key := string(x.x.key(nil, &at))
		if first, ok := x.x.rows[key]; ok {
			x.Add("%s: the choices are those of %s", x.place(i), x.place(int(first)))
			continue
		}
		x.x.rows[key] = int32(i)
	}
	if len(r.Effects) == 0 {
		return
	}
	for _, name := range r.Metrics {
		x.x.models = append(x.x.models, x.model(name, r.Effects[name]))
	}
}

func (x *indexer) model(metric string, e Effect) model {
	m := model{
		stream: "table/" + metric, intercept: e.Intercept, noise: e.Noise, min: math.Inf(-1), max: math.Inf(1),
		options: make([][]float64, len(x.x.choices)),
	}
	if e.Min != nil {
		m.min = *e.Min
	}
	if e.Max != nil {
		m.max = *e.Max
	}
	number := make(map[string]int, len(x.x.choices))
	for i, c := range x.x.choices {
		number[c.name] = i
		if e.Choices[c.name] == nil {
			continue
		}
		m.options[i] = slices.Repeat([]float64{math.NaN()}, len(c.options))
		for text, effect := range e.Choices[c.name] {
			o, _, _ := parse(text) // it has been read before
			m.options[i][c.options[o]] = effect
		}
	}
	groups := map[[2]int]pairs{}
	for _, p := range e.Pairs {
		a, b := number[p.Choices[0]], number[p.Choices[1]]
		g, ok := groups[[2]int{a, b}]
		if !ok {
			g = pairs{a, b, map[[2]int32]float64{}}
			groups[[2]int{a, b}] = g
		}
		first, _ := optionOf(p.Options[0]) // as before
		second, _ := optionOf(p.Options[1])
		g.effects[[2]int32{x.x.choices[a].options[first], x.x.choices[b].options[second]}] = p.Effect
	}
	m.pairs = slices.SortedFunc(maps.Values(groups), func(g, h pairs) int { return cmp.Or(cmp.Compare(g.a, h.a), cmp.Compare(g.b, h.b)) })
	return m
}
