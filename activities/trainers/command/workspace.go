package command

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"tnaml/experiments/trainer"
)

// Workspace is the directory of one process, in which trials have theirs, and tasks' data
// lie. Only its user can read it.
type Workspace struct {
	dir    string
	lock   *os.File
	groups *groups

	mu    sync.Mutex
	tasks map[string]*taskData // by reference
	ends  int                  // of uses of tasks' data, so far
	keep  int64                // the bytes of tasks' data that stay for trials to come
}

const lockEnding = ".lock"

// NewWorkspace makes a directory below one that processes share, and removes those that
// processes which were killed have left there.
func NewWorkspace(shared string, log *slog.Logger) (*Workspace, error) {
	if err := os.MkdirAll(shared, 0o700); err != nil {
		return nil, err
	}
	shared, err := filepath.Abs(shared)
	if err != nil {
		return nil, err
	}
	locks, err := filepath.Glob(filepath.Join(shared, "*"+lockEnding))
	if err != nil {
		return nil, err
	}
	for _, name := range locks {
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			continue
		}
		if lock(f) { // its process is gone
			if err := discard(strings.TrimSuffix(name, lockEnding)); err != nil {
				log.Warn("what a process has left stays", "error", err)
			}
		}
		_ = f.Close()
	}
	w := &Workspace{dir: filepath.Join(shared, strings.ToLower(rand.Text()[:12])), tasks: map[string]*taskData{},
		keep: keepData}
	// The lock is taken before it has the name by which others look for it.
	if w.lock, err = os.OpenFile(w.dir+".new", os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600); err != nil {
		return nil, err
	}
	lock(w.lock)
	if err := errors.Join(os.Rename(w.dir+".new", w.dir+lockEnding), os.Mkdir(w.dir, 0o700)); err != nil {
		return nil, err
	}
	if w.groups, err = newGroups(filepath.Base(w.dir)); err != nil {
		log.Info("trials' programs run without control groups: memory is limited by process, and what leaves a program is looked for",
			"reason", err)
	}
	_, err = w.lock.WriteString(w.groups.place())
	return w, err
}

// Close removes the directory.
func (w *Workspace) Close() error {
	return errors.Join(w.groups.close(), discard(w.dir), w.lock.Close())
}

// discard removes a process's directory, with what its trials have left, and, once that is
// gone, its lock, by which it is found.
func discard(dir string) error {
	sweep(dir)
	place, err := os.ReadFile(dir + lockEnding)
	if err != nil {
		return err
	}
	if err := errors.Join(discardGroups(string(place), filepath.Base(dir)), remove(dir)); err != nil {
		return err
	}
	return os.Remove(dir + lockEnding)
}

// The names in a trial's directory.
const (
	requestFile   = "request.json"
	outcomeFile   = "outcome.json"
	checkpointDir = "checkpoint"
	modelDir      = "model"
	dataLink      = "data"
)

// fresh makes a trial's directory, whole or not at all.
func (w *Workspace) fresh(r *trainer.Request) (string, error) {
	dir, err := os.MkdirTemp(w.dir, "trial-")
	if err != nil {
		return "", err
	}
	b, err := json.Marshal(r)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, requestFile), b, 0o600)
	}
	for _, sub := range []string{checkpointDir, modelDir, "tmp"} {
		if err == nil {
			err = os.Mkdir(filepath.Join(dir, sub), 0o700)
		}
	}
	if err != nil {
		return "", errors.Join(err, remove(dir))
	}
	return dir, nil
}

// remove removes a directory, whatever modes are in it: a program's, or those of tasks' data.
func remove(dir string) error {
	err := os.RemoveAll(dir)
	if errors.Is(err, fs.ErrPermission) {
		_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if d != nil && d.IsDir() {
				_ = os.Chmod(path, 0o700)
			}
			return nil
		})
		err = os.RemoveAll(dir)
	}
	return err
}
