package strategy

import (
	"fmt"
	"math"
	"strings"

	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// Greedy is a controller's greedy architecture for a task: at each step the most
// probable option given those before it (greedy decoding), and how much of a
// preference it is. It is the one answer to what a controller has settled on: of
// reports, of `controller show`, and of the strategy "fixed", which trains it.
//
// For a converged controller it is what it samples last (§4.3, "select the final
// child model") and the mode of its distribution; for one that has not converged
// the last sample would be an accident, and this is not. The options taken most
// often in a search, choice by choice, are another thing: together they need not
// be probable at all.
type Greedy struct {
	Actions []int `json:"actions"`
	// LogProb is log π(actions | task), Uniform what a uniform distribution over the
	// space gives every architecture, both in nats.
	LogProb float64 `json:"log_probability"`
	Uniform float64 `json:"uniform_log_probability"`
	// Evenness is the entropy of each step's distribution, given the options before
	// it, over that of a uniform one: 1 where nothing is preferred, 0 where all is
	// decided, or where there is but one option.
	Evenness []float64 `json:"evenness"`
}

// undecided is the evenness from which on a choice shows no preference: of two
// options the likelier has less than .68, of eight less than .38.
const undecided = 0.9

// Greedy returns the greedy architecture for a task.
func (p *Pretrained) Greedy(task int) Greedy {
	options := p.Policy.Config().Options
	g := Greedy{Actions: make([]int, len(options)), Evenness: make([]float64, len(options))}
	g.LogProb = p.Policy.Greedy(task, g.Actions)
	for c, probs := range p.Policy.Probabilities(task, g.Actions) {
		most := math.Log(float64(len(probs)))
		g.Uniform -= most
		if len(probs) < 2 {
			continue
		}
		h := 0.0
		for _, x := range probs {
			if x > 0 {
				h -= x * math.Log(x)
			}
		}
		g.Evenness[c] = h / most
	}
	return g
}

// GreedyAll returns the greedy architecture for each task of Origin.Tasks.
func (p *Pretrained) GreedyAll() []Greedy {
	out := make([]Greedy, p.Policy.Tasks())
	for i := range out {
		out[i] = p.Greedy(i)
	}
	return out
}

// Settled says that the controller prefers something: at least one of its choices
// is not near uniform.
func (g Greedy) Settled(sp *space.Space) bool {
	decided, _ := g.decided(sp)
	return decided > 0
}

// decided counts the choices with a preference among those that leave a choice, of
// which it names the others.
func (g Greedy) decided(sp *space.Space) (n int, open []string) {
	for c, choice := range sp.Choices {
		switch {
		case len(choice.Options) < 2:
		case g.Evenness[c] < undecided:
			n++
		default:
			open = append(open, choice.Name)
		}
	}
	return n, open
}

// Describe is the architecture in words; that of a controller that prefers nothing
// is noise, and not told.
func (g Greedy) Describe(sp *space.Space) string {
	if !g.Settled(sp) {
		return "no preference yet"
	}
	return trainer.Describe(sp, g.Actions)
}

// Probability is π(actions | task) in words, beside that under uniform sampling.
func (g Greedy) Probability() string {
	return fmt.Sprintf("%s, %s × uniform", power(g.LogProb), power(g.LogProb-g.Uniform))
}

// Preferred says in how many choices there is a preference, and names those without
// where they are the fewer.
func (g Greedy) Preferred(sp *space.Space) string {
	n, open := g.decided(sp)
	text := fmt.Sprintf("%d of %d", n, n+len(open))
	if len(open) > 0 && len(open) <= n {
		text += ", not " + strings.ReplaceAll(strings.Join(open, ", "), "_", " ")
	}
	return text
}

// power writes exp(x) to two digits; it may be beyond a float64.
func power(x float64) string {
	if math.Abs(x) < 600 {
		if v := math.Exp(x); v >= 100 && v < 1e6 {
			return fmt.Sprintf("%.0f", v)
		}
		return fmt.Sprintf("%.2g", math.Exp(x))
	}
	return fmt.Sprintf("10^%.0f", x/math.Ln10)
}
