package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"tnaml/activities"
	"tnaml/activities/store"
	"tnaml/deploy"
	"tnaml/experiments/space"
	"tnaml/experiments/task"
	"tnaml/nn/embedding"
)

func (a *app) dataCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "data", Short: "Import tasks and look at them"}
	cmd.AddCommand(a.dataImportCommand(), a.dataListCommand(), a.dataShowCommand())
	return group(cmd)
}

// group makes a command that only holds others say which, and fail.
func group(cmd *cobra.Command) *cobra.Command {
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var names []string
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() {
				names = append(names, c.Name())
			}
		}
		what := "needs one of"
		if len(args) > 0 {
			what = fmt.Sprintf("has no command %q; there are", args[0])
		}
		return usageError{fmt.Errorf("%s %s: %s", cmd.CommandPath(), what, strings.Join(names, ", "))}
	}
	return cmd
}

// usageError is the command line's own fault, found only while it runs.
type usageError struct{ error }

// nameForm is what a name may look like, so that it can stand in a command
// line, a workflow ID and a file name.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

func checkName(what, name string) error {
	if !nameForm.MatchString(name) {
		return usageError{fmt.Errorf("%s name %q: give letters, digits, points, dashes and underscores, at most 100", what, name)}
	}
	return nil
}

func (a *app) dataImportCommand() *cobra.Command {
	var o task.Options
	var r task.ReadOptions
	var format string
	var overwrite bool
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Import a table of labelled texts as a task",
		Long: "Import a table of labelled texts as a task: TSV, CSV or JSON lines, each also as .gz.\n\n" +
			"The columns are text and label, and, where it is there, split (train, validation, test or empty).\n" +
			"What has no split is divided 80/10/10 by a seeded shuffle that keeps equal texts on one side.",
		Example: "  starter data import spam.tsv.gz --name spam\n  starter data import reviews.csv --name reviews --text-column body --label-column stars",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.Name == "" {
				base := filepath.Base(args[0])
				o.Name, _, _ = strings.Cut(base, ".")
			}
			if err := checkName("task", o.Name); err != nil {
				return err
			}
			r.Format = task.Format(format)
			b, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			examples, err := task.Read(bytes.NewReader(b), filepath.Base(args[0]), r)
			if err != nil {
				return err
			}
			sum := sha256.Sum256(b)
			o.SourceDigest = hex.EncodeToString(sum[:])
			if o.Source == "" {
				o.Source = filepath.Base(args[0])
			}
			t, err := task.Build(examples, o)
			if err != nil {
				return err
			}
			return a.withServers(cmd.Context(), func(s *deploy.Servers) error {
				ref, err := activities.PublishTask(cmd.Context(), s.Store, t, overwrite)
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON(activities.DatasetRecord{Ref: ref, Card: t.Card})
				}
				a.print("%s", card(t.Name, t.Labels, t.Card))
				a.print("Imported. Search it with `starter search --task %s`.", t.Name)
				return nil
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Name, "name", "", "the task's name (default: the file's)")
	f.StringVar(&r.TextColumn, "text-column", "", "column of the texts (default text)")
	f.StringVar(&r.LabelColumn, "label-column", "", "column of the labels (default label)")
	f.StringVar(&r.SplitColumn, "split-column", "", "column of the split (default split, where it is there)")
	f.StringVar(&format, "format", "", "tsv, csv or jsonl (default: by the file's ending)")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of the split")
	f.Float64Var(&o.Validation, "validation", .1, "share of the validation split")
	f.Float64Var(&o.Test, "test", .1, "share of the test split")
	f.IntVar(&o.MaxVocabulary, "max-vocabulary", 32768, "largest number of tokens")
	f.IntVar(&o.MinCount, "min-count", 2, "how often a token must occur for the wide tower to see it")
	f.IntVar(&o.MaxTokens, "max-tokens", 512, "tokens of a text that are read")
	f.BoolVar(&o.KeepCase, "keep-case", false, "leave letters as they are")
	f.StringVar(&o.Source, "source", "", "where the data come from, for the card (default: the file's name)")
	f.StringVar(&o.Licence, "licence", "", "the data's licence, for the card")
	f.BoolVar(&overwrite, "overwrite", false, "give the name to these data even if it has others")
	return a.jsonFlag(cmd)
}

func (a *app) dataListCommand() *cobra.Command {
	return a.jsonFlag(&cobra.Command{
		Use: "list", Short: "List the tasks", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withServers(cmd.Context(), func(s *deploy.Servers) error {
				names, records, err := named[activities.DatasetRecord](cmd.Context(), s.Store, store.Dataset, activities.Datasets)
				if err != nil {
					return err
				}
				if a.json {
					out := map[string]activities.DatasetRecord{}
					for i, n := range names {
						out[n] = records[i]
					}
					return a.printJSON(out)
				}
				if len(names) == 0 {
					a.say("There are no tasks yet: import one with `starter data import`, or run `starter demo`.")
					return nil
				}
				t := newTable(table.Row{"task", "examples", "classes", "majority", "mean words", "source"}, "examples", "classes", "majority", "mean words")
				for i, r := range records {
					t.AppendRow(table.Row{names[i], humanize.Comma(int64(r.Card.Examples)), len(r.Card.Classes), percent(r.Card.MajorityAccuracy), fmt.Sprintf("%.0f", r.Card.MeanTokens), r.Card.Options.Source})
				}
				a.print("%s", t.Render())
				return nil
			})
		},
	})
}

// named lists the names of a kind beside their records.
func named[T any](ctx context.Context, s store.Store, kind store.Kind, read func(context.Context, store.Store) ([]T, error)) ([]string, []T, error) {
	entries, err := s.Names(ctx, kind, "")
	if err != nil {
		return nil, nil, err
	}
	records, err := read(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	if len(entries) != len(records) {
		return nil, nil, fmt.Errorf("the list of %ss changed while it was read: try again", kind)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name
	}
	return names, records, nil
}

func (a *app) dataShowCommand() *cobra.Command {
	return a.jsonFlag(&cobra.Command{
		Use: "show TASK", Short: "Show a task's card", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withServers(cmd.Context(), func(s *deploy.Servers) error {
				t, ref, err := activities.LoadTask(cmd.Context(), s.Store, args[0])
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON(activities.DatasetRecord{Ref: ref, Card: t.Card})
				}
				a.print("%s", card(args[0], t.Labels, t.Card))
				return nil
			})
		},
	})
}

func (a *app) moduleCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "module", Short: "Embedding modules: the first choice of the search space"}
	cmd.AddCommand(a.moduleAddCommand(), a.moduleTrainCommand(), a.moduleBuildCommand(), a.moduleListCommand(), a.moduleShowCommand())
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

func (a *app) spaceCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "space", Short: "Search spaces: the choices and their options"}
	var overwrite bool
	add := &cobra.Command{
		Use: "add FILE.yaml", Short: "Store a search space of your own", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			sp, err := space.Load(b)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			if err := checkName("space", sp.Name); err != nil {
				return err
			}
			return a.withServers(cmd.Context(), func(s *deploy.Servers) error {
				if err := activities.PublishSpace(cmd.Context(), s.Store, sp, overwrite); err != nil {
					return err
				}
				a.print("space %s: %s", sp.Name, sp.Digest())
				return nil
			})
		},
	}
	add.Flags().BoolVar(&overwrite, "overwrite", false, "give the name to this space even if it has another")
	cmd.AddCommand(add, &cobra.Command{
		Use: "list", Short: "List the search spaces", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withServers(cmd.Context(), func(s *deploy.Servers) error {
				entries, err := s.Store.Names(cmd.Context(), store.Space, "")
				if err != nil {
					return err
				}
				for _, name := range space.BuiltinNames() {
					a.print("%s (built in)", name)
				}
				for _, e := range entries {
					a.print("%s", e.Name)
				}
				return nil
			})
		},
	}, a.jsonFlag(&cobra.Command{
		Use: "show SPACE", Short: "Show a search space", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withServers(cmd.Context(), func(s *deploy.Servers) error {
				sp, err := activities.LoadSpace(cmd.Context(), s.Store, args[0])
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON(sp)
				}
				t := newTable(table.Row{"choice", "options"})
				for _, c := range sp.Choices {
					t.AppendRow(table.Row{c.Name, strings.Trim(fmt.Sprint(c.Options), "[]")})
				}
				a.print("%s: %s\n\n%s", sp.Name, sp.Description, t.Render())
				return nil
			})
		},
	}))
	return group(cmd)
}
