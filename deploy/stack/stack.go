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
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Addresses is how to reach a running stack. It does not print its secret.
type Addresses struct {
	// PID is the stack's process.
	PID int `json:"pid"`
	// Temporal is host:port of the frontend, Namespace the one made for tnaml.
	Temporal  string `json:"temporal"`
	Namespace string `json:"namespace"`
	// UI is the URL of Temporal's web UI.
	UI         string `json:"ui"`
	S3Endpoint string `json:"s3_endpoint"`
	S3Region   string `json:"s3_region"`
	// Log is the file with the servers' messages.
	Log string `json:"log"`

	S3AccessKey string `json:"-"`
	S3SecretKey string `json:"-"`
}

// String describes the addresses without the secret.
func (a Addresses) String() string {
	return fmt.Sprintf("Temporal %s, UI %s, S3 %s", a.Temporal, a.UI, a.S3Endpoint)
}

// GoString keeps %#v from printing the secret.
func (a Addresses) GoString() string { return "stack.Addresses{" + a.String() + "}" }

// LogValue keeps the secret out of logs.
func (a Addresses) LogValue() slog.Value { return slog.StringValue(a.String()) }

var (
	// ErrNotRunning says that no stack runs on a directory.
	ErrNotRunning = errors.New("no stack is running")
	// ErrHeld says that another stack runs on the directory.
	ErrHeld = errors.New("another stack is running")
)

// The files that the stack keeps in its directory, and its exit codes.
const (
	stateFile       = "stack.json"
	credentialsFile = "credentials.json"
	exitHeld        = 3
)

// Attach returns the addresses of the stack that runs on a directory, or
// ErrNotRunning.
func Attach(dir string) (*Addresses, error) {
	b, err := os.ReadFile(filepath.Join(dir, stateFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", dir, ErrNotRunning)
	}
	if err != nil {
		return nil, err
	}
	var a Addresses
	if err := json.Unmarshal(b, &a); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, stateFile), err)
	}
	if a.PID == 0 || syscall.Kill(a.PID, 0) != nil || !healthy(a.S3Endpoint) {
		return nil, fmt.Errorf("%s: %w", dir, ErrNotRunning)
	}
	return &a, a.readCredentials(dir)
}

func (a *Addresses) readCredentials(dir string) error {
	name := filepath.Join(dir, credentialsFile)
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	var c struct {
		AccessKey string `json:"access_key"`
		SecretKey string `json:"secret_key"`
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return fmt.Errorf("%s is damaged", name) // its content is secret
	}
	a.S3AccessKey, a.S3SecretKey = c.AccessKey, c.SecretKey
	return nil
}

func healthy(endpoint string) bool {
	c := http.Client{Timeout: 2 * time.Second}
	r, err := c.Get(endpoint + "/healthz")
	if err != nil {
		return false
	}
	_ = r.Body.Close()
	return r.StatusCode == http.StatusOK
}

// Options says how to start a stack.
type Options struct {
	// Dir holds everything the stack keeps.
	Dir string
	// Cache holds the built program; "" means Dir/cache.
	Cache string
	// Progress is told in words what is being done; it may be nil.
	Progress func(string)
}

// Stack is a running stack, a child of this process: it ends when this process
// does, however that ends.
type Stack struct {
	addresses Addresses
	cmd       *exec.Cmd
	stdin     io.WriteCloser
	done      chan struct{}
	err       error
	tail      tail
}

// Start builds the stack's program where needed, starts it and waits until it
// answers. A directory on which one runs already is ErrHeld.
func Start(ctx context.Context, o Options) (*Stack, error) {
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	if o.Cache == "" {
		o.Cache = filepath.Join(o.Dir, "cache")
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	binary, err := Build(ctx, o.Cache, o.Progress)
	if err != nil {
		return nil, err
	}
	s := &Stack{cmd: exec.Command(binary, "-dir", o.Dir), done: make(chan struct{})}
	// A person's Ctrl-C goes to the whole group; the stack must outlive what
	// still uses it and ends with its standard input.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if s.stdin, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
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
		return nil, fmt.Errorf("dev stack: %w", err)
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
			o.Progress(line)
		})
	})
	go func() {
		readers.Wait()
		s.err = s.cmd.Wait()
		close(s.done)
	}()
	select {
	case line := <-ready:
		if err := json.Unmarshal([]byte(line), &s.addresses); err != nil {
			s.Close()
			return nil, fmt.Errorf("dev stack: its READY line: %w", err)
		}
		if err := s.addresses.readCredentials(o.Dir); err != nil {
			s.Close()
			return nil, fmt.Errorf("dev stack: %w", err)
		}
		return s, nil
	case <-s.done:
		if s.cmd.ProcessState.ExitCode() == exitHeld {
			return nil, fmt.Errorf("%s: %w", o.Dir, ErrHeld)
		}
		return nil, fmt.Errorf("dev stack: %w:\n%s\nsee %s", s.Err(), s.tail.String(), filepath.Join(o.Dir, "logs", "devstack.log"))
	case <-ctx.Done():
		s.Close()
		return nil, ctx.Err()
	}
}

// Addresses returns how to reach the stack.
func (s *Stack) Addresses() Addresses { return s.addresses }

// Done is closed when the stack has ended.
func (s *Stack) Done() <-chan struct{} { return s.done }

// Err returns why the stack ended by itself, once Done is closed.
func (s *Stack) Err() error {
	if s.err == nil {
		return errors.New("ended")
	}
	return s.err
}

// How long a stop may take before it is asked for more firmly.
const (
	closeGrace = 15 * time.Second
	termGrace  = 5 * time.Second
)

// Close ends the stack and waits for it.
func (s *Stack) Close() {
	_ = s.stdin.Close()
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

// tail keeps the last lines of a process.
type tail struct {
	mu    sync.Mutex
	lines []string
}

const tailLines = 20

func (t *tail) add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines, line)
	if len(t.lines) > tailLines {
		t.lines = t.lines[1:]
	}
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.lines, "\n")
}

// CredentialsPath is the file with the keys of a directory's S3 server.
func CredentialsPath(dir string) string { return filepath.Join(dir, credentialsFile) }
