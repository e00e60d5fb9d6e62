package strategy

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"tnaml/experiments/space"
	"tnaml/experiments/strict"
	"tnaml/nn/controller"
	"tnaml/nn/rng"
	"tnaml/nn/safetensors"
	"tnaml/nn/trees"
)

// Kindred is our own way to a good model in tens of trials. It begins with the other
// tasks' greedy portfolio; then it draws candidates from the densities of the task's
// own good trials, and from the pretrained controller where there is one, and takes
// the one with the greatest
//
//	log l(x) − log g(x) + β/t · p(x)
//
// where l and g are the Parzen estimators of the strategy tpe, t the number of trials
// told, and p what the other tasks' trials say of x: a prior that decays, as in
// Hvarfner et al., "πBO" (ICLR 2022). p is a weighted sum of a model of each source;
// the weights, equal at first, are learned of the task's own trials by ridge regression,
// so that a source that misleads loses its say.
const Kindred = "kindred"

var kindredTasks = Definition{
	Name:           Kindred,
	Doc:            "other tasks' portfolio first, then the task's own trials, with a decaying prior of what the other tasks' say",
	Defaults:       defaultsOf(kindredSettings),
	FromController: true,
	Continues:      true,
	FromSources:    true,
	Settings:       kindredSettings,
	New:            newKindred,
}

// KindredSettings are the parameters of the strategy "kindred".
type KindredSettings struct {
	// Portfolio is how many trials are the sources' greedy portfolio.
	Portfolio int `json:"portfolio"`
	// Beta is the weight of what the sources say, divided by the trials told.
	Beta float64 `json:"beta"`
	// Ridge is the number of trials that the sources' equal weights count as.
	Ridge float64 `json:"ridge"`
	// Candidates are drawn from the density of the good trials, Proposals from the
	// controller, for the task of a source by its weight.
	Candidates int `json:"candidates"`
	Proposals  int `json:"proposals"`
	// SourceTrees and SourceDepth are the size of each source's model.
	SourceTrees int `json:"source_trees"`
	SourceDepth int `json:"source_depth"`
}

func kindredSettings(raw json.RawMessage, _ *Pretrained) (json.RawMessage, error) {
	s := KindredSettings{Portfolio: 10, Beta: 30, Ridge: 10, Candidates: 24, Proposals: 8, SourceTrees: 60, SourceDepth: 5}
	if err := strict.Unmarshal(raw, &s); err != nil {
		return nil, err
	}
	var errs []error
	for _, n := range []struct {
		name           string
		v, least, most int
	}{
		{"portfolio", s.Portfolio, 0, maxPortfolio}, {"candidates", s.Candidates, 1, maxCandidates}, {"proposals", s.Proposals, 0, maxCandidates},
		{"source_trees", s.SourceTrees, 1, 1000}, {"source_depth", s.SourceDepth, 1, 30},
	} {
		if n.v < n.least || n.v > n.most {
			errs = append(errs, fmt.Errorf("%s is %d: it must lie between %d and %d", n.name, n.v, n.least, n.most))
		}
	}
	if !(s.Beta >= 0) || !(s.Ridge >= 0) || math.IsInf(s.Beta+s.Ridge, 0) {
		errs = append(errs, fmt.Errorf("beta is %v and ridge %v: they must be numbers of at least 0", s.Beta, s.Ridge))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return json.Marshal(s)
}

// kindred keeps what it knows of the sources, and the trials told.
type kindred struct {
	settings  KindredSettings
	seed      uint64
	space     *space.Space
	options   []int
	features  []trees.Feature
	portfolio [][]int
	models    []*trees.Model // of the sources
	// policy is the pretrained controller, nil without one; embedding is, of each source,
	// the task of the policy that is of its name, −1 for none.
	policy    *controller.Controller
	embedding []int
	parzen    *tpe
	seen      []map[string]bool // of each task the configurations told
	known     []*knowledge      // of each task, as of some number of trials
}

func newKindred(s Start) (Strategy, error) {
	k := &kindred{seed: s.Seed, space: s.Space, options: s.Space.Options(), features: featuresOf(s.Space)}
	if err := strict.Unmarshal(s.Settings, &k.settings); err != nil {
		return nil, err
	}
	raw, err := tpeSettings(json.RawMessage("{}"), nil)
	if err != nil {
		return nil, err
	}
	own, err := newTPE(Start{Seed: s.Seed, Space: s.Space, Tasks: s.Tasks, Settings: raw})
	if err != nil {
		return nil, err
	}
	k.parzen = own.(*tpe)
	k.forget()
	if k.portfolio, err = greedyList(s, byRange, k.settings.Portfolio); err != nil {
		return nil, err
	}
	for i, source := range rewarded(s.Sources) {
		m, err := trees.Boost(k.features, source.actions, normalScores(source.rewards), nil, trees.Options{
			Trees: k.settings.SourceTrees, Depth: k.settings.SourceDepth, Shrinkage: 6 / float64(k.settings.SourceTrees), MinLeaf: 3, Ridge: 3,
			Seed: uint64(i),
		})
		if err != nil {
			return nil, err
		}
		k.models, k.embedding = append(k.models, m), append(k.embedding, -1)
		if s.Controller != nil && !s.Controller.TaskAgnostic() {
			for at, task := range s.Controller.Origin.Tasks {
				if task.Name == source.name {
					k.embedding[i] = at
				}
			}
		}
	}
	if s.Controller != nil && s.Controller.Policy.Tasks() > 0 {
		k.policy = s.Controller.Policy.Clone()
	}
	return k, nil
}

// forget leaves no trial told.
func (k *kindred) forget() {
	k.seen = make([]map[string]bool, len(k.parzen.tasks))
	for i := range k.seen {
		k.seen[i] = map[string]bool{}
	}
	k.known = make([]*knowledge, len(k.parzen.tasks))
}

func (k *kindred) Ask(trial, task int) ([]int, float64) {
	// Of a search of several tasks each entry has as many trials, as of a portfolio.
	if at := trial / len(k.seen); at < len(k.portfolio) {
		return slices.Clone(k.portfolio[at]), 0
	}
	r := rng.New(k.seed, "kindred/candidates", uint64(trial))
	told := len(k.parzen.tasks[task].rewards)
	if len(k.models) == 0 && told < k.parzen.settings.Startup {
		return uniform(r, k.options), 0
	}
	var below, above *parzen
	if told > 0 {
		below, above = k.parzen.estimators(task)
	}
	known := k.learn(task)
	candidates := k.candidates(r, task, below, known)
	if len(candidates) == 0 { // all that is near the good ones has been tried
		return uniform(r, k.options), 0
	}
	best, most := 0, math.Inf(-1)
	for i, v := range known.says(trees.NewRows(k.features, candidates)) {
		v *= k.settings.Beta / float64(max(told, 1))
		if told > 0 {
			v += below.logDensity(candidates[i]) - above.logDensity(candidates[i])
		}
		if v > most {
			best, most = i, v
		}
	}
	return candidates[best], 0
}

// candidates are those not tried yet, of what was good and of what the controller
// proposes: half of that are changes of what was good.
func (k *kindred) candidates(r *rand.Rand, task int, below *parzen, known *knowledge) (out [][]int) {
	add := func(actions []int) {
		if !k.seen[task][keyOf(actions)] {
			out = append(out, slices.Clone(actions))
		}
	}
	sample := func() []int {
		if below == nil {
			return uniform(r, k.options)
		}
		return below.sample(r)
	}
	for range k.settings.Candidates {
		add(sample())
	}
	if k.policy == nil {
		return out
	}
	steps := make([]bool, len(k.options))
	for i := range k.settings.Proposals {
		of := 0
		if s := known.drawSource(r); s >= 0 && k.embedding[s] >= 0 {
			of = k.embedding[s]
		}
		actions := sample()
		for c := range steps {
			steps[c] = i%2 == 0 || r.IntN(3) == 0
		}
		k.policy.Resample(r, of, actions, steps)
		add(actions)
	}
	return out
}

func (k *kindred) Tell(told Told) error {
	k.seen[told.Task][keyOf(told.Actions)] = true
	return k.parzen.Tell(told)
}

const kindredPrefix = "kindred/"

// kindredState is the part of the state that is JSON.
type kindredState struct {
	// Embedding has an entry for each source.
	Embedding []int `json:"embedding"`
	Policy    bool  `json:"policy"`
}

func (k *kindred) Put(f *safetensors.File) {
	f.PutJSON(kindredPrefix+"state", kindredState{slices.Clone(k.embedding), k.policy != nil})
	putActions(f, kindredPrefix+"portfolio", len(k.options), k.portfolio)
	for i, m := range k.models {
		m.PutArrays(f, fmt.Sprintf("%ssource/%d/", kindredPrefix, i))
	}
	if k.policy != nil {
		k.policy.PutArrays(f, controllerPrefix)
	}
	k.parzen.Put(f)
}

func (k *kindred) Get(f *safetensors.File) (err error) {
	var s kindredState
	if err := f.GetJSON(kindredPrefix+"state", &s); err != nil {
		return err
	}
	if k.portfolio, err = getActions(f, kindredPrefix+"portfolio", k.space); err != nil {
		return err
	}
	k.embedding, k.models, k.policy = s.Embedding, nil, nil
	for i := range s.Embedding {
		m, err := trees.FromFile(f, fmt.Sprintf("%ssource/%d/", kindredPrefix, i), k.features)
		if err != nil {
			return err
		}
		k.models = append(k.models, m)
	}
	if s.Policy {
		if k.policy, err = controller.FromFile(f, controllerPrefix); err != nil {
			return err
		}
		if !slices.Equal(k.policy.Config().Options, k.options) {
			return errors.New("its controller is of another space")
		}
		if slices.Max(append(s.Embedding, 0)) >= k.policy.Tasks() {
			return fmt.Errorf("its controller has %d tasks, a source is said to be the task %d", k.policy.Tasks(), slices.Max(s.Embedding))
		}
	}
	if err := k.parzen.Get(f); err != nil {
		return err
	}
	k.forget()
	for task, p := range k.parzen.tasks {
		for _, a := range p.actions {
			k.seen[task][keyOf(a)] = true
		}
	}
	return nil
}
