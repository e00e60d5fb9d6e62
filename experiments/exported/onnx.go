package exported

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	kernels "tnaml/nn/blas"
	"tnaml/nn/child"
	"tnaml/nn/onnx"
	"tnaml/nn/safetensors"
	"tnaml/nn/sparse"
)

// ONNX returns an encoded model of texts for other runtimes, as files that are to lie beside
// it: model.onnx, vocabulary.txt, and features.txt or ngrams.txt where the wide tower sees
// these. What comes before the ids stays outside: the text's tokens (text.Tokeniser) are
// looked up among the lines of vocabulary.txt, its features or n-grams among theirs, counted
// from 0. A token that vocabulary.txt lacks is left out before n-grams are made where the
// vocabulary was cut (Info.DistinctTokens, in the graph's metadata "model", is greater than
// its lines); else no n-gram of words reaches across it, and its n-grams of characters
// count. N-grams, which are not features, do not reach across tokens from line
// Info.WideVocabulary on either. The inputs, of which a model has what it needs, are, n texts at a time,
//
//	tokens          n × t, int64    the ids of its tokens, each once, filled up with −1, t ≥ 1
//	counts          n × t, float32  how often each occurs, filled up with 0
//	ngrams          n × g, int64    its n-grams, each once, filled up with −1
//	features        n × f, int64    its features, each once, filled up with −1
//	feature_counts  n × f, float32  how often each occurs, filled up with 0
//	vectors         n × dim, float32  the vector of the text, where the model takes these
//
// and the output is probabilities, n × classes, float32, calibrated, equal to Predict's but
// for rounding. Models of images are refused: the image module is no part of the model that
// ONNX could have; so are what programs left, and models with an array that is used neither in
// the graph nor in the files.
func ONNX(encoded []byte) ([]File, error) {
	g, err := newGraph(encoded)
	if err != nil {
		return nil, err
	}
	b, err := g.Encode()
	if err != nil {
		return nil, err
	}
	files := []File{{ONNXName, b}, {VocabularyName, get[uint8](g, "vocabulary")}}
	if g.m.child.Features() > 0 {
		files = append(files, File{FeaturesName, get[uint8](g, "features")})
	}
	if g.m.child.NGrams() > 0 {
		files = append(files, File{NGramsName, g.ngrams()})
	}
	left := slices.DeleteFunc(g.f.Names(), func(name string) bool { return g.used[name] })
	if len(left) > 0 {
		g.errs = append(g.errs, fmt.Errorf("the model is not written as ONNX: the graph would leave out its arrays %q, and predict otherwise; "+
			"leave --format out, and serve it with `starter serve-model` or a Go program", left))
	}
	return files, errors.Join(g.errs...)
}

// newGraph builds an encoded model's graph.
func newGraph(encoded []byte) (*graph, error) {
	m, err := Decode(encoded)
	if err != nil {
		return nil, err
	}
	if m.images != nil {
		return nil, fmt.Errorf("a model of images is not written as ONNX: the image module (%s) that its features come from has kernels of "+
			"its own; leave --format out, and serve it with `starter serve-model` or a Go program", m.images.module.Name())
	}
	f, err := safetensors.Decode(encoded)
	if err != nil {
		return nil, err
	}
	info, err := json.Marshal(m.Info)
	if err != nil {
		return nil, err
	}
	g := &graph{m: m, f: f, used: map[string]bool{}, Graph: onnx.Graph{Name: m.Info.Task, Metadata: map[string]string{"model": string(info)}}}
	g.build()
	return g, errors.Join(g.errs...)
}

// graph is a model's while it is built.
type graph struct {
	onnx.Graph
	m    *Model
	f    *safetensors.File
	used map[string]bool // the arrays that get has given
	errs []error
}

// get is an array of the encoded model.
func get[T safetensors.Element](g *graph, name string) []T {
	g.used[name] = true
	v, _, err := safetensors.Get[T](g.f, name)
	g.errs = append(g.errs, err)
	return v
}

// ngrams are the n-grams, a line each, of tokens parted by spaces.
func (g *graph) ngrams() []byte {
	vocabulary := strings.Split(string(get[uint8](g, "vocabulary")), "\n")
	var b bytes.Buffer
	rows := get[int32](g, "ngrams")
	longest := g.m.child.Config().WideNGrams
	for ; len(rows) > 0; rows = rows[longest:] {
		for i, id := range rows[:longest] {
			if id >= 0 {
				if i > 0 {
					b.WriteByte(' ')
				}
				b.WriteString(vocabulary[id])
			}
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// input adds one of n rows.
func (g *graph) input(name string, t onnx.Type, columns any) string {
	g.Inputs = append(g.Inputs, onnx.Value{Name: name, Type: t, Dims: []any{"n", columns}})
	return name
}

// smallest keeps what is divided by from zero, where what is divided is zero too.
const smallest = 1e-30

// build adds all.
func (g *graph) build() {
	c := g.m.child
	cfg, classes := c.Config(), c.Classes()
	var tokens string
	if !c.TakesVectors() || cfg.WideFeatures == "" {
		tokens = g.input("tokens", onnx.Int64, "t")
	}
	x, mean := g.documents(tokens)
	logits := g.Apply("Add", nil, g.Apply("MatMul", nil, g.deep(x), g.weights("out/weights", classes)), g.vector("out/bias"))
	if g.f.Has("wide/vectors") {
		logits = g.Apply("Add", nil, logits, g.Apply("MatMul", nil, g.unit(mean), g.weights("wide/vectors", classes)))
	}
	rows := get[float32](g, "wide")
	if cfg.WideFeatures != "" {
		logits = g.Apply("Add", nil, logits, g.features(rows, classes))
	} else {
		known := c.WideVocabulary * classes
		// The tokens that the wide tower does not see have rows of zeros, as what fills up has: id −1 is the last.
		of := slices.Concat(rows[:known], make([]float32, (c.Vocabulary()+1)*classes-known))
		logits = g.Apply("Add", nil, logits, g.sum(g.Constant("wide_tokens", of, c.Vocabulary()+1, classes), tokens))
		if n := c.NGrams(); n > 0 {
			of = slices.Concat(rows[known:], make([]float32, classes))
			logits = g.Apply("Add", nil, logits, g.sum(g.Constant("wide_ngrams", of, n+1, classes), g.input("ngrams", onnx.Int64, "g")))
		}
	}
	if c.Temperature > 0 {
		logits = g.Apply("Mul", nil, logits, g.Scalar(float32(1/c.Temperature)))
	}
	g.Nodes = append(g.Nodes, onnx.Node{Operator: "Softmax", Inputs: []string{logits}, Outputs: []string{"probabilities"},
		Attributes: map[string]any{"axis": int64(-1)}})
	g.Outputs = []onnx.Value{{Name: "probabilities", Type: onnx.Float, Dims: []any{"n", classes}}}
}

func (g *graph) vector(name string) string {
	v := get[float32](g, name)
	return g.Constant(name, v, len(v))
}

func (g *graph) weights(name string, columns int) string {
	v := get[float32](g, name)
	return g.Constant(name, v, len(v)/columns, columns)
}

// sum adds up the rows that ids name.
func (g *graph) sum(table, ids string) string {
	return g.Apply("ReduceSum", map[string]any{"keepdims": int64(0)}, g.Apply("Gather", nil, table, ids), g.Axes(1))
}

// weighted adds up the rows that ids name, each times its weight.
func (g *graph) weighted(table, ids, weights string) string {
	product := g.Apply("MatMul", nil, g.Apply("Unsqueeze", nil, weights, g.Axes(1)), g.Apply("Gather", nil, table, ids))
	return g.Apply("Squeeze", nil, product, g.Axes(1))
}

// total adds up rows, n × 1.
func (g *graph) total(x string) string {
	return g.Apply("ReduceSum", map[string]any{"keepdims": int64(1)}, x, g.Axes(1))
}

// unit brings rows to a length of 1, but for those of zeros.
func (g *graph) unit(x string) string {
	norm := g.Apply("Sqrt", nil, g.total(g.Apply("Mul", nil, x, x)))
	return g.Apply("Div", nil, x, g.Apply("Max", nil, norm, g.Scalar(smallest)))
}

// documents are the documents' vectors, n × dim, that the deep tower and the wide tower see:
// given ones standardised, or their tokens' pooled.
func (g *graph) documents(tokens string) (deep, wide string) {
	c := g.m.child
	if c.TakesVectors() {
		given := g.input("vectors", onnx.Float, c.Dim)
		x := g.Apply("Div", nil, g.Apply("Sub", nil, given, g.vector("feature-mean")), g.vector("feature-deviation"))
		return x, x
	}
	rows := c.Vocabulary() + 1
	known := slices.Concat(get[uint8](g, "known"), []uint8{0})
	table := slices.Concat(get[float32](g, "table"), make([]float32, c.Dim))
	if c.Config().Pooling == child.Max {
		return g.largest(table, known, tokens)
	}
	counts, vectors := g.input("counts", onnx.Float, "t"), g.Constant("table", table, rows, c.Dim)
	mean := func(name string, weight []float32) string {
		w := g.Apply("Mul", nil, counts, g.Apply("Gather", nil, g.Constant(name, weight, rows), tokens))
		return g.Apply("Div", nil, g.weighted(vectors, tokens, w), g.Apply("Max", nil, g.total(w), g.Scalar(smallest)))
	}
	weight := make([]float32, rows)
	for i, k := range known {
		weight[i] = float32(k)
	}
	if c.Config().Pooling == child.Attention && g.f.Has("wide/vectors") {
		wide = mean("known_tokens", slices.Clone(weight))
	}
	if g.f.Has("token/weights") {
		for i, w := range get[float32](g, "token/weights") {
			weight[i] *= w
		}
	}
	deep = mean("token_weights", weight)
	return deep, cmp.Or(wide, deep)
}

// largest are the largest values of each dimension of the tokens' vectors, zeros where no
// token has one.
func (g *graph) largest(table []float32, known []uint8, tokens string) (deep, wide string) {
	dim, there := len(table)/len(known), make([]float32, len(known))
	for i, k := range known {
		if there[i] = float32(k); k == 0 {
			for j := range dim {
				table[i*dim+j] = -math.MaxFloat32
			}
		}
	}
	second := map[string]any{"axes": []int64{1}, "keepdims": int64(0)}
	x := g.Apply("ReduceMax", second, g.Apply("Gather", nil, g.Constant("table", table, len(known), dim), tokens))
	n := g.total(g.Apply("Gather", nil, g.Constant("known_tokens", there, len(known)), tokens))
	x = g.Apply("Mul", nil, x, g.Apply("Clip", nil, n, g.Scalar(0), g.Scalar(1)))
	return x, x
}

// deep is the last hidden layer's output for documents' vectors.
func (g *graph) deep(x string) string {
	cfg := g.m.child.Config()
	for l := range cfg.HiddenLayers {
		name := fmt.Sprintf("layer/%d/", l)
		x = g.Apply("MatMul", nil, x, g.weights(name+"weights", cfg.HiddenSize))
		switch cfg.Normalisation {
		case child.BatchNorm:
			x = g.Apply("Div", nil, g.Apply("Sub", nil, x, g.vector(name+"mean")), g.vector(name+"deviation"))
			x = g.Apply("Mul", nil, x, g.vector(name+"gain"))
		case child.LayerNorm:
			last := map[string]any{"axes": []int64{-1}, "keepdims": int64(1)}
			x = g.Apply("Sub", nil, x, g.Apply("ReduceMean", last, x))
			variance := g.Apply("ReduceMean", last, g.Apply("Mul", nil, x, x))
			x = g.Apply("Div", nil, x, g.Apply("Sqrt", nil, g.Apply("Add", nil, variance, g.Scalar(child.Epsilon))))
			x = g.Apply("Mul", nil, x, g.vector(name+"gain"))
		}
		x = g.activation(cfg.Activation, g.Apply("Add", nil, x, g.vector(name+"bias")))
	}
	return x
}

func (g *graph) activation(f child.Activation, x string) string {
	switch f {
	case child.ReLU:
		return g.Apply("Relu", nil, x)
	case child.ReLU6:
		return g.Apply("Clip", nil, x, g.Scalar(0), g.Scalar(6))
	case child.LeakyReLU:
		return g.Apply("LeakyRelu", map[string]any{"alpha": float32(kernels.Leak)}, x)
	case child.Swish:
		return g.Apply("Mul", nil, x, g.Apply("Sigmoid", nil, x))
	case child.Sigmoid:
		return g.Apply("Sigmoid", nil, x)
	case child.Tanh:
		return g.Apply("Tanh", nil, x)
	}
	g.errs = append(g.errs, fmt.Errorf("the activation %q is not written as ONNX", f))
	return x
}

// features are the wide tower's logits of weighted features.
func (g *graph) features(rows []float32, classes int) string {
	c := g.m.child
	cfg := c.Config()
	ids, counts := g.input("features", onnx.Int64, "f"), g.input("feature_counts", onnx.Float, "f")
	v := g.Apply("Clip", nil, counts, g.Scalar(0), g.Scalar(1))
	if cfg.WideWeighting == sparse.TF || cfg.WideWeighting == sparse.TFIDF {
		logs := g.Apply("Log", nil, g.Apply("Max", nil, counts, g.Scalar(1)))
		v = g.Apply("Mul", nil, v, g.Apply("Add", nil, logs, g.Scalar(1)))
	}
	if g.f.Has("wide/columns") {
		columns := slices.Concat(get[float32](g, "wide/columns"), []float32{0})
		v = g.Apply("Mul", nil, v, g.Apply("Gather", nil, g.Constant("wide_columns", columns, len(columns)), ids))
	}
	if cfg.WideNormalisation == child.L2 {
		v = g.unit(v)
	}
	rows = slices.Concat(rows, make([]float32, classes))
	return g.weighted(g.Constant("wide", rows, c.Features()+1, classes), ids, v)
}
