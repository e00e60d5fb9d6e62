package strategy

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"tnaml/experiments/strict"
	"tnaml/experiments/trainer"
	"tnaml/nn/controller"
	"tnaml/nn/policygradient"
	"tnaml/nn/rng"
	"tnaml/nn/safetensors"
)

// NAML is Neural AutoML: a controller learned by policy gradient (§2), from
// random weights, or from a pretrained controller's.
const NAML = "naml"

var neuralAutoML = Definition{
	Name: NAML,
	Doc:  "Neural AutoML: an LSTM controller proposes, and learns by policy gradient",
	Presets: []Preset{{
		Name: "paper", Doc: "the paper's to the letter: learning rate 1e-4, baseline from the first reward on",
		Settings: json.RawMessage(`{"policy_gradient":{"learning_rate":1e-4},"baseline":{"corrected":false}}`),
	}, {
		Name: "multitask", Doc: "to pretrain and to transfer: embeddings that tell the tasks apart, a new one found among them",
		Settings: multitask,
	}},
	Defaults:       defaultsOf(namlSettings),
	FromController: true,
	Continues:      true,
	OnPolicy:       true,
	Settings:       namlSettings,
	New:            newNAML,
	OfStart:        onlyAtStart("controller", "embedding.start", "embedding.scale"),
}

// multitask has a controller tell tasks apart. With small embeddings it is chance whether
// it does; at scale 1 each pretraining did, and a new task's search lost by it on one of
// eight development tasks at most, and gained on some
// (experiments/benchmark/PAPER.md, "The task embedding").
var multitask = json.RawMessage(`{"policy_gradient":{"entropy":0.03},"embedding":{"start":"posterior","scale":1}}`)

// NAMLSettings are the parameters of the strategy "naml".
type NAMLSettings struct {
	// Controller is the controller's shape; its options come from the space.
	Controller ControllerSettings `json:"controller"`
	// PolicyGradient is how the controller learns.
	PolicyGradient policygradient.Config `json:"policy_gradient"`
	// Baseline is how rewards become advantages (§2.2).
	Baseline policygradient.BaselineConfig `json:"baseline"`
	// Embedding is how tasks' embeddings begin and learn; a controller without any has none.
	Embedding EmbeddingSettings `json:"embedding,omitzero"`
}

// ControllerSettings are the parts of controller.Config that a person sets;
// zero values mean the paper's.
type ControllerSettings struct {
	Hidden          int `json:"hidden" strict:"nonzero"`
	Layers          int `json:"layers" strict:"nonzero"`
	ActionEmbedding int `json:"action_embedding" strict:"nonzero"`
	// TaskEmbedding is its length; −1 is a task-agnostic controller (§4.3).
	TaskEmbedding int     `json:"task_embedding" strict:"nonzero,a number above 0, or -1 for none"`
	InitScale     float64 `json:"init_scale" strict:"nonzero"`
}

func (s ControllerSettings) config(options []int) controller.Config {
	return controller.Config{
		Options: options, Hidden: s.Hidden, Layers: s.Layers,
		ActionEmbedding: s.ActionEmbedding, TaskEmbedding: s.TaskEmbedding, InitScale: s.InitScale,
	}
}

// namlSettings are settings in canonical form; from a controller they have its
// shape.
func namlSettings(raw json.RawMessage, from *Pretrained) (json.RawMessage, error) {
	s := namlStart()
	if err := strict.Unmarshal(raw, &s); err != nil {
		return nil, err
	}
	s, err := s.canonical(from, StartRandom)
	if err != nil {
		return nil, err
	}
	return json.Marshal(s)
}

// namlStart are the settings that those which are given are decoded over.
func namlStart() NAMLSettings {
	return NAMLSettings{Baseline: policygradient.BaselineConfig{Corrected: true}}
}

// canonical has every default filled in; start is that of how embeddings begin.
func (s NAMLSettings) canonical(from *Pretrained, start string) (NAMLSettings, error) {
	if from != nil {
		cfg := from.Policy.Config()
		shape := ControllerSettings{cfg.Hidden, cfg.Layers, cfg.ActionEmbedding, cfg.TaskEmbedding, cfg.InitScale}
		var err error
		if s.Controller, err = s.Controller.over(shape); err != nil {
			return s, err
		}
	}
	return s.withDefaults(start)
}

func (s NAMLSettings) withDefaults(start string) (NAMLSettings, error) {
	if s.PolicyGradient.LearningRate == 0 && firstOrder(s.PolicyGradient.Method) {
		s.PolicyGradient.LearningRate = defaultLearningRate
	}
	var errs []error
	c, err := s.Controller.config([]int{2}).WithDefaults()
	if err != nil {
		errs = append(errs, fmt.Errorf("controller: %w", err))
	}
	s.Controller = ControllerSettings{c.Hidden, c.Layers, c.ActionEmbedding, c.TaskEmbedding, c.InitScale}
	if s.PolicyGradient, err = s.PolicyGradient.WithDefaults(); err != nil {
		errs = append(errs, fmt.Errorf("policy_gradient: %w", err))
	}
	if s.Baseline, err = s.Baseline.WithDefaults(); err != nil {
		errs = append(errs, fmt.Errorf("baseline: %w", err))
	}
	switch {
	case s.Controller.TaskEmbedding >= 0:
		if s.Embedding, err = s.Embedding.withDefaults(start, s.Controller.InitScale, s.PolicyGradient.Method); err != nil {
			errs = append(errs, fmt.Errorf("embedding: %w", err))
		}
	case s.Embedding != EmbeddingSettings{}:
		errs = append(errs, errors.New("embedding is set, but the controller has no tasks' embeddings, its task_embedding being -1: "+
			"leave it out, or give null over other settings"))
	}
	if len(errs) == 0 {
		errs = s.unread()
	}
	return s, errors.Join(errs...)
}

// unread are settings of the baseline that nothing reads. The method rspg makes advantages of
// its own, and those of the baseline weigh a mixture's embeddings alone. Whether there is one
// shows when a search starts, by its controller: settings are judged by themselves, and
// those that ask for one may set all of the baseline.
func (s NAMLSettings) unread() (errs []error) {
	if s.PolicyGradient.Method != policygradient.RSPG || s.Embedding.Start == StartPosterior {
		return nil
	}
	initial, err := namlStart().Baseline.WithDefaults()
	if err != nil {
		return []error{err}
	}
	bad := func(name string, v any) {
		errs = append(errs, fmt.Errorf("baseline.%s is %v, but rspg reads no more of a baseline than the floor, unless embedding.start is %s: "+
			"leave it out, or give null over other settings", name, v, StartPosterior))
	}
	if s.Baseline.Decay != initial.Decay {
		bad("decay", s.Baseline.Decay)
	}
	if s.Baseline.Corrected != initial.Corrected {
		bad("corrected", s.Baseline.Corrected) // only such a one has an initial_variance
	}
	return errs
}

// defaultLearningRate is ten times the paper's, which does not say with which
// optimiser it used its 1e-4. With Adam and that rate a controller needs some
// 1,800 trials to solve a bandit of the paper's twelve choices, with this one
// 500 (BenchmarkTrialsToOptimum in nn/policygradient): few searches have
// thousands of trials. The preset "paper" has the paper's.
const defaultLearningRate = 1e-3

// firstOrder reports whether a policy gradient takes a step by a learning rate after
// each trial, and one only; for the others the method's default holds.
func firstOrder(method string) bool {
	return method != policygradient.TRPO && method != policygradient.PPO
}

// over fills in what is zero from the shape of a pretrained controller, and
// refuses what differs.
func (s ControllerSettings) over(p ControllerSettings) (ControllerSettings, error) {
	var errs []error
	check := func(name string, want, have any, zero bool) {
		if !zero && want != have {
			errs = append(errs, fmt.Errorf("controller.%s is %v, the pretrained controller's is %v: leave it out", name, want, have))
		}
	}
	check("hidden", s.Hidden, p.Hidden, s.Hidden == 0)
	check("layers", s.Layers, p.Layers, s.Layers == 0)
	check("action_embedding", s.ActionEmbedding, p.ActionEmbedding, s.ActionEmbedding == 0)
	check("task_embedding", s.TaskEmbedding, p.TaskEmbedding, s.TaskEmbedding == 0)
	check("init_scale", s.InitScale, p.InitScale, s.InitScale == 0)
	return p, errors.Join(errs...)
}

// naml is Neural AutoML: a controller proposes, and learns from each reward by
// policy gradient (Wong et al., 2018, §2).
type naml struct {
	seed      uint64
	tasks     int
	stream    rng.Stream
	policy    *controller.Controller
	method    policygradient.Method
	baseline  *policygradient.Baseline
	embedding EmbeddingSettings
	mixture   mixture
}

// newNAML starts from random weights, or from a pretrained controller's.
func newNAML(c Start) (Strategy, error) {
	var settings NAMLSettings
	if err := strict.Unmarshal(c.Settings, &settings); err != nil {
		return nil, err
	}
	from := c.Controller
	var err error
	var policy *controller.Controller
	shape := settings.Controller.config(c.Space.Options())
	if from != nil {
		shape.Order = from.Policy.Config().Order
		if shape, err = shape.WithDefaults(); err == nil && !reflect.DeepEqual(shape, from.Policy.Config()) {
			err = fmt.Errorf("the pretrained controller has the shape %+v, the settings ask for %+v", from.Policy.Config(), shape)
		}
		if err == nil {
			policy = from.Policy
		}
	} else {
		policy, err = controller.New(shape, rng.Derive(c.Seed, "naml/controller", 0))
	}
	if err != nil {
		return nil, err
	}
	method, err := policygradient.New(settings.PolicyGradient, settings.Baseline)
	if err != nil {
		return nil, err
	}
	baseline, err := policygradient.NewBaseline(settings.Baseline)
	if err != nil {
		return nil, err
	}
	n := &naml{
		seed: c.Seed, tasks: len(c.Tasks), method: method, baseline: baseline, embedding: settings.Embedding,
	}
	n.begin(policy, from)
	return n, nil
}

func (n *naml) Ask(trial, task int) ([]int, float64) {
	actions := make([]int, len(n.policy.Config().Options))
	from := n.draw(trial, task)
	logProb := n.policy.Sample(n.stream.At(n.seed, "naml/actions", uint64(trial)), from, actions)
	if from != controller.NoTask && n.mixture.K > 1 {
		logProb = n.mixture.logProb(n.policy, task, actions)
	}
	return actions, logProb
}

// Tell learns from a trial: nothing from a failure before a task's first value, as 0 may
// be good or bad then.
//
// It learns from each reward once, as it was told, and cannot give a trial another place when
// later ones come: of one that was pruned, failed or broke a constraint the reward is right
// among the trials before it (Told), and so is its advantage. What remembers the best of many
// rewards, and goes on learning from them, is not to have it among them: it is unranked.
func (n *naml) Tell(t Told) error {
	if _, _, values := n.baseline.Moments(t.Task); values == 0 && t.Status.Failure() {
		return nil
	}
	e := policygradient.Episode{
		Task: t.Task, Embedding: t.Task, Actions: t.Actions, LogProb: t.LogProb,
		Reward: t.Reward, Advantage: n.baseline.Advantage(t.Task, t.Reward),
		Unranked: t.Status != trainer.OK,
	}
	if n.dropped(t.Trial) {
		e.Embedding = controller.NoTask
	} else if n.mixture.K > 1 {
		n.learnMixture(t.Trial, &e)
	}
	return n.method.Update(n.policy, e)
}

func (n *naml) Put(f *safetensors.File) {
	n.policy.PutArrays(f, controllerPrefix)
	n.method.PutArrays(f, "policy_gradient/")
	n.baseline.PutArrays(f, "baseline/")
	n.mixture.put(f)
}

func (n *naml) Get(f *safetensors.File) error {
	policy, err := controller.FromFile(f, controllerPrefix)
	if err != nil {
		return err
	}
	var m mixture
	if err := m.get(f, n.tasks); err != nil {
		return err
	}
	want := n.policy.Config()
	want.Order = policy.Config().Order // a controller that has grown brings its own
	if !reflect.DeepEqual(policy.Config(), want) || policy.Tasks() != n.tasks*m.K {
		return fmt.Errorf("its controller has the shape %+v with %d tasks, the search's %+v with %d",
			policy.Config(), policy.Tasks(), want, n.tasks*m.K)
	}
	policy.SetTaskRate(n.embedding.LearningRateScale)
	n.policy, n.mixture = policy, m
	if err := n.method.GetArrays(f, "policy_gradient/"); err != nil {
		return err
	}
	return n.baseline.GetArrays(f, "baseline/")
}

func (n *naml) PutController(f *safetensors.File) {
	embeddings := make([][]float64, n.tasks)
	for task := range embeddings {
		embeddings[task] = n.policy.TaskEmbedding(n.mixture.likeliest(task))
	}
	n.policy.WithTasks(embeddings).PutArrays(f, controllerPrefix)
}

const controllerPrefix = "controller/"
