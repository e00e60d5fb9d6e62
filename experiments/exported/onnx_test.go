package exported

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	"tnaml/experiments/data/text"
	"tnaml/nn/child"
	"tnaml/nn/onnx"
	"tnaml/nn/safetensors"
)

// array is a value while a graph is evaluated.
type array struct {
	dims []int
	v    []float64
}

// evaluate is ONNX's operators by their definitions, in 64 bits: those that graphs have.
func evaluate(t *testing.T, g *onnx.Graph, values map[string]array) {
	t.Helper()
	for _, c := range g.Constants {
		a := array{dims: c.Dims}
		for _, x := range c.Floats {
			a.v = append(a.v, float64(x))
		}
		for _, x := range c.Ints {
			a.v = append(a.v, float64(x))
		}
		values[c.Name] = a
	}
	each := func(a array, f func(float64) float64) array {
		out := array{a.dims, slices.Clone(a.v)}
		for i, x := range out.v {
			out.v[i] = f(x)
		}
		return out
	}
	for _, n := range g.Nodes {
		var in []array
		for _, name := range n.Inputs {
			a, ok := values[name]
			if !ok {
				t.Fatalf("%s takes %s, which comes later", n.Operator, name)
			}
			in = append(in, a)
		}
		x := in[0]
		last := x.dims[len(x.dims)-1]
		var out array
		switch n.Operator {
		case "Gather":
			rows, width := x.dims[0], len(x.v)/x.dims[0]
			out.dims = append(slices.Clone(in[1].dims), x.dims[1:]...)
			for _, id := range in[1].v {
				at := (int(id) + rows) % rows
				out.v = append(out.v, x.v[at*width:][:width]...)
			}
		case "Unsqueeze":
			out = array{slices.Insert(slices.Clone(x.dims), int(in[1].v[0]), 1), x.v}
		case "Squeeze":
			out = array{slices.Delete(slices.Clone(x.dims), int(in[1].v[0]), int(in[1].v[0])+1), x.v}
		case "MatMul":
			y := in[1]
			k, cols := last, y.dims[len(y.dims)-1]
			out.dims = append(slices.Clone(x.dims[:len(x.dims)-1]), cols)
			for r := range len(x.v) / k {
				of := y.v
				if len(y.dims) == 3 { // a matrix for each row of x, n × 1 × k
					of = y.v[r*k*cols:][:k*cols]
				}
				for c := range cols {
					sum := 0.
					for i := range k {
						sum += x.v[r*k+i] * of[i*cols+c]
					}
					out.v = append(out.v, sum)
				}
			}
		case "Add", "Sub", "Mul", "Div", "Max":
			out = binary(t, n.Operator, x, in[1])
		case "ReduceMax": // over the second of three
			over, inner := x.dims[1], x.dims[2]
			out.dims = []int{x.dims[0], inner}
			for doc := range slices.Chunk(x.v, over*inner) {
				for c := range inner {
					largest := math.Inf(-1)
					for i := c; i < len(doc); i += inner {
						largest = max(largest, doc[i])
					}
					out.v = append(out.v, largest)
				}
			}
		case "ReduceSum", "ReduceMean":
			// Over the second of two or three, which is the last of two.
			inner := 1
			if len(x.dims) == 3 {
				inner = x.dims[2]
			}
			rows, over := x.dims[0], x.dims[1]
			out = array{[]int{rows}, make([]float64, rows*inner)}
			for i, v := range x.v {
				out.v[i/(over*inner)*inner+i%inner] += v
			}
			if n.Operator == "ReduceMean" {
				out = each(out, func(v float64) float64 { return v / float64(over) })
			}
			if n.Attributes["keepdims"] == int64(1) {
				out.dims = append(out.dims, 1)
			}
			if len(x.dims) == 3 {
				out.dims = append(out.dims, inner)
			}
		case "Softmax":
			out = array{x.dims, nil}
			for row := range slices.Chunk(x.v, last) {
				total := 0.
				for _, v := range row {
					total += math.Exp(v - slices.Max(row))
				}
				for _, v := range row {
					out.v = append(out.v, math.Exp(v-slices.Max(row))/total)
				}
			}
		case "Clip":
			out = each(x, func(v float64) float64 { return min(max(v, in[1].v[0]), in[2].v[0]) })
		case "LeakyRelu":
			out = each(x, func(v float64) float64 { return max(v, 0) + float64(n.Attributes["alpha"].(float32))*min(v, 0) })
		default:
			f := map[string]func(float64) float64{"Sqrt": math.Sqrt, "Log": math.Log, "Tanh": math.Tanh,
				"Relu": func(v float64) float64 { return max(v, 0) }, "Sigmoid": func(v float64) float64 { return 1 / (1 + math.Exp(-v)) }}[n.Operator]
			if f == nil {
				t.Fatalf("no operator %s", n.Operator)
			}
			out = each(x, f)
		}
		values[n.Outputs[0]] = out
	}
}

// binary is an operator of two, of which the second may be a scalar, a row or a column.
func binary(t *testing.T, operator string, x, y array) array {
	t.Helper()
	out := array{x.dims, nil}
	for i, a := range x.v {
		var b float64
		switch cols := x.dims[len(x.dims)-1]; {
		case len(y.v) == len(x.v):
			b = y.v[i]
		case len(y.v) == 1:
			b = y.v[0]
		case len(y.dims) == 2 && y.dims[1] == 1 && y.dims[0]*cols == len(x.v):
			b = y.v[i/cols]
		case len(y.dims) == 1 && y.dims[0] == cols:
			b = y.v[i%cols]
		default:
			t.Fatalf("%s of %v and %v", operator, x.dims, y.dims)
		}
		out.v = append(out.v, map[string]float64{"Add": a + b, "Sub": a - b, "Mul": a * b, "Div": a / b, "Max": max(a, b)}[operator])
	}
	return out
}

// padded are the inputs of a graph for texts.
func padded(m *Model, texts []string) map[string]array {
	e := m.encoder.Encode(new(text.Buffer), texts)
	out := map[string]array{}
	fill := func(name string, offsets, ids []int32, values []float32) {
		widest := 1
		for i := range texts {
			widest = max(widest, int(offsets[i+1]-offsets[i]))
		}
		a, c := array{dims: []int{len(texts), widest}}, array{dims: []int{len(texts), widest}}
		for i := range texts {
			for k := range widest {
				id, n := -1., 0.
				if at := int(offsets[i]) + k; at < int(offsets[i+1]) {
					id = float64(ids[at])
					if values != nil {
						n = float64(values[at])
					}
				}
				a.v, c.v = append(a.v, id), append(c.v, n)
			}
		}
		out[name] = a
		out[map[string]string{"tokens": "counts", "features": "feature_counts"}[name]] = c
	}
	fill("tokens", e.Offsets, e.IDs, e.Counts)
	switch {
	case m.child.Features() > 0:
		fill("features", e.Wide.Offsets, e.Wide.IDs, e.Wide.Values)
	case e.Wide != nil:
		// Of what the wide tower sees the n-grams come after its tokens.
		known := int32(m.child.WideVocabulary)
		offsets, ids := []int32{0}, []int32{}
		for i := range texts {
			for _, id := range e.Wide.IDs[e.Wide.Offsets[i]:e.Wide.Offsets[i+1]] {
				if id >= known {
					ids = append(ids, id-known)
				}
			}
			offsets = append(offsets, int32(len(ids)))
		}
		fill("ngrams", offsets, ids, nil)
	}
	return out
}

// A graph says what the model says, of all that models can be.
func TestONNX(t *testing.T) {
	kinds := map[string]func(*child.Config){}
	for name, edit := range variants {
		kinds[name] = edit
	}
	for _, f := range []child.Activation{child.ReLU6, child.LeakyReLU, child.Sigmoid} {
		kinds[string(f)] = func(c *child.Config) { c.Activation = f }
	}
	for name, edit := range kinds {
		b := encoded(t, 60, 6, edit)
		m, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		g, err := newGraph(b)
		if err != nil {
			t.Fatal(name, err)
		}
		all := slices.DeleteFunc(texts(), func(s string) bool { return len(s) > 2000 })
		values := padded(m, all)
		for _, v := range g.Inputs {
			if _, ok := values[v.Name]; !ok {
				t.Errorf("%s: an input %s", name, v.Name)
			}
		}
		evaluate(t, &g.Graph, values)
		got := values[g.Outputs[0].Name].v
		for i, want := range m.OfTexts(all, nil) {
			if math.Abs(got[i]-float64(want)) > 1e-5 {
				t.Errorf("%s: text %d: %v, want %v", name, i/2, got[i], want)
				break
			}
		}
		files, err := ONNX(b)
		if err != nil {
			t.Fatal(name, err)
		}
		lines := map[string]int{}
		for _, f := range files {
			lines[f.Name] = bytes.Count(f.Data, []byte{'\n'})
		}
		if lines[VocabularyName] != m.child.Vocabulary() || lines[FeaturesName] != m.child.Features() || lines[NGramsName] != m.child.NGrams() {
			t.Errorf("%s: lines %v", name, lines)
		}
		if _, err := Open(directory(t, b, files...)); err != nil {
			t.Error(name, err)
		}
	}
	if _, err := ONNX([]byte("not a model")); err == nil {
		t.Error("what is no model is one of ONNX")
	}
}

// So does the graph of a model that takes vectors of texts, those that are standardised to zeros too.
func TestONNXOfVectors(t *testing.T) {
	b, mean := given(t)
	m, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	g, err := newGraph(b)
	if err != nil {
		t.Fatal(err)
	}
	all := []string{"free prize", "see you", "", "hello"}
	vectors := slices.Concat([]float32{100, 1, 7, 102, -1, 7}, mean, []float32{90, 3, 8})
	values := padded(m, all)
	given := array{dims: []int{len(all), 3}}
	for _, v := range vectors {
		given.v = append(given.v, float64(v))
	}
	values["vectors"] = given
	evaluate(t, &g.Graph, values)
	for i, want := range m.OfTexts(all, vectors) {
		if got := values[g.Outputs[0].Name].v[i]; math.Abs(got-float64(want)) > 1e-5 {
			t.Errorf("text %d: %v, want %v", i/2, got, want)
		}
	}
	if _, err := ONNX(b); err != nil {
		t.Error(err)
	}
}

// A graph that would leave out an array of the model is not written.
func TestONNXLeavesNothingOut(t *testing.T) {
	f, err := safetensors.Decode(encoded(t, 60, 6, variants["vectors"]))
	if err != nil {
		t.Fatal(err)
	}
	safetensors.Put(f, "wide/towers", []float32{1, 2})
	if _, err := ONNX(f.Encode()); err == nil || !strings.Contains(err.Error(), `"wide/towers"`) {
		t.Error(err)
	}
}

// The n-grams' lines are their tokens, in order.
func TestONNXNGrams(t *testing.T) {
	b := encoded(t, 60, 6, variants["pairs"])
	files, err := ONNX(b)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(files, func(f File) bool { return f.Name == NGramsName })
	if lines := strings.Split(string(files[i].Data), "\n"); !slices.Contains(lines, "free prize") || slices.Contains(lines, "prize free") {
		t.Errorf("the n-grams are %q", lines)
	}
}
