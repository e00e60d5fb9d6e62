package benchmark

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"tnaml/experiments/limit"
	"tnaml/experiments/search"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// Expand writes out the lists of a set's tasks among names: test, development and all. A
// task that is of a list, and named beside it, is there once; what is named twice stays so,
// to be refused (Known).
func Expand(names, development, test []string) (out []string) {
	lists := map[string][]string{"test": test, "development": development, "all": slices.Concat(development, test)}
	named := map[string]bool{}
	for _, name := range names {
		tasks, ok := lists[name]
		if !ok {
			tasks = []string{name}
		}
		for _, t := range tasks {
			if !slices.Contains(out, t) || !ok && named[t] {
				out = append(out, t)
			}
			named[t] = named[t] || !ok
		}
	}
	return out
}

// Knows reports together what is wrong with a list of its tasks.
func (s *Set) Knows(tasks []string) error { return Known(tasks, slices.Concat(s.Development, s.Test)) }

// Known reports together which tasks are none of those there are, and which are there twice;
// there must be one.
func Known(tasks, known []string) error {
	if len(tasks) == 0 {
		return fmt.Errorf("no tasks (recorded: %s)", strings.Join(known, ", "))
	}
	return limit.Known("task", tasks, known)
}

// Trials are the recorded trials of tasks as those of one search in a space, task by task,
// in the order of their recording, judged by its objective and its constraints: one without
// the metric has failed. One that has an option which the space has not, or a choice, is
// refused: refusals says so of each.
func (s *Set) Trials(sp *space.Space, tasks []string) (trials []search.Trial, refusals []string, err error) {
	if err := s.Knows(tasks); err != nil {
		return nil, nil, err
	}
	for at, name := range tasks {
		r, err := s.Record(name)
		if err != nil {
			return nil, nil, err
		}
		for _, row := range r.Rows {
			choices, err := r.Space().Values(row.Actions)
			if err != nil {
				return nil, nil, fmt.Errorf("task %s, trial %d: %w", name, row.Trial, err)
			}
			actions, err := sp.Actions(choices)
			if err != nil {
				first, more, several := strings.Cut(err.Error(), "\n")
				if several {
					first += fmt.Sprintf(" (and %d problems more)", strings.Count(more, "\n")+1)
				}
				refusals = append(refusals, fmt.Sprintf("task %s, trial %d: %s", name, row.Trial, first))
				continue
			}
			p := search.Proposal{Trial: len(trials), Task: at, Actions: actions}
			o := trainer.Outcome{Status: row.Status, Metrics: maps.Clone(row.Metrics), Steps: row.Steps}
			if _, has := o.Reached(sp.Objective); !has && o.Status == trainer.OK {
				o.Status, o.Reason = trainer.Failed, fmt.Sprintf("no %s of it was recorded", sp.Objective.Metric)
			}
			trials = append(trials, search.NewTrial(p, o, sp.Objective, sp.Constraints...))
		}
	}
	return trials, refusals, nil
}

// Data are the digests of tasks' objects, by their names.
func (s *Set) Data(tasks []string) (map[string]string, error) {
	out := map[string]string{}
	for _, name := range tasks {
		r, err := s.Record(name)
		if err != nil {
			return nil, err
		}
		out[name] = r.Provenance.Config.Tasks[0].Data
	}
	return out, nil
}

// Modules are the digests of the modules that the set was recorded with, by their names.
func (s *Set) Modules() (map[string]string, error) {
	r, err := s.Record(s.Tasks()[0])
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, m := range r.Provenance.Config.Modules {
		out[m.Name] = m.Data
	}
	return out, nil
}
