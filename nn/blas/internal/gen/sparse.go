package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// sparse are the kernels over chosen rows of a table: sums of rows, held in
// registers while the rows pass, and a vector added to rows, and both at once.
// Each is made for 1 to s.vectors (or s.both) vectors of columns, the last of
// them masked.
func sparse() {
	for _, s := range []struct {
		set
		vectors, both int
	}{{avx512(), 16, 8}, {avx2(), 12, 6}} {
		for vectors := 1; vectors <= s.vectors; vectors++ {
			gather(s.set, vectors)
			scatter(s.set, vectors)
		}
		for vectors := 1; vectors <= s.both; vectors++ {
			exchange(s.set, vectors)
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

// exchange is gather and scatter in one pass over the rows: a row is added to
// dst as it was, then src is added to the row, both with the row's weight.
func exchange(s set, vectors int) {
	name := fmt.Sprintf("exchange%sx%d", s.name, vectors)
	TEXT(name, NOSPLIT, "func(dst *float32, table *float32, stride int, ids *int32, weights *float32, n int, src *float32, mask *int32)")
	mask := s.mask()
	Pragma("noescape")
	src, dst := Load(Param("src"), GP64()), Load(Param("dst"), GP64())
	held, acc := make([]reg.VecVirtual, vectors), make([]reg.VecVirtual, vectors)
	for i := range held {
		held[i], acc[i] = s.vector(), s.vector()
		from, to := Mem{Base: src, Disp: 4 * s.lanes * i}, Mem{Base: dst, Disp: 4 * s.lanes * i}
		if i < vectors-1 {
			s.load(from, held[i])
			s.load(to, acc[i])
		} else {
			s.maskedLoad(mask, from, held[i])
			s.maskedLoad(mask, to, acc[i])
		}
	}
	rowsLoop(s, name, func(row reg.Register, weight reg.VecVirtual) {
		for i := range held {
			at := Mem{Base: row, Disp: 4 * s.lanes * i}
			x := s.vector()
			if i < vectors-1 {
				s.load(at, x)
			} else {
				s.maskedLoad(mask, at, x)
			}
			s.fma(x, weight, acc[i])
			s.fma(held[i], weight, x)
			if i < vectors-1 {
				s.store(x, at)
			} else {
				s.maskedStore(mask, x, at)
			}
		}
	})
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

// rowDots are the products of rows of a table with one vector, four rows at a
// time. An element is summed in 16 interleaved lanes, which are then added in
// halves: one order for both instruction sets. The last 1 to 16 columns are
// masked.
func rowDots() {
	for _, s := range []set{avx512(), avx2()} {
		name := "rowDots" + s.name
		TEXT(name, NOSPLIT, "func(dst *float32, table *float32, stride int, ids *int32, n int, x *float32, cols int, mask *int32)")
		Pragma("noescape")
		dst, table := Load(Param("dst"), GP64()), Load(Param("table"), GP64())
		stride, ids, n := Load(Param("stride"), GP64()), Load(Param("ids"), GP64()), Load(Param("n"), GP64())
		x := Load(Param("x"), GP64())
		last := Load(Param("cols"), GP64()) // bytes before the last block
		SHLQ(Imm(2), stride)
		DECQ(last)
		SHRQ(Imm(4), last)
		SHLQ(Imm(6), last)
		parts := 16 / s.lanes // vectors of a block
		masks := make([]Op, parts)
		p := Load(Param("mask"), GP64())
		for i := range masks {
			if s.lanes == 16 {
				k := K()
				KMOVW(Mem{Base: p}, k)
				masks[i] = k
			} else {
				m := YMM()
				VMOVUPS(Mem{Base: p, Disp: 32 * i}, m)
				masks[i] = m
			}
		}
		for _, rows := range []int{4, 1} {
			label := fmt.Sprintf("%sx%d", name, rows)
			Label("rows" + label)
			CMPQ(n, Imm(uint64(rows)))
			JL(LabelRef("done" + label))
			row := make([]reg.GPVirtual, rows)
			acc := make([][]reg.VecVirtual, rows)
			for r := range row {
				row[r] = GP64()
				MOVLQSX(Mem{Base: ids, Disp: 4 * r}, row[r])
				IMULQ(stride, row[r])
				ADDQ(table, row[r])
				for range parts {
					v := s.vector()
					s.zero(v)
					acc[r] = append(acc[r], v)
				}
			}
			at := GP64()
			XORQ(at, at)
			Label("columns" + label)
			CMPQ(at, last)
			JGE(LabelRef("last" + label))
			for i := range parts {
				v := s.vector()
				s.load(Mem{Base: x, Index: at, Scale: 1, Disp: 32 * i}, v)
				for r := range row {
					s.fma(Mem{Base: row[r], Index: at, Scale: 1, Disp: 32 * i}, v, acc[r][i])
				}
			}
			ADDQ(Imm(64), at)
			JMP(LabelRef("columns" + label))
			Label("last" + label)
			for i := range parts {
				v, w := s.vector(), s.vector()
				s.maskedLoad(masks[i], Mem{Base: x, Index: at, Scale: 1, Disp: 32 * i}, v)
				for r := range row {
					s.maskedLoad(masks[i], Mem{Base: row[r], Index: at, Scale: 1, Disp: 32 * i}, w)
					s.fma(w, v, acc[r][i])
				}
			}
			sums := make([]reg.VecVirtual, rows) // of 8 lanes
			for r := range row {
				high := YMM()
				if parts == 1 {
					VEXTRACTF64X4(Imm(1), acc[r][0], high)
				} else {
					high = acc[r][1]
				}
				low := acc[r][0].AsY().(reg.VecVirtual)
				VADDPS(high, low, low)
				sums[r] = low
			}
			four := make([]reg.VecVirtual, rows)
			for r := range sums {
				high, low := XMM(), sums[r].AsX().(reg.VecVirtual)
				VEXTRACTF128(Imm(1), sums[r], high)
				VADDPS(high, low, low)
				VPERMILPS(Imm(0x4e), low, high)
				VADDPS(high, low, low)
				VPERMILPS(Imm(0xb1), low, high)
				VADDSS(high, low, low)
				four[r] = low
			}
			for r := range four {
				VMOVSS(four[r], Mem{Base: dst, Disp: 4 * r})
			}
			ADDQ(Imm(uint64(4*rows)), dst)
			ADDQ(Imm(uint64(4*rows)), ids)
			SUBQ(Imm(uint64(rows)), n)
			JMP(LabelRef("rows" + label))
			Label("done" + label)
		}
		VZEROUPPER()
		RET()
	}
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
