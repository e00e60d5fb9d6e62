package module

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tnaml/deploy/stack/stacktest"
	"tnaml/experiments/data/archive/archivetest"
	"tnaml/starter/cli/terminal"
)

// Vectors are read from a pipe, but no zip archive is, and no one is told to unpack it.
func TestReadVectorsOfPipe(t *testing.T) {
	a := &terminal.App{Process: terminal.Process{Stdout: io.Discard, Stderr: &stacktest.Output{}}}
	zipped := string(archivetest.Zip("a.vec", "x 1 2\ny 3 4\n"))
	for _, c := range []struct{ content, member, want string }{
		{"x 1 2\ny 3 4\n", "", ""},
		{zipped, "", "a zip archive is read from a file, not from a pipe"},
		{zipped, "a.vec", "a zip archive is read from a file, not from a pipe"},
		{"x 1 2\ny 3 4\n", "a.vec", "is no zip archive: --member does not go with it"},
		{"", "", "no vectors"},
	} {
		fifo := filepath.Join(t.TempDir(), "pipe")
		if err := syscall.Mkfifo(fifo, 0o600); err != nil {
			t.Fatal(err)
		}
		written := make(chan struct{})
		go func() {
			defer close(written)
			_ = os.WriteFile(fifo, []byte(c.content), 0o600) // fails where all need not be read
		}()
		m, err := readVectors(t.Context(), fifo, c.member, "x", 0, a.NewProgress())
		<-written
		if c.want == "" {
			if err != nil || len(m.Tokens) != 2 || m.Dim != 2 || m.Vectors[3] != 4 {
				t.Errorf("%+v, %v", m, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "unpack") {
			t.Errorf("%q, member %q: %v, want %q", c.content, c.member, err, c.want)
		}
	}
}
