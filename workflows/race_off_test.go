//go:build !race

package workflows_test

const instrumented = false
