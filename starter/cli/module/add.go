package module

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/data/archive"
	"tnaml/nn/embedding"
	nnimage "tnaml/nn/image"
	"tnaml/starter/cli/names"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

func (a app) addCommand() *cobra.Command {
	var name, language, source, member string
	var top, block int
	var overwrite bool
	cmd := &cobra.Command{
		Use:   "add FILE",
		Short: "Add pretrained token vectors (word2vec's text or binary form, or GloVe's, also .gz, .zst and .zip), or a MobileNet",
		Long: "Add pretrained token vectors: the text form of word2vec (.vec) or GloVe, or word2vec's binary form, plain or packed by " +
			"gzip, zstd or zip.\n" +
			"Which of them a file has its content says. Where the tokens are pieces of words (BPEmb: \"▁\" begins a word), words are cut " +
			"into pieces\n" +
			"in the order of the file, and get the mean of their pieces' vectors.\n\n" +
			"A folder with manifest.json and weights.f32le.bin holds the weights of a MobileNet v1: an image module, its features taken " +
			"after --block.\n\n" +
			"What is published and known to the catalogue, `starter module pull` downloads and adds.",
		Example: "  starter module add GoogleNews-vectors-negative300.bin.gz --name news-300 --language en --top 100000",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if name == "" {
				name = vectorsName(args[0])
				if err := names.OfFile("module", name); err != nil {
					return err
				}
			} else if err := client.CheckName("module", name); err != nil {
				return err
			}
			info, err := os.Stat(args[0])
			if err != nil {
				return err
			}
			kind, others := "a file of vectors", []string{"block"}
			if info.IsDir() {
				kind, others = "a folder of MobileNet's weights", []string{"language", "top", "member"}
			}
			if err := terminal.Idle(cmd.Flags(), "does not go with "+kind, others...); err != nil {
				return err
			}
			if block > maxBlock {
				return client.Usage(fmt.Errorf("--block is %d: a MobileNet has 1 to %d", block, maxBlock))
			}
			p := a.NewProgress()
			defer p.Clear()
			return a.WithClient(cmd.Context(), func(c *client.Client) error {
				if err := names.Free(cmd.Context(), c.Store, store.Module, name, overwrite); err != nil {
					return err
				}
				if info.IsDir() {
					return a.addMobileNet(cmd.Context(), c, args[0], nnimage.MobileNetOptions{Name: name, Source: source, Block: block}, overwrite, p)
				}
				m, err := readVectors(cmd.Context(), args[0], member, name, top, p)
				if err != nil {
					return err
				}
				m.Language, m.Source = language, source
				if m.Source == "" {
					m.Source = filepath.Base(args[0])
					if member != "" {
						m.Source += ", " + member
					}
					if top > 0 && len(m.Tokens) == top {
						m.Source += fmt.Sprintf(", the first %s tokens", humanize.Comma(int64(top)))
					}
				}
				return a.publishModule(cmd.Context(), c, m, overwrite, p)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&name, "name", "", "the module's name (default: the file's)")
	f.StringVar(&language, "language", "", "language tag, e.g. en")
	f.StringVar(&source, "source", "", "where the vectors come from (default: the file's name)")
	f.IntVar(&block, "block", maxBlock, "depth, 1 to 12, at which the features of a MobileNet are taken")
	f.StringVar(&member, "member", "", "the file to read of a zip archive that has several")
	f.IntVar(&top, "top", 0, "read only the first so many tokens (0: all)")
	f.BoolVar(&overwrite, "overwrite", false, "give the name to these vectors even if it has others")
	terminal.Positive(cmd, "block")
	terminal.NotNegative(cmd, "top")
	return a.JSONFlag(cmd)
}

// maxBlock is the last block of a MobileNet whose features are taken.
const maxBlock = 12

func (a app) deriveCommand() *cobra.Command {
	var from, subword string
	var buckets int
	var join []string
	var v embedding.Variant
	var overwrite bool
	cmd := &cobra.Command{
		Use: "derive NAME --from MODULE", Short: "Make a variant of a module: joined with others, with subwords, without its first " +
			"components, standardised, weighed",
		Long: "Make a variant of a module. In this order: join it with others (their vectors side by side, for the tokens of all of them),\n" +
			"fit vectors of character n-grams to its words', so that other words get vectors too, remove principal components, standardise, " +
			"weigh by\n" +
			"frequency. Frequencies are taken from the order of the tokens, by Zipf's law; in a joined module, from the order in each of its parts.",
		Example: "  starter module derive glove-50-std --from glove-50 --subword --standardise --smoothing 0.001\n" +
			"  starter module derive both --from glove-50 --join imdb-sgns-128 --standardise",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := client.CheckName("module", args[0]); err != nil {
				return err
			}
			if from == "" {
				return client.Usage(errors.New("say which module with --from (`starter module list` shows them)"))
			}
			var err error
			if v.Fit, err = subwordFlag(cmd, subword, buckets); err != nil {
				return err
			}
			if len(join) == 0 && v == (embedding.Variant{}) {
				return client.Usage(errors.New("nothing is to be changed: give --join, --subword, --remove-components, --standardise or --smoothing"))
			}
			if err := v.Validate(); err != nil {
				return client.Usage(err)
			}
			return a.WithClient(cmd.Context(), func(c *client.Client) error {
				if err := names.Free(cmd.Context(), c.Store, store.Module, args[0], overwrite); err != nil {
					return err
				}
				p := a.NewProgress()
				defer p.Clear()
				p.Update("deriving " + args[0])
				m, err := a.derive(cmd.Context(), c.Store, args[0], append([]string{from}, join...), v)
				if err != nil {
					return err
				}
				return a.publishModule(cmd.Context(), c, m, overwrite, p)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&from, "from", "", "the module to start from")
	f.StringSliceVar(&join, "join", nil, "modules whose vectors to put beside")
	subwordFlags(cmd, &subword, &buckets)
	variantFlags(cmd, &v)
	f.BoolVar(&overwrite, "overwrite", false, "give the name to this variant even if it has other vectors")
	return a.JSONFlag(cmd)
}

// variantFlags gives a command the flags of what is done to vectors.
func variantFlags(cmd *cobra.Command, v *embedding.Variant) {
	f := cmd.Flags()
	f.IntVar(&v.Components, "remove-components", 0, "remove so many principal components, e.g. dim/100 (Mu and Viswanath, 2018)")
	f.BoolVar(&v.Standardise, "standardise", false, "give all vectors one length around a mean of zero")
	f.Float64Var(&v.Smoothing, "smoothing", 0, "count frequent words for less: the a of a/(a+p), e.g. 0.001")
	terminal.NotNegative(cmd, "remove-components", "smoothing")
}

// publishModule stores a module and says what it is.
func (a app) publishModule(ctx context.Context, c *client.Client, m *embedding.Module, overwrite bool, p *terminal.Progress) error {
	p.Update("storing " + m.Name)
	ref, err := library.PublishModule(ctx, c.Store, m, overwrite)
	if err != nil {
		return err
	}
	p.Clear()
	record := library.NewModuleRecord(ref, m)
	if a.JSON {
		return a.PrintJSON(record)
	}
	a.Print("module %s\n%s", moduleLine(record), m.Source)
	return nil
}

// vectorsName is a file's name without what says its form.
func vectorsName(file string) string {
	name := filepath.Base(file)
	for _, end := range []string{".gz", ".zst", ".zip", ".vec", ".bin", ".txt"} {
		name = strings.TrimSuffix(name, end)
	}
	return name
}

// readVectors reads a file of vectors, or one in a zip archive: member, or the only
// one there is. Where its tokens are pieces of words, words are made of them.
func readVectors(ctx context.Context, file, member, name string, top int, p *terminal.Progress) (*embedding.Module, error) {
	f, err := terminal.Open(ctx, file)
	if err != nil {
		return nil, err
	}
	defer f.Close() // read only
	in, head := watched(ctx, f, "reading "+file, p), make([]byte, 4)
	if in.size > 0 {
		_, err = f.ReadAt(head, 0)
	} else { // a pipe has no size, and no way back
		from := bufio.NewReader(f)
		head, err = from.Peek(len(head))
		in.Reader = from
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if archive.FormatOf(head) == archive.Zip {
		if in.size == 0 {
			return nil, fmt.Errorf("%s: a zip archive is read from a file, not from a pipe: its directory is at its end", file)
		}
		r, where, err := archive.OpenMember(f, in.size, file, member)
		var choice *archive.ChoiceError
		switch {
		case errors.As(err, &choice):
			return nil, fmt.Errorf("%w\n(--member says which file of an archive is meant)", err)
		case err != nil:
			return nil, err
		}
		defer r.Close()
		file = where
		in.Reader, in.size, in.what = r, 0, "reading "+file
	} else if member != "" {
		return nil, fmt.Errorf("%s is no zip archive: --member does not go with it", file)
	}
	m, err := embedding.ReadWords(in, name, top)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return m, nil
}

// watched is a file that tells how much of it has been read, until ctx ends.
func watched(ctx context.Context, f *os.File, what string, p *terminal.Progress) *watchedReader {
	w := &watchedReader{Reader: f, ctx: ctx, what: what, p: p}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		w.size = info.Size()
	}
	return w
}

type watchedReader struct {
	io.Reader
	ctx              context.Context // whose end stops the reading
	size, read, told int64           // a size of 0 is not known
	what             string
	p                *terminal.Progress
}

func (w *watchedReader) Read(b []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := w.Reader.Read(b)
	w.read += int64(n)
	if w.read-w.told >= 1<<20 {
		w.told = w.read
		state := humanize.Bytes(uint64(w.read))
		if w.size > 0 {
			state = fmt.Sprintf("%.0f %% of %s", 100*float64(w.read)/float64(w.size), humanize.Bytes(uint64(w.size)))
		}
		w.p.Update(w.what + ": " + state)
	}
	return n, err
}
