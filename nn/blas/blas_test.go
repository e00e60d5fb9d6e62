package blas

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"

	"tnaml/nn/rng"
)

// levels are the kernels this processor runs; none skips with a message.
func levels(t testing.TB) []*level {
	l := available()
	if len(l) == 0 {
		t.Skip("no AVX2 and FMA on this processor, or built with noasm: gonum's kernels stay")
	}
	return l
}

func numbers(n int, seed uint64) []float32 {
	r := rng.New(seed, "numbers", 0)
	v := make([]float32, n)
	for i := range v {
		v[i] = 2*r.Float32() - 1
	}
	return v
}

// product is C = alpha·op(A)·op(B) + beta·C in float64, and the sum of the
// magnitudes, which bounds the rounding.
func product(
	ta, tb bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int,
) (out, size []float64) {
	out, size = make([]float64, m*n), make([]float64, m*n)
	for i := range m {
		for j := range n {
			var sum, abs float64
			for p := range k {
				x, y := a[min(i*lda+p, len(a)-1)], b[min(p*ldb+j, len(b)-1)]
				if ta {
					x = a[p*lda+i]
				}
				if tb {
					y = b[j*ldb+p]
				}
				sum += float64(x) * float64(y)
				abs += math.Abs(float64(x) * float64(y))
			}
			old := 0.0
			if beta != 0 {
				old = float64(beta) * float64(c[i*ldc+j])
			}
			out[i*n+j] = float64(alpha)*sum + old
			size[i*n+j] = math.Abs(float64(alpha))*abs + math.Abs(old)
		}
	}
	return out, size
}

// checkGemm compares a product on all levels with the plain one and with each
// other, and looks that nothing beside C is written.
func checkGemm(t *testing.T, ta, tb bool, m, n, k int, alpha, beta float32, pad int) {
	t.Helper()
	colsA, rowsA, colsB, rowsB := k, m, n, k
	op := [2]blas.Transpose{blas.NoTrans, blas.NoTrans}
	if ta {
		colsA, rowsA, op[0] = m, k, blas.Trans
	}
	if tb {
		colsB, rowsB, op[1] = k, n, blas.Trans
	}
	lda, ldb, ldc := colsA+pad, colsB+pad, n+pad
	a, b := numbers((rowsA-1)*lda+colsA, 1), numbers((rowsB-1)*ldb+colsB, 2)
	start := numbers((m-1)*ldc+n+pad, 3)
	if beta == 0 {
		start[0] = float32(math.NaN()) // must not be read
	}
	want, size := product(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, start, ldc)
	var first []float32
	for _, l := range levels(t) {
		c := slices.Clone(start)
		Implementation{level: l}.Sgemm(op[0], op[1], m, n, k, alpha, a, lda, b, ldb, beta, c[:(m-1)*ldc+n], ldc)
		name := fmt.Sprintf("%s %t %t %d×%d×%d alpha %v beta %v pad %d", l.name, ta, tb, m, n, k, alpha, beta, pad)
		for i, v := range c {
			row, col := i/ldc, i%ldc
			if row >= m || col >= n {
				if v != start[i] {
					t.Fatalf("%s: element %d beside C was written", name, i)
				}
				continue
			}
			at := row*n + col
			if d := math.Abs(float64(v) - want[at]); !(d <= 1e-6*size[at]+1e-30) {
				t.Fatalf("%s: C[%d,%d] = %v, want %v", name, row, col, v, want[at])
			}
		}
		if first == nil {
			first = c
		} else if !slices.EqualFunc(first, c, sameBits) {
			t.Fatalf("%s: other bits than %s", name, levels(t)[0].name)
		}
	}
}

func sameBits(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }

func TestGemm(t *testing.T) {
	sizes := []int{1, 2, 3, 5, 6, 7, 8, 11, 12, 13, 16, 17, 31, 33, 47, 64, 100}
	for _, m := range sizes {
		for _, n := range sizes {
			for _, k := range []int{1, 2, 7, 8, 9, 20, 65} {
				for form := range 4 {
					checkGemm(t, form&1 > 0, form&2 > 0, m, n, k, 1, 0, 0)
				}
			}
		}
	}
	for form := range 4 {
		for _, alpha := range []float32{1, -0.5} {
			for _, beta := range []float32{0, 1, -2} {
				checkGemm(t, form&1 > 0, form&2 > 0, 29, 45, 17, alpha, beta, 3)
				checkGemm(t, form&1 > 0, form&2 > 0, 13, 18, 2*depth+5, alpha, beta, 1)
			}
		}
		checkGemm(t, form&1 > 0, form&2 > 0, 100, 128, 256, 1, 0, 0)
		checkGemm(t, form&1 > 0, form&2 > 0, 3, 5, depth, 1, 1, 0)
	}
}

func FuzzGemm(f *testing.F) {
	f.Add(uint8(1), uint8(1), uint16(1), uint8(0), uint8(0), float32(1), float32(0))
	f.Add(uint8(100), uint8(33), uint16(1030), uint8(3), uint8(2), float32(-1), float32(.5))
	f.Fuzz(func(t *testing.T, m, n uint8, k uint16, form, pad uint8, alpha, beta float32) {
		bounded := func(v float32) bool { return math.Abs(float64(v)) < 1e6 && (v == 0 || math.Abs(float64(v)) > 1e-6) }
		if m == 0 || n == 0 || k == 0 || k > 3000 || alpha == 0 || !bounded(alpha) || !bounded(beta) {
			return
		}
		checkGemm(t, form&1 > 0, form&2 > 0, int(m), int(n), int(k), alpha, beta, int(pad%9))
	})
}

// An element does not depend on what lies around it.
func TestGemmOneChain(t *testing.T) {
	a, b := numbers(50*70, 1), numbers(70*50, 2)
	for _, l := range levels(t) {
		c := make([]float32, 50*50)
		Implementation{level: l}.Sgemm(blas.NoTrans, blas.NoTrans, 50, 50, 70, 1, a, 70, b, 50, 0, c, 50)
		for i := range 50 {
			for j := range 50 {
				var one [1]float32
				Implementation{level: l}.Sgemm(blas.NoTrans, blas.NoTrans, 1, 1, 70, 1, a[i*70:], 70, b[j:], 50, 0, one[:], 1)
				if !sameBits(one[0], c[i*50+j]) {
					t.Fatalf("%s: [%d,%d] alone %v, among others %v", l.name, i, j, one[0], c[i*50+j])
				}
			}
		}
	}
}

// What is wrong is refused as gonum refuses it; what is empty is left alone.
func TestGemmInvalid(t *testing.T) {
	l := levels(t)[0]
	v := make([]float32, 16)
	for name, f := range map[string]func(){
		"short a": func() { Implementation{level: l}.Sgemm('N', 'N', 4, 4, 4, 1, v[:15], 4, v, 4, 0, v, 4) },
		"short c": func() { Implementation{level: l}.Sgemm('N', 'N', 4, 4, 4, 1, v, 4, v, 4, 0, v[:15], 4) },
		"lengths": func() {
			Exchange(make([]float32, 3), make([]float32, 12), 4, []int32{1}, []float32{1}, make([]float32, 4))
		},
		"products": func() { RowDots(make([]float32, 1), make([]float32, 12), 4, []int32{1, 1}, make([]float32, 4)) },
		"no row":   func() { RowDots(make([]float32, 1), make([]float32, 11), 4, []int32{2}, make([]float32, 4)) },
		"stride":   func() { Implementation{level: l}.Sgemm('N', 'N', 4, 4, 4, 1, v, 3, v, 4, 0, v, 4) },
		"negative": func() { Implementation{level: l}.Sgemm('N', 'N', -1, 4, 4, 1, v, 4, v, 4, 0, v, 4) },
		"form":     func() { Implementation{level: l}.Sgemm('X', 'N', 4, 4, 4, 1, v, 4, v, 4, 0, v, 4) },
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
	c := []float32{1, 2}
	Implementation{level: l}.Sgemm('N', 'N', 1, 2, 0, 1, nil, 1, nil, 2, 0.5, c, 2)
	if c[0] != .5 || c[1] != 1 {
		t.Errorf("k = 0: %v", c)
	}
}

func TestLevel1(t *testing.T) {
	levels(t)
	for n := range 140 {
		if n == 0 {
			continue
		}
		x, y := numbers(n, 4), numbers(n, 5)
		i := Implementation{level: active}
		var sum, size float64
		for k := range x {
			sum += float64(x[k]) * float64(y[k])
			size += math.Abs(float64(x[k]) * float64(y[k]))
		}
		if got := i.Sdot(n, x, 1, y, 1); math.Abs(float64(got)-sum) > 1e-6*size {
			t.Errorf("dot of %d: %v, want %v", n, got, sum)
		}
		z := append(slices.Clone(y), 7)
		i.Saxpy(n, -1.5, x, 1, z, 1)
		s, p := append(slices.Clone(y), 7), append(slices.Clone(y), 7)
		Add(x, s)
		Mul(x, p)
		for k := range x {
			if want := float32(-1.5*float64(x[k]) + float64(y[k])); math.Abs(float64(z[k]-want)) > 1e-6 {
				t.Errorf("axpy of %d: [%d] = %v, want %v", n, k, z[k], want)
			}
			if s[k] != y[k]+x[k] || p[k] != y[k]*x[k] {
				t.Errorf("add, mul of %d: [%d] = %v, %v", n, k, s[k], p[k])
			}
		}
		if z[n] != 7 || s[n] != 7 || p[n] != 7 {
			t.Errorf("%d: written beyond the end", n)
		}
	}
	// Strides go to gonum.
	x, y := numbers(9, 4), numbers(9, 5)
	want := gonum.Implementation{}.Sdot(3, x, 3, y, 2)
	if got := (Implementation{level: active}).Sdot(3, x, 3, y, 2); got != want {
		t.Errorf("strided dot %v, want %v", got, want)
	}
}

func TestRows(t *testing.T) {
	was := active
	defer func() { active = was }()
	for _, cols := range []int{1, 2, 7, 8, 9, 16, 17, 50, 64, 95, 96, 97, 128, 200, 250, 256, 257, 300, 520} {
		for _, n := range []int{0, 1, 3, 20} {
			stride := cols + 2
			table, weights := numbers(12*stride, 6), numbers(n, 7)
			ids := make([]int32, n)
			r := rng.New(uint64(n), "ids", 0)
			for i := range ids {
				ids[i] = int32(r.Uint64() % 12)
			}
			src := numbers(cols, 8)
			var gathered, scattered []float32
			for _, l := range append([]*level{nil}, available()...) {
				active = l
				dst := append(numbers(cols, 9), 7)
				Gather(dst[:cols], table, stride, ids, weights)
				to := slices.Clone(table)
				Scatter(to, stride, ids, weights, src)
				if dst[cols] != 7 {
					t.Fatal("gather wrote beyond its end")
				}
				if l == nil {
					gathered, scattered = dst, to
					continue
				}
				for k := range dst {
					if math.Abs(float64(dst[k]-gathered[k])) > 1e-5 {
						t.Fatalf("%s: gather of %d rows of %d: [%d] = %v, want %v", l.name, n, cols, k, dst[k], gathered[k])
					}
				}
				for k := range to {
					if math.Abs(float64(to[k]-scattered[k])) > 1e-5 {
						t.Fatalf("%s: scatter of %d rows of %d: [%d] = %v, want %v", l.name, n, cols, k, to[k], scattered[k])
					}
					if c := k % stride; c >= cols && to[k] != table[k] {
						t.Fatalf("%s: scatter wrote beside a row", l.name)
					}
				}
			}
			var bits [][]float32
			for _, l := range available() {
				active = l
				dst, to := make([]float32, cols), slices.Clone(table)
				Gather(dst, table, stride, ids, weights)
				Scatter(to, stride, ids, weights, src)
				bits = append(bits, append(dst, to...))
			}
			for _, b := range bits {
				if !slices.EqualFunc(b, bits[0], sameBits) {
					t.Fatalf("%d rows of %d: the instruction sets disagree", n, cols)
				}
			}
		}
	}
	for name, f := range map[string]func(){
		"beyond":   func() { Gather(make([]float32, 4), make([]float32, 11), 4, []int32{2}, []float32{1}) },
		"negative": func() { Gather(make([]float32, 4), make([]float32, 11), 4, []int32{-1}, []float32{1}) },
		"weights":  func() { Scatter(make([]float32, 12), 4, []int32{1, 1}, []float32{1}, make([]float32, 4)) },
		"lengths": func() {
			Exchange(make([]float32, 3), make([]float32, 12), 4, []int32{1}, []float32{1}, make([]float32, 4))
		},
		"products": func() { RowDots(make([]float32, 1), make([]float32, 12), 4, []int32{1, 1}, make([]float32, 4)) },
		"no row":   func() { RowDots(make([]float32, 1), make([]float32, 11), 4, []int32{2}, make([]float32, 4)) },
		"stride":   func() { Scatter(make([]float32, 12), 3, []int32{1}, []float32{1}, make([]float32, 4)) },
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
}

// Exchange and RowDots agree with plain loops in float64, with each other on all
// instruction sets bit for bit, and write nothing else.
func TestExchangeAndRowDots(t *testing.T) {
	was := active
	defer func() { active = was }()
	for _, cols := range []int{1, 2, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 48, 50, 64, 95, 96, 97, 128, 129, 200, 250, 256, 257, 300, 520} {
		for _, n := range []int{0, 1, 2, 3, 4, 5, 7, 8, 20} {
			stride := cols + 2
			table, weights := numbers(12*stride, 6), numbers(n, 7)
			ids := make([]int32, n)
			r := rng.New(uint64(n), "ids", 0)
			for i := range ids {
				ids[i] = int32(r.Uint64() % 12)
			}
			src, start := numbers(cols, 8), numbers(cols, 9)
			dots, sum, rows := make([]float64, n), make([]float64, cols), make([]float64, len(table))
			for i, v := range table {
				rows[i] = float64(v)
			}
			for k, v := range start {
				sum[k] = float64(v)
			}
			for i, id := range ids {
				for k := range cols {
					dots[i] += float64(table[int(id)*stride+k]) * float64(src[k])
				}
			}
			for i, id := range ids {
				for k := range cols {
					v := &rows[int(id)*stride+k]
					sum[k] += float64(weights[i]) * *v
					*v += float64(weights[i]) * float64(src[k])
				}
			}
			var first []float32
			for _, l := range append([]*level{nil}, available()...) {
				active = l
				got := append(make([]float32, n), 7)
				RowDots(got[:n], table, stride, ids, src)
				to, dst := slices.Clone(table), append(slices.Clone(start), 7)
				Exchange(dst[:cols], to, stride, ids, weights, src)
				if got[n] != 7 || dst[cols] != 7 {
					t.Fatalf("%d rows of %d: wrote beyond the end", n, cols)
				}
				for i := range dots {
					if math.Abs(float64(got[i])-dots[i]) > 2e-5 {
						t.Fatalf("%d rows of %d: product %d is %v, want %v", n, cols, i, got[i], dots[i])
					}
				}
				for k := range sum {
					if math.Abs(float64(dst[k])-sum[k]) > 2e-5 {
						t.Fatalf("%d rows of %d: sum %d is %v, want %v", n, cols, k, dst[k], sum[k])
					}
				}
				for k := range rows {
					if math.Abs(float64(to[k])-rows[k]) > 2e-5 || k%stride >= cols && to[k] != table[k] {
						t.Fatalf("%d rows of %d: element %d of the table is %v, want %v", n, cols, k, to[k], rows[k])
					}
				}
				if l == nil {
					continue
				}
				all := slices.Concat(got, dst, to)
				if first == nil {
					first = all
				}
				if !slices.EqualFunc(all, first, sameBits) {
					t.Fatalf("%d rows of %d: the instruction sets disagree", n, cols)
				}
			}
		}
	}
}

// The optimiser's step is the plain loop's bit for bit, whatever it meets.
func TestAdagrad(t *testing.T) {
	levels(t)
	special := []float32{0, float32(math.Copysign(0, -1)), 1e-30, -1e-30, 1e-21, 1e-19, 1e30, -1e30, float32(math.Inf(1)), float32(math.NaN())}
	for n := range 70 {
		for _, l := range [][2]float32{{0, 0}, {0, .01}, {.3, 0}, {.3, .01}} {
			value, sum, grad := numbers(n+1, 1), numbers(n+1, 2), numbers(n+1, 3)
			for i := range sum {
				sum[i] = .1 + sum[i]*sum[i]
				if i%5 == 4 {
					grad[i] = special[i/5%len(special)]
					value[i] = special[(i/5+n)%len(special)]
				}
			}
			v, s := slices.Clone(value), slices.Clone(sum)
			adagradLoop(v[:n], s[:n], grad[:n], .3, l[0], l[1])
			Adagrad(value[:n], sum[:n], grad[:n], .3, l[0], l[1])
			same := func(a, b float32) bool { return sameBits(a, b) || a != a && b != b }
			if !slices.EqualFunc(v, value, same) || !slices.EqualFunc(s, sum, same) {
				t.Fatalf("%d weights, l1 %v, l2 %v:\n%v\nwant\n%v", n, l[0], l[1], value, v)
			}
		}
	}
}

func TestNoAllocation(t *testing.T) {
	l := levels(t)[0]
	a, b, c := numbers(100*128, 1), numbers(128*100, 2), make([]float32, 100*100)
	ids, weights := []int32{1, 5, 2}, []float32{1, 2, 3}
	dst := make([]float32, 128)
	if n := testing.AllocsPerRun(100, func() {
		Implementation{level: l}.Sgemm(blas.NoTrans, blas.Trans, 100, 100, 128, 1, a, 128, b, 128, 0, c, 100)
		Gather(dst, a, 128, ids, weights)
		Scatter(a, 128, ids, weights, dst)
		Exchange(dst, a, 128, ids, weights, b[:128])
		RowDots(weights, a, 128, ids, dst)
		Adagrad(dst, b[:128], a[:128], .1, 0, .1)
		BiasReLU6(c, 100, 100, b[:100])
		Depthwise(c[:64*64], a[:64*64], 64, 1, b[:9], .1)
		Depthwise(c[:32*32], a[:64*64], 64, 2, b[:9], .1)
		Normalise(dst, 1)
		Triangle(c[:100], c[100:200], b[:100], 1)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
