package child

// tensor is a trainable array with its Adagrad accumulator and gradient.
type tensor struct {
	value, sum, grad []float32
}

// accumulatorStart is the accumulator's first value, TensorFlow's default.
const accumulatorStart = 0.1

func newTensor(n int) tensor {
	t := tensor{make([]float32, n), make([]float32, n), make([]float32, n)}
	for i := range t.sum {
		t.sum[i] = accumulatorStart
	}
	return t
}

// tiny is the magnitude below which L2 sets a weight to zero. A weight without
// gradient shrinks by a factor a step and ends, without this, among the
// denormal numbers, where it stays (the smallest rounds to itself) and slows
// every product it takes part in.
const tiny = 1e-20

// proximalAdagrad takes one step on a run of weights: Adagrad's rate for each
// weight (Duchi, Hazan and Singer, 2011) in a forward-backward step (Duchi and
// Singer, 2009), as TensorFlow's ProximalAdagradOptimizer has it:
//
//	s += g²,  η = rate/√s,  u = w − η·g
//	w = sign(u)·max(|u| − η·l1, 0)/(1 + η·l2)
func proximalAdagrad(value, sum, grad []float32, rate, l1, l2 float32) {
	if l1 > 0 {
		softThreshold(value, sum, grad, rate, l1, l2)
		return
	}
	n := adagradVector(value, sum, grad, rate, l2)
	adagradScalar(value[n:], sum[n:], grad[n:], rate, l2)
}

// softThreshold is proximalAdagrad with l1.
func softThreshold(value, sum, grad []float32, rate, l1, l2 float32) {
	sum, grad = sum[:len(value)], grad[:len(value)]
	for i, w := range value {
		g := grad[i]
		s := sum[i] + float32(g*g)
		sum[i] = s
		eta := rate / sqrt32(s)
		u := w - float32(eta*g)
		t := float32(eta * l1)
		switch {
		case u > t:
			value[i] = (u - t) / (1 + float32(eta*l2))
		case u < -t:
			value[i] = (u + t) / (1 + float32(eta*l2))
		default:
			value[i] = 0
		}
	}
}

// adagradScalar is proximalAdagrad without l1. The order of its operations is
// the assembly's.
func adagradScalar(value, sum, grad []float32, rate, l2 float32) {
	sum, grad = sum[:len(value)], grad[:len(value)]
	if l2 > 0 {
		for i, w := range value {
			g := grad[i]
			s := sum[i] + float32(g*g)
			sum[i] = s
			eta := rate / sqrt32(s)
			w = (w - float32(eta*g)) / (1 + float32(eta*l2))
			if w < tiny && w > -tiny {
				w = 0
			}
			value[i] = w
		}
		return
	}
	for i, w := range value {
		g := grad[i]
		s := sum[i] + float32(g*g)
		sum[i] = s
		value[i] = w - float32(rate*g)/sqrt32(s)
	}
}

// step updates a dense tensor.
func (t *tensor) step(rate, l1, l2 float32) {
	proximalAdagrad(t.value, t.sum, t.grad, rate, l1, l2)
}

// sparse is a table of rows of which a step touches few. Gradients are
// gathered in a small dense block, one slot a touched row; rows that are not
// touched keep their values, their proximal step included.
type sparse struct {
	cols       int
	value, sum []float32
	grad       []float32 // one row a slot
	slot       []int32   // row → slot + 1; 0 is untouched
	touched    []int32   // slot → row
}

// newSparse makes a table over value, which it owns; at most slots rows are
// touched between two steps.
func newSparse(value []float32, cols, slots int) *sparse {
	rows := len(value) / cols
	slots = min(slots, rows)
	s := &sparse{
		cols: cols, value: value, sum: make([]float32, len(value)),
		grad: make([]float32, slots*cols), slot: make([]int32, rows), touched: make([]int32, 0, slots),
	}
	for i := range s.sum {
		s.sum[i] = accumulatorStart
	}
	return s
}

// row returns a row's values.
func (s *sparse) row(r int32) []float32 { return s.value[int(r)*s.cols:][:s.cols] }

// gradient returns a row's gradient, zero when it is first touched.
func (s *sparse) gradient(r int32) []float32 {
	at := s.slot[r]
	if at == 0 {
		s.touched = append(s.touched, r)
		at = int32(len(s.touched))
		s.slot[r] = at
		g := s.grad[int(at-1)*s.cols:][:s.cols]
		clear(g)
		return g
	}
	return s.grad[int(at-1)*s.cols:][:s.cols]
}

// step updates the touched rows and forgets them.
func (s *sparse) step(rate, l1, l2 float32) {
	for i, r := range s.touched {
		proximalAdagrad(s.row(r), s.sum[int(r)*s.cols:][:s.cols], s.grad[i*s.cols:][:s.cols], rate, l1, l2)
		s.slot[r] = 0
	}
	s.touched = s.touched[:0]
}

// maxTouched returns a bound on the number of distinct rows that a batch can
// touch: the sizes of the largest documents, a batch of them, summed.
func maxTouched(e *Examples, batch int) int {
	largest := 0
	for i := range e.Len() {
		largest = max(largest, int(e.Offsets[i+1]-e.Offsets[i]))
	}
	documents := make([]int, largest+1) // by size
	for i := range e.Len() {
		documents[e.Offsets[i+1]-e.Offsets[i]]++
	}
	n := 0
	for size := largest; size > 0 && batch > 0; size-- {
		k := min(documents[size], batch)
		n += k * size
		batch -= k
	}
	return n
}
