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

// Option adapts the suite to an implementation.
type Option func(*options)

type options struct {
	damage func(t *testing.T, ref store.Ref, data []byte)
}

// Damage adds the tests that need a blob's stored bytes overwritten behind the
// store's back.
func Damage(overwrite func(t *testing.T, ref store.Ref, data []byte)) Option {
	return func(o *options) { o.damage = overwrite }
}

// Run runs the suite. open returns a store that nobody else uses; it may be
// the same at every call: the tests keep to names of their own.
func Run(t *testing.T, open func(t *testing.T) store.Store, opts ...Option) {
	var o options
	for _, set := range opts {
		set(&o)
	}
	for _, c := range []struct {
		name string
		test func(t *testing.T, s store.Store)
	}{
		{"blobs", blobs}, {"concurrent puts", concurrentPuts}, {"names", names}, {"compare and set", compareAndSet},
		{"update", update}, {"odd names", oddNames}, {"many names", manyNames}, {"canceled", canceled}, {"references", references},
		{"model", model},
		{"listing", listing}, {"trash", trash}, {"trash against writers", trashAgainstWriters},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
	t.Run("damage", func(t *testing.T) {
		if o.damage == nil {
			t.Skip("this server's blobs cannot be reached behind its back")
		}
		damage(t, open(t), o.damage)
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
	for _, data := range [][]byte{nil, []byte("x"), []byte(t.Name()), large} {
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
	// All at once: one group puts a small blob, the other one that is asked
	// for first.
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			data := fmt.Appendf(nil, "%s %d", t.Name(), i%2)
			if i%2 == 1 {
				data = append(data, make([]byte, 2<<20)...)
			}
			ref, err := s.Put(t.Context(), data)
			if err != nil {
				t.Error(err)
				return
			}
			if got, err := s.Get(t.Context(), ref); err != nil || !bytes.Equal(got, data) {
				t.Errorf("read after write: %d bytes, %v", len(got), err)
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
	if _, err := s.SetName(ctx, store.Dataset, strings.Repeat("x", 300), []byte(`{}`), ""); err == nil ||
		!strings.Contains(err.Error(), "too long") {
		t.Errorf("a long name: %v", err)
	}
	longest := strings.Repeat("x", 255)
	if _, err := s.SetName(ctx, store.Dataset, longest, []byte(`{}`), ""); err != nil {
		t.Errorf("the longest name: %v", err)
	}
	if value, _, err := s.GetName(ctx, store.Dataset, longest); string(value) != `{}` || err != nil {
		t.Errorf("the longest name: %s, %v", value, err)
	}
	for _, kind := range []store.Kind{"", "a/b", "Data"} {
		_, e1 := s.SetName(ctx, kind, name, []byte(`{}`), "")
		_, _, e2 := s.GetName(ctx, kind, name)
		_, e3 := s.Names(ctx, kind, "")
		if e4 := s.DeleteName(ctx, kind, name); e1 == nil || e2 == nil || e3 == nil || e4 == nil || errors.Is(e2, store.ErrNotFound) {
			t.Errorf("kind %q: %v, %v, %v, %v", kind, e1, e2, e3, e4)
		}
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
	const writers, times = 8, 5
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
	// nil writes nothing, whether there is a value or none.
	for _, name := range []string{t.Name(), t.Name() + " absent"} {
		was, _, before := s.GetName(t.Context(), store.Search, name)
		if err := store.Update(t.Context(), s, store.Search, name, func([]byte) ([]byte, error) { return nil, nil }); err != nil {
			t.Error(err)
		}
		if is, _, after := s.GetName(t.Context(), store.Search, name); !bytes.Equal(is, was) || (after == nil) != (before == nil) {
			t.Errorf("%q: a nil value was written: %q, %v", name, is, after)
		}
	}
	refuse := errors.New("refused")
	if err := store.Update(t.Context(), s, store.Search, t.Name(), func([]byte) ([]byte, error) { return nil, refuse }); !errors.Is(err,
		refuse) {
		t.Error(err)
	}
}

func oddNames(t *testing.T, s store.Store) {
	odd := []string{"a", "a/b", "a/b/c", ".", "..", "../x", "a b", "ä ö", "%41", "A", "a.b", ".a", "x%2Fy", "x/y", "né\n", `"quoted"`, "tab\t",
		"?q=1&r#f", "日本"}
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
	n := 1100
	if testing.Short() {
		n = 30
	}
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
	_, e8 := s.Now(ctx)
	_, e9 := s.Kinds(ctx)
	e10 := s.Blobs(ctx, func(store.Blob) error { return nil })
	_, e11 := s.Peek(ctx, ref, 1)
	e12 := s.Discard(ctx, ref)
	e13 := s.Trash(ctx, func(store.Discarded) error { return nil })
	e14 := s.Purge(ctx, []store.Discarded{{Ref: ref}})
	for i, err := range []error{e1, e2, e3, e4, e5, e6, e7, e8, e9, e10, e11, e12, e13, e14} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("call %d: %v", i, err)
		}
	}
}

func references(t *testing.T, s store.Store) {
	for _, ref := range []store.Ref{"", "sha256:", "sha256:xyz", "md5:00", store.Ref(strings.ToUpper(string(store.RefOf(nil))))} {
		if _, err := s.Get(t.Context(), ref); err == nil {
			t.Errorf("%q was taken as a reference", ref)
		} else if errors.Is(err, store.ErrNotFound) {
			t.Errorf("%q is no reference, and not merely absent: %v", ref, err)
		}
		if ok, err := s.Has(t.Context(), ref); ok || err == nil {
			t.Errorf("has %q: %v, %v", ref, ok, err)
		}
		if _, err := s.Peek(t.Context(), ref, 1); err == nil || errors.Is(err, store.ErrNotFound) {
			t.Errorf("peek %q: %v", ref, err)
		}
		if err := s.Discard(t.Context(), ref); err == nil {
			t.Errorf("discard %q was taken", ref)
		}
	}
}

// Damaged bytes are never handed out, and storing the good ones repairs them.
func damage(t *testing.T, s store.Store, damage func(t *testing.T, ref store.Ref, data []byte)) {
	for _, bad := range []string{"", "damaged bytes", "Good bytes", "long"} {
		good := []byte("good bytes")
		if bad == "long" { // such a blob is asked for before it is sent
			good = append(good, make([]byte, 2<<20)...)
			bad = string(good[1:]) + "x"
		}
		ref := put(t, s, good)
		damage(t, ref, []byte(bad))
		if data, err := s.Get(t.Context(), ref); !errors.Is(err, store.ErrCorrupt) || data != nil || !strings.Contains(err.Error(), string(ref)) {
			t.Errorf("damaged: %d bytes, %v", len(data), err)
		}
		put(t, s, good)
		if got, err := s.Get(t.Context(), ref); err != nil || !bytes.Equal(got, good) {
			t.Errorf("repaired: %d bytes, %v", len(got), err)
		}
		// What was damaged when it was set aside is damaged when it comes back.
		damage(t, ref, []byte(bad))
		if err := s.Discard(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
		if data, err := s.Get(t.Context(), ref); !errors.Is(err, store.ErrCorrupt) || data != nil {
			t.Errorf("damaged and set aside: %d bytes, %v", len(data), err)
		}
		put(t, s, good)
		if got, err := s.Get(t.Context(), ref); err != nil || !bytes.Equal(got, good) {
			t.Errorf("repaired again: %d bytes, %v", len(got), err)
		}
		purge(t, s, ref)
	}
}
