package strategy

import (
	"fmt"
	"slices"

	"tnaml/experiments/space"
	"tnaml/nn/safetensors"
)

// flights are proposals whose outcomes have not been told, by their trials.
type flights []flight

type flight struct {
	trial, task int
	actions     []int
}

// add remembers a proposal, in the place of an earlier one of the same trial.
func (f *flights) add(trial, task int, actions []int) {
	at, again := slices.BinarySearchFunc(*f, trial, func(f flight, trial int) int { return f.trial - trial })
	if again {
		*f = slices.Delete(*f, at, at+1)
	}
	*f = slices.Insert(*f, at, flight{trial, task, actions})
}

// land forgets a trial, and all before it.
func (f *flights) land(trial int) {
	*f = slices.DeleteFunc(*f, func(f flight) bool { return f.trial <= trial })
}

// before lists the configurations of a task that are in flight when a trial is asked.
func (f flights) before(trial, task int) (actions [][]int) {
	for _, p := range f {
		if p.task == task && p.trial < trial {
			actions = append(actions, p.actions)
		}
	}
	return actions
}

// contains says whether a configuration is among others.
func contains(others [][]int, actions []int) bool {
	return slices.ContainsFunc(others, func(o []int) bool { return slices.Equal(o, actions) })
}

// put saves them as arrays below a name.
func (f flights) put(file *safetensors.File, name string, choices int) {
	var actions [][]int
	of := make([]int64, 0, 2*len(f))
	for _, p := range f {
		actions, of = append(actions, p.actions), append(of, int64(p.trial), int64(p.task))
	}
	putActions(file, name, choices, actions)
	safetensors.Put(file, name+"/of", of, len(f), 2)
}

// getFlights reads what put saved, of so many tasks.
func getFlights(file *safetensors.File, name string, sp *space.Space, tasks int) (flights, error) {
	actions, err := getActions(file, name, sp)
	if err != nil {
		return nil, err
	}
	of, _, err := safetensors.Get[int64](file, name+"/of", len(actions), 2)
	if err != nil {
		return nil, err
	}
	var out flights
	for i, a := range actions {
		p := flight{int(of[2*i]), int(of[2*i+1]), a}
		if p.task < 0 || p.task >= tasks || i > 0 && p.trial <= out[i-1].trial {
			return nil, fmt.Errorf("%s: trial %d of task %d cannot be in flight", name, p.trial, p.task)
		}
		out = append(out, p)
	}
	return out, nil
}
