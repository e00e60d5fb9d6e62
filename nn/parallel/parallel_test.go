package parallel

import (
	"errors"
	"sync/atomic"
	"testing"
)

// Every index comes once, in blocks that are the same whatever the workers.
func TestBlocks(t *testing.T) {
	for _, workers := range []int{0, 1, 3, 100} {
		for _, n := range []int{0, 1, 63, 64, 65, 1000} {
			times := make([]int, n)
			var blocks atomic.Int64
			err := Blocks(n, 64, workers, func(from, to int) error {
				blocks.Add(1)
				if from%64 != 0 || to != min(from+64, n) {
					t.Errorf("block [%d, %d) of %d", from, to, n)
				}
				for i := from; i < to; i++ {
					times[i]++
				}
				return nil
			})
			if want := int64((n + 63) / 64); err != nil || blocks.Load() != want {
				t.Errorf("%d of %d blocks on %d workers, %v", blocks.Load(), want, workers, err)
			}
			for i, k := range times {
				if k != 1 {
					t.Fatalf("%d came %d times", i, k)
				}
			}
		}
	}
}

// After an error no block begins: one worker runs none more, three at most those already under way.
func TestBlocksStopAtAnError(t *testing.T) {
	stop := errors.New("enough")
	for _, workers := range []int{1, 3} {
		var calls atomic.Int64
		err := Blocks(1000, 1, workers, func(from, to int) error {
			calls.Add(1)
			return stop
		})
		if !errors.Is(err, stop) || calls.Load() > int64(workers) {
			t.Errorf("%d workers: %d calls, %v", workers, calls.Load(), err)
		}
	}
}
