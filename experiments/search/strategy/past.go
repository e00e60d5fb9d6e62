package strategy

import (
	"fmt"
	"slices"

	"tnaml/nn/safetensors"
)

// past is what a strategy keeps of the trials told of one task, in their order.
type past struct {
	actions [][]int
	rewards []float64
}

func (p *past) add(t Told) {
	p.actions, p.rewards = append(p.actions, slices.Clone(t.Actions)), append(p.rewards, t.Reward)
}

// putPast saves the tasks' trials as arrays below a name.
func putPast(f *safetensors.File, name string, tasks []past, choices int) {
	var actions []int32
	var rewards []float64
	counts := make([]int32, len(tasks))
	for i, t := range tasks {
		counts[i] = int32(len(t.rewards))
		rewards = append(rewards, t.rewards...)
		for _, a := range t.actions {
			for _, o := range a {
				actions = append(actions, int32(o))
			}
		}
	}
	safetensors.Put(f, name+"/trials", counts)
	safetensors.Put(f, name+"/actions", actions, len(rewards), choices)
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
	actions, _, err := safetensors.Get[int32](f, name+"/actions", len(rewards), len(options))
	if err != nil {
		return nil, err
	}
	out, at := make([]past, tasks), 0
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
			out[i].actions, out[i].rewards = append(out[i].actions, a), append(out[i].rewards, rewards[at])
			at++
		}
	}
	if at != len(rewards) {
		return nil, fmt.Errorf("%s: there are %d trials, the tasks have %d", name, len(rewards), at)
	}
	return out, nil
}
