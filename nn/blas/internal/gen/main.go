// Command gen writes the assembly of package blas with avo, which assembles in
// Go and allocates the registers:
//
//	go generate ./nn/blas
//
// It is a module of its own, so that its dependencies are nobody else's.
package main

import (
	. "github.com/mmcloughlin/avo/build"
)

func main() {
	ConstraintExpr("!noasm")
	for _, s := range []set{avx512(), avx2()} {
		for _, transposed := range []bool{false, true} {
			for _, rows := range s.rows {
				for vectors := 1; vectors <= 2; vectors++ {
					gemm(s, rows, vectors, transposed)
				}
			}
		}
	}
	pack()
	transpose()
	level1()
	sparse()
	rowDots()
	adagrad()
	activations()
	addProduct()
	biasReLU6()
	depthwise()
	patches()
	double()
	Generate()
}
