package cli

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/klauspost/compress/gzip"
	"github.com/spf13/cobra"

	"tnaml/activities"
	"tnaml/deploy"
	"tnaml/experiments/task"
	"tnaml/nn/embedding"
)

func (a *app) moduleTrainCommand() *cobra.Command {
	o := embedding.TrainOptions{Seed: 1}
	var method string
	var overwrite bool
	cmd := &cobra.Command{
		Use: "train FILE", Short: "Train an embedding module on text of your own, a document a line (also .gz)",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkName("module", o.Name); err != nil {
				return err
			}
			p := a.newProgress()
			defer p.clear()
			documents, err := readDocuments(args[0], func(n int) { p.update(fmt.Sprintf("reading %s: %s documents", args[0], humanize.Comma(int64(n)))) })
			if err != nil {
				return err
			}
			o.Method = embedding.Method(method)
			if o.Source == "" {
				o.Source = filepath.Base(args[0])
			}
			o.Progress = func(done float64) { p.update(fmt.Sprintf("training the module %s: %.0f %%", o.Name, 100*done)) }
			m, err := embedding.Train(embedding.Tokens(documents), o)
			if err != nil {
				return err
			}
			p.clear()
			return a.withServers(cmd.Context(), func(s *deploy.Servers) error {
				if _, err := activities.PublishModule(cmd.Context(), s.Store, m, overwrite); err != nil {
					return err
				}
				a.print("module %s: %s tokens of length %d\n%s", m.Name, humanize.Comma(int64(len(m.Tokens))), m.Dim, m.Source)
				return nil
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Name, "name", "", "the module's name")
	f.StringVar(&o.Language, "language", "", "language tag, e.g. en")
	f.StringVar(&o.Source, "source", "", "where the text comes from (default: the file's name)")
	f.StringVar(&method, "method", string(embedding.SVD), "svd, lsa (latent semantic analysis) or sgns (skip-gram with negative sampling)")
	f.IntVar(&o.Dim, "dim", 64, "length of a vector")
	f.IntVar(&o.Window, "window", 5, "largest distance of a context word")
	f.IntVar(&o.MinCount, "min-count", 5, "how often a word must occur")
	f.IntVar(&o.MaxVocabulary, "max-vocabulary", 32768, "largest number of words")
	f.BoolVar(&o.Standardise, "standardise", false, "give all vectors one length around a mean of zero")
	f.Float64Var(&o.Smoothing, "smoothing", 0, "count frequent words for less: the a of a/(a+p), e.g. 0.001")
	f.IntVar(&o.Epochs, "epochs", 3, "passes over the text (sgns)")
	f.Uint64Var(&o.Seed, "seed", 1, "decides every random draw")
	f.BoolVar(&overwrite, "overwrite", false, "give the name to these vectors even if it has others")
	return cmd
}

// readDocuments reads and tokenises a text of one document a line.
func readDocuments(file string, progress func(n int)) ([][]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read only
	var r io.Reader = f
	if strings.HasSuffix(file, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			return nil, fmt.Errorf("%s: gzip: %w", file, err)
		}
	}
	tokeniser := task.Tokeniser{Version: task.TokeniserVersion}
	var out [][]string
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxText)
	for lines.Scan() {
		if tokens := tokeniser.Tokens(lines.Text()); len(tokens) > 0 {
			out = append(out, tokens)
		}
		if len(out)%1000 == 999 {
			progress(len(out))
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: line %d: %w", file, len(out)+1, err)
	}
	return out, nil
}
