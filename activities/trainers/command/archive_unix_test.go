//go:build unix

package command

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A file that becomes something else as it is stored is neither waited for nor followed.
func TestPackOfWhatChanges(t *testing.T) {
	for name, become := range map[string]func(path string) error{
		"pipe": func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"link": func(path string) error { return os.Symlink("/etc/passwd", path) },
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "weights")
		write(path, "1")
		done := make(chan error, 1)
		go func() {
			looked := 0
			b, err := pack(dir, 1<<20, func(string) bool {
				if looked++; looked != 2 { // it is listed, then packed
					return false
				}
				return os.Remove(path) != nil || become(path) != nil
			})
			if b != nil {
				t.Errorf("%s: %d bytes are stored", name, len(b))
			}
			done <- err
		}()
		select {
		case err := <-done:
			if err == nil || !strings.Contains(err.Error(), `"weights"`) || strings.Contains(err.Error(), dir) {
				t.Errorf("%s: %v", name, err)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: it is waited for", name)
		}
	}
}
