package report

import (
	"bytes"
	"fmt"
	"html/template"
	"image/color"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"tnaml/experiments/metrics"
)

// palette is Okabe and Ito's (2008), which the colour-blind can tell apart,
// without its black and yellow: each is legible on white and on near black.
var palette = []color.RGBA{
	{0x00, 0x72, 0xB2, 0xff}, {0xD5, 0x5E, 0x00, 0xff}, {0x00, 0x9E, 0x73, 0xff},
	{0xCC, 0x79, 0xA7, 0xff}, {0x56, 0xB4, 0xE9, 0xff}, {0xE6, 0x9F, 0x00, 0xff},
}

// ink stands in the drawing for the page's text colour, which is put in its
// place afterwards.
var ink = color.RGBA{0x12, 0x34, 0x56, 0xff}

const inkHex = "#123456"

// curves draws a task's learning curves: accuracy-top10 over trials, validation
// solid and test dashed, a colour an arm.
func curves(name string, arms []arm) (template.HTML, error) {
	p := plot.New()
	p.BackgroundColor = color.Transparent
	p.X.Label.Text, p.Y.Label.Text = "trials", "accuracy-top10 in %"
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Color, a.Label.TextStyle.Color, a.Tick.Color, a.Tick.Label.Color = ink, ink, ink, ink
		a.Label.TextStyle.Font.Variant, a.Tick.Label.Font.Variant = "Sans", "Sans"
		a.Label.TextStyle.Font.Size, a.Tick.Label.Font.Size = 11, 10
	}
	grid := plotter.NewGrid()
	grid.Vertical.Width = 0
	grid.Horizontal.Color = color.RGBA{0x88, 0x88, 0x88, 0x40}
	p.Add(grid)
	low, high, last, drawn := math.Inf(1), math.Inf(-1), 0., false
	for _, a := range arms {
		curve := metrics.Curve(a.search.Trials, a.task, topN)
		if len(curve) == 0 {
			continue
		}
		drawn = true
		// While there are fewer than ten models the mean still falls with each
		// new one, which says nothing of the search.
		if full := slices.IndexFunc(curve, func(p metrics.Point) bool { return p.Models == topN }); full >= 0 {
			curve = curve[full:]
		}
		for _, pt := range curve {
			low, high = min(low, pt.Validation, pt.Test), max(high, pt.Validation, pt.Test)
			last = max(last, float64(pt.Trials))
		}
		for _, test := range []bool{true, false} {
			xy := make(plotter.XYs, len(curve))
			for i, pt := range curve {
				xy[i].X, xy[i].Y = float64(pt.Trials), 100*pt.Validation
				if test {
					xy[i].Y = 100 * pt.Test
				}
			}
			line, err := plotter.NewLine(xy)
			if err != nil {
				return "", err
			}
			line.StepStyle = plotter.PostStep
			line.Color = palette[a.Colour]
			line.Width = vg.Points(2)
			if test {
				line.Width = vg.Points(1.4)
				line.Dashes = []vg.Length{vg.Points(5), vg.Points(3)}
			}
			p.Add(line)
		}
	}
	if !drawn {
		return "", nil
	}
	margin := max(100*(high-low)*.06, .2)
	p.Y.Min, p.Y.Max = max(100*low-margin, 0), min(100*high+margin, 100.2)
	p.X.Min, p.X.Max = 0, last*1.02
	p.X.Tick.Marker, p.Y.Tick.Marker = ticks{}, ticks{}
	c := vgsvg.New(vg.Points(640), vg.Points(320))
	p.Draw(draw.New(c))
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return "", err
	}
	return inline(b.String(), "Learning curves of "+name), nil
}

// ticks labels an axis about six times, at round numbers.
type ticks struct{}

// Ticks implements plot.Ticker.
func (ticks) Ticks(low, high float64) []plot.Tick {
	const about = 6
	raw := (high - low) / about
	if !(raw > 0) {
		return nil
	}
	step := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, f := range []float64{5, 2} {
		if f*step <= raw {
			step *= f
			break
		}
	}
	digits := max(0, int(-math.Floor(math.Log10(step)+1e-9)))
	var out []plot.Tick
	for i := math.Ceil(low/step - 1e-9); i*step <= high+1e-9*step; i++ {
		value := i*step + 0 // no negative zero
		out = append(out, plot.Tick{Value: value, Label: strconv.FormatFloat(value, 'f', digits, 64)})
	}
	return out
}

var (
	sizeAttributes = regexp.MustCompile(`<svg width="[^"]*" height="[^"]*"`)
	fontFamily     = regexp.MustCompile(`font-family:[^;"]*`)
)

// inline makes a drawing part of the page: no prologue, the page's width,
// font and ink, and words for those who do not see it.
func inline(svg, title string) template.HTML {
	if at := strings.Index(svg, "<svg"); at > 0 {
		svg = svg[at:]
	}
	svg = sizeAttributes.ReplaceAllString(svg, fmt.Sprintf(`<svg role="img" aria-label="%s" class="plot"`, template.HTMLEscapeString(title)))
	svg = strings.ReplaceAll(svg, inkHex, "currentColor")
	svg = fontFamily.ReplaceAllString(svg, "font-family:inherit")
	return template.HTML(svg) //nolint:gosec // drawn above; the title is escaped
}
