package simulate

import (
	"errors"
	"fmt"
	"slices"

	"tnaml/experiments/limit"
)

// Check says what a result that was stored lacks to have figures: a file may be another one's, cut, or
// edited. All that is wrong comes together.
func (r *Result) Check() error {
	var errs []error
	switch {
	case len(r.Arms) == 0 || len(r.Tasks) == 0 || len(r.Budgets) == 0:
		return errors.New("it holds no searches: a result of a benchmark has arms, tasks and budgets")
	case r.Seeds < 1:
		errs = append(errs, fmt.Errorf("it has %d seeds", r.Seeds))
	case r.index(r.Against) < 0:
		errs = append(errs, fmt.Errorf("it compares with %q, which is none of its arms", r.Against))
	}
	if r.Budgets[0] < 1 || !slices.IsSorted(r.Budgets) || slices.Max(r.Budgets) > r.Trials {
		errs = append(errs, fmt.Errorf("figures at %d of %d trials", r.Budgets, r.Trials))
	}
	for _, t := range r.Tasks {
		if len(t.Arms) != len(r.Arms) {
			errs = append(errs, fmt.Errorf("task %s has %d arms of %d", t.Name, len(t.Arms), len(r.Arms)))
			continue
		}
		for i, a := range t.Arms {
			whole := func(s *Search) bool {
				return s != nil && len(s.At) == len(r.Budgets) && s.Best.whole() && len(s.Top.Trials) == len(s.Top.Validation)
			}
			switch {
			case a.Arm != r.Arms[i].Name:
				errs = append(errs, fmt.Errorf("task %s: arm %d is %q, not %q", t.Name, i+1, a.Arm, r.Arms[i].Name))
			case len(a.Searches) != r.Seeds || slices.ContainsFunc(a.Searches, func(s *Search) bool { return !whole(s) }):
				errs = append(errs, fmt.Errorf("task %s, arm %s: not all of its %d searches are there, with figures at %d numbers of trials",
					t.Name, a.Arm, r.Seeds, len(r.Budgets)))
			}
		}
	}
	return errors.Join(errs...)
}

func (m *Improvements) whole() bool {
	n := len(m.Trials)
	return len(m.Validation) == n && len(m.Test) == n && len(m.Mean) == n
}

// Pick is the part of a result that has these arms and tasks, in this order; none are all. The arms
// that are named are compared with the first.
func (r *Result) Pick(arms, tasks []string) (*Result, error) {
	out := *r
	at, errArms := chosen("arm", arms, r.Arms, func(a Arm) string { return a.Name })
	of, errTasks := chosen("task", tasks, r.Tasks, func(t Task) string { return t.Name })
	if err := errors.Join(errArms, errTasks); err != nil {
		return nil, err
	}
	out.Arms, out.Tasks = nil, nil
	for _, i := range at {
		out.Arms = append(out.Arms, r.Arms[i])
	}
	for _, k := range of {
		t := r.Tasks[k]
		t.Arms = nil
		for _, i := range at {
			t.Arms = append(t.Arms, r.Tasks[k].Arms[i])
		}
		out.Tasks = append(out.Tasks, t)
	}
	out.Pretrainings = startedFrom(r.Pretrainings, out.Arms)
	out.Learned = slices.DeleteFunc(slices.Clone(r.Learned), func(l Learned) bool {
		return !slices.ContainsFunc(out.Pretrainings, func(p Pretraining) bool { return p.Name == l.Pretraining })
	})
	if len(arms) > 0 {
		out.Against = arms[0]
	}
	return &out, nil
}

// chosen finds names among what there is: all where there are none.
func chosen[T any](kind string, names []string, among []T, name func(T) string) (at []int, err error) {
	var all []int
	var there []string
	for i, t := range among {
		all, there = append(all, i), append(there, name(t))
	}
	if len(names) == 0 {
		return all, nil
	}
	for _, n := range names {
		at = append(at, slices.Index(there, n))
	}
	return at, limit.Known(kind, names, there)
}
