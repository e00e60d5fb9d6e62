package blas

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
)

// Matrix views the first rows × cols elements of a row-major slice.
func Matrix(data []float32, rows, cols int) blas32.General {
	return blas32.General{Rows: rows, Cols: cols, Stride: cols, Data: data[:rows*cols]}
}

// Multiply sets c to a·b, m × k times k × n, row-major without gaps, as Product
// does.
func Multiply(c, a, b []float32, m, k, n int) {
	Product(blas.NoTrans, blas.NoTrans, Matrix(a, m, k), Matrix(b, k, n), 0, Matrix(c, m, n))
}

// Product computes c = op(a)·op(b) + beta·c, m × k times k × n, on the calling
// goroutine and without allocation. The package's kernels do so by themselves;
// gonum spreads a product of four or more blocks of 64 × 64 over goroutines, and
// whoever trains keeps to one core: so larger products are cut into pieces of
// three blocks. The cuts run along m and n only: the order in which an element
// is summed up depends on k alone.
func Product(ta, tb blas.Transpose, a, b blas32.General, beta float32, c blas32.General) {
	if _, serial := blas32.Implementation().(Implementation); serial {
		// It packs a block of b once for all the rows of a.
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
			cij := blas32.General{Rows: m, Cols: n, Stride: c.Stride, Data: c.Data[i*c.Stride+j:]}
			blas32.Gemm(ta, tb, 1, ai, bj, beta, cij)
		}
	}
}
