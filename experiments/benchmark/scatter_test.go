package benchmark

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat"

	"tnaml/experiments/trainer"
	"tnaml/nn/rng"
)

// The regression gives a straight line back, and goes on beyond its ends with a slope of
// one at most and of none where the line falls.
func TestLocalLinear(t *testing.T) {
	var x []float64
	for i := range 200 {
		x = append(x, float64(i)/100)
	}
	for _, c := range []struct{ slope, beyond float64 }{{0.5, 0.5}, {1, 1}, {3, 1}, {-2, 0}, {0, 0}} {
		var y []float64
		for _, v := range x {
			y = append(y, 1+c.slope*v)
		}
		line := localLinear(x, y)
		for _, at := range []float64{0, .123, 1, 1.99} {
			if v := line.at(at); math.Abs(v-1-c.slope*at) > 1e-9 {
				t.Errorf("slope %v: %v at %v", c.slope, v, at)
			}
		}
		if v := line.at(4.99) - line.at(1.99); math.Abs(v-3*c.beyond) > 1e-9 {
			t.Errorf("slope %v: three beyond the end is %v further, not %v", c.slope, v, 3*c.beyond)
		}
		if v := line.at(0) - line.at(-2); math.Abs(v-2*c.beyond) > 1e-9 {
			t.Errorf("slope %v: two before the beginning is %v less, not %v", c.slope, v, 2*c.beyond)
		}
	}
	if v := localLinear([]float64{2, 2, 2, 2}, []float64{1, 3, 1, 3}).at(2); v != 2 {
		t.Errorf("of one place: %v, not the mean", v)
	}
}

func TestQuantileAndProbability(t *testing.T) {
	sample := []float64{-1, 0, 0, 2}
	for p, want := range map[float64]float64{0: -1, 1: 2, .5: 0, 1. / 6: -.5, 5. / 6: 1} {
		if v := quantile(sample, p); math.Abs(v-want) > 1e-12 {
			t.Errorf("the quantile of %v is %v, not %v", p, v, want)
		}
	}
	// Half a member at either end; ties in the middle of theirs.
	for v, want := range map[float64]float64{-2: .125, -1: .125, -.5: .25, 0: .5, 1: .75, 2: .875, 3: .875} {
		if p := probability(sample, v); p != want {
			t.Errorf("the probability of %v is %v, not %v", v, p, want)
		}
	}
	if v := quantile([]float64{7}, .3); v != 7 {
		t.Errorf("of one member: %v", v)
	}
}

// What scatters in a known way is found again: how much two trainings of a configuration
// have in common, and the two splits, and the collapses of a twentieth.
func TestScatterFindsItsParts(t *testing.T) {
	for name, draw := range map[string]func(own, noise *rand.Rand) (validation, test float64){
		// Test follows from validation by .6, the rest is two parts own and one of noise too.
		"alike": func(own, noise *rand.Rand) (float64, float64) {
			v := math.Sqrt(2./3)*own.NormFloat64() + math.Sqrt(1./3)*noise.NormFloat64()
			w := math.Sqrt(2./3)*own.NormFloat64() + math.Sqrt(1./3)*noise.NormFloat64()
			return v, .6*v + .8*w
		},
		// The splits have their own parts in common, more or less, and in the noise nothing.
		"noise of each split": func(own, noise *rand.Rand) (float64, float64) {
			v := math.Sqrt(.5) * own.NormFloat64()
			return v + math.Sqrt(.2)*own.NormFloat64() + math.Sqrt(.3)*noise.NormFloat64(),
				v + math.Sqrt(.2)*own.NormFloat64() + math.Sqrt(.3)*noise.NormFloat64()
		},
		// They have the noise in common, and of their own parts nothing.
		"own part of each split": func(own, noise *rand.Rand) (float64, float64) {
			v := math.Sqrt(.5) * noise.NormFloat64()
			return v + math.Sqrt(.2)*noise.NormFloat64() + math.Sqrt(.3)*own.NormFloat64(),
				v + math.Sqrt(.2)*noise.NormFloat64() + math.Sqrt(.3)*own.NormFloat64()
		},
	} {
		t.Run(name, func(t *testing.T) {
			real := func(own, noise uint64) [outputs]float64 {
				v, w := draw(rng.New(own, "scatter/own", 0), rng.New(noise, "scatter/noise", 0))
				if v < -1.6 { // a twentieth
					v, w = v-10, w-10
				}
				return [outputs]float64{.2 * v, .2 * w}
			}
			var predicted, y [][outputs]float64
			var pairs [][2]int
			const n = 4000
			for i := range uint64(n) {
				at := rng.New(i, "scatter/level", 0).NormFloat64()
				trainings := []uint64{i}
				if i%4 == 0 {
					trainings = append(trainings, i+n)
					pairs = append(pairs, [2]int{len(y), len(y) + 1})
				}
				for _, k := range trainings {
					off := real(i, k)
					predicted, y = append(predicted, [outputs]float64{at, at}), append(y, [outputs]float64{at + off[0], at + off[1]})
				}
			}
			s := newScatter(predicted, y, pairs)
			drawn := func(own, noise uint64) [outputs]float64 {
				at := rng.New(own, "scatter/asked", 0).NormFloat64()
				return s.draw(s.center([outputs]float64{at, at}), rng.Derive(own, "own", 0), rng.Derive(noise, "noise", 0))
			}
			want, collapse, both := common(real)
			got, collapsed, bothDid := common(drawn)
			if math.Abs(collapsed-collapse) > .01 || math.Abs(bothDid-both) > .01 {
				t.Errorf("%.3f of the trials collapse, %.3f on both splits, not %.3f and %.3f", collapsed, bothDid, collapse, both)
			}
			for i, name := range []string{"validation of two trainings", "test of two trainings", "the two splits",
				"validation with another training's test"} {
				if math.Abs(got[i]-want[i]) > .06 {
					t.Errorf("the correlation of %s is %.3f, not %.3f", name, got[i], want[i])
				}
			}
		})
	}
}

// common are correlations of two trainings of a configuration, but for the collapses, and
// the share of these, of validation and of both splits.
func common(draw func(own, noise uint64) [outputs]float64) (out [4]float64, collapse, both float64) {
	const n = 20000
	var first, second [outputs][]float64
	for i := range uint64(n) {
		a, b := draw(i+1e6, i+1e6), draw(i+1e6, i+2e6)
		if a[0] < -1 {
			collapse += 1. / n
			if a[1] < -1 {
				both += 1. / n
			}
		}
		if min(a[0], a[1], b[0], b[1]) > -1 {
			for k := range a {
				first[k], second[k] = append(first[k], a[k]), append(second[k], b[k])
			}
		}
	}
	return [4]float64{stat.Correlation(first[0], second[0], nil), stat.Correlation(first[1], second[1], nil),
		stat.Correlation(first[0], first[1], nil), stat.Correlation(first[0], second[1], nil)}, collapse, both
}

// Of few configurations, many trials each, every one has its own middle and its own width,
// in whatever order the trials come.
func TestScatterOfFewConfigurations(t *testing.T) {
	at, middle, width := []float64{-1, 0, 1}, []float64{0, 2, 0}, []float64{.01, .5, .05}
	var predicted, y [][outputs]float64
	for i := range 600 {
		r := rng.New(uint64(i), "few", 0)
		predicted = append(predicted, [outputs]float64{at[i%3], at[i%3]})
		y = append(y, [outputs]float64{middle[i%3] + width[i%3]*r.NormFloat64(), middle[i%3] + width[i%3]*r.NormFloat64()})
	}
	s := newScatter(predicted, y, nil)
	for k, x := range at {
		c := s.center([outputs]float64{x, x})
		var off [outputs][]float64
		for i := range uint64(2000) {
			for split, v := range s.draw(c, rng.Derive(i, "few/own", 0), rng.Derive(i, "few/noise", 0)) {
				off[split] = append(off[split], v)
			}
		}
		for split := range off {
			if sd := stat.StdDev(off[split], nil); math.Abs(c[split]-middle[k]) > .1 || math.Abs(sd/width[k]-1) > .2 {
				t.Errorf("configuration %d is at %.3f ± %.3f, not at %v ± %v", k, c[split], sd, middle[k], width[k])
			}
		}
	}
}

// The ten best by validation of so many random configurations are as good as the ten best
// of so many that were recorded, on either split. It is asked in the mean over the tasks:
// that of one task's ten best on its test split is known to a point.
func TestTheBestAreLikeTheRecords(t *testing.T) {
	for _, name := range []string{Paper, Text} {
		set, err := Open(name)
		if err != nil {
			t.Fatal(err)
		}
		const searches = 40
		var more [outputs]float64
		for _, task := range set.Tasks() {
			r, err := set.Record(task)
			if err != nil {
				t.Fatal(err)
			}
			s := fit(t, r, FitOptions{})
			var rows [][outputs]float64
			once := map[uint64]bool{}
			x, _ := s.rows(r.Rows)
			for i, row := range r.Rows {
				if key := s.key(x[i]); row.Status == trainer.OK && !once[key] {
					once[key] = true
					rows = append(rows, [outputs]float64{row.Validation, row.Test})
				}
			}
			var off [outputs]float64
			for k := range uint64(searches) {
				d := rng.New(k, "test/best", 0)
				var recorded, looked [][outputs]float64
				for i, at := range d.Perm(len(rows))[:min(500, len(rows)/2)] {
					recorded = append(recorded, rows[at])
					if status, v, w := s.Look(drawn(set, k*1e4+uint64(i)), uint64(i)); status == trainer.OK {
						looked = append(looked, [outputs]float64{v, w})
					}
				}
				is, gives := tenBest(recorded), tenBest(looked)
				for split := range off {
					off[split] += 100 * (gives[split] - is[split]) / searches
				}
			}
			t.Logf("%s, %s: %+.2f points on validation, %+.2f on test", name, task, off[0], off[1])
			for split := range more {
				more[split] += off[split] / float64(len(set.Tasks()))
			}
		}
		t.Logf("%s: %+.2f points on validation, %+.2f on test", name, more[0], more[1])
		for split, v := range more {
			if math.Abs(v) > .25 {
				t.Errorf("%s: the ten best have %+.2f points of %s accuracy more than were recorded", name, v, []string{"validation", "test"}[split])
			}
		}
	}
}

// tenBest are the means of the ten best by validation.
func tenBest(values [][outputs]float64) (out [outputs]float64) {
	values = slices.Clone(values)
	slices.SortStableFunc(values, func(a, b [outputs]float64) int { return cmp.Compare(b[0], a[0]) })
	for _, v := range values[:10] {
		for k := range v {
			out[k] += v[k] / 10
		}
	}
	return out
}
