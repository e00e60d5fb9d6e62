package catalog

import (
	_ "embed"
	"path"

	"github.com/goccy/go-yaml"

	"tnaml/nn/embedding"
)

//go:embed modules.yaml
var modulesYAML []byte

// ModuleRecipe says how one of the catalogue's embedding modules is made.
type ModuleRecipe struct {
	Name     string `yaml:"name"`
	Language string `yaml:"language"`
	// File holds vectors, or with Train a corpus, a document a line. It is empty
	// with Derive.
	File   string          `yaml:"file"`
	Source string          `yaml:"source"`
	Train  *ModuleTraining `yaml:"train"`
	// Derive, if not nil, makes the module of others, which stand before it.
	Derive *ModuleDerivation `yaml:"derive"`
}

// ModuleDerivation makes a module of others: several are joined, and the outcome
// is changed as embedding.Module.Derive does.
type ModuleDerivation struct {
	From        []string `yaml:"from"`
	Components  int      `yaml:"components"`
	Standardise bool     `yaml:"standardise"`
	Smoothing   float64  `yaml:"smoothing"`
}

// Variant returns what is done to the vectors.
func (d ModuleDerivation) Variant() embedding.Variant {
	return embedding.Variant{Components: d.Components, Standardise: d.Standardise, Smoothing: d.Smoothing}
}

// ModuleTraining are the options of a module's training, as those of
// embedding.TrainOptions; what is left out has its default there.
type ModuleTraining struct {
	Method       string             `yaml:"method"`
	Dim          int                `yaml:"dim"`
	Window       int                `yaml:"window"`
	MinCount     int                `yaml:"min_count"`
	Negative     int                `yaml:"negative"`
	Epochs       int                `yaml:"epochs"`
	Subsample    float64            `yaml:"subsample"`
	LearningRate float64            `yaml:"learning_rate"`
	Subword      *embedding.Subword `yaml:"subword"`
	Components   int                `yaml:"components"`
	Standardise  bool               `yaml:"standardise"`
	Smoothing    float64            `yaml:"smoothing"`
}

// Options returns the options of training the module.
func (r ModuleRecipe) Options() embedding.TrainOptions {
	t := r.Train
	return embedding.TrainOptions{
		Name: r.Name, Language: r.Language, Source: path.Base(r.File),
		Method: embedding.Method(t.Method), Dim: t.Dim, Window: t.Window, MinCount: t.MinCount, Seed: 1,
		Negative: t.Negative, Epochs: t.Epochs, Subsample: t.Subsample, LearningRate: t.LearningRate, Subword: t.Subword,
		Variant: embedding.Variant{Components: t.Components, Standardise: t.Standardise, Smoothing: t.Smoothing},
	}
}

// Modules lists the catalogue's modules, those of one corpus together, derived
// ones after their parts.
func Modules() []ModuleRecipe {
	var out []ModuleRecipe
	if err := yaml.UnmarshalWithOptions(modulesYAML, &out, yaml.Strict()); err != nil {
		panic(err) // embedded
	}
	return out
}
