package command

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/trainer"
)

// What lies in a directory that is left out is left out with it.
func TestPackSkipsDirectories(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.tmp/w", "b/c.tmp/w", "b/w", "z"} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		write(filepath.Join(dir, name), name)
	}
	b, err := pack(dir, 1<<20, unfinished)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for r := tar.NewReader(bytes.NewReader(b)); ; {
		h, err := r.Next()
		if err != nil {
			break
		}
		names = append(names, h.Name)
	}
	if want := []string{"b/", "b/w", "z"}; !slices.Equal(names, want) {
		t.Errorf("%v, want %v", names, want)
	}
	if err := unpack(b, t.TempDir()); err != nil {
		t.Error(err)
	}
}

// What a program renames into place while it is packed is not of two moments in one archive; what it
// has yet to rename is no change.
func TestPackOfOneMoment(t *testing.T) {
	for about, c := range map[string]struct {
		change func(dir string) error
		want   error
	}{
		"two files of a later step": {func(dir string) error {
			for _, name := range []string{"model", "optimizer"} {
				path := filepath.Join(dir, name)
				write(path+".tmp", "step 200")
				if err := os.Rename(path+".tmp", path); err != nil {
					return err
				}
			}
			return nil
		}, errChanging},
		"another file":  {func(dir string) error { write(filepath.Join(dir, "a"), ""); return nil }, errChanging},
		"one is gone":   {func(dir string) error { return os.Remove(filepath.Join(dir, "model")) }, errChanging},
		"in place":      {func(dir string) error { write(filepath.Join(dir, "model"), "step 1000"); return nil }, errChanging},
		"yet to rename": {func(dir string) error { write(filepath.Join(dir, "in", "model.tmp"), "step 2"); return nil }, nil},
	} {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "in"), 0o700); err != nil {
			t.Fatal(err)
		}
		write(filepath.Join(dir, "model"), "step 100")
		write(filepath.Join(dir, "optimizer"), "step 100")
		looked := 0
		b, err := pack(dir, 1<<20, func(name string) bool {
			if name == "optimizer" {
				if looked++; looked == 2 { // it is listed, then packed, and model just has been
					if err := c.change(dir); err != nil {
						t.Error(err)
					}
				}
			}
			return unfinished(name)
		})
		if !errors.Is(err, c.want) || (b == nil) != (c.want != nil) {
			t.Errorf("%s: %d bytes, %v", about, len(b), err)
		}
	}
}

// A checkpoint that cannot be unpacked is none: the trial begins anew, and nothing of it is there.
func TestDamagedCheckpoint(t *testing.T) {
	f := program(t, "drains", nil)
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range []string{"last", "missing/w"} { // what the program would go on from; what has no parent
		if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o600, Size: 3}); err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write([]byte("0.5"))
	}
	ctx, cancel := context.WithCancelCause(library.ForSearch(t.Context(), "mine"))
	ref, err := f.store.Put(ctx, b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	key := identity("mine", "mine", "1", asked())
	if err := library.SetCheckpoint(ctx, f.store, key, library.CheckpointRecord{Ref: ref, Search: "mine"}); err != nil {
		t.Fatal(err)
	}
	_, err = f.Run(ctx, asked(), func(trainer.Progress) error { cancel(library.ErrStopping); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("it did not begin anew: %v", err)
	}
	if !strings.Contains(f.log.String(), "cannot be unpacked") {
		t.Errorf("the log says %s", f.log)
	}
	result, err := f.Run(library.ForSearch(t.Context(), "mine"), asked(), quiet)
	if err != nil || result.Metrics["validation"] != .75 {
		t.Errorf("%+v, %v", result.Outcome, err)
	}
	if names, err := f.store.Names(t.Context(), store.Checkpoint, ""); err != nil || len(names) > 0 {
		t.Errorf("checkpoints %v, %v", names, err)
	}
}
