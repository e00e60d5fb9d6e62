package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// clamp sets v to min(max(v, 0), 6). A NaN in v passes: it is the operand that
// both instructions return then. So is −0 by the first, which callers rule out.
func clamp(v, zero, six reg.VecVirtual) {
	VMAXPS(v, zero, v)
	VMINPS(v, six, v)
}

// positiveBias is a bias in all lanes, +0 for −0: no sum with it is −0.
func positiveBias(m Mem, zero reg.VecVirtual) reg.VecVirtual {
	v := YMM()
	VBROADCASTSS(m, v)
	VADDPS(zero, v, v)
	return v
}

// biasReLU6 adds each row's bias to a block of rows and cuts at 0 and 6.
func biasReLU6() {
	TEXT("biasReLU6AVX2", NOSPLIT, "func(y *float32, stride int, rows int, cols int, bias *float32, mask *int32)")
	Doc("biasReLU6AVX2 sets rows of y, a stride apart, to min(max(y + bias[row], 0), 6).")
	Pragma("noescape")
	y, stride := Load(Param("y"), GP64()), Load(Param("stride"), GP64())
	rows, cols := Load(Param("rows"), GP64()), Load(Param("cols"), GP64())
	bias, mp := Load(Param("bias"), GP64()), Load(Param("mask"), GP64())
	SHLQ(Imm(2), stride)
	mask, zero, six := YMM(), YMM(), number(6)
	VMOVUPS(Mem{Base: mp}, mask)
	VXORPS(zero, zero, zero)
	Label("rowBiasReLU6")
	b := positiveBias(Mem{Base: bias}, zero)
	p, n := GP64(), GP64()
	MOVQ(y, p)
	MOVQ(cols, n)
	for _, width := range []int{4, 1} {
		label := fmt.Sprintf("BiasReLU6x%d", width)
		Label("loop" + label)
		CMPQ(n, Imm(uint64(8*width)))
		JL(LabelRef("done" + label))
		for i := range width {
			v := YMM()
			VADDPS(Mem{Base: p, Disp: 32 * i}, b, v)
			clamp(v, zero, six)
			VMOVUPS(v, Mem{Base: p, Disp: 32 * i})
		}
		ADDQ(Imm(uint64(32*width)), p)
		SUBQ(Imm(uint64(8*width)), n)
		JMP(LabelRef("loop" + label))
		Label("done" + label)
	}
	TESTQ(n, n)
	JZ(LabelRef("nextBiasReLU6"))
	v := YMM()
	VMASKMOVPS(Mem{Base: p}, mask, v)
	VADDPS(b, v, v)
	clamp(v, zero, six)
	VMASKMOVPS(v, mask, Mem{Base: p})
	Label("nextBiasReLU6")
	ADDQ(stride, y)
	ADDQ(Imm(4), bias)
	DECQ(rows)
	JNZ(LabelRef("rowBiasReLU6"))
	VZEROUPPER()
	RET()
}

// depthwise is one channel of a 3 × 3 convolution over a whole map, in blocks of
// eight columns of the output: down the rows of such a block each row of the
// input is read once. Columns outside the map are masked off, and masked loads
// do not touch them. Every sum is rounded as the loop of Depthwise has it.
func depthwise() {
	for _, stride := range []int{1, 2} {
		depthwiseMap(stride)
	}
}

func depthwiseMap(stride int) {
	name := fmt.Sprintf("depthwise%dAVX2", stride)
	TEXT(name, NOSPLIT, "func(dst *float32, src *float32, side int, weights *float32, bias float32, ones *int32)")
	Doc(fmt.Sprintf("%s is a channel of a 3 × 3 convolution of stride %d; "+
		"ones points at 8 lanes of ones between 8 of zeros on either side.", name, stride))
	Pragma("noescape")
	dst, src := Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	side, ones := Load(Param("side"), GP64()), Load(Param("ones"), GP64())
	zero, six := YMM(), number(6)
	VXORPS(zero, zero, zero)
	bp, _ := Param("bias").Resolve()
	bias := positiveBias(bp.Addr, zero)

	// The weights, eight times each, lie aligned on the stack.
	w := GP64()
	LEAQ(AllocLocal(9*32+32), w)
	ADDQ(Imm(31), w)
	ANDQ(I32(-32), w)
	from := Load(Param("weights"), GP64())
	for i := range 9 {
		v := YMM()
		VBROADCASTSS(Mem{Base: from, Disp: 4 * i}, v)
		VMOVAPS(v, Mem{Base: w, Disp: 32 * i})
	}

	in, out, rest := GP64(), GP64(), GP64() // bytes of a row of src and of dst, columns of src from here on
	MOVQ(side, in)
	SHLQ(Imm(2), in)
	MOVQ(in, out)
	if stride == 2 {
		SHRQ(Imm(1), out)
	}
	MOVQ(side, rest)

	// first loads the mask of the columns less than rest, from column offset on.
	first := func(offset int) reg.VecVirtual {
		n, at, m := GP64(), GP64(), YMM()
		limit := GP64()
		LEAQ(Mem{Base: rest, Disp: -offset}, n)
		XORQ(at, at)
		TESTQ(n, n)
		CMOVQLT(at, n)
		MOVQ(U64(8), limit)
		CMPQ(n, limit)
		CMOVQGT(limit, n)
		SHLQ(Imm(2), n)
		MOVQ(ones, at)
		SUBQ(n, at)
		VMOVUPS(Mem{Base: at, Disp: 32}, m)
		return m
	}
	// sum is the sum of three columns, each times its weight in one row.
	sum := func(row int, c [3]reg.VecVirtual) reg.VecVirtual {
		s, t := YMM(), YMM()
		VMULPS(Mem{Base: w, Disp: 32 * 3 * row}, c[0], s)
		VMULPS(Mem{Base: w, Disp: 32 * (3*row + 1)}, c[1], t)
		VADDPS(t, s, s)
		u := YMM()
		VMULPS(Mem{Base: w, Disp: 32 * (3*row + 2)}, c[2], u)
		VADDPS(u, s, s)
		return s
	}

	var masks []reg.VecVirtual
	Label("block" + name)
	from1, to, rows := GP64(), GP64(), GP64()
	MOVQ(src, from1)
	MOVQ(dst, to)
	MOVQ(side, rows)
	var load func() [3]reg.VecVirtual
	var store reg.VecVirtual // mask of the output's columns
	if stride == 1 {
		left, centre, right := first(-1), first(0), first(1)
		CMPQ(rest, side)
		JNE(LabelRef("inside" + name))
		VANDPS(Mem{Base: ones, Disp: -4}, left, left) // no column before the first
		Label("inside" + name)
		masks, store = []reg.VecVirtual{left, centre, right}, centre
		load = func() (c [3]reg.VecVirtual) {
			for i := range c {
				c[i] = YMM()
				VMASKMOVPS(Mem{Base: from1, Disp: 4 * (i - 1)}, masks[i], c[i])
			}
			ADDQ(in, from1)
			return c
		}
	} else {
		// Even, odd, and the even ones after: all three in the order that
		// VSHUFPS leaves, which the output is brought out of.
		masks = []reg.VecVirtual{first(0), first(8), first(2), first(10)}
		load = func() (c [3]reg.VecVirtual) {
			v := make([]reg.VecVirtual, 4)
			for i, offset := range []int{0, 8, 2, 10} {
				v[i] = YMM()
				VMASKMOVPS(Mem{Base: from1, Disp: 4 * offset}, masks[i], v[i])
			}
			c = [3]reg.VecVirtual{YMM(), YMM(), YMM()}
			VSHUFPS(Imm(0x88), v[1], v[0], c[0])
			VSHUFPS(Imm(0xdd), v[1], v[0], c[1])
			VSHUFPS(Imm(0x88), v[3], v[2], c[2])
			ADDQ(in, from1)
			return c
		}
	}
	// finish writes a row of the output.
	labels := 0
	finish := func(s reg.VecVirtual) {
		labels++
		VADDPS(bias, s, s)
		clamp(s, zero, six)
		if stride == 2 {
			VPERMPD(Imm(0xd8), s, s)
		}
		end, part := fmt.Sprintf("stored%d%s", labels, name), fmt.Sprintf("part%d%s", labels, name)
		CMPQ(rest, Imm(uint64(8*stride)))
		JL(LabelRef(part))
		VMOVUPS(s, Mem{Base: to})
		JMP(LabelRef(end))
		Label(part)
		mask := store
		if stride == 2 {
			half, at := GP64(), GP64()
			MOVQ(rest, half)
			SHLQ(Imm(1), half) // half as many columns, four bytes each
			MOVQ(ones, at)
			SUBQ(half, at)
			mask = YMM()
			VMOVUPS(Mem{Base: at, Disp: 32}, mask)
		}
		VMASKMOVPS(s, mask, Mem{Base: to})
		Label(end)
		ADDQ(out, to)
	}

	if stride == 1 {
		// above has the sum of the rows of weights that the next row of the output
		// has met, two that of the one it is at.
		above, two := YMM(), YMM()
		c := load()
		s := sum(1, c)
		VADDPS(zero, s, two)
		s = sum(0, c)
		VMOVAPS(s, above)
		JMP(LabelRef("next" + name))
		Label("row" + name)
		c = load()
		s = sum(2, c)
		VADDPS(s, two, s)
		finish(s)
		s = sum(1, c)
		VADDPS(s, above, two)
		s = sum(0, c)
		VMOVAPS(s, above)
		Label("next" + name)
		DECQ(rows)
		JNZ(LabelRef("row" + name))
		s = YMM()
		VADDPS(zero, two, s)
		finish(s)
	} else {
		SHRQ(Imm(1), rows)
		above := YMM()
		c := load()
		s := sum(0, c)
		VMOVAPS(s, above)
		JMP(LabelRef("next" + name))
		Label("row" + name)
		c = load()
		s = sum(1, c)
		VADDPS(s, above, above)
		c = load()
		s = sum(2, c)
		VADDPS(s, above, s)
		finish(s)
		s = sum(0, c)
		VMOVAPS(s, above)
		Label("next" + name)
		DECQ(rows)
		JNZ(LabelRef("row" + name))
		c = load()
		s = sum(1, c)
		VADDPS(s, above, s)
		finish(s)
	}

	ADDQ(Imm(uint64(32*stride)), src)
	ADDQ(Imm(32), dst)
	SUBQ(Imm(uint64(8*stride)), rest)
	JG(LabelRef("block" + name))
	VZEROUPPER()
	RET()
}
