package benchmark

import (
	"testing"

	"tnaml/nn/rng"
)

// sets returns the built-in sets.
func paper(t testing.TB) *Set {
	t.Helper()
	s, err := Open(Paper)
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
	for i := 0; b.Loop(); i++ {
		g.Look(actions[i%len(actions)], uint64(i))
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "look-ups/s")
}

func BenchmarkFit(b *testing.B) {
	s := paper(b)
	r, err := s.Record(s.Tasks()[0])
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Fit(r, FitOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(r.Rows)), "rows")
}
