package exported

import (
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"tnaml/experiments/data"
	"tnaml/experiments/data/text"
	"tnaml/nn/child"
	nnimage "tnaml/nn/image"
	"tnaml/nn/rng"
	"tnaml/nn/safetensors"
	"tnaml/nn/sparse"
)

// short makes a short message of common words, rare ones, numbers and marks.
func short(r *rand.Rand, words int) string {
	var b strings.Builder
	for range 4 + r.IntN(16) {
		u := r.Float64()
		fmt.Fprintf(&b, "w%s ", []string{"ing", "ord", "ay", "ell"}[r.IntN(4)]+fmt.Sprint(int(float64(words)*u*u*u)))
		if r.IntN(12) == 0 {
			b.WriteString("... 12345 don't! ")
		}
	}
	return b.String()
}

// trained is a task of short messages with a trained model of it, and the messages of its validation split; edit changes its
// configuration.
func trained(t testing.TB, words, dim int, edit func(*child.Config)) (m *child.Model, task *text.Task, validation []string) {
	t.Helper()
	r := rng.New(1, "exported/test", uint64(words))
	var examples []text.Example
	for i := range max(200, words/4) {
		mark := []string{"free prize ", "see you ", "hello "}[i%3]
		examples = append(examples, text.Example{Text: mark + short(r, words), Label: []string{"spam", "ham", "ham"}[i%3],
			Split: []string{data.Train, data.Train, data.Train, data.Validation, data.Test}[i%5]})
		if i%5 == 3 {
			validation = append(validation, examples[i].Text)
		}
	}
	var err error
	if task, err = text.Build(examples, data.Options{Name: "messages"}); err != nil {
		t.Fatal(err)
	}
	cfg := child.Config{HiddenLayers: 2, HiddenSize: 16, Activation: child.ReLU, Normalisation: child.BatchNorm, DeepLearningRate: .1,
		WideLearningRate: .1, Steps: 30, WideNGrams: 1}
	edit(&cfg)
	d, err := task.DataFor(cfg)
	if err != nil {
		t.Fatal(err)
	}
	table := &child.Table{Dim: dim, Vectors: make([]float32, dim*len(task.Vocabulary)), Known: make([]bool, len(task.Vocabulary))}
	for i := range table.Vectors {
		table.Vectors[i] = float32(r.NormFloat64())
	}
	for i := range table.Known {
		table.Known[i] = i%5 != 4
	}
	m, _, err = child.Train(cfg, d, table, 1, child.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m, task, validation
}

func encoded(t testing.TB, words, dim int, edit func(*child.Config)) []byte {
	t.Helper()
	m, task, _ := trained(t, words, dim, edit)
	b, err := EncodeTexts(Info{Search: "s", Summary: "a model"}, m, task, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// given is an encoded model that takes vectors of texts, of three numbers, in both towers; mean is what they are about.
func given(t *testing.T) (b []byte, mean []float32) {
	t.Helper()
	trained, task, _ := trained(t, 60, 3, variants["vectors"])
	d, err := task.DataFor(trained.Config())
	if err != nil {
		t.Fatal(err)
	}
	r := rng.New(3, "exported/test", 0)
	of := func(e *child.Examples) (out []float32) {
		for _, label := range e.Labels {
			out = append(out, 100+float32(label)+float32(r.NormFloat64()), float32(r.NormFloat64()), 7)
		}
		return out
	}
	set, err := nnimage.GivenFeatures("given", task.Name, "", 3, of(&d.Train), of(&d.Validation), of(&d.Test))
	if err != nil {
		t.Fatal(err)
	}
	m, _, err := child.Train(trained.Config(), d, &child.Table{Dim: 3}, 1,
		child.Options{Documents: &child.DocumentVectors{Train: set.Train, Validation: set.Validation, Test: set.Test}})
	if err != nil {
		t.Fatal(err)
	}
	if b, err = EncodeTexts(Info{Search: "s", Summary: "a model"}, m, task, set); err != nil {
		t.Fatal(err)
	}
	return b, set.Mean
}

// variants are models of all that the wide tower and the deep tower can be.
var variants = map[string]func(*child.Config){
	"tokens": func(c *child.Config) { c.HiddenLayers, c.FineTune = 0, true },
	"pairs":  func(c *child.Config) { c.WideNGrams, c.Activation, c.Normalisation = 2, child.Swish, child.LayerNorm },
	"features": func(c *child.Config) {
		c.WideFeatures, c.WideWeighting, c.WideNormalisation = child.Both, sparse.TFIDF, child.L2
	},
	"sif": func(c *child.Config) {
		c.Pooling, c.WideFeatures, c.WideWeighting = child.SIF, child.Words2, sparse.LogOdds
		c.Normalisation, c.Activation = child.NoNorm, child.Tanh
	},
	"vectors": func(c *child.Config) {
		c.WideFeatures, c.WideWeighting, c.WideNormalisation = child.Both, sparse.TFIDF, child.L2
		c.WideSolver, c.WideVectors, c.WideBayes = child.Dual, .7, .1
	},
	"bayes": func(c *child.Config) {
		c.WideFeatures, c.WideWeighting, c.WideSolver, c.WideBayes = child.Words1, sparse.TF, child.Dual, .1
		c.Pooling = child.SIF
	},
	"max": func(c *child.Config) { c.Pooling = child.Max },
	"attention": func(c *child.Config) {
		c.Pooling, c.WideSolver, c.WideVectors = child.Attention, child.Dual, .7
	},
}

// texts are of all shapes.
func texts() []string {
	r := rng.New(2, "exported/test", 0)
	out := []string{"", " ", "free prize", "unheard-of zzz", "\xff\xfe broken \xc3", "😀😀 ǅ Ωσ ﬁ e\u0301",
		strings.Repeat("see you free ", 4000), strings.Repeat("x", 1000),
		"http://prize.example/free &amp; <br>", "ｆｒｅｅ 漢字かな", "\x00\x01", "NaN"}
	for range 300 {
		out = append(out, short(r, 300))
	}
	return out
}

func bits(v []float32) []uint32 {
	out := make([]uint32, len(v))
	for i, x := range v {
		out[i] = math.Float32bits(x)
	}
	return out
}

// An exported model says of texts of all shapes what the trained one says of the task's own
// encoding, to the bit: many together, each alone, and from several goroutines.
func TestPredictionsAreTheModels(t *testing.T) {
	for name, edit := range variants {
		t.Run(name, func(t *testing.T) {
			trained, task, validation := trained(t, 300, 12, edit)
			m, err := Decode(encoded(t, 300, 12, edit))
			if err != nil {
				t.Fatal(err)
			}
			all := texts()
			got := m.Predict(all, nil)
			// The task's validation split, whose encoding did not come by the encoder.
			d, err := task.DataFor(trained.Config())
			if err != nil {
				t.Fatal(err)
			}
			if want, got := trained.Predict(&d.Validation), m.OfTexts(validation, nil); !slices.Equal(bits(want), bits(got)) {
				t.Error("the validation split is told otherwise")
			}
			var wait sync.WaitGroup
			for k := range 4 {
				wait.Go(func() {
					for i := k; i < len(all); i += 1 + k {
						p := m.Predict(all[i:i+1], nil)[0]
						if p.Label != got[i].Label || !slices.Equal(bits(p.Probabilities), bits(got[i].Probabilities)) {
							t.Errorf("text %d: %v alone, %v among others", i, p, got[i])
						}
					}
				})
			}
			wait.Wait()
			if p := m.Predict(nil, nil); len(p) != 0 {
				t.Error(p)
			}
		})
	}
}

// A model answers as it was evaluated, of tokens that only the test split has and of those
// that the vocabulary lacks; a model that does not say whether it lacks any is none.
func TestPredictionsAreThoseEvaluated(t *testing.T) {
	var examples []text.Example
	var test []string
	for i := range 60 {
		s := []string{"this is not good at all", "this is good and nice"}[i%2] + fmt.Sprintf(" goody%c", 'a'+i%20)
		split := []string{data.Train, data.Train, data.Train, data.Validation, data.Test}[i%5]
		if split == data.Test {
			s = fmt.Sprintf("thisly%d is not good", i)
			test = append(test, s)
		}
		examples = append(examples, text.Example{Text: s, Label: []string{"bad", "good"}[i%2], Split: split})
	}
	for _, most := range []int{0, 5} {
		task, err := text.Build(examples, data.Options{Name: "messages", MaxVocabulary: most})
		if err != nil {
			t.Fatal(err)
		}
		for _, edit := range []func(*child.Config){
			func(c *child.Config) { c.WideNGrams = 2 }, func(c *child.Config) { c.WideFeatures = child.Both },
		} {
			cfg := child.Config{HiddenSize: 2, Activation: child.ReLU, Normalisation: child.NoNorm, DeepLearningRate: .1, WideLearningRate: 1,
				Steps: 60, WideNGrams: 1}
			edit(&cfg)
			d, err := task.DataFor(cfg)
			if err != nil {
				t.Fatal(err)
			}
			n := len(task.Vocabulary)
			trained, _, err := child.Train(cfg, d, &child.Table{Dim: 1, Vectors: make([]float32, n), Known: make([]bool, n)}, 1, child.Options{})
			if err != nil {
				t.Fatal(err)
			}
			b, err := EncodeTexts(Info{}, trained, task, nil)
			if err != nil {
				t.Fatal(err)
			}
			m, err := Decode(b)
			if err != nil {
				t.Fatal(err)
			}
			if want, got := trained.Predict(&d.Test), m.OfTexts(test, nil); !slices.Equal(bits(want), bits(got)) {
				t.Errorf("at most %d tokens, %+v: the test split is told otherwise", most, cfg)
			}
			f, err := safetensors.Decode(b)
			if err != nil {
				t.Fatal(err)
			}
			m.Info.DistinctTokens = 0
			f.PutJSON("bundle", m.Info)
			if _, err := Decode(f.Encode()); err == nil || !strings.Contains(err.Error(), "0 distinct tokens") {
				t.Error(err)
			}
		}
	}
}

func directory(t testing.TB, b []byte, more ...File) fstest.MapFS {
	t.Helper()
	files, err := Directory(b, more...)
	if err != nil {
		t.Fatal(err)
	}
	dir := fstest.MapFS{}
	for _, f := range files {
		dir[f.Name] = &fstest.MapFile{Data: f.Data}
	}
	return dir
}

// A directory is what was written, or an error that says what is wrong with it.
func TestOpen(t *testing.T) {
	b := encoded(t, 100, 4, variants["tokens"])
	m, err := Open(directory(t, b))
	if err != nil || m.Info.Task != "messages" || !slices.Equal(m.Info.Labels, []string{"ham", "spam"}) {
		t.Fatalf("%+v, %v", m, err)
	}
	for name, c := range map[string]struct {
		edit func(fstest.MapFS)
		want string
	}{
		"empty":     {func(d fstest.MapFS) { clear(d) }, "no model.json: not a directory that"},
		"foreign":   {func(d fstest.MapFS) { d[ManifestName].Data = []byte("[1, 2]") }, "not one that `starter model export` wrote"},
		"newer":     {func(d fstest.MapFS) { d[ManifestName].Data = []byte(`{"format": 7, "signed": true}`) }, "of format 7"},
		"unknown":   {func(d fstest.MapFS) { d[ManifestName].Data = []byte(`{"format": 1, "file": {}}`) }, "file"},
		"unlisted":  {func(d fstest.MapFS) { d[ManifestName].Data = []byte(`{"format": 1, "files": {}}`) }, "damaged"},
		"large":     {func(d fstest.MapFS) { d[ManifestName].Data = make([]byte, maxManifest+1) }, "more than"},
		"no model":  {func(d fstest.MapFS) { delete(d, ContainerName) }, "model.safetensors"},
		"truncated": {func(d fstest.MapFS) { d[ContainerName].Data = b[:len(b)/2] }, "damaged"},
		"flipped": {func(d fstest.MapFS) {
			d[ContainerName].Data = slices.Clone(b)
			d[ContainerName].Data[len(b)-3] ^= 1
		}, "damaged"},
		"a directory": {func(d fstest.MapFS) { d[ManifestName] = &fstest.MapFile{Mode: fs.ModeDir} }, "model.json"},
	} {
		d := directory(t, b)
		c.edit(d)
		if _, err := Open(d); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	for i := 0; i < len(b); i += 997 {
		if _, err := Decode(b[:i]); err == nil {
			t.Errorf("the first %d of %d bytes are a model", i, len(b))
		}
	}
}

// The vectors that a model says it takes are as long as those that it takes.
func TestVectorsAreTheModels(t *testing.T) {
	b, _ := given(t)
	m, err := Decode(b)
	if err != nil || m.Info.Vectors.Dim != 3 {
		t.Fatalf("%+v, %v", m, err)
	}
	f, err := safetensors.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	m.Info.Vectors.Dim = 4
	f.PutJSON("bundle", m.Info)
	if _, err := Decode(f.Encode()); err == nil || !strings.Contains(err.Error(), "vectors of 4 numbers, for a model of 3") {
		t.Error(err)
	}
}
