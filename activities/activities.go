package activities

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/sdk/temporal"

	"tnaml/activities/library"
	"tnaml/activities/store"
)

// Options configures a worker's activities; zero values are sensible.
type Options struct {
	// CacheBytes bounds the decoded tasks, modules and document vectors kept
	// in memory; 0 means 2 GiB.
	CacheBytes int64
	// LiveSearches bounds the searches whose strategy state is kept in memory;
	// 0 means 64. A search beyond it is rebuilt from its checkpoint.
	LiveSearches int
	// Worker names this process in the cost records.
	Worker string
}

// Activities are the activities of one worker process. Its methods are
// registered by their names: Resolve, Features, Train, Learn, Finish and the rest.
type Activities struct {
	store  store.Store
	cache  *cache
	live   *liveSearches
	worker string
	// extracting holds one token while features of images are being computed.
	extracting chan struct{}
}

// New returns the activities over a store.
func New(s store.Store, o Options) *Activities {
	if o.CacheBytes == 0 {
		o.CacheBytes = 2 << 30
	}
	if o.LiveSearches == 0 {
		o.LiveSearches = 64
	}
	return &Activities{store: s, cache: newCache(o.CacheBytes), live: newLiveSearches(o.LiveSearches), worker: o.Worker, extracting: make(chan struct{}, 1)}
}

// Error types of the activities' non-retryable errors.
const (
	// ErrTypeInvalid: the input cannot work, whoever tries it and how often.
	ErrTypeInvalid = "Invalid"
	// ErrTypeMissing: an object that must exist does not, or is corrupt.
	ErrTypeMissing = "Missing"
	// ErrTypeDenied: the store refuses the credentials.
	ErrTypeDenied = "Denied"
)

// invalid marks an error as the input's own fault: retrying cannot help.
func invalid(err error) error {
	return temporal.NewNonRetryableApplicationError(err.Error(), ErrTypeInvalid, nil)
}

// classify turns the error classes of the store and the library into Temporal's:
// what a retry cannot mend is not retried, all else is.
func classify(err error) error {
	if err == nil {
		return nil
	}
	if app := (*temporal.ApplicationError)(nil); errors.As(err, &app) {
		return err
	}
	switch {
	case errors.Is(err, library.ErrInvalid):
		return invalid(err)
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrCorrupt):
		return temporal.NewNonRetryableApplicationError(err.Error(), ErrTypeMissing, nil)
	case errors.Is(err, store.ErrDenied):
		return temporal.NewNonRetryableApplicationError(err.Error(), ErrTypeDenied, nil)
	}
	return err
}

// cached loads and decodes an object once per worker.
func cached[T any](ctx context.Context, a *Activities, what string, ref store.Ref, decode func([]byte) (T, int64, error)) (T, error) {
	v, err := a.cache.get(ctx, what+" "+string(ref), func(ctx context.Context) (any, int64, error) {
		b, err := a.store.Get(ctx, ref)
		if err != nil {
			return nil, 0, fmt.Errorf("%s %s: %w", what, ref, err)
		}
		v, size, err := decode(b)
		if err != nil {
			return nil, 0, invalid(fmt.Errorf("%s %s: %w", what, ref, err))
		}
		return v, size, nil
	})
	if err != nil {
		var zero T
		return zero, err
	}
	return v.(T), nil
}
