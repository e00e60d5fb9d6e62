package module

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"tnaml/activities/store"
	"tnaml/experiments/data/archive"
	"tnaml/experiments/data/labelled"
	"tnaml/experiments/data/text"
	"tnaml/nn/embedding"
	"tnaml/starter/cli/names"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

func (a app) trainCommand() *cobra.Command {
	o := embedding.TrainOptions{Seed: 1}
	var corpus, method, subword, encoding string
	var buckets int
	var overwrite bool
	cmd := &cobra.Command{
		Use: "train FILE", Short: "Train an embedding module on text of your own, a document a line (also .gz and .zst)",
		Example: "  starter module train --corpus reviews.txt.gz --name reviews-128 --dim 128 --language en --method sgns --subword",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case corpus != "" && len(args) > 0:
				return client.Usage(errors.New("give the text once: FILE, or --corpus FILE"))
			case len(args) > 0:
				corpus = args[0]
			case corpus == "":
				return client.Usage(errors.New("give the text to train on: --corpus FILE, a document a line"))
			}
			if err := client.CheckName("module", o.Name); err != nil {
				return err
			}
			o.Method = embedding.Method(method)
			s, err := subwordFlag(cmd, subword, buckets)
			if err != nil {
				return err
			}
			o.Subword = s
			if err := o.Validate(); err != nil {
				return client.Usage(err)
			}
			var others []string
			if o.Method != embedding.SGNS {
				others = []string{"epochs", "negative", "subsample", "learning-rate"}
			}
			if o.Method == embedding.LSA { // its context is the document
				others = append(others, "window")
			}
			if err := terminal.Idle(cmd.Flags(), "does not go with --method "+method, others...); err != nil {
				return err
			}
			if _, err := os.Stat(corpus); corpus != "-" && err != nil {
				return err
			}
			if err := (labelled.Options{Encoding: encoding}).Validate(); err != nil {
				return client.Usage(err)
			}
			if o.Source == "" {
				o.Source = filepath.Base(corpus)
			}
			return a.WithClient(cmd.Context(), func(c *client.Client) error {
				if err := names.Free(cmd.Context(), c.Store, store.Module, o.Name, overwrite); err != nil {
					return err
				}
				p := a.NewProgress()
				defer p.Clear()
				documents, err := readDocuments(a.Input(cmd.Context(), corpus), encoding, func(n int) error {
					p.Update(fmt.Sprintf("reading %s: %s documents", corpus, humanize.Comma(int64(n))))
					return cmd.Context().Err()
				})
				if err != nil {
					return err
				}
				o.Progress = func(done float64) error {
					p.Update(fmt.Sprintf("training the module %s: %.0f %%", o.Name, 100*done))
					return cmd.Context().Err()
				}
				m, err := embedding.Train(embedding.Tokens(documents), o)
				if err != nil {
					return err
				}
				return a.publishModule(cmd.Context(), c, m, overwrite, p)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&corpus, "corpus", "", "the text, instead of FILE")
	f.StringVar(&encoding, "encoding", "", "the text's character encoding, such as windows-1252 (default: found out)")
	f.StringVar(&o.Name, "name", "", "the module's name")
	f.StringVar(&o.Language, "language", "", "language tag, e.g. en")
	f.StringVar(&o.Source, "source", "", "where the text comes from (default: the file's name)")
	f.StringVar(&method, "method", string(embedding.SVD), "svd, lsa (latent semantic analysis) or sgns (skip-gram with negative sampling)")
	f.IntVar(&o.Dim, "dim", 64, "length of a vector")
	f.IntVar(&o.Window, "window", 5, "largest distance of a context word")
	f.IntVar(&o.MinCount, "min-count", 5, "how often a word must occur")
	f.IntVar(&o.MaxVocabulary, "max-vocabulary", 32768, "largest number of words")
	variantFlags(cmd, &o.Variant)
	f.IntVar(&o.Epochs, "epochs", 5, "passes over the text (sgns)")
	f.IntVar(&o.Negative, "negative", 5, "negative samples a pair of words (sgns)")
	f.Float64Var(&o.Subsample, "subsample", 1e-4, "frequency above which words are dropped at random, 1 for none (sgns)")
	f.Float64Var(&o.LearningRate, "learning-rate", 0.05, "learning rate of the first step (sgns)")
	terminal.Positive(cmd, "dim", "window", "min-count", "max-vocabulary", "epochs", "negative", "subsample", "learning-rate")
	subwordFlags(cmd, &subword, &buckets)
	f.Uint64Var(&o.Seed, "seed", 1, "decides every random draw")
	f.BoolVar(&overwrite, "overwrite", false, "give the name to these vectors even if it has others")
	return a.JSONFlag(cmd)
}

// subwordFlags gives a command the flags of n-grams.
func subwordFlags(cmd *cobra.Command, lengths *string, buckets *int) {
	f := cmd.Flags()
	f.StringVar(lengths, "subword", "", "make vectors of other words from character n-grams, of lengths `MIN-MAX`")
	f.Lookup("subword").NoOptDefVal = "3-6"
	f.IntVar(buckets, "buckets", 1<<16, "number of vectors that n-grams share")
	terminal.Positive(cmd, "buckets")
}

// subwordFlag reads the lengths of n-grams; nil where there are to be none.
func subwordFlag(cmd *cobra.Command, lengths string, buckets int) (*embedding.Subword, error) {
	if lengths == "" {
		return nil, terminal.Idle(cmd.Flags(), "goes with --subword alone", "buckets")
	}
	s := &embedding.Subword{Kind: embedding.NGrams, Buckets: buckets}
	least, most, ok := strings.Cut(lengths, "-")
	var err1, err2 error
	s.MinN, err1 = strconv.Atoi(least)
	s.MaxN, err2 = strconv.Atoi(most)
	if !ok || err1 != nil || err2 != nil || s.MinN < 1 || s.MaxN < s.MinN {
		return nil, client.Usage(fmt.Errorf("--subword=%s: the least and the largest length of an n-gram are expected, as in --subword=3-6",
			lengths))
	}
	return s, nil
}

// readDocuments reads and tokenises a text of one document a line. An error of
// progress, which is told how many there are every 1000 lines, ends it.
func readDocuments(e archive.Entry, encoding string, progress func(n int) error) ([][]string, error) {
	tokeniser := text.Tokeniser{Version: text.TokeniserVersion}
	var out [][]string
	n := 0
	err := labelled.Lines(e, labelled.Options{Encoding: encoding, Certainty: labelled.Certain, MaxBytes: math.MaxInt64},
		func(line string) error {
			if tokens := tokeniser.Tokens(line); len(tokens) > 0 {
				out = append(out, tokens)
			}
			if n++; n%1000 == 0 {
				return progress(len(out))
			}
			return nil
		})
	return out, terminal.EncodingHint(err)
}
