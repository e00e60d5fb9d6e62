package data

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/pflag"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/data/vectors"
	nnimage "tnaml/nn/image"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

// vectorOptions say where the vectors of a task's documents are.
type vectorOptions struct{ file, name, column, task string }

func (o *vectorOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.file, "vectors", "", "vectors of the documents, a row each: a `FILE` of NumPy (.npy), Parquet with lists, or safetensors")
	f.StringVar(&o.name, "vectors-name", "", "module that the vectors are, other tasks' too (default: the task's name and -vectors)")
	f.StringVar(&o.column, "vectors-column", "", "column or array with the vectors, where the file has several")
}

func (o *vectorOptions) complete(task string) error {
	if o.file == "" {
		if o.name != "" || o.column != "" {
			return client.Usage(errors.New("--vectors-name and --vectors-column say what --vectors FILE is"))
		}
		return nil
	}
	if o.task = task; o.name == "" {
		o.name = task + "-vectors"
	}
	return client.CheckName("module", o.name)
}

// there is an error where the file cannot be read: it is, only when all else has been.
func (o *vectorOptions) there() error {
	if o.file == "" {
		return nil
	}
	info, err := os.Stat(o.file)
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a folder", o.file)
	}
	if err != nil {
		return fmt.Errorf("--vectors: %w", err)
	}
	return nil
}

// read reads the vectors of what was built, nil without any; s is nil for a dry run.
func (o *vectorOptions) read(ctx context.Context, s store.Store, f *loaded) (*nnimage.FeatureSet, error) {
	if o.file == "" {
		return nil, nil
	}
	b, err := terminal.ReadFile(ctx, o.file)
	if err != nil {
		return nil, err
	}
	m, err := vectors.Read(b, o.column)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.file, err)
	}
	train, validation, test, rows := f.texts.Rows()
	if m.Rows != rows {
		return nil, fmt.Errorf("%s has %d vectors for %d examples: it must have one for each, in the order of the files, "+
			"those without a text too", o.file, m.Rows, rows)
	}
	if s != nil {
		if err := library.FreeForVectors(ctx, s, o.name, m.Dim); err != nil {
			return nil, err
		}
	}
	of := func(rows []int) []float32 {
		out := make([]float32, 0, len(rows)*m.Dim)
		for _, r := range rows {
			out = append(out, m.Values[r*m.Dim:][:m.Dim]...)
		}
		return out
	}
	return nnimage.GivenFeatures(o.name, o.task, "", m.Dim, of(train), of(validation), of(test))
}
