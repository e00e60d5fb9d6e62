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

// Neighbours returns the k tokens nearest to a word by cosine similarity,
// nearest first, without the word itself; nil where the module knows no vector
// for it. It looks at every vector.
func (m *Module) Neighbours(word string, k int) []Neighbour {
	v := make([]float32, m.Dim)
	if m.Lookup().Vector(v, word) == Unknown {
		return nil
	}
	return m.Nearest(v, k, word)
}

// Nearest returns the k tokens nearest to a vector of length Dim by cosine
// similarity, nearest first, but for some.
func (m *Module) Nearest(v []float32, k int, but ...string) []Neighbour {
	if m.Subword != nil && m.Subword.Kind == Pieces {
		for _, word := range but {
			but = append(but, boundary+digits(word))
		}
	}
	out := make([]Neighbour, 0, len(m.Tokens))
	for i, other := range m.Tokens {
		if !slices.Contains(but, other) {
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
