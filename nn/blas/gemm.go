package blas

import "sync"

// depth is how long a chain of fused multiply-adds is: the panel of B that it
// takes, depth × 32 elements, stays in the cache.
const depth = 1024

// panels are the buffers of packed panels, depth × 32 elements each.
var panels = sync.Pool{New: func() any { return new([depth * 32]float32) }}

// gemm computes C = alpha·op(A)·op(B), plus C where accumulate is set. B is
// packed into panels of one or two vectors' width, A is read where it lies.
func (l *level) gemm(
	ta, tb bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, accumulate bool, c []float32, ldc int,
) {
	panel := panels.Get().(*[depth * 32]float32)
	width := 2 * l.lanes
	side := 0
	if ta {
		side = 1
	}
	for p := 0; p < k; p += depth {
		chain := min(depth, k-p)
		for j := 0; j < n; j += width {
			w := min(width, n-j)
			vectors := (w + l.lanes - 1) / l.lanes
			if tb {
				packTransposed(panel[:], vectors*l.lanes, b[j*ldb+p:], ldb, chain, w)
			} else {
				pack(panel[:], vectors*l.lanes, b[p*ldb+j:], ldb, chain, w)
			}
			mask := l.mask(w - (vectors-1)*l.lanes)
			at := 0
			for i := 0; i < m; {
				for l.tiles[at].rows > m-i {
					at++
				}
				t := &l.tiles[at]
				from := i*lda + p
				if ta {
					from = p*lda + i
				}
				t.kernel[side][vectors-1](chain, &a[from], lda, &panel[0], &c[i*ldc+j], ldc, alpha, accumulate || p > 0, mask)
				i += t.rows
			}
		}
	}
	panels.Put(panel)
}

// pack copies a block of w columns into a panel that is width wide, with zeros
// beyond.
func pack(panel []float32, width int, b []float32, ldb, k, w int) {
	if w == width {
		packRows(panel, width, b, ldb, k)
		return
	}
	panel = panel[:k*width]
	clear(panel)
	for r := range k {
		copy(panel[r*width:][:w], b[r*ldb:][:w])
	}
}

// packTransposed is pack for a block of w rows that become columns.
func packTransposed(panel []float32, width int, b []float32, ldb, k, w int) {
	panel = panel[:k*width]
	if w < width {
		clear(panel)
	}
	j := 0
	for ; j+8 <= w; j += 8 {
		blocks := k / 8
		if blocks > 0 {
			transpose8(&panel[j], width, &b[j*ldb], ldb, blocks)
		}
		for r := 8 * blocks; r < k; r++ {
			for i := range 8 {
				panel[r*width+j+i] = b[(j+i)*ldb+r]
			}
		}
	}
	for ; j < w; j++ {
		row := b[j*ldb:][:k]
		for r, v := range row {
			panel[r*width+j] = v
		}
	}
}
