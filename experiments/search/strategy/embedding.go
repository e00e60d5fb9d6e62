package strategy

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"tnaml/nn/controller"
	"tnaml/nn/policygradient"
	"tnaml/nn/rng"
	"tnaml/nn/safetensors"
)

// How a task's embedding begins in a search that starts from a pretrained controller.
const (
	// StartRandom draws it, as the paper does (§2.3).
	StartRandom = "random"
	// StartMean is the mean of the pretrained ones.
	StartMean = "mean"
	// StartPosterior is one of the pretrained ones: which, the rewards tell (mixture).
	StartPosterior = "posterior"
)

// EmbeddingSettings say how tasks' embeddings begin and learn; zero values mean the
// paper's.
type EmbeddingSettings struct {
	// Start is how an embedding begins where the search starts from a pretrained
	// controller: "random", "mean" or "posterior". From nothing it is random.
	Start string `json:"start"`
	// Scale: a random one is uniform in ±Scale; by default the controller's init_scale.
	Scale float64 `json:"scale" strict:"nonzero"`
	// LearningRateScale is the embeddings' learning rate in units of the policy
	// gradient's, 1: an embedding has few trials to find its place, the weights have
	// had thousands. TRPO, which has no learning rate, takes none but 1.
	LearningRateScale float64 `json:"learning_rate_scale" strict:"nonzero"`
	// Dropout is the probability with which, in a search of several tasks, a trial is
	// proposed and learned from with an embedding of zero, 0. The shared weights then
	// know what is good for all tasks, and embeddings what is different.
	Dropout float64 `json:"dropout"`
}

func (s EmbeddingSettings) withDefaults(start string, scale float64, method string) (EmbeddingSettings, error) {
	s.Start = cmp.Or(s.Start, start)
	s.Scale = cmp.Or(s.Scale, scale)
	s.LearningRateScale = cmp.Or(s.LearningRateScale, 1)
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	if known := []string{StartRandom, StartMean, StartPosterior}; !slices.Contains(known, s.Start) {
		bad("unknown start %q (known: %s)", s.Start, strings.Join(known, ", "))
	}
	// Beyond these, weights and log-probabilities stop being numbers (policygradient.Config).
	within := func(name string, v, most float64) {
		if !(v >= 1e-12 && v <= most) {
			bad("%s %v must lie between 1e-12 and %v", name, v, most)
		}
	}
	if s.Scale != scale { // the controller's own is judged with it
		within("scale", s.Scale, 100)
	}
	within("learning_rate_scale", s.LearningRateScale, 1e6)
	if method == policygradient.TRPO && s.LearningRateScale != 1 {
		bad("learning_rate_scale %v, but trpo has no learning rate", s.LearningRateScale)
	}
	if !(s.Dropout >= 0 && s.Dropout < 1) {
		bad("dropout %v must lie in [0, 1)", s.Dropout)
	}
	return s, errors.Join(errs...)
}

// begin gives the tasks of a search their embeddings.
func (n *naml) begin(policy *controller.Controller, from *Pretrained) {
	var known [][]float64
	if from != nil {
		known = from.TaskEmbeddings()
	}
	n.mixture = mixture{K: 1}
	if n.embedding.Start == StartPosterior && len(known) > 1 {
		n.mixture = newMixture(n.tasks, len(known))
	}
	n.policy = policy.WithTasks(nil)
	n.policy.SetTaskRate(n.embedding.LearningRateScale)
	for task := range n.tasks {
		for k := range n.mixture.K {
			i := n.policy.AddTask(rng.Derive(n.seed, "naml/task embedding", uint64(task)))
			e := n.policy.TaskEmbedding(i)
			switch {
			case len(known) == 0 || n.embedding.Start == StartRandom:
				for j := range e {
					e[j] *= n.embedding.Scale / n.policy.Config().InitScale
				}
			case n.mixture.K > 1:
				copy(e, known[k])
			default: // the mean; the posterior over a single one, too
				clear(e)
				for _, v := range known {
					for j, x := range v {
						e[j] += x / float64(len(known))
					}
				}
			}
			n.policy.SetTaskEmbedding(i, e)
		}
	}
}

// dropped says whether a trial has no embedding, as often as Dropout says.
func (n *naml) dropped(trial int) bool {
	return n.embedding.Dropout > 0 && n.tasks > 1 &&
		n.stream.At(n.seed, "naml/embedding dropout", uint64(trial)).Float64() < n.embedding.Dropout
}

// draw returns the controller's task that a trial is proposed with.
func (n *naml) draw(trial, task int) int {
	switch {
	case n.dropped(trial):
		return controller.NoTask
	case n.mixture.K == 1:
		return task
	}
	return n.mixture.pick(n.stream.At(n.seed, "naml/embedding", uint64(trial)).Float64(), task, n.mixture.weights(task))
}

// mixture is what is known of which of K embeddings, each of which began as a
// pretraining task's, is a task's. They are experts that give advice, and the policy
// is their mixture, q(m) = Σ_k w_k π(m|e_k), weighed by EXP4 (Auer et al., 2002, §7):
//
//	w = softmax(η_n S),  S_k = Σ_i A_i min(π(m_i|e_k)/q(m_i), K),  η_n = √(ln K/(K n))
//
// over the n trials so far, A being the normalised advantage. The weighted terms of
// S_k are unbiased estimates of e_k's expected advantage, of all K from each trial,
// whichever proposed it: embeddings that would have proposed it alike gain alike, so
// that a controller that ignores its embeddings keeps even weights. η is that of the
// anytime bound (Lattimore and Szepesvári, 2020, §§18, 28): no budget need be known.
// Where w_k has become small the ratio has no bound; cut at K, which it cannot exceed
// under even weights, it has little bias and one lucky trial does not turn everything.
//
// The embeddings go on learning: a trial teaches one, drawn by its responsibility
// w_k π(m|e_k)/Σ, whose expectation is the gradient of log q. The task's embedding, in
// what is published, is the likeliest one.
type mixture struct {
	K int
	// sums is S, tasks × K; n counts the trials of each task.
	sums []float64
	n    []int64
}

func newMixture(tasks, k int) mixture {
	return mixture{k, make([]float64, tasks*k), make([]int64, tasks)}
}

// weights returns w of a task.
func (m *mixture) weights(task int) []float64 {
	k := float64(m.K)
	rate := math.Sqrt(math.Log(k) / (k * float64(max(m.n[task], 1))))
	w := make([]float64, m.K)
	for i, s := range m.sums[task*m.K:][:m.K] {
		w[i] = rate * s
	}
	normalise(w)
	return w
}

// normalise turns logarithms into weights of sum 1.
func normalise(w []float64) {
	top, sum := slices.Max(w), 0.0
	for i, x := range w {
		w[i] = math.Exp(x - top)
		sum += w[i]
	}
	for i := range w {
		w[i] /= sum
	}
}

// pick returns the controller's task of the embedding that a uniform number falls on.
func (m *mixture) pick(u float64, task int, weights []float64) int {
	for k, w := range weights {
		if u -= w; u < 0 {
			return task*m.K + k
		}
	}
	return task*m.K + m.K - 1 // rounding
}

// logProbs returns log π(m|e_k) of each k, and log(w_k π(m|e_k)).
func (m *mixture) logProbs(c *controller.Controller, task int, actions []int) (each, joint []float64) {
	each, joint = make([]float64, m.K), m.weights(task)
	for k, w := range joint {
		each[k] = c.LogProb(task*m.K+k, actions)
		joint[k] = math.Log(w) + each[k]
	}
	return each, joint
}

// logProb returns log q(m).
func (m *mixture) logProb(c *controller.Controller, task int, actions []int) float64 {
	_, l := m.logProbs(c, task, actions)
	top, sum := slices.Max(l), 0.0
	for _, x := range l {
		sum += math.Exp(x - top)
	}
	return min(0, top+math.Log(sum)) // rounding
}

// likeliest returns the controller's task of a task's likeliest embedding.
func (m *mixture) likeliest(task int) int {
	if m.K == 1 {
		return task
	}
	best := task * m.K
	for i := best; i < (task+1)*m.K; i++ {
		if m.sums[i] > m.sums[best] {
			best = i
		}
	}
	return best
}

// learnMixture weighs the embeddings by a trial, and chooses the one that learns from
// it; the episode's LogProb is then that embedding's.
func (n *naml) learnMixture(trial int, e *policygradient.Episode) {
	m := &n.mixture
	each, joint := m.logProbs(n.policy, e.Task, e.Actions)
	sums := m.sums[e.Task*m.K:][:m.K]
	for k, l := range each {
		sums[k] += e.Advantage * min(math.Exp(l-e.LogProb), float64(m.K))
	}
	m.n[e.Task]++
	normalise(joint)
	e.Embedding = m.pick(n.stream.At(n.seed, "naml/embedding taught", uint64(trial)).Float64(), e.Task, joint)
	e.LogProb = each[e.Embedding-e.Task*m.K]
}

// put stores the sums and counts; a mixture of one stores nothing.
func (m *mixture) put(f *safetensors.File) {
	if m.K > 1 {
		safetensors.Put(f, "embedding/sums", slices.Clone(m.sums), len(m.n), m.K)
		safetensors.Put(f, "embedding/trials", slices.Clone(m.n))
	}
}

// get reads what put stored for so many tasks.
func (m *mixture) get(f *safetensors.File, tasks int) error {
	*m = mixture{K: 1}
	if !f.Has("embedding/sums") {
		return nil
	}
	sums, shape, err := safetensors.Get[float64](f, "embedding/sums", tasks, -1)
	if err != nil {
		return err
	}
	trials, _, err := safetensors.Get[int64](f, "embedding/trials", tasks)
	if err != nil {
		return err
	}
	if shape[1] < 2 || slices.ContainsFunc(sums, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }) ||
		slices.ContainsFunc(trials, func(n int64) bool { return n < 0 }) {
		return fmt.Errorf("embedding/sums and embedding/trials hold %d × %d numbers that cannot be", tasks, shape[1])
	}
	*m = mixture{shape[1], slices.Clone(sums), slices.Clone(trials)}
	return nil
}
