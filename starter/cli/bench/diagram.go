package bench

import (
	"fmt"
	"math"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"tnaml/experiments/benchmark/simulate"
	"tnaml/starter/cli/terminal"
)

// diagramWidth is how many columns a diagram's scale has.
const diagramWidth = 56

// diagram is a critical-difference diagram (Demšar, 2006) of the last of some rankings:
// arms by their mean rank, each with a line as long as the critical difference. An arm
// whose point lies on another's line cannot be told from it.
func (p *page) diagram(j simulate.Judged) string {
	r := j.Rankings[len(j.Rankings)-1]
	order, name := r.Order(), 0
	for _, a := range order {
		name = max(name, text.StringWidth(p.Arms[a].Name))
	}
	most := float64(len(order))
	at := func(rank float64) int { return int(math.Round((rank - 1) / (most - 1) * (diagramWidth - 1))) }
	var b strings.Builder
	fmt.Fprintf(&b, "Mean ranks after %d trials, by %s: an arm whose point is on the line of a better one cannot be told from it (CD %s)\n\n",
		r.Trials, j.By, number(r.Critical))
	scale := ""
	for i := range order {
		if gap := at(float64(i+1)) - len(scale); gap > 0 || i == 0 { // else there is no room for it
			scale += strings.Repeat(" ", gap) + fmt.Sprint(i+1)
		}
	}
	fmt.Fprintf(&b, " %s        %s\n", strings.Repeat(" ", name), scale)
	for _, a := range order {
		line := []rune(strings.Repeat(" ", diagramWidth))
		from := at(r.Ranks[a])
		for x := from; x < diagramWidth && x <= at(r.Ranks[a]+r.Critical); x++ {
			line[x] = '─'
		}
		line[from] = '●'
		fmt.Fprintf(&b, " %s  %5s %s\n", text.Pad(p.Arms[a].Name, name, ' '), number(r.Ranks[a]), strings.TrimRight(string(line), " "))
	}
	return terminal.Clean(b.String())
}
