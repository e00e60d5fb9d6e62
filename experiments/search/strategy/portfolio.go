package strategy

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"tnaml/experiments/strict"
	"tnaml/nn/rng"
	"tnaml/nn/safetensors"
	"tnaml/nn/trees"
)

// Portfolio tries what was good for other tasks, one after the other.
const Portfolio = "portfolio"

var portfolioSearch = Definition{
	Name:        Portfolio,
	Doc:         "configurations that together were best for other tasks, then another strategy",
	Defaults:    defaultsOf(portfolioSettings),
	FromSources: true,
	Settings:    portfolioSettings,
	New:         newPortfolio,
	OfStart: func(old, now json.RawMessage) []string {
		changed := onlyAtStart("normalise", "size")(old, now)
		return append(changed, decoded[PortfolioSettings](old).Then.ofStart("then", decoded[PortfolioSettings](now).Then)...)
	},
}

// PortfolioSettings are the parameters of the strategy "portfolio".
type PortfolioSettings struct {
	// Size is the number of configurations.
	Size int `json:"size"`
	// Normalise says how losses of several tasks are brought to one scale: "range", from 0
	// for a task's best to 1 for its worst (Wistuba et al., 2015), or "rank", the share of
	// the task's trials that were better, which outliers leave alone.
	Normalise string `json:"normalise"`
	// Then is the strategy of the trials after the portfolio's, which it is told of unless
	// it learns only from its own.
	Then Nested `json:"then"`
}

// Ways to normalise losses.
const (
	byRange = "range"
	byRank  = "rank"
)

func portfolioSettings(raw json.RawMessage, _ *Pretrained) (json.RawMessage, error) {
	s := PortfolioSettings{Size: 30, Normalise: byRange}
	if err := strict.Unmarshal(raw, &s); err != nil {
		return nil, err
	}
	var errs []error
	if s.Size < 1 || s.Size > maxPortfolio {
		errs = append(errs, fmt.Errorf("size is %d: it must lie between 1 and %d", s.Size, maxPortfolio))
	}
	if s.Normalise != byRange && s.Normalise != byRank {
		errs = append(errs, fmt.Errorf("normalise is %q: it must be %s or %s", s.Normalise, byRange, byRank))
	}
	var err error
	if s.Then, err = s.Then.canonical(); err != nil {
		errs = append(errs, fmt.Errorf("then: %w", err))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return json.Marshal(s)
}

// maxPortfolio bounds what a state holds of a portfolio.
const maxPortfolio = 10_000

// portfolio proposes a fixed list first: the greedy choice of the configurations that
// together have the least mean over the other tasks of the best normalised loss among
// them. (Wistuba, Schilling, Schmidt-Thieme, "Sequential model-free hyperparameter
// tuning", ICDM 2015; Feurer et al., "Auto-sklearn 2.0", JMLR 2022, §3.1. The mean is
// submodular, so that the greedy list is within 1 − 1/e of the best one of its length.)
//
// What was not tried for a task is estimated by a forest on that task's own trials, as
// Wistuba, Schilling, Schmidt-Thieme, "Learning hyperparameter optimization
// initializations" (DSAA 2015) and Winkelmolen et al., "Practical and sample efficient
// zero-shot HPO" (2020) do by models of theirs.
//
// The papers' lists are shorter than the number of tasks; ours may be longer. Where
// each task has its best in the list and nothing can be gained, the choice begins anew
// with the configurations that are left.
type portfolio struct {
	start   Start
	then    nested
	actions [][]int
}

func newPortfolio(s Start) (Strategy, error) {
	var settings PortfolioSettings
	if err := strict.Unmarshal(s.Settings, &settings); err != nil {
		return nil, err
	}
	p := &portfolio{start: s}
	var err error
	if p.actions, err = greedyList(s, settings.Normalise, settings.Size); err != nil {
		return nil, err
	}
	p.then, err = settings.Then.start(s)
	return p, err
}

// greedyList is the portfolio of so many configurations.
func greedyList(s Start, normalise string, size int) (list [][]int, err error) {
	candidates, losses, err := lossTable(s, normalise)
	if err != nil {
		return nil, err
	}
	for _, i := range cover(losses, size) {
		list = append(list, slices.Clone(candidates[i]))
	}
	return list, nil
}

// best is how many of a task's best configurations a portfolio is chosen from.
const best = 100

// lossTable lists the best configurations of the other tasks, with the normalised loss
// of each for each task.
func lossTable(s Start, normalise string) (candidates [][]int, losses [][]float64, err error) {
	tasks := rewarded(s.Sources)
	index := map[string]int{}
	for _, task := range tasks {
		for _, i := range task.best(best) {
			if key := keyOf(task.actions[i]); index[key] == 0 {
				candidates = append(candidates, task.actions[i])
				index[key] = len(candidates)
			}
		}
	}
	losses = make([][]float64, len(candidates))
	for i := range losses {
		losses[i] = make([]float64, len(tasks))
	}
	for t, task := range tasks {
		loss := normalised(task.rewards, normalise)
		tried := make([]float64, len(candidates))
		for i, actions := range task.actions {
			if at := index[keyOf(actions)] - 1; at >= 0 {
				losses[at][t] += loss[i]
				tried[at]++
			}
		}
		var model *trees.Model
		for i, n := range tried {
			if n > 0 {
				losses[i][t] /= n
				continue
			}
			if model == nil {
				model, err = trees.Forest(featuresOf(s.Space), task.actions, loss, nil, trees.Options{
					Trees: 20, MinLeaf: 3, Seed: rng.Derive(s.Seed, "portfolio/forest", uint64(t)),
				})
				if err != nil {
					return nil, nil, err
				}
			}
			losses[i][t] = model.Predict(candidates[i])
		}
	}
	return candidates, losses, nil
}

// normalised turns a task's rewards into losses from 0 to 1.
func normalised(rewards []float64, by string) []float64 {
	out := make([]float64, len(rewards))
	if by == byRange {
		best, worst := slices.Max(rewards), slices.Min(rewards)
		for i, r := range rewards {
			if best > worst {
				out[i] = (best - r) / (best - worst)
			}
		}
		return out
	}
	sorted := slices.Sorted(slices.Values(rewards))
	for i, r := range rewards {
		less, equal := among(sorted, r)
		out[i] = float64(len(sorted)-less-equal) / float64(len(sorted))
	}
	return out
}

// cover is the greedy choice of n rows of losses, rows × tasks: each time the one that
// brings the mean over tasks of the least loss chosen so far down most; of equal ones
// the one with the least loss itself, then the first.
func cover(losses [][]float64, n int) (chosen []int) {
	taken := make([]bool, len(losses))
	var least []float64 // of each task the best so far, nil for none
	for len(chosen) < min(n, len(losses)) {
		choice, choiceSum, choiceLoss, now := -1, 0.0, 0.0, 0.0
		for _, v := range least {
			now += v
		}
		for i, row := range losses {
			if taken[i] {
				continue
			}
			sum, loss := 0.0, 0.0
			for t, v := range row {
				loss += v
				if least != nil {
					v = min(v, least[t])
				}
				sum += v
			}
			if choice < 0 || sum < choiceSum || sum == choiceSum && loss < choiceLoss {
				choice, choiceSum, choiceLoss = i, sum, loss
			}
		}
		if least != nil && choiceSum >= now { // nothing to be gained
			least = nil
			continue
		}
		if least == nil {
			least = slices.Clone(losses[choice])
		}
		for t, v := range losses[choice] {
			least[t] = min(least[t], v)
		}
		taken[choice] = true
		chosen = append(chosen, choice)
	}
	return chosen
}

// entry is the portfolio's part in a trial, nil where it has none. Of a search of
// several tasks each entry has as many trials, so that each task meets it about once.
func (p *portfolio) entry(trial int) []int {
	if i := trial / len(p.start.Tasks); i < len(p.actions) {
		return p.actions[i]
	}
	return nil
}

func (p *portfolio) Ask(trial, task int) ([]int, float64) {
	if actions := p.entry(trial); actions != nil {
		return slices.Clone(actions), 0
	}
	return p.then.Ask(trial, task)
}

func (p *portfolio) Tell(t Told) error {
	if p.then.onPolicy && p.entry(t.Trial) != nil {
		return nil
	}
	return p.then.Tell(t)
}

func (p *portfolio) Put(f *safetensors.File) {
	putActions(f, "portfolio/actions", len(p.start.Space.Choices), p.actions)
	p.then.Put(f)
}

func (p *portfolio) Get(f *safetensors.File) error {
	actions, err := getActions(f, "portfolio/actions", p.start.Space)
	if err != nil {
		return err
	}
	p.actions = actions
	return p.then.Get(f)
}
