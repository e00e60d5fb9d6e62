package guard

import (
	"testing"

	"tnaml/experiments/metrics"
)

// By hand: the sums are 1.9, 2.0 and 1.8, so the second is chosen. Without the first repeat
// it is the first (1.3), with .6; without the second the second (1.5), with .5; without
// the third the third (1.5), with .3: 1.4/3.
func TestAgainByHand(t *testing.T) {
	best, expected := Again([][]float64{{.6, .6, .7}, {.9, .5, .6}, {.7, .8, .3}})
	want := metrics.Mean([]float64{.6, .5, .3})
	if best != 1 || !near(expected.Mean, want.Mean, 1e-12) || !near(expected.Error, want.Error, 1e-12) {
		t.Errorf("%d, %+v, want %+v", best, expected, want)
	}
	if best, expected := Again([][]float64{{-2, -2}, {-2, -2}}); best != 0 || expected != (metrics.Estimate{Mean: -2}) {
		t.Errorf("of equal ones %d, %+v", best, expected)
	}
}
