package strategy

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"tnaml/experiments/space"
	"tnaml/experiments/strict"
	"tnaml/nn/rng"
	"tnaml/nn/safetensors"
)

// Evolution is regularised evolution (Real et al., "Regularized evolution for image
// classifier architecture search", 2019, algorithm 1): the population is the newest
// trials, so that the oldest dies; the best of a sample of it, drawn with replacement,
// is the parent; its child has one choice, drawn uniformly, at another option, drawn
// uniformly. The first population is random.
//
// A child of trial i comes from what has been told by then, with a lag fewer than a
// population at first. A trial that failed is as bad as the worst of the population, one that
// was pruned at least as bad as the worst that ended well, and an infeasible one worse than
// all (effective). Each task has a population of its own.
//
// With other tasks' trials the first population is the best of those (as Reif et al.,
// "Meta-learning for evolutionary parameter optimization of classifiers", 2012, begin a
// genetic search, but of all other tasks): every task's best, then every task's second
// best and so on, each configuration once.
const Evolution = "evolution"

var regularisedEvolution = Definition{
	Name:        Evolution,
	Doc:         "the best of a sample of the newest trials, with one choice changed (regularised evolution, Real et al., 2019)",
	Defaults:    defaultsOf(evolutionSettings),
	FromSources: true,
	Settings:    evolutionSettings,
	New:         newEvolution,
	OfStart: func(old, now json.RawMessage) []string {
		was, is := decoded[EvolutionSettings](old), decoded[EvolutionSettings](now)
		if is.Warm == was.Warm || is.Warm >= 0 && is.Warm <= was.warm() { // the state has as many
			return nil
		}
		return []string{startsWith("warm", was.Warm, is.Warm) + fmt.Sprintf(" (at most %d can be)", was.warm())}
	},
}

// EvolutionSettings are the parameters of the strategy "evolution".
type EvolutionSettings struct {
	// Population is its size, and the number of trials before the first child.
	Population int `json:"population"`
	// Sample is the number drawn from the population for each tournament.
	Sample int `json:"sample"`
	// Warm is how many of the first population are other tasks' best, where the search
	// starts from trials of other tasks; -1: all of it.
	Warm int `json:"warm"`
}

// warm is Warm as a number.
func (s EvolutionSettings) warm() int {
	if s.Warm < 0 {
		return s.Population
	}
	return s.Warm
}

func evolutionSettings(raw json.RawMessage, _ *Pretrained) (json.RawMessage, error) {
	s := EvolutionSettings{Population: 20, Sample: 5, Warm: -1}
	if err := strict.Unmarshal(raw, &s); err != nil {
		return nil, err
	}
	var errs []error
	if s.Population < 1 || s.Population > maxPopulation {
		errs = append(errs, fmt.Errorf("population is %d: it must lie between 1 and %d", s.Population, maxPopulation))
	}
	if s.Sample < 1 || s.Sample > maxPopulation {
		errs = append(errs, fmt.Errorf("sample is %d: it must lie between 1 and %d", s.Sample, maxPopulation))
	}
	if s.Warm < -1 || s.Warm > s.Population {
		errs = append(errs, fmt.Errorf("warm is %d: it must lie between 0 and the population, %d (-1: all of it)", s.Warm, s.Population))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return json.Marshal(s)
}

const maxPopulation = 10000

type evolution struct {
	seed     uint64
	settings EvolutionSettings
	space    *space.Space
	options  []int
	open     []int   // the choices with more than one option
	warm     [][]int // the first trials
	living   []past  // of each task the population, the oldest first
}

func newEvolution(s Start) (Strategy, error) {
	e := &evolution{seed: s.Seed, space: s.Space, options: s.Space.Options(), living: make([]past, len(s.Tasks))}
	if err := strict.Unmarshal(s.Settings, &e.settings); err != nil {
		return nil, err
	}
	for c, n := range e.options {
		if n > 1 {
			e.open = append(e.open, c)
		}
	}
	e.warm = bestOfEach(s.Sources, e.settings.warm())
	return e, nil
}

// bestOfEach returns at most n configurations: every task's best, then every task's
// second best and so on, each configuration once.
func bestOfEach(sources []Source, n int) (best [][]int) {
	tasks, longest := rewarded(sources), 0
	for _, t := range tasks {
		longest = max(longest, len(t.rewards))
	}
	ranked := make([][]int, len(tasks))
	for i, t := range tasks {
		ranked[i] = t.best(longest)
	}
	seen := map[string]bool{}
	for rank := range longest {
		for i, r := range ranked {
			if len(best) == n {
				return best
			}
			if rank >= len(r) {
				continue
			}
			actions := tasks[i].actions[r[rank]]
			if key := keyOf(actions); !seen[key] {
				seen[key] = true
				best = append(best, slices.Clone(actions))
			}
		}
	}
	return best
}

func (e *evolution) Ask(trial, task int) ([]int, float64) {
	g := rng.New(e.seed, "evolution/actions", uint64(trial))
	p, turn := &e.living[task], trial/len(e.living)
	switch {
	case turn < min(len(e.warm), e.settings.warm()): // after a fork these may be fewer
		return slices.Clone(e.warm[turn]), 0
	case turn < e.settings.Population || len(p.rewards) == 0:
		return uniform(g, e.options), 0
	}
	return e.mutated(g, p.actions[tournament(g, p.rewards, e.settings.Sample)]), 0
}

// tournament returns the best of a sample drawn with replacement, the first drawn of
// equal ones.
func tournament(g *rand.Rand, rewards []float64, sample int) int {
	best := g.IntN(len(rewards))
	for range sample - 1 {
		if i := g.IntN(len(rewards)); rewards[i] > rewards[best] {
			best = i
		}
	}
	return best
}

// mutated is the child of a parent.
func (e *evolution) mutated(g *rand.Rand, parent []int) []int {
	child := slices.Clone(parent)
	if len(e.open) > 0 {
		c := e.open[g.IntN(len(e.open))]
		child[c] = (child[c] + 1 + g.IntN(e.options[c]-1)) % e.options[c]
	}
	return child
}

func (e *evolution) Tell(t Told) error {
	p := &e.living[t.Task]
	p.append(t)
	p.keep(e.settings.Population)
	return nil
}

func (e *evolution) Put(f *safetensors.File) {
	putPast(f, "evolution", e.living, len(e.options))
	putActions(f, "evolution/warm", len(e.options), e.warm)
}

func (e *evolution) Get(f *safetensors.File) (err error) {
	if e.living, err = getPast(f, "evolution", len(e.living), e.options); err != nil {
		return err
	}
	for i := range e.living { // the settings may be others
		e.living[i].keep(e.settings.Population)
	}
	e.warm, err = getActions(f, "evolution/warm", e.space)
	return err
}
