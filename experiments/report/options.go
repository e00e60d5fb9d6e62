package report

import (
	"fmt"

	"tnaml/experiments/metrics"
	"tnaml/experiments/trainer"
)

// armOptions shows what a search came to prefer.
type armOptions struct {
	*arm
	// Window is the number of first and of last trials compared.
	Window int
	// Modal describes the architecture of the options taken most often at the end.
	Modal   string
	Choices []choiceShares
}

type choiceShares struct {
	Choice  string
	Options []optionShare
}

// optionShare is how often an option was taken among the first and the last trials.
type optionShare struct {
	Option      string
	First, Last float64
	Modal       bool
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
	modal, _ := metrics.ModalArchitecture(a.search.Trials, a.task, s.Options(), o.Window)
	o.Modal = trainer.Describe(s, modal)
	for c, choice := range s.Choices {
		if len(choice.Options) < 2 {
			continue
		}
		p := metrics.OptionProbabilities(a.search.Trials, a.task, c, len(choice.Options), o.Window)
		row := choiceShares{Choice: choice.Name}
		for k, option := range choice.Options {
			row.Options = append(row.Options, optionShare{fmt.Sprint(option), p[0][k], p[len(p)-1][k], k == modal[c]})
		}
		o.Choices = append(o.Choices, row)
	}
	return o, true
}
