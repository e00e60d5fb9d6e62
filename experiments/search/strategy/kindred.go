package strategy

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"tnaml/experiments/space"
	"tnaml/experiments/strict"
	"tnaml/experiments/trainer"
	"tnaml/nn/rng"
	"tnaml/nn/safetensors"
	"tnaml/nn/trees"
)

// Kindred is our own way to a good model in tens of trials. It begins with a short
// portfolio, the configurations that together are best for the other tasks as models of
// their trials say. Then each trial is the one that is expected to improve most upon the
// best so far (Jones, Schonlau, Welch, "Efficient global optimization", 1998), by a Gaussian
// process of the task's own trials around a weighted sum of the other tasks' models
// (kindredProcess): a prior that decays as trials come in, and whose sources lose their say
// where they mislead. (Wistuba, Schilling, Schmidt-Thieme, "Two-stage transfer surrogate
// model", ECML 2016; Feurer et al., "Practical transfer learning for Bayesian
// optimization", 2018.) The candidates are the best trials and the changes of one, two or
// three of their choices, as in evolution, and what climbing finds from the best of those.
//
// Among good configurations most of the difference is what each has of its own, which
// neighbours tell nothing of, and after that the luck of the training. So new ones are
// tried for the former; one that is good is tried again for the latter, when no new one is
// expected to bring more. What differs only in choices that do nothing (trainer.Inertia)
// is the same.
//
// What is in flight counts: it is not asked again before its outcome is told, and the
// process believes that it will be as is expected, so that the next trial is another.
const Kindred = "kindred"

var kindredTasks = Definition{
	Name:        Kindred,
	Doc:         "what was good for other tasks, then a Gaussian process of the task's own trials around what the others say",
	Defaults:    defaultsOf(kindredSettings),
	FromSources: true,
	Settings:    kindredSettings,
	New:         newKindred,
	OfStart: func(old, now json.RawMessage) []string {
		was, is := decoded[KindredSettings](old).Portfolio, decoded[KindredSettings](now).Portfolio
		if is <= max(was, leastOpening) { // the state has as many
			return nil
		}
		return []string{startsWith("portfolio", was, is) + fmt.Sprintf(" (at most %d can be)", max(was, leastOpening))}
	},
}

// KindredSettings are the parameters of the strategy "kindred".
type KindredSettings struct {
	// Portfolio is how many trials are the sources' portfolio.
	Portfolio int `json:"portfolio"`
	// Own is the standard deviation of the weight of what is each source's own, 0: there
	// is one model of all of them alone.
	Own float64 `json:"own"`
	// Process is the standard deviation of the Gaussian process, in those of the trials so
	// far, 0: the sources' models are all that is weighed. More than 1, since the trials lie
	// together where the mean is high: with 1 a search stays with what it has.
	Process float64 `json:"process"`
	// Repeat has a model tried again where that is expected to improve most.
	Repeat bool `json:"repeat"`
	// Mutations are how many changes of two or three choices are candidates.
	Mutations int `json:"mutations"`
	// Inert has configurations that design the same model count as one. A fork may change it:
	// turned on, it holds of all that came before; turned off, of that alone, of which only the
	// one form is known.
	Inert bool `json:"inert"`
}

func kindredSettings(raw json.RawMessage, _ *Pretrained) (json.RawMessage, error) {
	s := KindredSettings{Portfolio: 3, Own: .25, Process: 2, Repeat: true, Mutations: 64, Inert: true}
	if err := strict.Unmarshal(raw, &s); err != nil {
		return nil, err
	}
	var errs []error
	for _, n := range []struct {
		name    string
		v, most int
	}{{"portfolio", s.Portfolio, maxPortfolio}, {"mutations", s.Mutations, maxCandidates}} {
		if n.v < 0 || n.v > n.most {
			errs = append(errs, fmt.Errorf("%s is %d: it must lie between 0 and %d", n.name, n.v, n.most))
		}
	}
	for _, n := range []struct {
		name string
		v    float64
	}{{"own", s.Own}, {"process", s.Process}} {
		if !(n.v >= 0 && n.v <= 100) {
			errs = append(errs, fmt.Errorf("%s is %v: it must lie between 0 and 100", n.name, n.v))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return json.Marshal(s)
}

// kindred keeps what it knows of the sources, the trials told and those in flight.
type kindred struct {
	settings KindredSettings
	seed     uint64
	space    *space.Space
	options  []int
	features []trees.Feature
	inert    trainer.Inertia
	models   kindredModels
	// opening has the portfolio, and perhaps more.
	opening [][]int
	tasks   []kindredTask
	flying  flights // their actions are canonical
}

// kindredTask is what is known of a task of the search.
type kindredTask struct {
	past
	seen    map[string]bool
	learned int // trials
	process *kindredProcess
}

// leastOpening is how many configurations of the sources are candidates at least.
const leastOpening = 10

func newKindred(s Start) (Strategy, error) {
	k := &kindred{
		seed: s.Seed, space: s.Space, options: s.Space.Options(), features: featuresOf(s.Space), tasks: make([]kindredTask, len(s.Tasks)),
	}
	if err := strict.Unmarshal(s.Settings, &k.settings); err != nil {
		return nil, err
	}
	if k.settings.Inert {
		k.inert = trainer.NewInertia(s.Space)
	}
	sources := rewarded(s.Sources)
	for t := range sources {
		for i, actions := range sources[t].actions {
			sources[t].actions[i] = k.canonical(actions)
		}
	}
	var err error
	if k.models, err = fitKindred(k.features, sources); err != nil {
		return nil, err
	}
	if len(sources) > 0 {
		k.opening = k.models.opening(k.options, sources, k.inert, max(k.settings.Portfolio, leastOpening))
	}
	return k, nil
}

// canonical is the one form of all actions that design the same model.
func (k *kindred) canonical(actions []int) []int {
	actions = slices.Clone(actions)
	trainer.Canonical(k.inert, actions)
	return actions
}

// startup is how many trials are random where there are no sources.
const startup = 10

// Ask remembers what it proposes until that is told.
func (k *kindred) Ask(trial, task int) ([]int, float64) {
	actions := k.propose(trial, task)
	k.flying.add(trial, task, k.canonical(actions))
	return actions, 0
}

func (k *kindred) propose(trial, task int) []int {
	t := &k.tasks[task]
	n, flying := len(t.rewards), k.flying.before(trial, task)
	taken := map[string]bool{}
	for _, actions := range flying {
		taken[keyOf(actions)] = true
	}
	r := rng.New(k.seed, "kindred/candidates", uint64(trial))
	free := func(actions []int) bool {
		key := keyOf(actions)
		return !taken[key] && (k.settings.Repeat || !t.seen[key])
	}
	// chance is a random configuration that is free, if such are not few.
	chance := func() (actions []int) {
		for range draws {
			if actions = uniform(r, k.options); free(k.canonical(actions)) {
				break
			}
		}
		return actions
	}
	switch begun := n + len(flying); {
	case begun < min(k.settings.Portfolio, len(k.opening)), n == 0 && begun < len(k.opening): // the latter for a lag
		return slices.Clone(k.opening[begun])
	case n == 0, n < startup && len(k.opening) == 0:
		return chance()
	}
	k.learn(t)
	process := t.process.believing(flying, k.models.say(flying))
	best, most := []int(nil), math.Inf(-1)
	// consider asks the process of configurations how good they are, and of the best how
	// sure that is.
	consider := func(x [][]int) (better bool) {
		var fresh [][]int
		for _, actions := range x {
			trainer.Canonical(k.inert, actions)
			if free(actions) {
				taken[keyOf(actions)] = true
				fresh = append(fresh, actions)
			}
		}
		m, expected := k.models.say(fresh), make([]float64, len(fresh))
		for i, actions := range fresh {
			expected[i] = process.expected(actions, m[i])
		}
		for _, i := range descending(expected)[:min(doubted, len(fresh))] {
			if v := improvement(-process.best, -expected[i], process.doubt(fresh[i], m[i])); v > most {
				best, most, better = fresh[i], v, true
			}
		}
		return better
	}
	var candidates [][]int
	for _, actions := range k.opening {
		candidates = append(candidates, slices.Clone(actions))
	}
	parents := t.parents()
	for _, parent := range parents {
		candidates = append(candidates, slices.Clone(parent))
		candidates = append(candidates, changes(k.options, parent, trial)...)
	}
	for range k.settings.Mutations {
		child := slices.Clone(parents[r.IntN(len(parents))])
		for range 2 + r.IntN(2) {
			c := r.IntN(len(child))
			child[c] = r.IntN(k.options[c])
		}
		candidates = append(candidates, child)
	}
	for better, step := consider(candidates), 0; better && step < steps; step++ {
		better = consider(changes(k.options, best, trial))
	}
	if best == nil { // all that is near the good ones has been tried
		return chance()
	}
	return slices.Clone(best)
}

const (
	doubted  = 40 // candidates whose σ is asked for
	steps    = 3  // of climbing
	draws    = 20 // of a random configuration, for one that is free
	families = 3  // trials whose changes are candidates
)

// learn brings a task's process up to its trials: to all while they are few, then now
// and then to the best and the newest.
func (k *kindred) learn(t *kindredTask) {
	n := len(t.rewards)
	if n > maxLearned {
		n -= n % (maxLearned / 10)
	}
	if n == t.learned {
		return
	}
	known := t.first(n) // not as those after them changed them: a restored search learns later
	rows := make([]int, 0, n)
	for i := range n {
		rows = append(rows, i)
	}
	if n > maxLearned {
		rows = slices.Concat(descending(known[:n-maxLearned/2])[:maxLearned/2], rows[n-maxLearned/2:])
	}
	t.learned = n
	var x [][]int
	var rewards []float64
	for _, i := range rows {
		x, rewards = append(x, t.actions[i]), append(rewards, known[i])
	}
	t.process = newKindredProcess(k.features, k.settings, len(k.models.models))
	z := standardised(rewards)
	t.process.hear(x, z)
	for i, m := range k.models.say(x) {
		t.process.add(x[i], m)
	}
	t.process.observe(z)
}

// maxLearned bounds the trials that a process is of.
const maxLearned = 300

// parents are the trials that the process thinks best.
func (t *kindredTask) parents() (out [][]int) {
	p := t.process
	expected := make([]float64, len(p.x))
	for i, x := range p.x {
		expected[i] = p.expected(x, p.m[i])
	}
	for _, i := range descending(expected)[:min(families, len(p.x))] {
		out = append(out, p.x[i])
	}
	return out
}

func (k *kindred) Tell(told Told) error {
	told.Actions = k.canonical(told.Actions)
	t := &k.tasks[told.Task]
	t.add(told)
	t.see(told.Actions)
	k.flying.land(told.Trial)
	return nil
}

func (t *kindredTask) see(actions []int) {
	if t.seen == nil {
		t.seen = map[string]bool{}
	}
	t.seen[keyOf(actions)] = true
}

const kindredPrefix = "kindred/"

func (k *kindred) Put(f *safetensors.File) {
	f.PutJSON(kindredPrefix+"models", len(k.models.models))
	for i, m := range k.models.models {
		m.PutArrays(f, fmt.Sprintf("%smodel/%d/", kindredPrefix, i))
	}
	putActions(f, kindredPrefix+"opening", len(k.options), k.opening)
	tasks := make([]past, len(k.tasks))
	for i, t := range k.tasks {
		tasks[i] = t.past
	}
	putPast(f, "kindred", tasks, len(k.options))
	k.flying.put(f, kindredPrefix+"flying", len(k.options))
}

func (k *kindred) Get(f *safetensors.File) error {
	n := 0
	if err := f.GetJSON(kindredPrefix+"models", &n); err != nil {
		return err
	}
	k.models = kindredModels{features: k.features, known: map[string][]float64{}}
	for i := range n {
		m, err := trees.FromFile(f, fmt.Sprintf("%smodel/%d/", kindredPrefix, i), k.features)
		if err != nil {
			return err
		}
		k.models.models = append(k.models.models, m)
	}
	opening, err := getActions(f, kindredPrefix+"opening", k.space)
	if err != nil {
		return err
	}
	tasks, err := getPast(f, "kindred", len(k.tasks), k.options)
	if err != nil {
		return err
	}
	flying, err := getFlights(f, kindredPrefix+"flying", k.space, len(tasks))
	if err != nil {
		return err
	}
	// A fork may have turned inert on: what came before it is brought to the form of what
	// comes after. All is in it already where the setting was the same.
	k.opening, k.flying = nil, flying
	there := map[string]bool{}
	for _, actions := range opening {
		if trainer.Canonical(k.inert, actions); !there[keyOf(actions)] {
			there[keyOf(actions)] = true
			k.opening = append(k.opening, actions)
		}
	}
	for _, f := range k.flying {
		trainer.Canonical(k.inert, f.actions)
	}
	for i := range tasks {
		k.tasks[i] = kindredTask{past: tasks[i]}
		for _, actions := range tasks[i].actions {
			trainer.Canonical(k.inert, actions)
			k.tasks[i].see(actions)
		}
	}
	return nil
}
