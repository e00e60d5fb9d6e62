//go:build race

package command

// The race detector takes more memory than a limit leaves it.
func init() { raced = true }
