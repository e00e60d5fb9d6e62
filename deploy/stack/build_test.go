package stack

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o700); err != nil {
		t.Fatal(err)
	}
}

// The program is built again when what goes into it changes, and only then.
func TestDigest(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "module x")
	write(t, filepath.Join(dir, "main.go"), "package main")
	if err := os.MkdirAll(filepath.Join(dir, "absent", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	last := ""
	for _, step := range []struct {
		name, content string
		changes       bool
	}{
		{"main.go", "package main // other", true},
		{"go.sum", "x", true},
		{"more.go", "package main", true},
		{"absent/x/x.go", "package x", true},
		{"main_test.go", "package main", false},
		{"notes.txt", "x", false},
		{"devstack", "a program that someone built here", false},
	} {
		if last == "" {
			last, _ = digest(dir)
		}
		write(t, filepath.Join(dir, step.name), step.content)
		now, err := digest(dir)
		if err != nil {
			t.Fatal(err)
		}
		if (now != last) != step.changes {
			t.Errorf("writing %s: %s, then %s", step.name, last, now)
		}
		last = now
	}
}

// Builders that come together build once; a program that nobody uses goes.
func TestBuildOnce(t *testing.T) {
	source, err := findSource()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(source, "main.go")); err != nil {
		t.Fatal(err)
	}
	// A toolchain that takes note of being asked, in place of the real one.
	bin, cache := t.TempDir(), t.TempDir()
	note := filepath.Join(bin, "note")
	write(t, filepath.Join(bin, "go"), `#!/bin/sh
echo asked >>`+note+`
while [ "$1" != -o ]; do shift; done
sleep 0.2
echo program >"$2"
`)
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv(BinaryEnv, "")
	recent, old := filepath.Join(cache, "devstack-recent"), filepath.Join(cache, "devstack-old")
	write(t, recent, "x")
	write(t, old, "x")
	past := time.Now().Add(-keepUnused - time.Hour)
	if err := os.Chtimes(old, past, past); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	paths := make([]string, 4)
	for i := range paths {
		all.Go(func() {
			var err error
			if paths[i], err = BuildBinary(t.Context(), cache, nil); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, p := range paths {
		if b, err := os.ReadFile(p); err != nil || string(b) != "program\n" || p != paths[0] {
			t.Errorf("%s: %q, %v", p, b, err)
		}
	}
	if b, _ := os.ReadFile(note); strings.Count(string(b), "asked") != 1 {
		t.Errorf("built %d times", strings.Count(string(b), "asked"))
	}
	if _, err := os.Stat(recent); err != nil {
		t.Errorf("another checkout's program: %v", err)
	}
	if _, err := os.Stat(old); err == nil {
		t.Error("an old program is kept")
	}
}

// A build that fails leaves nothing and says what the compiler said.
func TestBuildFails(t *testing.T) {
	bin, cache := t.TempDir(), t.TempDir()
	write(t, filepath.Join(bin, "go"), "#!/bin/sh\necho 'main.go:1:1: expected package' >&2\nexit 1\n")
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv(BinaryEnv, "")
	if _, err := BuildBinary(t.Context(), cache, nil); err == nil || !strings.Contains(err.Error(), "main.go:1:1: expected package") {
		t.Errorf("%v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(cache, "devstack-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestLogMark(t *testing.T) {
	name := filepath.Join(t.TempDir(), "log")
	if got := markLog(name).tail(); got != "" {
		t.Errorf("no log: %q", got)
	}
	write(t, name, "before\n")
	m := markLog(name)
	if got := m.tail(); got != "" {
		t.Errorf("nothing since: %q", got)
	}
	write(t, name, "before\nafter\nlast\n")
	if got := m.tail(); got != "after\nlast" {
		t.Errorf("%q", got)
	}
	write(t, name, "new\n")
	if got := m.tail(); got != "new" {
		t.Errorf("a new log in its place: %q", got)
	}
	write(t, name, strings.Repeat("long line\n", 10000)+"end\n")
	got := m.tail()
	if lines := strings.Split(got, "\n"); len(lines) != tailLines || lines[0] != "long line" || lines[tailLines-1] != "end" {
		t.Errorf("%q", got)
	}
}
