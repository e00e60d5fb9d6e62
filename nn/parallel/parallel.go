// Package parallel runs loops over independent blocks on several processors.
package parallel

import (
	"context"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// Blocks runs f over [0, n) in blocks of a fixed size, on a number of workers (0
// means one for each processor). f must write only what belongs to its block:
// then the result does not depend on the schedule. The first error stops the
// work and is returned.
func Blocks(n, size, workers int, f func(from, to int) error) error {
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	group, failed := errgroup.WithContext(context.Background())
	group.SetLimit(workers)
	for from := 0; from < n; from += size {
		group.Go(func() error {
			if failed.Err() != nil {
				return nil
			}
			return f(from, min(from+size, n))
		})
	}
	return group.Wait()
}
