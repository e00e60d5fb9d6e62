package stack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// BinaryEnv names the environment variable that gives a built devstack
// program, for machines without a Go toolchain.
const BinaryEnv = "TNAML_DEVSTACK_BINARY"

// Build builds the dev stack's program into a directory, once for each version
// of its sources, and returns its path. The sources are found beside this
// package's own. Concurrent builds wait for one another.
func Build(ctx context.Context, cache string, progress func(string)) (string, error) {
	if given := os.Getenv(BinaryEnv); given != "" {
		if _, err := os.Stat(given); err != nil {
			return "", fmt.Errorf("%s: %w", BinaryEnv, err)
		}
		return given, nil
	}
	source, err := findSource()
	if err != nil {
		return "", err
	}
	key, err := digest(source)
	if err != nil {
		return "", err
	}
	binary := filepath.Join(cache, "devstack-"+key)
	if _, err := os.Stat(binary); err == nil {
		return binary, nil
	}
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return "", err
	}
	lock := flock.New(filepath.Join(cache, "lock"))
	if _, err := lock.TryLockContext(ctx, 200*time.Millisecond); err != nil {
		return "", fmt.Errorf("waiting for another build in %s: %w", cache, err)
	}
	defer lock.Unlock() //nolint:errcheck // released with the process at the latest
	if _, err := os.Stat(binary); err == nil {
		return binary, nil // built while we waited
	}
	return binary, build(ctx, source, binary, progress)
}

func build(ctx context.Context, source, binary string, progress func(string)) error {
	progress("building the dev stack: the first time this takes several minutes")
	started := time.Now()
	tmp := binary + ".new"
	defer os.Remove(tmp) //nolint:errcheck // renamed when all went well
	// -p 0 would be the default; -v names each package as it is compiled.
	cmd := exec.CommandContext(ctx, "go", "build", "-v", "-ldflags=-s -w", "-o", tmp, ".")
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-buildvcs=false")
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
	if err != nil {
		return errors.Join(ctx.Err(), fmt.Errorf("building the dev stack in %s: %w\n%s", source, err, t.String()))
	}
	progress(fmt.Sprintf("the dev stack is built (%s)", time.Since(started).Round(time.Second)))
	removeOld(binary)
	return os.Rename(tmp, binary)
}

// removeOld deletes programs built of earlier sources: each is 150 MB.
func removeOld(binary string) {
	old, _ := filepath.Glob(filepath.Join(filepath.Dir(binary), "devstack-*"))
	for _, name := range old {
		if !strings.HasPrefix(name, binary) {
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
	return "", fmt.Errorf("the sources of the dev stack (deploy/devstack) are not found: run inside tnaml's repository, or set %s to a built one", BinaryEnv)
}

// digest identifies the sources and the toolchain.
func digest(source string) (string, error) {
	files, err := filepath.Glob(filepath.Join(source, "*"))
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintln(h, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	slices.Sort(files)
	for _, name := range files {
		base := filepath.Base(name)
		if strings.HasSuffix(base, "_test.go") || !(strings.HasSuffix(base, ".go") || base == "go.mod" || base == "go.sum") {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(h, base, len(b))
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}
