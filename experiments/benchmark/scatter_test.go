package benchmark

import (
	"cmp"
	"math"
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

func TestQuantileAndShare(t *testing.T) {
	sample := []float64{-1, 0, 0, 2}
	for p, want := range map[float64]float64{0: -1, 1: 2, .5: 0, 1. / 6: -.5, 5. / 6: 1} {
		if v := quantile(sample, p); math.Abs(v-want) > 1e-12 {
			t.Errorf("the quantile of %v is %v, not %v", p, v, want)
		}
	}
	// Half a member at either end; ties in the middle of theirs.
	for v, want := range map[float64]float64{-2: .125, -1: .125, -.5: .25, 0: .5, 1: .75, 2: .875, 3: .875} {
		if p := share(sample, v); p != want {
			t.Errorf("the share below %v is %v, not %v", v, p, want)
		}
	}
	if v := quantile([]float64{7}, .3); v != 7 {
		t.Errorf("of one member: %v", v)
	}
}

// What scatters in a known way is found again: of trials whose deviations are two parts of
// the configuration's own and one of noise, with a tail of collapses, what is drawn has
// the tail, and two trainings have two thirds in common on either split.
func TestScatterFindsItsParts(t *testing.T) {
	var foretold, y [][outputs]float64
	var pairs [][2]int
	draw := func(own, noise uint64) [outputs]float64 {
		a, b := rng.New(own, "scatter/own", 0), rng.New(noise, "scatter/noise", 0)
		v := math.Sqrt(2./3)*a.NormFloat64() + math.Sqrt(1./3)*b.NormFloat64()
		w := math.Sqrt(2./3)*a.NormFloat64() + math.Sqrt(1./3)*b.NormFloat64()
		out := [outputs]float64{.2 * v, .2 * (.6*v + .8*w)}
		if v < -1.6 { // a twentieth
			out[0], out[1] = out[0]-2, out[1]-2
		}
		return out
	}
	const n = 4000
	for i := range uint64(n) {
		at := rng.New(i, "scatter/level", 0).NormFloat64()
		again := [][2]uint64{{i, i}}
		if i%4 == 0 {
			again = append(again, [2]uint64{i, i + n})
			pairs = append(pairs, [2]int{len(y), len(y) + 1})
		}
		for _, k := range again {
			off := draw(k[0], k[1])
			foretold, y = append(foretold, [outputs]float64{at, at}), append(y, [outputs]float64{at + off[0], at + off[1]})
		}
	}
	s := newScatter(foretold, y, pairs)
	var first, second [outputs][]float64
	collapsed, both := 0, 0
	for i := range uint64(20000) {
		at := rng.New(i, "scatter/asked", 0).NormFloat64()
		c := s.center([outputs]float64{at, at})
		a := s.draw(c, rng.Derive(i, "own", 0), rng.Derive(i, "noise", 0))
		b := s.draw(c, rng.Derive(i, "own", 0), rng.Derive(i, "noise", 1))
		if a[0] < -1 {
			collapsed++
			if a[1] < -1 {
				both++
			}
			continue
		}
		if b[0] < -1 {
			continue
		}
		for k := range a {
			first[k], second[k] = append(first[k], a[k]), append(second[k], b[k])
		}
	}
	if share := float64(collapsed) / 20000; math.Abs(share-.055) > .01 || float64(both) < .97*float64(collapsed) {
		t.Errorf("%v of the trials collapse, and %d of %d on the test split too", share, both, collapsed)
	}
	want, real := [4]float64{}, [2][outputs][]float64{}
	for i := range uint64(20000) {
		a, b := draw(i+1e6, i+1e6), draw(i+1e6, i+2e6)
		if a[0] > -1 && b[0] > -1 {
			for k := range a {
				real[0][k], real[1][k] = append(real[0][k], a[k]), append(real[1][k], b[k])
			}
		}
	}
	got := [4]float64{}
	for i, of := range [2][2][outputs][]float64{{first, second}, real} {
		c := [4]float64{stat.Correlation(of[0][0], of[1][0], nil), stat.Correlation(of[0][1], of[1][1], nil),
			stat.Correlation(of[0][0], of[0][1], nil), stat.Correlation(of[0][0], of[1][1], nil)}
		if i == 0 {
			got = c
		} else {
			want = c
		}
	}
	for i, name := range []string{"validation of two trainings", "test of two trainings", "the two splits", "validation with another training's test"} {
		if math.Abs(got[i]-want[i]) > .05 {
			t.Errorf("the correlation of %s is %.3f, not %.3f", name, got[i], want[i])
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
