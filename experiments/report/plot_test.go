package report

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gonum.org/v1/plot/plotter"

	"tnaml/experiments/metrics"
	"tnaml/experiments/search"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		want      string
	}{
		{0, 61.2, "0 10 20 30 40 50 60"},
		{70.2, 75.1, "71 72 73 74 75"},
		{98.7, 99.6, "98.8 99.0 99.2 99.4 99.6"},
		{0, 5100, "0 1000 2000 3000 4000 5000"},
		{86.2, 99.8, "88 90 92 94 96 98"},
		{96.031, 96.049, "96.035 96.040 96.045"},
		{-.1, .1, "−0.10 −0.05 0.00 0.05 0.10"},
		{1, 1, ""},
		{0, math.Inf(1), ""},
		{.1, math.Nextafter(.1, 1), ""}, // steps so small are lost in what they are added to
	} {
		var got []string
		for _, k := range (ticks{}).Ticks(c.low, c.high) {
			got = append(got, k.Label)
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%v to %v: %s, want %s", c.low, c.high, s, c.want)
		}
	}
}

func TestSteps(t *testing.T) {
	for _, c := range []struct{ points, want []xy }{
		{[]xy{{X: 1, Y: 5}}, []xy{{X: 1, Y: 5}}},
		{[]xy{{X: 1, Y: 5}, {X: 2, Y: 5}, {X: 3, Y: 5}}, []xy{{X: 1, Y: 5}, {X: 3, Y: 5}}},
		{
			[]xy{{X: 1, Y: 5}, {X: 2, Y: 5}, {X: 3, Y: 7}, {X: 4, Y: 7}},
			[]xy{{X: 1, Y: 5}, {X: 3, Y: 5}, {X: 3, Y: 7}, {X: 4, Y: 7}},
		},
		{[]xy{{X: 1, Y: 5}, {X: 2, Y: 6}}, []xy{{X: 1, Y: 5}, {X: 2, Y: 5}, {X: 2, Y: 6}}},
	} {
		if diff := cmp.Diff(plotter.XYs(c.want), steps(c.points)); diff != "" {
			t.Error(diff)
		}
	}
}

// A curve of one point is a dot: a line from it to itself is not seen.
func TestOnePointIsSeen(t *testing.T) {
	draw := func(line ...xy) string {
		f, err := drawLines([]series{{name: "a", arm: &arm{Colour: 2}, line: line}}, box{0, 10, 0, 10}, whole, "a", "a", strconvText)
		if err != nil {
			t.Fatal(err)
		}
		return string(f.SVG)
	}
	const dot = "fill:var(--s2)"
	if one := draw(xy{X: 3, Y: 5}); strings.Count(one, dot) != 1 {
		t.Errorf("%s", one)
	}
	if two := draw(xy{X: 3, Y: 5}, xy{X: 4, Y: 5}); strings.Contains(two, dot) {
		t.Errorf("%s", two)
	}
}

func strconvText(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// Who does not see a figure is told in words what it shows, which its title does not say.
func TestFiguresAreDescribed(t *testing.T) {
	s := experiment(t)
	words := regexp.MustCompile(`<title id="[^"]*">(.*)</title>\n<desc id="[^"]*">(.*)</desc>`)
	found := words.FindAllStringSubmatch(page(t, realistic(t))+experimentPage(t, s), -1)
	for _, m := range found {
		if m[2] == m[1] || !strings.Contains(m[2], " trials to ") {
			t.Errorf("%s is described as: %s", m[1], m[2])
		}
	}
	if len(found) < 10 {
		t.Errorf("%d figures", len(found))
	}
}

// The axes hold all but the first tenth of every curve.
func TestExtent(t *testing.T) {
	line := func(values ...float64) (out []xy) {
		for i, v := range values {
			out = append(out, xy{X: float64(i + 10), Y: v})
		}
		return out
	}
	rising := make([]float64, 20)
	for i := range rising {
		rising[i] = 50 + float64(i)
	}
	accuracy := scale{Objective: space.Objective{Metric: trainer.Accuracy}}
	b := extent([]series{{line: line(rising...)}, {line: line(60, 80)}}, accuracy)
	right, low, high := b.right, b.low, b.high
	// 52 … 80 with 6 % of it below and above
	if right != 29 || math.Abs(low-(52-1.68)) > 1e-9 || math.Abs(high-81.68) > 1e-9 {
		t.Errorf("%v, %v to %v", right, low, high)
	}
	if b := extent([]series{{line: line(100)}}, accuracy); b != (box{10, 11, 99.75, 100.25}) {
		t.Errorf("one point: %v", b)
	}
	// Of what is minimised the beginning is above: 148 … 120, whatever its size.
	falling := make([]float64, 20)
	for i := range falling {
		falling[i] = 150 - float64(i)
	}
	latency := scale{Objective: space.Objective{Metric: "latency", Direction: space.Minimise}}
	if b := extent([]series{{line: line(falling...)}, {line: line(140, 120)}}, latency); b.right != 29 || math.Abs(b.low-(120-1.68)) > 1e-9 ||
		math.Abs(b.high-149.68) > 1e-9 {
		t.Errorf("minimised: %v", b)
	}
	if b := extent([]series{{line: line(-5e-6, -5e-6)}}, latency); !(b.low < -5e-6 && b.high > -5e-6 && b.high-b.low < 2e-7) {
		t.Errorf("equal values: %v", b)
	}
	if b := extent([]series{{line: line(.7, math.Nextafter(.7, 1))}}, latency); !(b.high-b.low > .01) {
		t.Errorf("equal but for rounding: %v", b)
	}
}

// A page of a search whose models are all alike is drawn: their means differ by rounding.
func TestEqualValues(t *testing.T) {
	s := knobs(strategy.Random, 1, 9, true)
	for i := range s.Trials {
		s.Trials[i].Validation, s.Trials[i].Test, s.Trials[i].Reward, s.Trials[i].Status = .7, .7, -.7, trainer.OK
	}
	if got := page(t, Input{Searches: []Search{s}}); !strings.Contains(got, "from 0.7 after 1 trials to 0.7 after 9") {
		t.Errorf("no curve is drawn: %s", body(got))
	}
}

func TestFullCurve(t *testing.T) {
	curve := []metrics.Point{{Trials: 1, Models: 9}, {Trials: 2, Models: 10}, {Trials: 3, Models: 10}}
	if got := full(curve); len(got) != 2 || got[0].Trials != 2 {
		t.Errorf("%v", got)
	}
	if got := full(curve[:1]); len(got) != 1 {
		t.Errorf("%v", got)
	}
}

// A strategy looks the same on every task, whichever searches ran there; its
// repetitions differ in colour, strategies in their dash too.
func TestStyles(t *testing.T) {
	look := styles{colour: map[styleKey]int{}}
	arms := func(strategies ...string) (out []string) {
		var before []*arm
		for _, s := range strategies {
			s := &Search{Config: search.Config{Strategy: s}}
			a := &arm{Strategy: s.Config.Strategy, search: s}
			look.set(a, before)
			before = append(before, a)
			out = append(out, fmt.Sprint(a.Colour, a.Dash))
		}
		return out
	}
	for _, c := range []struct{ strategies, want string }{
		{"random naml", "0 1,1 0"},
		{"naml random", "1 0,0 1"},
		{"naml naml other", "1 0,2 0,3 2"},
		{"other random third", "3 2,0 1,4 3"},
	} {
		if got := strings.Join(arms(strings.Fields(c.strategies)...), ","); got != c.want {
			t.Errorf("%s: %s, want %s", c.strategies, got, c.want)
		}
	}
}

// theme reads the colours that a block of page.css sets, over those before it.
func theme(t *testing.T, css string, before map[string][3]float64) map[string][3]float64 {
	t.Helper()
	out := map[string][3]float64{}
	for k, v := range before {
		out[k] = v
	}
	for _, m := range regexp.MustCompile(`--(\w+): #([0-9a-f]{6}|[0-9a-f]{3});`).FindAllStringSubmatch(css, -1) {
		hex := m[2]
		if len(hex) == 3 {
			hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
		}
		v, err := strconv.ParseUint(hex, 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			c := float64(v>>(16-8*i)&255) / 255
			if c <= .04045 { // sRGB to linear light (IEC 61966-2-1)
				c /= 12.92
			} else {
				c = math.Pow((c+.055)/1.055, 2.4)
			}
			rgb := out[m[1]]
			rgb[i] = c
			out[m[1]] = rgb
		}
	}
	return out
}

// contrast is WCAG 2's ratio of the luminances of two colours.
func contrast(a, b [3]float64) float64 {
	luminance := func(c [3]float64) float64 { return .2126*c[0] + .7152*c[1] + .0722*c[2] + .05 }
	x, y := luminance(a), luminance(b)
	return max(x, y) / min(x, y)
}

// lab is CIE L*a*b* of linear sRGB (D65).
func lab(c [3]float64) (out [3]float64) {
	f := func(v float64) float64 {
		if v > 216./24389 {
			return math.Cbrt(v)
		}
		return (24389./27*v + 16) / 116
	}
	x := f((.4124*c[0] + .3576*c[1] + .1805*c[2]) / .95047)
	y := f(.2126*c[0] + .7152*c[1] + .0722*c[2])
	z := f((.0193*c[0] + .1192*c[1] + .9505*c[2]) / 1.08883)
	return [3]float64{116*y - 16, 500 * (x - y), 200 * (y - z)}
}

// vision holds how full dichromats see linear sRGB (Machado, Oliveira and
// Fernandes, 2009, severity 1).
var vision = map[string][3][3]float64{
	"normal":       {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
	"protanopia":   {{.152286, 1.052583, -.204868}, {.114503, .786281, .099216}, {-.003882, -.048116, 1.051998}},
	"deuteranopia": {{.367322, .860646, -.227968}, {.280085, .672501, .047413}, {-.011820, .042940, .968881}},
	"tritanopia":   {{1.255528, -.076749, -.178779}, {-.078411, .930809, .147602}, {.004733, .691367, .303900}},
}

// In light, in dark and on paper: text has the contrast that WCAG 2 AA asks for,
// lines have that of graphics, and no two of them look alike, to the colour-blind
// either.
func TestColours(t *testing.T) {
	dark := strings.Index(pageCSS, "@media (prefers-color-scheme: dark)")
	paper := strings.Index(pageCSS, "@media print")
	if dark < 0 || paper < dark {
		t.Fatal("page.css lacks its themes")
	}
	light := theme(t, pageCSS[:dark], nil)
	for name, colour := range map[string]map[string][3]float64{
		"light": light, "dark": theme(t, pageCSS[dark:dark+strings.Index(pageCSS[dark:], "* {")], light),
		"paper": theme(t, pageCSS[paper:], light),
	} {
		for _, page := range []string{"paper", "panel"} {
			for _, text := range []string{"ink", "soft"} {
				if r := contrast(colour[text], colour[page]); r < 4.5 {
					t.Errorf("%s: %s on %s has contrast %.2f", name, text, page, r)
				}
			}
		}
		for i := range colours {
			if r := contrast(colour[fmt.Sprint("s", i)], colour["paper"]); r < 3 {
				t.Errorf("%s: series %d has contrast %.2f", name, i, r)
			}
		}
		for kind, m := range vision {
			see := func(i int) [3]float64 {
				c := colour[fmt.Sprint("s", i)]
				var out [3]float64
				for k := range out {
					out[k] = min(1, max(0, m[k][0]*c[0]+m[k][1]*c[1]+m[k][2]*c[2]))
				}
				return lab(out)
			}
			for i := range colours {
				for k := range i {
					a, b := see(i), see(k)
					d := math.Hypot(math.Hypot(a[0]-b[0], a[1]-b[1]), a[2]-b[2])
					if least := 20.; d < least {
						t.Errorf("%s, %s: series %d and %d are %.1f apart", name, kind, k, i, d)
					}
				}
			}
		}
	}
}

var (
	viewBox  = regexp.MustCompile(`<svg class="plot" role="img" viewBox="0 0 ([0-9.]+) ([0-9.]+)"`)
	textAt   = regexp.MustCompile(`<text x="([-0-9.]+)" y="([-0-9.]+)"[^>]*font-size:([0-9.]+)px[^>]*>([^<]*)</text>`)
	numerals = regexp.MustCompile(`^[-−0-9.]+$`)
)

// clipped lists the labels of a page's drawings that do not lie wholly within them. A
// digit is .556 of the type's size wide in the font that places them, and .64 in the
// widest that may stand in for it.
func clipped(page string) (out []string, labels int) {
	number := func(s string) float64 { v, _ := strconv.ParseFloat(s, 64); return v }
	for _, svg := range strings.Split(page, `<svg class="plot"`)[1:] {
		box := viewBox.FindStringSubmatch(`<svg class="plot"` + svg)
		for _, m := range textAt.FindAllStringSubmatch(svg, -1) {
			if !numerals.MatchString(m[4]) {
				continue
			}
			labels++
			x, size := number(m[1]), number(m[3])
			if y := -number(m[2]); x < -.5 || x+.64*size*float64(len([]rune(m[4]))) > number(box[1]) || y < 0 || y+.7*size > number(box[2]) {
				out = append(out, fmt.Sprintf("%s at %s, %s of %s × %s", m[4], m[1], m[2], box[1], box[2]))
			}
		}
	}
	return out, labels
}

// The last label of an axis is not cut off at the edge, of drawings of any size.
func TestLabelsAreWhole(t *testing.T) {
	for name, got := range map[string]string{"transfer": page(t, realistic(t)), "seeds": page(t, repeated(t)),
		"experiment": experimentPage(t, experiment(t))} {
		if bad, labels := clipped(got); len(bad) > 0 || labels < 20 {
			t.Errorf("%s: %d of %d labels are cut off: %s", name, len(bad), labels, bad[:min(3, len(bad))])
		}
	}
}

// Of many lines each has a figure of its own, the others in grey behind it, all with
// the same axes, which begin where the lines do.
func TestPanels(t *testing.T) {
	var searches []Search
	for i, n := range []string{"random", "naml", "ppo", "trpo", "urex"} {
		searches = append(searches, made(n, "a", 1, 40, func(k int) float64 { return float64(40+i*10+k) / 100 }))
	}
	tv := view1(t, searches[:4]...).Tasks[0]
	if len(tv.Plots) != 2 || tv.Plots[0].Panel {
		t.Errorf("%d figures of four searches", len(tv.Plots))
	}
	tv = view1(t, searches...).Tasks[0]
	if len(tv.Plots) != 5 || !strings.Contains(tv.Plots[0].Note, "dashed: the baseline") {
		t.Fatalf("%d figures: %s", len(tv.Plots), tv.Plots[0].Note)
	}
	for i, f := range tv.Plots {
		svg := string(f.SVG)
		if n := strings.Count(svg, "var(--others)"); n != 4 || f.Heading != searches[i].Name ||
			!strings.Contains(svg, fmt.Sprintf("var(--s%d)", i)) {
			t.Errorf("%s: %d other lines", f.Heading, n)
		}
		if !strings.Contains(svg, ">10</text>") || strings.Contains(svg, ">0</text>") {
			t.Errorf("%s does not begin at trial 10", f.Heading)
		}
	}
	if note := panelNote(tv.Scale, "Test", false, nil); strings.Contains(note, "baseline") || strings.Contains(note, "seeds") {
		t.Error(note)
	}
}
