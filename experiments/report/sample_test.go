package report

import (
	"math"
	"strings"
	"testing"

	"tnaml/experiments/data"
	"tnaml/experiments/metrics"
	"tnaml/experiments/search"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/space"
	"tnaml/experiments/study"
	"tnaml/experiments/trainer"
	"tnaml/nn/rng"
)

func textSpace(t testing.TB, modules ...string) space.Space {
	t.Helper()
	sp, err := space.Builtin("paper")
	if err != nil {
		t.Fatal(err)
	}
	sp.Name, sp.Settings = "text", nil
	sp.Description = "The twelve choices of Wong et al. (2018), §4. Their exact grid is not public; this is a reconstruction of its size: " +
		"with eight modules 8·2·5·5·6·3·7·8·7·8·7·7 = 1,106,380,800 child models."
	expanded, err := trainer.Builtin{}.Fill(sp, "text", modules)
	if err != nil {
		t.Fatal(err)
	}
	return expanded
}

// world is how well a task can be learned: what its best child model reaches,
// and what each bad option costs.
type world struct {
	name          string
	best, penalty float64
}

// simulate makes up a search as it might be: each choice has a best option, and
// accuracy falls with the distance from it; a learner samples more and more
// around what is good, `head` trials ahead if it is transferred.
func simulate(t testing.TB, name, by string, seed uint64, tasks []world, trials, head int) Search {
	t.Helper()
	sp := textSpace(t, "news-64", "news-128", "wiki-50", "wiki-128", "wiki-250")
	s := Search{Name: name, Status: "completed", Config: search.Config{Space: sp, Strategy: by, Seed: seed, Lag: 1}}
	if by != strategy.Random {
		s.Config.Lag = 8
	}
	for _, w := range tasks {
		s.Config.Tasks = append(s.Config.Tasks, search.Task{Name: w.name, Data: "sha256:" + w.name})
	}
	for i := range trials {
		r := rng.New(seed, "simulated "+name, uint64(i))
		k := r.IntN(len(tasks))
		w := tasks[k]
		skill := 0.0
		if by != strategy.Random {
			skill = 1 - math.Exp(-float64(i+head)/180)
		}
		x := search.Trial{Trial: i, Task: k, Status: trainer.OK}
		x.Metrics = map[string]float64{"parameters": float64(3000 + r.IntN(1_200_000)), "training_loss": r.Float64()}
		bad := 0.0
		for c, n := range sp.Options() {
			want := (c*5 + len(w.name)) % n
			a := r.IntN(n)
			if r.Float64() < .93*skill {
				a = want
			}
			x.Actions = append(x.Actions, a)
			bad += math.Abs(float64(a-want)) / float64(n) * r.Float64()
		}
		accuracy := max(.1, w.best-w.penalty*bad*bad)
		noise := func() float64 { return .012 * (r.Float64() + r.Float64() - 1) }
		x.Validation = min(1, math.Round(557*(accuracy+noise()))/557)
		x.Test = min(1, math.Round(558*(accuracy-.004+noise()))/558)
		switch {
		case r.IntN(23) == 0:
			x.Status, x.Reason = trainer.Diverged, []string{"loss not finite: NaN at step 41 of 400",
				"loss not finite: +Inf at step 7 of 100"}[r.IntN(2)]
		case r.IntN(90) == 0:
			x.Status, x.Reason = trainer.OverMemory, "needs 2210.4 MiB, the limit is 2048.0 MiB"
		}
		c := search.Cost{Trial: i, CPUSeconds: math.Exp(4*r.Float64() - 1), Worker: []string{"a", "b", "c"}[r.IntN(3)], InstructionSet: "avx2",
			Cached: r.IntN(11) == 0}
		c.WallSeconds = 1.2 * c.CPUSeconds
		if !x.OK() {
			x.Validation, x.Test, x.Metrics = 0, 0, nil
		} else {
			x.Metrics["validation_accuracy"], x.Metrics["test_accuracy"] = x.Validation, x.Test
		}
		if x.OK() && x.Validation > w.best-.02 {
			x.Model = "sha256:0f"
		}
		x.Reward = x.Validation
		s.Trials, s.Costs = append(s.Trials, x), append(s.Costs, c)
	}
	return s
}

// greedy makes up a controller's greedy architectures, with so many decided choices
// each.
func greedy(sp *space.Space, decided ...int) (out []strategy.Greedy) {
	for _, n := range decided {
		g := strategy.Greedy{Actions: make([]int, len(sp.Choices)), Evenness: make([]float64, len(sp.Choices))}
		for c, choice := range sp.Choices {
			k := math.Log(float64(len(choice.Options)))
			g.Uniform -= k
			if g.Evenness[c] = .99; c < n {
				g.Evenness[c] = .2
				k = .1
			}
			g.LogProb -= k
		}
		out = append(out, g)
	}
	return out
}

var (
	spam     = world{"sms_spam", .981, .09}
	opinion  = world{"prog_opinion", .703, .22}
	opinions = Card{Task: "prog_opinion", Card: data.Card{
		Examples: 1162, Train: 930, Validation: 116, Test: 116, MajorityAccuracy: .4655, MeanCharacters: 101.4, MeanTokens: 17.23, Cut: 0,
		Balance: 159.0 / 506, Evenness: .9034, Lengths: &data.Lengths{Min: 11, Q1: 72, Median: 101, Q3: 131, P95: 140, Max: 152},
		Leaks:      data.Leaks{TrainTest: 2},
		Duplicates: 31, Conflicts: 4, DistinctTokens: 4211, Vocabulary: 4211, WideVocabulary: 1804, Coverage: .8123,
		Classes: []data.Class{
			{Label: "positive", Train: 402, Validation: 50, Test: 54, Samples: []string{"I am all for it", "great news for everyone <3"}},
			{Label: "neutral", Train: 398, Validation: 51, Test: 48, Samples: []string{"The vote is on Tuesday."}},
			{Label: "negative", Train: 130, Validation: 15, Test: 14, Samples: []string{"what a mess & what a waste"}},
		},
		Options: data.Options{Name: "prog_opinion", Seed: 1, MaxTokens: 512, Source: "Opinions on a programme, made up for this test",
			Licence: "CC0-1.0"},
		Warnings: []string{"4 examples have the text of another example and another label"},
	}}
)

// evaluated is how a made-up model tells n classes apart: of each it takes some
// examples for the next class, and one for the first.
func evaluated(task, name string, n int) study.Evaluation {
	var labels []string
	var truth, predicted []int32
	for k := range n {
		labels = append(labels, []string{"positive", "neutral", "negative"}[k%3]+strings.Repeat("’", k/3))
		for i := range 20 - k {
			p := k
			if i%7 == 3 {
				p = (k + 1) % n
			} else if i == 5 {
				p = 0
			}
			truth, predicted = append(truth, int32(k)), append(predicted, int32(p))
		}
	}
	c := metrics.NewConfusion(labels, truth, predicted)
	return study.Evaluation{Task: task, Search: name, Trial: 17, Confusion: &c}
}

// realistic is three strategies on two tasks, as the transfer experiment has
// them.
func realistic(t testing.TB) Input {
	in := Input{Title: "Transfer to two tasks", Generated: "24 November 2026, 09:30", Cards: []Card{opinions}}
	for _, w := range []world{spam, opinion} {
		n := 500
		if w == opinion {
			n = 240
		}
		tasks := []world{w}
		transferred := simulate(t, w.name+"-transfer-s1", strategy.NAML, 1, tasks, n, 150)
		transferred.Strategy = "naml, transferred"
		transferred.Started, transferred.Seconds = "2026-11-24 07:12 UTC", 754
		in.Searches = append(in.Searches,
			simulate(t, w.name+"-random-s1", strategy.Random, 1, tasks, n, 0),
			simulate(t, w.name+"-naml-s1", strategy.NAML, 1, tasks, n, 0),
			transferred)
	}
	in.Evaluations = []study.Evaluation{evaluated("prog_opinion", "prog_opinion-transfer-s1", 3)}
	return in
}

// repeated is two strategies of three seeds each on one task.
func repeated(t testing.TB) Input {
	in := Input{Title: "Nightly benchmark", Generated: "24 November 2026"}
	for seed := range uint64(3) {
		tasks := []world{spam}
		in.Searches = append(in.Searches,
			simulate(t, "random-s"+string(rune('1'+seed)), strategy.Random, seed+1, tasks, 200, 0),
			simulate(t, "naml-s"+string(rune('1'+seed)), strategy.NAML, seed+1, tasks, 200, 40))
	}
	return in
}

// hostile is two small searches with names that would break a page that does
// not escape them, and a task that only one of them has.
func hostile(t testing.TB) Input {
	evil := `</title><script>alert("x")</script>'"--><svg onload=x>`
	both := []world{{"a & b " + evil, .9, .2}, {"reviews", .8, .2}}
	in := Input{
		Title: "A & B " + evil, Generated: evil,
		Searches: []Search{
			simulate(t, "s-random "+evil, strategy.Random, 1, both[:1], 60, 0),
			simulate(t, "s-naml "+evil, strategy.NAML, 2, both, 80, 0),
		},
		Cards: []Card{{Task: both[0].name, Card: data.Card{
			Examples: 100, Train: 80, Validation: 10, Test: 10, MajorityAccuracy: .87, Warnings: []string{evil},
			Classes: []data.Class{{Label: evil, Samples: []string{evil, evil}}}, Options: data.Options{Source: evil, Licence: evil},
		}}},
	}
	for i := range in.Searches {
		s := &in.Searches[i]
		s.Status = evil
		s.Config.Space.Name = evil
		for k := range s.Config.Space.Choices {
			if c := &s.Config.Space.Choices[k]; c.Name == trainer.Module {
				c.Options[0] = evil
			}
		}
		for k := range s.Trials {
			if !s.Trials[k].OK() {
				s.Trials[k].Reason = evil
			}
		}
	}
	return in
}
