package strategy

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"tnaml/experiments/strict"
	"tnaml/nn/controller"
	"tnaml/nn/rng"
	"tnaml/nn/safetensors"
	"tnaml/nn/trees"
)

// Kindred is our own way to a good model in tens of trials: what was learned of other
// tasks, by models of their trials and by the controller, proposes at first, and
// counts as much afterwards as it proves true of the new task.
const Kindred = "kindred"

var kindredTasks = Definition{
	Name:           Kindred,
	Doc:            "what other tasks' trials and the pretrained controller say, as far as it proves true of the new task",
	Defaults:       defaultsOf(kindredSettings),
	FromController: true,
	Continues:      true,
	FromSources:    true,
	Settings:       kindredSettings,
	New:            newKindred,
}

// KindredSettings are the parameters of the strategy "kindred".
type KindredSettings struct {
	// Portfolio is how many trials are the sources' greedy portfolio, before anything is
	// learned of the task itself.
	Portfolio int `json:"portfolio"`
	// Prior is for how many trials what the sources say of the task weighs as much as what
	// the task says of the sources.
	Prior float64 `json:"prior"`
	// Parents is of how many of the best trials all neighbours are candidates.
	Parents int `json:"parents"`
	// Mutations, Proposals and Random are how many other candidates there are: parents with
	// several choices changed, sequences that the controller proposes or changes, and
	// random ones.
	Mutations int `json:"mutations"`
	Proposals int `json:"proposals"`
	Random    int `json:"random"`
	// Explore is the weight of what is not known yet.
	Explore float64 `json:"explore"`
	// Trees is the size of the forest that learns the task.
	Trees int `json:"trees"`
	// SourceTrees and SourceDepth are the size of the model of each source.
	SourceTrees int `json:"source_trees"`
	SourceDepth int `json:"source_depth"`
}

func defaultKindred() KindredSettings {
	return KindredSettings{
		Portfolio: 6, Prior: 10, Parents: 5, Mutations: 64, Proposals: 16, Random: 32, Explore: 0.5,
		Trees: 30, SourceTrees: 60, SourceDepth: 5,
	}
}

func kindredSettings(raw json.RawMessage, _ *Pretrained) (json.RawMessage, error) {
	s := defaultKindred()
	if err := strict.Unmarshal(raw, &s); err != nil {
		return nil, err
	}
	var errs []error
	for _, n := range []struct {
		name           string
		v, least, most int
	}{
		{"portfolio", s.Portfolio, 0, 1000}, {"parents", s.Parents, 1, 100}, {"mutations", s.Mutations, 0, 10000},
		{"proposals", s.Proposals, 0, 1000}, {"random", s.Random, 1, 10000}, {"trees", s.Trees, 1, 1000},
		{"source_trees", s.SourceTrees, 1, 1000}, {"source_depth", s.SourceDepth, 1, 30},
	} {
		if n.v < n.least || n.v > n.most {
			errs = append(errs, fmt.Errorf("%s is %d: it must lie between %d and %d", n.name, n.v, n.least, n.most))
		}
	}
	if !(s.Prior >= 0) || !(s.Explore >= 0) || math.IsInf(s.Prior+s.Explore, 0) {
		errs = append(errs, fmt.Errorf("prior is %v and explore %v: they must be numbers of at least 0", s.Prior, s.Explore))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return json.Marshal(s)
}

// kindred keeps what it knows of the sources and, for each task of the search, the
// trials told. All else follows from those.
type kindred struct {
	settings KindredSettings
	seed     uint64
	options  []int
	features []trees.Feature
	sources  sourceModels
	// policy is the pretrained controller, nil without one; embedding is, of each source,
	// the task of the policy that is of its name, −1 for none.
	policy    *controller.Controller
	embedding []int
	targets   []*target
}

func newKindred(s Start) (Strategy, error) {
	t := &kindred{seed: s.Seed, options: s.Space.Options(), features: featuresOf(s.Space)}
	if err := strict.Unmarshal(s.Settings, &t.settings); err != nil {
		return nil, err
	}
	for range s.Tasks {
		t.targets = append(t.targets, &target{})
	}
	var err error
	sources := rewarded(s.Sources)
	if t.sources, err = fitSources(t.features, sources, t.settings); err != nil {
		return nil, err
	}
	t.embedding = make([]int, len(sources))
	for k, source := range sources {
		t.embedding[k] = -1
		if s.Controller != nil && !s.Controller.TaskAgnostic() {
			for i, task := range s.Controller.Origin.Tasks {
				if task.Name == source.name {
					t.embedding[k] = i
				}
			}
		}
	}
	if s.Controller != nil {
		t.policy = s.Controller.Policy.Clone()
	}
	return t, nil
}

func (t *kindred) Ask(trial, task int) ([]int, float64) {
	target := t.targets[task]
	// Of a search of several tasks each entry has as many trials, as of a portfolio.
	if at := trial / len(t.targets); at < len(t.sources.portfolio) {
		return slices.Clone(t.sources.portfolio[at]), 0
	}
	r := rng.New(t.seed, "kindred/candidates", uint64(trial))
	known := target.learn(t)
	explore := t.settings.Explore * math.Abs(r.NormFloat64())
	var candidates [][]int
	t.candidates(r, known, func(actions []int) {
		if !target.tried(actions) {
			candidates = append(candidates, slices.Clone(actions))
		}
	})
	if len(candidates) == 0 { // all of a small space has been tried
		return uniform(r, t.options), 0
	}
	mean, deviation := known.predict(trees.NewRows(t.features, candidates))
	best := 0
	for i := range candidates {
		if mean[i] += explore * deviation[i]; mean[i] > mean[best] {
			best = i
		}
	}
	return candidates[best], 0
}

// candidates calls f with each, whose slice is good until the next.
func (t *kindred) candidates(r *rand.Rand, known *knowledge, f func(actions []int)) {
	actions := make([]int, len(t.options))
	for _, parent := range known.parents {
		for k, n := range t.options {
			copy(actions, parent)
			for o := range n {
				if o != parent[k] {
					actions[k] = o
					f(actions)
				}
			}
		}
	}
	for range t.settings.Mutations {
		if len(known.parents) == 0 {
			break
		}
		copy(actions, known.parents[r.IntN(len(known.parents))])
		for range 2 + r.IntN(3) {
			k := r.IntN(len(t.options))
			actions[k] = r.IntN(t.options[k])
		}
		f(actions)
	}
	for _, c := range t.sources.pool {
		f(c)
	}
	t.propose(r, known, f)
	for range t.settings.Random {
		f(uniform(r, t.options))
	}
}

// propose calls f with what the controller proposes, half of it changes of parents: for
// a source's task, drawn by how much the source says of the target.
func (t *kindred) propose(r *rand.Rand, known *knowledge, f func(actions []int)) {
	if t.policy == nil {
		return
	}
	actions, steps := make([]int, len(t.options)), make([]bool, len(t.options))
	for i := range t.settings.Proposals {
		task := 0
		if k := known.drawSource(r); k >= 0 && t.embedding[k] >= 0 {
			task = t.embedding[k]
		}
		if i%2 == 0 || len(known.parents) == 0 {
			t.policy.Sample(r, task, actions)
		} else {
			copy(actions, known.parents[r.IntN(len(known.parents))])
			for k := range steps {
				steps[k] = r.IntN(3) == 0
			}
			t.policy.Resample(r, task, actions, steps)
		}
		f(actions)
	}
}

func (t *kindred) Tell(told Told) error {
	t.targets[told.Task].add(told.Actions, told.Reward)
	return nil
}

const kindredPrefix = "kindred/"

// kindredState is the part of the state that is JSON.
type kindredState struct {
	Sources   int     `json:"sources"`
	Embedding []int   `json:"embedding"`
	Portfolio [][]int `json:"portfolio"`
	Pool      [][]int `json:"pool"`
	Told      []int   `json:"told"`
	Policy    bool    `json:"policy"`
}

func (t *kindred) Put(f *safetensors.File) {
	s := kindredState{
		Sources: len(t.sources.models), Embedding: t.embedding, Portfolio: t.sources.portfolio, Pool: t.sources.pool, Policy: t.policy != nil,
	}
	for _, g := range t.targets {
		s.Told = append(s.Told, len(g.history))
	}
	f.PutJSON(kindredPrefix+"state", s)
	for k, m := range t.sources.models {
		m.PutArrays(f, fmt.Sprintf("%ssource/%d/", kindredPrefix, k))
	}
	if t.policy != nil {
		t.policy.PutArrays(f, controllerPrefix)
	}
	var actions []int32
	var rewards []float64
	for _, g := range t.targets {
		for _, h := range g.history {
			for _, a := range h.actions {
				actions = append(actions, int32(a))
			}
			rewards = append(rewards, h.reward)
		}
	}
	safetensors.Put(f, kindredPrefix+"actions", actions, len(actions))
	safetensors.Put(f, kindredPrefix+"rewards", rewards, len(rewards))
}

func (t *kindred) Get(f *safetensors.File) error {
	var s kindredState
	if err := f.GetJSON(kindredPrefix+"state", &s); err != nil {
		return err
	}
	if len(s.Told) != len(t.targets) || len(s.Embedding) != s.Sources {
		return fmt.Errorf("its state is of %d tasks and %d of %d sources, the search has %d tasks", len(s.Told), len(s.Embedding), s.Sources,
			len(t.targets))
	}
	t.embedding, t.sources = s.Embedding, sourceModels{portfolio: s.Portfolio, pool: s.Pool}
	for k := range s.Sources {
		m, err := trees.FromFile(f, fmt.Sprintf("%ssource/%d/", kindredPrefix, k), t.features)
		if err != nil {
			return err
		}
		t.sources.models = append(t.sources.models, m)
	}
	if t.policy = nil; s.Policy {
		policy, err := controller.FromFile(f, controllerPrefix)
		if err != nil {
			return err
		}
		if !slices.Equal(policy.Config().Options, t.options) {
			return errors.New("its controller is of another space")
		}
		t.policy = policy
	}
	actions, _, err := safetensors.Get[int32](f, kindredPrefix+"actions")
	if err != nil {
		return err
	}
	rewards, _, err := safetensors.Get[float64](f, kindredPrefix+"rewards")
	if err != nil {
		return err
	}
	if len(actions) != len(rewards)*len(t.options) {
		return fmt.Errorf("%d actions of %d trials", len(actions), len(rewards))
	}
	for i, n := range s.Told {
		if n < 0 || n > len(rewards) {
			return fmt.Errorf("%d trials told, %d are there", n, len(rewards))
		}
		t.targets[i] = &target{}
		for range n {
			own := make([]int, len(t.options))
			for k := range own {
				if own[k] = int(actions[k]); own[k] < 0 || own[k] >= t.options[k] {
					return fmt.Errorf("a trial takes option %d of choice %d, which has %d", own[k], k, t.options[k])
				}
			}
			t.targets[i].add(own, rewards[0])
			actions, rewards = actions[len(t.options):], rewards[1:]
		}
	}
	if len(rewards) > 0 {
		return fmt.Errorf("%d trials of no task", len(rewards))
	}
	return nil
}
