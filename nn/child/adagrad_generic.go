//go:build !amd64 || noasm || gccgo || safe

package child

// adagradVector takes no steps: proximalAdagrad's loops take all.
func adagradVector(value, sum, grad []float32, rate, l2 float32) int { return 0 }
