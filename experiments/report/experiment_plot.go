package report

import (
	"fmt"
	"slices"
	"strings"

	"tnaml/experiments/metrics"
	"tnaml/experiments/search"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/study"
	"tnaml/experiments/trainer"
)

// armFigures draws a task's learning curves (Figure 2; Figure 4, left and
// centre): each arm's mean over its seeds, with the band from the lowest to the
// highest where there are several.
func armFigures(s *study.Study, t *targetView, looks looks) ([]figure, error) {
	drawings := make([][]series, len(splits))
	for _, c := range t.Cells {
		var curves [][]metrics.Point
		for _, l := range s.Select(study.Transfer, t.Task, c.Arm) {
			if curve := full(metrics.Curve(l.Trials, 0, topN)); len(curve) > 0 {
				curves = append(curves, curve)
			}
		}
		for i, sp := range splits {
			if l, ok := bandSeries(c.Arm, looks[c.Arm], curves, sp); ok {
				drawings[i] = append(drawings[i], l)
			}
		}
	}
	return splitFigures(t.ID, t.Task, drawings)
}

// bandSeries is the mean of curves, with a band where there are several.
func bandSeries(name string, look *armLook, curves [][]metrics.Point, sp split) (series, bool) {
	l := series{name: name, arm: &arm{Colour: look.Colour, Dash: look.Dash}}
	for _, b := range metrics.Bands(curves, sp.value) {
		x := float64(b.Trials)
		l.line = append(l.line, xy{X: x, Y: 100 * b.Mean})
		if len(curves) > 1 {
			l.low, l.high = append(l.low, xy{X: x, Y: 100 * b.Min}), append(l.high, xy{X: x, Y: 100 * b.Max})
		}
	}
	return l, len(l.line) > 0
}

// splitFigures draws one figure a split, all with the same axes.
func splitFigures(id, name string, drawings [][]series) ([]figure, error) {
	var axes []series
	for _, lines := range drawings {
		axes = append(axes, lines...)
	}
	if len(axes) == 0 {
		return nil, nil
	}
	right, low, high := extent(axes)
	var out []figure
	for i, lines := range drawings {
		heading := fmt.Sprintf("%s accuracy-top%d, %%", splits[i].name, topN)
		svg, err := drawLines(lines, right, low, high, fmt.Sprintf("%s-%s", id, strings.ToLower(splits[i].name)), heading+" over trials on "+name)
		if err != nil {
			return nil, err
		}
		out = append(out, figure{heading, svg.SVG})
	}
	return out, nil
}

// drawLines draws lines within given axes.
func drawLines(lines []series, right, low, high float64, id, title string) (figure, error) {
	p := frame()
	for _, l := range lines {
		if err := add(p, l); err != nil {
			return figure{}, err
		}
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, right, low, high // last, because what is added stretches the axes
	svg, err := render(p, id, title, describe(lines))
	return figure{title, svg}, err
}

// optionFigures draws how the probability of each module changes over the trials
// of the arms that learn (Figure 4, right): a share among the last 100 trials,
// or the last fifth of a shorter search. The reference arm comes first; an arm
// that never took but one option has nothing to show.
func optionFigures(s *study.Study, t *targetView) ([]optionFigure, error) {
	var out []optionFigure
	arms := []string{s.Against}
	for _, c := range t.Cells {
		if c.Arm != s.Against {
			arms = append(arms, c.Arm)
		}
	}
	for _, arm := range arms {
		ledgers := s.Select(study.Transfer, t.Task, arm)
		if len(ledgers) == 0 || ledgers[0].Config.Strategy == strategy.Random {
			continue
		}
		l := ledgers[0]
		window := min(metrics.Window, max(len(l.Trials)/5, 10))
		if len(l.Trials) < 2*window {
			continue
		}
		for c, choice := range l.Config.Space.Choices {
			varies := func(t search.Trial) bool { return t.Actions[c] != l.Trials[0].Actions[c] }
			if choice.Name != trainer.Module || !slices.ContainsFunc(l.Trials, varies) {
				continue
			}
			f, err := optionFigureOf(l, c, window, fmt.Sprintf("%s-%s-option-%d", t.ID, arm, c+1))
			if err != nil {
				return nil, err
			}
			f.Open = arm == s.Against
			out = append(out, f)
		}
	}
	return out, nil
}

func optionFigureOf(l *study.Ledger, c, window int, id string) (optionFigure, error) {
	choice := l.Config.Space.Choices[c]
	rows := metrics.OptionProbabilities(l.Trials, 0, c, len(choice.Options), window)
	f := optionFigure{Choice: choice.Name, Search: fmt.Sprintf("%s, seed %d", l.Arm, l.Seed)}
	var lines []series
	for k, option := range choice.Options {
		look := &armLook{Name: fmt.Sprint(option), Colour: k % colours, Dash: k / colours % len(dashes)}
		f.Legend = append(f.Legend, look)
		line := series{name: look.Name, arm: &arm{Colour: look.Colour, Dash: look.Dash}}
		for i, row := range rows {
			line.line = append(line.line, xy{X: float64(i + window), Y: 100 * row[k]})
		}
		lines = append(lines, line)
	}
	var err error
	f.Figure, err = drawLines(lines, float64(len(l.Trials)), 0, 100, id,
		fmt.Sprintf("Share of each %s among the last %d trials, %%, on %s (%s)", label(choice.Name), window, l.Task, f.Search))
	return f, err
}

// pretrainings shows what the pretraining searches learned.
func pretrainings(s *study.Study) ([]*pretrainView, error) {
	var out []*pretrainView
	for i, l := range s.Select(study.Pretrain, "", "") {
		if len(l.Trials) == 0 {
			continue
		}
		v := &pretrainView{Arm: l.Arm, Search: l.Search, Controller: l.Controller, Seed: l.Seed, Trials: len(l.Trials)}
		sp := &l.Config.Space
		drawings := make([][]series, len(splits))
		for k, task := range l.Config.Tasks {
			v.Tasks = append(v.Tasks, task.Name)
			modal, _ := metrics.ModalArchitecture(l.Trials, k, sp.Options(), metrics.Window)
			text := "no trials"
			if modal != nil {
				text = trainer.Describe(sp, modal)
			}
			v.Modal = append(v.Modal, text)
			look := &armLook{Name: task.Name, Colour: k % colours, Dash: k / colours % len(dashes)}
			v.Legend = append(v.Legend, look)
			if curve := full(metrics.Curve(l.Trials, k, topN)); len(curve) > 0 {
				for i, sp := range splits {
					if line, ok := bandSeries(task.Name, look, [][]metrics.Point{curve}, sp); ok {
						drawings[i] = append(drawings[i], line)
					}
				}
			}
		}
		if len(l.TaskEmbeddings) == len(v.Tasks) && len(v.Tasks) > 1 {
			v.Similarity = metrics.CosineSimilarity(l.TaskEmbeddings)
		}
		var err error
		if v.Plots, err = splitFigures(fmt.Sprintf("pretrain-%d", i+1), "the pretraining tasks, "+l.Arm, drawings); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// Shade is the share of the series' colour behind a cosine: negative ones stay
// plain.
func (v *pretrainView) Shade(cosine float64) string {
	return fmt.Sprintf("%.0f%%", 60*max(cosine, 0))
}
