package metrics

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

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
// The interval is the percentile interval, for drawn tasks expanded for their number
// (Hesterberg, 2015, "What teachers should know about the bootstrap", §5.2): its tails
// are those of the normal distribution at √(n/(n−1)) times Student's quantile for n
// tasks. It is on the safe side: tasks' differences vary by their seeds and examples
// already. For fixed tasks what m seeds vary by is scaled by √(m/(m−1)), and one seed says
// nothing of seeds: where nothing is known of a task's examples either, there is no
// interval. It panics for a task without a seed and for bits of different numbers of
// examples; without tasks the mean is 0, and there is no interval.
func PairedBootstrap(tasks []PairedTask, o Bootstrap) Interval {
	if len(tasks) == 0 {
		return unknown(0)
	}
	o.Replicates, o.Level = cmp.Or(o.Replicates, 2000), cmp.Or(o.Level, .95)
	o.FixedTasks = o.FixedTasks || len(tasks) == 1
	strata := make([]*stratum, len(tasks))
	observed := make([]float64, len(tasks))
	tail := (1 - o.Level) / 2
	if !o.FixedTasks {
		tail = expanded(tail, len(tasks))
	}
	for i := range tasks {
		strata[i] = newStratum(&tasks[i])
		observed[i] = strata[i].mean
		if m := float64(len(tasks[i].Seeds)); o.FixedTasks && m > 1 {
			strata[i].scale = math.Sqrt(m / (m - 1))
		}
	}
	if o.FixedTasks && slices.ContainsFunc(strata, (*stratum).silent) {
		return unknown(Mean(observed).Mean)
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
	at := int(tail * float64(o.Replicates))
	return Interval{Mean(observed).Mean, means[at], means[len(means)-1-at]}
}

// expanded is the tail of a percentile interval of n draws.
func expanded(tail float64, n int) float64 {
	t := distuv.StudentsT{Sigma: 1, Nu: float64(n - 1)}.Quantile(tail)
	return distuv.UnitNormal.CDF(math.Sqrt(float64(n)/float64(n-1)) * t)
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
		s.differences = append(s.differences, p.A.Value-p.B.Value)
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
