//go:build !linux

package serve

// background does nothing where threads have no priority of their own.
func background() {}
