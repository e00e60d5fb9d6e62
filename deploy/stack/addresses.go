package stack

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// Addresses is how to reach a running stack. It does not print its secret.
type Addresses struct {
	// PID is the stack's process.
	PID int `json:"pid"`
	// Temporal is host:port of the frontend, Namespace the one made for tnaml.
	Temporal  string `json:"temporal"`
	Namespace string `json:"namespace"`
	// UI is the URL of Temporal's web UI.
	UI string `json:"ui"`
	// S3Endpoint is the URL of the S3 server; clients make their bucket.
	S3Endpoint string `json:"s3_endpoint"`
	S3Region   string `json:"s3_region"`
	// Log is the file with the servers' messages.
	Log string `json:"log"`

	// Dir is the directory that holds everything.
	Dir         string `json:"-"`
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

// The files that the stack keeps in its directory.
const (
	stateFile       = "stack.json"
	lockFile        = "lock"
	credentialsFile = "credentials.json"
)

// CredentialsPath is the file with the keys of a directory's S3 server.
func CredentialsPath(dir string) string { return filepath.Join(dir, credentialsFile) }

// LogPath is the file with the messages of a directory's servers.
func LogPath(dir string) string { return filepath.Join(dir, "logs", "devstack.log") }

// ErrNotRunning says that no stack runs on a directory.
var ErrNotRunning = errors.New("no stack is running")

// HangsError says that a stack holds its directory, and does not answer.
type HangsError struct {
	Dir string
	PID int
	Log string
}

func (e *HangsError) Error() string {
	return fmt.Sprintf("the dev stack on %s (process %d) runs and does not answer: it hangs, or the machine is overloaded; see %s, "+
		"or end it with `kill %d` and start it again: nothing is lost", e.Dir, e.PID, e.Log, e.PID)
}

// Attach returns the addresses of the stack that runs on a directory, or
// ErrNotRunning; one that is still starting, or stopping, does not run. One that does
// not answer is a HangsError.
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
	held, err := locked(dir)
	if err != nil {
		return nil, err
	}
	// After a crash the file still names a process: its number, and its ports,
	// may be others' by now. Only the lock and an answer together say that it is.
	if !held || a.PID == 0 || !alive(a.PID) {
		return nil, fmt.Errorf("%s: %w", dir, ErrNotRunning)
	}
	if !healthy(a.S3Endpoint) {
		return nil, &HangsError{dir, a.PID, a.Log}
	}
	return &a, a.complete(dir)
}

// complete adds what the stack does not print.
func (a *Addresses) complete(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(CredentialsPath(dir))
	if err != nil {
		return err
	}
	var c struct {
		AccessKey string `json:"access_key"`
		SecretKey string `json:"secret_key"`
	}
	if err := json.Unmarshal(b, &c); err != nil || c.SecretKey == "" {
		return fmt.Errorf("%s is damaged", CredentialsPath(dir)) // its content is secret
	}
	a.Dir, a.S3AccessKey, a.S3SecretKey = dir, c.AccessKey, c.SecretKey
	return nil
}

// locked reports whether a stack holds a directory. It holds the lock itself
// for a moment, which a stack that starts waits for.
func locked(dir string) (bool, error) {
	lock := flock.New(filepath.Join(dir, lockFile), flock.SetFlag(os.O_RDONLY))
	free, err := lock.TryRLock()
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("%s: %w", dir, err)
	}
	return !free, lock.Close()
}

// alive reports whether a process exists, be it another user's.
func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

func healthy(endpoint string) bool {
	c := http.Client{Timeout: 2 * time.Second}
	r, err := c.Get(endpoint + "/healthz")
	if err != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, r.Body)
	_ = r.Body.Close()
	return r.StatusCode == http.StatusOK
}
