package module

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"tnaml/experiments/catalog"
	"tnaml/experiments/data"
	"tnaml/experiments/data/image"
	nnimage "tnaml/nn/image"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

// buildImageModules makes the catalogue's image modules that are not there yet
// of what lies below a directory.
func (a app) buildImageModules(ctx context.Context, c *client.Client, p *terminal.Progress, dir string,
	recipes []catalog.ImageModuleRecipe, there map[string]bool, overwrite bool) error {
	var read string
	var images nnimage.Images
	for i, r := range recipes {
		if there[r.Name] && !overwrite {
			p.Say("module %s is there", r.Name)
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		file := filepath.Join(dir, filepath.FromSlash(r.File))
		what := fmt.Sprintf("image module %d of %d, %s", i+1, len(recipes), r.Name)
		p.Update(what)
		var e nnimage.Extractor
		var err error
		if r.Block > 0 {
			e, err = readMobileNet(file, nnimage.MobileNetOptions{Name: r.Name, Source: r.Source, Block: r.Block})
		} else {
			if read != file {
				if images, err = trainingImages(ctx, file, what+": reading the images", p); err != nil {
					return err
				}
				read = file
			}
			e, err = learnImageModule(images, r, func(share float64) error {
				p.Update(fmt.Sprintf("%s: learning, %.0f %%", what, 100*share))
				return ctx.Err()
			})
		}
		if err != nil {
			return fmt.Errorf("module %s: %w", r.Name, err)
		}
		if err := a.publishImageModule(ctx, c, p, e, overwrite); err != nil {
			return err
		}
	}
	return nil
}

// readMobileNet reads a folder of MobileNet's weights.
func readMobileNet(folder string, o nnimage.MobileNetOptions) (nnimage.Extractor, error) {
	manifest, err := os.ReadFile(filepath.Join(folder, "manifest.json"))
	weights, err2 := os.ReadFile(filepath.Join(folder, "weights.f32le.bin"))
	if err := errors.Join(err, err2); err != nil {
		return nil, fmt.Errorf("%s: a folder of MobileNet's weights, manifest.json and weights.f32le.bin, is expected: %w", folder, err)
	}
	return nnimage.ImportMobileNet(manifest, weights, o)
}

// learnImageModule learns patch features or principal components of images.
func learnImageModule(images nnimage.Images, r catalog.ImageModuleRecipe, progress func(share float64) error) (nnimage.Extractor, error) {
	if r.Centroids > 0 {
		return nnimage.TrainPatches(images, nnimage.PatchOptions{Name: r.Name, Source: r.Source, Centroids: r.Centroids,
			Channels: images.Channels, Seed: 1, Progress: progress})
	}
	return nnimage.TrainPCA(images, nnimage.PCAOptions{Name: r.Name, Source: r.Source, Components: r.Components, Channels: images.Channels,
		Seed: 1})
}

// trainingImages reads the images of an archive's training split, or all where
// it has no split.
func trainingImages(ctx context.Context, file, what string, p *terminal.Progress) (nnimage.Images, error) {
	f, err := os.Open(file)
	if err != nil {
		return nnimage.Images{}, err
	}
	defer f.Close() // read only
	s, err := image.ReadArchive(image.File{Name: file, Reader: watched(ctx, f, what, p)}, image.FileOptions{})
	if err != nil {
		return nnimage.Images{}, err
	}
	out := s.Images
	out.Pixels = nil
	for i, split := range s.Splits {
		if split == data.Train || split == "" {
			out.Pixels = append(out.Pixels, s.At(i)...)
		}
	}
	return out, nil
}
