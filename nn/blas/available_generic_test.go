//go:build !amd64 || noasm

package blas

func available() []*level { return nil }
