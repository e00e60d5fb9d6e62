package search

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"tnaml/experiments/limit"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// Imported is the strategy of a search that none ran: its trials were imported.
const Imported = "imported"

// Past is a search whose trials another one starts from, with its ledger.
type Past struct {
	Name   string
	Config *Config
	Trials []Trial
}

// SourcesOf are the trials of other searches as a search of this configuration can learn
// from them: a source for each task but its own, in the order in which they appear, with
// their actions in its space, by the names of choices and the values of options, and
// their rewards by its objective. taken says how many trials of each search are among
// them: those of the search's own tasks are not, unless they were imported, nor those with
// an option that its space lacks, or without a metric that is its objective. Of more than
// limit.MaxSourceTrials each source keeps the same share, evenly spread.
func (c *Config) SourcesOf(past []Past) (sources []strategy.Source, taken []int, err error) {
	var wrong []error
	taken = make([]int, len(past))
	at := map[string]int{}
	for i, p := range past {
		in, err := translate(&p.Config.Space, &c.Space)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("search %q: %w", p.Name, err))
			continue
		}
		for _, t := range p.rewarded(&c.Space) {
			task := p.Config.Tasks[t.Task]
			actions, ok := in.actions(t.Actions)
			own := func(o Task) bool { return o.Name == task.Name || o.Same(task) }
			if !ok || p.Config.Strategy != Imported && slices.ContainsFunc(c.Tasks, own) {
				continue
			}
			k, there := at[task.Name]
			if !there {
				k = len(sources)
				at[task.Name], sources = k, append(sources, strategy.Source{Task: task.Name})
			}
			sources[k].Trials = append(sources[k].Trials, strategy.Known{Actions: actions, Status: t.Status, Reward: t.Reward})
			taken[i]++
		}
		if taken[i] == 0 {
			wrong = append(wrong, fmt.Errorf("search %q: none of its %d trials says anything: they are of the tasks that are searched, have "+
				"options that the space %s lacks, or no metric %s", p.Name, len(p.Trials), c.Space.Name, c.Space.Objective.Metric))
		}
	}
	thin(sources, limit.MaxSourceTrials)
	return sources, taken, errors.Join(wrong...)
}

// rewarded are the trials with the rewards that another space's objective and constraints
// give them; without those that ended well and were not measured by them.
func (p Past) rewarded(sp *space.Space) []Trial {
	o, own := sp.Objective, &p.Config.Space
	if own.Objective == o && reflect.DeepEqual(own.Constraints, sp.Constraints) {
		return p.Trials
	}
	var out []Trial
	for _, t := range p.Trials {
		switch {
		case t.Status == trainer.Pruned && own.Objective != o: // how far it came is said of that alone
			continue
		case t.OK() || t.Status == trainer.Infeasible:
			if _, ok := t.Metrics[trainer.Key(t.Metrics, o)]; !ok {
				continue
			}
			t.Validation, t.Test, _ = trainer.Values(t.Metrics, o)
			judged := trainer.Outcome{Status: trainer.OK, Metrics: t.Metrics}.Judged(sp.Constraints)
			if t.Status = judged.Status; t.Status == trainer.Failed { // it lacks what a constraint is about
				continue
			}
		}
		out = append(out, t)
	}
	as := *p.Config
	as.Space.Objective, as.Space.Constraints = o, sp.Constraints
	FillRewards(&as, out)
	return out
}

// thin leaves at most so many trials, of each source the same share.
func thin(sources []strategy.Source, most int) {
	all := 0
	for _, s := range sources {
		all += len(s.Trials)
	}
	if all <= most {
		return
	}
	for i, s := range sources {
		n := len(s.Trials)
		kept := make([]strategy.Known, max(1, n*most/all))
		for j := range kept {
			kept[j] = s.Trials[j*n/len(kept)]
		}
		sources[i].Trials = kept
	}
}

// translation says, for each choice of a space, where it stands in another one, and what
// that one's options are in it, −1 what it lacks.
type translation []struct {
	at      int
	options []int
}

func translate(from, to *space.Space) (translation, error) {
	if from.TrainerName() != to.TrainerName() {
		return nil, fmt.Errorf("its trials are of the trainer %s, this search's of %s", from.TrainerName(), to.TrainerName())
	}
	index := func(sp *space.Space, name string) int {
		return slices.IndexFunc(sp.Choices, func(c space.Choice) bool { return c.Name == name })
	}
	var differ []string
	for _, c := range from.Choices {
		if index(to, c.Name) < 0 {
			differ = append(differ, fmt.Sprintf("has the choice %q more", c.Name))
		}
	}
	out := make(translation, len(to.Choices))
	for i, c := range to.Choices {
		if out[i].at = index(from, c.Name); out[i].at < 0 {
			differ = append(differ, fmt.Sprintf("lacks the choice %q", c.Name))
			continue
		}
		for _, o := range from.Choices[out[i].at].Options {
			out[i].options = append(out[i].options, space.Index(c.Options, o))
		}
	}
	if len(differ) > 0 {
		return nil, fmt.Errorf("its space (%q) %s: trials of it say nothing in the space %q", from.Name, strings.Join(differ, ", "), to.Name)
	}
	return out, nil
}

// actions are a trial's in the other space, false where that lacks one of the options.
func (t translation) actions(in []int) ([]int, bool) {
	out := make([]int, len(t))
	for i, c := range t {
		if out[i] = c.options[in[c.at]]; out[i] < 0 {
			return nil, false
		}
	}
	return out, true
}
