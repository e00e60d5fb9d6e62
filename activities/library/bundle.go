package library

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tnaml/activities/store"
	"tnaml/experiments/data"
	"tnaml/experiments/data/text"
	"tnaml/experiments/search"
	"tnaml/experiments/trainer"
	"tnaml/nn/child"
	"tnaml/nn/embedding"
	nnimage "tnaml/nn/image"
	"tnaml/nn/safetensors"
)

// Bundle is a trained child model with all it takes to use it on texts or
// images: what `starter model export` writes. It is a safetensors file of kind
// "model" (child.Model.EncodeAlone) with the metadata "bundle" (BundleInfo)
// added, and, of a text model, the array "vocabulary" (the tokens, UTF-8, each
// ended by a newline) and, where the wide tower sees n-grams, "ngrams" (I32, rows
// of token ids, filled up with −1), or, where it sees features, "features"
// (text.FeatureIndex.Encode), and, where the deep tower takes vectors of documents,
// "feature-mean" and "feature-deviation" (F32); of an image model see imageBundle.
type Bundle struct {
	Info  BundleInfo
	Model *child.Model
	task  text.Task
	grams *text.NGrams
	index *text.FeatureIndex
	image *imageBundle
	// vectors is the scale of the vectors that the model takes of documents, or nil.
	vectors *nnimage.FeatureSet
}

// ErrNotKept says that a model is not in the store.
var ErrNotKept = errors.New("is not kept")

// BundleInfo says what a bundle is.
type BundleInfo struct {
	Task      string         `json:"task"`
	Labels    []string       `json:"labels"`
	Tokeniser text.Tokeniser `json:"tokeniser,omitzero"`
	// WideVocabulary is the number of leading tokens the wide tower knows.
	WideVocabulary int `json:"wide_vocabulary,omitempty"`
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
}

// VectorModule says which vectors of documents a model takes.
type VectorModule struct {
	Module string `json:"module"`
	Dim    int    `json:"dim"`
}

// ExportModel makes the bundle of a trial whose model is kept. What a program has left as its
// model is the archive as it was stored (IsArchive).
func ExportModel(ctx context.Context, s store.Store, name string, config *search.Config, t search.Trial) ([]byte, error) {
	if by := config.Space.TrainerName(); by != (trainer.Builtin{}).Name() {
		return archived(ctx, s, name, by, config, t)
	}
	there, err := isKept(ctx, s, t)
	if err != nil {
		return nil, err
	}
	if !there {
		return nil, fmt.Errorf("search %q: the model of trial %d %w: only those of a task's %d best trials are (see `starter best %s`); "+
			"--retrain trains it again, bit for bit", name, t.Trial, ErrNotKept, config.KeepModels, name)
	}
	taskRef := config.Tasks[t.Task]
	b, err := s.Get(ctx, store.Ref(taskRef.Data))
	if err != nil {
		return nil, fmt.Errorf("task %q: %w", taskRef.Name, err)
	}
	info := BundleInfo{
		Task: taskRef.Name, Search: name, Trial: t.Trial, Summary: trainer.Describe(&config.Space, t.Actions),
		Validation: t.Metrics["validation_"+trainer.Accuracy], Test: t.Metrics["test_"+trainer.Accuracy],
	}
	if config.Kind() == string(data.Image) {
		return exportImage(ctx, s, config, t, b, info)
	}
	data, err := text.Decode(b)
	if err != nil {
		return nil, err
	}
	info.Labels, info.Tokeniser, info.WideVocabulary = data.Labels, data.Tokeniser, data.WideVocabulary
	model, err := loadModel(ctx, s, config, t, data)
	if err != nil {
		return nil, fmt.Errorf("model of trial %d: %w", t.Trial, err)
	}
	f, err := safetensors.Decode(model.EncodeAlone())
	if err != nil {
		return nil, fmt.Errorf("model of trial %d: %w", t.Trial, err)
	}
	if model.TakesVectors() {
		set, err := vectorsOf(ctx, s, config, t)
		if err != nil {
			return nil, err
		}
		info.Vectors = &VectorModule{set.Module, set.Dim}
		safetensors.Put(f, "feature-mean", set.Mean)
		safetensors.Put(f, "feature-deviation", set.Deviation)
	}
	f.PutJSON("bundle", info)
	var words []byte
	for _, token := range data.Vocabulary {
		words = append(append(words, token...), '\n')
	}
	safetensors.Put(f, "vocabulary", words)
	if n := model.Features(); n > 0 {
		x, err := data.WideIndex(model.Config().WideFeatures)
		if err != nil {
			return nil, err
		}
		if x.Len() != n {
			return nil, fmt.Errorf("model of trial %d: it has %d features, its task %d: another version of the program made it", t.Trial, n, x.Len())
		}
		safetensors.Put(f, "features", x.Encode())
	}
	if n := model.NGrams(); n > 0 {
		longest := model.Config().WideNGrams
		g, err := data.NGrams(longest)
		if err != nil {
			return nil, err
		}
		if g.Len() != n {
			return nil, fmt.Errorf("model of trial %d: it has %d n-grams, its task %d: another version of the program made it", t.Trial, n, g.Len())
		}
		safetensors.Put(f, "ngrams", g.Encode(), n, longest)
	}
	return f.Encode(), nil
}

// archived is a model of a trainer that is not built in.
func archived(ctx context.Context, s store.Store, name, by string, config *search.Config, t search.Trial) ([]byte, error) {
	wrong := func(format string, a ...any) error {
		return fmt.Errorf("search %q: the model of trial %d %w", name, t.Trial, fmt.Errorf(format, a...))
	}
	if t.Model == "" {
		return nil, wrong("%w: the trainer %s left none, or it was not among the task's %d best when it ended", ErrNotKept, by, config.KeepModels)
	}
	ref, err := store.ParseRef(t.Model)
	if err != nil {
		return nil, wrong("is with the trainer %s, as %s", by, t.Model)
	}
	b, err := s.Get(ctx, ref)
	if errors.Is(err, store.ErrNotFound) {
		return nil, wrong("%w any more: only those of a task's %d best trials are (see `starter best %s`)", ErrNotKept, config.KeepModels, name)
	}
	return b, err
}

// IsArchive says that an exported model is a tar archive: what a program left in its
// directory model/, which is that program's to use.
func IsArchive(b []byte) bool {
	_, err := tar.NewReader(bytes.NewReader(b)).Next()
	return err == nil
}

// isKept says whether a trial's model is in the store.
func isKept(ctx context.Context, s store.Store, t search.Trial) (bool, error) {
	if t.Model == "" {
		return false, nil
	}
	there, err := s.Has(ctx, store.Ref(t.Model))
	if err != nil {
		err = fmt.Errorf("model of trial %d: %w", t.Trial, err)
	}
	return there, err
}

// loadModel reads a trial's model, which was stored without its module's table and
// gets it back.
func loadModel(ctx context.Context, s store.Store, config *search.Config, t search.Trial, data *text.Task) (*child.Model, error) {
	b, err := s.Get(ctx, store.Ref(t.Model))
	if err != nil {
		return nil, err
	}
	model, err := child.DecodeModel(b)
	if err != nil || !model.Detached() {
		return model, err
	}
	name, ref, err := moduleOf(config, t)
	if err != nil {
		return nil, err
	}
	if b, err = s.Get(ctx, ref); err != nil {
		return nil, fmt.Errorf("module %q: %w", name, err)
	}
	module, err := embedding.Decode(b)
	if err != nil {
		return nil, fmt.Errorf("module %q: %w", name, err)
	}
	return model, model.Attach(module.Table(data.Vocabulary, data.WideVocabulary))
}

// DecodeBundle reads what ExportModel wrote.
func DecodeBundle(b []byte) (*Bundle, error) {
	if IsArchive(b) {
		return nil, errors.New("the model is an archive of what its trainer's program left, for that program to use: " +
			"`starter model export` writes it to a file")
	}
	f, err := safetensors.Decode(b)
	if err != nil {
		return nil, err
	}
	var out Bundle
	if err := f.GetJSON("bundle", &out.Info); err != nil {
		return nil, fmt.Errorf("not an exported model (make one with `starter model export`): %w", err)
	}
	if out.Info.Image != nil {
		return &out, out.decodeImage(f, b)
	}
	words, _, err := safetensors.Get[uint8](f, "vocabulary", -1)
	if err != nil {
		return nil, fmt.Errorf("exported model: %w", err)
	}
	if out.Info.Tokeniser.Version != text.TokeniserVersion {
		return nil, fmt.Errorf("exported model: made with version %d of the tokeniser, this program has version %d",
			out.Info.Tokeniser.Version, text.TokeniserVersion)
	}
	if out.Model, err = child.DecodeModel(b); err != nil {
		return nil, fmt.Errorf("exported model: %w", err)
	}
	vocabulary := strings.Split(strings.TrimSuffix(string(words), "\n"), "\n")
	out.task = text.Task{
		Labels: out.Info.Labels, Tokeniser: out.Info.Tokeniser,
		Vocabulary: vocabulary, WideVocabulary: out.Info.WideVocabulary,
	}
	if out.Model.Pixels() > 0 {
		return nil, errors.New("exported model: it is one of images, and lacks their size and module")
	}
	if out.Model.Detached() {
		return nil, errors.New("exported model: it lacks its embedding table")
	}
	if out.Model.TakesVectors() != (out.Info.Vectors != nil) {
		return nil, errors.New("exported model: it does not say which vectors of documents it takes")
	}
	if out.Info.Vectors != nil {
		if out.vectors, err = getScale(f, out.Info.Vectors.Module, out.Model.Dim); err != nil {
			return nil, fmt.Errorf("exported model: %w", err)
		}
	}
	if rows := out.Model.Vocabulary(); rows != len(vocabulary) {
		return nil, fmt.Errorf("exported model: %d tokens for a table of %d", len(vocabulary), rows)
	}
	if n := out.Model.Features(); n > 0 {
		lines, _, err := safetensors.Get[uint8](f, "features", -1)
		if err != nil {
			return nil, fmt.Errorf("exported model: %w", err)
		}
		if out.index, err = out.task.DecodeWideIndex(lines, out.Model.Config().WideFeatures); err != nil {
			return nil, fmt.Errorf("exported model: %w", err)
		}
		if out.index.Len() != n {
			return nil, fmt.Errorf("exported model: %d features for a model of %d", out.index.Len(), n)
		}
	}
	if n := out.Model.NGrams(); n > 0 {
		longest := out.Model.Config().WideNGrams
		rows, _, err := safetensors.Get[int32](f, "ngrams", n, longest)
		if err != nil {
			return nil, fmt.Errorf("exported model: %w", err)
		}
		if out.grams, err = out.task.DecodeNGrams(rows, longest); err != nil {
			return nil, fmt.Errorf("exported model: %w", err)
		}
	}
	if classes := out.Model.Classes(); classes != len(out.Info.Labels) {
		return nil, fmt.Errorf("exported model: %d labels for a model of %d classes", len(out.Info.Labels), classes)
	}
	return &out, nil
}

// Prediction is what a model says of one text or image.
type Prediction struct {
	// Label is the most probable class.
	Label string `json:"label"`
	// Probabilities holds each class's, in the order of BundleInfo.Labels.
	Probabilities []float32 `json:"probabilities"`
}

// Vectors says which vectors of documents must be given with texts; nil: none.
func (b *Bundle) Vectors() (*VectorModule, error) { return b.Info.Vectors, nil }

// Predict classifies texts, with the vectors of each, n × dim, where the model takes
// these. It panics where there are others: a programmer error.
func (b *Bundle) Predict(texts []string, vectors []float32) []Prediction {
	return b.predictions(b.ofTexts(texts, vectors))
}

// ofTexts are the probabilities of the classes of texts.
func (b *Bundle) ofTexts(texts []string, vectors []float32) []float32 {
	bags := b.task.Bag(texts, b.grams)
	if b.index != nil {
		bags.Wide = b.index.CountTexts(texts)
	}
	if b.vectors == nil {
		return b.Model.Predict(&bags)
	}
	scaled := slices.Clone(vectors)
	b.vectors.Standardise(scaled)
	return b.Model.PredictFrom(&bags, scaled)
}

// About says what the model is of.
func (b *Bundle) About() *BundleInfo { return &b.Info }

// predictions are those of probabilities, n × classes.
func (b *Bundle) predictions(probabilities []float32) []Prediction {
	classes := len(b.Info.Labels)
	out := make([]Prediction, len(probabilities)/classes)
	for i := range out {
		row := probabilities[i*classes : (i+1)*classes]
		best := 0
		for c, p := range row {
			if p > row[best] {
				best = c
			}
		}
		out[i] = Prediction{Label: b.Info.Labels[best], Probabilities: row}
	}
	return out
}
