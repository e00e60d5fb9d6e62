package metrics

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"tnaml/experiments/trainer"
	"tnaml/nn/rng"
)

// Score is what a method reached with one search.
type Score struct {
	Value float64
	// Right says which test examples each of the models has right that Value is the
	// mean share of; none where that is not known.
	Right []trainer.Bits
}

// Scores holds the scores of two methods on one task with one seed.
type Scores struct{ A, B Score }

// PairedTask is a task with the scores of each seed, one at least.
type PairedTask struct {
	Seeds []Scores
	// Examples is the number of test examples that scores without bits are shares of;
	// 0 for other values, whose examples are taken as given.
	Examples int
}

// Bootstrap is how intervals are made; zero values stand for the defaults.
type Bootstrap struct {
	Seed uint64
	// Replicates is 2,000 by default, Level .95.
	Replicates int
	Level      float64
	// FixedTasks takes the tasks as given: the interval is for a difference on these
	// very tasks, not on others like them.
	FixedTasks bool
}

// Interval is a mean with its confidence interval, from -Inf to +Inf where nothing says
// what the mean might vary by. JSON has neither end then.
type Interval struct {
	Mean, Low, High float64
}

// unknown is the interval of a mean of which nothing more is known.
func unknown(mean float64) Interval { return Interval{mean, math.Inf(-1), math.Inf(1)} }

// Known says that the interval has ends.
func (i Interval) Known() bool { return !math.IsInf(i.Low, 0) && !math.IsInf(i.High, 0) }

// Clear says that the interval leaves out 0.
func (i Interval) Clear() bool { return i.Outcome() != Draw }

// Outcome is a win where all of the interval is above 0, a loss where all is below.
func (i Interval) Outcome() Outcome {
	switch {
	case i.Low > 0:
		return Win
	case i.High < 0:
		return Loss
	}
	return Draw
}

// ends are an interval in JSON.
type ends struct {
	Mean float64  `json:"mean"`
	Low  *float64 `json:"low,omitempty"`
	High *float64 `json:"high,omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (i Interval) MarshalJSON() ([]byte, error) {
	e := ends{Mean: i.Mean}
	if i.Known() {
		e.Low, e.High = &i.Low, &i.High
	}
	return json.Marshal(e)
}

// UnmarshalJSON implements json.Unmarshaler.
func (i *Interval) UnmarshalJSON(b []byte) error {
	var e ends
	if err := json.Unmarshal(b, &e); err != nil {
		return err
	}
	if *i = unknown(e.Mean); e.Low != nil && e.High != nil {
		i.Low, i.High = *e.Low, *e.High
	}
	return nil
}

// PairedBootstrap estimates by how much A's score is above B's: the mean over tasks of
// the mean over seeds, with an interval that knows that other tasks, seeds and test
// examples might have been drawn. A replicate draws tasks with replacement, for each
// its seeds, and its test examples, the same for both methods and all seeds, so that
// what the models share cancels. Where no bits say which examples are right, the
// shares vary by the binomial distribution, A's independently of B's: wider than need be.
//
// The interval is the percentile interval, expanded for how few tasks or seeds there are
// (Hesterberg, 2015, "What teachers should know about the bootstrap", §5.2): its tails are
// those of the normal distribution at Student's quantile, for n drawn tasks of n−1 degrees
// of freedom and times √(n/(n−1)), for fixed tasks of as many as Welch and Satterthwaite
// have for what their seeds and examples vary by; there what m seeds vary by is scaled by
// √(m/(m−1)). For drawn tasks it is on the safe side: their differences vary by their
// seeds and examples already. Where draws or replicates are too few to have such tails, it
// is the mean ± that quantile times the replicates' standard deviation.
//
// One task says nothing of others, and one seed nothing of seeds: where nothing is known of
// what is drawn, nor, for fixed tasks, of a task's examples, there is no interval. It panics
// for a task without a seed and for bits of different numbers of examples; without tasks
// the mean is 0, and there is no interval.
func PairedBootstrap(tasks []PairedTask, o Bootstrap) Interval {
	if len(tasks) == 0 {
		return unknown(0)
	}
	o.Replicates, o.Level = cmp.Or(o.Replicates, 2000), cmp.Or(o.Level, .95)
	strata := make([]*stratum, len(tasks))
	observed := make([]float64, len(tasks))
	for i := range tasks {
		strata[i] = newStratum(&tasks[i])
		observed[i] = strata[i].mean
		if m := float64(len(tasks[i].Seeds)); o.FixedTasks && m > 1 {
			strata[i].scale = math.Sqrt(m / (m - 1))
		}
	}
	mean := Mean(observed).Mean
	if o.FixedTasks && slices.ContainsFunc(strata, (*stratum).silent) || !o.FixedTasks && len(tasks) == 1 {
		return unknown(mean)
	}
	means := make([]float64, o.Replicates)
	var stream rng.Stream
	for k := range means {
		r := stream.At(o.Seed, "metrics/bootstrap", uint64(k))
		total := 0.0
		for i := range strata {
			if !o.FixedTasks {
				i = r.IntN(len(strata))
			}
			total += strata[i].draw(r)
		}
		means[k] = total / float64(len(strata))
	}
	slices.Sort(means)
	spread := math.Sqrt(stat.Variance(means, nil))
	var wide, least float64
	if tail := (1 - o.Level) / 2; o.FixedTasks {
		wide, least = fixedTasks(tail, strata, spread)
	} else {
		wide, least = drawnTasks(tail, len(tasks))
	}
	tail := distuv.UnitNormal.CDF(-wide)
	if tail < least || tail*float64(o.Replicates) < beyond {
		return Interval{mean, mean - wide*spread, mean + wide*spread}
	}
	at := int(tail * float64(o.Replicates))
	return Interval{mean, means[at], means[len(means)-1-at]}
}

// beyond is how many replicates must lie beyond each end of a percentile interval, so that
// its ends are no matter of luck.
const beyond = 5

// drawnTasks is how many standard deviations of the replicates leave out a tail, of n drawn
// tasks, and the least tail that so many draws tell: all of one task may be a tenth of it.
func drawnTasks(tail float64, n int) (wide, least float64) {
	m := float64(n)
	return -student(tail, m-1) * math.Sqrt(m/(m-1)), 10 * math.Pow(m, -m)
}

// fixedTasks is drawnTasks of fixed tasks whose seeds and examples are drawn, spread being
// the standard deviation of the replicates.
func fixedTasks(tail float64, strata []*stratum, spread float64) (wide, least float64) {
	tasks := float64(len(strata))
	squares, draws := 0.0, 0.0 // draws: the logarithm of their number
	for _, s := range strata {
		if m := float64(len(s.differences)); m > 1 {
			v := stat.Variance(s.differences, nil) / m / tasks / tasks
			squares, draws = squares+v*v/(m-1), draws+m*math.Log(m)
		}
		if s.of > 1 {
			draws += float64(s.of) * math.Log(float64(s.of))
		}
	}
	if squares == 0 {
		return -distuv.UnitNormal.Quantile(tail), 0
	}
	return -student(tail, math.Pow(spread, 4)/squares), 10 * math.Exp(-draws)
}

// student is Student's quantile, of many degrees of freedom the normal one.
func student(p, freedom float64) float64 {
	if freedom > 1e4 {
		return distuv.UnitNormal.Quantile(p)
	}
	return distuv.StudentsT{Sigma: 1, Nu: freedom}.Quantile(p)
}

// stratum is a task as it is drawn from.
type stratum struct {
	mean float64
	// differences holds A − B for each seed.
	differences []float64
	// examples holds A − B for each example and seed, examples × seeds; empty without
	// bits.
	examples []float64
	// a and b are the shares of so many examples, over all seeds; 0 examples for none.
	a, b float64
	of   int
	// scale is what the seeds' luck is scaled by.
	scale float64
	times []int
}

func newStratum(t *PairedTask) *stratum {
	seeds := len(t.Seeds)
	if seeds == 0 {
		panic("metrics: a task without a seed")
	}
	s := &stratum{of: t.Examples, scale: 1, times: make([]int, seeds)}
	bits := !slices.ContainsFunc(t.Seeds, func(p Scores) bool { return len(p.A.Right) == 0 || len(p.B.Right) == 0 })
	for k, p := range t.Seeds {
		s.differences = append(s.differences, Difference(p.A.Value, p.B.Value))
		s.a, s.b = s.a+p.A.Value/float64(seeds), s.b+p.B.Value/float64(seeds)
		if !bits {
			continue
		}
		n := p.A.Right[0].N
		if k == 0 {
			s.of, s.examples = n, make([]float64, n*seeds)
		}
		s.add(k, p.A.Right, 1)
		s.add(k, p.B.Right, -1)
	}
	s.mean = Mean(s.differences).Mean
	return s
}

// silent says that nothing tells what the task's difference might vary by.
func (s *stratum) silent() bool { return len(s.differences) < 2 && s.of == 0 }

// add adds the models' mean to a seed's examples.
func (s *stratum) add(seed int, models []trainer.Bits, sign float64) {
	seeds := len(s.times)
	share := sign / float64(len(models))
	for _, m := range models {
		if m.N != s.of {
			panic(fmt.Sprintf("metrics: bits of %d and of %d test examples", m.N, s.of))
		}
		for i := range m.N {
			if m.Has(i) {
				s.examples[i*seeds+seed] += share
			}
		}
	}
}

// draw is the task's difference with other seeds and other examples.
func (s *stratum) draw(r *rand.Rand) float64 {
	clear(s.times)
	for range s.times {
		s.times[r.IntN(len(s.times))]++
	}
	seeds, drawn := float64(len(s.times)), 0.0
	for k, n := range s.times {
		drawn += float64(float64(n) * s.differences[k]) // rounded: no fused multiply-add
	}
	drawn /= seeds
	var luck float64
	if len(s.examples) > 0 {
		total := 0.0
		for range s.of {
			at := r.IntN(s.of) * len(s.times)
			for k, n := range s.times {
				total += float64(float64(n) * s.examples[at+k])
			}
		}
		luck = total/seeds/float64(s.of) - drawn
	} else {
		luck = s.luck(r, s.a) - s.luck(r, s.b)
	}
	return s.mean + float64(s.scale*(drawn-s.mean)) + luck
}

// luck is how far a share is off for its examples.
func (s *stratum) luck(r *rand.Rand, share float64) float64 {
	if s.of == 0 || !(share > 0 && share < 1) {
		return 0
	}
	n := float64(s.of)
	return distuv.Binomial{N: n, P: share, Src: r}.Rand()/n - share
}
