package blas

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// awkward are numbers of the order of the cut, with zeros of both signs and the
// cut itself among them; NaN and infinities too where asked for.
func awkward(n int, seed uint64, infinite bool) []float32 {
	v := numbers(n, seed)
	special := []float32{0, float32(math.Copysign(0, -1)), 6, -6, 1e-40, -1e-40}
	if infinite {
		special = append(special, float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), 3e38, -3e38)
	}
	for i := range v {
		v[i] *= 9
		if i%7 == 3 {
			v[i] = special[i/7%len(special)]
		}
	}
	return v
}

func same(a, b float32) bool { return sameBits(a, b) || a != a && b != b }

// The assembly rounds as the loop does, which is the formula, and leaves what
// lies beside the block alone.
func TestBiasReLU6(t *testing.T) {
	was := active
	defer func() { active = was }()
	for _, cols := range []int{1, 2, 7, 8, 9, 16, 31, 32, 33, 40, 64, 100} {
		for _, rows := range []int{1, 2, 5} {
			stride := cols + 3
			y, bias := awkward(rows*stride, uint64(cols), true), awkward(rows, uint64(rows), false)
			bias[rows-1] = float32(math.Copysign(0, -1))
			for _, l := range []*level{was, nil} {
				active = l
				got := slices.Clone(y)
				BiasReLU6(got, stride, cols, bias)
				for i, v := range got {
					want := y[i]
					if i%stride < cols {
						want = min(max(y[i]+bias[i/stride], 0), 6)
					}
					if !same(v, want) {
						t.Fatalf("%s: %d rows of %d: %v + %v gives %v, want %v", Vectors(), rows, cols, y[i], bias[i/stride], v, want)
					}
				}
			}
		}
	}
}

// depthwiseByDefinition is the formula over a padded map, its sums row by row.
func depthwiseByDefinition(src []float32, side, stride int, w []float32, bias float32) []float32 {
	to, pad := side/stride, 2-stride
	at := func(y, x int) float32 {
		if y < 0 || x < 0 || y >= side || x >= side {
			return 0
		}
		return src[y*side+x]
	}
	dst := make([]float32, to*to)
	for y := range to {
		for x := range to {
			var s [3]float32
			for i := range s {
				a := float32(w[3*i] * at(stride*y+i-pad, stride*x-pad))
				b := float32(w[3*i+1] * at(stride*y+i-pad, stride*x+1-pad))
				c := float32(w[3*i+2] * at(stride*y+i-pad, stride*x+2-pad))
				s[i] = a + b + c
			}
			dst[y*to+x] = min(max(s[0]+s[1]+s[2]+bias, 0), 6)
		}
	}
	return dst
}

func TestDepthwise(t *testing.T) {
	was := active
	defer func() { active = was }()
	for side := 1; side <= 68; side++ {
		for stride := 1; stride <= 2; stride++ {
			if side%stride != 0 {
				continue
			}
			to := side / stride
			for _, infinite := range []bool{false, true} {
				// What is before and after the map must not be read: it is NaN.
				around := awkward(side*side+40, uint64(side), infinite)
				for i := range 20 {
					around[i], around[len(around)-1-i] = float32(math.NaN()), float32(math.NaN())
				}
				src, w := around[20:][:side*side], numbers(9, uint64(side+stride))
				for _, bias := range []float32{.5, -3, 0, float32(math.Copysign(0, -1))} {
					want := depthwiseByDefinition(src, side, stride, w, bias)
					for _, l := range []*level{was, nil} {
						active = l
						dst := numbers(to*to+2, 3)
						before, after := dst[0], dst[to*to+1]
						Depthwise(dst[1:][:to*to], src, side, stride, w, bias)
						if dst[0] != before || dst[to*to+1] != after {
							t.Fatalf("%s: side %d, stride %d: written beside the map", Vectors(), side, stride)
						}
						for i, v := range dst[1:][:to*to] {
							if !same(v, want[i]) {
								t.Fatalf("%s: side %d, stride %d, bias %v: [%d,%d] = %v, want %v", Vectors(), side, stride, bias, i/to, i%to, v, want[i])
							}
						}
					}
				}
			}
		}
	}
}

// Hand-made numbers: the padding of stride 2 shows, and the cuts.
func TestDepthwiseByHand(t *testing.T) {
	ones := []float32{1, 1, 1, 1, 1, 1, 1, 1, 1}
	src := []float32{.01, .02, .03, .04, .05, .06, .07, .08, .09, .10, .11, .12, .13, .14, .15, .16}
	for _, c := range []struct {
		stride int
		bias   float32
		want   map[int]float32
	}{
		{1, .5, map[int]float32{0: .14 + .5, 3: .22 + .5, 5: .54 + .5, 15: .54 + .5}},
		{2, 0, map[int]float32{0: .54, 1: .45, 2: .72, 3: .54}}, // from (0,0), (0,2), (2,0), (2,2); beyond: zeros
		{1, 100, map[int]float32{0: 6, 15: 6}},
		{2, -100, map[int]float32{0: 0, 3: 0}},
	} {
		dst := make([]float32, 16/(c.stride*c.stride))
		Depthwise(dst, src, 4, c.stride, ones, c.bias)
		for i, want := range c.want {
			if d := dst[i] - want; d > 1e-6 || d < -1e-6 {
				t.Errorf("stride %d, bias %v: output %d is %v, want %v", c.stride, c.bias, i, dst[i], want)
			}
		}
	}
}

func TestConvolutionRefuses(t *testing.T) {
	v := make([]float32, 64)
	for name, f := range map[string]func(){
		"stride 3":     func() { Depthwise(v[:4], v[:36], 6, 3, v[:9], 0) },
		"odd side":     func() { Depthwise(v[:1], v[:9], 3, 2, v[:9], 0) },
		"weights":      func() { Depthwise(v[:16], v[:16], 4, 1, v[:8], 0) },
		"short map":    func() { Depthwise(v[:16], v[:15], 4, 1, v[:9], 0) },
		"short result": func() { Depthwise(v[:3], v[:16], 4, 2, v[:9], 0) },
		"no side":      func() { Depthwise(v[:0], v[:0], 0, 1, v[:9], 0) },
		"short rows":   func() { BiasReLU6(v[:63:63], 16, 16, v[:4]) },
		"row stride":   func() { BiasReLU6(v, 15, 16, v[:4]) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
	BiasReLU6(nil, 4, 4, nil) // no rows
}

func BenchmarkDepthwise(b *testing.B) {
	for _, stride := range []int{1, 2} {
		for _, side := range []int{64, 32, 16, 8} {
			b.Run(fmt.Sprintf("stride=%d/side=%d", stride, side), func(b *testing.B) {
				src, w := numbers(side*side, 1), numbers(9, 2)
				dst := make([]float32, side*side/(stride*stride))
				for b.Loop() {
					Depthwise(dst, src, side, stride, w, .1)
				}
				b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N*len(dst)), "ns/pixel")
			})
		}
	}
}

func BenchmarkBiasReLU6(b *testing.B) {
	y, bias := numbers(64*512, 1), make([]float32, 64)
	for b.Loop() {
		BiasReLU6(y, 512, 512, bias)
	}
	b.ReportMetric(float64(len(y))*float64(b.N)/b.Elapsed().Seconds(), "numbers/s")
}
