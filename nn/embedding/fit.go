package embedding

import (
	"fmt"

	"tnaml/nn/blas"
	"tnaml/nn/rng"
)

const (
	// fitPasses and fitRate are those of FitSubword: the rate falls linearly from
	// fitRate to 0.
	fitPasses = 20
	fitRate   = 0.5
)

// FitSubword gives a module vectors of character n-grams, such that the mean of
// a word's n-grams comes near its vector, by least squares: so that words it
// lacks get vectors too ("bag of subwords": Zhao, Mudgal and Liang, 2018). It
// takes the words one after the other and moves their n-grams by a share of
// what is missing (Kaczmarz's method, under-relaxed). The tokens keep their
// vectors. In a standardised module the n-grams are fitted to the words' vectors
// as they were before any weights of frequency, and what they make gets the
// length of those. Equal arguments give equal vectors, bit for bit on one instruction
// set. A module that has subwords gets others.
func (m *Module) FitSubword(s Subword) error {
	fitted, err := s.withDefaults()
	if err != nil {
		return fmt.Errorf("module %s: %w", m.Name, err)
	}
	if m.Subword != nil && m.Subword.Kind == Pieces {
		return fmt.Errorf("module %s: its tokens are pieces of words, of which other words are made already", m.Name)
	}
	fitted.Length, fitted.Vectors = m.Length, make([]float32, fitted.Buckets*m.Dim)
	if m.Subword != nil { // of a module that was stored without a length of its own
		fitted.Length = max(m.Length, m.Subword.Length)
	}
	missing, target := make([]float32, m.Dim), make([]float32, m.Dim)
	var grams []int32
	var weights []float32
	for pass := range fitPasses {
		rate := fitRate * float32(fitPasses-pass) / fitPasses
		for _, w := range rng.New(0, "embedding/fit", uint64(pass)).Perm(len(m.Tokens)) {
			if grams = fitted.ngrams(grams[:0], m.Tokens[w]); len(grams) == 0 {
				continue
			}
			weights = weights[:0]
			for range grams {
				weights = append(weights, -1/float32(len(grams)))
			}
			blas.Gather(missing, fitted.Vectors, m.Dim, grams, weights)
			copy(target, m.Vectors[w*m.Dim:][:m.Dim])
			if size := norm64(target); fitted.Length > 0 && size > 0 {
				scaleBy(target, fitted.Length/size)
			}
			blas.Add(target, missing)
			for i := range weights {
				weights[i] = rate
			}
			blas.Scatter(fitted.Vectors, m.Dim, grams, weights, missing)
		}
	}
	m.Subword = fitted
	return m.Validate()
}
