package policygradient

import (
	"encoding/json"
	"errors"
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
	b, err := NewBaseline(BaselineConfig{Decay: .5, InitialVariance: new(0.)})
	if err != nil {
		t.Fatal(err)
	}
	// b: 1, .5, .75; σ²: 0, .125, .09375
	for i, want := range []float64{0, -.5 / math.Sqrt(.125), .25 / math.Sqrt(.09375)} {
		if got := b.Advantage(0, []float64{1, 0, 1}[i]); math.Abs(got-want) > 1e-12 {
			t.Errorf("reward %d: advantage %v, want %v", i, got, want)
		}
	}
	b, _ = NewBaseline(BaselineConfig{Decay: .5, Corrected: true})
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

// game is how a bandit is played.
type game struct {
	Config
	controller controller.Config // its options are the bandit's
	trials     int               // at most
	goal       float64           // stop where the last 50 rewards of each task reach this mean
	seed       uint64
}

// small keeps the tests fast: a tenth of the paper's parameters.
var small = controller.Config{Hidden: 10, ActionEmbedding: 8, TaskEmbedding: 8}

// learn plays the bandit; it returns the mean of the last 50 rewards of each
// task, and the number of trials.
func (b bandit) learn(t testing.TB, g game) (last []float64, trials int) {
	t.Helper()
	g.controller.Options = b.options
	c, err := controller.New(g.controller, g.seed)
	if err != nil {
		t.Fatal(err)
	}
	for i := range b.best {
		c.AddTask(rng.Derive(g.seed, "task", uint64(i)))
	}
	m, err := New(g.Config, BaselineConfig{})
	if err != nil {
		t.Fatal(err)
	}
	baseline, err := NewBaseline(BaselineConfig{})
	if err != nil {
		t.Fatal(err)
	}
	rewards := make([][]float64, len(b.best))
	last = make([]float64, len(b.best))
	actions := make([]int, len(b.options))
	for i := range g.trials {
		task := rng.New(g.seed, "draw", uint64(i)).IntN(len(b.best))
		p := c.Sample(rng.New(g.seed, "actions", uint64(i)), task, actions)
		reward := b.reward(task, actions)
		if err := m.Update(c, Episode{task, task, actions, p, reward, baseline.Advantage(task, reward), false}); err != nil {
			t.Fatal(err)
		}
		rewards[task] = append(rewards[task], reward)
		if v := rewards[task]; len(v) >= 50 {
			last[task] = mean(v[len(v)-50:])
		}
		if g.goal > 0 && slices.Min(last) >= g.goal {
			return last, i + 1
		}
	}
	return last, g.trials + 1
}

func mean(v []float64) float64 {
	s := 0.0
	for _, x := range v {
		s += x
	}
	return s / float64(len(v))
}

// Every method finds the optimum, a tenth of which is reached by chance, from
// several seeds.
func TestMethodsSolveTheBandit(t *testing.T) {
	for _, cfg := range []Config{
		{Method: REINFORCE, LearningRate: 3e-3},
		{Method: TRPO},
		{Method: PPO, LearningRate: 1e-3},
		{Method: UREX, LearningRate: 3e-3},
		{Method: PQT, LearningRate: 3e-3},
		{Method: RSPG, LearningRate: 3e-3},
	} {
		for seed := range uint64(2) {
			last, trials := newBandit(1).learn(t, game{Config: cfg, controller: small, trials: 1200, goal: .9, seed: seed})
			if trials > 1200 {
				t.Errorf("%s, seed %d: mean reward %.2f of 1 after %d trials", cfg.Method, seed, last[0], trials-1)
			}
		}
	}
}

// With task embeddings a controller tells tasks with opposite optima apart;
// without, it cannot do better than one of the two.
func TestTaskEmbeddingsTellTasksApart(t *testing.T) {
	b := newBandit(2)
	g := game{Config: Config{LearningRate: 3e-3}, controller: small, trials: 6000, goal: .9, seed: 1}
	g.controller.TaskEmbedding = 25
	if last, trials := b.learn(t, g); trials > g.trials {
		t.Errorf("with task embeddings: %v", last)
	}
	g.controller.TaskEmbedding = -1
	if last, _ := b.learn(t, g); mean(last) > .6 {
		t.Errorf("without task embeddings: %v", last)
	}
}

// Saving and restoring everything after every trial changes no bit.
func TestCheckpointContinues(t *testing.T) {
	for _, method := range Methods() {
		cfg := Config{Method: method}
		if method != TRPO {
			cfg.LearningRate = .01
		}
		run := func(restore bool) []byte {
			c, err := controller.New(controller.Config{Options: []int{3, 4}, Hidden: 5}, 1)
			if err != nil {
				t.Fatal(err)
			}
			c.AddTask(1)
			c.AddTask(2)
			m, err := New(cfg, BaselineConfig{})
			if err != nil {
				t.Fatal(err)
			}
			b, _ := NewBaseline(BaselineConfig{})
			actions := make([]int, 2)
			save := func() []byte {
				f := safetensors.New("x")
				c.PutArrays(f, "c/")
				m.PutArrays(f, "m/")
				b.PutArrays(f, "b/")
				return f.Encode()
			}
			for i := range 30 {
				task := i % 3 % 2
				p := c.Sample(rng.New(1, "a", uint64(i)), task, actions)
				reward := float64(actions[0]) / 3
				if err := m.Update(c, Episode{task, task, actions, p, reward, b.Advantage(task, reward), false}); err != nil {
					t.Fatal(err)
				}
				if i == 20 {
					c.AddTask(3) // one more parameter, in the middle
				}
				if !restore {
					continue
				}
				f, err := safetensors.Decode(save())
				if err != nil {
					t.Fatal(err)
				}
				if c, err = controller.FromFile(f, "c/"); err != nil {
					t.Fatal(err)
				}
				m, _ = New(cfg, BaselineConfig{})
				b, _ = NewBaseline(BaselineConfig{})
				if err := errors.Join(m.GetArrays(f, "m/"), b.GetArrays(f, "b/")); err != nil {
					t.Fatal(err)
				}
			}
			return save()
		}
		if string(run(false)) != string(run(true)) {
			t.Errorf("%s: saving and restoring changes what is learned", method)
		}
	}
}

func TestConfig(t *testing.T) {
	for _, c := range []struct {
		in, want Config
	}{
		{Config{}, Config{Method: "reinforce", Optimizer: "adam", LearningRate: 1e-4, Entropy: new(.01), Clip: new(50.)}},
		{Config{Method: "trpo", Entropy: new(0.)}, Config{Method: "trpo", Entropy: new(0.), TRPO: TRPOConfig{10, .001, .1, 5, 15}}},
		{Config{Method: "ppo", LearningRate: 1},
			Config{Method: "ppo", Optimizer: "adam", LearningRate: 1, Entropy: new(.01), Clip: new(50.), PPO: PPOConfig{10, 3, .2}}},
		{Config{Method: "pqt"},
			Config{Method: "pqt", Optimizer: "adam", LearningRate: 1e-4, Entropy: new(.01), Clip: new(50.), PQT: PQTConfig{10, 10}}},
		{Config{Method: "rspg"},
			Config{Method: "rspg", Optimizer: "adam", LearningRate: 1e-4, Entropy: new(.01), Clip: new(50.), RSPG: RSPGConfig{100, .2}}},
		{Config{Method: "urex", Clip: new(0.)},
			Config{Method: "urex", Optimizer: "adam", LearningRate: 1e-4, Entropy: new(.01), Clip: new(0.), UREX: UREXConfig{10, .1, .1}}},
	} {
		for range 2 { // filled in, it stays as it is
			got, err := c.in.WithDefaults()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			c.in = got
		}
	}
	// Only the method's own parameters are in the canonical form.
	got, _ := Config{}.WithDefaults()
	b, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"method":"reinforce","optimizer":"adam","learning_rate":0.0001,"entropy":0.01,"clip":50}`; string(b) != want {
		t.Errorf("%s, want %s", b, want)
	}
	for _, c := range []struct {
		in   Config
		want []string
	}{
		{Config{Method: "dqn", Optimizer: "lion", LearningRate: -1, Entropy: new(math.NaN()), Clip: new(-1.)},
			[]string{"unknown method \"dqn\" (known: reinforce, trpo, ppo, urex, pqt, rspg)",
				"lion", "learning_rate -1 must lie between 1e-12 and 100", "entropy NaN must lie between 0 and 1e+06",
				"clip -1 must lie between 0 and 1e+12"}},
		{Config{Method: "trpo", LearningRate: 1, PPO: PPOConfig{Memory: 1}, TRPO: TRPOConfig{-1, -1, -1, -1, 1 << 30}},
			[]string{"trpo takes no optimizer", "ppo is set", "trpo.memory -1", "trpo.kl -1", "trpo.damping -1",
				"trpo.iterations -1", "trpo.backtracks 1073741824"}},
		{Config{Method: "ppo", PPO: PPOConfig{1001, -1, math.Inf(1)}, UREX: UREXConfig{Memory: 1}},
			[]string{"ppo.memory 1001", "ppo.epochs -1", "ppo.ratio +Inf", "urex is set"}},
		{Config{Method: "urex", UREX: UREXConfig{-1, math.NaN(), -1}, TRPO: TRPOConfig{KL: 1}},
			[]string{"urex.memory -1", "urex.temperature NaN", "urex.covering -1", "trpo is set"}},
		{Config{Method: "pqt", PQT: PQTConfig{-1, -1}, RSPG: RSPGConfig{Memory: 1}},
			[]string{"pqt.k -1", "pqt.weight -1", "rspg is set"}},
		{Config{Method: "rspg", RSPG: RSPGConfig{1001, 1}, PQT: PQTConfig{K: 1}},
			[]string{"rspg.memory 1001", "rspg.epsilon 1 must be less", "pqt is set"}},
		{Config{LearningRate: 1e300, Entropy: new(1e300), Clip: new(1e300)},
			[]string{"learning_rate 1e+300 must lie between 1e-12 and 100", "entropy 1e+300", "clip 1e+300"}},
		{Config{LearningRate: 1e-300}, []string{"learning_rate 1e-300"}},
		{Config{Method: "ppo", PPO: PPOConfig{Ratio: 1e300}}, []string{"ppo.ratio 1e+300"}},
		{Config{Method: "trpo", TRPO: TRPOConfig{KL: 1e300, Damping: 1e-300}}, []string{"trpo.kl 1e+300", "trpo.damping 1e-300"}},
		{Config{Method: "urex", UREX: UREXConfig{Temperature: 1e-320, Covering: 1e300}}, []string{
			"urex.temperature 1e-320 must lie between 1e-12 and 1e+12", "urex.covering 1e+300"}},
		{Config{Method: "pqt", PQT: PQTConfig{Weight: 1e308}}, []string{"pqt.weight 1e+308 must lie between 1e-12 and 1e+06"}},
	} {
		_, err := c.in.WithDefaults()
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q is not in: %v", want, err)
			}
		}
		if m, err := New(c.in, BaselineConfig{}); err == nil || m != nil {
			t.Error("it was taken")
		}
	}
}

func TestBaselineConfig(t *testing.T) {
	got, err := BaselineConfig{}.WithDefaults()
	if diff := cmp.Diff(BaselineConfig{.01, .001, new(.01), false}, got); err != nil || diff != "" {
		t.Errorf("%s, %v", diff, err)
	}
	_, err = NewBaseline(BaselineConfig{Decay: 2, Floor: -1, InitialVariance: new(math.NaN()), Corrected: true})
	for _, want := range []string{"decay 2", "floor -1", "take no initial_variance", "initial_variance NaN"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	_, err = NewBaseline(BaselineConfig{Decay: 1e-320, Floor: 1e300, InitialVariance: new(1e308)})
	for _, want := range []string{
		"decay 1e-320 must lie between 1e-06 and 1", "floor 1e+300 must lie between 1e-12 and 1e+12", "initial_variance 1e+308",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	if m, err := New(Config{Method: RSPG}, BaselineConfig{Floor: -1}); err == nil || m != nil || !strings.Contains(err.Error(), "floor -1") {
		t.Errorf("%v", err)
	}
}

// A reward that comes again and again has no advantage, not even one of rounding, whatever
// its size and the averages' start, nor has the first one; a small difference has.
func TestBaselineOfEqualRewards(t *testing.T) {
	for _, decay := range []float64{.9, .3, .01, 1e-3, 1e-6} {
		for _, corrected := range []bool{true, false} {
			for _, reward := range []float64{.7, 1. / 3, -1234.5678, 1e6 / 7, -1e9 / 3, 1e30} {
				b, err := NewBaseline(BaselineConfig{Decay: decay, Corrected: corrected})
				if err != nil {
					t.Fatal(err)
				}
				for i := range 3000 {
					if a := b.Advantage(0, reward); a != 0 {
						t.Fatalf("α %v, corrected %v: reward %d of %v has the advantage %v", decay, corrected, i, reward, a)
					}
				}
				if a := b.Advantage(0, reward+2e-9*math.Abs(reward)/decay*1e-2); a <= 0 {
					t.Errorf("α %v, corrected %v: more than %v has the advantage %v", decay, corrected, reward, a)
				}
			}
		}
	}
	// Once others are forgotten, too.
	b, err := NewBaseline(BaselineConfig{Decay: .1})
	if err != nil {
		t.Fatal(err)
	}
	last := math.NaN()
	for i := range 2000 {
		if last = b.Advantage(0, 1e9/3*float64(min(i, 1))); i == 1000 && last != 0 {
			break
		}
	}
	if last != 0 {
		t.Errorf("after another one an equal reward has the advantage %v", last)
	}
}

func TestDivergenceIsAnError(t *testing.T) {
	c, _ := controller.New(controller.Config{Options: []int{3}}, 1)
	c.AddTask(1)
	m, _ := New(Config{Optimizer: "sgd", LearningRate: 100, Clip: new(0.)}, BaselineConfig{})
	var err error
	for range 3 {
		if err = m.Update(c, Episode{Actions: []int{0}, Advantage: 1e308}); err != nil {
			break
		}
	}
	if err == nil || !strings.Contains(err.Error(), "learning_rate") {
		t.Errorf("%v", err)
	}
}

func TestEpisodesThatDoNotFit(t *testing.T) {
	c, _ := controller.New(controller.Config{Options: []int{3, 2}, Hidden: 3}, 1)
	c.AddTask(1)
	for _, method := range Methods() {
		m, err := New(Config{Method: method}, BaselineConfig{})
		if err != nil {
			t.Fatal(err)
		}
		for want, e := range map[string]Episode{
			"embedding 1":            {Embedding: 1, Actions: []int{0, 0}},
			"1 actions":              {Actions: []int{0}},
			"action 2 of choice 1":   {Actions: []int{0, 2}},
			"action -1 of choice 0":  {Actions: []int{-1, 0}},
			"log-probability is NaN": {Actions: []int{0, 0}, LogProb: math.NaN()},
			"reward is +Inf":         {Actions: []int{0, 0}, Reward: math.Inf(1)},
			"advantage is NaN":       {Actions: []int{0, 0}, Advantage: math.NaN()},
		} {
			before := slices.Clone(c.Parameters()[1].Value)
			if err := m.Update(c, e); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q is not in: %v", method, want, err)
			}
			if !slices.Equal(before, c.Parameters()[1].Value) {
				t.Fatalf("%s: %q changed the controller", method, want)
			}
		}
	}
}

// FuzzGetArrays: whatever a checkpoint holds, restoring it and one update give
// an error or a controller of numbers, never a panic.
func FuzzGetArrays(f *testing.F) {
	base, err := controller.New(controller.Config{Options: []int{2, 3}, Hidden: 2, ActionEmbedding: 2, TaskEmbedding: 2}, 1)
	if err != nil {
		f.Fatal(err)
	}
	base.AddTask(1)
	for i, method := range Methods() {
		m, _ := New(Config{Method: method}, BaselineConfig{})
		b, _ := NewBaseline(BaselineConfig{})
		c := base.Clone()
		for a := range 3 {
			reward := float64(a) / 2
			if err := m.Update(c, Episode{0, 0, []int{1, a}, -1, reward, b.Advantage(0, reward), false}); err != nil {
				f.Fatal(err)
			}
		}
		file := safetensors.New("x")
		m.PutArrays(file, "m/")
		b.PutArrays(file, "b/")
		for other := range Methods() { // every method's state is offered to every method
			f.Add(file.Encode(), (i+other)%len(Methods()))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, method int) {
		file, err := safetensors.Decode(data)
		if err != nil || method < 0 || method >= len(Methods()) {
			return
		}
		m, _ := New(Config{Method: Methods()[method]}, BaselineConfig{})
		b, _ := NewBaseline(BaselineConfig{})
		if b.GetArrays(file, "b/") == nil {
			b.Advantage(0, 1)
		}
		if m.GetArrays(file, "m/") != nil {
			return
		}
		c := base.Clone()
		if m.Update(c, Episode{0, 0, []int{1, 2}, -1, 1, 1, false}) == nil && math.IsNaN(c.LogProb(0, []int{1, 2})) {
			t.Error("not a number")
		}
	})
}

// BenchmarkTrialsToOptimum reports how many trials the paper's controller
// needs, as the median of three seeds, until the mean reward of 50 trials
// reaches 90 % of the optimum; 8001 means not within 8000.
//
//	go test ./nn/policygradient -run '^$' -bench TrialsToOptimum -benchtime 1x
func BenchmarkTrialsToOptimum(b *testing.B) {
	report := func(b *testing.B, cfg Config) {
		var trials []float64
		for b.Loop() {
			trials = trials[:0]
			for seed := range uint64(3) {
				_, n := newBandit(1).learn(b, game{Config: cfg, trials: 8000, goal: .9, seed: seed})
				trials = append(trials, float64(n))
			}
		}
		slices.Sort(trials)
		b.ReportMetric(trials[len(trials)/2], "trials")
	}
	for _, optimizer := range []string{"adam", "rmsprop", "sgd"} {
		for _, rate := range []float64{1e-4, 3e-4, 1e-3, 3e-3, 1e-2} {
			b.Run(fmt.Sprintf("reinforce/%s/%g", optimizer, rate), func(b *testing.B) {
				report(b, Config{Optimizer: optimizer, LearningRate: rate})
			})
		}
	}
	for _, cfg := range []Config{{Method: TRPO}, {Method: PPO, LearningRate: 3e-4}, {Method: UREX, LearningRate: 1e-3}} {
		b.Run(cfg.Method, func(b *testing.B) { report(b, cfg) })
	}
	for _, weight := range []float64{.1, 1, 10, 50} {
		b.Run(fmt.Sprintf("pqt/%g", weight), func(b *testing.B) {
			report(b, Config{Method: PQT, LearningRate: 1e-3, PQT: PQTConfig{Weight: weight}})
		})
	}
	for _, epsilon := range []float64{.05, .1, .2, .5} {
		b.Run(fmt.Sprintf("rspg/%g", epsilon), func(b *testing.B) {
			report(b, Config{Method: RSPG, LearningRate: 1e-3, RSPG: RSPGConfig{Epsilon: epsilon}})
		})
	}
}

// BenchmarkAskTell is what a trial costs the search: one sample and one update
// of the paper's controller.
func BenchmarkAskTell(b *testing.B) {
	for _, method := range Methods() {
		b.Run(method, func(b *testing.B) {
			game := newBandit(1)
			c, err := controller.New(controller.Config{Options: game.options}, 1)
			if err != nil {
				b.Fatal(err)
			}
			c.AddTask(1)
			m, err := New(Config{Method: method}, BaselineConfig{})
			if err != nil {
				b.Fatal(err)
			}
			baseline, _ := NewBaseline(BaselineConfig{})
			actions := make([]int, len(game.options))
			i := uint64(0)
			var stream rng.Stream
			b.ReportAllocs()
			for b.Loop() {
				p := c.Sample(stream.At(1, "actions", i), 0, actions)
				reward := game.reward(0, actions)
				if err := m.Update(c, Episode{0, 0, actions, p, reward, baseline.Advantage(0, reward), false}); err != nil {
					b.Fatal(err)
				}
				i++
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N), "µs/trial")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// Ask and tell of the default method allocate nothing.
func TestNoAllocation(t *testing.T) {
	game := newBandit(1)
	c, err := controller.New(controller.Config{Options: game.options}, 1)
	if err != nil {
		t.Fatal(err)
	}
	c.AddTask(1)
	m, err := New(Config{}, BaselineConfig{})
	if err != nil {
		t.Fatal(err)
	}
	baseline, err := NewBaseline(BaselineConfig{})
	if err != nil {
		t.Fatal(err)
	}
	actions := make([]int, len(game.options))
	var stream rng.Stream
	i := uint64(0)
	one := func() {
		p := c.Sample(stream.At(1, "actions", i), 0, actions)
		reward := game.reward(0, actions)
		if err := m.Update(c, Episode{0, 0, actions, p, reward, baseline.Advantage(0, reward), false}); err != nil {
			t.Fatal(err)
		}
		i++
	}
	one() // state is made with the first step
	if n := testing.AllocsPerRun(50, one); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
