package blas

// Gather sets dst to the sum of weighted rows of a table:
// dst = Σᵢ weights[i]·table[ids[i]], each row len(dst) elements, stride apart.
// It panics where an id is outside the table or a slice is short.
func Gather(dst, table []float32, stride int, ids []int32, weights []float32) {
	cols := len(dst)
	check(table, stride, cols, ids, weights)
	if active == nil || cols == 0 || len(ids) == 0 {
		clear(dst)
		for i, id := range ids {
			Axpy(weights[i], table[int(id)*stride:][:cols], dst)
		}
		return
	}
	active.rows(active.gather, dst, nil, table, stride, ids, weights)
}

// Scatter adds a weighted vector to rows of a table, one after the other:
// table[ids[i]] += weights[i]·src. It panics as Gather does.
func Scatter(table []float32, stride int, ids []int32, weights, src []float32) {
	cols := len(src)
	check(table, stride, cols, ids, weights)
	if active == nil || cols == 0 || len(ids) == 0 {
		for i, id := range ids {
			Axpy(weights[i], src, table[int(id)*stride:][:cols])
		}
		return
	}
	active.rows(active.scatter, src, nil, table, stride, ids, weights)
}

// Exchange does both, row after row: dst += weights[i]·table[ids[i]], and then
// table[ids[i]] += weights[i]·src. A row that comes twice is added the second
// time as the first has left it. It panics as Gather does, and where dst and src
// differ in length.
func Exchange(dst, table []float32, stride int, ids []int32, weights, src []float32) {
	cols := len(src)
	if len(dst) != cols {
		panic("blas: vectors of different lengths")
	}
	check(table, stride, cols, ids, weights)
	if active == nil || cols == 0 || len(ids) == 0 {
		for i, id := range ids {
			row := table[int(id)*stride:][:cols]
			Axpy(weights[i], row, dst)
			Axpy(weights[i], src, row)
		}
		return
	}
	active.rows(active.exchange, src, dst, table, stride, ids, weights)
}

// RowDots sets dst[i] to the product of x and a row of a table, table[ids[i]]·x,
// of len(x) elements. It panics where an id is outside the table or dst is
// short.
func RowDots(dst, table []float32, stride int, ids []int32, x []float32) {
	check(table, stride, len(x), ids, dst)
	if active == nil || len(x) == 0 || len(ids) == 0 {
		for i, id := range ids {
			dst[i] = Dot(x, table[int(id)*stride:][:len(x)])
		}
		return
	}
	active.dots(&dst[0], &table[0], stride, &ids[0], len(ids), &x[0], len(x), active.mask16((len(x)-1)%16+1))
}

func check(table []float32, stride, cols int, ids []int32, weights []float32) {
	if len(weights) < len(ids) || stride < cols {
		panic("blas: short vector or stride")
	}
	// The largest id as unsigned catches negative ones.
	var largest uint32
	for _, id := range ids {
		largest = max(largest, uint32(id))
	}
	if len(ids) > 0 && uint64(largest)*uint64(stride)+uint64(cols) > uint64(len(table)) {
		panic("blas: row outside the table")
	}
}

// rows runs the kernels block of columns by block. sum is exchange's alone.
func (l *level) rows(kernels []func(gatherScatter), vector, sum, table []float32, stride int, ids []int32, weights []float32) {
	for from := 0; from < len(vector); {
		vectors := min(len(kernels), (len(vector)-from+l.lanes-1)/l.lanes)
		n := min(len(vector)-from, vectors*l.lanes)
		g := gatherScatter{&vector[from], nil, &table[from], stride, &ids[0], &weights[0], len(ids), l.mask(n - (vectors-1)*l.lanes)}
		if sum != nil {
			g.sum = &sum[from]
		}
		kernels[vectors-1](g)
		from += n
	}
}

// Axpy computes y += alpha·x. It panics if y is shorter than x.
func Axpy(alpha float32, x, y []float32) {
	if len(x) > 0 {
		axpy(alpha, x, y[:len(x)])
	}
}

// Add computes y += x. It panics if y is shorter than x.
func Add(x, y []float32) {
	if len(x) > 0 {
		add(x, y[:len(x)])
	}
}

// Mul computes y *= x, element by element. It panics if y is shorter than x.
func Mul(x, y []float32) {
	if len(x) > 0 {
		mul(x, y[:len(x)])
	}
}

// AddProduct computes z += x∘y, element by element. It panics if y or z is
// shorter than x.
func AddProduct(x, y, z []float32) {
	if len(x) > 0 {
		addProduct(x, y[:len(x)], z[:len(x)])
	}
}

// Dot returns x·y. It panics if y is shorter than x.
func Dot(x, y []float32) float32 {
	return Implementation{level: active}.Sdot(len(x), x, 1, y, 1)
}

// Prefetch asks for memory that is needed soon.
func Prefetch(v []float32) {
	if active != nil && len(v) > 0 {
		prefetchLines(&v[0], (len(v)+15)/16)
	}
}

// Finite reports whether a slice holds only numbers: anything else makes the sum
// of x·0 something else than 0.
func Finite(v []float32) bool {
	var s float32
	for _, x := range v {
		s += x * 0
	}
	return s == 0
}
