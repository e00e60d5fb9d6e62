//go:build !race

package workflows_test

import "time"

// yieldWithin is the SDK's own bound: a workflow that computes for longer does
// what belongs in an activity.
const yieldWithin = time.Second
