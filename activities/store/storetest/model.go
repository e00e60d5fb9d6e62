package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tnaml/activities/store"
	"tnaml/nn/rng"
)

// model runs a long random sequence of calls and compares every answer with
// that of a map.
func model(t *testing.T, s store.Store) {
	type entry struct {
		value   []byte
		version store.Version
	}
	type key struct {
		kind store.Kind
		name string
	}
	ctx, prefix := t.Context(), t.Name()+"/"
	present := map[key]entry{}
	// stale are versions that some name once had; as every value is written
	// once, none of them comes back.
	stale := []store.Version{""}
	kinds := []store.Kind{store.Module, store.Space}
	names := []string{"a", "a/b", "a.b", "A", "%61", "ä"}
	r := rng.New(1, "storetest", 0)
	for i := range 400 {
		k := key{kinds[r.IntN(len(kinds))], prefix + names[r.IntN(len(names))]}
		old, there := present[k]
		switch r.IntN(6) {
		case 0, 1: // write at the present version
			value := fmt.Appendf(nil, `{"i":%d}`, i)
			version, err := s.SetName(ctx, k.kind, k.name, value, old.version)
			if err != nil || version == "" {
				t.Fatalf("step %d: set %v: %q, %v", i, k, version, err)
			}
			present[k] = entry{value, version}
			stale = append(stale, version)
		case 2: // write at another one
			expect := stale[r.IntN(len(stale))]
			if expect == old.version {
				continue
			}
			if _, err := s.SetName(ctx, k.kind, k.name, []byte(`"lost"`), expect); !errors.Is(err, store.ErrConflict) {
				t.Fatalf("step %d: set %v at version %q, which is at %q: %v", i, k, expect, old.version, err)
			}
		case 3:
			if err := s.DeleteName(ctx, k.kind, k.name); err != nil {
				t.Fatalf("step %d: delete %v: %v", i, k, err)
			}
			delete(present, k)
		case 4:
			value, version, err := s.GetName(ctx, k.kind, k.name)
			if there && (err != nil || !bytes.Equal(value, old.value) || version != old.version) || !there && !errors.Is(err, store.ErrNotFound) {
				t.Fatalf("step %d: get %v: %s at %q, %v; want %s at %q", i, k, value, version, err, old.value, old.version)
			}
		case 5:
			entries, err := s.Names(ctx, k.kind, prefix)
			if err != nil {
				t.Fatalf("step %d: list: %v", i, err)
			}
			got, want := []string{}, []string{}
			for _, e := range entries {
				got = append(got, e.Name)
			}
			for other := range maps.Keys(present) {
				if other.kind == k.kind {
					want = append(want, other.name)
				}
			}
			slices.Sort(want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("step %d: list: %s", i, diff)
			}
		}
	}
}
