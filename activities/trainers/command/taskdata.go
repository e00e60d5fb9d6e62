package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"tnaml/activities/store"
	"tnaml/experiments/data"
	"tnaml/experiments/data/kinds"
	"tnaml/experiments/data/text"
)

// keepData is what the data of tasks that no trial uses may take on the disk, with those that are
// used: as much as the objects that they are written from may take by default (worker.disk_cache_mb).
const keepData = 4 << 30

// taskData is the directory of a task's data. All but writing is read and written under the
// workspace's lock.
type taskData struct {
	writing sync.Mutex // held by who looks for it, or writes it
	written bool
	bytes   int64
	// uses are the trials that have it, last is when the last one of them ended.
	uses, last int
}

// data is the directory with a task's data, which is written once for all trials that have it at
// a time, and those that come while there is room; "" where the store has none of it. It stays until
// it is released.
func (w *Workspace) data(ctx context.Context, s store.Store, ref string) (dir string, release func() error, err error) {
	parsed, err := store.ParseRef(ref)
	if err != nil {
		return "", func() error { return nil }, nil // it is the program's own to know what that is
	}
	w.mu.Lock()
	one := w.tasks[ref]
	if one == nil {
		one = new(taskData)
		w.tasks[ref] = one
	}
	one.uses++
	w.mu.Unlock()
	one.writing.Lock()
	defer one.writing.Unlock()
	dir, release = w.dataDir(ref), func() error { return w.release(one) }
	if _, err := os.Stat(dir); err == nil {
		return dir, release, nil
	}
	object, err := s.Get(ctx, parsed)
	if err != nil {
		return "", release, fmt.Errorf("the task's data: %w", err)
	}
	files, err := dataFiles(object)
	if err != nil {
		return "", release, fmt.Errorf("the task's data: %w", err)
	}
	if err := writeData(dir, files); err != nil {
		return "", release, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	one.written, one.bytes = true, 0
	for _, b := range files {
		one.bytes += int64(len(b))
	}
	return dir, release, nil
}

func (w *Workspace) dataDir(ref string) string {
	return filepath.Join(w.dir, "data-"+strings.TrimPrefix(ref, "sha256:"))
}

// writeData writes a task's data, whole or not at all: read by all trials, written by none.
func writeData(dir string, files map[string][]byte) error {
	partial := dir + ".tmp"
	_ = remove(partial)
	err := os.Mkdir(partial, 0o700)
	for name, b := range files {
		if err == nil {
			err = os.WriteFile(filepath.Join(partial, name), b, 0o400)
		}
	}
	if err == nil {
		err = os.Chmod(partial, 0o500)
	}
	if err == nil {
		err = os.Rename(partial, dir)
	}
	if err != nil {
		return errors.Join(err, remove(partial)) // the disk may be full
	}
	return nil
}

// release ends one use of a task's data, and removes of the unused ones those longest unused until the
// rest are no more than stay.
func (w *Workspace) release(one *taskData) error {
	w.mu.Lock()
	one.uses--
	w.ends++
	one.last = w.ends
	gone, err := w.evict()
	w.mu.Unlock()
	for _, dir := range gone { // which may take a while
		err = errors.Join(err, remove(dir))
	}
	return err
}

// evict moves tasks' data out of the way, and forgets those that could not be written. What is to
// be removed has names that nothing else has, so that the data may be written anew meanwhile.
func (w *Workspace) evict() (gone []string, err error) {
	total := int64(0)
	for ref, d := range w.tasks {
		if d.uses == 0 && !d.written {
			delete(w.tasks, ref)
		}
		total += d.bytes
	}
	for total > w.keep {
		oldest := ""
		for ref, d := range w.tasks {
			if d.uses == 0 && (oldest == "" || d.last < w.tasks[oldest].last) {
				oldest = ref
			}
		}
		if oldest == "" {
			break // all are used
		}
		dir := w.dataDir(oldest)
		to := fmt.Sprintf("%s.gone-%d", dir, w.ends)
		if err := os.Rename(dir, to); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return gone, err
		}
		gone, total = append(gone, to), total-w.tasks[oldest].bytes
		delete(w.tasks, oldest)
	}
	return gone, nil
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
