package command

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"tnaml/activities/store"
	"tnaml/experiments/data"
	"tnaml/experiments/data/kinds"
	"tnaml/experiments/data/text"
	"tnaml/experiments/trainer"
)

// Workspace is the directory of one process, in which trials have theirs, and tasks' data
// lie. Only its user can read it.
type Workspace struct {
	dir    string
	lock   *os.File
	groups *groups

	mu    sync.Mutex
	tasks map[string]*sync.Mutex // whose data are being written, by reference
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
	w := &Workspace{dir: filepath.Join(shared, strings.ToLower(rand.Text()[:12])), tasks: map[string]*sync.Mutex{}}
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

// fresh makes a trial's directory.
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
	return dir, err
}

// data is the directory with a task's data, which is written once; "" where the store has
// none of it.
func (w *Workspace) data(ctx context.Context, s store.Store, ref string) (string, error) {
	parsed, err := store.ParseRef(ref)
	if err != nil {
		return "", nil // it is the program's own to know what that is
	}
	w.mu.Lock()
	one := w.tasks[ref]
	if one == nil {
		one = new(sync.Mutex)
		w.tasks[ref] = one
	}
	w.mu.Unlock()
	one.Lock()
	defer one.Unlock()
	dir := filepath.Join(w.dir, "data-"+strings.TrimPrefix(ref, "sha256:"))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	object, err := s.Get(ctx, parsed)
	if err != nil {
		return "", fmt.Errorf("the task's data: %w", err)
	}
	files, err := dataFiles(object)
	if err != nil {
		return "", fmt.Errorf("the task's data: %w", err)
	}
	partial := dir + ".tmp"
	_ = remove(partial)
	if err := os.Mkdir(partial, 0o700); err != nil {
		return "", err
	}
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(partial, name), b, 0o400); err != nil {
			return "", err
		}
	}
	if err := os.Chmod(partial, 0o500); err != nil { // read by all trials, written by none
		return "", err
	}
	return dir, os.Rename(partial, dir)
}

// ObjectFile is the task's object as it is stored, TaskFile what is known of a text task.
const (
	objectFile = "object"
	taskFile   = "task.json"
)

// dataFiles are a task's data as files that any language reads: of texts, a file of JSON lines for each
// split; else the object.
func dataFiles(object []byte) (map[string][]byte, error) {
	decoded, err := kinds.Decode(object)
	if t, ok := decoded.(*text.Task); err == nil && ok {
		return textFiles(t)
	}
	return map[string][]byte{objectFile: object}, nil
}

// example is a line of a split's file.
type example struct {
	Text  string `json:"text"`
	Label string `json:"label"`
}

// textFiles writes a text as its tokens with blanks between: that is what the platform keeps of it.
func textFiles(t *text.Task) (map[string][]byte, error) {
	about, err := json.Marshal(map[string]any{"name": t.Name, "labels": t.Labels})
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{taskFile: about}
	for _, s := range []struct {
		name string
		*text.Split
	}{{data.Train, &t.Train}, {data.Validation, &t.Validation}, {data.Test, &t.Test}} {
		var b strings.Builder
		encoder := json.NewEncoder(&b)
		encoder.SetEscapeHTML(false)
		var words []string
		for i, label := range s.Labels {
			words = words[:0]
			for _, id := range s.IDs[s.Offsets[i]:s.Offsets[i+1]] {
				words = append(words, t.Vocabulary[id])
			}
			if err := encoder.Encode(example{strings.Join(words, " "), t.Labels[label]}); err != nil {
				return nil, err
			}
		}
		files[s.name+".jsonl"] = []byte(b.String())
	}
	return files, nil
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
