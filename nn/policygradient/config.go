package policygradient

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tnaml/nn/optimizer"
)

// The methods.
const (
	// REINFORCE follows the gradient of the newest episode (Williams, 1992).
	REINFORCE = "reinforce"
	// TRPO takes natural gradient steps of bounded KL divergence (Schulman et
	// al., 2015).
	TRPO = "trpo"
	// PPO maximises the clipped surrogate objective over the last episodes
	// (Schulman et al., 2017).
	PPO = "ppo"
	// UREX adds to REINFORCE a pull towards actions whose reward the policy
	// under-appreciates (Nachum et al., 2017).
	UREX = "urex"
	// PQT adds to REINFORCE the likelihood of the best architectures so far
	// (Abolafia et al., 2018).
	PQT = "pqt"
	// RSPG learns from the best rewards alone: the risk-seeking policy gradient
	// (Petersen et al., 2021).
	RSPG = "rspg"
)

// Methods lists the methods, the default first.
func Methods() []string { return []string{REINFORCE, TRPO, PPO, UREX, PQT, RSPG} }

// Config chooses a method and its parameters; zero values mean the defaults, and 0 is
// not to be given for them in JSON. What another method would use is refused, not ignored.
type Config struct {
	// Method is "reinforce", "trpo", "ppo", "urex", "pqt" or "rspg".
	Method string `json:"method"`
	// Optimizer is "adam", "rmsprop" or "sgd"; the paper does not say which it
	// used. TRPO, whose step is not a first-order one, has none of Optimizer,
	// LearningRate and Clip.
	Optimizer string `json:"optimizer,omitzero"`
	// LearningRate is the paper's 1e-4 by default. On this package's bandit of
	// 12 choices (BenchmarkTrialsToOptimum) REINFORCE with Adam needs 1770
	// trials to reach 90 % of the optimum at 1e-4, 789 at 3e-4 and 498 at 1e-3;
	// from 3e-3 on some seeds settle on wrong options. RMSProp is alike, SGD
	// needs rates ten times as high.
	LearningRate float64 `json:"learning_rate,omitzero" strict:"nonzero"`
	// Entropy is the weight of the policy's entropy, summed over the choices in
	// nats, against an advantage in standard deviations. The paper uses entropy
	// regularisation without giving a weight; the default, nil, is 0.01 (Abolafia et
	// al., 2018).
	Entropy *float64 `json:"entropy"`
	// Clip bounds the norm of the whole gradient, 0: nothing does; the default, nil,
	// is 50 (Abolafia et al., 2018).
	Clip *float64 `json:"clip,omitempty"`

	PPO  PPOConfig  `json:"ppo,omitzero"`
	TRPO TRPOConfig `json:"trpo,omitzero"`
	UREX UREXConfig `json:"urex,omitzero"`
	PQT  PQTConfig  `json:"pqt,omitzero"`
	RSPG RSPGConfig `json:"rspg,omitzero"`
}

// PPOConfig are the parameters of PPO.
type PPOConfig struct {
	// Memory is the number of last episodes that each update learns from, 10.
	Memory int `json:"memory" strict:"nonzero"`
	// Epochs is the number of passes over them, and of steps, in an update, 3.
	Epochs int `json:"epochs" strict:"nonzero"`
	// Ratio is the paper's ε: a ratio beyond 1±ε earns nothing more, 0.2.
	Ratio float64 `json:"ratio" strict:"nonzero"`
}

// TRPOConfig are the parameters of TRPO.
type TRPOConfig struct {
	// Memory is the number of last episodes that each update learns from, 10.
	Memory int `json:"memory" strict:"nonzero"`
	// KL is the paper's δ: the bound of an update's KL divergence in nats,
	// summed over the choices and averaged over the remembered episodes,
	// 0.001. From 0.003 on, single trials decide too much: on the bandit of this
	// package's tests the policy then settles on wrong options.
	KL float64 `json:"kl" strict:"nonzero"`
	// Damping is added to the diagonal of the Fisher matrix, 0.1.
	Damping float64 `json:"damping" strict:"nonzero"`
	// Iterations bounds those of the conjugate gradient, 5.
	Iterations int `json:"iterations" strict:"nonzero"`
	// Backtracks bounds the steps of the line search, 15.
	Backtracks int `json:"backtracks" strict:"nonzero"`
}

// UREXConfig are the parameters of UREX.
type UREXConfig struct {
	// Memory is the paper's K: the number of a task's last episodes among which
	// rewards are weighed, 10.
	Memory int `json:"memory" strict:"nonzero"`
	// Temperature is the paper's τ, 0.1, in units of reward.
	Temperature float64 `json:"temperature" strict:"nonzero"`
	// Covering weighs the mode-covering term against an advantage in standard
	// deviations, 0.1. The paper's τ stands in that place too, against rewards.
	// From 1 on it drowns the advantages.
	Covering float64 `json:"covering" strict:"nonzero"`
}

// PQTConfig are the parameters of PQT.
type PQTConfig struct {
	// K is the number of a task's best architectures that are trained on, 10.
	K int `json:"k" strict:"nonzero"`
	// Weight is λ, that of their mean log-likelihood against an advantage in standard
	// deviations, 10. The authors' is 50, against advantages that are not normalised;
	// on the bandit, with Adam at 1e-3, 50 needs 225 trials, 10 215, 1 306 and 0.1 389.
	Weight float64 `json:"weight" strict:"nonzero"`
}

// RSPGConfig are the parameters of RSPG.
type RSPGConfig struct {
	// Memory is N, the number of a task's last rewards that make up the batch, 100.
	Memory int `json:"memory" strict:"nonzero"`
	// Epsilon is ε, the part of them that is learned from, 0.2. The authors' is 0.05,
	// of batches of a thousand: here it leaves one trial in twenty to learn from. On
	// the bandit, with Adam at 1e-3, 0.05 needs 4386 trials, 0.1 674, 0.2 512 and 0.5 424.
	Epsilon float64 `json:"epsilon" strict:"nonzero"`
}

// What numbers are bounded by: beyond, weights and advantages stop being numbers within a
// few trials, or nothing is learned. Each is far from what anybody has a use for.
const (
	least      = 1e-12
	mostRate   = 100  // of a step
	mostWeight = 1e6  // of a term against others
	mostScale  = 1e12 // in units of rewards, or of gradients
)

// within reports a number outside its bounds.
func within(name string, v, least, most float64) error {
	if v >= least && v <= most {
		return nil
	}
	return fmt.Errorf("%s %v must lie between %v and %v", name, v, least, most)
}

// WithDefaults fills in the defaults and reports everything that is wrong. It
// leaves a configuration that it has filled in as it is.
func (c Config) WithDefaults() (Config, error) {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	c.Method = cmp.Or(c.Method, REINFORCE)
	if !slices.Contains(Methods(), c.Method) {
		bad("unknown method %q (known: %s)", c.Method, strings.Join(Methods(), ", "))
		c.PPO, c.TRPO, c.UREX, c.PQT, c.RSPG = PPOConfig{}, TRPOConfig{}, UREXConfig{}, PQTConfig{}, RSPGConfig{}
	}
	orNone := func(name string, v **float64, d, most float64) {
		*v = cmp.Or(*v, &d)
		errs = append(errs, within(name, **v, 0, most))
	}
	orNone("entropy", &c.Entropy, 0.01, mostWeight)
	if c.Method == TRPO {
		if c.Optimizer != "" || c.LearningRate != 0 || c.Clip != nil {
			bad("trpo takes no optimizer, learning_rate or clip: trpo.kl bounds its step")
		}
	} else {
		c.Optimizer = cmp.Or(c.Optimizer, optimizer.Names()[0])
		c.LearningRate = cmp.Or(c.LearningRate, 1e-4)
		if !slices.Contains(optimizer.Names(), c.Optimizer) {
			bad("unknown optimizer %q (known: %s)", c.Optimizer, strings.Join(optimizer.Names(), ", "))
		}
		errs = append(errs, within("learning_rate", c.LearningRate, least, mostRate))
		orNone("clip", &c.Clip, 50, mostScale)
	}
	count := func(name string, v *int, d, most int) {
		if *v = cmp.Or(*v, d); *v < 1 || *v > most {
			bad("%s %d must lie between 1 and %d", name, *v, most)
		}
	}
	positive := func(name string, v *float64, d, most float64) {
		*v = cmp.Or(*v, d)
		errs = append(errs, within(name, *v, least, most))
	}
	if c.Method == PPO {
		count("ppo.memory", &c.PPO.Memory, 10, maxMemory)
		count("ppo.epochs", &c.PPO.Epochs, 3, 1000)
		positive("ppo.ratio", &c.PPO.Ratio, 0.2, mostWeight)
	} else if c.PPO != (PPOConfig{}) {
		bad("ppo is set, but the method is %s", c.Method)
	}
	if c.Method == TRPO {
		count("trpo.memory", &c.TRPO.Memory, 10, maxMemory)
		positive("trpo.kl", &c.TRPO.KL, 0.001, mostWeight)
		positive("trpo.damping", &c.TRPO.Damping, 0.1, mostWeight)
		count("trpo.iterations", &c.TRPO.Iterations, 5, 1000)
		count("trpo.backtracks", &c.TRPO.Backtracks, 15, 1000)
	} else if c.TRPO != (TRPOConfig{}) {
		bad("trpo is set, but the method is %s", c.Method)
	}
	if c.Method == UREX {
		count("urex.memory", &c.UREX.Memory, 10, maxMemory)
		positive("urex.temperature", &c.UREX.Temperature, 0.1, mostScale)
		positive("urex.covering", &c.UREX.Covering, 0.1, mostWeight)
	} else if c.UREX != (UREXConfig{}) {
		bad("urex is set, but the method is %s", c.Method)
	}
	if c.Method == PQT {
		count("pqt.k", &c.PQT.K, 10, maxMemory)
		positive("pqt.weight", &c.PQT.Weight, 10, mostWeight)
	} else if c.PQT != (PQTConfig{}) {
		bad("pqt is set, but the method is %s", c.Method)
	}
	if c.Method == RSPG {
		count("rspg.memory", &c.RSPG.Memory, 100, maxMemory)
		if positive("rspg.epsilon", &c.RSPG.Epsilon, 0.2, 1); c.RSPG.Epsilon == 1 {
			bad("rspg.epsilon 1 must be less than 1")
		}
	} else if c.RSPG != (RSPGConfig{}) {
		bad("rspg is set, but the method is %s", c.Method)
	}
	return c, errors.Join(errs...)
}
