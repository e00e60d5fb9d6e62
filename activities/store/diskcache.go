package store

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"tnaml/activities/memory"
)

// DiskCache is a Store that keeps the blobs it reads in a directory, by their
// digests, up to a number of bytes: a worker then fetches a task or a module once,
// not once a start. Names are never kept. Several processes may share a
// directory. What is in it is verified on every read, and fetched anew where it
// is damaged; where the directory cannot be written, reads go on without it.
type DiskCache struct {
	Store
	memory.Tally
	dir   string
	limit int64

	mu    sync.Mutex
	bytes int64 // about what lies in dir; other processes add to it too
}

// blobEnding tells the cache's files from temporary ones and from others'.
const blobEnding = ".blob"

// NewDiskCache puts a cache of at most limit bytes in front of a store. The
// directory is made if need be.
func NewDiskCache(s Store, dir string, limit int64) (*DiskCache, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	c := &DiskCache{Store: s, dir: dir, limit: limit}
	c.evict()
	return c, nil
}

// Direct is the store behind a DiskCache, or a store that is none: what it says of
// an object is what is in the bucket.
func Direct(s Store) Store {
	if c, ok := s.(*DiskCache); ok {
		return c.Store
	}
	return s
}

func (c *DiskCache) file(ref Ref) string {
	return filepath.Join(c.dir, strings.TrimPrefix(string(ref), refPrefix)+blobEnding)
}

// Get implements Store.
func (c *DiskCache) Get(ctx context.Context, ref Ref) ([]byte, error) {
	if _, err := ParseRef(string(ref)); err != nil {
		return nil, err
	}
	name := c.file(ref)
	if data, err := os.ReadFile(name); err == nil {
		if verify(ref, data) == nil {
			c.Note(true)
			now := time.Now()
			_ = os.Chtimes(name, now, now) // it was used
			return data, nil
		}
		_ = os.Remove(name)
	}
	c.Note(false)
	data, err := c.Store.Get(ctx, ref)
	if err == nil {
		c.keep(name, data)
	}
	return data, err
}

// Discard implements Sweeper; the copy on this disk goes, those of other machines
// in their turn.
func (c *DiskCache) Discard(ctx context.Context, ref Ref) error {
	if _, err := ParseRef(string(ref)); err != nil {
		return err
	}
	_ = os.Remove(c.file(ref))
	return c.Store.Discard(ctx, ref)
}

// keep writes a blob beside its place and renames it. A failure leaves nothing
// behind, and is no error of the read.
func (c *DiskCache) keep(name string, data []byte) {
	size := int64(len(data))
	if size > c.limit {
		return
	}
	f, err := os.CreateTemp(c.dir, "incoming-*")
	if err != nil {
		return
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return
	}
	c.mu.Lock()
	c.bytes += size
	full := c.bytes > c.limit
	c.mu.Unlock()
	if full {
		c.evict()
	}
}

// abandoned is the age at which a temporary file is nobody's any more.
const abandoned = time.Hour

// evict removes the blobs longest unused until nine tenths of the limit are left.
func (c *DiskCache) evict() {
	c.mu.Lock()
	defer c.mu.Unlock()
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return
	}
	var blobs []fs.FileInfo
	total := int64(0)
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue // removed by another process, or not ours
		}
		switch {
		case strings.HasSuffix(e.Name(), blobEnding):
			blobs = append(blobs, info)
			total += info.Size()
		case strings.HasPrefix(e.Name(), "incoming-") && time.Since(info.ModTime()) > abandoned:
			_ = os.Remove(filepath.Join(c.dir, e.Name()))
		}
	}
	if total > c.limit {
		slices.SortFunc(blobs, func(a, b fs.FileInfo) int {
			return cmp.Or(a.ModTime().Compare(b.ModTime()), cmp.Compare(a.Name(), b.Name()))
		})
		for _, b := range blobs {
			if total <= c.limit/10*9 {
				break
			}
			if err := os.Remove(filepath.Join(c.dir, b.Name())); err == nil || errors.Is(err, fs.ErrNotExist) {
				total -= b.Size()
			}
		}
	}
	c.bytes = total
}
