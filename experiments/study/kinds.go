package study

import (
	"encoding/json"
	"slices"

	"tnaml/experiments/search"
)

// SplitArms parts what is called by one arm's name and is not the same: runs whose
// budget, settings, space, trainer, pruner or data were changed. Seeds are averaged, kinds are not. What is
// as in the newest run of a task keeps the arm's name; the others get the name of their run
// behind it.
func (s *Study) SplitArms() {
	run := map[string]int{}
	for i, r := range s.Runs {
		run[r.Name] = i
	}
	type place struct{ task, arm string }
	newest := map[place]*Ledger{}
	for i := range s.Ledgers {
		l := &s.Ledgers[i]
		at := place{l.Task, l.Arm}
		if n := newest[at]; l.Phase == Transfer && l.Config.Strategy != "" && (n == nil || run[l.Run] >= run[n.Run]) {
			newest[at] = l
		}
	}
	type part struct{ run, task, arm string }
	names := map[part]string{}
	for i := range s.Ledgers {
		l := &s.Ledgers[i]
		n := newest[place{l.Task, l.Arm}]
		if l.Phase == Transfer && n != nil && l.Config.Strategy != "" && l.Run != n.Run && l.kind() != n.kind() {
			names[part{l.Run, l.Task, l.Arm}] = partOf(l.Arm, l.Run)
		}
	}
	for i := range s.Ledgers {
		l := &s.Ledgers[i]
		name, ok := names[part{l.Run, l.Task, l.Arm}]
		if !ok || l.Phase != Transfer {
			continue
		}
		if !slices.ContainsFunc(s.Arms, func(a Arm) bool { return a.Name == name }) {
			if at := slices.IndexFunc(s.Arms, func(a Arm) bool { return a.Name == l.Arm }); at >= 0 {
				a := s.Arms[at]
				a.Name = name
				s.Arms = slices.Insert(s.Arms, at+1, a)
			}
		}
		l.Arm = name
	}
}

// partOf is what the searches of an arm that are not as the newest run's are called by.
func partOf(arm, run string) string { return arm + " of " + run }

// ofArm says whether a search is of an arm, parted or not.
func (l *Ledger) ofArm(arm string) bool { return l.Arm == arm || l.Arm == partOf(arm, l.Run) }

// kind is all that repetitions share: the configuration without its seed and what follows
// from that (which controller, which sources), the budget and the task's data.
func (l *Ledger) kind() string {
	c := l.Config
	shared := struct {
		search.Config
		Budget        int
		Data          string
		From, Sources bool
		Forked        int
	}{Budget: l.Budget, Data: l.data(), From: l.From != "", Sources: c.Sources != ""}
	if c.Fork != nil {
		shared.Forked = c.Fork.Trials
	}
	c.Space.Trainer = c.Space.TrainerName()
	c.Tasks, c.Seed, c.KeepModels, c.Controller, c.Sources, c.Fork, c.Space.Description = nil, 0, 0, "", "", nil, ""
	shared.Config = c
	b, err := json.Marshal(shared)
	if err != nil {
		panic(err) // it was read from JSON
	}
	return string(b)
}

// data is that of the ledger's task, its parameters included, empty where it is not known.
func (l *Ledger) data() string {
	for _, t := range l.Config.Tasks {
		if t.Name == l.Task {
			return t.Data + string(t.Parameters)
		}
	}
	return ""
}
