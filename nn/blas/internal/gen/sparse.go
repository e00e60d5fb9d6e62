package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build" //nolint:revive,staticcheck // avo's own style
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// sparse are the kernels over chosen rows of a table: sums of rows, held in
// registers while the rows pass, and a vector added to rows. Each is made for
// 1 to s.vectors vectors of columns, the last of them masked.
func sparse() {
	for _, s := range []struct {
		set
		vectors int
	}{{avx512(), 16}, {avx2(), 12}} {
		for vectors := 1; vectors <= s.vectors; vectors++ {
			gather(s.set, vectors)
			scatter(s.set, vectors)
		}
	}
}

// rowsLoop runs f with the address of every row and its weight in all lanes.
func rowsLoop(s set, name string, f func(row reg.Register, weight reg.VecVirtual)) {
	table, stride := Load(Param("table"), GP64()), Load(Param("stride"), GP64())
	ids, weights := Load(Param("ids"), GP64()), Load(Param("weights"), GP64())
	n := Load(Param("n"), GP64())
	SHLQ(Imm(2), stride)
	TESTQ(n, n)
	JZ(LabelRef("done" + name))
	Label("loop" + name)
	row := GP64()
	MOVLQSX(Mem{Base: ids}, row)
	IMULQ(stride, row)
	ADDQ(table, row)
	weight := s.vector()
	s.broadcast(Mem{Base: weights}, weight)
	f(row, weight)
	ADDQ(Imm(4), ids)
	ADDQ(Imm(4), weights)
	DECQ(n)
	JNZ(LabelRef("loop" + name))
	Label("done" + name)
}

func gather(s set, vectors int) {
	name := fmt.Sprintf("gather%sx%d", s.name, vectors)
	TEXT(name, NOSPLIT, "func(dst *float32, table *float32, stride int, ids *int32, weights *float32, n int, mask *int32)")
	mask := s.mask()
	Pragma("noescape")
	acc := make([]reg.VecVirtual, vectors)
	for i := range acc {
		acc[i] = s.vector()
		s.zero(acc[i])
	}
	rowsLoop(s, name, func(row reg.Register, weight reg.VecVirtual) {
		for i := range acc {
			at := Mem{Base: row, Disp: 4 * s.lanes * i}
			if i < vectors-1 {
				s.fma(at, weight, acc[i])
				continue
			}
			x := s.vector()
			s.maskedLoad(mask, at, x)
			s.fma(x, weight, acc[i])
		}
	})
	dst := Load(Param("dst"), GP64())
	for i := range acc {
		at := Mem{Base: dst, Disp: 4 * s.lanes * i}
		if i < vectors-1 {
			s.store(acc[i], at)
		} else {
			s.maskedStore(mask, acc[i], at)
		}
	}
	VZEROUPPER()
	RET()
}

func scatter(s set, vectors int) {
	name := fmt.Sprintf("scatter%sx%d", s.name, vectors)
	TEXT(name, NOSPLIT, "func(table *float32, stride int, ids *int32, weights *float32, n int, src *float32, mask *int32)")
	mask := s.mask()
	Pragma("noescape")
	src := Load(Param("src"), GP64())
	held := make([]reg.VecVirtual, vectors)
	for i := range held {
		held[i] = s.vector()
		at := Mem{Base: src, Disp: 4 * s.lanes * i}
		if i < vectors-1 {
			s.load(at, held[i])
		} else {
			s.maskedLoad(mask, at, held[i])
		}
	}
	rowsLoop(s, name, func(row reg.Register, weight reg.VecVirtual) {
		for i := range held {
			at := Mem{Base: row, Disp: 4 * s.lanes * i}
			x := s.vector()
			if i < vectors-1 {
				s.load(at, x)
				s.fma(held[i], weight, x)
				s.store(x, at)
			} else {
				s.maskedLoad(mask, at, x)
				s.fma(held[i], weight, x)
				s.maskedStore(mask, x, at)
			}
		}
	})
	VZEROUPPER()
	RET()
}

// adagrad is the proximal step of nn/child, in its order of operations and
// without fused ones, so that it agrees with plain Go bit for bit.
func adagrad() {
	for _, kind := range []string{"Plain", "L2", "L1"} {
		name := "adagrad" + kind
		TEXT(name, NOSPLIT, "func(n int, value *float32, sum *float32, grad *float32, rate float32, l float32, mask *int32)")
		n := Load(Param("n"), GP64())
		Pragma("noescape")
		value, sum, grad := Load(Param("value"), GP64()), Load(Param("sum"), GP64()), Load(Param("grad"), GP64())
		rate, l, one, tiny, sign := YMM(), YMM(), YMM(), YMM(), YMM()
		p, _ := Param("rate").Resolve()
		VBROADCASTSS(p.Addr, rate)
		p, _ = Param("l").Resolve()
		VBROADCASTSS(p.Addr, l)
		constant := func(v reg.VecVirtual, bits uint32) {
			g, x := GP32(), v.AsX()
			MOVL(U32(bits), g)
			VMOVD(g, x)
			VBROADCASTSS(x, v)
		}
		constant(one, 0x3f800000)
		constant(tiny, 0x1e3ce508) // 1e-20
		constant(sign, 0x80000000)
		step := func(g, s, w reg.VecVirtual) {
			square, root := YMM(), YMM()
			VMULPS(g, g, square)
			VADDPS(square, s, s)
			VSQRTPS(s, root)
			if kind == "Plain" {
				VMULPS(rate, g, g)
				VDIVPS(root, g, g)
				VSUBPS(g, w, w)
				return
			}
			eta := YMM()
			VDIVPS(root, rate, eta)
			VMULPS(eta, g, g)
			VSUBPS(g, w, w)
			VMULPS(l, eta, eta) // η·l
			if kind == "L2" {
				VADDPS(one, eta, eta)
				VDIVPS(eta, w, w)
				keep := YMM()
				VANDNPS(w, sign, keep)              // |w|
				VCMPPS(Imm(0x05), tiny, keep, keep) // not |w| < tiny
				VANDPS(keep, w, w)
				return
			}
			magnitude, s1, keep := YMM(), YMM(), YMM()
			VANDNPS(w, sign, magnitude) // |u|
			VANDPS(sign, w, s1)
			VCMPPS(Imm(0x1e), eta, magnitude, keep) // |u| > η·l
			VSUBPS(eta, magnitude, magnitude)
			VORPS(s1, magnitude, w)
			VANDPS(keep, w, w)
		}
		Label("loop" + name)
		CMPQ(n, Imm(8))
		JL(LabelRef("tail" + name))
		g, s, w := YMM(), YMM(), YMM()
		VMOVUPS(Mem{Base: grad}, g)
		VMOVUPS(Mem{Base: sum}, s)
		VMOVUPS(Mem{Base: value}, w)
		step(g, s, w)
		VMOVUPS(s, Mem{Base: sum})
		VMOVUPS(w, Mem{Base: value})
		for _, p := range []reg.Register{value, sum, grad} {
			ADDQ(Imm(32), p)
		}
		SUBQ(Imm(8), n)
		JMP(LabelRef("loop" + name))
		Label("tail" + name)
		TESTQ(n, n)
		JZ(LabelRef("end" + name))
		mp, mask := Load(Param("mask"), GP64()), YMM()
		VMOVUPS(Mem{Base: mp}, mask)
		g, s, w = YMM(), YMM(), YMM()
		VMASKMOVPS(Mem{Base: grad}, mask, g)
		VMASKMOVPS(Mem{Base: sum}, mask, s)
		VMASKMOVPS(Mem{Base: value}, mask, w)
		step(g, s, w)
		VMASKMOVPS(s, mask, Mem{Base: sum})
		VMASKMOVPS(w, mask, Mem{Base: value})
		Label("end" + name)
		VZEROUPPER()
		RET()
	}
}
