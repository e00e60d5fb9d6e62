package module

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/catalog"
	"tnaml/experiments/data"
	"tnaml/nn/embedding"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

func (a app) buildCommand() *cobra.Command {
	var overwrite bool
	var kind data.Kind
	cmd := &cobra.Command{
		Use: "build DIR", Short: "Make the catalogue's modules, for texts and images, of what lies below a directory",
		Long: "Make the catalogue's eight text modules, six English and two Spanish, of the embeddings and corpora below a directory, and " +
			"its five\n" +
			"image modules of the weights and images there. Modules that are there already are left alone.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			recipes, images := catalog.Modules(), catalog.ImageModules()
			switch kind {
			case "":
			case data.Text:
				images = nil
			case data.Image:
				recipes = nil
			default:
				return client.Usage(fmt.Errorf("--kind is %q (known: text, image)", kind))
			}
			var files []string
			for _, r := range recipes {
				if r.File != "" {
					files = append(files, r.File)
				}
			}
			for _, r := range images {
				files = append(files, r.File)
			}
			var missing []error
			seen := map[string]bool{}
			for _, name := range files {
				if file := filepath.Join(args[0], filepath.FromSlash(name)); !seen[file] {
					seen[file] = true
					if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
						missing = append(missing, fmt.Errorf("there is no %s", file))
					} else if err != nil {
						missing = append(missing, err)
					}
				}
			}
			if len(missing) > 0 {
				return fmt.Errorf("%w\ngive the directory that holds embeddings and corpora, image and image-modules, or choose one kind with --kind",
					errors.Join(missing...))
			}
			return a.WithClient(cmd.Context(), func(c *client.Client) error {
				records, err := library.Modules(cmd.Context(), c.Store)
				if err != nil {
					return err
				}
				there := map[string]bool{}
				for _, m := range records {
					there[m.Name] = true
				}
				p := a.NewProgress()
				defer p.Clear()
				b := moduleBuilder{app: a, dir: args[0], store: c.Store, progress: p}
				for i, r := range recipes {
					if there[r.Name] && !overwrite {
						p.Say("module %s is there", r.Name)
						continue
					}
					if err := cmd.Context().Err(); err != nil {
						return err
					}
					m, err := b.build(cmd.Context(), r, fmt.Sprintf("%d of %d, %s", i+1, len(recipes), r.Name))
					if err != nil {
						return err
					}
					if _, err := library.PublishModule(cmd.Context(), c.Store, m, overwrite); err != nil {
						return err
					}
					p.Clear()
					a.Print("module %s: %s tokens of length %d", m.Name, humanize.Comma(int64(len(m.Tokens))), m.Dim)
				}
				return a.buildImageModules(cmd.Context(), c, p, args[0], images, there, overwrite)
			})
		},
	}
	cmd.Flags().StringVar((*string)(&kind), "kind", "", "text or image (default: both)")
	cmd.Flags().BoolVar(&overwrite, "overwrite", false, "make those that are there anew")
	return cmd
}

// moduleBuilder makes the catalogue's text modules.
type moduleBuilder struct {
	app
	dir      string
	store    store.Store
	progress *terminal.Progress
	// file is the corpus that was read last, and documents are its: several
	// modules are made of one.
	file      string
	documents [][]string
}

func (b *moduleBuilder) build(ctx context.Context, r catalog.ModuleRecipe, what string) (*embedding.Module, error) {
	file := filepath.Join(b.dir, filepath.FromSlash(r.File))
	switch {
	case r.Derive != nil:
		b.progress.Update(what)
		m, err := b.derive(ctx, b.store, r.Name, r.Derive.From, r.Derive.Variant())
		if err != nil {
			return nil, err
		}
		m.Language = r.Language
		return m, nil
	case r.Train != nil:
		if b.file != file {
			documents, err := readDocuments(b.Input(ctx, file), "", func(n int) error {
				b.progress.Update(fmt.Sprintf("%s: reading, %s documents", what, humanize.Comma(int64(n))))
				return ctx.Err()
			})
			if err != nil {
				return nil, err
			}
			b.file, b.documents = file, documents
		}
		o := r.Options()
		o.Progress = func(done float64) error {
			b.progress.Update(fmt.Sprintf("%s: training, %.0f %%", what, 100*done))
			return ctx.Err()
		}
		return embedding.Train(embedding.Tokens(b.documents), o)
	}
	b.progress.Update(what)
	m, err := readVectors(ctx, file, "", r.Name, 0, b.progress)
	if err != nil {
		return nil, err
	}
	m.Language, m.Source = r.Language, r.Source
	return m, nil
}

// derive makes a module of stored ones: joined, if they are several, and changed.
func (a app) derive(ctx context.Context, s store.Store, name string, from []string, v embedding.Variant) (*embedding.Module, error) {
	var parts []*embedding.Module
	for _, part := range from {
		m, _, err := library.LoadModule(ctx, s, part)
		if err != nil {
			return nil, err
		}
		parts = append(parts, m)
	}
	m := parts[0]
	if len(parts) > 1 {
		var err error
		if m, err = embedding.Join(name, parts...); err != nil {
			return nil, err
		}
	}
	return m.Derive(name, v)
}
