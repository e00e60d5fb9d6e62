package terminal

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// An output takes the place of a file as a careful program's does: links lead on, modes
// stay, new files have the umask's, and what is no file is written through.
func TestOutput(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o027))
	dir := t.TempDir()
	var stdout strings.Builder
	a := &App{Process: Process{Stdout: &stdout}}
	write := func(name, text string) {
		t.Helper()
		if err := a.Output(name, func(w io.Writer) error { _, err := io.WriteString(w, text); return err }); err != nil {
			t.Fatal(err)
		}
	}
	has := func(name, text string, mode os.FileMode) {
		t.Helper()
		b, err := os.ReadFile(name)
		if err != nil || string(b) != text {
			t.Errorf("%s: %q, %v", name, b, err)
		}
		if s, err := os.Lstat(name); err != nil || s.Mode() != mode {
			t.Errorf("%s: mode %s, %v", name, s.Mode(), err)
		}
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	file, link, dangling, fifo := in("file"), in("link"), in("dangling"), in("fifo")
	write(file, "one")
	has(file, "one", 0o640)
	if err := errors.Join(os.Chmod(file, 0o604), os.Symlink("file", link), os.Symlink("new", dangling),
		syscall.Mkfifo(fifo, 0o600)); err != nil {
		t.Fatal(err)
	}
	write(link, "two")
	has(file, "two", 0o604)
	write(dangling, "three")
	has(in("new"), "three", 0o640)
	for _, l := range []string{link, dangling} {
		if s, err := os.Lstat(l); err != nil || s.Mode()&os.ModeSymlink == 0 {
			t.Errorf("%s is no link any more: %v", l, err)
		}
	}
	read := make(chan string)
	go func() {
		b, _ := os.ReadFile(fifo)
		read <- string(b)
	}()
	write(fifo, "four")
	if got := <-read; got != "four" {
		t.Errorf("through the pipe came %q", got)
	}
	write(os.DevNull, "five")
	write("-", "six")
	if stdout.String() != "six" {
		t.Errorf("standard output: %q", stdout.String())
	}
	broken := errors.New("broken")
	if err := a.Output(file, func(io.Writer) error { return broken }); !errors.Is(err, broken) {
		t.Error(err)
	}
	has(file, "two", 0o604)
	if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
	if err := a.Output(dir, func(io.Writer) error { return nil }); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Error(err)
	}
}

// A folder is written whole under its name, however that is spelt, or not at all; standard output is none.
func TestOutputFolder(t *testing.T) {
	dir := t.TempDir()
	write := func(name string) error {
		if err := NewFolder(name, "output"); err != nil {
			return err
		}
		return OutputFolder(name, func(create func(string) (io.WriteCloser, error)) error {
			w, err := create("part/file")
			if err != nil {
				return err
			}
			_, err = io.WriteString(w, name)
			return errors.Join(err, w.Close())
		})
	}
	for _, name := range []string{"plain", "ended/", "twice//", "./x/../led/."} {
		name = dir + "/" + name
		if err := write(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if b, err := os.ReadFile(filepath.Join(name, "part", "file")); err != nil || string(b) != name {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	for name, want := range map[string]string{
		"-": "give its name with --output", "plain/": "exists already: remove it", file + "/": "is no folder",
		"none/new": "writing none/new: in none: no such file or directory",
	} {
		if err := write(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	there, err := os.ReadDir(dir)
	if err != nil || len(there) != 5 {
		t.Errorf("%v, %v", there, err)
	}
}

// A name of something in the store never leads out of the working directory.
func TestFileName(t *testing.T) {
	for name, want := range map[string]string{
		"spam-naml-s1-1": "spam-naml-s1-1.html", "nlp-1/transfer/a": "nlp-1_transfer_a.html", "../../etc/x": "_._.._etc_x.html",
		"..": "_..html", ".hidden": "_hidden.html", "a\x1b\nb": "a· b.html", "/": "_.html",
	} {
		got := FileName(name, ".html")
		if got != want || filepath.Base(got) != got {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
