package strategy

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"testing"

	"tnaml/nn/controller"
	"tnaml/nn/policygradient"
)

// transfer starts a search for one task from a controller.
func transfer(t testing.TB, p *Pretrained, settings string) *search {
	t.Helper()
	d := must(Builtin().Find(NAML))(t)
	s := &search{start: Start{
		Seed: 3, Space: textSpace(t), Tasks: []string{"new"}, Controller: p,
		Settings: must(SettingsFrom(NAML, json.RawMessage(settings), p))(t),
	}}
	s.Strategy = must(d.New(s.start))(t)
	return s
}

func TestEmbeddingSettings(t *testing.T) {
	for raw, want := range map[string][]string{
		`{"embedding":{"start":"best","scale":-1,"learning_rate_scale":-2,"dropout":1}}`: {
			`embedding: unknown start "best" (known: random, mean, posterior)`, "scale -1", "learning_rate_scale -2", "dropout 1",
		},
		`{"embedding":{"learning_rate_scale":2},"policy_gradient":{"method":"trpo"}}`: {"trpo has no learning rate"},
	} {
		_, err := ParseSettings(NAML, json.RawMessage(raw))
		for _, w := range want {
			if !says(err, w) {
				t.Errorf("%s: %q is not in: %v", raw, w, err)
			}
		}
	}
	got := must(ParseSettings(NAML, json.RawMessage(`{"controller":{"init_scale":0.3}}`)))(t)
	var s NAMLSettings
	if err := json.Unmarshal(got, &s); err != nil || s.Embedding != (EmbeddingSettings{StartRandom, .3, 1, 0}) {
		t.Errorf("%+v, %v", s.Embedding, err)
	}
}

// Where a new task's embedding begins, the rest being the pretrained controller's.
func TestEmbeddingStarts(t *testing.T) {
	p := pretrained(t, `{"controller":{"hidden":4}}`, 30)
	a, b := p.Policy.TaskEmbedding(0), p.Policy.TaskEmbedding(1)
	start := func(settings string) [][]float64 {
		policy := transfer(t, p, settings).Strategy.(*naml).policy
		var out [][]float64
		for i := range policy.Tasks() {
			out = append(out, policy.TaskEmbedding(i))
		}
		return out
	}
	random, wide := start(``), start(`{"embedding":{"scale":0.4}}`)
	for i, v := range random[0] {
		if math.Abs(wide[0][i]-4*v) > 1e-15 || math.Abs(v) > .1 {
			t.Fatalf("at four times the scale %v is %v", v, wide[0][i])
		}
	}
	mean := start(`{"embedding":{"start":"mean"}}`)
	for i, v := range mean[0] {
		if math.Abs(v-(a[i]+b[i])/2) > 1e-15 {
			t.Fatalf("mean %v of %v and %v", v, a[i], b[i])
		}
	}
	if posterior := start(`{"embedding":{"start":"posterior"}}`); len(random)+len(mean) != 2 || len(posterior) != 2 ||
		!slices.Equal(posterior[0], a) || !slices.Equal(posterior[1], b) {
		t.Errorf("%d random, %d of the mean, posterior over %v, want %v and %v", len(random), len(mean), posterior, a, b)
	}
}

// By hand: π(m|e_0) = .4, π(m|e_1) = .1, even weights: q = .25; an advantage of 2 is
// worth 2·1.6 and 2·.4; η_1 = √(ln 2/2). Then with q told as .04 the ratio 10 counts as 2.
func TestMixtureByHand(t *testing.T) {
	cfg := controller.Config{Options: []int{2, 5}, Hidden: 2, Layers: 1, ActionEmbedding: 2, TaskEmbedding: 1}
	c := must(controller.New(cfg, 1))(t).WithTasks([][]float64{{1}, {-1}})
	for _, p := range c.Parameters()[:len(c.Parameters())-2] {
		clear(p.Value)
		switch p.Name {
		case "head/0/weights": // σ(2·ln 2) = .8, and .2, of two options
			p.Value[4], p.Value[9] = math.Ln2, -math.Ln2
		case "head/1/bias": // the first of five has ½
			p.Value[0] = math.Log(4)
		}
	}
	actions := []int{0, 0}
	if got := math.Exp(c.LogProb(0, actions)); math.Abs(got-.4) > 1e-12 {
		t.Fatalf("π = %v", got)
	}
	n := &naml{seed: 1, tasks: 1, policy: c, mixture: newMixture(1, 2)}
	if w := n.mixture.weights(0); w[0] != .5 || w[1] != .5 {
		t.Errorf("weights %v at first", w)
	}
	q := n.mixture.logProb(c, 0, actions)
	if math.Abs(q-math.Log(.25)) > 1e-12 {
		t.Errorf("log q = %v", q)
	}
	e := policygradient.Episode{Actions: actions, LogProb: q, Advantage: 2}
	n.learnMixture(0, &e)
	if s := n.mixture.sums; math.Abs(s[0]-3.2) > 1e-12 || math.Abs(s[1]-.8) > 1e-12 || n.mixture.n[0] != 1 {
		t.Errorf("sums %v", s)
	}
	if got, want := e.LogProb, c.LogProb(e.Embedding, actions); got != want {
		t.Errorf("log-probability %v, that of the embedding which learns is %v", got, want)
	}
	odds := math.Exp(math.Sqrt(math.Ln2/2) * 2.4)
	if w := n.mixture.weights(0); math.Abs(w[0]-odds/(1+odds)) > 1e-12 || math.Abs(w[0]+w[1]-1) > 1e-12 {
		t.Errorf("weights %v, want odds of %v", w, odds)
	}
	n.learnMixture(1, &policygradient.Episode{Actions: actions, LogProb: math.Log(.04), Advantage: -1})
	if s := n.mixture.sums; math.Abs(s[0]-1.2) > 1e-12 || math.Abs(s[1]+1.2) > 1e-12 { // .1/.04 is 2.5, cut too
		t.Errorf("sums %v", s)
	}
	if n.mixture.likeliest(0) != 0 {
		t.Error("the likeliest is the second")
	}
	// The embedding that learns is drawn by responsibility: .4 and .1 to even weights.
	taught := 0
	for i := range 2000 {
		n.mixture = newMixture(1, 2)
		e := policygradient.Episode{Actions: actions, LogProb: q}
		n.learnMixture(i, &e)
		taught += e.Embedding
	}
	if got := float64(taught) / 2000; math.Abs(got-.2) > .03 {
		t.Errorf("the second learns from %v of the trials, want .2", got)
	}
}

// Two tasks wanted opposite options; a third wants what the second does: the
// posterior finds it, and its first trials are better than from a random embedding.
func TestPosteriorFindsTheTask(t *testing.T) {
	const choice = 4 // activation, six options
	reward := func(best, worst int) func(told Told) float64 {
		return func(told Told) float64 {
			switch told.Actions[choice] {
			case best:
				return .9
			case worst:
				return .1
			}
			return .5
		}
	}
	s := begin(t, NAML, `{"controller":{"hidden":20},"policy_gradient":{"learning_rate":0.005,"entropy":0.005}}`, 2)
	s.advance(t, 1500, 1, func(told Told) float64 { return reward(5*told.Task, 5-5*told.Task)(told) })
	p := must(DecodeController(s.controller()))(t)
	mean := func(settings string) (float64, *naml) {
		s, sum := transfer(t, p, settings), 0.0
		s.advance(t, 40, 2, func(told Told) float64 {
			r := reward(5, 0)(told)
			sum += r / 40
			return r
		})
		return sum, s.Strategy.(*naml)
	}
	random, _ := mean(``)
	posterior, n := mean(`{"embedding":{"start":"posterior"}}`)
	if w := n.mixture.weights(0); w[1] < .85 || posterior < random+.1 {
		t.Errorf("weights %.2f; mean reward %.3f, with a random embedding %.3f", w, posterior, random)
	}
	// What is published has one embedding, the second's as it has gone on.
	published := must(DecodeController((&search{Strategy: n, start: Start{Space: textSpace(t), Tasks: []string{"new"}}}).controller()))(t)
	if published.Policy.Tasks() != 1 || !slices.Equal(published.Policy.TaskEmbedding(0), n.policy.TaskEmbedding(1)) {
		t.Errorf("%d embeddings published", published.Policy.Tasks())
	}
}

// A controller that ignores its embeddings leaves the weights even.
func TestPosteriorOfEqualEmbeddings(t *testing.T) {
	p := pretrained(t, `{"controller":{"hidden":4}}`, 1)
	p.Policy.SetTaskEmbedding(1, p.Policy.TaskEmbedding(0))
	s := transfer(t, p, `{"embedding":{"start":"posterior"},"policy_gradient":{"learning_rate":1e-12}}`)
	s.advance(t, 30, 2, chance)
	if w := s.Strategy.(*naml).mixture.weights(0); math.Abs(w[0]-.5) > 1e-6 {
		t.Errorf("weights %v", w)
	}
}

// With dropout p, a part p of the trials of several tasks is proposed, and learned
// from, without an embedding; of one task none is.
func TestEmbeddingDropout(t *testing.T) {
	settings := `{"controller":{"hidden":4},"policy_gradient":{"optimizer":"sgd"},"embedding":{"dropout":0.3}}`
	s := begin(t, NAML, settings, 2)
	n := s.Strategy.(*naml)
	dropped := 0
	for i := range 400 {
		before := n.policy.Clone()
		proposed := Told{}
		s.advance(t, i+1, 1, func(told Told) float64 { proposed = told; return chance(told) })
		without := n.dropped(i)
		embedding := proposed.Task
		if without {
			dropped++
			embedding = controller.NoTask
		}
		if before.LogProb(embedding, proposed.Actions) != proposed.LogProb {
			t.Fatalf("trial %d, dropped %v: log-probability %v", i, without, proposed.LogProb)
		}
		same := slices.Equal(before.TaskEmbedding(proposed.Task), n.policy.TaskEmbedding(proposed.Task))
		if i > 0 && same != without {
			t.Errorf("trial %d, dropped %v: the embedding is the same: %v", i, without, same)
		}
	}
	if dropped < 90 || dropped > 150 {
		t.Errorf("%d of 400 dropped", dropped)
	}
	one := begin(t, NAML, settings, 1).Strategy.(*naml)
	for i := range 50 {
		if one.dropped(i) {
			t.Fatalf("trial %d of a search of one task is without its embedding", i)
		}
	}
}

// The embedding's step is as many times as large as is said; so it is after a restore.
func TestEmbeddingLearningRate(t *testing.T) {
	step := func(scale float64) (embedding, start float64) {
		settings := fmt.Sprintf(`{"controller":{"hidden":4},"policy_gradient":{"optimizer":"sgd","entropy":0},
			"embedding":{"learning_rate_scale":%v}}`, scale)
		s := begin(t, NAML, settings, 1)
		n := s.Strategy.(*naml)
		s.advance(t, 1, 1, func(Told) float64 { return 1 }) // the first advantage is 0
		before := n.policy.Clone()
		s.advance(t, 2, 1, func(Told) float64 { return 0 })
		return n.policy.TaskEmbedding(0)[0] - before.TaskEmbedding(0)[0], n.policy.Parameters()[0].Value[0] - before.Parameters()[0].Value[0]
	}
	e1, s1 := step(1)
	e20, s20 := step(20)
	if e1 == 0 || math.Abs(e20-20*e1) > 1e-12 || s1 != s20 {
		t.Errorf("steps %v and %v at a twentieth, of the weights %v and %v", e20, e1, s20, s1)
	}
}
