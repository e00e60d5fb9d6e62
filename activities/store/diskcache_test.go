package store_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tnaml/activities/store"
	"tnaml/activities/store/storetest"
)

// counting counts the reads that reach the store.
type counting struct {
	store.Store
	gets atomic.Int64
}

func (c *counting) Get(ctx context.Context, ref store.Ref) ([]byte, error) {
	c.gets.Add(1)
	return c.Store.Get(ctx, ref)
}

func blobs(t *testing.T, dir string) (names []string, total int64) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, e.Name())
		total += info.Size()
	}
	return names, total
}

func TestDiskCacheConforms(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		c, err := store.NewDiskCache(store.NewMemory(), t.TempDir(), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		return c
	})
}

func TestDiskCache(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "blobs")
	behind := &counting{Store: store.NewMemory()}
	open := func(limit int64) *store.DiskCache {
		t.Helper()
		c, err := store.NewDiskCache(behind, dir, limit)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := open(1000)
	var refs []store.Ref
	for i := range 5 {
		ref, err := behind.Put(t.Context(), bytes.Repeat([]byte{byte('a' + i)}, 300))
		if err != nil {
			t.Fatal(err)
		}
		refs = append(refs, ref)
	}
	get := func(i int, wantGets int64) {
		t.Helper()
		before := behind.gets.Load()
		b, err := c.Get(t.Context(), refs[i])
		if err != nil || len(b) != 300 || b[0] != byte('a'+i) {
			t.Fatalf("blob %d: %.3q, %v", i, b, err)
		}
		if got := behind.gets.Load() - before; got != wantGets {
			t.Errorf("blob %d: %d reads of the store, want %d", i, got, wantGets)
		}
	}
	get(0, 1)
	get(0, 0)
	c = open(1000) // another process, or a later one
	get(0, 0)
	// The bound holds, and what was used last stays.
	get(1, 1)
	get(2, 1)
	old := time.Now().Add(-time.Minute)
	for _, i := range []int{1, 2} {
		if err := os.Chtimes(filepath.Join(dir, strings.TrimPrefix(string(refs[i]), "sha256:")+".blob"), old, old); err != nil {
			t.Fatal(err)
		}
	}
	get(3, 1)
	names, total := blobs(t, dir)
	if total > 1000 {
		t.Errorf("%d bytes in %v", total, names)
	}
	get(3, 0)
	get(0, 0)
	// A damaged file is fetched anew.
	file := filepath.Join(dir, strings.TrimPrefix(string(refs[0]), "sha256:")+".blob")
	if err := os.WriteFile(file, []byte("damage"), 0o644); err != nil {
		t.Fatal(err)
	}
	get(0, 1)
	get(0, 0)
	// A blob larger than the cache passes through.
	big, err := behind.Put(t.Context(), make([]byte, 2000))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := c.Get(t.Context(), big); err != nil || len(b) != 2000 {
		t.Errorf("a large blob: %d bytes, %v", len(b), err)
	}
	if _, total := blobs(t, dir); total > 1000 {
		t.Errorf("%d bytes", total)
	}
	// What is not there is not there.
	if _, err := c.Get(t.Context(), store.RefOf([]byte("none"))); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a missing blob: %v", err)
	}
	// Leavings of a killed process go, a smaller bound holds at the start.
	stale := filepath.Join(dir, "incoming-1")
	if err := os.WriteFile(stale, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(stale, time.Now().Add(-2*time.Hour), time.Now().Add(-2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	c = open(300)
	if names, total := blobs(t, dir); total > 300 {
		t.Errorf("%d bytes in %v", total, names)
	}
	// Without a directory reads go on.
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	get(2, 1)
	get(2, 1)
}
