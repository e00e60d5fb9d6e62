package report

import (
	"fmt"
	"html/template"
	"strings"

	sim "tnaml/experiments/benchmark/simulate"
	"tnaml/experiments/metrics"
)

// The parts of a critical-difference diagram, in the SVG's units.
const (
	diagramWidth = 720
	diagramSide  = 190 // for the names, on each side
	diagramAxis  = 52  // from the top
	diagramRow   = 19
	diagramBar   = 9
)

// criticalDifference draws a critical-difference diagram (Demšar, 2006): arms at their
// mean ranks, the best on the left; those that a bar joins are less apart than the
// critical difference, and cannot be told from each other. by says by what they are ranked;
// id tells it from others of the page.
func criticalDifference(arms []sim.Arm, id, by string, r sim.Ranking) template.HTML {
	order := r.Order()
	most := float64(len(order))
	at := func(rank float64) float64 {
		return diagramSide + (rank-1)/(most-1)*(diagramWidth-2*diagramSide)
	}
	bars := joined(order, r)
	below := diagramAxis + 14 + diagramBar*float64(len(bars))
	rows := (len(order) + 1) / 2
	height := below + diagramRow*float64(rows) + 12
	var b strings.Builder
	line := func(x1, y1, x2, y2, width float64, colour string) {
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" style="stroke:var(--%s);stroke-width:%.1f"/>`+"\n",
			x1, y1, x2, y2, colour, width)
	}
	text := func(x, y float64, anchor, s string) {
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="%s" style="fill:var(--ink);font-size:12px">%s</text>`+"\n",
			x, y, anchor, template.HTMLEscapeString(s))
	}
	line(at(1), diagramAxis, at(most), diagramAxis, 1, "soft")
	for i := range order {
		x := at(float64(i + 1))
		line(x, diagramAxis-5, x, diagramAxis, 1, "soft")
		text(x, diagramAxis-9, "middle", fmt.Sprint(i+1))
	}
	if r.Critical > 0 {
		end := min(at(1+r.Critical), diagramWidth-10)
		line(at(1), 16, end, 16, 1.5, "ink")
		line(at(1), 12, at(1), 20, 1.5, "ink")
		line(end, 12, end, 20, 1.5, "ink")
		text(at(1)-8, 20, "end", fmt.Sprintf("CD %.2f", r.Critical))
	}
	for i, bar := range bars {
		y := diagramAxis + 10 + diagramBar*float64(i)
		line(at(bar[0])-4, y, at(bar[1])+4, y, 4, "s0")
	}
	var words []string
	for i, a := range order {
		x, row := at(r.Ranks[a]), float64(i)
		edge, anchor := float64(diagramSide-14), "end"
		if i >= rows {
			row, edge, anchor = float64(len(order)-1-i), diagramWidth-diagramSide+14, "start"
		}
		y := below + diagramRow*(row+.6)
		line(x, diagramAxis, x, y, 1, "soft")
		line(x, y, edge, y, 1, "soft")
		name := fmt.Sprintf("%s  %.2f", arms[a].Name, r.Ranks[a])
		if anchor == "end" {
			text(edge-6, y+4, anchor, name)
		} else {
			text(edge+6, y+4, anchor, name)
		}
		words = append(words, fmt.Sprintf("%s %.2f", arms[a].Name, r.Ranks[a]))
	}
	title := fmt.Sprintf("Mean ranks after %d trials, %s", r.Trials, by)
	if r.Critical > 0 {
		title += fmt.Sprintf(", critical difference %.2f", r.Critical)
	}
	id = fmt.Sprintf("%s-%d", id, r.Trials)
	return template.HTML(fmt.Sprintf(`<svg class="plot" role="img" viewBox="0 0 %d %.0f" aria-labelledby="%[3]s-title %[3]s-desc">`+
		"\n<title id=\"%[3]s-title\">%[4]s</title>\n<desc id=\"%[3]s-desc\">%[5]s</desc>\n%[6]s</svg>",
		diagramWidth, height, id, title, template.HTMLEscapeString(strings.Join(words, ", ")), b.String()))
}

// joined are the largest groups of arms, from rank to rank, that are less apart than the
// critical difference.
func joined(order []int, r sim.Ranking) (bars [][2]float64) {
	var ranks []float64
	for _, a := range order {
		ranks = append(ranks, r.Ranks[a])
	}
	for _, group := range metrics.Groups(ranks, r.Critical) {
		bars = append(bars, [2]float64{ranks[group[0]], ranks[group[len(group)-1]]})
	}
	return bars
}
