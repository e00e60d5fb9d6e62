//go:build race

package workflows_test

// instrumented says whether the race detector is there, which takes most of the processor's time.
const instrumented = true
