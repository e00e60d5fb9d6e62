package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tnaml/activities/store"
	"tnaml/activities/store/storetest"
)

func TestObservedIsAStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store {
		return store.Observed(store.NewMemory(), func(ctx context.Context, _ string) (context.Context, func(int, int, error)) {
			return ctx, func(int, int, error) {}
		})
	})
}

func TestAnObserverIsTold(t *testing.T) {
	var told []string
	ctx := t.Context()
	s := store.Observed(store.NewMemory(), func(ctx context.Context, operation string) (context.Context, func(int, int, error)) {
		return ctx, func(objects, bytes int, err error) {
			told = append(told, fmt.Sprint(operation, " ", objects, " ", bytes, " ", store.Failed(err)))
		}
	})
	ref, _ := s.Put(ctx, []byte("four"))
	_, _ = s.Get(ctx, ref)
	_, _ = s.Get(ctx, store.RefOf([]byte("nothing")))
	_, _ = s.Has(ctx, ref)
	_, _ = s.SetName(ctx, store.Space, "a", []byte("{}"), "")
	_, _ = s.SetName(ctx, store.Space, "a", []byte("{}"), "") // it exists
	_, _, _ = s.GetName(ctx, store.Space, "a")
	_, _ = s.Names(ctx, store.Space, "")
	_ = s.DeleteName(ctx, store.Space, "a")
	want := []string{"put 1 4 false", "get 1 4 false", "get 0 0 false", "has 0 0 false", "set_name 1 2 false", "set_name 0 0 false",
		"get_name 1 2 false", "names 0 0 false", "delete_name 0 0 false"}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Error(diff)
	}
	for err, failed := range map[error]bool{nil: false, store.ErrNotFound: false, store.ErrConflict: false, context.Canceled: false,
		store.ErrDenied: true, store.ErrCorrupt: true, errors.New("503"): true, context.DeadlineExceeded: true} {
		if store.Failed(err) != failed {
			t.Errorf("%v: failed %v", err, !failed)
		}
	}
}
