package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// level1 are kernels over whole vectors. Element by element they are the same
// on AVX2 and AVX-512, so there is one of each.
func level1() {
	axpy := func(alpha reg.VecVirtual, vector bool, x, y reg.VecVirtual) {
		if vector {
			VFMADD231PS(x, alpha, y)
		} else {
			VFMADD231SS(x, alpha, y)
		}
	}
	stream("axpyAVX2", "func(n int, alpha float32, x *float32, y *float32)", "computes y += alpha·x with one rounding.", axpy, true)
	stream("addAVX2", "func(n int, x *float32, y *float32)", "computes y += x.", func(_ reg.VecVirtual, vector bool, x, y reg.VecVirtual) {
		if vector {
			VADDPS(x, y, y)
		} else {
			VADDSS(x, y, y)
		}
	}, false)
	stream("mulAVX2", "func(n int, x *float32, y *float32)", "computes y *= x.", func(_ reg.VecVirtual, vector bool, x, y reg.VecVirtual) {
		if vector {
			VMULPS(x, y, y)
		} else {
			VMULSS(x, y, y)
		}
	}, false)
	dot()
	prefetch()
}

// prefetch asks for cache lines.
func prefetch() {
	TEXT("prefetchLines", NOSPLIT, "func(p *float32, lines int)")
	Pragma("noescape")
	Doc("prefetchLines asks for lines of 64 bytes from p on, at least one.")
	p, n := Load(Param("p"), GP64()), Load(Param("lines"), GP64())
	Label("loopPrefetch")
	PREFETCHT0(Mem{Base: p})
	ADDQ(Imm(64), p)
	DECQ(n)
	JNZ(LabelRef("loopPrefetch"))
	RET()
}

// stream writes a loop y = op(x, y) over n elements.
func stream(name, signature, doc string, op func(alpha reg.VecVirtual, vector bool, x, y reg.VecVirtual), scaled bool) {
	TEXT(name, NOSPLIT, signature)
	Doc(name + " " + doc)
	Pragma("noescape")
	n := Load(Param("n"), GP64())
	var alpha reg.VecVirtual
	if scaled {
		alpha = YMM()
		p, _ := Param("alpha").Resolve()
		VBROADCASTSS(p.Addr, alpha)
	}
	x, y := Load(Param("x"), GP64()), Load(Param("y"), GP64())
	for _, width := range []int{4, 1} {
		label := fmt.Sprintf("%s%d", name, width)
		Label("loop" + label)
		CMPQ(n, Imm(uint64(8*width)))
		JL(LabelRef("done" + label))
		for i := range width {
			a, b := YMM(), YMM()
			VMOVUPS(Mem{Base: x, Disp: 32 * i}, a)
			VMOVUPS(Mem{Base: y, Disp: 32 * i}, b)
			op(alpha, true, a, b)
			VMOVUPS(b, Mem{Base: y, Disp: 32 * i})
		}
		ADDQ(Imm(uint64(32*width)), x)
		ADDQ(Imm(uint64(32*width)), y)
		SUBQ(Imm(uint64(8*width)), n)
		JMP(LabelRef("loop" + label))
		Label("done" + label)
	}
	Label("tail" + name)
	TESTQ(n, n)
	JZ(LabelRef("end" + name))
	a, b := XMM(), XMM()
	VMOVSS(Mem{Base: x}, a)
	VMOVSS(Mem{Base: y}, b)
	if scaled {
		op(alpha.AsX().(reg.VecVirtual), false, a, b)
	} else {
		op(nil, false, a, b)
	}
	VMOVSS(b, Mem{Base: y})
	ADDQ(Imm(4), x)
	ADDQ(Imm(4), y)
	DECQ(n)
	JMP(LabelRef("tail" + name))
	Label("end" + name)
	VZEROUPPER()
	RET()
}

// dot sums in 32 lanes, then the tail in the first.
func dot() {
	TEXT("dotAVX2", NOSPLIT, "func(n int, x *float32, y *float32) float32")
	Doc("dotAVX2 returns x·y, summed in 32 interleaved lanes.")
	Pragma("noescape")
	n := Load(Param("n"), GP64())
	x, y := Load(Param("x"), GP64()), Load(Param("y"), GP64())
	acc := make([]reg.VecVirtual, 4)
	for i := range acc {
		acc[i] = YMM()
		VXORPS(acc[i], acc[i], acc[i])
	}
	for _, width := range []int{4, 1} {
		label := fmt.Sprintf("Dot%d", width)
		Label("loop" + label)
		CMPQ(n, Imm(uint64(8*width)))
		JL(LabelRef("done" + label))
		for i := range width {
			a := YMM()
			VMOVUPS(Mem{Base: x, Disp: 32 * i}, a)
			VFMADD231PS(Mem{Base: y, Disp: 32 * i}, a, acc[i])
		}
		ADDQ(Imm(uint64(32*width)), x)
		ADDQ(Imm(uint64(32*width)), y)
		SUBQ(Imm(uint64(8*width)), n)
		JMP(LabelRef("loop" + label))
		Label("done" + label)
	}
	tail := XMM()
	VXORPS(tail, tail, tail)
	Label("tailDot")
	TESTQ(n, n)
	JZ(LabelRef("endDot"))
	a := XMM()
	VMOVSS(Mem{Base: x}, a)
	VFMADD231SS(Mem{Base: y}, a, tail)
	ADDQ(Imm(4), x)
	ADDQ(Imm(4), y)
	DECQ(n)
	JMP(LabelRef("tailDot"))
	Label("endDot")
	VADDPS(acc[2], acc[0], acc[0])
	VADDPS(acc[3], acc[1], acc[1])
	VADDPS(acc[1], acc[0], acc[0])
	high, low := XMM(), acc[0].AsX()
	VEXTRACTF128(Imm(1), acc[0], high)
	VADDPS(high, low, low)
	VPERMILPS(Imm(0x4e), low, high)
	VADDPS(high, low, low)
	VPERMILPS(Imm(0xb1), low, high)
	VADDSS(high, low, low)
	VADDSS(tail, low, low)
	r, _ := ReturnIndex(0).Resolve()
	VMOVSS(low, r.Addr)
	VZEROUPPER()
	RET()
}
