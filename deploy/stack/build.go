package stack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// BinaryEnv names the environment variable that gives a built devstack
// program, for machines without a Go toolchain.
const BinaryEnv = "TNAML_DEVSTACK_BINARY"

// BuildBinary builds the dev stack's program into a directory, once for each
// version of its sources and of Go, and returns its path. The sources are found
// beside this package's own. Concurrent builders wait for one another, in other
// processes too; progress is told what is being done and may be nil.
func BuildBinary(ctx context.Context, cache string, progress func(string)) (string, error) {
	if progress == nil {
		progress = func(string) {}
	}
	if given := os.Getenv(BinaryEnv); given != "" {
		if _, err := os.Stat(given); err != nil {
			return "", fmt.Errorf("%s: %w", BinaryEnv, err)
		}
		return given, nil
	}
	source, binary, err := place(cache)
	if err != nil {
		return "", err
	}
	if used(binary) {
		return binary, nil
	}
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return "", fmt.Errorf("the dev stack's program: %w", err)
	}
	lock := flock.New(filepath.Join(cache, "lock"))
	held, err := lock.TryLock()
	if err == nil && !held {
		progress("waiting for another build of the dev stack")
		_, err = lock.TryLockContext(ctx, 200*time.Millisecond)
	}
	if err != nil {
		return "", fmt.Errorf("waiting for another build in %s: %w", cache, err)
	}
	defer lock.Close()
	if used(binary) {
		return binary, nil // built while we waited
	}
	return binary, build(ctx, source, binary, progress)
}

// Built says that BuildBinary would have nothing to build.
func Built(cache string) bool {
	if os.Getenv(BinaryEnv) != "" {
		return true
	}
	_, binary, err := place(cache)
	return err == nil && used(binary)
}

// place is where the sources are, and where the program that is built from them lies in a cache.
func place(cache string) (source, binary string, err error) {
	if source, err = findSource(); err != nil {
		return "", "", err
	}
	key, err := digest(source)
	if err != nil {
		return "", "", fmt.Errorf("the sources of the dev stack: %w", err)
	}
	return source, filepath.Join(cache, "devstack-"+key), nil
}

// TestCache is where the tests of all packages keep the built program.
func TestCache() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no place for the built dev stack: %w", err)
	}
	return filepath.Join(dir, "tnaml"), nil
}

// used reports whether a program is there, and marks it as in use.
func used(binary string) bool {
	now := time.Now()
	if err := os.Chtimes(binary, now, now); err == nil {
		return true
	}
	_, err := os.Stat(binary) // a cache that is read only is fine
	return err == nil
}

func build(ctx context.Context, source, binary string, progress func(string)) error {
	progress("building the dev stack: the first time this takes several minutes")
	started := time.Now()
	tmp := binary + ".new"
	defer os.Remove(tmp)
	// -v names each package as it is compiled.
	cmd := exec.CommandContext(ctx, "go", "build", "-v", "-ldflags=-s -w", "-o", tmp, ".")
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-buildvcs=false")
	// The compiler is a Go program too, and of short life: collecting less often takes a fifth off its work,
	// for 1.1 GB in place of 0.7 while it compiles its largest package.
	if os.Getenv("GOGC") == "" {
		cmd.Env = append(cmd.Env, "GOGC=400")
	}
	// Interrupted, go stops its compilers and removes what they left.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	var t tail
	count, last := 0, time.Now()
	pipe, write := io.Pipe()
	cmd.Stdout, cmd.Stderr = write, write
	read := make(chan struct{})
	go func() {
		defer close(read)
		scanLines(pipe, func(line string) {
			t.add(line)
			count++
			if time.Since(last) > 5*time.Second {
				last = time.Now()
				progress(fmt.Sprintf("building the dev stack: %d steps done in %s, now %s", count, time.Since(started).Round(time.Second), line))
			}
		})
	}()
	err := cmd.Run()
	_ = write.Close()
	<-read
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("the dev stack is built with Go's own toolchain, and `go` is not in PATH: install Go, or set %s", BinaryEnv)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("building the dev stack: %w; what is compiled is kept, starting again goes on from there", context.Cause(ctx))
	}
	if err != nil {
		return fmt.Errorf("building the dev stack in %s: %w\n%s", source, err, t.String())
	}
	if err := os.Rename(tmp, binary); err != nil {
		return err
	}
	progress(fmt.Sprintf("the dev stack is built (%s)", time.Since(started).Round(time.Second)))
	removeOld(binary)
	return nil
}

// keepUnused is how long a program built of other sources is kept: several
// checkouts may share a cache, and each program is 100 MB.
const keepUnused = 7 * 24 * time.Hour

func removeOld(binary string) {
	others, _ := filepath.Glob(filepath.Join(filepath.Dir(binary), "devstack-*"))
	for _, name := range others {
		if info, err := os.Stat(name); name != binary && err == nil && time.Since(info.ModTime()) > keepUnused {
			_ = os.Remove(name)
		}
	}
}

// findSource finds deploy/devstack: beside this file, where the program was
// built from a checkout that is still there, or above the working directory.
func findSource() (string, error) {
	var candidates []string
	if _, file, _, ok := runtime.Caller(0); ok {
		candidates = append(candidates, filepath.Join(filepath.Dir(filepath.Dir(file)), "devstack"))
	}
	if dir, err := os.Getwd(); err == nil {
		for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
			candidates = append(candidates, filepath.Join(dir, "deploy", "devstack"))
		}
	}
	for _, dir := range candidates {
		if b, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil && strings.HasPrefix(string(b), "module tnaml/deploy/devstack") {
			return dir, nil
		}
	}
	return "", fmt.Errorf("the sources of the dev stack (deploy/devstack) are not found: run inside tnaml's repository, or set %s to a "+
		"built one", BinaryEnv)
}

// digest identifies the sources, with the modules that stand in for others, and the
// toolchain.
func digest(source string) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	err := filepath.WalkDir(source, func(name string, d fs.DirEntry, err error) error { // in lexical order
		base := filepath.Base(name)
		if err != nil || d.IsDir() || strings.HasSuffix(base, "_test.go") ||
			!strings.HasSuffix(base, ".go") && base != "go.mod" && base != "go.sum" {
			return err
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		within, err := filepath.Rel(source, name)
		fmt.Fprintln(h, within, len(b))
		h.Write(b)
		return err
	})
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}
