package benchmark

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"gonum.org/v1/gonum/stat"

	"tnaml/experiments/metrics"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/nn/rng"
)

// paper returns the built-in set.
func paper(t testing.TB) *Set {
	t.Helper()
	s, err := Open(Paper)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func fit(t testing.TB, r *Record, o FitOptions) *Surrogate {
	t.Helper()
	s, err := Fit(r, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// drawn is a configuration drawn uniformly.
func drawn(s *Set, i uint64) []int {
	r := rng.New(1, "test", i)
	actions := make([]int, 0, len(s.Space.Choices))
	for _, n := range s.Space.Options() {
		actions = append(actions, r.IntN(n))
	}
	return actions
}

// look is Look of a configuration that must come to a result.
func look(t *testing.T, s *Surrogate, actions []int, seed uint64) [outputs]float64 {
	t.Helper()
	status, validation, test := s.Look(actions, seed)
	if status != trainer.OK {
		t.Fatalf("the status of %v is %s", actions, status)
	}
	return [outputs]float64{validation, test}
}

// A look-up is a function of its arguments, whoever fits the surrogate and however many
// ask it at once; another seed gives another accuracy; it is a whole number of examples.
func TestLookIsAFunction(t *testing.T) {
	set := paper(t)
	r := synthetic(set, 1, 220)
	a, b := fit(t, r, FitOptions{}), fit(t, r, FitOptions{})
	var group sync.WaitGroup
	for i := range uint64(4) {
		group.Go(func() {
			for k := range uint64(200) {
				x := look(t, a, drawn(set, k), 5)
				if y := look(t, b, drawn(set, k), 5); x != y {
					t.Errorf("goroutine %d: %v and %v", i, x, y)
				}
			}
		})
	}
	group.Wait()
	other := 0
	for k := range uint64(100) {
		x, y := look(t, a, drawn(set, k), 5), look(t, a, drawn(set, k), 6)
		if x != y {
			other++
		}
		for split, n := range []float64{500, 400} {
			if x[split] != math.Round(x[split]*n)/n {
				t.Errorf("%v is no number of %v examples", x[split], n)
			}
		}
	}
	if other < 80 {
		t.Errorf("of 100 configurations %d come out differently under another seed", other)
	}
}

// Configurations that have one key would have one luck: a space with more of them than there
// are keys is refused.
func TestFitRefusesTooManyConfigurations(t *testing.T) {
	r := synthetic(paper(t), 1, 30)
	for i := range 33 {
		r.Space().Choices = append(r.Space().Choices, space.Choice{Name: fmt.Sprint("more-", i), Options: []any{"a", "b", "c", "d"}})
		for k := range r.Rows {
			r.Rows[k].Actions = append(r.Rows[k].Actions, 0)
		}
	}
	if _, err := Fit(r, FitOptions{}); err == nil || !strings.Contains(err.Error(), "than 64 bits tell apart") {
		t.Error(err)
	}
}

// Choices that do nothing to a model change nothing.
func TestInertChoices(t *testing.T) {
	set := paper(t)
	s := fit(t, synthetic(set, 1, 110), FitOptions{})
	for i, c := range set.Space.Choices {
		x, y := drawn(set, 3), drawn(set, 3)
		x[2], y[2] = 0, 0 // hidden layers
		y[i] = (y[i] + 1) % len(c.Options)
		inert := slices.Contains([]string{trainer.HiddenSize, trainer.Activation, trainer.Normalisation, trainer.Dropout}, c.Name)
		if same := look(t, s, x, 1) == look(t, s, y, 1); same != inert {
			t.Errorf("without hidden layers another %s gives the same: %v", c.Name, same)
		}
	}
}

// statistics are what a strategy notices of a benchmark.
type statistics struct {
	mean, deviation [outputs]float64
	// together is the correlation of validation with test.
	together float64
	// luck is how much more of the validation accuracy is lost on the test split by the
	// best tenth by validation than by all.
	luck float64
	// noise is the standard deviation of a configuration's trainings.
	noise [outputs]float64
}

func statisticsOf(values [][outputs]float64, pairs [][2][outputs]float64) (s statistics) {
	var split [outputs][]float64
	gap := 0.0
	for _, v := range values {
		for k := range v {
			split[k] = append(split[k], v[k])
			s.mean[k] += v[k] / float64(len(values))
		}
		gap += (v[0] - v[1]) / float64(len(values))
	}
	for k := range split {
		s.deviation[k] = math.Sqrt(stat.PopVariance(split[k], nil))
	}
	s.together = stat.Correlation(split[0], split[1], nil)
	ranks, n := metrics.Ranks(split[:1])[0], float64(len(values)) // from the best
	best := 0
	for i, v := range values {
		if n-ranks[i] >= .9*n {
			s.luck += v[0] - v[1] - gap
			best++
		}
	}
	s.luck /= float64(best)
	for k := range s.noise {
		for _, p := range pairs {
			s.noise[k] += (p[0][k] - p[1][k]) * (p[0][k] - p[1][k]) / 2 / float64(len(pairs))
		}
		s.noise[k] = math.Sqrt(s.noise[k])
	}
	return s
}

// both are what was recorded of configurations drawn at random, and what a surrogate
// gives of such.
func both(t *testing.T, set *Set, r *Record) (is, gives statistics) {
	s := fit(t, r, FitOptions{})
	var values, looked [][outputs]float64
	var pairs, again [][2][outputs]float64
	measured := func(row Row) [outputs]float64 { return [outputs]float64{row.Validation, row.Test} }
	x, _ := s.rows(r.Rows)
	for _, row := range r.Rows {
		if row.Status == trainer.OK {
			values = append(values, measured(row))
		}
	}
	for _, p := range s.pairs(x) {
		if a, b := r.Rows[p[0]], r.Rows[p[1]]; a.Status == trainer.OK && b.Status == trainer.OK {
			pairs = append(pairs, [2][outputs]float64{measured(a), measured(b)})
		}
	}
	for i := range uint64(4000) {
		if status, v, w := s.Look(drawn(set, i), i); status == trainer.OK {
			_, v2, w2 := s.Look(drawn(set, i), i+1e6)
			looked = append(looked, [outputs]float64{v, w})
			again = append(again, [2][outputs]float64{{v, w}, {v2, w2}})
		}
	}
	return statisticsOf(values, pairs), statisticsOf(looked, again)
}

// What a surrogate gives of configurations drawn at random is like what was recorded of
// such: as good, as wide, as noisy, with as much luck in the best by validation. Of the
// real tasks, some of which have few rows, it is asked in the middle.
func TestSurrogateIsLikeItsRecord(t *testing.T) {
	set := paper(t)
	compare := func(what string, by float64, all ...statistics) {
		var differences [5][]float64
		for i := 0; i < len(all); i += 2 {
			is, gives := all[i], all[i+1]
			for k := range outputs {
				differences[0] = append(differences[0], (gives.mean[k]-is.mean[k])/is.deviation[k])
				differences[1] = append(differences[1], math.Log(gives.deviation[k]/is.deviation[k]))
				differences[2] = append(differences[2], math.Log(gives.noise[k]/is.noise[k]))
			}
			differences[3] = append(differences[3], math.Atanh(gives.together)-math.Atanh(is.together))
			differences[4] = append(differences[4], (gives.luck-is.luck)/is.deviation[0])
		}
		for i, d := range differences {
			slices.Sort(d)
			name := []string{"mean", "deviation", "noise", "correlation of the splits", "luck of the best"}[i]
			if m := d[len(d)/2]; math.Abs(m) > by {
				t.Errorf("%s: the %s is %+.2f from what was recorded, in deviations, logarithms or log-odds; %v may be", what, name, m, by)
			}
		}
	}
	var all []statistics
	for _, name := range set.Tasks() {
		r, err := set.Record(name)
		if err != nil {
			t.Fatal(err)
		}
		is, gives := both(t, set, r)
		t.Logf("%s: recorded %+.3f, looked up %+.3f", name, is, gives)
		all = append(all, is, gives)
	}
	if len(all) > 10 {
		compare("real tasks", .2, all...)
	}
	is, gives := both(t, set, synthetic(set, 1, 1100))
	compare("the synthetic task", .12, is, gives)
}

// cpuSeconds is what the process has taken: the machine may be another's too.
func cpuSeconds(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}

func BenchmarkLook(b *testing.B) {
	s := paper(b)
	g, err := s.Surrogate(s.Tasks()[0])
	if err != nil {
		b.Fatal(err)
	}
	actions := make([][]int, 1000)
	for i := range actions {
		actions[i] = drawn(s, uint64(i))
	}
	before := cpuSeconds(b)
	for i := 0; b.Loop(); i++ {
		g.Look(actions[i%len(actions)], uint64(i))
	}
	b.ReportMetric(float64(b.N)/(cpuSeconds(b)-before), "look-ups/cpu-s")
}

func BenchmarkFit(b *testing.B) {
	r := synthetic(paper(b), 1, 1000)
	before := cpuSeconds(b)
	for b.Loop() {
		fit(b, r, FitOptions{})
	}
	b.ReportMetric((cpuSeconds(b)-before)/float64(b.N), "cpu-s/fit")
}

// Luck ends at the best that was measured: no trial of thousands is above what is expected
// of its configuration and above the record's best.
func TestLuckEndsAtTheBest(t *testing.T) {
	set := paper(t)
	for _, task := range []string{"emotion", "20_newsgroups", "mpqa_opinion", "complaints"} {
		r, err := set.Record(task)
		if err != nil {
			t.Fatal(err)
		}
		var best [outputs]float64
		for _, row := range r.Rows {
			best[0], best[1] = max(best[0], row.Validation), max(best[1], row.Test)
		}
		s := fit(t, r, FitOptions{})
		atTheEnd := 0
		for i := range uint64(50000) {
			actions := drawn(set, i)
			var expected [outputs]float64
			expected[0], expected[1] = s.Mean(actions)
			for k, v := range look(t, s, actions, i) {
				end := max(best[k], math.Round(expected[k]*float64(s.sizes[k]))/float64(s.sizes[k]))
				if v > end+1e-9 {
					t.Fatalf("%s: a trial has %.4f on split %d, where the best of %d measured is %.4f and %.4f is expected", task, v, k, len(r.Rows),
						best[k], expected[k])
				}
				if v == end {
					atTheEnd++
				}
			}
		}
		t.Logf("%s: %d of 50,000 trials are at the end of their luck", task, atTheEnd)
	}
}
