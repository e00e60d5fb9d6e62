package search

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"tnaml/activities/library"
	"tnaml/experiments/exported"
	"tnaml/starter/cli/models"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

func (a app) modelCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "model", Short: "Trained child models"}
	cmd.AddCommand(a.modelExportCommand())
	return cmd
}

func (a app) modelExportCommand() *cobra.Command {
	var p client.Pick
	var output, format string
	cmd := &cobra.Command{
		Use: "export SEARCH", Short: "Write a search's best model to a directory",
		Long: "Write a model with all it takes to use it to a new directory: model.safetensors, which the field's ordinary tools can open,\n" +
			"has weights and labels, of texts the vocabulary and the tokeniser, of images the module; model.json says what it is. `predict`\n" +
			"and `serve-model` take the directory, and any Go program does with the package experiments/exported. Of a trainer that is a\n" +
			"program of yours, it has model.tar, an archive of what that left in its directory model/.\n\n" +
			"With --refit the model is trained anew, on this machine, on the validation examples too: they have chosen it, and done their\n" +
			"work. The test split stays what it is, and its probabilities are scaled by the temperature that the trial's own model has.\n\n" +
			"With --format onnx there is model.onnx too, of a model of texts: from the ids of a text's tokens, and of its features or n-grams,\n" +
			"with their counts, to the classes' probabilities. vocabulary.txt, features.txt and ngrams.txt have what the ids number, a line\n" +
			"each; finding them in a text is not in it. Models of images are not written so: their module has kernels of its own.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "" && format != "onnx" {
				return client.Usage(fmt.Errorf("--format %q: besides what is always written there is onnx", format))
			}
			name := cmp.Or(output, terminal.FileName(args[0], ".model"))
			if err := terminal.NewFolder(name, "output"); err != nil {
				return err
			}
			return a.WithClient(cmd.Context(), func(c *client.Client) error {
				b, r, err := c.ExportModel(cmd.Context(), args[0], p)
				if err != nil {
					return err
				}
				var more []exported.File
				if format == "onnx" {
					if more, err = exported.ONNX(b); err != nil {
						return err
					}
				}
				files, err := exported.Directory(b, more...)
				if err != nil {
					return err
				}
				size := 0
				err = terminal.OutputFolder(name, func(create func(string) (io.WriteCloser, error)) error {
					for _, f := range files {
						size += len(f.Data)
						w, err := create(f.Name)
						if err != nil {
							return err
						}
						_, err = w.Write(f.Data)
						if err := errors.Join(err, w.Close()); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					return err
				}
				says := fmt.Sprintf("trial %d of %s, validation %s, test %s", r.Trial.Trial, r.TaskName, r.OnValidation, r.OnTest)
				if r.Refitted != nil {
					says = models.SayRefitted(r)
				}
				return a.Answer(map[string]any{"directory": name, "bytes": size, "trial": r}, "%s: %s, %s\n%s",
					name, says, humanize.Bytes(uint64(size)), r.Summary)
			})
		},
	}
	models.PickFlags(cmd, &p)
	cmd.Flags().StringVarP(&output, "output", "o", "", "directory to make (default SEARCH.model)")
	cmd.Flags().StringVar(&format, "format", "", "onnx: write the model for other runtimes too; finding tokens and features stays outside")
	return a.JSONFlag(cmd)
}

func (a app) predictCommand() *cobra.Command {
	var p client.Pick
	var model, encoding string
	var from vectorFile
	var ensemble int
	cmd := &cobra.Command{
		Use:   "predict [SEARCH] [FILE…]",
		Short: "Classify texts, one a line, or image files with a search's best model",
		Long: "Classify texts, one a line, from a file or standard input, or image files (PNG, JPEG, GIF), with a search's best model or an\n" +
			"exported one.\n\n" +
			"Each line of the output holds the label, its probability and the text or the file's name, parted by tabs; a tab, line break or\n" +
			"backslash within them is written \\t, \\n, \\r or \\\\. Each line that is read has one, the empty ones too. Files may be compressed\n" +
			"(.gz, .zst), and their character encoding is found out.\n\n" +
			"With --ensemble the mean of several of the search's kept models predicts: those are picked one after another, some more than\n" +
			"once, each the one after which the most examples of the validation split are right (Caruana et al., 2004). Standard error says\n" +
			"which they are, and their accuracy beside the best single model's.",
		Example: "  echo 'free prize, call now' | starter predict spam-naml-s1-1\n  starter predict --model spam.model messages.txt " +
			"--json\n" +
			"  starter predict spam-naml-s1-1 --ensemble messages.txt\n  starter predict flowers-naml-s1-1 garden/*.jpg",
		RunE: func(cmd *cobra.Command, args []string) error {
			if model == "" && len(args) == 0 {
				return client.Usage(errors.New("name a search, or a directory with --model"))
			}
			if from.name == "" && from.column != "" {
				return client.Usage(errors.New("--vectors-column says which of --vectors FILE are meant: give both"))
			}
			var b exported.Predictor
			var err error
			if cmd.Flags().Changed("ensemble") {
				b, err = a.ensemble(cmd.Context(), args, model, p, ensemble)
			} else {
				b, err = a.predictor(cmd.Context(), args, model, p)
			}
			if err != nil {
				return err
			}
			files := args
			if model == "" {
				files = args[1:]
			}
			if b.About().Image != nil {
				for _, flag := range []string{"vectors", "vectors-column", "encoding"} {
					if cmd.Flags().Changed(flag) {
						return client.Usage(fmt.Errorf("--%s is for texts, and the model is one of images: leave it out", flag))
					}
				}
				return a.predictImages(cmd.Context(), b, files)
			}
			switch len(files) {
			case 0:
				return a.predict(cmd.Context(), b, "-", encoding, from)
			case 1:
				return a.predict(cmd.Context(), b, files[0], encoding, from)
			}
			return client.Usage(fmt.Errorf("a model of texts takes one file, a text a line; there are %d", len(files)))
		},
	}
	models.PickFlags(cmd, &p)
	cmd.Flags().IntVar(&ensemble, "ensemble", 0, "predict with an ensemble of the search's kept models, picked so many times (alone: 10)")
	cmd.Flags().Lookup("ensemble").NoOptDefVal = "10"
	terminal.Positive(cmd, "ensemble")
	cmd.Flags().StringVar(&model, "model", "", "exported model to use, a directory; needs no server")
	cmd.Flags().StringVar(&from.name, "vectors", "", "vectors of the texts, where the model takes these: .npy, Parquet, safetensors")
	cmd.Flags().StringVar(&from.column, "vectors-column", "", "column or array with the vectors, where the file has several")
	cmd.Flags().StringVar(&encoding, "encoding", "", "the texts' character encoding, such as windows-1252 (default: found out)")
	return a.JSONFlag(cmd)
}

// ensemble is the ensemble to predict with; it says what it is.
func (a app) ensemble(ctx context.Context, args []string, file string, p client.Pick, size int) (e *library.Ensemble, err error) {
	task := p.Task
	if p.Task = ""; file != "" || len(models.Picked(p)) > 0 {
		return nil, client.Usage(errors.New(
			"--ensemble picks among the kept models: it goes without --model, --trial, --guard, --retrain and --refit"))
	}
	err = a.WithClient(ctx, func(c *client.Client) error {
		e, err = c.Ensemble(ctx, args[0], task, size)
		return err
	})
	if err == nil {
		a.sayEnsemble(e)
	}
	return e, err
}

// predictor is the model to predict with.
func (a app) predictor(ctx context.Context, args []string, file string, p client.Pick) (*exported.Model, error) {
	if file != "" {
		return models.Open(file, p)
	}
	return models.Of(ctx, a.App, args[0], p)
}
