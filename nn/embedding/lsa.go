package embedding

import "math"

// trainLSA is latent semantic analysis (Deerwester et al., 1990): the words ×
// documents matrix with log-entropy weights (Dumais, 1991),
//
//	ln(1 + n(w,d)) · (1 + Σ_d p(d|w) ln p(d|w) / ln D),
//
// factorised as trainSVD does. Words are near each other that occur in the same
// documents, not those with the same neighbours: good and bad, which take each
// other's place in a sentence, are far apart if a text as a whole is for or
// against something.
func trainLSA(c *counted, o TrainOptions) ([]float32, error) {
	return factorise(wordsByDocuments(c), o)
}

func wordsByDocuments(c *counted) *sparse {
	n, documents := len(c.words), len(c.offsets)-1
	// Counting by word makes rows; documents come in order within each.
	m := &sparse{columns: documents, start: make([]int, n+1)}
	last := make([]int, n) // the document a word was last seen in, plus one
	for d := range documents {
		for _, w := range c.ids[c.offsets[d]:c.offsets[d+1]] {
			if last[w] != d+1 {
				last[w] = d + 1
				m.start[w+1]++
			}
		}
	}
	for i := range n {
		m.start[i+1] += m.start[i]
	}
	m.column, m.value = make([]int32, m.start[n]), make([]float32, m.start[n])
	at := append([]int(nil), m.start...)
	clear(last)
	for d := range documents {
		for _, w := range c.ids[c.offsets[d]:c.offsets[d+1]] {
			if last[w] != d+1 {
				last[w] = d + 1
				m.column[at[w]] = int32(d)
				at[w]++
			}
			m.value[at[w]-1]++
		}
	}
	rows(n, func(w int) {
		row := m.value[m.start[w]:m.start[w+1]]
		entropy := 0.0
		for _, k := range row {
			p := float64(k) / float64(c.counts[w])
			entropy -= p * math.Log(p)
		}
		weight := 1 - entropy/math.Log(float64(max(documents, 2)))
		for i, k := range row {
			row[i] = float32(weight * math.Log1p(float64(k)))
		}
	})
	return m
}
