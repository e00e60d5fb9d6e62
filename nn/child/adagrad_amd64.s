//go:build !noasm && !gccgo && !safe

#include "textflag.h"

// Four weights at a time, by the operations of the Go loops in adagrad.go in
// their order. SSE2 rounds each as the scalar instructions do, so both give
// the same bits. The number of weights is a multiple of 4.

// func adagradBlocks(value, sum, grad *float32, n int, rate float32)
TEXT ·adagradBlocks(SB), NOSPLIT, $0-36
	MOVQ   value+0(FP), DI
	MOVQ   sum+8(FP), SI
	MOVQ   grad+16(FP), DX
	MOVQ   n+24(FP), CX
	MOVSS  rate+32(FP), X0
	SHUFPS $0, X0, X0
	SHRQ   $2, CX
	JZ     done

loop:
	MOVUPS (DX), X1
	MOVUPS (SI), X2
	MOVUPS (DI), X4
	MOVAPS X1, X3
	MULPS  X3, X3     // g²
	ADDPS  X3, X2     // s += g²
	MOVUPS X2, (SI)
	SQRTPS X2, X2
	MULPS  X0, X1     // rate·g
	DIVPS  X2, X1
	SUBPS  X1, X4     // w − rate·g/√s
	MOVUPS X4, (DI)
	ADDQ   $16, DX
	ADDQ   $16, SI
	ADDQ   $16, DI
	DECQ   CX
	JNZ    loop

done:
	RET

// func adagradShrinkBlocks(value, sum, grad *float32, n int, rate, l2 float32)
TEXT ·adagradShrinkBlocks(SB), NOSPLIT, $0-40
	MOVQ   value+0(FP), DI
	MOVQ   sum+8(FP), SI
	MOVQ   grad+16(FP), DX
	MOVQ   n+24(FP), CX
	MOVSS  rate+32(FP), X0
	SHUFPS $0, X0, X0
	MOVSS  l2+36(FP), X6
	SHUFPS $0, X6, X6
	MOVL   $0x3f800000, AX // 1
	MOVL   AX, X7
	SHUFPS $0, X7, X7
	MOVL   $0x7fffffff, AX // all but the sign
	MOVL   AX, X8
	SHUFPS $0, X8, X8
	MOVL   $0x1e3ce508, AX // tiny
	MOVL   AX, X9
	SHUFPS $0, X9, X9
	SHRQ   $2, CX
	JZ     done

loop:
	MOVUPS (DX), X1
	MOVUPS (SI), X2
	MOVUPS (DI), X4
	MOVAPS X1, X3
	MULPS  X3, X3        // g²
	ADDPS  X3, X2        // s += g²
	MOVUPS X2, (SI)
	SQRTPS X2, X2
	MOVAPS X0, X5
	DIVPS  X2, X5        // η = rate/√s
	MULPS  X5, X1        // η·g
	SUBPS  X1, X4
	MULPS  X6, X5
	ADDPS  X7, X5        // 1 + η·l2
	DIVPS  X5, X4
	MOVAPS X4, X10
	ANDPS  X8, X10
	CMPPS  X9, X10, $5   // not below tiny: true of NaN, too
	ANDPS  X10, X4
	MOVUPS X4, (DI)
	ADDQ   $16, DX
	ADDQ   $16, SI
	ADDQ   $16, DI
	DECQ   CX
	JNZ    loop

done:
	RET
