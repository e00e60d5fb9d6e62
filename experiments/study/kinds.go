package study

import (
	"fmt"
	"slices"
)

// SplitArms parts what is called by one arm's name and is not the same: runs whose
// budget, settings, space or data were changed. Seeds are averaged, kinds are not. What is
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
			names[part{l.Run, l.Task, l.Arm}] = l.Arm + " of " + l.Run
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

// kind is all that repetitions share.
func (l *Ledger) kind() string {
	c := &l.Config
	kind := fmt.Sprintf("%s %s %d %d %v %v %s %s", c.Strategy, c.Settings, c.Lag, l.Budget,
		l.From != "", c.Sources != "", c.Space.Name, l.data())
	if len(c.Space.Choices) > 0 {
		kind += " " + c.Space.Digest()
	}
	for _, m := range c.Modules {
		kind += " " + m.Data
	}
	return kind
}

// data is that of the ledger's task, empty where it is not known.
func (l *Ledger) data() string {
	for _, t := range l.Config.Tasks {
		if t.Name == l.Task {
			return t.Data
		}
	}
	return ""
}
