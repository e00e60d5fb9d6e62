package store

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// Each calls f for all of a list, at most n at once, until one fails or ctx ends.
func Each[T any](ctx context.Context, n int, all []T, f func(context.Context, T) error) error {
	g, each := errgroup.WithContext(ctx)
	g.SetLimit(n)
	for _, v := range all {
		if each.Err() != nil {
			break
		}
		g.Go(func() error { return f(each, v) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}
