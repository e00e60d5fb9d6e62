package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

var constants64 = map[uint64]Mem{}

// all64 returns a register with one number of 64 bits in all lanes.
func all64(bits uint64) reg.VecVirtual {
	m, ok := constants64[bits]
	if !ok {
		m = ConstData(fmt.Sprintf("number%016x", bits), U64(bits))
		constants64[bits] = m
	}
	v := YMM()
	VBROADCASTSD(m, v)
	return v
}

func number64(f float64) reg.VecVirtual { return all64(math.Float64bits(f)) }

func broadcastParam(name string) reg.VecVirtual {
	v := YMM()
	p, _ := Param(name).Resolve()
	VBROADCASTSD(p.Addr, v)
	return v
}

func loadMask(name string) reg.VecVirtual {
	p, m := Load(Param(name), GP64()), YMM()
	VMOVUPD(Mem{Base: p}, m)
	return m
}

// double are the kernels of the controller, in AVX2 alone: its matrices are
// small, and every processor with these kernels then has the same sums.
func double() {
	rowSums64()
	dots64()
	logistic64()
	adam64()
}

// rowSums64 adds weighted rows of a matrix, up to 8 vectors of columns in
// registers: products with a transposed matrix, and sums of outer products.
func rowSums64() {
	for vectors := 1; vectors <= 8; vectors++ {
		name := fmt.Sprintf("rowSums64x%d", vectors)
		TEXT(name, NOSPLIT, "func(dst *float64, matrix *float64, stride int, weights *float64, step int, n int, accumulate bool, mask *int64)")
		Pragma("noescape")
		Doc(name + " sets or adds to dst the sum of n rows, each times its weight.")
		matrix, stride := Load(Param("matrix"), GP64()), Load(Param("stride"), GP64())
		weights, step := Load(Param("weights"), GP64()), Load(Param("step"), GP64())
		n, dst := Load(Param("n"), GP64()), Load(Param("dst"), GP64())
		SHLQ(Imm(3), stride)
		SHLQ(Imm(3), step)
		mask := loadMask("mask")
		acc := make([]reg.VecVirtual, vectors)
		for i := range acc {
			acc[i] = YMM()
			VXORPD(acc[i], acc[i], acc[i])
		}
		accumulate := Load(Param("accumulate"), GP8())
		TESTB(accumulate, accumulate)
		JZ(LabelRef("start" + name))
		for i := range acc {
			if i < vectors-1 {
				VMOVUPD(Mem{Base: dst, Disp: 32 * i}, acc[i])
			} else {
				VMASKMOVPD(Mem{Base: dst, Disp: 32 * i}, mask, acc[i])
			}
		}
		Label("start" + name)
		TESTQ(n, n)
		JZ(LabelRef("end" + name))
		Label("loop" + name)
		w := YMM()
		VBROADCASTSD(Mem{Base: weights}, w)
		for i := range acc {
			if i < vectors-1 {
				VFMADD231PD(Mem{Base: matrix, Disp: 32 * i}, w, acc[i])
			} else {
				x := YMM()
				VMASKMOVPD(Mem{Base: matrix, Disp: 32 * i}, mask, x)
				VFMADD231PD(x, w, acc[i])
			}
		}
		ADDQ(stride, matrix)
		ADDQ(step, weights)
		DECQ(n)
		JNZ(LabelRef("loop" + name))
		Label("end" + name)
		for i := range acc {
			if i < vectors-1 {
				VMOVUPD(acc[i], Mem{Base: dst, Disp: 32 * i})
			} else {
				VMASKMOVPD(acc[i], mask, Mem{Base: dst, Disp: 32 * i})
			}
		}
		VZEROUPPER()
		RET()
	}
}

// dots64 adds the products of rows with a vector to y, four rows or one at a time.
func dots64() {
	for _, rows := range []int{4, 1} {
		name := fmt.Sprintf("dots64x%d", rows)
		TEXT(name, NOSPLIT, "func(y *float64, matrix *float64, stride int, x *float64, n int, mask *int64)")
		Pragma("noescape")
		Doc(fmt.Sprintf("%s adds x·row to y for %d rows of n elements, the last n mod 4 under the mask.", name, rows))
		matrix, stride := Load(Param("matrix"), GP64()), Load(Param("stride"), GP64())
		x, n := Load(Param("x"), GP64()), Load(Param("n"), GP64())
		SHLQ(Imm(3), stride)
		base := []reg.Register{matrix}
		for len(base) < rows {
			p := GP64()
			LEAQ(Mem{Base: base[len(base)-1], Index: stride, Scale: 1}, p)
			base = append(base, p)
		}
		// Two chains a row.
		acc := make([][2]reg.VecVirtual, rows)
		for r := range acc {
			for i := range acc[r] {
				acc[r][i] = YMM()
				VXORPD(acc[r][i], acc[r][i], acc[r][i])
			}
		}
		advance := func(bytes uint64) {
			ADDQ(Imm(bytes), x)
			for _, p := range base {
				ADDQ(Imm(bytes), p)
			}
		}
		Label("loop" + name)
		CMPQ(n, Imm(8))
		JL(LabelRef("four" + name))
		for i := range 2 {
			v := YMM()
			VMOVUPD(Mem{Base: x, Disp: 32 * i}, v)
			for r := range acc {
				VFMADD231PD(Mem{Base: base[r], Disp: 32 * i}, v, acc[r][i])
			}
		}
		advance(64)
		SUBQ(Imm(8), n)
		JMP(LabelRef("loop" + name))
		Label("four" + name)
		CMPQ(n, Imm(4))
		JL(LabelRef("tail" + name))
		v := YMM()
		VMOVUPD(Mem{Base: x}, v)
		for r := range acc {
			VFMADD231PD(Mem{Base: base[r]}, v, acc[r][0])
		}
		advance(32)
		SUBQ(Imm(4), n)
		Label("tail" + name)
		TESTQ(n, n)
		JZ(LabelRef("end" + name))
		mask := loadMask("mask")
		v = YMM()
		VMASKMOVPD(Mem{Base: x}, mask, v)
		for r := range acc {
			row := YMM()
			VMASKMOVPD(Mem{Base: base[r]}, mask, row)
			VFMADD231PD(row, v, acc[r][1])
		}
		Label("end" + name)
		y := Load(Param("y"), GP64())
		for r := range acc {
			VADDPD(acc[r][1], acc[r][0], acc[r][0])
			high, low := XMM(), acc[r][0].AsX()
			VEXTRACTF128(Imm(1), acc[r][0], high)
			VADDPD(high, low, low)
			VPERMILPD(Imm(1), low, high)
			VADDSD(high, low, low)
			VADDSD(Mem{Base: y, Disp: 8 * r}, low, low)
			VMOVSD(low, Mem{Base: y, Disp: 8 * r})
		}
		VZEROUPPER()
		RET()
	}
}

// logistic64 computes v = a + b/(1 + exp(c·v)), exp by range reduction and a
// polynomial in fused multiply-adds, as logistic has it.
func logistic64() {
	name := "logistic64"
	TEXT(name, NOSPLIT, "func(n int, v *float64, a float64, b float64, c float64, mask *int64)")
	Pragma("noescape")
	Doc("logistic64 sets v to a + b/(1 + exp(c·v)).")
	n, v := Load(Param("n"), GP64()), Load(Param("v"), GP64())
	a, b, c := broadcastParam("a"), broadcastParam("b"), broadcastParam("c")
	body := func(x reg.VecVirtual) {
		z, k, r := YMM(), YMM(), YMM()
		VMULPD(c, x, z)
		VMINPD(z, number64(708), z) // NaN passes: the second operand is returned
		VMAXPD(z, number64(-708), z)
		VMULPD(number64(math.Log2E), z, k)
		VROUNDPD(Imm(0), k, k)
		VMOVAPD(z, r)
		VFNMADD231PD(number64(ln2High), k, r)
		VFNMADD231PD(number64(ln2Low), k, r)
		p := number64(exponentials[len(exponentials)-1])
		for i := len(exponentials) - 2; i >= 0; i-- {
			VFMADD213PD(number64(exponentials[i]), r, p)
		}
		bits, wide := XMM(), YMM()
		VCVTTPD2DQY(k, bits)
		VPMOVSXDQ(bits, wide)
		VPADDQ(all64(1023), wide, wide)
		VPSLLQ(Imm(52), wide, wide)
		VMULPD(wide, p, p)
		VADDPD(number64(1), p, p)
		VDIVPD(p, b, x)
		VADDPD(x, a, x)
	}
	Label("loop" + name)
	CMPQ(n, Imm(4))
	JL(LabelRef("tail" + name))
	x := YMM()
	VMOVUPD(Mem{Base: v}, x)
	body(x)
	VMOVUPD(x, Mem{Base: v})
	ADDQ(Imm(32), v)
	SUBQ(Imm(4), n)
	JMP(LabelRef("loop" + name))
	Label("tail" + name)
	TESTQ(n, n)
	JZ(LabelRef("end" + name))
	mask := loadMask("mask")
	x = YMM()
	VMASKMOVPD(Mem{Base: v}, mask, x)
	body(x)
	VMASKMOVPD(x, mask, Mem{Base: v})
	Label("end" + name)
	VZEROUPPER()
	RET()
}

// The parts of ln 2, and the coefficients of eˣ.
const (
	ln2High = 6.93147180369123816490e-01
	ln2Low  = 1.90821492927058770002e-10
)

var exponentials = func() (c [14]float64) {
	c[0] = 1
	for i := 1; i < len(c); i++ {
		c[i] = c[i-1] / float64(i)
	}
	return c
}()

// adam64 is Adam's step, in the order of adam's operations and without fused ones.
func adam64() {
	name := "adam64"
	TEXT(name, NOSPLIT, "func(n int, value *float64, first *float64, second *float64, gradient *float64, "+
		"scale float64, beta1 float64, beta2 float64, rate float64, correction float64, epsilon float64)")
	Pragma("noescape")
	Doc("adam64 takes Adam's step on n weights, a multiple of 4.")
	n := Load(Param("n"), GP64())
	value, first := Load(Param("value"), GP64()), Load(Param("first"), GP64())
	second, gradient := Load(Param("second"), GP64()), Load(Param("gradient"), GP64())
	scale, beta1, beta2 := broadcastParam("scale"), broadcastParam("beta1"), broadcastParam("beta2")
	rate, correction, epsilon := broadcastParam("rate"), broadcastParam("correction"), broadcastParam("epsilon")
	one, rest1, rest2 := number64(1), YMM(), YMM()
	VSUBPD(beta1, one, rest1)
	VSUBPD(beta2, one, rest2)
	Label("loop" + name)
	g, m, v, t := YMM(), YMM(), YMM(), YMM()
	VMULPD(Mem{Base: gradient}, scale, g)
	VMULPD(Mem{Base: first}, beta1, m)
	VMULPD(g, rest1, t)
	VADDPD(t, m, m)
	VMOVUPD(m, Mem{Base: first})
	VMULPD(g, rest2, t)
	VMULPD(g, t, t)
	VMULPD(Mem{Base: second}, beta2, v)
	VADDPD(t, v, v)
	VMOVUPD(v, Mem{Base: second})
	VMULPD(correction, v, v)
	VSQRTPD(v, v)
	VADDPD(epsilon, v, v)
	VMULPD(rate, m, m)
	VDIVPD(v, m, m)
	VADDPD(Mem{Base: value}, m, m)
	VMOVUPD(m, Mem{Base: value})
	for _, p := range []reg.Register{value, first, second, gradient} {
		ADDQ(Imm(32), p)
	}
	SUBQ(Imm(4), n)
	JNZ(LabelRef("loop" + name))
	VZEROUPPER()
	RET()
}
