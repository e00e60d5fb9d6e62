//go:build noasm || gccgo || safe

package child

// gonumSuffix tells gonum's plain loops from its assembly.
const gonumSuffix = "-noasm"
