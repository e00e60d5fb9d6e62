package search

import (
	"fmt"
	"reflect"

	"tnaml/nn/controller"
	"tnaml/nn/policygradient"
	"tnaml/nn/rng"
	"tnaml/nn/safetensors"
)

// naml is Neural AutoML: a controller proposes, and learns from each reward by
// policy gradient (Wong et al., 2018, §2).
type naml struct {
	seed     uint64
	stream   rng.Stream
	policy   *controller.Controller
	method   policygradient.Method
	baseline *policygradient.Baseline
}

// newNAML starts from random weights, or from a pretrained controller's.
func newNAML(c Config, from *Pretrained) (*naml, error) {
	settings, err := parseNAML(c.Settings)
	if err != nil {
		return nil, err
	}
	var policy *controller.Controller
	if from != nil {
		var shape controller.Config
		if shape, err = settings.Controller.config(c.Space.Options()).WithDefaults(); err == nil && !reflect.DeepEqual(shape, from.Policy.Config()) {
			err = fmt.Errorf("the pretrained controller has the shape %+v, the settings ask for %+v", from.Policy.Config(), shape)
		}
		if err == nil {
			policy, err = from.start(c.Seed, len(c.Tasks))
		}
	} else if policy, err = controller.New(settings.Controller.config(c.Space.Options()), rng.Derive(c.Seed, "search/controller", 0)); err == nil {
		addTasks(policy, c.Seed, len(c.Tasks))
	}
	if err != nil {
		return nil, err
	}
	method, err := policygradient.New(settings.PolicyGradient)
	if err != nil {
		return nil, err
	}
	baseline, err := policygradient.NewBaseline(settings.Baseline)
	if err != nil {
		return nil, err
	}
	return &naml{seed: c.Seed, policy: policy, method: method, baseline: baseline}, nil
}

func (n *naml) propose(trial, task int) ([]int, float64) {
	actions := make([]int, len(n.policy.Config().Options))
	logProb := n.policy.Sample(n.stream.At(n.seed, "search/actions", uint64(trial)), task, actions)
	return actions, logProb
}

func (n *naml) learn(task int, actions []int, logProb, reward float64) error {
	return n.method.Update(n.policy, policygradient.Episode{
		Task: task, Actions: actions, LogProb: logProb,
		Reward: reward, Advantage: n.baseline.Advantage(task, reward),
	})
}

func (n *naml) put(f *safetensors.File) {
	n.policy.PutArrays(f, controllerPrefix)
	n.method.PutArrays(f, "policy_gradient/")
	n.baseline.PutArrays(f, "baseline/")
}

func (n *naml) get(f *safetensors.File) error {
	policy, err := controller.FromFile(f, controllerPrefix)
	if err != nil {
		return err
	}
	if want := n.policy.Config(); !reflect.DeepEqual(policy.Config(), want) || policy.Tasks() != n.policy.Tasks() {
		return fmt.Errorf("its controller has the shape %+v with %d tasks, the search's %+v with %d", policy.Config(), policy.Tasks(), want, n.policy.Tasks())
	}
	n.policy = policy
	if err := n.method.GetArrays(f, "policy_gradient/"); err != nil {
		return err
	}
	return n.baseline.GetArrays(f, "baseline/")
}

func (n *naml) controller(f *safetensors.File) bool {
	n.policy.PutArrays(f, controllerPrefix)
	return true
}

const controllerPrefix = "controller/"
