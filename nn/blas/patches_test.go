package blas

import (
	"math"
	"slices"
	"testing"
)

// Normalise is the formula, and the assembly rounds as the loop does.
func TestNormalise(t *testing.T) {
	was := active
	defer func() { active = was }()
	for n := 1; n < 120; n++ {
		x := numbers(n+1, uint64(n))
		var mean, variance float64
		for i := range x {
			x[i] = 100 + 50*x[i]
			if i < n {
				mean += float64(x[i]) / float64(n)
			}
		}
		for _, v := range x[:n] {
			variance += (float64(v) - mean) * (float64(v) - mean) / float64(n)
		}
		var bits []float32
		for _, l := range []*level{was, nil} {
			active = l
			got := slices.Clone(x)
			Normalise(got[:n], 10)
			if got[n] != x[n] {
				t.Fatalf("%s: written beyond the end", Vectors())
			}
			for i, v := range got[:n] {
				if want := (float64(x[i]) - mean) / math.Sqrt(variance+10); math.Abs(float64(v)-want) > 1e-5 {
					t.Fatalf("%s: [%d] of %d: %v, want %v", Vectors(), i, n, v, want)
				}
			}
			if bits == nil {
				bits = got
			} else if !slices.EqualFunc(bits, got, sameBits) {
				t.Fatalf("%d numbers: other bits than the loop", n)
			}
		}
	}
}

func TestTriangle(t *testing.T) {
	was := active
	defer func() { active = was }()
	for n := 1; n < 120; n++ {
		dots, norms, sums := numbers(n+1, 1), numbers(n+1, uint64(n)), numbers(n+1, 3)
		for i := range norms {
			norms[i] = 1 + norms[i]*norms[i]
		}
		dots[n/2] = 20 // a rounding error larger than the distance: 0, no NaN
		const square = 3
		distance, mean := make([]float64, n), 0.0
		for k := range distance {
			distance[k] = math.Sqrt(max(0, square+float64(norms[k])-2*float64(dots[k])))
			mean += distance[k] / float64(n)
		}
		var bits []float32
		for _, l := range []*level{was, nil} {
			active = l
			s, d := slices.Clone(sums), slices.Clone(dots)
			Triangle(s, d[:n], norms, square)
			if s[n] != sums[n] || d[n] != dots[n] {
				t.Fatalf("%s: written beyond the end", Vectors())
			}
			for k := range n {
				if want := float64(sums[k]) + max(0, mean-distance[k]); math.Abs(float64(s[k])-want) > 1e-5 ||
					math.Abs(float64(d[k])-distance[k]) > 1e-5 {
					t.Fatalf("%s: [%d] of %d: %v at distance %v, want %v at %v", Vectors(), k, n, s[k], d[k], want, distance[k])
				}
			}
			if bits == nil {
				bits = append(s, d...)
			} else if !slices.EqualFunc(bits, append(s, d...), sameBits) {
				t.Fatalf("%d centroids: other bits than the loop", n)
			}
			d[n/3] = float32(math.NaN())
			Triangle(s, d[:n], norms, square)
			if s[0] == s[0] {
				t.Fatalf("%s: a NaN among %d distances does not show", Vectors(), n)
			}
		}
	}
}
