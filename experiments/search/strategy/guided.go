package strategy

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"tnaml/experiments/strict"
	"tnaml/nn/controller"
	"tnaml/nn/rng"
	"tnaml/nn/safetensors"
)

// Guided is another search that a controller guides, best a pretrained one: what the
// controller knows of other tasks is not the search, but its prior. The controller proposes
// the first trials and learns from each, as in the strategy naml. After these, by its method,
//
//   - prior: the trial is the candidate with the largest log l − log g + (β/t)·log π, l and g
//     being those of the strategy tpe, π the controller's exact joint probability and t the
//     task's trials so far: a prior whose weight decays, as in πBO (Hvarfner et al., "πBO:
//     Augmenting acquisition functions with user beliefs for Bayesian optimization", 2022),
//     but of the ratio that TPE ranks candidates by, in the place of an acquisition function.
//     Candidates are drawn from l, and as many from π.
//   - mutations: it is the child of the best of a sample of the newest trials, some of whose
//     choices the controller draws anew, each given those before it (Maziarz et al.,
//     "Evolutionary-neural hybrid agents for architecture search", 2018: Evo-NAS).
//
// Such trials are no draws from π. The policy gradient takes them as if they were, as
// Evo-NAS does: what the controller learns from them is biased to what the search prefers.
//
// From nothing the controller is one that has yet to learn. It is a rival: neither method
// was better than the strategy kindred (experiments/benchmark/LADDER.md, "What guides a
// search").
const Guided = "guided"

// The methods of Guided.
const (
	GuidedPrior     = "prior"
	GuidedMutations = "mutations"
)

var guidedSearch = Definition{
	Name:           Guided,
	Doc:            "TPE under a controller's decaying prior (πBO), or evolution whose mutations a controller draws (Evo-NAS)",
	Defaults:       defaultsOf(guidedSettings),
	FromController: true,
	Continues:      true,
	OnPolicy:       true,
	Settings:       guidedSettings,
	New:            newGuided,
	OfStart:        onlyAtStart("naml.controller", "naml.embedding.start", "naml.embedding.scale"),
}

// GuidedSettings are the parameters of the strategy "guided"; what is of one method is nil
// under the other.
type GuidedSettings struct {
	// Method is "prior" or "mutations".
	Method string `json:"method"`
	// Startup is the number of a task's trials to be told before the first that is not
	// proposed by the controller alone.
	Startup int `json:"startup"`
	// Weight is β of the method prior: after t trials of a task log π has the weight β/t.
	Weight *float64 `json:"weight,omitempty"`
	// Candidates is how many of them each trial of the method prior is chosen from, of l and of
	// π each.
	Candidates *int `json:"candidates,omitempty"`
	// Population and Sample are those of the strategy evolution, for the method mutations.
	Population *int `json:"population,omitempty"`
	Sample     *int `json:"sample,omitempty"`
	// Mutation is the probability with which a choice of a child of that method is drawn anew;
	// one is always.
	Mutation *float64 `json:"mutation,omitempty"`
	// NAML is how the controller begins and learns; a new task's embedding is found among the
	// pretrained ones unless it says otherwise.
	NAML NAMLSettings `json:"naml"`
}

func guidedSettings(raw json.RawMessage, from *Pretrained) (json.RawMessage, error) {
	s := GuidedSettings{Method: GuidedPrior, Startup: 10, NAML: namlStart()}
	s.NAML.PolicyGradient.Entropy = new(.03)
	if err := strict.Unmarshal(raw, &s); err != nil {
		return nil, err
	}
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	methods := []string{GuidedPrior, GuidedMutations}
	known := slices.Contains(methods, s.Method)
	if !known {
		bad("unknown method %q (known: %s)", s.Method, strings.Join(methods, ", "))
	}
	// of says whether a setting is the method's, which has a default of it.
	of := func(method, name string, is bool) bool {
		if is && known && method != s.Method {
			bad("%s is of the method %s, this one is %s: leave it out, or give null over other settings", name, method, s.Method)
		}
		return method == s.Method
	}
	number := func(method, name string, v **float64, d, most float64, must string) {
		if !of(method, name, *v != nil) {
			return
		}
		if *v = cmp.Or(*v, &d); !(**v >= 0 && **v <= most) {
			bad("%s is %v: it must %s", name, **v, must)
		}
	}
	count := func(method, name string, v **int, d, most int) {
		if !of(method, name, *v != nil) {
			return
		}
		if *v = cmp.Or(*v, &d); **v < 1 || **v > most {
			bad("%s is %d: it must lie between 1 and %d", name, **v, most)
		}
	}
	number(GuidedPrior, "weight", &s.Weight, 10, 1e6, "lie between 0 and 1e+06")
	count(GuidedPrior, "candidates", &s.Candidates, 24, maxCandidates)
	count(GuidedMutations, "population", &s.Population, 20, maxPopulation)
	count(GuidedMutations, "sample", &s.Sample, 5, maxPopulation)
	number(GuidedMutations, "mutation", &s.Mutation, .2, 1, "lie between 0 and 1")
	if s.Startup < 0 {
		bad("startup is %d: it must be 0 or more", s.Startup)
	}
	var err error
	if s.NAML, err = s.NAML.canonical(from, StartPosterior); err != nil {
		bad("naml: %w", err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return json.Marshal(s)
}

type guided struct {
	*naml
	settings GuidedSettings
	options  []int
	open     []int // the choices with more than one option
	tpe      *tpe  // has the trials that were told
}

func newGuided(s Start) (Strategy, error) {
	g := &guided{options: s.Space.Options()}
	if err := strict.Unmarshal(s.Settings, &g.settings); err != nil {
		return nil, err
	}
	inner := func(v any, begin func(Start) (Strategy, error)) (Strategy, error) {
		raw, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		own := s
		own.Settings = raw
		return begin(own)
	}
	n, err := inner(g.settings.NAML, newNAML)
	if err != nil {
		return nil, fmt.Errorf("naml: %w", err)
	}
	t, err := inner(TPESettings{}, newTPE) // it proposes nothing
	if err != nil {
		return nil, fmt.Errorf("tpe: %w", err)
	}
	g.naml, g.tpe = n.(*naml), t.(*tpe)
	for c, n := range g.options {
		if n > 1 {
			g.open = append(g.open, c)
		}
	}
	return g, nil
}

func (g *guided) Ask(trial, task int) ([]int, float64) {
	if len(g.tpe.tasks[task].rewards) < max(g.settings.Startup, 1) {
		return g.naml.Ask(trial, task)
	}
	r := rng.New(g.seed, "guided/actions", uint64(trial))
	var actions []int
	if g.settings.Method == GuidedMutations {
		actions = g.child(r, trial, task)
	} else {
		actions = g.likeliest(r, trial, task)
	}
	return actions, g.logProb(trial, task, actions)
}

// logProb is log π(actions), of a trial that may have no embedding.
func (g *guided) logProb(trial, task int, actions []int) float64 {
	switch {
	case g.dropped(trial):
		return g.policy.LogProb(controller.NoTask, actions)
	case g.mixture.K > 1:
		return g.mixture.logProb(g.policy, task, actions)
	}
	return g.policy.LogProb(task, actions)
}

// embedded draws the controller's task that something of a trial is drawn with.
func (g *guided) embedded(r *rand.Rand, trial, task int) int {
	switch {
	case g.dropped(trial):
		return controller.NoTask
	case g.mixture.K > 1:
		return g.mixture.pick(r.Float64(), task, g.mixture.weights(task))
	}
	return task
}

// likeliest is the candidate that is best by density and prior.
func (g *guided) likeliest(r *rand.Rand, trial, task int) []int {
	below, above := g.tpe.estimators(task)
	weight := *g.settings.Weight / float64(len(g.tpe.tasks[task].rewards))
	var best []int
	most := math.Inf(-1)
	for i := range 2 * *g.settings.Candidates {
		actions := make([]int, len(g.options))
		if i%2 == 0 {
			actions = below.sample(r)
		} else {
			g.policy.Sample(r, g.embedded(r, trial, task), actions)
		}
		score := below.logDensity(actions) - above.logDensity(actions)
		if weight > 0 {
			score += weight * g.logProb(trial, task, actions)
		}
		if best == nil || score > most {
			best, most = actions, score
		}
	}
	return best
}

// population are a task's newest trials, with their rewards among all of it.
func (g *guided) population(task int) (actions [][]int, rewards []float64) {
	p := g.tpe.tasks[task]
	dead := max(0, len(p.rewards)-*g.settings.Population)
	return p.actions[dead:], p.rewards[dead:]
}

// child is that of the best of a sample of the population.
func (g *guided) child(r *rand.Rand, trial, task int) []int {
	population, rewards := g.population(task)
	actions := slices.Clone(population[tournament(r, rewards, *g.settings.Sample)])
	if len(g.open) == 0 {
		return actions
	}
	anew := make([]bool, len(actions))
	anew[g.open[r.IntN(len(g.open))]] = true
	for _, c := range g.open {
		anew[c] = anew[c] || r.Float64() < *g.settings.Mutation
	}
	g.policy.Resample(r, g.embedded(r, trial, task), actions, func(choice int) bool { return anew[choice] })
	return actions
}

func (g *guided) Tell(t Told) error {
	if err := g.tpe.Tell(t); err != nil {
		return err
	}
	return g.naml.Tell(t)
}

func (g *guided) Put(f *safetensors.File) {
	g.naml.Put(f)
	g.tpe.Put(f)
}

func (g *guided) Get(f *safetensors.File) error {
	if err := g.naml.Get(f); err != nil {
		return err
	}
	return g.tpe.Get(f)
}
