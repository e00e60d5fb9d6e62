// Package stacktest gives tests a real dev stack.
package stacktest

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tnaml/deploy/stack"
)

// buildTimeout allows for a first build.
const buildTimeout = 20 * time.Minute

var shared struct {
	stack *stack.Stack
	dir   string
	uses  sync.Mutex
	count int
}

// Shared returns the addresses of one stack that all tests of this process
// share. It ends when the last test that uses it does; should the process be
// killed, it ends by itself. Tests keep apart by bucket and workflow ID.
func Shared(t testing.TB) stack.Addresses {
	t.Helper()
	skipShort(t)
	shared.uses.Lock()
	defer shared.uses.Unlock()
	if shared.count == 0 {
		dir, err := os.MkdirTemp("", "tnaml-stack-")
		if err != nil {
			t.Fatal(err)
		}
		shared.dir = dir
		if shared.stack, err = start(t, dir); err != nil {
			_ = os.RemoveAll(dir)
			t.Fatalf("dev stack: %v", err)
		}
	}
	shared.count++
	t.Cleanup(func() {
		shared.uses.Lock()
		defer shared.uses.Unlock()
		if shared.count--; shared.count == 0 {
			shared.stack.Close()
			_ = os.RemoveAll(shared.dir)
		}
	})
	return shared.stack.Addresses()
}

// Start starts a stack on a directory for one test, which may close and kill it.
func Start(t testing.TB, dir string) *stack.Stack {
	t.Helper()
	skipShort(t)
	s, err := start(t, dir)
	if err != nil {
		t.Fatalf("dev stack: %v", err)
	}
	t.Cleanup(s.Close)
	return s
}

func start(t testing.TB, dir string) (*stack.Stack, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
	defer cancel()
	var started atomic.Bool
	defer started.Store(true) // the test may end before the stack does: no more logging to it
	return stack.Start(ctx, stack.Options{Dir: dir, Cache: filepath.Join(cache, "tnaml"), Progress: func(line string) {
		if !started.Load() {
			t.Log(line)
		}
	}})
}

func skipShort(t testing.TB) {
	if testing.Short() {
		t.Skip("-short: tests on the dev stack are left out; its first build takes minutes")
	}
}
