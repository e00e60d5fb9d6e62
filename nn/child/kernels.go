package child

import (
	"fmt"
	"math"
	"runtime"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/blas/gonum"

	kernels "tnaml/nn/blas"
)

// TrainerVersion is part of every trial's identity: it changes whenever any
// result could.
const TrainerVersion = "5"

// InstructionSet names what the numerical kernels run on. Sums are ordered
// differently on different ones, so results are equal bit for bit only within
// one. The package's own loops agree on all: a product that goes into a sum is
// converted to float32 first, which forbids the compiler to fuse the two (it
// does so for GOAMD64=v3 and on arm64, across statements, too), and the assembly
// rounds as the loops do. Kernels installed by blas32.Use are named by their own
// method InstructionSet, else by their type.
func InstructionSet() string {
	switch k := blas32.Implementation().(type) {
	case gonum.Implementation:
		return "gonum-" + runtime.GOARCH + gonumSuffix
	case interface{ InstructionSet() string }:
		return k.InstructionSet()
	default:
		return fmt.Sprintf("%T-%s", k, runtime.GOARCH)
	}
}

// matrix views the first rows × cols elements of a row-major slice.
func matrix(data []float32, rows, cols int) blas32.General {
	return blas32.General{Rows: rows, Cols: cols, Stride: cols, Data: data[:rows*cols]}
}

// gemm computes c = op(a)·op(b), m × k times k × n, on the calling goroutine
// and without allocation. The project's kernels do so by themselves; gonum spreads a product of four or more blocks of
// 64 × 64 over goroutines; a trial keeps to one core, so larger products are
// cut into pieces of three blocks. The cuts run along m and n only: the order
// in which an element is summed up depends on k alone.
func gemm(ta, tb blas.Transpose, a, b, c blas32.General) { product(ta, tb, a, b, 0, c) }

// product computes c = op(a)·op(b) + beta·c, as gemm does.
func product(ta, tb blas.Transpose, a, b blas32.General, beta float32, c blas32.General) {
	if _, ok := blas32.Implementation().(kernels.Implementation); ok {
		blas32.Gemm(ta, tb, 1, a, b, beta, c)
		return
	}
	const rows, cols = 64, 192
	for i := 0; i < c.Rows; i += rows {
		m := min(rows, c.Rows-i)
		ai := a
		if ta == blas.NoTrans {
			ai.Rows, ai.Data = m, a.Data[i*a.Stride:]
		} else {
			ai.Cols, ai.Data = m, a.Data[i:]
		}
		for j := 0; j < c.Cols; j += cols {
			n := min(cols, c.Cols-j)
			bj := b
			if tb == blas.NoTrans {
				bj.Cols, bj.Data = n, b.Data[j:]
			} else {
				bj.Rows, bj.Data = n, b.Data[j*b.Stride:]
			}
			blas32.Gemm(ta, tb, 1, ai, bj, beta, blas32.General{Rows: m, Cols: n, Stride: c.Stride, Data: c.Data[i*c.Stride+j:]})
		}
	}
}

func sqrt32(x float32) float32 { return float32(math.Sqrt(float64(x))) }

// mix is the finaliser of SplitMix64 (Steele, Lea and Flood, 2014): a
// counter-based generator when given a key plus a counter times an odd constant.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

const golden = 0x9e3779b97f4a7c15

// finite reports whether a slice holds only numbers: anything else makes the
// sum of x·0 something else than 0.
func finite(v []float32) bool {
	var s float32
	for _, x := range v {
		s += x * 0
	}
	return s == 0
}
