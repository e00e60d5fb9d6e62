package embedding

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// Neighbour is a token near another one.
type Neighbour struct {
	Token string `json:"token"`
	// Cosine similarity, in [−1, 1].
	Cosine float64 `json:"cosine"`
}

// Neighbours returns the k tokens nearest to a token by cosine similarity,
// nearest first, without the token itself; nil where the module lacks it. It
// looks at every vector.
func (m *Module) Neighbours(token string, k int) []Neighbour {
	row := slices.Index(m.Tokens, token)
	if row < 0 {
		return nil
	}
	v := m.Vectors[row*m.Dim : (row+1)*m.Dim]
	out := make([]Neighbour, 0, len(m.Tokens))
	for i, other := range m.Tokens {
		if i != row {
			out = append(out, Neighbour{other, cosine(v, m.Vectors[i*m.Dim:(i+1)*m.Dim])})
		}
	}
	slices.SortFunc(out, func(a, b Neighbour) int {
		return cmp.Or(cmp.Compare(b.Cosine, a.Cosine), strings.Compare(a.Token, b.Token))
	})
	return out[:min(max(k, 0), len(out))]
}

// cosine is a·b / (‖a‖ ‖b‖), 0 where one of them is zero.
func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		ab += x * y
		aa += x * x
		bb += y * y
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}
