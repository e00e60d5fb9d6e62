//go:build !unix

package exported

func cpuSeconds() float64 { return 0 }
