// Package stack starts the development stack (deploy/devstack) as a child
// process, or finds one that runs: a real Temporal server with its web UI and
// an S3 server, on loopback under one directory.
package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// ErrHeld says that another stack runs on the directory.
var ErrHeld = errors.New("another stack is running")

// errAsked is why a stack ended that did not fail.
var errAsked = errors.New("it was asked to end")

// exitHeld is the program's exit code where another stack holds the directory.
const exitHeld = 3

// Options says how to start a stack.
type Options struct {
	// Dir holds everything the stack keeps.
	Dir string
	// Cache holds the built program; "" means Dir/cache.
	Cache string
	// Progress is told in words what is being done; it may be nil. It is called
	// until Start returns, also from other goroutines, but one call at a time.
	Progress func(string)
	// Detached lets the stack outlive this process: it ends by Close, or by
	// SIGTERM to Addresses.PID.
	Detached bool
	// AnyPorts takes whatever ports are free, not the ones people know.
	AnyPorts bool
	// Temporary deletes Dir when the stack ends, however this process does. Dir
	// must be empty, so Cache must be given.
	Temporary bool
}

// Stack is a running stack, a child of this process: unless it is detached, it
// ends when this process does, however that ends.
type Stack struct {
	addresses Addresses
	cmd       *exec.Cmd
	stdin     io.Closer
	detached  bool
	done      chan struct{}
	err       error // set before done is closed
	tail      tail
	log       logMark
}

// Start builds the stack's program where needed, starts it and waits until it
// answers. A directory on which one runs already is ErrHeld; one that cannot
// start is an error with the end of what it said and logged.
func Start(ctx context.Context, o Options) (*Stack, error) {
	progress := teller{f: o.Progress}
	defer progress.end()
	if o.Temporary && o.Cache == "" {
		return nil, errors.New("dev stack: a temporary one needs a cache outside its directory")
	}
	if o.Cache == "" {
		o.Cache = filepath.Join(o.Dir, "cache")
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	binary, err := BuildBinary(ctx, o.Cache, progress.tell)
	if err != nil {
		return nil, err
	}
	s := &Stack{
		cmd: exec.Command(binary, arguments(o)...), detached: o.Detached,
		done: make(chan struct{}), log: markLog(LogPath(o.Dir)),
	}
	ready, err := s.launch(progress.tell)
	if err != nil {
		return nil, fmt.Errorf("dev stack: %w", err)
	}
	select {
	case line := <-ready:
		if err := json.Unmarshal([]byte(line), &s.addresses); err != nil {
			s.Close()
			return nil, fmt.Errorf("dev stack: its READY line: %w", err)
		}
		if err := s.addresses.complete(o.Dir); err != nil {
			s.Close()
			return nil, fmt.Errorf("dev stack: %w", err)
		}
		return s, nil
	case <-s.done:
		if s.cmd.ProcessState.ExitCode() == exitHeld {
			return nil, fmt.Errorf("%s: %w\n%s", o.Dir, ErrHeld, s.tail.String())
		}
		return nil, fmt.Errorf("dev stack on %s: %w", o.Dir, s.err)
	case <-ctx.Done():
		s.Close()
		return nil, fmt.Errorf("starting the dev stack: %w", context.Cause(ctx))
	}
}

func arguments(o Options) []string {
	args := []string{"-dir", o.Dir}
	if o.Detached {
		args = append(args, "-detached")
	}
	if o.AnyPorts {
		args = append(args, "-temporal-port=0", "-ui-port=0", "-s3-port=0")
	}
	if o.Temporary {
		args = append(args, "-temporary")
	}
	return args
}

// launch starts the process; the channel gets what follows READY.
func (s *Stack) launch(progress func(string)) (<-chan string, error) {
	// A person's Ctrl-C goes to the whole group; the stack must outlive what
	// still uses it and ends with its standard input.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	s.stdin = io.NopCloser(nil)
	if s.detached {
		s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	} else {
		stdin, err := s.cmd.StdinPipe()
		if err != nil {
			return nil, err
		}
		s.stdin = stdin
	}
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	ready := make(chan string, 1)
	var readers sync.WaitGroup
	readers.Go(func() {
		scanLines(stdout, func(line string) {
			if addresses, ok := strings.CutPrefix(line, "READY "); ok {
				select {
				case ready <- addresses:
				default:
				}
			}
		})
	})
	readers.Go(func() {
		scanLines(stderr, func(line string) {
			s.tail.add(line)
			progress(line)
		})
	})
	go func() {
		readers.Wait()
		s.err = s.cause(s.cmd.Wait())
		close(s.done)
	}()
	return ready, nil
}

// cause says how the process ended, with the end of what it said and logged.
func (s *Stack) cause(err error) error {
	if err == nil {
		return errAsked
	}
	text := []string{s.tail.String()}
	if logged := s.log.tail(); logged != "" {
		text = append(text, "the end of "+s.log.name+":", logged)
	}
	return fmt.Errorf("%w\n%s", err, strings.Join(text, "\n"))
}

// Addresses returns how to reach the stack.
func (s *Stack) Addresses() Addresses { return s.addresses }

// Done is closed when the stack has ended.
func (s *Stack) Done() <-chan struct{} { return s.done }

// Err returns why the stack ended once Done is closed, with the end of what it
// logged where it failed; before that, nil.
func (s *Stack) Err() error {
	select {
	case <-s.done:
		return s.err
	default:
		return nil
	}
}

// How long a stop may take before it is asked for more firmly.
const (
	closeGrace = 15 * time.Second
	termGrace  = 5 * time.Second
)

// Close ends the stack, a detached one too, and waits for it. Closing again
// does nothing.
func (s *Stack) Close() {
	_ = s.stdin.Close()
	if s.detached {
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
	}
	for _, step := range []struct {
		wait   time.Duration
		signal syscall.Signal
	}{{closeGrace, syscall.SIGTERM}, {termGrace, syscall.SIGKILL}} {
		select {
		case <-s.done:
			return
		case <-time.After(step.wait):
			_ = s.cmd.Process.Signal(step.signal)
		}
	}
	<-s.done
}

// Kill ends the stack with SIGKILL, as a crash would.
func (s *Stack) Kill() {
	_ = s.cmd.Process.Kill()
	<-s.done
}
