package samples

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/data"
	"tnaml/experiments/data/godoc"
	"tnaml/experiments/data/text"
	"tnaml/nn/embedding"
)

// Taste is a store in memory with one of the tasks, named as well, and one small module: what a
// search needs that has no servers.
func Taste(ctx context.Context, goroot string) (s store.Store, task string, err error) {
	if goroot == "" {
		if goroot, err = findGoroot(ctx); err != nil {
			return nil, "", err
		}
	}
	corpus, err := godoc.Read(os.DirFS(filepath.Join(goroot, "src")), func(int, int) {})
	if err != nil {
		return nil, "", err
	}
	source := corpus.Tasks()[0]
	t, err := text.Build(source.Examples, data.Options{Name: source.Name})
	if err != nil {
		return nil, "", err
	}
	documents := make([][]string, len(source.Examples))
	for i, e := range source.Examples {
		documents[i] = text.Tokeniser{Version: text.TokeniserVersion}.Tokens(e.Text)
	}
	m, err := embedding.Train(embedding.Tokens(documents), embedding.TrainOptions{Name: prefix + "svd-16", Method: embedding.SVD, Dim: 16,
		Language: "en", Source: godoc.Source, Seed: 1, MaxVocabulary: 10000, Progress: func(float64) error { return ctx.Err() }})
	if err != nil {
		return nil, "", fmt.Errorf("module: %w", err)
	}
	s = store.NewMemory()
	if _, err := library.PublishTask(ctx, s, t, false); err != nil {
		return nil, "", err
	}
	_, err = library.PublishModule(ctx, s, m, false)
	return s, source.Name, err
}
