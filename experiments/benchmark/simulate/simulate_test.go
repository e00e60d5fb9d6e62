package simulate

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"syscall"
	"testing"

	"tnaml/experiments/benchmark"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/nn/rng"
)

// hill is a landscape with one best option of every choice, and a few models that diverge.
type hill struct {
	peak []int
	// apart is how far the test split's peak lies from this one.
	apart   int
	options []int
	noise   float64
}

func (h hill) mean(actions []int) (validation, test float64) {
	validation, test = .9, .89
	for i, a := range actions {
		n := h.options[i]
		d, e := float64(a-h.peak[i])/float64(n), float64(a-(h.peak[i]+h.apart)%n)/float64(n)
		validation, test = validation-.1*d*d, test-.1*e*e
	}
	return validation, test
}

func (h hill) Look(actions []int, seed uint64) (trainer.Status, float64, float64) {
	g := rng.New(seed, "hill", 0)
	if g.IntN(50) == 0 {
		return trainer.Diverged, 0, 0
	}
	v, t := h.mean(actions)
	return trainer.OK, v + h.noise*g.NormFloat64(), t + h.noise*g.NormFloat64()
}

func testSpace(t testing.TB) space.Space {
	t.Helper()
	sp := space.Space{Name: "knobs", Trainer: "table", Objective: space.Objective{Metric: "score", Direction: space.Maximise}}
	for i := range 6 {
		c := space.Choice{Name: fmt.Sprintf("knob%d", i)}
		for o := range 5 + i {
			c.Options = append(c.Options, int64(o))
		}
		sp.Choices = append(sp.Choices, c)
	}
	return sp
}

func testWorld(t testing.TB) *World {
	w := &World{
		Space: testSpace(t), Kind: "table", Development: []string{"a", "b", "c"}, Test: []string{"x", "y"}, Strategies: strategy.Builtin(),
	}
	w.Landscape = func(task string) (Landscape, error) {
		h := hill{options: w.Space.Options(), noise: .005}
		for i, n := range h.options {
			h.peak = append(h.peak, (i+int(task[0])%2)%n)
		}
		return h, nil
	}
	return w
}

func testPlan() Plan {
	return Plan{
		Arms: []Arm{
			{Name: "random", Strategy: strategy.Random}, {Name: "naml", Strategy: strategy.NAML},
			{Name: "transfer", Strategy: strategy.NAML, From: "multitask"},
		},
		Pretrainings: []Pretraining{{Name: "multitask", Strategy: strategy.NAML, Trials: 200}},
		Tasks:        []string{"x", "y", "a"},
		Trials:       40, Budgets: []int{1, 3, 10, 40}, Seeds: 3, PretrainSeeds: 2, Lag: 4, Workers: 1, Against: "random",
	}
}

func quiet(int, int) {}

// The result does not depend on how many searches run at once, nor on which arms and
// tasks there are beside.
func TestDeterministic(t *testing.T) {
	w, p := testWorld(t), testPlan()
	encoded := func(p Plan) (*Result, string) {
		r, err := Run(t.Context(), w, p, quiet)
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		return r, string(b)
	}
	all, one := encoded(p)
	p.Workers = 4
	if _, four := encoded(p); four != one {
		t.Error("four searches at once give another result than one")
	}
	p.Arms, p.Tasks, p.Against = p.Arms[2:], p.Tasks[1:2], "transfer"
	alone, _ := encoded(p)
	for s, search := range alone.Tasks[0].Arms[0].Searches {
		if want := all.Tasks[1].Arms[2].Searches[s]; fmt.Sprint(*search) != fmt.Sprint(*want) {
			t.Errorf("seed %d alone: %v, beside others %v", s+1, *search, *want)
		}
	}
}

// The oracle has the best of each task from its first trial on, but for the luck of the
// training.
func TestOracle(t *testing.T) {
	w, p := testWorld(t), testPlan()
	land := w.Landscape
	w.Landscape = func(task string) (Landscape, error) { // it must not know the test split
		l, err := land(task)
		h := l.(hill)
		h.apart = 2
		return h, err
	}
	p.Arms = []Arm{{Name: "random", Strategy: strategy.Random}, {Name: "oracle", Strategy: Oracle}}
	p.Against, p.Tasks, p.Seeds = "oracle", []string{"x", "a"}, 5
	r, err := Run(t.Context(), w, p, quiet)
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range r.Tasks {
		for s, search := range task.Arms[1].Searches {
			// The mean over eight trainings, of noise .005 each.
			if best := search.Best; math.Abs(best.Mean[0]-.9) > 6*.005/math.Sqrt(repeats) || slices.Min(best.Mean) != slices.Max(best.Mean) {
				t.Errorf("%s, seed %d: models of %v in the mean, the best known is .9", task.Name, s+1, best.Mean)
			}
			if s > 0 && slices.Equal(search.Best.Validation, task.Arms[1].Searches[0].Best.Validation) {
				t.Errorf("%s: the seeds 1 and %d have the same luck", task.Name, s+1)
			}
		}
	}
	f := r.Figures()
	for k, c := range f.Found.Comparisons {
		rank := f.Found.Rankings[k]
		if !slices.Equal(rank.Ranks, []float64{1, 0}) || rank.P != 1 || rank.Critical != 0 || c.Losses != 2 ||
			f.Arms[1].At[k].Found.Mean > .1 || f.Arms[1].At[k].Regret.Mean < .3 {
			t.Errorf("at %d: ranks %v, %+v, found %v, regret %v", r.Budgets[k], f.Found.Rankings[k].Ranks, c.Tally, f.Arms[1].At[k].Found,
				f.Arms[1].At[k].Regret)
		}
	}
	p.Arms[1].Settings, p.Arms[0].From = json.RawMessage(`{"x":1}`), "multitask"
	p.Arms = append(p.Arms, Arm{Name: "knowing", Strategy: Oracle, From: "multitask"})
	_, err = Run(t.Context(), w, p, quiet)
	for _, arm := range []string{"oracle", "knowing"} {
		want := fmt.Sprintf("the arm %q: an oracle is no search: it takes no settings and no pretraining", arm)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}

// What is wrong with a plan comes together.
func TestCheck(t *testing.T) {
	p := testPlan()
	p.Arms = append(p.Arms, Arm{Name: "random", Strategy: "randm"}, Arm{Name: "cold", Strategy: strategy.Random, From: "multitusk"},
		Arm{Name: "odd", Strategy: strategy.NAML, Settings: json.RawMessage(`{"lr":1}`)})
	p.Tasks = append(p.Tasks, "x", "z")
	p.Pretrainings[0].Tasks = []string{"x"}
	p.Seeds, p.Budgets, p.Against = 0, []int{3, 1}, "none"
	_, err := Run(t.Context(), testWorld(t), p, quiet)
	for _, want := range []string{
		`the arm "random" is there twice`, `unknown strategy "randm"`, `no pretraining "multitusk" (there are: multitask)`,
		"its strategy random from nothing", `the arm "odd": `, `"lr"`, `targets: the task "x" is there twice`,
		`targets: there is no task "z" (there are: "a", "b", "c", "x", "y")`,
		`the pretraining "multitask": there is no task "x" (there are: "a", "b", "c")`, "0 seeds", "figures at [3 1] of 40 trials",
		`compared with "none"`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}

// A run that is interrupted has the seeds that are complete.
func TestInterrupted(t *testing.T) {
	w, p := testWorld(t), testPlan()
	p.Arms, p.Seeds = p.Arms[:1], 50
	ctx, cancel := context.WithCancel(t.Context())
	r, err := Run(ctx, w, p, func(done, _ int) {
		if done >= 5*len(p.Tasks)*p.Trials {
			cancel()
		}
	})
	if err == nil || r == nil || r.Seeds != 5 || len(r.Tasks[2].Arms[0].Searches) != 5 || slices.Contains(r.Tasks[2].Arms[0].Searches, nil) {
		t.Fatalf("%+v, %v", r, err)
	}
	if f := r.Figures(); len(f.Arms) != 1 || f.Rankings[0].Ranks[0] != 1 {
		t.Errorf("%+v", f)
	}
}

// What a search starts from is what it says: a pretraining never knows its target, and
// knowledge of other tasks helps.
func TestPretrained(t *testing.T) {
	w, p := testWorld(t), testPlan()
	p.Pretrainings[0].Trials, p.Seeds, p.Tasks, p.Trials = 600, 4, p.Tasks[:1], 10
	r := newRunner(w, &p, quiet)
	if l := r.needs(&p.Arms[2], "a", 3); fmt.Sprint(l.tasks) != "[b c]" || l.seed != 2 {
		t.Errorf("a development task as target: pretrained on %v with the seed %d", l.tasks, l.seed)
	}
	if l := r.needs(&p.Arms[2], "x", 2); fmt.Sprint(l.tasks) != "[a b c]" || l.seed != 1 {
		t.Errorf("pretrained on %v with the seed %d", l.tasks, l.seed)
	}
	one, eleven := &learned{pretraining: &Pretraining{Name: "p1"}, seed: 1}, &learned{pretraining: &Pretraining{Name: "p"}, seed: 11}
	if one.key() == eleven.key() {
		t.Errorf("p1 with the seed 1 is p with the seed 11: %s", one.key())
	}
	if r.needs(&p.Arms[1], "x", 0) != nil {
		t.Error("an arm from scratch needs a pretraining")
	}
	p.Workers, p.Budgets = 2, []int{10}
	result, err := Run(t.Context(), w, p, quiet)
	if err != nil {
		t.Fatal(err)
	}
	first := func(arm int) (sum float64) {
		for _, s := range result.Tasks[0].Arms[arm].Searches {
			sum += s.At[0].Validation / 4
		}
		return sum
	}
	if first(2) < first(1) {
		t.Errorf("first trials: %v of the transferred controller, %v of a new one", first(2), first(1))
	}
}

func TestScale(t *testing.T) {
	w := testWorld(t)
	v, test, best, err := scales(hill{peak: []int{0, 1, 2, 3, 4, 5}, options: w.Space.Options()}, w.Space.Options())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(best, []int{0, 1, 2, 3, 4, 5}) {
		t.Errorf("the best known is %v", best)
	}
	if math.Abs(v.Best-.9) > 1e-12 || math.Abs(test.Best-.89) > 1e-12 || !(v.Worst < v.Median && v.Median < v.Best) {
		t.Errorf("%+v, %+v", v, test)
	}
	s := Scale{Best: .9, Median: .7, Worst: .1}
	if a, b, c := s.Regret(.9), s.Regret(.7), s.Regret(.8); a != 0 || b != 1 || math.Abs(c-.5) > 1e-12 {
		t.Errorf("regrets %v, %v, %v", a, b, c)
	}
	if v := s.Target(.95); math.Abs(v-.89) > 1e-12 {
		t.Errorf("a target of %v", v)
	}
}

// Trials of a recorded task, one search of 500 at a time: of the clock, and of the CPU
// for machines that do something else beside.
func BenchmarkTrials(b *testing.B) {
	set, err := benchmark.Open(benchmark.Paper)
	if err != nil {
		b.Fatal(err)
	}
	task := set.Tasks()[0]
	w := &World{Space: set.Space, Kind: "text", Development: set.Development, Test: set.Test, Strategies: strategy.Builtin()}
	cpu := func() float64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
	}
	for _, d := range w.Strategies {
		if _, err := d.Canonical(nil, nil); err != nil {
			continue // it needs settings
		}
		b.Run(d.Name, func(b *testing.B) {
			p := testPlan()
			p.Trials = 500
			r := newRunner(w, &p, quiet)
			if r.lands[task], err = set.Surrogate(task); err != nil {
				b.Fatal(err)
			}
			began := cpu()
			b.ResetTimer()
			searches := (b.N + p.Trials - 1) / p.Trials
			for s := range searches {
				if _, err := r.target(b.Context(), &Arm{Name: d.Name, Strategy: d.Name}, task, uint64(s), nil); err != nil {
					b.Skip(err)
				}
			}
			n := float64(searches * p.Trials)
			b.ReportMetric(n/b.Elapsed().Seconds(), "trials/s")
			b.ReportMetric(n/(cpu()-began), "trials/cpu-s")
		})
	}
}
