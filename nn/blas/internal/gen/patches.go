package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// patches are the row operations of features of image patches.
func patches() {
	normalise()
	triangle()
}

// eights runs f over n elements, eight at a time; the last 1 to 7 with masked
// set, for which load and store use the mask.
func eights(name string, n reg.Register, pointers []reg.Register, f func(masked bool)) {
	left := GP64()
	MOVQ(n, left)
	Label("loop" + name)
	CMPQ(left, Imm(8))
	JL(LabelRef("tail" + name))
	f(false)
	for _, p := range pointers {
		ADDQ(Imm(32), p)
	}
	SUBQ(Imm(8), left)
	JMP(LabelRef("loop" + name))
	Label("tail" + name)
	TESTQ(left, left)
	JZ(LabelRef("end" + name))
	f(true)
	Label("end" + name)
}

// total leaves the sum of eight lanes in all of them, as sumLanes has it.
func total(v reg.VecVirtual) {
	t := YMM()
	VPERM2F128(Imm(1), v, v, t)
	VADDPS(t, v, v)
	VPERMILPS(Imm(0x4e), v, t)
	VADDPS(t, v, v)
	VPERMILPS(Imm(0xb1), v, t)
	VADDPS(t, v, v)
}

func maskedLoad(masked bool, mask reg.VecVirtual, p reg.Register) reg.VecVirtual {
	v := YMM()
	if masked {
		VMASKMOVPS(Mem{Base: p}, mask, v)
	} else {
		VMOVUPS(Mem{Base: p}, v)
	}
	return v
}

func maskedStore(masked bool, v, mask reg.VecVirtual, p reg.Register) {
	if masked {
		VMASKMOVPS(v, mask, Mem{Base: p})
	} else {
		VMOVUPS(v, Mem{Base: p})
	}
}

func broadcast32(name string) reg.VecVirtual {
	v := YMM()
	p, _ := Param(name).Resolve()
	VBROADCASTSS(p.Addr, v)
	return v
}

// normalise brings a row to mean 0 and variance 1 and below.
func normalise() {
	name := "normaliseAVX2"
	TEXT(name, NOSPLIT, "func(n int, x *float32, count float32, floor float32, mask *int32)")
	Doc(name + " sets x to (x − mean)/√(variance + floor); count is n.")
	Pragma("noescape")
	n, x := Load(Param("n"), GP64()), Load(Param("x"), GP64())
	mp, mask := Load(Param("mask"), GP64()), YMM()
	VMOVUPS(Mem{Base: mp}, mask)
	count, floor := broadcast32("count"), broadcast32("floor")
	p := GP64()
	mean := YMM()
	VXORPS(mean, mean, mean)
	MOVQ(x, p)
	eights("Mean"+name, n, []reg.Register{p}, func(masked bool) {
		VADDPS(maskedLoad(masked, mask, p), mean, mean)
	})
	total(mean)
	VDIVPS(count, mean, mean)
	variance := YMM()
	VXORPS(variance, variance, variance)
	MOVQ(x, p)
	eights("Variance"+name, n, []reg.Register{p}, func(masked bool) {
		v, square := maskedLoad(masked, mask, p), YMM()
		VSUBPS(mean, v, v)
		maskedStore(masked, v, mask, p)
		VMULPS(v, v, square)
		if masked {
			VANDPS(mask, square, square)
		}
		VADDPS(square, variance, variance)
	})
	total(variance)
	VDIVPS(count, variance, variance)
	VADDPS(floor, variance, variance)
	VSQRTPS(variance, variance)
	scale := YMM()
	VDIVPS(variance, number(1), scale)
	MOVQ(x, p)
	eights("Scale"+name, n, []reg.Register{p}, func(masked bool) {
		v := maskedLoad(masked, mask, p)
		VMULPS(scale, v, v)
		maskedStore(masked, v, mask, p)
	})
	VZEROUPPER()
	RET()
}

// triangle adds up how much nearer than the mean each centroid is.
func triangle() {
	name := "triangleAVX2"
	TEXT(name, NOSPLIT, "func(n int, sums *float32, dots *float32, norms *float32, square float32, count float32, mask *int32)")
	Doc(name + " makes distances of dots and adds max(0, mean − distance) to sums; count is n.")
	Pragma("noescape")
	n, sums := Load(Param("n"), GP64()), Load(Param("sums"), GP64())
	dots, norms := Load(Param("dots"), GP64()), Load(Param("norms"), GP64())
	mp, mask := Load(Param("mask"), GP64()), YMM()
	VMOVUPS(Mem{Base: mp}, mask)
	square, count, zero := broadcast32("square"), broadcast32("count"), YMM()
	VXORPS(zero, zero, zero)
	mean, p := YMM(), GP64()
	VXORPS(mean, mean, mean)
	MOVQ(dots, p)
	eights("Distance"+name, n, []reg.Register{p, norms}, func(masked bool) {
		v, d := maskedLoad(masked, mask, p), maskedLoad(masked, mask, norms)
		VADDPS(v, v, v)
		VADDPS(d, square, d)
		VSUBPS(v, d, d)
		VMAXPS(d, zero, d) // NaN passes: the operand that is returned then
		VSQRTPS(d, d)
		maskedStore(masked, d, mask, p)
		if masked {
			VANDPS(mask, d, d)
		}
		VADDPS(d, mean, mean)
	})
	total(mean)
	VDIVPS(count, mean, mean)
	eights("Sum"+name, n, []reg.Register{dots, sums}, func(masked bool) {
		d, s := maskedLoad(masked, mask, dots), maskedLoad(masked, mask, sums)
		VSUBPS(d, mean, d)
		VMAXPS(d, zero, d)
		VADDPS(d, s, s)
		maskedStore(masked, s, mask, sums)
	})
	VZEROUPPER()
	RET()
}
