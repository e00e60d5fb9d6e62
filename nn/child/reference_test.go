package child

import "math"

// reference is the child model once more, in float64 and plain loops, written
// from the definitions and not from the trainer, whose gradients are checked
// against it.
type reference struct {
	cfg     Config
	dim     int
	classes int
	known   []bool
	base    []float32
	weights []float32
	tokens  []float32
	vectors []float32
	params  map[string][]float64
}

func newReference(n *network) *reference {
	s := &reference{cfg: n.cfg, dim: n.dim, classes: n.classes, known: n.known, base: n.base, weights: n.weights,
		tokens: n.tokens, vectors: n.module, params: map[string][]float64{}}
	for name, v := range gradients(n) {
		s.params[name] = widen(v.value)
	}
	return s
}

// gradients lists a network's parameters with their gradients, the sparse ones
// spread out to whole tables.
func gradients(n *network) map[string]tensor {
	out := map[string]tensor{"out": n.out, "out/bias": n.outBias}
	if n.base != nil {
		out["share"] = n.share
	} else {
		out["wide"] = n.wide.spread(n.logits)
	}
	for i, h := range n.layers {
		p := string(rune('0' + i))
		out[p+"/weights"], out[p+"/bias"] = h.weights, h.bias
		if h.z != nil {
			out[p+"/gain"] = h.gain
		}
	}
	if n.embedding != nil {
		out["table"] = n.embedding.spread(n.dy)
	}
	if n.attention != nil {
		out["query"] = n.attention.query
	}
	if n.pixels != nil {
		out["pixels"] = n.pixels.weight
	}
	return out
}

// spread is the whole table's gradient, from the batch's latest.
func (t *table) spread(d []float32) tensor {
	g := make([]float32, len(t.value))
	for at, r := range t.rows {
		t.backward(at, d, g[int(r)*t.cols:][:t.cols])
	}
	return tensor{value: t.value, grad: g}
}

func widen(v []float32) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = float64(x)
	}
	return out
}

// loss is the mean loss of the documents rows, whose mean vectors are
// given where the module is frozen.
func (s *reference) loss(e *Examples, rows []int32, documents []float64) float64 {
	x := make([][]float64, len(rows))
	for b, i := range rows {
		x[b] = make([]float64, s.dim)
		if !s.cfg.FineTune {
			copy(x[b], documents[int(i)*s.dim:])
			if s.cfg.Pooling == Attention {
				s.attend(e, int(i), x[b])
			}
			continue
		}
		n := 0.0
		for k := e.Offsets[i]; k < e.Offsets[i+1]; k++ {
			if id := e.IDs[k]; s.known[id] {
				c := float64(e.Counts[k])
				if s.tokens != nil {
					c *= float64(s.tokens[id])
				}
				n += c
				for j := range x[b] {
					x[b][j] += c * s.params["table"][int(id)*s.dim+j]
				}
			}
		}
		for j := range x[b] {
			if n > 0 {
				x[b][j] /= n
			}
		}
	}
	for l := range s.cfg.HiddenLayers {
		p := string(rune('0' + l))
		z := make([][]float64, len(rows))
		for b := range rows {
			z[b] = times(x[b], s.params[p+"/weights"], s.cfg.HiddenSize)
		}
		switch s.cfg.Normalisation {
		case BatchNorm:
			for k := range s.cfg.HiddenSize {
				column := make([]float64, len(rows))
				for b := range rows {
					column[b] = z[b][k]
				}
				standardise(column)
				for b := range rows {
					z[b][k] = column[b]
				}
			}
		case LayerNorm:
			for b := range rows {
				standardise(z[b])
			}
		}
		for b := range rows {
			for k := range z[b] {
				v := z[b][k]
				if s.cfg.Normalisation != NoNorm {
					v *= s.params[p+"/gain"][k]
				}
				z[b][k] = function(s.cfg.Activation, v+s.params[p+"/bias"][k])
			}
		}
		x = z
	}
	sum := 0.0
	for b, i := range rows {
		logits := times(x[b], s.params["out"], s.classes)
		for k := range logits {
			logits[k] += s.params["out/bias"][k]
		}
		seen := e.IDs[e.Offsets[i]:e.Offsets[i+1]]
		if e.Wide != nil {
			seen = e.Wide.IDs[e.Wide.Offsets[i]:e.Wide.Offsets[i+1]]
		}
		for n, id := range seen {
			value := 1.
			if e.Wide != nil && e.Wide.Values != nil {
				value = float64(e.Wide.Values[int(e.Wide.Offsets[i])+n])
			}
			for k := range logits {
				if at := int(id)*s.classes + k; at < len(s.params["wide"]) {
					logits[k] += value * s.params["wide"][at]
				}
			}
		}
		for k := range logits {
			if s.base != nil {
				logits[k] += s.params["share"][0] * float64(s.base[int(i)*s.classes+k])
			}
		}
		pixels := len(s.params["pixels"]) / s.classes
		for j, v := range e.Pixels[int(i)*pixels : (int(i)+1)*pixels] {
			for k := range logits {
				logits[k] += (float64(v)/127.5 - 1) / math.Sqrt(float64(pixels)) * s.params["pixels"][j*s.classes+k]
			}
		}
		weight := 1.
		if s.weights != nil {
			weight = float64(s.weights[e.Labels[i]])
		}
		if s.cfg.Loss == SquaredHinge {
			for k, v := range logits {
				if k == int(e.Labels[i]) {
					v = -v
				}
				sum += weight * math.Pow(math.Max(0, 1+v), 2)
			}
			continue
		}
		total := 0.0
		for _, v := range logits {
			total += math.Exp(v)
		}
		sum -= weight * (logits[e.Labels[i]] - math.Log(total))
	}
	return sum / float64(len(rows))
}

// vector is a token's, of zeros where it has none.
func (s *reference) vector(id int32) []float64 {
	if !s.known[id] {
		return make([]float64, s.dim)
	}
	return widen(s.vectors[int(id)*s.dim:][:s.dim])
}

// attend sets x to the document's vectors weighted by the query.
func (s *reference) attend(e *Examples, i int, x []float64) {
	clear(x)
	total := 0.
	for k := e.Offsets[i]; k < e.Offsets[i+1]; k++ {
		if !s.known[e.IDs[k]] {
			continue
		}
		v, score := s.vector(e.IDs[k]), 0.
		for j := range v {
			score += v[j] * s.params["query"][j]
		}
		weight := float64(e.Counts[k]) * math.Exp(score)
		total += weight
		for j := range v {
			x[j] += weight * v[j]
		}
	}
	for j := range x {
		if total > 0 {
			x[j] /= total
		}
	}
}

func times(x, w []float64, cols int) []float64 {
	y := make([]float64, cols)
	for i, v := range x {
		for k := range y {
			y[k] += v * w[i*cols+k]
		}
	}
	return y
}

func standardise(v []float64) {
	mean, variance := 0.0, 0.0
	for _, x := range v {
		mean += x / float64(len(v))
	}
	for _, x := range v {
		variance += (x - mean) * (x - mean) / float64(len(v))
	}
	for i := range v {
		v[i] = (v[i] - mean) / math.Sqrt(variance+Epsilon)
	}
}

func function(f Activation, z float64) float64 {
	switch f {
	case ReLU:
		return math.Max(z, 0)
	case ReLU6:
		return math.Min(math.Max(z, 0), 6)
	case LeakyReLU:
		return math.Max(.2*z, z)
	case Swish:
		return z / (1 + math.Exp(-z))
	case Sigmoid:
		return 1 / (1 + math.Exp(-z))
	case Tanh:
		return math.Tanh(z)
	}
	panic(f)
}
