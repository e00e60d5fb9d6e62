package image

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	kernels "tnaml/nn/blas"
)

// gemm computes c = op(a)·b, m × k times k × n, on the calling goroutine. For
// gonum's own kernels larger products are cut into pieces of three blocks of 64 × 64, which gonum does not
// spread over goroutines: the caller does, over images. The cuts run along m
// and n only: the order in which an element is summed up depends on k alone.
func gemm(ta blas.Transpose, a, b, c blas32.General) {
	if _, serial := blas32.Implementation().(kernels.Implementation); serial {
		// It packs a block of b once for all the rows of a.
		blas32.Gemm(ta, blas.NoTrans, 1, a, b, 0, c)
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
			bj.Cols, bj.Data = n, b.Data[j:]
			blas32.Gemm(ta, blas.NoTrans, 1, ai, bj, 0, blas32.General{Rows: m, Cols: n, Stride: c.Stride, Data: c.Data[i*c.Stride+j:]})
		}
	}
}

// matrix views the first rows × cols elements of a row-major slice.
func matrix(data []float32, rows, cols int) blas32.General {
	return blas32.General{Rows: rows, Cols: cols, Stride: cols, Data: data[:rows*cols]}
}

// columns views cols columns from the j-th on of a row-major matrix of
// rows × stride.
func columns(data []float32, rows, stride, j, cols int) blas32.General {
	return blas32.General{Rows: rows, Cols: cols, Stride: stride, Data: data[j : (rows-1)*stride+j+cols]}
}
