package yamlnode

import (
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// The numbers of YAML 1.2's core schema (§10.3.2). The parser's own are those of
// YAML 1.1 in part: to it 1e-5 is text, 017 is 15 and 1_000 is 1000.
var (
	integer = regexp.MustCompile(`^([-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$`)
	decimal = regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)
)

// plain is what a scalar without quotes stands for: an int64 where it is
// negative, else a uint64; a float64, also of what is too large for those; or the
// text itself.
func plain(s string) any {
	switch {
	case integer.MatchString(s):
		v := new(big.Int)
		switch {
		case strings.HasPrefix(s, "0o"):
			v.SetString(s[2:], 8)
		case strings.HasPrefix(s, "0x"):
			v.SetString(s[2:], 16)
		default:
			v.SetString(s, 10)
		}
		switch {
		case v.IsUint64():
			return v.Uint64()
		case v.IsInt64():
			return v.Int64()
		}
		f, _ := new(big.Float).SetInt(v).Float64()
		return f
	case decimal.MatchString(s):
		f, _ := strconv.ParseFloat(s, 64) // out of range: infinite
		return f
	}
	return s
}
