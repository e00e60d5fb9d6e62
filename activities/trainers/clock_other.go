//go:build !linux

package trainers

import "time"

// trialClock measures what one trial takes. Without a portable per-thread CPU
// clock, wall time stands for CPU time: a trial is computed by one goroutine.
type trialClock struct{ start time.Time }

func startClock() *trialClock { return &trialClock{start: time.Now()} }

func (c *trialClock) release() {}

// wall is the time since the start.
func (c *trialClock) wall() time.Duration { return time.Since(c.start) }

// cpu is wall time here.
func (c *trialClock) cpu() time.Duration { return c.wall() }
