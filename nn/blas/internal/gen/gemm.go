package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// set is what differs between instruction sets.
type set struct {
	name      string
	lanes     int   // float32 in a vector
	rows      []int // heights of the tiles
	vector    func() reg.VecVirtual
	zero      func(v Op)
	broadcast func(m, v Op)
	multiply  func(a, b, v Op)
	add       func(a, b, v Op)
	fma       func(a, b, v Op)
	load      func(m, v Op)
	store     func(v, m Op)
	// mask prepares a mask parameter; maskedLoad and maskedStore use it.
	mask        func() Op
	maskedLoad  func(k, m, v Op)
	maskedStore func(k, v, m Op)
}

func avx512() set {
	return set{
		name: "512", lanes: 16, rows: []int{12, 8, 4, 2, 1},
		vector:    func() reg.VecVirtual { return ZMM() },
		zero:      func(v Op) { VPXORD(v, v, v) },
		broadcast: func(m, v Op) { VBROADCASTSS(m, v) },
		multiply:  func(a, b, v Op) { VMULPS(a, b, v) },
		add:       func(a, b, v Op) { VADDPS(a, b, v) },
		fma:       func(a, b, v Op) { VFMADD231PS(a, b, v) },
		load:      func(m, v Op) { VMOVUPS(m, v) },
		store:     func(v, m Op) { VMOVUPS(v, m) },
		mask: func() Op {
			bits := GP64()
			Load(Param("mask"), bits)
			k := K()
			KMOVW(Mem{Base: bits}, k)
			return k
		},
		maskedLoad:  func(k, m, v Op) { VMOVUPS_Z(m, k, v) },
		maskedStore: func(k, v, m Op) { VMOVUPS(v, k, m) },
	}
}

func avx2() set {
	return set{
		name: "2", lanes: 8, rows: []int{6, 4, 2, 1},
		vector:    func() reg.VecVirtual { return YMM() },
		zero:      func(v Op) { VXORPS(v, v, v) },
		broadcast: func(m, v Op) { VBROADCASTSS(m, v) },
		multiply:  func(a, b, v Op) { VMULPS(a, b, v) },
		add:       func(a, b, v Op) { VADDPS(a, b, v) },
		fma:       func(a, b, v Op) { VFMADD231PS(a, b, v) },
		load:      func(m, v Op) { VMOVUPS(m, v) },
		store:     func(v, m Op) { VMOVUPS(v, m) },
		mask: func() Op {
			p := GP64()
			Load(Param("mask"), p)
			m := YMM()
			VMOVUPS(Mem{Base: p}, m)
			return m
		},
		maskedLoad:  func(k, m, v Op) { VMASKMOVPS(m, k, v) },
		maskedStore: func(k, v, m Op) { VMASKMOVPS(v, k, m) },
	}
}

// gemm computes a tile of rows × vectors·lanes elements of alpha·op(A)·B + C in
// registers: for each element one chain of fused multiply-adds along k, so that
// its value depends neither on the tile's shape nor on the instruction set.
// B is a panel of k rows of exactly the tile's width. The last vector of each
// row of C is masked.
func gemm(s set, rows, vectors int, transposed bool) {
	kind := "N"
	if transposed {
		kind = "T"
	}
	TEXT(fmt.Sprintf("gemm%sx%dx%d%s", s.name, rows, vectors, kind), NOSPLIT,
		"func(k int, a *float32, lda int, b *float32, c *float32, ldc int, alpha float32, accumulate bool, mask *int32)")
	Pragma("noescape")
	k := Load(Param("k"), GP64())
	lda := Load(Param("lda"), GP64())
	b := Load(Param("b"), GP64())
	SHLQ(Imm(2), lda)

	// The rows of A are reached from one pointer for every three: base, base +
	// lda and base + 2 lda. Transposed, a column of A is contiguous.
	var base []reg.GPVirtual
	if a := Load(Param("a"), GP64()); transposed {
		base = append(base, a.(reg.GPVirtual))
	} else {
		base = append(base, a.(reg.GPVirtual))
		for len(base)*3 < rows {
			p := GP64()
			LEAQ(Mem{Base: base[len(base)-1], Index: lda, Scale: 2}, p)
			ADDQ(lda, p)
			base = append(base, p)
		}
	}
	element := func(row int) Mem {
		if transposed {
			return Mem{Base: base[0], Disp: 4 * row}
		}
		m := Mem{Base: base[row/3]}
		if row%3 > 0 {
			m.Index, m.Scale = lda, uint8(row%3)
		}
		return m
	}

	acc := make([][]reg.VecVirtual, rows)
	for r := range acc {
		for range vectors {
			v := s.vector()
			s.zero(v)
			acc[r] = append(acc[r], v)
		}
	}
	panel := make([]reg.VecVirtual, vectors)
	for v := range panel {
		panel[v] = s.vector()
	}
	name := fmt.Sprintf("%s%dx%d%s", s.name, rows, vectors, kind)
	TESTQ(k, k)
	JZ(LabelRef("done" + name))
	Label("loop" + name)
	for v := range panel {
		s.load(Mem{Base: b, Disp: 4 * s.lanes * v}, panel[v])
	}
	ADDQ(Imm(uint64(4*s.lanes*vectors)), b)
	for r := range rows {
		x := s.vector()
		s.broadcast(element(r), x)
		for v := range panel {
			s.fma(panel[v], x, acc[r][v])
		}
	}
	for _, p := range base {
		if transposed {
			ADDQ(lda, p)
		} else {
			ADDQ(Imm(4), p)
		}
	}
	DECQ(k)
	JNZ(LabelRef("loop" + name))
	Label("done" + name)

	c, ldc := Load(Param("c"), GP64()), Load(Param("ldc"), GP64())
	SHLQ(Imm(2), ldc)
	alpha := s.vector()
	ap, _ := Param("alpha").Resolve()
	s.broadcast(ap.Addr, alpha)
	for r := range acc {
		for v := range acc[r] {
			s.multiply(alpha, acc[r][v], acc[r][v])
		}
	}
	mask := s.mask()
	accumulate := Load(Param("accumulate"), GP8())
	TESTB(accumulate, accumulate)
	write := func(add bool) {
		row := GP64()
		MOVQ(c, row)
		for r := range acc {
			for v := range acc[r] {
				at := Mem{Base: row, Disp: 4 * s.lanes * v}
				last := v == len(acc[r])-1
				if add {
					old := s.vector()
					if last {
						s.maskedLoad(mask, at, old)
					} else {
						s.load(at, old)
					}
					s.add(old, acc[r][v], acc[r][v])
				}
				if last {
					s.maskedStore(mask, acc[r][v], at)
				} else {
					s.store(acc[r][v], at)
				}
			}
			if r < len(acc)-1 {
				ADDQ(ldc, row)
			}
		}
	}
	JZ(LabelRef("set" + name))
	write(true)
	JMP(LabelRef("end" + name))
	Label("set" + name)
	write(false)
	Label("end" + name)
	VZEROUPPER()
	RET()
}

// pack copies rows of 8·eights elements at a stride into a panel.
func pack() {
	for _, eights := range []int{1, 2, 4} {
		name := fmt.Sprintf("pack%d", 8*eights)
		TEXT(name, NOSPLIT, "func(dst *float32, src *float32, stride int, rows int)")
		Doc(fmt.Sprintf("%s copies rows of %d elements at a stride into a panel.", name, 8*eights))
		Pragma("noescape")
		dst, src := Load(Param("dst"), GP64()), Load(Param("src"), GP64())
		stride, rows := Load(Param("stride"), GP64()), Load(Param("rows"), GP64())
		SHLQ(Imm(2), stride)
		Label("loop" + name)
		for i := range eights {
			v := YMM()
			VMOVUPS(Mem{Base: src, Disp: 32 * i}, v)
			VMOVUPS(v, Mem{Base: dst, Disp: 32 * i})
		}
		ADDQ(stride, src)
		ADDQ(Imm(uint64(32*eights)), dst)
		DECQ(rows)
		JNZ(LabelRef("loop" + name))
		VZEROUPPER()
		RET()
	}
}

// transpose turns eight rows of src into columns of dst, eight elements a step.
func transpose() {
	TEXT("transpose8", NOSPLIT, "func(dst *float32, dstStride int, src *float32, srcStride int, blocks int)")
	Doc("transpose8 writes 8 rows of 8·blocks elements of src as columns of dst.")
	Pragma("noescape")
	dst, ds := Load(Param("dst"), GP64()), Load(Param("dstStride"), GP64())
	src, ss := Load(Param("src"), GP64()), Load(Param("srcStride"), GP64())
	blocks := Load(Param("blocks"), GP64())
	SHLQ(Imm(2), ds)
	SHLQ(Imm(2), ss)
	ss3, ds3 := GP64(), GP64()
	LEAQ(Mem{Base: ss, Index: ss, Scale: 2}, ss3)
	LEAQ(Mem{Base: ds, Index: ds, Scale: 2}, ds3)
	src4, dst4 := GP64(), GP64()
	LEAQ(Mem{Base: src, Index: ss, Scale: 4}, src4)
	Label("transposeLoop")
	r := make([]reg.VecVirtual, 8)
	for i := range r {
		p := src
		if i >= 4 {
			p = src4
		}
		m := Mem{Base: p}
		switch i % 4 {
		case 1:
			m.Index, m.Scale = ss, 1
		case 2:
			m.Index, m.Scale = ss, 2
		case 3:
			m.Index, m.Scale = ss3, 1
		}
		r[i] = YMM()
		VMOVUPS(m, r[i])
	}
	t := make([]reg.VecVirtual, 8)
	for i := 0; i < 8; i += 2 {
		t[i], t[i+1] = YMM(), YMM()
		VUNPCKLPS(r[i+1], r[i], t[i])
		VUNPCKHPS(r[i+1], r[i], t[i+1])
	}
	u := make([]reg.VecVirtual, 8)
	for i := 0; i < 8; i += 4 {
		for j := range 2 {
			u[i+2*j], u[i+2*j+1] = YMM(), YMM()
			VSHUFPS(Imm(0x44), t[i+j+2], t[i+j], u[i+2*j])
			VSHUFPS(Imm(0xee), t[i+j+2], t[i+j], u[i+2*j+1])
		}
	}
	LEAQ(Mem{Base: dst, Index: ds, Scale: 4}, dst4)
	for i := range 8 {
		p := dst
		sel := uint64(0x20)
		if i >= 4 {
			p = dst4
			sel = 0x31
		}
		m := Mem{Base: p}
		switch i % 4 {
		case 1:
			m.Index, m.Scale = ds, 1
		case 2:
			m.Index, m.Scale = ds, 2
		case 3:
			m.Index, m.Scale = ds3, 1
		}
		v := YMM()
		VPERM2F128(Imm(sel), u[4+i%4], u[i%4], v)
		VMOVUPS(v, m)
	}
	ADDQ(Imm(32), src)
	ADDQ(Imm(32), src4)
	LEAQ(Mem{Base: dst, Index: ds, Scale: 8}, dst)
	DECQ(blocks)
	JNZ(LabelRef("transposeLoop"))
	VZEROUPPER()
	RET()
}
