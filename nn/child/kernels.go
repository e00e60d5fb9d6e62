package child

import (
	"fmt"
	"runtime"

	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/blas/gonum"
)

// TrainerVersion is part of every trial's identity: it changes whenever any
// result could.
const TrainerVersion = "6"

// InstructionSet names what the numerical kernels run on. Sums are ordered
// differently on different ones, so results are equal bit for bit only within
// one. The package's own loops agree on all: a product that goes into a sum is
// converted to float32 first, which forbids the compiler to fuse the two (it
// does so for GOAMD64=v3 and on arm64, across statements, too), and the assembly
// rounds as the loops do. Kernels installed by blas32.Use are named by their own
// method InstructionSet, else by their type.
func InstructionSet() string {
	switch k := blas32.Implementation().(type) {
	case gonum.Implementation:
		return "gonum-" + runtime.GOARCH + gonumSuffix
	case interface{ InstructionSet() string }:
		return k.InstructionSet()
	default:
		return fmt.Sprintf("%T-%s", k, runtime.GOARCH)
	}
}

// mix is the finaliser of SplitMix64 (Steele, Lea and Flood, 2014): a
// counter-based generator when given a key plus a counter times an odd constant.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

const golden = 0x9e3779b97f4a7c15
