package report

import (
	"fmt"
	"slices"

	"tnaml/experiments/metrics"
	"tnaml/experiments/search"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/space"
	"tnaml/experiments/study"
	"tnaml/experiments/trainer"
)

// armFigures draws a task's learning curves (Figure 2; Figure 4, left and
// centre): each arm's mean over its seeds, with the band from the lowest to the
// highest where there are several; and both splits of each arm together, where there is
// more than one arm and the first figures do not show that.
func armFigures(s *study.Study, t *targetView, looks looks) (plots, together []figure, err error) {
	sc, splits := scale{Objective: s.Objective()}, splitsOf(s.Tested())
	drawings := make([][]series, len(splits))
	for _, c := range t.Cells {
		var curves [][]metrics.Point
		for _, l := range s.Select(study.Transfer, t.Task, c.Arm) {
			if curve := full(metrics.Curve(l.Trials, 0, topN)); len(curve) > 0 {
				curves = append(curves, curve)
			}
		}
		for i, sp := range splits {
			if l, ok := bandSeries(c.Arm, looks[c.Arm], curves, sp, sc); ok {
				drawings[i] = append(drawings[i], l)
			}
		}
	}
	plots, err = splitFigures(sc, t.ID, t.Task, drawings)
	if err == nil && len(plots) == 2 && !plots[0].Panel && len(drawings[1]) > 1 {
		together, err = panels(sc, t.ID+"-together", t.Task, drawings, extent(slices.Concat(drawings...), sc))
	}
	return plots, together, err
}

// bandSeries is the mean of curves, with a band where there are several.
func bandSeries(name string, look *armLook, curves [][]metrics.Point, sp split, sc scale) (series, bool) {
	l := series{name: name, arm: &arm{Colour: look.Colour, Dash: look.Dash}}
	l.band(metrics.Bands(curves, sp.value), sc.factor(), len(curves) > 1)
	return l, len(l.line) > 0
}

// maxFigures is how many choices have a figure, of each arm.
const maxFigures = 3

// optionFigures draws how the probability of each option of a choice changes over
// the trials of the arms that learn (Figure 4, right): a share among the last 100
// trials, or the last fifth of a shorter search. The reference arm comes first; an
// arm that never took but one option has nothing to show.
func optionFigures(s *study.Study, t *targetView) ([]optionFigure, error) {
	var out []optionFigure
	arms := []string{s.Against}
	for _, c := range t.Cells {
		if c.Arm != s.Against {
			arms = append(arms, c.Arm)
		}
	}
	for i, arm := range arms {
		ledgers := s.Select(study.Transfer, t.Task, arm)
		if len(ledgers) == 0 || ledgers[0].Config.Strategy == strategy.Random {
			continue
		}
		l := ledgers[0]
		window := min(metrics.Window, max(len(l.Trials)/5, 10))
		if len(l.Trials) < 2*window {
			continue
		}
		for _, e := range telling(evolutions(l, window), window) {
			f, err := e.figure(l, window, fmt.Sprintf("%s-arm-%d-option-%d", t.ID, i+1, e.choice+1))
			if err != nil {
				return nil, err
			}
			f.Open = arm == s.Against
			out = append(out, f)
		}
	}
	return out, nil
}

// evolution is the shares of a choice's options, window by window.
type evolution struct {
	choice int
	space.Choice
	rows [][]float64
}

func (e evolution) first() []float64 { return e.rows[0] }
func (e evolution) last() []float64  { return e.rows[len(e.rows)-1] }

// evolutions are those of the choices of which a search took more than one option.
func evolutions(l *study.Ledger, window int) []evolution {
	var out []evolution
	for c, choice := range l.Config.Space.Choices {
		varies := func(t search.Trial) bool { return t.Actions[c] != l.Trials[0].Actions[c] }
		if slices.ContainsFunc(l.Trials, varies) {
			out = append(out, evolution{c, choice, metrics.OptionProbabilities(l.Trials, 0, c, len(choice.Options), window)})
		}
	}
	return out
}

// telling are the evolutions to show: that of the module, as in the paper, where
// the space has one; else those that moved most, without those that moved less than
// twice as far as chance does.
func telling(all []evolution, window int) []evolution {
	for _, e := range all {
		if e.Name == trainer.Module {
			return []evolution{e}
		}
	}
	far := func(e evolution) float64 { return moved(e.first(), e.last(), window) }
	all = slices.DeleteFunc(all, func(e evolution) bool { return far(e) < chance(len(e.Options), window) })
	return foremost(all, maxFigures, far)
}

func (e evolution) figure(l *study.Ledger, window int, id string) (optionFigure, error) {
	f := optionFigure{Choice: e.Name, Search: fmt.Sprintf("%s, seed %d", l.Arm, l.Seed)}
	var lines []series
	shown := mostTaken(e.first(), e.last())
	for i, k := range shown {
		look := &armLook{Name: fmt.Sprint(e.Options[k]), Colour: i % colours, Dash: i / colours % len(dashes)}
		f.Legend = append(f.Legend, look)
		line := series{name: look.Name, arm: &arm{Colour: look.Colour, Dash: look.Dash}}
		for i, row := range e.rows {
			line.line = append(line.line, xy{X: float64(i + window), Y: 100 * row[k]})
		}
		lines = append(lines, line)
	}
	which := "each " + label(e.Name)
	if len(shown) < len(e.Options) {
		which = fmt.Sprintf("the %d options of %s taken most, of %d,", len(shown), label(e.Name), len(e.Options))
	}
	title := fmt.Sprintf("Share of %s among the last %d trials, %%, on %s (%s)", which, window, l.Task, f.Search)
	var err error
	f.Figure, err = drawLines(lines, box{float64(window), float64(len(l.Trials)), 0, 100}, whole, id, title, inPercent)
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
		v.Information = l.Information
		sp := &l.Config.Space
		sc, splits := scaleOf(sp), splitsOf(metrics.Tested(l.Trials, scaleOf(sp).Objective))
		drawings := make([][]series, len(splits))
		for k, task := range l.Config.Tasks {
			v.Tasks = append(v.Tasks, task.Name)
			if k < len(l.Greedy) {
				v.Greedy = append(v.Greedy, newGreedyRow(task.Name, l.Greedy[k], sp))
			}
			look := &armLook{Name: task.Name, Colour: k % colours, Dash: learnerDashes[k/colours%len(learnerDashes)]}
			v.Legend = append(v.Legend, look)
			if curve := full(metrics.Curve(l.Trials, k, topN)); len(curve) > 0 {
				for i, sp := range splits {
					if line, ok := bandSeries(task.Name, look, [][]metrics.Point{curve}, sp, sc); ok {
						drawings[i] = append(drawings[i], line)
					}
				}
			}
		}
		if len(l.TaskEmbeddings) == len(v.Tasks) && len(v.Tasks) > 1 {
			v.Similarity = metrics.CosineSimilarity(l.TaskEmbeddings)
		}
		var err error
		if v.Plots, err = splitFigures(sc, fmt.Sprintf("pretrain-%d", i+1), "the pretraining tasks, "+l.Arm, drawings); err != nil {
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
