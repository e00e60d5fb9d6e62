package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"tnaml/activities"
	"tnaml/deploy"
	"tnaml/experiments/catalog"
	"tnaml/nn/embedding"
)

func (a *app) moduleBuildCommand() *cobra.Command {
	var overwrite bool
	var modality string
	cmd := &cobra.Command{
		Use: "build DIR", Short: "Make the catalogue's modules, for texts and images, of what lies below a directory",
		Long: "Make the catalogue's eight text modules, six English and two Spanish, of the embeddings and corpora below a directory, and its five\n" +
			"image modules of the weights and images there. Modules that are there already are left alone.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			recipes, images := catalog.Modules(), catalog.ImageModules()
			switch modality {
			case "":
			case "text":
				images = nil
			case "image":
				recipes = nil
			default:
				return usageError{fmt.Errorf("--modality is %q (known: text, image)", modality)}
			}
			var files []string
			for _, r := range recipes {
				files = append(files, r.File)
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
				return fmt.Errorf("%w\ngive the directory that holds embeddings and corpora, image and image-modules, or choose one kind with --modality", errors.Join(missing...))
			}
			return a.withServers(cmd.Context(), func(s *deploy.Servers) error {
				records, err := activities.Modules(cmd.Context(), s.Store)
				if err != nil {
					return err
				}
				there := map[string]bool{}
				for _, m := range records {
					there[m.Name] = true
				}
				p := a.newProgress()
				defer p.clear()
				var corpus string
				var documents [][]string // of corpus: several modules are made of one
				for i, r := range recipes {
					if there[r.Name] && !overwrite {
						p.say("module %s is there", r.Name)
						continue
					}
					if err := cmd.Context().Err(); err != nil {
						return err
					}
					file := filepath.Join(args[0], filepath.FromSlash(r.File))
					what := fmt.Sprintf("%d of %d, %s", i+1, len(recipes), r.Name)
					var m *embedding.Module
					if r.Train == nil {
						p.update(what)
						if m, err = a.readVectors(file, r.Name, 0, p); err == nil {
							m.Language, m.Source = r.Language, r.Source
						}
					} else {
						if corpus != file {
							if documents, err = readDocuments(file, func(n int) { p.update(fmt.Sprintf("%s: reading, %s documents", what, humanize.Comma(int64(n)))) }); err != nil {
								return err
							}
							corpus = file
						}
						o := r.Options()
						o.Progress = func(done float64) { p.update(fmt.Sprintf("%s: training, %.0f %%", what, 100*done)) }
						m, err = embedding.Train(embedding.Tokens(documents), o)
					}
					if err != nil {
						return err
					}
					if _, err := activities.PublishModule(cmd.Context(), s.Store, m, overwrite); err != nil {
						return err
					}
					p.clear()
					a.print("module %s: %s tokens of length %d", m.Name, humanize.Comma(int64(len(m.Tokens))), m.Dim)
				}
				return a.buildImageModules(cmd.Context(), s, p, args[0], images, there, overwrite)
			})
		},
	}
	cmd.Flags().StringVar(&modality, "modality", "", "text or image (default: both)")
	cmd.Flags().BoolVar(&overwrite, "overwrite", false, "make those that are there anew")
	return cmd
}
