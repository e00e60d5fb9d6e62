package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Predicates of VCMPPS.
var (
	notLessEqual    = Imm(0x06) // true where one is NaN
	notGreaterEqual = Imm(0x09) // true where one is NaN
	greater         = Imm(0x1e)
	less            = Imm(0x11)
)

var constants = map[uint32]Mem{}

// all returns a register with one number in all lanes.
func all(bits uint32) reg.VecVirtual {
	m, ok := constants[bits]
	if !ok {
		m = ConstData(fmt.Sprintf("number%08x", bits), U32(bits))
		constants[bits] = m
	}
	v := YMM()
	VBROADCASTSS(m, v)
	return v
}

func number(f float32) reg.VecVirtual { return all(math.Float32bits(f)) }

const signBit = 1 << 31

// exponential returns eˣ as Exp has it, operation by operation.
func exponential(x reg.VecVirtual) reg.VecVirtual {
	n, half, e := YMM(), YMM(), YMM()
	VMULPS(number(1.44269504088896341), x, n)
	VANDPS(all(signBit), n, half)
	VORPS(number(.5), half, half)
	VADDPS(half, n, n)
	VCVTTPS2DQ(n, e)
	VCVTDQ2PS(e, n)
	r, t := YMM(), YMM()
	VMULPS(number(0.693359375), n, t)
	VSUBPS(t, x, r)
	VMULPS(number(-2.12194440e-4), n, t)
	VSUBPS(t, r, r)
	p := number(1.9875691500e-4)
	for _, c := range []float32{1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1} {
		VMULPS(r, p, p)
		VADDPS(number(c), p, p)
	}
	VMULPS(r, p, p)
	VMULPS(r, p, p)
	VADDPS(r, p, p)
	VADDPS(number(1), p, p)
	VPADDD(all(127), e, e)
	VPSLLD(Imm(23), e, e)
	VMULPS(e, p, p)
	large, small := YMM(), YMM()
	VCMPPS(greater, number(88), x, large)
	VBLENDVPS(large, number(float32(math.Inf(1))), p, p)
	VCMPPS(less, number(-87), x, small)
	VANDNPS(p, small, p)
	return p
}

// sigmoid returns 1/(1+e⁻ˣ).
func sigmoid(x reg.VecVirtual) reg.VecVirtual {
	minus, s := YMM(), YMM()
	VXORPS(all(signBit), x, minus)
	e := exponential(minus)
	one := number(1)
	VADDPS(e, one, e)
	VDIVPS(e, one, s)
	return s
}

// activations compute y = f(z) and d = f′(z) over n elements, the last 1 to 7
// of them under a mask.
func activations() {
	for _, f := range []struct {
		name string
		body func(x reg.VecVirtual) (y, d reg.VecVirtual)
	}{
		{"relu", func(x reg.VecVirtual) (y, d reg.VecVirtual) {
			y, d = YMM(), YMM()
			VCMPPS(notLessEqual, number(0), x, d)
			VANDPS(d, x, y)
			VANDPS(number(1), d, d)
			return y, d
		}},
		{"relu6", func(x reg.VecVirtual) (y, d reg.VecVirtual) {
			y, d = YMM(), YMM()
			positive, below, six := YMM(), YMM(), number(6)
			VCMPPS(notLessEqual, number(0), x, positive)
			VCMPPS(notGreaterEqual, six, x, below)
			VBLENDVPS(below, x, six, y)
			VANDPS(positive, y, y)
			VANDPS(positive, below, d)
			VANDPS(number(1), d, d)
			return y, d
		}},
		{"leakyReLU", func(x reg.VecVirtual) (y, d reg.VecVirtual) {
			y, d = YMM(), YMM()
			positive, leak := YMM(), number(.2)
			VCMPPS(greater, number(0), x, positive)
			VMULPS(leak, x, y)
			VBLENDVPS(positive, x, y, y)
			VBLENDVPS(positive, number(1), leak, d)
			return y, d
		}},
		{"swish", func(x reg.VecVirtual) (y, d reg.VecVirtual) {
			y, d = YMM(), YMM()
			s := sigmoid(x)
			VMULPS(s, x, y)
			VSUBPS(s, number(1), d)
			VMULPS(y, d, d)
			VADDPS(s, d, d)
			return y, d
		}},
		{"sigmoid", func(x reg.VecVirtual) (y, d reg.VecVirtual) {
			d = YMM()
			s := sigmoid(x)
			VSUBPS(s, number(1), d)
			VMULPS(s, d, d)
			return s, d
		}},
		{"tanh", func(x reg.VecVirtual) (y, d reg.VecVirtual) {
			y, d = YMM(), YMM()
			two, one := number(2), number(1)
			twice := YMM()
			VMULPS(two, x, twice)
			s := sigmoid(twice)
			VMULPS(number(2), s, y)
			VSUBPS(one, y, y)
			VMULPS(y, y, d)
			VSUBPS(d, one, d)
			return y, d
		}},
	} {
		name := f.name + "AVX2"
		TEXT(name, NOSPLIT, "func(n int, z *float32, y *float32, d *float32, mask *int32)")
		Doc(name + " sets y to the activation of z and d to its derivative.")
		Pragma("noescape")
		n := Load(Param("n"), GP64())
		z, y, d := Load(Param("z"), GP64()), Load(Param("y"), GP64()), Load(Param("d"), GP64())
		Label("loop" + name)
		CMPQ(n, Imm(8))
		JL(LabelRef("tail" + name))
		x := YMM()
		VMOVUPS(Mem{Base: z}, x)
		value, slope := f.body(x)
		VMOVUPS(value, Mem{Base: y})
		VMOVUPS(slope, Mem{Base: d})
		for _, p := range []reg.Register{z, y, d} {
			ADDQ(Imm(32), p)
		}
		SUBQ(Imm(8), n)
		JMP(LabelRef("loop" + name))
		Label("tail" + name)
		TESTQ(n, n)
		JZ(LabelRef("end" + name))
		mp, mask := Load(Param("mask"), GP64()), YMM()
		VMOVUPS(Mem{Base: mp}, mask)
		x = YMM()
		VMASKMOVPS(Mem{Base: z}, mask, x)
		value, slope = f.body(x)
		VMASKMOVPS(value, mask, Mem{Base: y})
		VMASKMOVPS(slope, mask, Mem{Base: d})
		Label("end" + name)
		VZEROUPPER()
		RET()
	}
}

// addProduct computes z += x∘y, fused.
func addProduct() {
	TEXT("addProductAVX2", NOSPLIT, "func(n int, x *float32, y *float32, z *float32, mask *int32)")
	Doc("addProductAVX2 computes z += x∘y with one rounding.")
	Pragma("noescape")
	n := Load(Param("n"), GP64())
	x, y, z := Load(Param("x"), GP64()), Load(Param("y"), GP64()), Load(Param("z"), GP64())
	Label("loopProduct")
	CMPQ(n, Imm(8))
	JL(LabelRef("tailProduct"))
	a, c := YMM(), YMM()
	VMOVUPS(Mem{Base: x}, a)
	VMOVUPS(Mem{Base: z}, c)
	VFMADD231PS(Mem{Base: y}, a, c)
	VMOVUPS(c, Mem{Base: z})
	for _, p := range []reg.Register{x, y, z} {
		ADDQ(Imm(32), p)
	}
	SUBQ(Imm(8), n)
	JMP(LabelRef("loopProduct"))
	Label("tailProduct")
	TESTQ(n, n)
	JZ(LabelRef("endProduct"))
	mp, mask := Load(Param("mask"), GP64()), YMM()
	VMOVUPS(Mem{Base: mp}, mask)
	a, c = YMM(), YMM()
	b := YMM()
	VMASKMOVPS(Mem{Base: x}, mask, a)
	VMASKMOVPS(Mem{Base: y}, mask, b)
	VMASKMOVPS(Mem{Base: z}, mask, c)
	VFMADD231PS(b, a, c)
	VMASKMOVPS(c, mask, Mem{Base: z})
	Label("endProduct")
	VZEROUPPER()
	RET()
}
