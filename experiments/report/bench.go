package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"

	sim "tnaml/experiments/benchmark/simulate"
	"tnaml/experiments/metrics"
)

//go:embed bench.html
var benchHTML string

var benchTemplate = template.Must(template.Must(experimentTemplate.Clone()).New("bench").Parse(benchHTML))

// Bench is what a page shows of strategies that were compared on a recorded benchmark.
type Bench struct {
	Title, Summary string
	Tables         []Table
	// TaskTables are those of single tasks, by their names.
	TaskTables map[string]Table
	Result     *sim.Result
	Figures    *sim.Figures
}

// benchView is what the template shows.
type benchView struct {
	Title, Summary string
	Style          template.CSS
	Tables         []*pageTable
	Legend         []*armLook
	Curves         []figure
	Diagrams       []figure
	Tasks          []benchTask
}

// benchTask is a task's part of the page.
type benchTask struct {
	Name  string
	Plots []figure
	Table *pageTable
}

// WriteBench writes the page of a comparison, whole in itself.
func WriteBench(w io.Writer, in Bench) error {
	v, err := newBenchView(in)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	var b bytes.Buffer
	if err := benchTemplate.Execute(&b, v); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	return nil
}

func newBenchView(in Bench) (*benchView, error) {
	v := &benchView{Title: in.Title, Summary: in.Summary, Style: template.CSS(pageCSS)}
	r := in.Result
	arms := make([]*arm, len(r.Arms))
	looks := looks{}
	for i, a := range r.Arms {
		arms[i] = &arm{Search: a.Name, Colour: i % colours, Dash: learnerDashes[i/colours%len(learnerDashes)]}
		if a.Name == r.Against {
			arms[i].Dash = baselineDash
		}
		looks[a.Name] = &armLook{Name: a.Name, Colour: arms[i].Colour, Dash: arms[i].Dash}
		v.Legend = append(v.Legend, looks[a.Name])
	}
	for _, t := range in.Tables {
		v.Tables = append(v.Tables, &pageTable{Table: t, looks: looks})
	}
	curves := newBenchCurves(r)
	var lines []series
	for a := range r.Arms {
		lines = append(lines, curves.over(a, arms[a]))
	}
	var err error
	if v.Curves, err = overTrials(lines, r, "bench", "Normalised regret on the test split"); err != nil {
		return nil, err
	}
	if in.Figures.Diagrams() {
		for id, judged := range []sim.Judged{in.Figures.Judged, in.Figures.Found} {
			by := "by " + judged.By
			for _, ranking := range slices.Backward(judged.Rankings) {
				v.Diagrams = append(v.Diagrams, figure{
					Heading: fmt.Sprintf("After trial %d, %s", ranking.Trials, by),
					SVG:     criticalDifference(r.Arms, fmt.Sprintf("ranks-%d", id+1), by, ranking),
				})
			}
		}
	}
	for i := range r.Tasks {
		lines = nil
		for a := range r.Arms {
			lines = append(lines, curves.of(i, a, arms[a]))
		}
		f, err := drawTrials(lines, regretBox(lines), r, whole, fmt.Sprintf("bench-task-%d", i+1),
			"Normalised regret on the test split of "+r.Tasks[i].Name)
		if err != nil {
			return nil, err
		}
		f.Heading = "Normalised regret, mean over seeds"
		table := &pageTable{Table: in.TaskTables[r.Tasks[i].Name], looks: looks}
		v.Tasks = append(v.Tasks, benchTask{r.Tasks[i].Name, []figure{f}, table})
	}
	return v, nil
}

// benchCurves are the mean regrets over seeds of all tasks × arms, at some numbers of
// trials, as many in each factor of ten.
type benchCurves struct {
	trials  []int
	regrets [][][]float64 // by task, arm and number of trials
}

func newBenchCurves(r *sim.Result) *benchCurves {
	c := &benchCurves{}
	const perDecade = 16
	for i := 0; ; i++ {
		n := min(int(math.Round(math.Pow(10, float64(i)/perDecade))), r.Trials)
		if len(c.trials) == 0 || n > c.trials[len(c.trials)-1] {
			c.trials = append(c.trials, n)
		}
		if n == r.Trials {
			break
		}
	}
	for t := range r.Tasks {
		task := &r.Tasks[t]
		var arms [][]float64
		for a := range task.Arms {
			mean := make([]float64, len(c.trials))
			for _, s := range task.Arms[a].Searches {
				at := -1 // of the best model so far
				for k, n := range c.trials {
					for at+1 < len(s.Best.Trials) && s.Best.Trials[at+1] <= n {
						at++
					}
					value := task.Test.Worst
					if at >= 0 {
						value = s.Best.Test[at]
					}
					mean[k] += task.Test.Regret(value) / float64(len(task.Arms[a].Searches))
				}
			}
			arms = append(arms, mean)
		}
		c.regrets = append(c.regrets, arms)
	}
	return c
}

// of is an arm's curve on a task.
func (c *benchCurves) of(task, arm int, look *arm) series {
	l := series{name: look.Search, arm: look}
	for k, n := range c.trials {
		l.line = append(l.line, xy{X: float64(n), Y: c.regrets[task][arm][k]})
	}
	return l
}

// over is an arm's mean over tasks, with two standard errors of it.
func (c *benchCurves) over(arm int, look *arm) series {
	l := series{name: look.Search, arm: look}
	for k, n := range c.trials {
		var values []float64
		for task := range c.regrets {
			values = append(values, c.regrets[task][arm][k])
		}
		e, x := metrics.Mean(values), float64(n)
		l.line = append(l.line, xy{X: x, Y: e.Mean})
		if e.Error > 0 {
			l.low, l.high = append(l.low, xy{X: x, Y: e.Mean - e.Error}), append(l.high, xy{X: x, Y: e.Mean + e.Error})
		}
	}
	if len(l.low) < len(l.line) {
		l.low, l.high = nil, nil
	}
	return l
}

// overTrials draws lines over trials together, or where there are many each in a figure
// of its own, the others in grey behind it.
func overTrials(lines []series, r *sim.Result, id, title string) ([]figure, error) {
	in := regretBox(lines)
	if len(lines) <= maxOverlaid {
		f, err := drawTrials(lines, in, r, whole, id, title)
		f.Heading = title
		return []figure{f}, err
	}
	var out []figure
	for i, l := range lines {
		var all []series
		for k, o := range lines {
			if o.low, o.high, o.role = nil, nil, other; k != i {
				all = append(all, o)
			}
		}
		f, err := drawTrials(append(all, l), in, r, panel, fmt.Sprintf("%s-%d", id, i+1), title+": "+l.name)
		if err != nil {
			return nil, err
		}
		f.Heading, f.Panel, f.Arm = l.name, true, l.arm
		f.Note = title + ", over trials; grey: the other arms. All figures have the same axes."
		out = append(out, f)
	}
	return out, nil
}

// regretBox is the range of axes that hold lines, and the better half of their bands.
func regretBox(lines []series) box {
	in := box{low: math.Inf(1), high: math.Inf(-1)}
	for _, l := range lines {
		for i, v := range l.line {
			in.low, in.high = min(in.low, v.Y), max(in.high, v.Y)
			if l.low != nil {
				in.low = min(in.low, l.low[i].Y)
			}
		}
	}
	margin := max((in.high-in.low)*.05, 1e-6)
	in.low, in.high = in.low-margin, in.high+margin
	return in
}

// drawTrials draws regrets over trials, of which every factor is as wide as any other.
func drawTrials(lines []series, in box, r *sim.Result, size size2, id, title string) (figure, error) {
	p := frame()
	for _, l := range lines {
		if err := add(p, l); err != nil {
			return figure{}, err
		}
	}
	p.Y.Min, p.Y.Max = in.low, in.high
	p.X.Min, p.X.Max = 1, max(float64(r.Trials), 2)
	p.X.Scale = plot.LogScale{}
	var ticks plot.ConstantTicks
	for _, b := range r.Budgets {
		ticks = append(ticks, plot.Tick{Value: float64(b), Label: strconv.Itoa(b)})
	}
	p.X.Tick.Marker = ticks
	svg, err := render(p, size, id, title, describe(lines, func(v float64) string { return minus(fmt.Sprintf("%.3f", v)) }))
	return figure{SVG: svg}, err
}
