package cli

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"tnaml/activities"
	"tnaml/deploy"
	"tnaml/experiments/task"

	"github.com/spf13/cobra"
)

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
