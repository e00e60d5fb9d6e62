package child

import (
	"math/bits"
	"slices"

	kernels "tnaml/nn/blas"
	"tnaml/nn/sparse"
)

// bags are documents as weighted bags of tokens: document i holds the tokens
// ids[k] with weights[k] for k in from[i]:to[i].
type bags struct {
	from, to, ids []int32
	weights       []float32 // nil: all weigh one
	ones          []float32 // as many as the largest document has tokens, where weights is nil
	ends          []int32   // room for to
}

// meanBags are those whose weighted sum of vectors is the documents' mean token
// vector: a token counts as often as it occurs, times its weight where there are weights; tokens without a vector count
// neither in the sum nor in the number.
func meanBags(e *Examples, known []bool, weights []float32) *bags {
	b := new(bags)
	b.ofMeans(e, known, weights)
	return b
}

// ofMeans makes them meanBags, in the room that they have.
func (b *bags) ofMeans(e *Examples, known []bool, weights []float32) {
	n := e.Len()
	b.from, b.to, b.ids, b.weights = grow(b.from, n), grow(b.to, n), b.ids[:0], b.weights[:0]
	if n == 0 {
		return
	}
	tokens := int(e.Offsets[n])
	b.ids, b.weights = slices.Grow(b.ids, tokens), slices.Grow(b.weights, tokens)
	for i := range n {
		start := len(b.ids)
		var count float32
		for k := e.Offsets[i]; k < e.Offsets[i+1]; k++ {
			if id := e.IDs[k]; known[id] {
				n := e.Counts[k]
				if weights != nil {
					n *= weights[id]
				}
				b.ids = append(b.ids, id)
				b.weights = append(b.weights, n)
				count += n
			}
		}
		for k := start; k < len(b.ids); k++ {
			b.weights[k] /= count
		}
		b.from[i], b.to[i] = int32(start), int32(len(b.ids))
	}
}

// wide is what the wide tower sees of the examples, of tokens too many.
func (e *Examples) wide() *sparse.Matrix {
	if e.Wide != nil {
		return e.Wide
	}
	return &sparse.Matrix{Offsets: e.Offsets, IDs: e.IDs}
}

// wideRows is the number of rows of the wide tower for features, or for tokens and
// n-grams.
func (d *Data) wideRows() int {
	if d.WideFeatures != "" {
		return d.Features
	}
	return d.WideVocabulary + d.NGrams
}

// wideBags are what the wide tower sees: weighted features, or whether a token or
// n-gram below rows occurs.
func wideBags(e *Examples, rows int) *bags {
	b := new(bags)
	b.ofWide(e, rows)
	return b
}

// ofWide makes them wideBags, in the room that they have.
func (b *bags) ofWide(e *Examples, rows int) {
	n := e.Len()
	if n == 0 {
		*b = bags{ends: b.ends, ones: b.ones}
		return
	}
	seen := e.wide()
	b.from, b.to, b.ids, b.weights = seen.Offsets[:n], seen.Offsets[1:], seen.IDs, seen.Values
	if b.weights != nil {
		return
	}
	longest, cut := int32(0), false
	for i := range n {
		longest = max(longest, b.to[i]-b.from[i])
		cut = cut || b.to[i] > b.from[i] && int(b.ids[b.to[i]-1]) >= rows // ids ascend
	}
	if len(b.ones) < int(longest) {
		b.ones = ones(int(longest))
	}
	if !cut {
		return
	}
	b.ends = append(b.ends[:0], b.to...)
	b.to = b.ends
	for i := range n {
		k, _ := slices.BinarySearch(b.ids[b.from[i]:b.to[i]], int32(rows))
		b.to[i] = b.from[i] + int32(k)
	}
}

// sum sets x to the weighted sum of document i's rows.
func (b *bags) sum(i int, rows []float32, x []float32) {
	from, to := b.from[i], b.to[i]
	weights := b.ones
	if b.weights != nil {
		weights = b.weights[from:to]
	}
	kernels.Gather(x, rows, len(x), b.ids[from:to], weights)
}

// largest sets x to the largest value of each column of document i's rows, to zeros where
// there are none.
func (b *bags) largest(i int, rows, x []float32) {
	clear(x)
	for k, id := range b.ids[b.from[i]:b.to[i]] {
		row := rows[int(id)*len(x):][:len(x)]
		if k == 0 {
			copy(x, row)
		}
		for c, v := range row {
			x[c] = max(x[c], v)
		}
	}
}

// table is a layer with a row for each token, while it is trained: the embedding
// or the wide tower. A step touches few rows, and each of them once: the batch's
// tokens are turned around into the documents of each token, so that a row's
// gradient is summed in the cache and used there. Rows that are not touched keep
// their values, their proximal step included.
type table struct {
	cols       int
	value, sum []float32
	end        []int32   // by row: where its documents end, of touched rows
	marks      []uint64  // a bit a row, 0 between batches
	rows       []int32   // touched rows, ascending: memory is passed in one direction
	documents  []int32   // places in the batch
	weights    []float32 // theirs, 1 where bags have none
	// Copies of a few narrow rows side by side, else gradient alone of one row.
	gradient, values, sums []float32
}

// narrow is the number of columns below which rows are put together for the
// optimiser's step: a vector instruction then has all its lanes at work.
const narrow, together = 16, 64

// newTable makes a table over value, which it owns; a batch has about tokens
// tokens.
func newTable(value []float32, cols, tokens int) *table {
	rows := len(value) / cols
	t := &table{
		cols: cols, value: value, sum: make([]float32, len(value)),
		end: make([]int32, rows), marks: make([]uint64, (rows+63)/64), rows: make([]int32, 0, min(tokens, rows)),
		documents: make([]int32, tokens), weights: ones(tokens), gradient: make([]float32, cols),
	}
	if cols < narrow {
		t.gradient, t.values, t.sums = make([]float32, together*cols), make([]float32, together*cols), make([]float32, together*cols)
	}
	fill(t.sum, accumulatorStart)
	return t
}

// tableFloats is about how many numbers of 4 bytes a table takes, its values
// included.
func tableFloats(rows, cols, tokens int64) int64 {
	buffers := cols
	if cols < narrow {
		buffers = 3 * together * cols
	}
	return 2*rows*cols + rows + rows/32 + min(tokens, rows) + 2*tokens + buffers
}

// turn lays out a batch: which documents each token occurs in.
func (t *table) turn(b *bags, batch []int32) {
	t.rows = t.rows[:0]
	total := 0
	for _, i := range batch {
		for _, id := range b.ids[b.from[i]:b.to[i]] {
			w := &t.marks[id>>6]
			bit := uint64(1) << (id & 63)
			if *w&bit == 0 {
				*w |= bit
				t.end[id] = 0
			}
			t.end[id]++
		}
		total += int(b.to[i] - b.from[i])
	}
	start := int32(0)
	for w, word := range t.marks {
		for ; word != 0; word &= word - 1 {
			id := int32(w<<6 + bits.TrailingZeros64(word))
			t.rows = append(t.rows, id)
			n := t.end[id]
			t.end[id] = start
			start += n
		}
		t.marks[w] = 0
	}
	if total > len(t.documents) { // a batch of few documents, again and again
		t.documents, t.weights = make([]int32, total), ones(total)
	}
	for place, i := range batch {
		from, to := b.from[i], b.to[i]
		if b.weights == nil {
			for _, id := range b.ids[from:to] {
				t.documents[t.end[id]] = int32(place)
				t.end[id]++
			}
			continue
		}
		weights := b.weights[from:to]
		for k, id := range b.ids[from:to] {
			p := t.end[id]
			t.documents[p], t.weights[p] = int32(place), weights[k]
			t.end[id] = p + 1
		}
	}
}

// backward sets g to the gradient of a touched row, given by its place, from
// those of the documents' sums, d, batch × cols.
func (t *table) backward(at int, d, g []float32) {
	from := int32(0)
	if at > 0 {
		from = t.end[t.rows[at-1]]
	}
	documents, weights := t.documents[from:t.end[t.rows[at]]], t.weights[from:]
	if t.cols > 4 {
		kernels.Gather(g, d, t.cols, documents, weights)
		return
	}
	clear(g)
	for k, i := range documents {
		row := d[int(i)*t.cols:][:len(g)]
		for c := range g {
			g[c] += float32(weights[k] * row[c])
		}
	}
}

// prefetchAhead is how many rows before its turn a row is asked for: the step on
// a table larger than the cache waits for memory alone.
const prefetchAhead = 4

// step updates the touched rows.
func (t *table) step(d []float32, rate, l1, l2 float32) {
	if t.cols < narrow {
		t.stepTogether(d, rate, l1, l2)
		return
	}
	for at, r := range t.rows {
		if ahead := at + prefetchAhead; ahead < len(t.rows) {
			row := int(t.rows[ahead]) * t.cols
			kernels.Prefetch(t.value[row:][:t.cols])
			kernels.Prefetch(t.sum[row:][:t.cols])
		}
		row := int(r) * t.cols
		t.backward(at, d, t.gradient)
		kernels.Adagrad(t.value[row:][:t.cols], t.sum[row:], t.gradient, rate, l1, l2)
	}
}

// stepTogether takes the step on copies of narrow rows, side by side.
func (t *table) stepTogether(d []float32, rate, l1, l2 float32) {
	cols := t.cols
	for from := 0; from < len(t.rows); from += together {
		rows := t.rows[from:min(from+together, len(t.rows))]
		for i, r := range rows {
			t.backward(from+i, d, t.gradient[i*cols:][:cols])
			v, u := t.value[int(r)*cols:][:cols], t.sum[int(r)*cols:][:cols]
			for k := range v {
				t.values[i*cols+k], t.sums[i*cols+k] = v[k], u[k]
			}
		}
		kernels.Adagrad(t.values[:len(rows)*cols], t.sums, t.gradient, rate, l1, l2)
		for i, r := range rows {
			copy(t.value[int(r)*cols:][:cols], t.values[i*cols:])
			copy(t.sum[int(r)*cols:][:cols], t.sums[i*cols:])
		}
	}
}
