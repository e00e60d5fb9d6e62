package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"tnaml/activities"
	"tnaml/deploy"
	"tnaml/nn/embedding"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
)

func (a *app) moduleCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "module", Short: "Embedding modules: the first choice of the search space"}
	cmd.AddCommand(a.moduleAddCommand(), a.moduleTrainCommand(), a.moduleTrainImagesCommand(), a.moduleBuildCommand(), a.moduleListCommand(), a.moduleShowCommand())
	return group(cmd)
}

func (a *app) moduleAddCommand() *cobra.Command {
	var name, language, source string
	var top int
	var overwrite bool
	cmd := &cobra.Command{
		Use: "add FILE", Short: "Add pretrained token vectors in the text form of word2vec or GloVe (.vec, .txt, also .gz)",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if name == "" {
				name, _, _ = strings.Cut(filepath.Base(args[0]), ".vec")
			}
			if err := checkName("module", name); err != nil {
				return err
			}
			f, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer f.Close() //nolint:errcheck // read only
			m, err := embedding.ReadText(f, name, top)
			if err != nil {
				return err
			}
			m.Language, m.Source = language, source
			if m.Source == "" {
				m.Source = filepath.Base(args[0])
			}
			return a.withServers(cmd.Context(), func(s *deploy.Servers) error {
				if _, err := activities.PublishModule(cmd.Context(), s.Store, m, overwrite); err != nil {
					return err
				}
				a.print("module %s: %s tokens of length %d", m.Name, humanize.Comma(int64(len(m.Tokens))), m.Dim)
				return nil
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&name, "name", "", "the module's name (default: the file's)")
	f.StringVar(&language, "language", "", "language tag, e.g. en")
	f.StringVar(&source, "source", "", "where the vectors come from (default: the file's name)")
	f.IntVar(&top, "top", 0, "read only the first so many tokens (0: all)")
	f.BoolVar(&overwrite, "overwrite", false, "give the name to these vectors even if it has others")
	return cmd
}

func (a *app) moduleListCommand() *cobra.Command {
	return a.jsonFlag(&cobra.Command{
		Use: "list", Short: "List the embedding modules", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withServers(cmd.Context(), func(s *deploy.Servers) error {
				modules, err := activities.Modules(cmd.Context(), s.Store)
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON(modules)
				}
				if len(modules) == 0 {
					a.say("There are no modules yet: add one with `starter module add`, or run `starter demo`.")
					return nil
				}
				t := newTable(table.Row{"module", "language", "tokens", "dim", "source"}, "tokens", "dim")
				for _, m := range modules {
					t.AppendRow(table.Row{m.Name, m.Language, humanize.Comma(int64(m.Tokens)), m.Dim, m.Source})
				}
				a.print("%s", t.Render())
				return nil
			})
		},
	})
}

func (a *app) moduleShowCommand() *cobra.Command {
	var words []string
	cmd := &cobra.Command{
		Use: "show MODULE", Short: "Show a module and the neighbours of words", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withServers(cmd.Context(), func(s *deploy.Servers) error {
				m, ref, err := activities.LoadModule(cmd.Context(), s.Store, args[0])
				if err != nil {
					return err
				}
				a.print("%s: %s tokens of length %d, language %q\n%s\n%s", m.Name, humanize.Comma(int64(len(m.Tokens))), m.Dim, m.Language, m.Source, ref)
				for _, w := range words {
					if !slices.Contains(m.Tokens, w) {
						a.print("%s: not in the module", w)
						continue
					}
					line := w + ":"
					for _, n := range m.Neighbours(w, 8) {
						line += fmt.Sprintf("  %s %.2f", n.Token, n.Cosine)
					}
					a.print("%s", line)
				}
				return nil
			})
		},
	}
	cmd.Flags().StringSliceVar(&words, "neighbours", nil, "words whose nearest ones to show")
	return cmd
}
