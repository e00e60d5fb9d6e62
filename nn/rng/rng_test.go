package rng

import (
	"fmt"
	"math"
	"math/bits"
	"testing"
)

// The generators are part of every result's identity: these numbers must never
// change. The keys were worked out apart from this program, as the first 16
// bytes, little-endian, of SHA-256(seed ‖ index ‖ stream), seed and index in 8
// bytes each.
func TestFixedVectors(t *testing.T) {
	for _, c := range vectors {
		hi, lo := key(c.seed, c.stream, c.index)
		if hi != c.hi || lo != c.lo {
			t.Errorf("key(%d, %q, %d) = %#x, %#x; want %#x, %#x", c.seed, c.stream, c.index, hi, lo, c.hi, c.lo)
		}
		if got := Derive(c.seed, c.stream, c.index); got != c.hi {
			t.Errorf("Derive(%d, %q, %d) = %#x, want %#x", c.seed, c.stream, c.index, got, c.hi)
		}
		r := New(c.seed, c.stream, c.index)
		for i, want := range c.draws {
			if got := r.Uint64(); got != want {
				t.Errorf("draw %d of (%d, %q, %d) is %#x, want %#x", i, c.seed, c.stream, c.index, got, want)
			}
		}
	}
}

// Two generators of one event give one sequence, whatever was drawn elsewhere.
func TestNoSharedState(t *testing.T) {
	a := New(1, "s", 2)
	other := New(1, "s", 3)
	b := New(1, "s", 2)
	for i := range 100 {
		other.Uint64()
		if x, y := a.Uint64(), b.Uint64(); x != y {
			t.Fatalf("draw %d: %#x and %#x", i, x, y)
		}
		if i%3 == 0 {
			other.NormFloat64()
		}
	}
}

// Coordinates that are alike in any way have unrelated generators: no two of
// their first draws are equal, and about half of the bits differ.
func TestNeighboursAreUnrelated(t *testing.T) {
	type coordinates struct {
		seed   uint64
		stream string
		index  uint64
	}
	var all []coordinates
	for _, seed := range []uint64{0, 1, 2, 3, 1 << 32, 1 << 63, math.MaxUint64} {
		for _, stream := range []string{"", "a", "b", "aa", "a\x00", "\x00", "a/1", "a/11"} {
			for _, index := range []uint64{0, 1, 2, 3, 1 << 32, 1 << 63, math.MaxUint64} {
				all = append(all, coordinates{seed, stream, index})
			}
		}
	}
	seen := map[uint64]string{}
	differ, pairs := 0, 0
	var before uint64
	for i, c := range all {
		draw := New(c.seed, c.stream, c.index).Uint64()
		for what, v := range map[string]uint64{"a draw": draw, "a derived seed": Derive(c.seed, c.stream, c.index)} {
			if twice, ok := seen[v]; ok {
				t.Errorf("%s of %v is also %s", what, c, twice)
			}
			seen[v] = fmt.Sprint(what, " of ", c)
		}
		if i > 0 {
			differ += bits.OnesCount64(draw ^ before)
			pairs++
		}
		before = draw
	}
	mean := float64(differ) / float64(pairs)
	if sd := 4 / math.Sqrt(float64(pairs)); math.Abs(mean-32) > 5*sd {
		t.Errorf("neighbours differ in %.2f of 64 bits, want 32 ± %.2f", mean, sd)
	}
}

// The first draws of consecutive events, which is how most of the project
// draws, are uniform and uncorrelated, within a stream and between streams.
func TestFirstDrawsAreUniform(t *testing.T) {
	const n, bins = 20000, 64
	var counts [bins]int
	var x, y [n]float64
	for i := range n {
		x[i] = New(7, "x", uint64(i)).Float64()
		y[i] = New(7, "y", uint64(i)).Float64()
		counts[int(x[i]*bins)]++
	}
	chi := 0.0
	for _, k := range counts {
		d := float64(k) - n/bins
		chi += d * d / (n / bins)
	}
	// χ² with 63 degrees of freedom: mean 63, standard deviation 11.2.
	if chi < 63-5*11.2 || chi > 63+5*11.2 {
		t.Errorf("χ² of the first draws is %.1f with %d degrees of freedom", chi, bins-1)
	}
	correlation := func(a, b []float64) float64 {
		sum := 0.0
		for i := range a {
			sum += (a[i] - 0.5) * (b[i] - 0.5) * 12
		}
		return sum / float64(len(a))
	}
	limit := 5 / math.Sqrt(n)
	for name, r := range map[string]float64{
		"of the next event":    correlation(x[:n-1], x[1:]),
		"of another stream":    correlation(x[:], y[:]),
		"of a stream's next":   correlation(x[:n-1], y[1:]),
		"of a hundred further": correlation(x[:n-100], x[100:]),
	} {
		if math.Abs(r) > limit {
			t.Errorf("correlation with the first draw %s is %.4f, over %.4f", name, r, limit)
		}
	}
}

// A derived seed's generators have nothing to do with its parent's.
func TestDeriveIsNoShift(t *testing.T) {
	seen := map[uint64]bool{}
	for i := range uint64(1000) {
		seen[New(5, "trial", i).Uint64()] = true
	}
	for i := range uint64(1000) {
		child := Derive(5, "trial", i)
		if child == 5 || seen[child] || seen[New(child, "trial", i).Uint64()] || seen[New(child, "trial", 0).Uint64()] {
			t.Fatalf("child %d repeats its parent", i)
		}
	}
}

func BenchmarkNew(b *testing.B) {
	for i := uint64(0); b.Loop(); i++ {
		New(1, "embedding/sgns", i).Uint64()
	}
}

// A stream's generators are those of New, one after the other, without allocation.
func TestStream(t *testing.T) {
	var s Stream
	for i := range uint64(20) {
		a, b := New(3, "stream", i), s.At(3, "stream", i)
		for range i + 1 {
			if x, y := a.Uint64(), b.Uint64(); x != y {
				t.Fatalf("event %d: %d, want %d", i, y, x)
			}
			if x, y := a.NormFloat64(), b.NormFloat64(); x != y {
				t.Fatalf("event %d: %v, want %v", i, y, x)
			}
		}
	}
	if n := testing.AllocsPerRun(100, func() { s.At(1, "search/actions", 7).Uint64() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
