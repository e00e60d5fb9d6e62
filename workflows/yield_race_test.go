//go:build race

package workflows_test

import "time"

// yieldWithin is wide under the race detector, whose slowness on a busy machine
// looks like a workflow that does not yield.
const yieldWithin = time.Minute
