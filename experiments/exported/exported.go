// Package exported is trained child models that have left the store: each with all it takes
// to use it on texts or images. A program that serves them needs this package alone:
//
//	model, err := exported.Open(os.DirFS("spam"))
//	predictions := model.Predict([]string{"free prize, call now"}, nil)
package exported

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"tnaml/experiments/data/text"
	"tnaml/nn/child"
	nnimage "tnaml/nn/image"
	"tnaml/nn/safetensors"
)

// Model is a trained child model with all it takes to use it: what `starter model
// export` writes. Encoded it is a safetensors file of kind "model"
// (child.Model.EncodeAlone) with the metadata "bundle" (Info) added, and, of a text model,
// the array "vocabulary" (the tokens, UTF-8, each ended by a newline) and, where the wide
// tower sees n-grams, "ngrams" (I32, rows of token ids, filled up with −1), or, where it
// sees features, "features" (text.FeatureIndex.Encode), and, where the deep tower takes
// vectors of documents, "feature-mean" and "feature-deviation" (F32); of an image model see
// images. It is safe for concurrent use.
type Model struct {
	Info    Info
	child   *child.Model
	encoder *text.Encoder
	images  *images
	// vectors is the scale of the vectors that the model takes of documents, or nil.
	vectors *nnimage.FeatureSet
	rooms   sync.Pool // *room
}

// room is what a prediction takes besides its result.
type room struct {
	buffer  text.Buffer
	work    child.Workspace
	vectors []float32
}

// Info says what an exported model is.
type Info struct {
	Task      string         `json:"task"`
	Labels    []string       `json:"labels"`
	Tokeniser text.Tokeniser `json:"tokeniser,omitzero"`
	// WideVocabulary is the number of leading tokens the wide tower knows.
	WideVocabulary int `json:"wide_vocabulary,omitempty"`
	// DistinctTokens counts the tokens of the texts of a model of texts' task. More than the
	// vocabulary has say that it was cut: tokens that it lacks are then left out of a text as
	// if they were not there. Where it was not, n-grams do not reach across them, and their
	// characters count.
	DistinctTokens int `json:"distinct_tokens,omitempty"`
	// Image is the size of an image model's images, nil for texts.
	Image *ImageSize `json:"image,omitempty"`
	// Vectors is the module of the documents' vectors that must be given with texts.
	Vectors *VectorModule `json:"vectors,omitempty"`
	// Search and Trial are where the model came from, Summary its architecture.
	Search     string  `json:"search"`
	Trial      int     `json:"trial"`
	Summary    string  `json:"summary"`
	Validation float64 `json:"validation_accuracy"`
	Test       float64 `json:"test_accuracy"`
	// Refitted says that the model was trained on the validation examples too: Validation is
	// then of the trial's own model, which was not, Test of this one.
	Refitted bool `json:"refitted,omitempty"`
}

// VectorModule says which vectors of documents a model takes.
type VectorModule struct {
	Module string `json:"module"`
	Dim    int    `json:"dim"`
}

// ErrProgram says that a model is not one of ours.
var ErrProgram = errors.New("the model is an archive of what its trainer's program left, for that program to use")

// EncodeTexts encodes a model of texts: Info's search, trial, summary and accuracies are
// given, the rest is the task's. set is the scale of the vectors of documents that the model
// takes, nil where it takes none.
func EncodeTexts(info Info, m *child.Model, task *text.Task, set *nnimage.FeatureSet) ([]byte, error) {
	info.Task, info.Labels, info.Tokeniser, info.WideVocabulary = task.Name, task.Labels, task.Tokeniser, task.WideVocabulary
	info.DistinctTokens = task.Card.DistinctTokens
	f, err := safetensors.Decode(m.EncodeAlone())
	if err != nil {
		return nil, err
	}
	if m.TakesVectors() {
		info.Vectors = &VectorModule{set.Module, set.Dim}
		putScale(f, set)
	}
	f.PutJSON("bundle", info)
	var words []byte
	for _, token := range task.Vocabulary {
		words = append(append(words, token...), '\n')
	}
	safetensors.Put(f, "vocabulary", words)
	another := func(n int, what string, there int) error {
		return fmt.Errorf("it has %d %s, its task %d: another version of the program made it", n, what, there)
	}
	if n := m.Features(); n > 0 {
		x, err := task.WideIndex(m.Config().WideFeatures)
		if err != nil {
			return nil, err
		}
		if x.Len() != n {
			return nil, another(n, "features", x.Len())
		}
		safetensors.Put(f, "features", x.Encode())
	}
	if n := m.NGrams(); n > 0 {
		longest := m.Config().WideNGrams
		g, err := task.NGrams(longest)
		if err != nil {
			return nil, err
		}
		if g.Len() != n {
			return nil, another(n, "n-grams", g.Len())
		}
		safetensors.Put(f, "ngrams", g.Encode(), n, longest)
	}
	return f.Encode(), nil
}

// IsArchive says that an exported model is a tar archive: what a program left in its
// directory model/, which is that program's to use.
func IsArchive(b []byte) bool {
	_, err := tar.NewReader(bytes.NewReader(b)).Next()
	return err == nil
}

// Decode reads what EncodeTexts and EncodeImages wrote.
func Decode(b []byte) (*Model, error) {
	if IsArchive(b) {
		return nil, ErrProgram
	}
	f, err := safetensors.Decode(b)
	if err != nil {
		return nil, err
	}
	var out Model
	if err := f.GetJSON("bundle", &out.Info); err != nil {
		return nil, fmt.Errorf("not an exported model (make one with `starter model export`): %w", err)
	}
	out.child, err = child.DecodeModel(b)
	switch {
	case err != nil:
	case out.Info.Image != nil:
		out.images, err = getImages(f, out.child, *out.Info.Image)
	default:
		err = out.decodeTexts(f)
	}
	if err == nil && out.child.Classes() != len(out.Info.Labels) {
		err = fmt.Errorf("%d labels for a model of %d classes", len(out.Info.Labels), out.child.Classes())
	}
	if err != nil {
		return nil, fmt.Errorf("exported model: %w", err)
	}
	return &out, nil
}

// decodeTexts reads what only models of texts have.
func (m *Model) decodeTexts(f *safetensors.File) error {
	words, _, err := safetensors.Get[uint8](f, "vocabulary", -1)
	switch {
	case err != nil:
		return err
	case m.Info.Tokeniser.Version != text.TokeniserVersion:
		return fmt.Errorf("made with version %d of the tokeniser, this program has version %d", m.Info.Tokeniser.Version, text.TokeniserVersion)
	case m.child.Pixels() > 0:
		return errors.New("it is one of images, and lacks their size and module")
	case m.child.Detached():
		return errors.New("it lacks its embedding table")
	case m.child.TakesVectors() != (m.Info.Vectors != nil):
		return errors.New("it does not say which vectors of documents it takes")
	case m.Info.Vectors != nil && m.Info.Vectors.Dim != m.child.Dim:
		return fmt.Errorf("it says that it takes vectors of %d numbers, for a model of %d", m.Info.Vectors.Dim, m.child.Dim)
	}
	task := &text.Task{
		Labels: m.Info.Labels, Tokeniser: m.Info.Tokeniser,
		Vocabulary: strings.Split(strings.TrimSuffix(string(words), "\n"), "\n"), WideVocabulary: m.Info.WideVocabulary,
	}
	if m.Info.Vectors != nil {
		if m.vectors, err = getScale(f, m.Info.Vectors.Module, m.child.Dim); err != nil {
			return err
		}
	}
	if rows := m.child.Vocabulary(); rows != len(task.Vocabulary) {
		return fmt.Errorf("%d tokens for a table of %d", len(task.Vocabulary), rows)
	}
	if wide := m.child.WideVocabulary; wide != task.WideVocabulary {
		return fmt.Errorf("%d tokens for a wide tower of %d", task.WideVocabulary, wide)
	}
	// What lacks the number would otherwise count as a model whose vocabulary was not cut.
	if m.Info.DistinctTokens < len(task.Vocabulary) {
		return fmt.Errorf("it says that its task has %d distinct tokens, and has %d in its vocabulary: export the model again",
			m.Info.DistinctTokens, len(task.Vocabulary))
	}
	task.Card.DistinctTokens = m.Info.DistinctTokens
	grams, index, err := decodeWide(f, m.child, task)
	m.encoder = task.Encoder(grams, index)
	return err
}

// decodeWide reads what the wide tower sees besides tokens.
func decodeWide(f *safetensors.File, m *child.Model, task *text.Task) (grams *text.NGrams, index *text.FeatureIndex, err error) {
	if n := m.Features(); n > 0 {
		lines, _, err := safetensors.Get[uint8](f, "features", -1)
		if err != nil {
			return nil, nil, err
		}
		if index, err = task.DecodeWideIndex(lines, m.Config().WideFeatures); err != nil {
			return nil, nil, err
		}
		if index.Len() != n {
			return nil, nil, fmt.Errorf("%d features for a model of %d", index.Len(), n)
		}
	}
	if n := m.NGrams(); n > 0 {
		longest := m.Config().WideNGrams
		rows, _, err := safetensors.Get[int32](f, "ngrams", n, longest)
		if err != nil {
			return nil, nil, err
		}
		if grams, err = task.DecodeNGrams(rows, longest); err != nil {
			return nil, nil, err
		}
	}
	return grams, index, nil
}

// Prediction is what a model says of one text or image.
type Prediction struct {
	// Label is the most probable class, the first of equals.
	Label string `json:"label"`
	// Probabilities holds each class's, calibrated, in the order of Info.Labels.
	Probabilities []float32 `json:"probabilities"`
}

// errNoAnswer says that a model's answer is no number.
var errNoAnswer = errors.New("the model's answer is no number: its values are beyond what the model can take")

// Check is an error where a probability is no number.
func (p Prediction) Check() error {
	if slices.ContainsFunc(p.Probabilities, func(v float32) bool { return v != v }) {
		return errNoAnswer
	}
	return nil
}

// Predictor is what predicts: a Model, or an ensemble of such.
type Predictor interface {
	About() *Info
	Vectors() (*VectorModule, error)
	Predict(texts []string, vectors []float32) []Prediction
	ReadImage(file []byte) ([]uint8, error)
	PredictImages(pixels []uint8) ([]Prediction, error)
}

// About says what the model is of.
func (m *Model) About() *Info { return &m.Info }

// Vectors says which vectors of documents must be given with texts; nil: none.
func (m *Model) Vectors() (*VectorModule, error) { return m.Info.Vectors, nil }

// Predict classifies texts, with the vectors of each, n × dim, where the model takes
// these. What it says of a text does not depend on those beside it. It panics where there
// are other vectors, and on a model of images: programmer errors.
func (m *Model) Predict(texts []string, vectors []float32) []Prediction {
	return m.Predictions(m.OfTexts(texts, vectors))
}

// OfTexts are the probabilities of the classes of texts, n × classes.
func (m *Model) OfTexts(texts []string, vectors []float32) []float32 {
	out := make([]float32, len(texts)*len(m.Info.Labels))
	r, there := m.rooms.Get().(*room)
	if !there {
		r = new(room)
	}
	examples := m.encoder.Encode(&r.buffer, texts)
	if m.vectors != nil {
		r.vectors = append(r.vectors[:0], vectors...)
		m.vectors.Standardise(r.vectors)
		vectors = r.vectors
	}
	m.child.PredictInto(&r.work, out, examples, vectors)
	m.rooms.Put(r)
	return out
}

// Predictions are those of probabilities, n × classes.
func (m *Model) Predictions(probabilities []float32) []Prediction {
	classes := len(m.Info.Labels)
	out := make([]Prediction, len(probabilities)/classes)
	for i := range out {
		row := probabilities[i*classes:][:classes:classes]
		best := 0
		for c, p := range row {
			if p > row[best] {
				best = c
			}
		}
		out[i] = Prediction{Label: m.Info.Labels[best], Probabilities: row}
	}
	return out
}
