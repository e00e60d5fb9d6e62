package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"tnaml/activities/library"
	"tnaml/deploy"
)

func (a *app) modelCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "model", Short: "Trained child models"}
	cmd.AddCommand(a.modelExportCommand())
	return group(cmd)
}

// pick names one model of a search.
type pick struct {
	task  string
	trial int
}

func (p *pick) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.task, "task", "", "the task, of a search over several")
	cmd.Flags().IntVar(&p.trial, "trial", -1, "the trial (default: the task's best on the validation split)")
	notNegative(cmd, "trial")
}

// bundle makes the exported form of a search's model, and says which it is.
func (a *app) bundle(ctx context.Context, s *deploy.Servers, name string, p pick) ([]byte, row, error) {
	f, err := a.find(ctx, s, name)
	if err != nil {
		return nil, row{}, err
	}
	at := p.trial
	if at < 0 {
		task, err := f.task(p.task)
		if err != nil {
			return nil, row{}, err
		}
		top, ok := f.best(task)
		if !ok {
			return nil, row{}, fmt.Errorf("search %s has no trained model of task %q yet", name, f.config.Tasks[task].Name)
		}
		at = top.Trials[0].Trial
	}
	if at >= len(f.trials) {
		return nil, row{}, fmt.Errorf("search %s has %d trials, there is no trial %d", name, len(f.trials), at)
	}
	b, err := library.ExportModel(ctx, s.Store, name, f.config, f.trials[at])
	return b, f.row(at), err
}

// task finds a task by its name; a search over one task needs none.
func (f *found) task(name string) (int, error) {
	var names []string
	for i, t := range f.config.Tasks {
		if t.Name == name || name == "" && len(f.config.Tasks) == 1 {
			return i, nil
		}
		names = append(names, t.Name)
	}
	if name == "" {
		return 0, usageError{fmt.Errorf("search %s has several tasks: choose one with --task (%s)", f.name, strings.Join(names, ", "))}
	}
	return 0, fmt.Errorf("search %s has no task %q (there are: %s)", f.name, name, strings.Join(names, ", "))
}

func (a *app) modelExportCommand() *cobra.Command {
	var p pick
	var output string
	cmd := &cobra.Command{
		Use: "export SEARCH", Short: "Write a search's best model to a file",
		Long: "Write a model with all it takes to use it: weights and labels, of texts the vocabulary and the tokeniser, of images\n" +
			"the module. The file is a safetensors container, which the field's ordinary tools can open.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withServers(cmd.Context(), func(s *deploy.Servers) error {
				b, r, err := a.bundle(cmd.Context(), s, args[0], p)
				if err != nil {
					return err
				}
				name := output
				if name == "" {
					name = args[0] + ".safetensors"
				}
				if name == "-" {
					_, err := a.Stdout.Write(b)
					return err
				}
				if err := writeFile(name, func(w io.Writer) error { _, err := w.Write(b); return err }); err != nil {
					return err
				}
				if a.json {
					return a.printJSON(map[string]any{"file": name, "bytes": len(b), "trial": r})
				}
				a.print("%s: trial %d of %s, validation %s, test %s, %s\n%s",
					name, r.Trial.Trial, r.TaskName, r.validation, r.test, humanize.Bytes(uint64(len(b))), r.Summary)
				return nil
			})
		},
	}
	p.flags(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "", "file to write, - for standard output (default SEARCH.safetensors)")
	return a.jsonFlag(cmd)
}

func (a *app) predictCommand() *cobra.Command {
	var p pick
	var model string
	cmd := &cobra.Command{
		Use:   "predict [SEARCH] [FILE…]",
		Short: "Classify texts, one a line, or image files with a search's best model",
		Long: "Classify texts, one a line, from a file or standard input, or image files (PNG, JPEG, GIF), with a search's best model or an\n" +
			"exported one.\n\n" +
			"Each line of the output holds the label, its probability and the text or the file's name, parted by tabs.",
		Example: "  echo 'free prize, call now' | starter predict spam-naml-s1-1\n  starter predict --model spam.safetensors messages.txt --json\n" +
			"  starter predict flowers-naml-s1-1 garden/*.jpg",
		RunE: func(cmd *cobra.Command, args []string) error {
			if model == "" && len(args) == 0 {
				return usageError{errors.New("name a search, or a file with --model")}
			}
			b, err := a.predictor(cmd.Context(), args, model, p)
			if err != nil {
				return err
			}
			files := args
			if model == "" {
				files = args[1:]
			}
			if b.Info.Image != nil {
				return a.predictImages(b, files)
			}
			switch len(files) {
			case 0:
				return a.predict(b, "-")
			case 1:
				return a.predict(b, files[0])
			}
			return usageError{fmt.Errorf("a model of texts takes one file, a text a line; there are %d", len(files))}
		},
	}
	p.flags(cmd)
	cmd.Flags().StringVar(&model, "model", "", "exported model to use; needs no server")
	return a.jsonFlag(cmd)
}

// predictor is the model to predict with.
func (a *app) predictor(ctx context.Context, args []string, file string, p pick) (*library.Bundle, error) {
	if file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		bundle, err := library.DecodeBundle(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		return bundle, nil
	}
	var bundle *library.Bundle
	err := a.withServers(ctx, func(s *deploy.Servers) error {
		b, _, err := a.bundle(ctx, s, args[0], p)
		if err != nil {
			return err
		}
		bundle, err = library.DecodeBundle(b)
		return err
	})
	return bundle, err
}
