package report

import (
	"bytes"
	"fmt"
	"html/template"
	"image/color"
	"math"
	"regexp"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"tnaml/experiments/metrics"
	"tnaml/experiments/trainer"
)

// The drawings take their colours from the page's style, so that they follow its
// theme: gonum draws in colours that nothing else has, and paint puts the
// style's variables in their place.
const colours = 6 // --s0 … --s5 in page.css

var (
	inkColour  = color.RGBA{1, 2, 0, 255}
	ruleColour = color.RGBA{1, 2, 1, 255}
)

func lineColour(i int) color.Color { return color.RGBA{1, 3, uint8(i), 255} }
func bandColour(i int) color.Color { return color.RGBA{1, 4, uint8(i), 255} }

// othersColour is that of lines that are there to compare with.
var othersColour = color.RGBA{1, 2, 2, 255}

// dashes are the line patterns, as .d0 … .d3 in page.css has them.
var dashes = [][]vg.Length{nil, {6, 3}, {2, 2.5}, {8, 2.5, 2, 2.5}}

const baselineDash = 1

var learnerDashes = []int{0, 2, 3}

// split is one of the two values of a point.
type split struct {
	name  string
	value func(metrics.Point) float64
}

var splits = []split{
	{"Validation", func(p metrics.Point) float64 { return p.Validation }},
	{"Test", func(p metrics.Point) float64 { return p.Test }},
}

// splitsOf are those that searches have values on.
func splitsOf(tested bool) []split {
	if tested {
		return splits
	}
	return splits[:1]
}

// has says that a search has values on a split.
func (a *arm) has(sp split) bool { return a.Tested || sp.name == splits[0].name }

// xy is a point of a drawn line: trials, and a value as its scale has it drawn.
type xy = plotter.XY

// series is one line, with a band around it where low is not nil.
type series struct {
	name      string
	arm       *arm
	line      []xy
	low, high []xy
	// role is what the line is in its figure.
	role role
}

// role is how a line is drawn.
type role int

const (
	// lead is what a figure is about.
	lead role = iota
	// aside is the same search on the other split: thin.
	aside
	// other is another search, to compare with: grey.
	other
)

// curveFigures draws a task's learning curves, a line a search, validation and
// test on the same scale.
func curveFigures(tv *taskView) ([]figure, error) {
	var drawings [][]series
	for _, sp := range splitsOf(tv.Tested()) {
		var lines []series
		for _, a := range tv.Arms {
			points := full(a.curve)
			if len(points) == 0 || !a.has(sp) {
				continue
			}
			l := series{name: a.Search, arm: a}
			for _, p := range points {
				l.line = append(l.line, xy{X: float64(p.Trials), Y: tv.Scale.factor() * sp.value(p)})
			}
			lines = append(lines, l)
		}
		drawings = append(drawings, lines)
	}
	return splitFigures(tv.Scale, tv.ID+"-curve", tv.Name, drawings)
}

// seedFigures draws each strategy's mean over seeds, and the band between the
// lowest and the highest seed.
func seedFigures(tv *taskView) ([]figure, error) {
	var drawings [][]series
	for _, sp := range splitsOf(tv.Tested()) {
		var lines []series
		for _, first := range tv.Strategies {
			var curves [][]metrics.Point
			for _, a := range tv.Arms {
				if a.Strategy == first.Strategy && a.has(sp) {
					curves = append(curves, full(a.curve))
				}
			}
			bands := metrics.Bands(curves, sp.value)
			if len(bands) == 0 {
				continue
			}
			l := series{name: first.Strategy, arm: first}
			l.band(bands, tv.Scale.factor(), true)
			lines = append(lines, l)
		}
		drawings = append(drawings, lines)
	}
	return splitFigures(tv.Scale, tv.ID+"-seeds", tv.Name, drawings)
}

// band draws the means of bands, and their spread.
func (l *series) band(bands []metrics.Band, factor float64, spread bool) {
	for _, b := range bands {
		x := float64(b.Trials)
		l.line = append(l.line, xy{X: x, Y: factor * b.Mean})
		if spread {
			l.low, l.high = append(l.low, xy{X: x, Y: factor * b.Min}), append(l.high, xy{X: x, Y: factor * b.Max})
		}
	}
}

// full drops the points of a curve that average fewer than ten models, which say
// more about luck than about the search; a curve that has no others stays whole.
func full(curve []metrics.Point) []metrics.Point {
	for i, p := range curve {
		if p.Models == topN {
			return curve[i:]
		}
	}
	return curve
}

// maxOverlaid is how many lines one figure holds: where there are more, each gets a
// small figure of its own, with the others in grey behind it.
const maxOverlaid = 4

// splitFigures draws one figure a split, or one a line where there are many, all with the
// same axes. A split that no line is of has none.
func splitFigures(sc scale, id, name string, drawings [][]series) ([]figure, error) {
	drawings = slices.DeleteFunc(drawings, func(lines []series) bool { return len(lines) == 0 })
	if len(drawings) == 0 {
		return nil, nil
	}
	in := extent(slices.Concat(drawings...), sc)
	if len(drawings[0]) > maxOverlaid { // all that is tested was validated
		return panels(sc, id, name, drawings, in)
	}
	var out []figure
	for i, lines := range drawings {
		heading := splits[i].name + " " + sc.Name()
		f, err := drawLines(lines, in, whole, id+"-"+strings.ToLower(splits[i].name), heading+" over trials on "+name, sc.drawn)
		if err != nil {
			return nil, err
		}
		f.Heading = heading + sc.Unit()
		out = append(out, f)
	}
	return out, nil
}

// panels draws small multiples: a figure for each line of the last split, with the
// same line of the other split thin beside it, and all other lines of its split in
// grey; then one for each line that is of the other split alone.
func panels(sc scale, id, name string, drawings [][]series, in box) ([]figure, error) {
	last := len(drawings) - 1
	note := panelNote(sc, splits[last].name, last > 0, drawings[last])
	var out []figure
	add := func(split int, l series, beside ...series) error {
		var lines []series
		for _, o := range drawings[split] {
			if o.low, o.high, o.role = nil, nil, other; o.arm != l.arm {
				lines = append(lines, o)
			}
		}
		for _, o := range beside {
			if o.low, o.high, o.role = nil, nil, aside; o.name == l.name {
				lines = append(lines, o)
			}
		}
		title := splits[split].name + " " + sc.Name() + " over trials on " + name + ": " + l.name
		f, err := drawLines(append(lines, l), in, panel, fmt.Sprintf("%s-%d", id, len(out)+1), title, sc.drawn)
		f.Heading, f.Panel, f.Arm, f.Note = l.name, true, l.arm, note
		out = append(out, f)
		return err
	}
	for _, l := range drawings[last] {
		if err := add(last, l, slices.Concat(drawings[:last]...)...); err != nil {
			return nil, err
		}
	}
	for _, l := range drawings[0] {
		if slices.ContainsFunc(drawings[last], func(o series) bool { return o.name == l.name }) {
			continue
		}
		if err := add(0, l); err != nil {
			return nil, err
		}
		out[len(out)-1].Heading += ", validation"
	}
	return out, nil
}

// panelNote says what the lines of panels are.
func panelNote(sc scale, split string, aside bool, lines []series) string {
	text := split + " " + sc.Name() + sc.Unit() + ", over trials"
	if slices.ContainsFunc(lines, func(l series) bool { return l.low != nil }) {
		text += ": the mean over seeds, in a band from the lowest to the highest"
	}
	if aside {
		text += "; thin: on the validation split"
	}
	text += "; grey: all the others"
	if slices.ContainsFunc(lines, func(l series) bool { return l.arm.Dash == baselineDash }) {
		text += ", dashed: the baseline"
	}
	return text + ". All figures have the same axes."
}

// drawLines draws lines within given axes; text writes a value of theirs.
func drawLines(lines []series, in box, size size2, id, title string, text func(float64) string) (figure, error) {
	p := frame()
	for _, l := range lines {
		if err := add(p, l); err != nil {
			return figure{}, err
		}
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = in.left, in.right, in.low, in.high // last, because what is added stretches the axes
	svg, err := render(p, size, id, title, describe(lines, text))
	return figure{Heading: title, SVG: svg}, err
}

// box is the range of the axes.
type box struct{ left, right, low, high float64 }

// extent is the range that holds lines. A curve's first tenth does not stretch it
// where it is bad: random search often starts far from where anything of interest
// happens, and comes in through the edge. The trials begin where the lines do: there
// is nothing to see before a search has ten models.
func extent(lines []series, sc scale) box {
	left, right, worst, best := math.Inf(1), 0., math.Inf(1), math.Inf(-1)
	for _, l := range lines {
		left, right = min(left, l.line[0].X), max(right, l.line[len(l.line)-1].X)
		for _, points := range [][]xy{l.line, l.low, l.high} {
			for i, p := range points {
				reward := trainer.Reward(sc.Objective, p.Y)
				if i >= len(points)/10 {
					worst = min(worst, reward)
				}
				best = max(best, reward)
			}
		}
	}
	a, b := trainer.Reward(sc.Objective, worst), trainer.Reward(sc.Objective, best)
	out := box{left, max(right, left+1), min(a, b), max(a, b)}
	margin, least, most := (out.high-out.low)*.06, math.Inf(-1), math.Inf(1)
	if trainer.InPercent(sc.Objective) {
		margin, least, most = max(margin, .25), 0, 100.25
	} else if size := max(math.Abs(a), math.Abs(b)); out.high-out.low <= 1e-9*size {
		margin = max(size*.01, 1e-9) // all values are equal, but for the rounding of their means
	}
	if out.low >= 0 {
		least = 0
	}
	out.low, out.high = max(out.low-margin, least), min(out.high+margin, most)
	return out
}

// describe says in words what a figure shows.
func describe(lines []series, text func(float64) string) string {
	var b strings.Builder
	for _, l := range lines {
		if l.role != lead {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("; ")
		}
		first, last := l.line[0], l.line[len(l.line)-1]
		fmt.Fprintf(&b, "%s from %s after %.0f trials to %s after %.0f", l.name, text(first.Y), first.X, text(last.Y), last.X)
	}
	return b.String() + "."
}

// frame is an empty plot in the page's style.
func frame() *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	p.X.Label.Text = "trials"
	p.X.Padding = 0
	p.X.Tick.Marker, p.Y.Tick.Marker = ticks{}, ticks{}
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Color, a.Label.TextStyle.Color, a.Tick.Color, a.Tick.Label.Color = inkColour, inkColour, inkColour, inkColour
		a.Label.TextStyle.Font.Variant, a.Tick.Label.Font.Variant = "Sans", "Sans"
		a.Label.TextStyle.Font.Size, a.Tick.Label.Font.Size = 11, 11
		a.LineStyle.Width, a.Tick.LineStyle.Width, a.Tick.Length = .6, .6, 4
	}
	p.Y.LineStyle.Width, p.Y.Tick.LineStyle.Width, p.Y.Tick.Length = 0, 0, 0 // the grid is its scale
	p.Y.Padding = 2
	grid := plotter.NewGrid()
	grid.Vertical.Width = 0
	grid.Horizontal.Color, grid.Horizontal.Width = ruleColour, .6
	p.Add(grid)
	return p
}

// add draws a series: a value holds until the next trial changes it, hence
// the steps.
func add(p *plot.Plot, l series) error {
	if l.low != nil {
		low, high := steps(l.low), steps(l.high)
		outline := make(plotter.XYs, 0, len(low)+len(high))
		outline = append(outline, high...)
		for i := len(low) - 1; i >= 0; i-- {
			outline = append(outline, low[i])
		}
		band, err := plotter.NewPolygon(outline)
		if err != nil {
			return err
		}
		band.Color, band.LineStyle.Width = bandColour(l.arm.Colour), 0
		p.Add(band)
	}
	line, err := plotter.NewLine(steps(l.line))
	if err != nil {
		return err
	}
	line.Color, line.Width, line.Dashes = lineColour(l.arm.Colour), 1.7, dashes[l.arm.Dash]
	switch l.role {
	case aside:
		line.Width, line.Dashes = .8, nil
	case other:
		line.Color, line.Width, line.Dashes = othersColour, .7, nil
		if l.arm.Dash == baselineDash {
			line.Dashes = dashes[baselineDash]
		}
	}
	p.Add(line)
	if len(line.XYs) > 1 {
		return nil
	}
	dot, err := plotter.NewScatter(line.XYs) // a line from a point to itself is not seen
	if err != nil {
		return err
	}
	dot.Shape, dot.Color, dot.Radius = draw.CircleGlyph{}, line.Color, 1.5*line.Width
	p.Add(dot)
	return nil
}

// steps makes a staircase of a curve, with a corner where it changes and none
// where it does not: a search of thousands of trials has a few dozen.
func steps(points []xy) plotter.XYs {
	out := plotter.XYs{points[0]}
	for _, p := range points[1:] {
		last := out[len(out)-1]
		if p.Y != last.Y {
			if p.X != last.X {
				out = append(out, xy{X: p.X, Y: last.Y})
			}
			out = append(out, p)
		}
	}
	if end := points[len(points)-1]; out[len(out)-1] != end {
		out = append(out, end)
	}
	return out
}

// size2 is a drawing's size.
type size2 struct{ width, height vg.Length }

var whole, panel = size2{420, 250}, size2{270, 165}

// render draws a plot as SVG for use inside the page: the page's width, colours
// and type, and words for those who do not see it. id must be the page's only one.
func render(p *plot.Plot, size size2, id, title, description string) (template.HTML, error) {
	c := vgsvg.New(size.width, size.height)
	// Room for what stands out: half of the last label of each axis.
	p.Draw(draw.Crop(draw.New(c), 0, -14, 0, -5))
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return "", err
	}
	svg := paint(b.String())
	head := svgHead.FindStringSubmatchIndex(svg)
	if head == nil {
		return "", fmt.Errorf("the drawing has no SVG head: %.80q", svg)
	}
	esc := template.HTMLEscapeString
	return template.HTML(fmt.Sprintf(
		`<svg class="plot" role="img" viewBox="%s" aria-labelledby="%[2]s-title %[2]s-desc">`+
			"\n<title id=\"%[2]s-title\">%[3]s</title>\n<desc id=\"%[2]s-desc\">%[4]s</desc>\n",
		svg[head[2]:head[3]], id, esc(title), esc(description)) + svg[head[1]:]), nil
}

var (
	svgHead    = regexp.MustCompile(`(?s)^.*?<svg [^>]*viewBox="([^"]*)"[^>]*>\n`)
	fontFamily = regexp.MustCompile(`font-family:[^;"]*;font-variant:[^;"]*;font-weight:[^;"]*;font-style:[^;"]*;?`)
	placed     = regexp.MustCompile(`(fill|stroke):#01(0[234])(0[0-9])`)
)

// paint replaces the colours that stand for the page's, and gonum's type by the
// class that page.css sets in fonts of the same widths.
func paint(svg string) string {
	svg = fontFamily.ReplaceAllString(svg, "")
	return placed.ReplaceAllStringFunc(svg, func(s string) string {
		m := placed.FindStringSubmatch(s)
		switch {
		case m[2] == "03":
			return m[1] + ":var(--s" + m[3][1:] + ")"
		case m[2] == "04":
			return m[1] + ":var(--s" + m[3][1:] + ");fill-opacity:.16"
		case m[3] == "00":
			return m[1] + ":var(--soft)"
		case m[3] == "02":
			return m[1] + ":var(--others)"
		}
		return m[1] + ":var(--rule)"
	})
}
