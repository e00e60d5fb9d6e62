package controller

import (
	"math"
	"slices"

	"tnaml/nn/rng"
)

// Information is how much a controller tells tasks apart: the mutual information,
// in bits, between a task, each of the n being as likely, and what it chooses for
// that task. It is 0 where all tasks are treated alike, and log2(n) at most.
type Information struct {
	// Choices holds I(task; action_c) of each choice by itself, Architecture that of
	// the task and all actions together, which is no less than any of them.
	Choices      []float64 `json:"choices"`
	Architecture float64   `json:"architecture"`
	// Samples is the number of architectures drawn for each task, 0 where all there
	// are were summed over and the values are exact. Error is then the standard error
	// of Architecture.
	Samples int     `json:"samples,omitzero"`
	Error   float64 `json:"standard_error,omitzero"`
}

// Information measures how much the controller tells its tasks apart. Where there are no more
// architectures than samples it sums over all of them:
//
//	I(T; M)   = 1/n Σ_t Σ_m π_t(m) log2(π_t(m)/π(m)),  π(m) = 1/n Σ_t π_t(m)
//	I(T; A_c) = H(1/n Σ_t p_t) − 1/n Σ_t H(p_t),       p_t(a) = Σ_{m: m_c = a} π_t(m)
//
// Else both are estimates from samples of each π_t: the first sum's terms averaged,
// with the exact joint probabilities; and p_t as the mean of the steps' distributions
// given the actions drawn before them. The seed keys the draws, the same for all
// tasks: those that are treated alike draw alike, and give 0 exactly.
func (c *Controller) Information(samples int, seed uint64) Information {
	out := Information{Choices: make([]float64, len(c.config.Options))}
	if c.tasks < 2 || c.config.task() == 0 {
		return out
	}
	n := float64(c.tasks)
	marginals := make([][][]float64, c.tasks) // by task, choice, option
	for task := range marginals {
		for _, options := range c.config.Options {
			marginals[task] = append(marginals[task], make([]float64, options))
		}
	}
	joint := make([]float64, c.tasks)
	// excess is log2(π_t(m)/π(m)), by tasks' log-probabilities of m.
	excess := func(actions []int, task int) float64 {
		mean := 0.0
		for s := range joint {
			joint[s] = c.LogProb(s, actions)
		}
		for _, l := range joint {
			mean += math.Exp(l-joint[task]) / n
		}
		if !math.IsInf(mean, 1) {
			return -math.Log2(mean)
		}
		// Another task has it far more probable than a number can say: by the most probable.
		top, sum := slices.Max(joint), 0.0
		for _, l := range joint {
			sum += math.Exp(l-top) / n
		}
		return (joint[task]-top)/math.Ln2 - math.Log2(sum)
	}
	actions := make([]int, len(c.config.Options))
	if c.architectures(samples) {
		for more := true; more; more = next(actions, c.config.Options) {
			for task := range marginals {
				e := excess(actions, task)
				p := math.Exp(joint[task])
				if p == 0 { // 0·log 0 is 0; e is infinite, or no number
					continue
				}
				out.Architecture += p * e / n
				for choice, a := range actions {
					marginals[task][choice][a] += p
				}
			}
		}
	} else {
		out.Samples = samples
		sums, squares := 0.0, 0.0
		for i := range samples {
			one := 0.0 // a sample of all tasks
			for task := range marginals {
				c.Sample(rng.New(seed, "controller/information", uint64(i)), task, actions)
				for t := range c.work.steps {
					for a, p := range c.work.steps[t].probs {
						marginals[task][c.config.choice(t)][a] += p / float64(samples)
					}
				}
				one += excess(actions, task) / n
			}
			sums += one
			squares += one * one
		}
		mean := sums / float64(samples)
		out.Architecture = mean
		if samples > 1 {
			out.Error = math.Sqrt(max(0, squares/float64(samples)-mean*mean) / float64(samples-1))
		}
	}
	for choice, options := range c.config.Options {
		mean, each := make([]float64, options), 0.0
		for task := range marginals {
			p := marginals[task][choice]
			each += entropyOf(p) / n
			for a := range p {
				mean[a] += p[a] / n
			}
		}
		out.Choices[choice] = max(0, (entropyOf(mean)-each)/math.Ln2) // rounding
	}
	return out
}

// architectures says whether there are at most so many.
func (c *Controller) architectures(most int) bool {
	n := 1
	for _, options := range c.config.Options {
		if n *= options; n > most {
			return false
		}
	}
	return true
}

// next steps to the next architecture, in counting order; false after the last.
func next(actions, options []int) bool {
	for i := len(actions) - 1; i >= 0; i-- {
		if actions[i]++; actions[i] < options[i] {
			return true
		}
		actions[i] = 0
	}
	return false
}
