//go:build !noasm && !gccgo && !safe

package child

// gonumSuffix tells gonum's assembly from its plain loops, which add in another
// order; the build constraint is gonum's own.
const gonumSuffix = ""
