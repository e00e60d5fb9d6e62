// Package storetest is the conformance suite that every store.Store passes.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tnaml/activities/store"
)

// Options adapts the suite to an implementation.
type Options struct {
	// Damage overwrites a blob's stored bytes behind the store's back; nil
	// leaves out the tests that need it.
	Damage func(t *testing.T, ref store.Ref, data []byte)
}

// Run runs the suite. open returns a store that nobody else uses; it may be
// the same at every call: the tests keep to names of their own.
func Run(t *testing.T, open func(t *testing.T) store.Store, o Options) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, s store.Store)
	}{
		{"blobs", blobs}, {"concurrent puts", concurrentPuts}, {"names", names}, {"compare and set", compareAndSet},
		{"update", update}, {"odd names", oddNames}, {"many names", manyNames}, {"canceled", canceled}, {"references", references},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
	t.Run("damage", func(t *testing.T) {
		if o.Damage == nil {
			t.Skip("this server's blobs cannot be reached behind its back")
		}
		damage(t, open(t), o.Damage)
	})
}

func put(t *testing.T, s store.Store, data []byte) store.Ref {
	t.Helper()
	ref, err := s.Put(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func blobs(t *testing.T, s store.Store) {
	large := make([]byte, 40<<20)
	for i := range large {
		large[i] = byte(i * i >> 7)
	}
	for _, data := range [][]byte{{}, []byte("x"), []byte(t.Name()), large} {
		ref := put(t, s, data)
		if ref != store.RefOf(data) {
			t.Errorf("reference %s", ref)
		}
		if again := put(t, s, data); again != ref {
			t.Errorf("reference %s, then %s", ref, again)
		}
		got, err := s.Get(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, data) {
			t.Errorf("%d bytes came back other than they were put", len(data))
		}
		if ok, err := s.Has(t.Context(), ref); !ok || err != nil {
			t.Errorf("has: %v, %v", ok, err)
		}
	}
	absent := store.RefOf([]byte("never stored"))
	if _, err := s.Get(t.Context(), absent); !errors.Is(err, store.ErrNotFound) || !strings.Contains(err.Error(), string(absent)) {
		t.Errorf("absent: %v", err)
	}
	if ok, err := s.Has(t.Context(), absent); ok || err != nil {
		t.Errorf("has absent: %v, %v", ok, err)
	}
}

func concurrentPuts(t *testing.T, s store.Store) {
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			data := []byte(fmt.Sprintf("%s %d", t.Name(), i%2))
			ref, err := s.Put(t.Context(), data)
			if err != nil {
				t.Error(err)
				return
			}
			if got, err := s.Get(t.Context(), ref); err != nil || !bytes.Equal(got, data) {
				t.Errorf("read after write: %q, %v", got, err)
			}
		})
	}
	wg.Wait()
}

func names(t *testing.T, s store.Store) {
	ctx, name := t.Context(), t.Name()
	if _, _, err := s.GetName(ctx, store.Dataset, name); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("absent: %v", err)
	}
	v1, err := s.SetName(ctx, store.Dataset, name, []byte(`{"a":1}`), "")
	if err != nil {
		t.Fatal(err)
	}
	value, version, err := s.GetName(ctx, store.Dataset, name)
	if err != nil || string(value) != `{"a":1}` || version != v1 || version == "" {
		t.Errorf("%s, version %q not %q, %v", value, version, v1, err)
	}
	if _, err := s.SetName(ctx, store.Dataset, name, []byte(`{}`), ""); !errors.Is(err, store.ErrConflict) {
		t.Errorf("created twice: %v", err)
	}
	v2, err := s.SetName(ctx, store.Dataset, name, []byte(`{"a":2}`), v1)
	if err != nil || v2 == v1 {
		t.Errorf("version %q after %q, %v", v2, v1, err)
	}
	if _, err := s.SetName(ctx, store.Dataset, name, []byte(`{}`), v1); !errors.Is(err, store.ErrConflict) {
		t.Errorf("changed at an old version: %v", err)
	}
	if value, _, _ := s.GetName(ctx, store.Dataset, name); string(value) != `{"a":2}` {
		t.Errorf("a refused change left %s", value)
	}
	if _, _, err := s.GetName(ctx, store.Module, name); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("another kind: %v", err)
	}
	for range 2 { // the second time it is absent
		if err := s.DeleteName(ctx, store.Dataset, name); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.SetName(ctx, store.Dataset, name, []byte(`{}`), v2); !errors.Is(err, store.ErrConflict) {
		t.Errorf("changed after it was deleted: %v", err)
	}
	if _, err := s.SetName(ctx, store.Dataset, "", []byte(`{}`), ""); err == nil {
		t.Error("an empty name was taken")
	}
	if _, err := s.SetName(ctx, store.Dataset, strings.Repeat("x", 300), []byte(`{}`), ""); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("a long name: %v", err)
	}
}

// Of writers that expect the same version exactly one wins.
func compareAndSet(t *testing.T, s store.Store) {
	for _, create := range []bool{true, false} {
		name := fmt.Sprintf("%s %v", t.Name(), create)
		var expect store.Version
		if !create {
			var err error
			if expect, err = s.SetName(t.Context(), store.Search, name, []byte("start"), ""); err != nil {
				t.Fatal(err)
			}
		}
		won := make([]bool, 12)
		var wg sync.WaitGroup
		for i := range won {
			wg.Go(func() {
				_, err := s.SetName(t.Context(), store.Search, name, []byte(strconv.Itoa(i)), expect)
				if won[i] = err == nil; !won[i] && !errors.Is(err, store.ErrConflict) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		value, _, err := s.GetName(t.Context(), store.Search, name)
		if err != nil {
			t.Fatal(err)
		}
		for i, w := range won {
			if w != (string(value) == strconv.Itoa(i)) {
				t.Errorf("create %v: writer %d won: %v; the value is %s", create, i, w, value)
			}
		}
	}
}

// No increment of a counter is lost.
func update(t *testing.T, s store.Store) {
	const writers, times = 6, 5
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range times {
				if err := store.Update(t.Context(), s, store.Search, t.Name(), func(old []byte) ([]byte, error) {
					n, _ := strconv.Atoi(string(old))
					return []byte(strconv.Itoa(n + 1)), nil
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	value, before, err := s.GetName(t.Context(), store.Search, t.Name())
	if err != nil || string(value) != strconv.Itoa(writers*times) {
		t.Errorf("%s, %v", value, err)
	}
	if err := store.Update(t.Context(), s, store.Search, t.Name(), func(old []byte) ([]byte, error) { return old, nil }); err != nil {
		t.Error(err)
	}
	if _, after, _ := s.GetName(t.Context(), store.Search, t.Name()); after != before {
		t.Error("an unchanged value was written")
	}
	refuse := errors.New("refused")
	if err := store.Update(t.Context(), s, store.Search, t.Name(), func([]byte) ([]byte, error) { return nil, refuse }); !errors.Is(err, refuse) {
		t.Error(err)
	}
}

func oddNames(t *testing.T, s store.Store) {
	odd := []string{"a", "a/b", "a/b/c", ".", "..", "../x", "a b", "ä ö", "%41", "A", "a.b", ".a", "x%2Fy", "x/y", "né\n", `"quoted"`, "tab\t", "?q=1&r#f", "日本"}
	for i, name := range odd {
		if _, err := s.SetName(t.Context(), store.Experiment, name, []byte(strconv.Itoa(i)), ""); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for i, name := range odd {
		if value, _, err := s.GetName(t.Context(), store.Experiment, name); err != nil || string(value) != strconv.Itoa(i) {
			t.Errorf("%q holds %s, %v", name, value, err)
		}
	}
	list := func(prefix string) []string {
		entries, err := s.Names(t.Context(), store.Experiment, prefix)
		if err != nil {
			t.Error(err)
		}
		out := []string{}
		for _, e := range entries {
			out = append(out, e.Name)
			if e.Modified.IsZero() {
				t.Errorf("%q has no time", e.Name)
			}
		}
		return out
	}
	slices.Sort(odd)
	if diff := cmp.Diff(odd, list("")); diff != "" {
		t.Error(diff)
	}
	for _, prefix := range []string{"a", "a/", ".", "x", "nothing"} {
		want := slices.DeleteFunc(slices.Clone(odd), func(n string) bool { return !strings.HasPrefix(n, prefix) })
		if diff := cmp.Diff(want, list(prefix)); diff != "" {
			t.Errorf("prefix %q: %s", prefix, diff)
		}
	}
	for _, name := range odd {
		if err := s.DeleteName(t.Context(), store.Experiment, name); err != nil {
			t.Error(err)
		}
	}
	if rest := list(""); len(rest) > 0 {
		t.Errorf("left after deleting: %q", rest)
	}
}

// A listing is longer than one page of the server's.
func manyNames(t *testing.T, s store.Store) {
	const n = 1100
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := w; i < n; i += 8 {
				if _, err := s.SetName(t.Context(), store.Trial, fmt.Sprintf("many-%04d", i), []byte("{}"), ""); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	entries, err := s.Names(t.Context(), store.Trial, "many-")
	if err != nil || len(entries) != n {
		t.Fatalf("%d names, %v", len(entries), err)
	}
	for i, e := range entries {
		if e.Name != fmt.Sprintf("many-%04d", i) {
			t.Fatalf("name %d is %s", i, e.Name)
		}
	}
}

func canceled(t *testing.T, s store.Store) {
	ref := put(t, s, []byte(t.Name()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, e1 := s.Put(ctx, []byte("late"))
	_, e2 := s.Get(ctx, ref)
	_, e3 := s.Has(ctx, ref)
	_, e4 := s.SetName(ctx, store.Dataset, t.Name(), nil, "")
	_, _, e5 := s.GetName(ctx, store.Dataset, t.Name())
	_, e6 := s.Names(ctx, store.Dataset, "")
	e7 := s.DeleteName(ctx, store.Dataset, t.Name())
	for i, err := range []error{e1, e2, e3, e4, e5, e6, e7} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("call %d: %v", i, err)
		}
	}
}

func references(t *testing.T, s store.Store) {
	for _, ref := range []store.Ref{"", "sha256:", "sha256:xyz", "md5:00", store.Ref(strings.ToUpper(string(store.RefOf(nil))))} {
		if _, err := s.Get(t.Context(), ref); err == nil {
			t.Errorf("%q was taken as a reference", ref)
		}
	}
}

// Damaged bytes are never handed out, and storing the good ones repairs them.
func damage(t *testing.T, s store.Store, damage func(t *testing.T, ref store.Ref, data []byte)) {
	for _, bad := range []string{"", "damaged bytes", "Good bytes"} {
		good := []byte("good bytes")
		ref := put(t, s, good)
		damage(t, ref, []byte(bad))
		if data, err := s.Get(t.Context(), ref); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("damaged: %q, %v", data, err)
		}
		put(t, s, good)
		if got, err := s.Get(t.Context(), ref); err != nil || !bytes.Equal(got, good) {
			t.Errorf("repaired: %q, %v", got, err)
		}
	}
}
