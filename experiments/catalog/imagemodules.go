package catalog

import (
	_ "embed"

	"github.com/goccy/go-yaml"
)

//go:embed imagemodules.yaml
var imageModulesYAML []byte

// ImageModuleRecipe says how one of the catalogue's image modules is made: a
// MobileNet where Block is set, patch features where Centroids is, else
// principal components.
type ImageModuleRecipe struct {
	Name string `yaml:"name"`
	// File is a folder of MobileNet's weights (manifest.json, weights.f32le.bin),
	// else an archive of the images to learn of.
	File       string `yaml:"file"`
	Source     string `yaml:"source"`
	Block      int    `yaml:"block"`
	Centroids  int    `yaml:"centroids"`
	Components int    `yaml:"components"`
}

// ImageModules lists the catalogue's image modules, those of one file together.
func ImageModules() []ImageModuleRecipe {
	var out []ImageModuleRecipe
	if err := yaml.UnmarshalWithOptions(imageModulesYAML, &out, yaml.Strict()); err != nil {
		panic(err) // embedded
	}
	return out
}
