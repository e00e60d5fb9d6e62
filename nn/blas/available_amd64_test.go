//go:build !noasm

package blas

import "golang.org/x/sys/cpu"

func available() (out []*level) {
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		out = append(out, avx2)
		if cpu.X86.HasAVX512F && cpu.X86.HasAVX512VL {
			out = append(out, avx512)
		}
	}
	return out
}
