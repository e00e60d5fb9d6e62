//go:build !unix

package image

func cpuSeconds() float64 { return 0 }
