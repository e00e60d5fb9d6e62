package stack_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"tnaml/deploy/stack"
)

// fake puts a shell script in the program's place.
func fake(t *testing.T, script string) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "devstack")
	if err := os.WriteFile(name, []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv(stack.BinaryEnv, name)
}

const fakeReady = `printf '{"access_key":"a","secret_key":"b"}' >"$2/credentials.json"
echo 'READY {"pid":1,"temporal":"127.0.0.1:1"}'
`

// However the program fails, the error says what it said and logged.
func TestStartFails(t *testing.T) {
	for _, test := range []struct {
		name, script string
		want         []string
		is           error
	}{
		{"it says why", "echo starting >&2; echo 'no such port' >&2; exit 1", []string{"exit status 1", "starting\nno such port"}, nil},
		{"it logs why", `echo bind failed >>"$2/logs/devstack.log"; exit 1`, []string{"devstack.log:", "bind failed"}, nil},
		{"held", "echo 'process 17' >&2; exit 3", []string{"process 17"}, stack.ErrHeld},
		{"it ends in peace", "exit 0", []string{"asked to end"}, nil},
		{"no addresses", "echo READY soon; exec cat", []string{"READY line"}, nil},
		{"no credentials", `echo 'READY {}'; exec cat`, []string{"credentials.json"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			fake(t, test.script)
			dir := t.TempDir()
			if err := os.Mkdir(filepath.Join(dir, "logs"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(stack.LogPath(dir), []byte("of an earlier run\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := stack.Start(t.Context(), stack.Options{Dir: dir})
			if err == nil {
				t.Fatal("it started")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error lacks %q: %v", want, err)
				}
			}
			if strings.Contains(err.Error(), "earlier") {
				t.Errorf("the error shows what was logged before: %v", err)
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("%v is not %v", err, test.is)
			}
		})
	}
}

func TestStartIsGivenUp(t *testing.T) {
	fake(t, "echo hanging >&2; exec cat")
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("enough")
	_, err := stack.Start(ctx, stack.Options{Dir: t.TempDir(), Progress: func(string) { cancel(reason) }})
	if !errors.Is(err, reason) {
		t.Errorf("%v", err)
	}
}

// Progress is told line by line while a stack starts, and nothing afterwards.
func TestProgressEndsWithTheStart(t *testing.T) {
	fake(t, `i=0; while [ $i -lt 200 ]; do echo line $i >&2; [ $i = 100 ] && { `+fakeReady+`true; }; i=$((i+1)); done; exec cat`)
	var told []string // without a lock: there is one call at a time
	s, err := stack.Start(t.Context(), stack.Options{Dir: t.TempDir(), Progress: func(line string) { told = append(told, line) }})
	if err != nil {
		t.Fatal(err)
	}
	n := len(told)
	s.Close()
	if len(told) != n {
		t.Errorf("told when it had started: %q", told[n:])
	}
}

// A stack that ends by itself says so, with the end of its log.
func TestEndsByItself(t *testing.T) {
	fake(t, fakeReady+`mkdir "$2/logs"; echo disk full >"$2/logs/devstack.log"; read line; exit 1`)
	dir := t.TempDir()
	s, err := stack.Start(t.Context(), stack.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if a := s.Addresses(); a.Dir != dir || a.S3AccessKey != "a" || a.S3SecretKey != "b" || a.Temporal != "127.0.0.1:1" {
		t.Errorf("%v in %s", a, a.Dir)
	}
	s.Close()
	select {
	case <-s.Done():
	case <-time.After(time.Minute):
		t.Fatal("not done")
	}
	if err := s.Err(); err == nil || !strings.Contains(err.Error(), "exit status 1") || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("%v", err)
	}
}

// A stack that holds its directory and does not answer is not said to be absent.
func TestAttachToOneThatHangs(t *testing.T) {
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	state := fmt.Sprintf(`{"pid":%d,"temporal":"127.0.0.1:1","s3_endpoint":"http://%s","log":"its.log"}`, os.Getpid(), l.Addr())
	if err := os.WriteFile(filepath.Join(dir, "stack.json"), []byte(state), 0o600); err != nil {
		t.Fatal(err)
	}
	lock := flock.New(filepath.Join(dir, "lock"))
	if err := lock.Lock(); err != nil {
		t.Fatal(err)
	}
	_, err = stack.Attach(dir)
	var hangs *stack.HangsError
	if !errors.As(err, &hangs) || errors.Is(err, stack.ErrNotRunning) ||
		hangs.PID != os.Getpid() || !strings.Contains(err.Error(), "its.log") {
		t.Errorf("%v", err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := stack.Attach(dir); !errors.Is(err, stack.ErrNotRunning) { // nobody holds it
		t.Errorf("%v", err)
	}
}

func TestOptions(t *testing.T) {
	fake(t, `echo "$@" >"$2/arguments"; `+fakeReady+"exec sleep 100")
	dir := t.TempDir()
	s, err := stack.Start(t.Context(), stack.Options{Dir: dir, Cache: t.TempDir(), Detached: true, AnyPorts: true, Temporary: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Close() // by SIGTERM: it does not mind its standard input
	b, err := os.ReadFile(filepath.Join(dir, "arguments"))
	want := "-dir " + dir + " -detached -temporal-port=0 -ui-port=0 -s3-port=0 -temporary\n"
	if err != nil || string(b) != want {
		t.Errorf("%q, want %q; %v", b, want, err)
	}
	if _, err := stack.Start(t.Context(), stack.Options{Dir: dir, Temporary: true}); err == nil {
		t.Error("a cache in a directory that is to be deleted")
	}
}

func TestDirectoryThatCannotBe(t *testing.T) {
	fake(t, "exit 0")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := stack.Start(t.Context(), stack.Options{Dir: file}); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("%v", err)
	}
}

func TestNoProgram(t *testing.T) {
	t.Run("the named one is missing", func(t *testing.T) {
		t.Setenv(stack.BinaryEnv, "/nowhere/devstack")
		if _, err := stack.BuildBinary(t.Context(), t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), stack.BinaryEnv) {
			t.Errorf("%v", err)
		}
	})
	t.Run("no toolchain", func(t *testing.T) {
		t.Setenv(stack.BinaryEnv, "")
		t.Setenv("PATH", t.TempDir())
		if _, err := stack.BuildBinary(t.Context(), t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), stack.BinaryEnv) ||
			!strings.Contains(err.Error(), "install Go") {
			t.Errorf("%v", err)
		}
	})
	t.Run("given up", func(t *testing.T) {
		t.Setenv(stack.BinaryEnv, "")
		ctx, cancel := context.WithCancel(t.Context())
		cache := t.TempDir()
		_, err := stack.BuildBinary(ctx, cache, func(string) { cancel() })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		if left, _ := filepath.Glob(filepath.Join(cache, "devstack-*")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}
