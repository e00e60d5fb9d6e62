package metrics

import (
	"math"
	"slices"
	"testing"

	"tnaml/experiments/search"
	"tnaml/experiments/trainer"
	"tnaml/nn/rng"
)

// random is a ledger with ties, failures and two tasks.
func random(seed uint64, trials int) []search.Trial {
	r := rng.New(seed, "metrics test", 0)
	var out []search.Trial
	for i := range trials {
		x := trial(i, r.IntN(2), math.Round(40*r.Float64())/40, r.Float64())
		if r.IntN(9) == 0 {
			x.Status, x.Validation, x.Test = trainer.Diverged, 0, 0
		}
		x.Actions = []int{r.IntN(4)}
		out = append(out, x)
	}
	return out
}

// plain is accuracy-topN by its definition: sort everything, average the first.
func plain(trials []search.Trial, task, n int) (validation, test float64, models int) {
	var own []search.Trial
	for _, t := range trials {
		if t.Task == task && t.OK() {
			own = append(own, t)
		}
	}
	slices.SortStableFunc(own, func(a, b search.Trial) int {
		switch {
		case a.Validation > b.Validation:
			return -1
		case a.Validation < b.Validation:
			return 1
		}
		return 0
	})
	own = own[:min(n, len(own))]
	for _, t := range own {
		validation += t.Validation / float64(len(own))
		test += t.Test / float64(len(own))
	}
	return validation, test, len(own)
}

// A point of the curve is accuracy-topN of the trials until there, by its
// definition up to rounding and by AccuracyTopN to the bit; and the validation
// curve never falls once there are n models.
func TestCurveIsTopNOfEachPrefix(t *testing.T) {
	for seed, n := range []int{1, 2, 10, 37, 1000} {
		trials := random(uint64(seed), 400)
		curve := Curve(trials, 1, n)
		k, last := 0, 0.0
		for i := range trials {
			if trials[i].Task != 1 {
				continue
			}
			validation, test, models := plain(trials[:i+1], 1, n)
			if models == 0 {
				continue
			}
			p := curve[k]
			k++
			if math.Abs(p.Validation-validation) > 1e-12 || math.Abs(p.Test-test) > 1e-12 || p.Models != models {
				t.Fatalf("top%d after trial %d: %+v, want %v %v of %d", n, i, p, validation, test, models)
			}
			top, ok := AccuracyTopN(trials[:i+1], 1, n)
			if !ok || p.Validation != top.Validation.Mean || p.Test != top.Test.Mean {
				t.Fatalf("top%d after trial %d: %+v, AccuracyTopN %+v", n, i, p, top)
			}
			if p.Models == n {
				if p.Validation < last {
					t.Fatalf("top%d falls at trial %d", n, i)
				}
				last = p.Validation
			}
		}
		if k != len(curve) {
			t.Errorf("top%d: %d points, want %d", n, len(curve), k)
		}
	}
}

// TrialsTo is the first point of the curve that is high enough.
func TestTrialsToIsTheFirst(t *testing.T) {
	trials := random(9, 300)
	curve := Curve(trials, 0, 10)
	for _, p := range curve {
		if p.Models < 10 {
			continue
		}
		n, ok := TrialsTo(trials, 0, 10, p.Validation)
		if !ok || n > p.Trials || curve[n-curve[0].Trials].Validation != p.Validation {
			t.Fatalf("to %v: %d, %v at trial %d", p.Validation, n, ok, p.Trials)
		}
		if before := n - curve[0].Trials - 1; before >= 0 && curve[before].Models == 10 && curve[before].Validation >= p.Validation {
			t.Fatalf("to %v: %d is not the first", p.Validation, n)
		}
	}
}

// The sliding window is the count in each window, and each row sums to 1.
func TestProbabilitiesOfEachWindow(t *testing.T) {
	trials := random(4, 500)
	var own []int
	for _, x := range trials {
		if x.Task == 0 {
			own = append(own, x.Actions[0])
		}
	}
	rows := OptionProbabilities(trials, 0, 0, 4, Window)
	if len(rows) != len(own)-Window+1 {
		t.Fatalf("%d rows of %d trials", len(rows), len(own))
	}
	for i, row := range rows {
		total := 0.0
		for k, p := range row {
			count := 0
			for _, a := range own[i : i+Window] {
				if a == k {
					count++
				}
			}
			if p != float64(count)/Window {
				t.Fatalf("row %d option %d: %v, want %d of %d", i, k, p, count, Window)
			}
			total += p
		}
		if math.Abs(total-1) > 1e-12 {
			t.Fatalf("row %d sums to %v", i, total)
		}
	}
}

// A search that always finds something better is the worst case of the leaders:
// all of them go, and the sums stay exact.
func TestLeadersOfALongSearch(t *testing.T) {
	const trials, n = 10000, 1000
	l := newLeaders(n)
	for i := range trials {
		x := trial(i, 0, float64(i), 0)
		l.offer(&x)
	}
	if len(l.heap) != n || l.heap[0].Trial != trials-n {
		t.Fatalf("%d leaders from trial %d", len(l.heap), l.heap[0].Trial)
	}
	if want := float64(n) * (trials - n + trials - 1) / 2; l.validation.value() != want {
		t.Errorf("sum %v, want %v", l.validation.value(), want)
	}
}

func BenchmarkCurve(b *testing.B) {
	trials := random(1, 10000)
	for b.Loop() {
		Curve(trials, 0, 10)
	}
	b.ReportMetric(float64(b.N)*10000/b.Elapsed().Seconds(), "trials/s")
}

func BenchmarkCurveAlwaysBetter(b *testing.B) {
	trials := random(1, 10000)
	for i := range trials {
		trials[i].Validation = float64(i) / 10000
	}
	for b.Loop() {
		Curve(trials, 0, 1000)
	}
	b.ReportMetric(float64(b.N)*10000/b.Elapsed().Seconds(), "trials/s")
}
