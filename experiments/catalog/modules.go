package catalog

import (
	_ "embed"

	"github.com/goccy/go-yaml"
)

//go:embed modules.yaml
var modulesYAML []byte

// ModuleRecipe says how one of the catalogue's embedding modules is made.
type ModuleRecipe struct {
	Name     string `yaml:"name"`
	Language string `yaml:"language"`
	// File holds vectors in text form, or with Train a corpus, a document a line.
	File   string          `yaml:"file"`
	Source string          `yaml:"source"`
	Train  *ModuleTraining `yaml:"train"`
}

// ModuleTraining are the options of a module's training.
type ModuleTraining struct {
	Method      string  `yaml:"method"`
	Dim         int     `yaml:"dim"`
	Window      int     `yaml:"window"`
	Standardise bool    `yaml:"standardise"`
	Smoothing   float64 `yaml:"smoothing"`
}

// Modules lists the catalogue's modules, those of one corpus together.
func Modules() []ModuleRecipe {
	var out []ModuleRecipe
	if err := yaml.UnmarshalWithOptions(modulesYAML, &out, yaml.Strict()); err != nil {
		panic(err) // embedded
	}
	return out
}
