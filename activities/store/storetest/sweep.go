package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"tnaml/activities/store"
)

// trashOf lists the entries of a blob in the trash.
func trashOf(t *testing.T, s store.Store, ref store.Ref) (out []store.Discarded) {
	t.Helper()
	if err := s.Trash(t.Context(), func(d store.Discarded) error {
		if d.Ref == ref {
			out = append(out, d)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

func purge(t *testing.T, s store.Store, ref store.Ref) {
	t.Helper()
	if err := s.Purge(t.Context(), trashOf(t, s, ref)); err != nil {
		t.Fatal(err)
	}
	if left := trashOf(t, s, ref); len(left) > 0 {
		t.Errorf("left in the trash: %v", left)
	}
}

// listed finds blobs in a listing.
func listed(t *testing.T, s store.Store) map[store.Ref]store.Blob {
	t.Helper()
	out := map[store.Ref]store.Blob{}
	if err := s.Blobs(t.Context(), func(b store.Blob) error {
		if _, twice := out[b.Ref]; twice {
			t.Errorf("%s is listed twice", b.Ref)
		}
		out[b.Ref] = b
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

func now(t *testing.T, s store.Store) time.Time {
	t.Helper()
	at, err := s.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// Blobs are listed with size and time, on more than one page; peeking at one
// gives its beginning.
func listing(t *testing.T, s store.Store) {
	n := 1100
	if testing.Short() {
		n = 30
	}
	before := now(t, s)
	refs := make([]store.Ref, n)
	content := func(i int) []byte { return append(fmt.Appendf(nil, "%s %d ", t.Name(), i), make([]byte, i%7)...) }
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := w; i < n; i += 8 {
				var err error
				if refs[i], err = s.Put(t.Context(), content(i)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	after := now(t, s)
	all := listed(t, s)
	for i, ref := range refs {
		b, there := all[ref]
		// The server's clock is one, but may be told to the second.
		if !there || b.Size != int64(len(content(i))) || b.Modified.Before(before.Add(-time.Second)) || b.Modified.After(after.Add(time.Second)) {
			t.Fatalf("blob %d of %d bytes is listed (%v) as %+v, written between %v and %v", i, len(content(i)), there, b, before, after)
		}
	}
	if before.IsZero() || after.Before(before) {
		t.Errorf("the clock says %v, then %v", before, after)
	}
	stop := errors.New("stop")
	if err := s.Blobs(t.Context(), func(store.Blob) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("an error of the function: %v", err)
	}
	empty := put(t, s, nil)
	for _, c := range []struct {
		ref  store.Ref
		n    int
		want []byte
	}{{refs[0], 3, content(0)[:3]}, {refs[0], 1 << 16, content(0)}, {empty, 8, nil}} {
		if got, err := s.Peek(t.Context(), c.ref, c.n); err != nil || !bytes.Equal(got, c.want) {
			t.Errorf("the first %d bytes: %q, %v; want %q", c.n, got, err, c.want)
		}
	}
	if _, err := s.Peek(t.Context(), store.RefOf([]byte("never stored")), 8); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("peek at an absent blob: %v", err)
	}
	if _, err := s.SetName(t.Context(), "unheard-of", t.Name(), []byte("{}"), ""); err != nil {
		t.Fatal(err)
	}
	if kinds, err := s.Kinds(t.Context()); err != nil || !slices.Contains(kinds, "unheard-of") {
		t.Errorf("kinds %v, %v", kinds, err)
	}
}

// A blob that was set aside is listed in the trash, comes back to whoever asks
// for it, and is gone once its entries are purged.
func trash(t *testing.T, s store.Store) {
	ctx := t.Context()
	for _, data := range [][]byte{[]byte(t.Name()), append([]byte(t.Name()), make([]byte, 3<<20)...)} {
		before := now(t, s)
		ref := put(t, s, data)
		other := put(t, s, append([]byte("another "), data...))
		discard := func() {
			t.Helper()
			if err := s.Discard(ctx, ref); err != nil {
				t.Fatal(err)
			}
			if _, there := listed(t, s)[ref]; there {
				t.Error("it is listed still")
			}
		}
		discard()
		entries := trashOf(t, s, ref)
		if len(entries) != 1 || entries[0].Size != int64(len(data)) || entries[0].When.Before(before.Add(-time.Second)) {
			t.Fatalf("in the trash: %+v, set aside after %v", entries, before)
		}
		if got, err := s.Get(ctx, ref); err != nil || !bytes.Equal(got, data) {
			t.Errorf("get does not put it back: %d bytes, %v", len(got), err)
		}
		if b, there := listed(t, s)[ref]; !there || b.Modified.Before(before.Add(-time.Second)) {
			t.Errorf("it is not back, or old: %+v", b)
		}
		discard()
		if ok, err := s.Has(ctx, ref); !ok || err != nil {
			t.Errorf("has does not put it back: %v, %v", ok, err)
		}
		if _, there := listed(t, s)[ref]; !there {
			t.Error("has says that it is there, and it is not")
		}
		discard()
		put(t, s, data)
		if _, there := listed(t, s)[ref]; !there {
			t.Error("put does not write it anew")
		}
		// Purging does not touch the blob itself.
		if entries = trashOf(t, s, ref); len(entries) != 3 {
			t.Errorf("in the trash: %+v", entries)
		}
		purge(t, s, ref)
		if err := s.Purge(ctx, entries); err != nil {
			t.Errorf("purged twice: %v", err)
		}
		if got, err := s.Get(ctx, ref); err != nil || !bytes.Equal(got, data) {
			t.Errorf("after a purge of its entries: %d bytes, %v", len(got), err)
		}
		discard()
		purge(t, s, ref)
		if _, err := s.Get(ctx, ref); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("purged: %v", err)
		}
		if ok, err := s.Has(ctx, ref); ok || err != nil {
			t.Errorf("has of a purged one: %v, %v", ok, err)
		}
		discard() // it is absent
		if len(trashOf(t, s, ref)) > 0 {
			t.Error("an absent blob is in the trash")
		}
		if ok, err := s.Has(ctx, other); !ok || err != nil {
			t.Errorf("another one: %v, %v", ok, err)
		}
	}
	if err := s.Purge(ctx, nil); err != nil {
		t.Error(err)
	}
	stop := errors.New("stop")
	ref := put(t, s, []byte("one more"))
	if err := s.Discard(ctx, ref); err != nil {
		t.Fatal(err)
	}
	if err := s.Trash(ctx, func(store.Discarded) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("an error of the function: %v", err)
	}
	purge(t, s, ref)
}

// However blobs are set aside while others store and read them: what was put can
// be got.
func trashAgainstWriters(t *testing.T, s store.Store) {
	times := 40
	if testing.Short() {
		times = 10
	}
	for size, n := range map[int]int{0: times, 1 << 20: times / 4} { // the larger ones are asked for before they are sent
		var writing, discarding sync.WaitGroup
		done := make(chan struct{})
		content := func(i int) []byte { return append(fmt.Appendf(nil, "%s %d", t.Name(), i), make([]byte, size)...) }
		for range 2 {
			discarding.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-done:
						return
					default:
					}
					if err := s.Discard(t.Context(), store.RefOf(content(i%3))); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		for w := range 4 {
			writing.Go(func() {
				for i := range n {
					data := content((i + w) % 3)
					ref, err := s.Put(t.Context(), data)
					if err != nil {
						t.Error(err)
						return
					}
					if ok, err := s.Has(t.Context(), ref); err != nil || !ok {
						t.Errorf("has after put: %v, %v", ok, err)
					}
				}
			})
		}
		writing.Wait()
		close(done)
		discarding.Wait()
		for i := range 3 {
			if got, err := s.Get(t.Context(), store.RefOf(content(i))); err != nil || !bytes.Equal(got, content(i)) {
				t.Errorf("get after all: %d bytes, %v", len(got), err)
			}
			purge(t, s, store.RefOf(content(i)))
		}
	}
}
