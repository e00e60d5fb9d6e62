package trainers

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// trialClock measures what one trial takes. Child models are trained on the
// calling goroutine, so its thread's CPU time is the trial's.
type trialClock struct {
	start    time.Time
	startCPU time.Duration
}

// startClock binds the goroutine to its thread until release is called.
func startClock() *trialClock {
	runtime.LockOSThread()
	return &trialClock{start: time.Now(), startCPU: threadCPU()}
}

func (c *trialClock) release() { runtime.UnlockOSThread() }

// wall is the time since the start.
func (c *trialClock) wall() time.Duration { return time.Since(c.start) }

// cpu is the thread's CPU time since the start.
func (c *trialClock) cpu() time.Duration { return threadCPU() - c.startCPU }

func threadCPU() time.Duration {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts) != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}
