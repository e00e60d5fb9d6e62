package strategy

import (
	"fmt"
	"math"
	"slices"

	"tnaml/experiments/trainer"
	"tnaml/nn/safetensors"
)

// past is what a strategy keeps of the trials told of one task, in their order.
type past struct {
	actions  [][]int
	statuses []trainer.Status
	told     []float64
	rewards  []float64 // effective
}

// add adds a trial, and says whether it changed the rewards of others.
func (p *past) add(t Told) (changed bool) {
	before := p.rewards
	p.append(t)
	p.rewards = p.first(len(p.told))
	return !slices.Equal(before, p.rewards[:len(before)])
}

// append adds a trial without its reward.
func (p *past) append(t Told) {
	p.actions, p.statuses = append(p.actions, slices.Clone(t.Actions)), append(p.statuses, t.Status)
	p.told = append(p.told, t.Reward)
}

// first are the rewards of the first n trials as they were with no others: what is learned
// of these alone must not depend on when it is learned.
func (p *past) first(n int) []float64 { return effective(p.statuses[:n], p.told[:n]) }

// keep forgets all but the newest n trials, whose rewards are as if there were no others.
func (p *past) keep(n int) {
	dead := max(0, len(p.told)-n)
	p.actions, p.statuses = slices.Delete(p.actions, 0, dead), slices.Delete(p.statuses, 0, dead)
	p.told = slices.Delete(p.told, 0, dead)
	p.rewards = p.first(len(p.told))
}

// effective are the rewards by which a task's trials compare, from what was told. What was
// told of a trial that was pruned, failed, or broke a constraint was right among the trials
// before it alone, and has its place among all of them here, whichever came first.
//
// A pruned trial's value is an early one, and a final one would have been another: it counts
// as the worst final value at most, so that no pruned trial stands above one that ended well,
// and what was pruned is still known as bad, as it would not be were it left out. While none
// has ended well it keeps what it reached.
//
// A failure has the worst reward of those that have a value and break no constraint.
// Infeasible ones stand below that: all of them are brought down together where one does
// not, and the distances between them stay. With none to stand below they keep what they
// were told, and failures have the worst of that, or 0.
func effective(statuses []trainer.Status, told []float64) []float64 {
	out := slices.Clone(told)
	final := math.Inf(1) // the worst
	for i, s := range statuses {
		if s == trainer.OK {
			final = min(final, told[i])
		}
	}
	worst, best := math.Inf(1), math.Inf(-1)
	least, most := worst, best // of the infeasible ones
	for i, s := range statuses {
		if s == trainer.Pruned {
			out[i] = min(told[i], final)
		}
		switch {
		case s == trainer.Infeasible:
			least, most = min(least, told[i]), max(most, told[i])
		case !s.Failure():
			worst, best = min(worst, out[i]), max(best, out[i])
		}
	}
	top, failed := most, worst // of the infeasible ones, and of the failures
	if math.IsInf(worst, 1) {
		if failed = least; math.IsInf(least, 1) {
			failed = 0
		}
	} else if most >= worst {
		top = worst - Spread(worst, best)/2
	}
	for i, s := range statuses {
		switch {
		case s == trainer.Infeasible && top != most:
			out[i] = top - (most - told[i]) // in this order no rounding brings it above top
		case s.Failure():
			out[i] = failed
		}
	}
	return out
}

// Spread is the scale of rewards from the worst to the best, more than 0: at least a
// thousandth of the larger in size, or 1 where both are 0.
func Spread(worst, best float64) float64 {
	if scale := max(best-worst, max(math.Abs(worst), math.Abs(best))/1000); scale > 0 {
		return scale
	}
	return 1
}

// putPast saves the tasks' trials as arrays below a name.
func putPast(f *safetensors.File, name string, tasks []past, choices int) {
	var actions []int32
	var rewards []float64
	var statuses []uint8
	counts, known := make([]int32, len(tasks)), trainer.Statuses()
	for i, t := range tasks {
		counts[i] = int32(len(t.told))
		rewards = append(rewards, t.told...)
		for _, s := range t.statuses {
			statuses = append(statuses, uint8(slices.Index(known, s)))
		}
		for _, a := range t.actions {
			for _, o := range a {
				actions = append(actions, int32(o))
			}
		}
	}
	safetensors.Put(f, name+"/trials", counts)
	safetensors.Put(f, name+"/actions", actions, len(rewards), choices)
	safetensors.Put(f, name+"/statuses", statuses)
	safetensors.Put(f, name+"/rewards", rewards)
}

// getPast reads what putPast saved of so many tasks, in a space with so many
// options.
func getPast(f *safetensors.File, name string, tasks int, options []int) ([]past, error) {
	counts, _, err := safetensors.Get[int32](f, name+"/trials", tasks)
	if err != nil {
		return nil, err
	}
	rewards, _, err := safetensors.Get[float64](f, name+"/rewards", -1)
	if err != nil {
		return nil, err
	}
	statuses, _, err := safetensors.Get[uint8](f, name+"/statuses", len(rewards))
	if err != nil {
		return nil, err
	}
	actions, _, err := safetensors.Get[int32](f, name+"/actions", len(rewards), len(options))
	if err != nil {
		return nil, err
	}
	out, at, known := make([]past, tasks), 0, trainer.Statuses()
	for i, n := range counts {
		if n < 0 || int(n) > len(rewards)-at {
			return nil, fmt.Errorf("%s: %d trials of task %d are not there", name, n, i)
		}
		for range n {
			a := make([]int, len(options))
			for c := range a {
				if a[c] = int(actions[at*len(options)+c]); a[c] < 0 || a[c] >= options[c] {
					return nil, fmt.Errorf("%s: choice %d has no option %d", name, c, a[c])
				}
			}
			if int(statuses[at]) >= len(known) {
				return nil, fmt.Errorf("%s: there is no status %d", name, statuses[at])
			}
			out[i].actions, out[i].statuses = append(out[i].actions, a), append(out[i].statuses, known[statuses[at]])
			out[i].told = append(out[i].told, rewards[at])
			at++
		}
		out[i].rewards = out[i].first(len(out[i].told))
	}
	if at != len(rewards) {
		return nil, fmt.Errorf("%s: there are %d trials, the tasks have %d", name, len(rewards), at)
	}
	return out, nil
}
