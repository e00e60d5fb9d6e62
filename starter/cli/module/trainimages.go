package module

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/data"
	"tnaml/experiments/data/image"
	nnimage "tnaml/nn/image"
	"tnaml/starter/cli/names"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

func (a app) trainImagesCommand() *cobra.Command {
	var name, method, source string
	var size, centroids, patch, components int
	var seed uint64
	var overwrite bool
	cmd := &cobra.Command{
		Use: "train-images TASK", Short: "Learn an image module of a task's training images, without their labels",
		Long: "Learn an image module of an imported task's training images, without their labels: features of patches found by k-means " +
			"(Coates, Ng\n" +
			"and Lee, 2011), or the principal components of the pixels.",
		Example: "  starter module train-images cifar10 --name patches-200 --method kmeans --centroids 200",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := client.CheckName("module", name); err != nil {
				return err
			}
			if method != "kmeans" && method != "pca" {
				return client.Usage(fmt.Errorf("--method is %q (known: kmeans, pca)", method))
			}
			patches := nnimage.PatchOptions{Name: name, Source: source, Size: size, Centroids: centroids, Patch: patch, Seed: seed}
			pca := nnimage.PCAOptions{Name: name, Source: source, Size: size, Components: components, Seed: seed}
			others, err := []string{"components"}, patches.Validate()
			if method == "pca" {
				others, err = []string{"centroids", "patch"}, pca.Validate()
			}
			if err = errors.Join(err, terminal.Idle(cmd.Flags(), "does not go with --method "+method, others...)); err != nil {
				return client.Usage(err)
			}
			return a.WithClient(cmd.Context(), func(c *client.Client) error {
				if err := names.Free(cmd.Context(), c.Store, store.Module, name, overwrite); err != nil {
					return err
				}
				p := a.NewProgress()
				defer p.Clear()
				p.Update("reading the task " + args[0])
				t, _, err := library.LoadTask[*image.Task](cmd.Context(), c.Store, args[0])
				if err != nil {
					return err
				}
				if source == "" {
					patches.Source = fmt.Sprintf("%s of the training images of %s",
						map[string]string{"kmeans": "patch features learned by k-means", "pca": "principal components"}[method], args[0])
					pca.Source = patches.Source
				}
				patches.Channels, pca.Channels = t.Channels, t.Channels
				var e nnimage.Extractor
				if method == "pca" {
					p.Update("learning the module " + name)
					e, err = nnimage.TrainPCA(t.Train.Images, pca)
				} else {
					patches.Progress = func(share float64) error {
						p.Update(fmt.Sprintf("learning the module %s: %.0f %%", name, 100*share))
						return cmd.Context().Err()
					}
					e, err = nnimage.TrainPatches(t.Train.Images, patches)
				}
				if err != nil {
					return err
				}
				return a.publishImageModule(cmd.Context(), c, p, e, overwrite)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&name, "name", "", "the module's name")
	f.StringVar(&method, "method", "kmeans", "kmeans or pca")
	f.StringVar(&source, "source", "", "where it comes from (default: the method and the task)")
	f.IntVar(&size, "size", 32, "side to which images are resized")
	f.IntVar(&centroids, "centroids", 200, "number of patch features; a vector has four of each (kmeans)")
	f.IntVar(&patch, "patch", 6, "side of a patch (kmeans)")
	f.IntVar(&components, "components", 64, "number of components (pca)")
	f.Uint64Var(&seed, "seed", 1, "decides every random draw")
	f.BoolVar(&overwrite, "overwrite", false, "give the name to this module even if it has another")
	terminal.Positive(cmd, "size", "centroids", "patch", "components")
	return a.JSONFlag(cmd)
}

// addMobileNet adds a folder of MobileNet's weights as an image module.
func (a app) addMobileNet(ctx context.Context, c *client.Client, folder string, o nnimage.MobileNetOptions, overwrite bool,
	p *terminal.Progress) error {
	if o.Source == "" {
		o.Source = filepath.Base(folder)
	}
	e, err := readMobileNet(folder, o)
	if err != nil {
		return err
	}
	return a.publishImageModule(ctx, c, p, e, overwrite)
}

// publishImageModule stores an image module and says so.
func (a app) publishImageModule(ctx context.Context, c *client.Client, p *terminal.Progress, e nnimage.Extractor, overwrite bool) error {
	p.Update("storing the module " + e.Name())
	ref, err := library.PublishImageModule(ctx, c.Store, e, overwrite)
	if err != nil {
		return err
	}
	p.Clear()
	if a.JSON {
		return a.PrintJSON(library.ModuleRecord{Kind: data.Image, Ref: ref, Name: e.Name(), Source: e.Source(), Dim: e.Dim()})
	}
	a.Print("module %s: %s features of an image\n%s", e.Name(), humanize.Comma(int64(e.Dim())), e.Source())
	return nil
}
