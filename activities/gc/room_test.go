package gc_test

import (
	"bufio"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tnaml/activities/gc"
	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/data"
	"tnaml/experiments/data/text"
	"tnaml/nn/embedding"
	"tnaml/workflows"
)

// The room that a search of 150 trials takes on a real task, after its end and after
// a collection: experiments/bench/README.md.
func TestRoom(t *testing.T) {
	root := os.Getenv("TNAML_DATA")
	if root == "" {
		t.Skip("TNAML_DATA does not say where the real data sets are")
	}
	open := func(name string) *gzip.Reader {
		t.Helper()
		f, err := os.Open(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		return z
	}
	var examples []text.Example
	for lines := bufio.NewScanner(open("text/airline/data.tsv.gz")); lines.Scan(); {
		if f := strings.SplitN(lines.Text(), "\t", 3); f[0] != "split" {
			examples = append(examples, text.Example{Split: f[0], Label: f[1], Text: f[2]})
		}
	}
	s := store.NewMemory()
	task, err := text.Build(examples, data.Options{Name: "airline"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := library.PublishTask(t.Context(), s, task, false); err != nil {
		t.Fatal(err)
	}
	module, err := embedding.Read(open("embeddings/glove6b_50d_10k/vectors.vec.gz"), "glove", 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := library.PublishModule(t.Context(), s, module, false); err != nil {
		t.Fatal(err)
	}
	run(t, s, "search", workflows.SearchWorkflow, `{"tasks":["airline"],"strategy":"random","space":"text-small","trials":150}`)
	models := func() (n int, bytes int64) {
		err := s.Blobs(t.Context(), func(b store.Blob) error {
			head, err := s.Peek(t.Context(), b.Ref, gc.Peek)
			if gc.KindOf(head) == "model" {
				n++
				bytes += b.Size
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n, bytes
	}
	n, bytes := models()
	clockOf(s)(2 * gc.DefaultGrace)
	collect(t, s, gc.Options{})
	left, leftBytes := models()
	t.Logf("%d models, %d bytes; after a collection %d, %d bytes", n, bytes, left, leftBytes)
	if left != 10 || bytes/int64(n) > 1e6 {
		t.Errorf("%d models of %d bytes each are too many or too large", left, bytes/int64(n))
	}
}
