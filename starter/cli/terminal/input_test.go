package terminal

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What a person names is read whole, also of a pipe; one that nobody writes to is waited
// for no longer than the command runs.
func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	file, fifo := filepath.Join(dir, "file"), filepath.Join(dir, "fifo")
	if err := errors.Join(os.WriteFile(file, []byte("one"), 0o600), syscall.Mkfifo(fifo, 0o600)); err != nil {
		t.Fatal(err)
	}
	if b, err := ReadFile(t.Context(), file); err != nil || string(b) != "one" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := ReadFile(t.Context(), filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Truncate(file, maxSpec+1)); err != nil {
		t.Fatal(err)
	}
	if b, err := ReadSpec(t.Context(), file); err == nil || b != nil || !strings.Contains(err.Error(), "more than 16 MiB") {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	written := make(chan error, 1)
	go func() { written <- os.WriteFile(fifo, []byte("two"), 0) }()
	if b, err := ReadFile(t.Context(), fifo); err != nil || string(b) != "two" || <-written != nil {
		t.Errorf("%q, %v", b, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := ReadFile(ctx, fifo); !errors.Is(err, ErrInterrupted) {
		t.Errorf("a pipe without a writer: %v", err)
	}
}
