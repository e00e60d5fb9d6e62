package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"tnaml/experiments/metrics"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/space"
)

// A page shows so many choices of a search, those whose options moved most between
// its first and its last trials, and so many options of a choice, those taken most.
const (
	maxChoices = 12
	maxOptions = 12
)

// armOptions shows what a search came to prefer.
type armOptions struct {
	*arm
	// Window is the number of first and of last trials compared.
	Window int
	// Greedy is the learned controller's greedy architecture for the task; nil without
	// a controller.
	Greedy *greedyRow
	// Choices are those shown, of Of that leave a choice.
	Choices []choiceShares
	Of      int
}

type choiceShares struct {
	Choice  string
	Options []optionShare
	// Moved is how far the last trials are from the first, over what chance does.
	Moved float64
}

// optionShare is how often an option was taken among the first and the last trials.
type optionShare struct {
	Option      string
	First, Last float64
	// Leads says that it is the option taken most often among the last trials, more
	// often than uniform sampling would take any.
	Leads bool
}

// FirstAt and LastAt place the share on its bar, in percent of its length.
func (o optionShare) FirstAt() string { return fmt.Sprintf("%.1f", 100*o.First) }

// LastAt is the length of the bar.
func (o optionShare) LastAt() string { return fmt.Sprintf("%.1f", 100*o.Last) }

// options compares the first and the last trials of an arm: the paper's window
// of each, or half of a shorter search, so that no trial is in both; false for
// less than two trials. Choices that leave no choice are left out.
func options(a *arm) (armOptions, bool) {
	o := armOptions{arm: a, Window: min(metrics.Window, a.Trials/2)}
	if o.Window == 0 {
		return o, false
	}
	s := &a.search.Config.Space
	if a.task < len(a.search.Greedy) {
		row := newGreedyRow("", a.search.Greedy[a.task], s)
		o.Greedy = &row
	}
	for c, choice := range s.Choices {
		if len(choice.Options) < 2 {
			continue
		}
		p := metrics.OptionProbabilities(a.search.Trials, a.task, c, len(choice.Options), o.Window)
		first, last := p[0], p[len(p)-1]
		row := choiceShares{Choice: choice.Name, Moved: moved(first, last, o.Window)}
		shown, others := mostTaken(first, last), optionShare{First: 1, Last: 1}
		leader := leading(last, o.Window)
		for _, k := range shown {
			row.Options = append(row.Options, optionShare{fmt.Sprint(choice.Options[k]), first[k], last[k], k == leader})
			others.First, others.Last = others.First-first[k], others.Last-last[k]
		}
		if more := len(choice.Options) - len(shown); more > 0 {
			others.Option = fmt.Sprintf("%d others", more)
			row.Options = append(row.Options, others)
		}
		o.Choices = append(o.Choices, row)
	}
	o.Of = len(o.Choices)
	o.Choices = foremost(o.Choices, maxChoices, func(c choiceShares) float64 { return c.Moved })
	return o, true
}

// moved is how far two windows of a choice are apart, less what two samples from a
// uniform distribution are apart in the mean.
func moved(first, last []float64, window int) float64 {
	return metrics.Moved(first, last) - chance(len(first), window)
}

// leading is the option that was taken most often in a window of n trials, −1 where
// a uniform distribution over k options might have done the same: its share must be
// more than three standard deviations √((1/k)(1 − 1/k)/n) above 1/k.
func leading(shares []float64, n int) int {
	best, uniform := 0, 1/float64(len(shares))
	for k, v := range shares {
		if v > shares[best] {
			best = k
		}
	}
	if shares[best] <= uniform+3*math.Sqrt(uniform*(1-uniform)/float64(n)) {
		return -1
	}
	return best
}

// greedyRow shows a controller's greedy architecture for a task.
type greedyRow struct {
	Task, Architecture, Probability, Preferred string
	Settled                                    bool
}

func newGreedyRow(task string, g strategy.Greedy, sp *space.Space) greedyRow {
	return greedyRow{task, g.Describe(sp), g.Probability(), g.Preferred(sp), g.Settled(sp)}
}

// chance is √((k−1)/πn) for k options and n trials each.
func chance(options, window int) float64 {
	return math.Sqrt(float64(options-1) / (math.Pi * float64(window)))
}

// mostTaken are the options taken most often, by index, in their order: all where
// there are not many, else one less than the most shown, which leaves room for the
// others.
func mostTaken(first, last []float64) []int {
	all := make([]int, len(first))
	for k := range all {
		all[k] = k
	}
	if len(all) <= maxOptions {
		return all
	}
	return foremost(all, maxOptions-1, func(k int) float64 { return max(first[k], last[k]) })
}

// foremost returns the n elements of the greatest weight, in the order they have;
// of equal ones those that stand first.
func foremost[E any](all []E, n int, weight func(E) float64) []E {
	if len(all) <= n {
		return all
	}
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(weight(all[b]), weight(all[a])) })
	chosen := order[:n]
	slices.Sort(chosen)
	out := make([]E, n)
	for i, k := range chosen {
		out[i] = all[k]
	}
	return out
}
