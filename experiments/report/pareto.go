package report

import (
	"cmp"
	"fmt"
	"html"
	"html/template"
	"math"
	"slices"
	"strings"

	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// Axis is a metric of a Pareto view, and which values of it are better.
type Axis struct {
	Metric    string          `json:"metric"`
	Direction space.Direction `json:"direction"`
}

// Better names the better values.
func (a Axis) Better() string {
	if a.Direction == space.Minimise {
		return "less"
	}
	return "more"
}

// value is the metric of a trial that is feasible: of that very name, or, as objectives
// are named, on the validation split.
func (a Axis) value(metrics map[string]float64) (float64, bool) {
	v, ok := metrics[a.Metric]
	if !ok {
		v, ok = metrics[trainer.Key(metrics, space.Objective{Metric: a.Metric})]
	}
	return v, ok
}

// ParsePareto reads the two metrics of a Pareto view, "test_accuracy,latency_ms:min": each
// with max or min, which may be left out where a space says it, by its objective, its
// trainer's metrics or a constraint with one bound.
func ParsePareto(text string, sp *space.Space) ([]Axis, error) {
	parts := strings.Split(text, ",")
	if len(parts) != 2 {
		return nil, fmt.Errorf("%q: give two metrics with a comma between, e.g. test_accuracy,latency_ms:min", text)
	}
	var out []Axis
	for _, part := range parts {
		name, direction, given := strings.Cut(strings.TrimSpace(part), ":")
		a := Axis{Metric: name}
		switch {
		case direction == "max":
			a.Direction = space.Maximise
		case direction == "min":
			a.Direction = space.Minimise
		case given:
			return nil, fmt.Errorf("%q: after the colon stands max or min", part)
		default:
			if a.Direction = known(name, sp); a.Direction == "" {
				return nil, fmt.Errorf("%q: nothing says which of its values are better: write %s:max or %s:min", name, name, name)
			}
		}
		out = append(out, a)
	}
	if out[0].Metric == out[1].Metric {
		return nil, fmt.Errorf("%q: give two metrics that differ", text)
	}
	return out, nil
}

// known is a metric's direction, "" where nothing says it.
func known(name string, sp *space.Space) space.Direction {
	bare := strings.TrimPrefix(strings.TrimPrefix(name, "validation_"), "test_")
	if o := sp.Objective; o.Metric == bare {
		return o.Direction
	}
	for _, m := range trainer.Find(sp.TrainerName()).Metrics() {
		if m.Name == bare {
			return m.Direction
		}
	}
	for _, c := range sp.Constraints {
		if c.Metric == bare || c.Metric == name {
			switch {
			case c.Min == nil:
				return space.Minimise
			case c.Max == nil:
				return space.Maximise
			}
		}
	}
	return ""
}

// paretoView is the front of a task's models under two metrics.
type paretoView struct {
	X, Y    Axis
	Models  int
	Front   []paretoRow
	Picture template.HTML
}

type paretoRow struct {
	*arm
	Trial   int
	X, Y    float64
	Summary string
}

// paretoOf is nil where no model has both metrics.
func paretoOf(tv *taskView, axes []Axis) *paretoView {
	if len(axes) != 2 {
		return nil
	}
	v := &paretoView{X: axes[0], Y: axes[1]}
	var all []paretoRow
	for _, a := range tv.Arms {
		for _, t := range a.search.Trials {
			x, okX := v.X.value(t.Metrics)
			y, okY := v.Y.value(t.Metrics)
			if t.Task == a.task && t.OK() && okX && okY {
				all = append(all, paretoRow{a, t.Trial, x, y, trainer.Describe(&a.search.Config.Space, t.Actions)})
			}
		}
	}
	if v.Models = len(all); v.Models == 0 {
		return nil
	}
	v.Front = front(all, v.X, v.Y)
	v.Picture = v.picture(all)
	return v
}

// front is the rows that no other dominates, from the best in x to the best in y; of
// equal ones the first.
func front(all []paretoRow, x, y Axis) (out []paretoRow) {
	better := func(a Axis, v float64) float64 { return trainer.Reward(space.Objective{Direction: a.Direction}, v) }
	sorted := slices.SortedStableFunc(slices.Values(all), func(a, b paretoRow) int {
		return cmp.Or(cmp.Compare(better(x, b.X), better(x, a.X)), cmp.Compare(better(y, b.Y), better(y, a.Y)))
	})
	best := math.Inf(-1)
	for _, r := range sorted {
		if v := better(y, r.Y); v > best {
			best, out = v, append(out, r)
		}
	}
	return out
}

// picture is a scatter of the models, with the front as a line.
func (v *paretoView) picture(all []paretoRow) template.HTML {
	const width, height, left, bottom, margin = 560., 320., 70., 34., 12.
	scale := func(of func(paretoRow) float64, from, to float64) (at func(float64) float64, low, high float64) {
		low, high = math.Inf(1), math.Inf(-1)
		for _, r := range all {
			low, high = min(low, of(r)), max(high, of(r))
		}
		return func(v float64) float64 {
			if high == low {
				return (from + to) / 2
			}
			return from + (to-from)*((v-low)/(high-low))
		}, low, high
	}
	x, lowX, highX := scale(func(r paretoRow) float64 { return r.X }, left+margin, width-margin)
	y, lowY, highY := scale(func(r paretoRow) float64 { return r.Y }, height-bottom-margin, margin)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %v %v" style="max-width:38rem" role="img" aria-label="%s"><title>%s</title>`, width, height,
		html.EscapeString(fmt.Sprintf("%d models, %d of them on the front", len(all), len(v.Front))),
		html.EscapeString(v.X.Metric+" and "+v.Y.Metric))
	fmt.Fprintf(&b, `<g fill="none" stroke="var(--rule)"><path d="M%v %vV%vH%v"/></g>`, left, margin/2, height-bottom, width)
	label := func(x, y float64, anchor, text string) {
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="%s" font-size="12" fill="var(--soft)">%s</text>`, x, y, anchor,
			html.EscapeString(text))
	}
	number := func(v float64) string { return fmt.Sprintf("%.4g", v) }
	label(x(lowX), height-bottom+15, "start", number(lowX))
	label(x(highX), height-bottom+15, "end", number(highX))
	label((left+width)/2, height-4, "middle", v.X.Metric+" ("+v.X.Better()+" is better)")
	label(left-5, y(lowY)+4, "end", number(lowY))
	label(left-5, y(highY)+4, "end", number(highY))
	fmt.Fprintf(&b, `<text transform="translate(14 %v) rotate(-90)" text-anchor="middle" font-size="12" fill="var(--soft)">%s</text>`,
		(height-bottom)/2,
		html.EscapeString(v.Y.Metric+" ("+v.Y.Better()+" is better)"))
	for _, r := range all {
		fmt.Fprintf(&b, `<circle class="s%d" cx="%.1f" cy="%.1f" r="2.5" fill="none"/>`, r.Colour, x(r.X), y(r.Y))
	}
	var line strings.Builder
	for i, r := range v.Front {
		fmt.Fprintf(&line, "%c%.1f %.1f", "ML"[min(i, 1)], x(r.X), y(r.Y))
		fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="4" fill="currentColor"><title>%s</title></circle>`, x(r.X), y(r.Y),
			html.EscapeString(fmt.Sprintf("%s, trial %d: %.6g, %.6g", r.Search, r.Trial, r.X, r.Y)))
	}
	fmt.Fprintf(&b, `<path d="%s" fill="none" stroke="currentColor"/></svg>`, line.String())
	return template.HTML(b.String()) // all text in it is escaped
}
