package policygradient

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tnaml/nn/controller"
	"tnaml/nn/rng"
	"tnaml/nn/safetensors"
)

// The paper's formulas by hand: α = .5, rewards 1, 0, 1.
func TestBaselineByHand(t *testing.T) {
	b, err := NewBaseline(BaselineConfig{Decay: .5, Uncorrected: true})
	if err != nil {
		t.Fatal(err)
	}
	// b: 1, .5, .75; σ²: 0, .125, .09375
	for i, want := range []float64{0, -.5 / math.Sqrt(.125), .25 / math.Sqrt(.09375)} {
		if got := b.Advantage(0, []float64{1, 0, 1}[i]); math.Abs(got-want) > 1e-12 {
			t.Errorf("reward %d: advantage %v, want %v", i, got, want)
		}
	}
	b, _ = NewBaseline(BaselineConfig{Decay: .5})
	// averages from 0: .5, .25, .625, over .5, .75, .875: b = 1, 1/3, 5/7
	// squares: 0, 1/9, 4/49; averages 0, 1/18, (1/18+4/49)/2 over the same weights
	v3 := (1./18 + 4./49) / 2 / .875
	for i, want := range []float64{0, -1. / 3 / math.Sqrt(1./18/.75), 2. / 7 / math.Sqrt(v3)} {
		if got := b.Advantage(0, []float64{1, 0, 1}[i]); math.Abs(got-want) > 1e-12 {
			t.Errorf("corrected, reward %d: advantage %v, want %v", i, got, want)
		}
	}
}

// Tasks are normalised apart, constant rewards give no advantage, and many
// rewards give mean 0 and variance 1.
func TestBaselineNormalises(t *testing.T) {
	b, _ := NewBaseline(BaselineConfig{})
	r := rng.New(1, "test", 0)
	sum, squares := 0.0, 0.0
	const n, skip = 4000, 200
	for i := range n {
		a := b.Advantage(1, .8+.02*r.NormFloat64())
		if got := b.Advantage(0, .3); math.Abs(got) > 1e-9 {
			t.Fatalf("constant rewards have advantage %v", got)
		}
		if i >= skip {
			sum += a
			squares += a * a
		}
	}
	if mean, variance := sum/(n-skip), squares/(n-skip); math.Abs(mean) > .06 || math.Abs(variance-1) > .1 {
		t.Errorf("advantages have mean %v and variance %v", mean, variance)
	}
	if mean, sigma, count := b.Moments(1); math.Abs(mean-.8) > .01 || math.Abs(sigma-.02) > .005 || count != n {
		t.Errorf("moments %v %v %d", mean, sigma, count)
	}
}

// bandit rewards each choice's right option; optima of the tasks are opposite.
type bandit struct {
	options []int
	best    [][]int // by task
}

func newBandit(tasks int) bandit {
	b := bandit{options: []int{8, 2, 5, 5, 6, 3, 7, 8, 7, 8, 7, 7}}
	for task := range tasks {
		best := make([]int, len(b.options))
		for i, n := range b.options {
			best[i] = i % n
			if task == 1 {
				best[i] = (i + n/2) % n
			}
		}
		b.best = append(b.best, best)
	}
	return b
}

func (b bandit) reward(task int, actions []int) float64 {
	r := 0.0
	for i, a := range actions {
		if a == b.best[task][i] {
			r += 1 / float64(len(actions))
		}
	}
	return r
}

// learn plays the bandit; it returns the mean reward of the last 100 trials of
// each task, and the first trial at which the mean of the last 50 reached goal.
func (b bandit) learn(t testing.TB, cfg Config, taskEmbedding, trials int, seed uint64, goal float64) (last []float64, reached int) {
	t.Helper()
	c, err := controller.New(controller.Config{Options: b.options, TaskEmbedding: taskEmbedding}, seed)
	if err != nil {
		t.Fatal(err)
	}
	for i := range b.best {
		c.AddTask(rng.Derive(seed, "task", uint64(i)))
	}
	m, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	baseline, err := NewBaseline(BaselineConfig{})
	if err != nil {
		t.Fatal(err)
	}
	rewards := make([][]float64, len(b.best))
	actions := make([]int, len(b.options))
	for i := range trials {
		task := rng.New(seed, "draw", uint64(i)).IntN(len(b.best))
		p := c.Sample(rng.New(seed, "actions", uint64(i)), task, actions)
		reward := b.reward(task, actions)
		rewards[task] = append(rewards[task], reward)
		if err := m.Update(c, Episode{task, actions, p, reward, baseline.Advantage(task, reward)}); err != nil {
			t.Fatal(err)
		}
		if v := rewards[task]; reached == 0 && len(v) >= 50 && mean(v[len(v)-50:]) >= goal {
			reached = i + 1
		}
	}
	for _, v := range rewards {
		last = append(last, mean(v[max(0, len(v)-100):]))
	}
	return last, reached
}

func mean(v []float64) float64 {
	s := 0.0
	for _, x := range v {
		s += x
	}
	return s / float64(len(v))
}

func TestMethodsSolveTheBandit(t *testing.T) {
	for _, method := range Methods() {
		last, _ := newBandit(1).learn(t, Config{Method: method, LearningRate: 3e-3}, 0, 2500, 1, 1)
		if last[0] < .9 {
			t.Errorf("%s: mean reward %v of 1", method, last[0])
		}
	}
}

// With task embeddings a controller tells tasks with opposite optima apart;
// without, it cannot do better than one of the two.
func TestTaskEmbeddingsTellTasksApart(t *testing.T) {
	b := newBandit(2)
	with, _ := b.learn(t, Config{LearningRate: 3e-3}, 0, 6000, 1, 1)
	without, _ := b.learn(t, Config{LearningRate: 3e-3}, -1, 6000, 1, 1)
	if mean(with) < .85 {
		t.Errorf("with task embeddings: %v", with)
	}
	if mean(without) > .6 {
		t.Errorf("without task embeddings: %v", without)
	}
}

func TestStateRoundTrip(t *testing.T) {
	run := func(restore bool) []byte {
		c, _ := controller.New(controller.Config{Options: []int{3, 4}}, 1)
		c.AddTask(1)
		m, _ := New(Config{LearningRate: .01})
		b, _ := NewBaseline(BaselineConfig{})
		actions := make([]int, 2)
		for i := range 20 {
			p := c.Sample(rng.New(1, "a", uint64(i)), 0, actions)
			reward := float64(actions[0]) / 3
			if err := m.Update(c, Episode{0, actions, p, reward, b.Advantage(0, reward)}); err != nil {
				t.Fatal(err)
			}
			if restore {
				f := safetensors.New("x")
				m.PutArrays(f, "m/")
				b.PutArrays(f, "b/")
				f, err := safetensors.Decode(f.Encode())
				if err != nil {
					t.Fatal(err)
				}
				m, _ = New(Config{LearningRate: .01})
				b, _ = NewBaseline(BaselineConfig{})
				if err := m.GetArrays(f, "m/"); err != nil {
					t.Fatal(err)
				}
				if err := b.GetArrays(f, "b/"); err != nil {
					t.Fatal(err)
				}
			}
		}
		f := safetensors.New("x")
		c.PutArrays(f, "c/")
		m.PutArrays(f, "m/")
		b.PutArrays(f, "b/")
		return f.Encode()
	}
	if string(run(false)) != string(run(true)) {
		t.Error("saving and restoring changes what is learned")
	}
}

func TestConfig(t *testing.T) {
	got, err := Config{}.WithDefaults()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Config{Method: "reinforce", Optimizer: "adam", LearningRate: 1e-4, Entropy: .01, Clip: 50}, got); diff != "" {
		t.Error(diff)
	}
	_, err = Config{Method: "dqn", Optimizer: "lion", LearningRate: -1, Entropy: math.NaN()}.WithDefaults()
	for _, want := range []string{"dqn", "lion", "learning_rate -1", "entropy NaN"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}

func TestDivergenceIsAnError(t *testing.T) {
	c, _ := controller.New(controller.Config{Options: []int{3}}, 1)
	c.AddTask(1)
	m, _ := New(Config{Optimizer: "sgd", LearningRate: 1e308, Clip: -1})
	var err error
	for range 3 {
		if err = m.Update(c, Episode{Actions: []int{0}, Advantage: 1e10}); err != nil {
			break
		}
	}
	if err == nil || !strings.Contains(err.Error(), "learning_rate") {
		t.Errorf("%v", err)
	}
}

// BenchmarkTrialsToOptimum reports how many trials each optimiser and learning
// rate needs until the mean reward of 50 trials reaches 90 % of the optimum.
func BenchmarkTrialsToOptimum(b *testing.B) {
	for _, optimizer := range []string{"adam", "rmsprop", "sgd"} {
		for _, rate := range []float64{1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 1e-1} {
			b.Run(fmt.Sprintf("%s/%g", optimizer, rate), func(b *testing.B) {
				var trials []float64
				for b.Loop() {
					for seed := range uint64(3) {
						_, reached := newBandit(1).learn(b, Config{Optimizer: optimizer, LearningRate: rate}, 0, 8000, seed, .9)
						if reached == 0 {
							reached = 8001
						}
						trials = append(trials, float64(reached))
					}
				}
				slices.Sort(trials)
				b.ReportMetric(trials[len(trials)/2], "trials")
			})
		}
	}
}
