package embedding

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Corpus is tokenised unlabelled text: document i holds the token ids
// IDs[Offsets[i]:Offsets[i+1]], which index Words. Words may be in any order
// and need not all occur.
type Corpus struct {
	Words   []string
	Offsets []int
	IDs     []int32
}

// Documents returns the number of documents.
func (c *Corpus) Documents() int { return max(0, len(c.Offsets)-1) }

// Tokens makes a corpus of tokenised documents.
func Tokens(documents [][]string) *Corpus {
	c := &Corpus{Offsets: make([]int, 1, len(documents)+1)}
	index := map[string]int32{}
	for _, doc := range documents {
		for _, token := range doc {
			id, ok := index[token]
			if !ok {
				id = int32(len(c.Words))
				index[token] = id
				c.Words = append(c.Words, token)
			}
			c.IDs = append(c.IDs, id)
		}
		c.Offsets = append(c.Offsets, len(c.IDs))
	}
	return c
}

// counted is a corpus over the vocabulary to be trained: ids by falling count,
// rarer words left out.
type counted struct {
	words   []string
	counts  []int
	offsets []int
	ids     []int32
}

// count builds the vocabulary: words that occur at least minCount times, at
// most maxVocabulary of them, by falling count, then by word.
func count(c *Corpus, minCount, maxVocabulary int) (*counted, error) {
	if len(c.Offsets) == 0 || c.Offsets[0] != 0 || c.Offsets[len(c.Offsets)-1] != len(c.IDs) || !slices.IsSorted(c.Offsets) {
		return nil, fmt.Errorf("embedding: offsets do not partition the corpus of %d tokens", len(c.IDs))
	}
	n := make([]int, len(c.Words))
	for _, id := range c.IDs {
		if id < 0 || int(id) >= len(n) {
			return nil, fmt.Errorf("embedding: token id %d in a corpus of %d words", id, len(n))
		}
		n[id]++
	}
	var order []int32
	for id, k := range n {
		if k >= minCount {
			order = append(order, int32(id))
		}
	}
	slices.SortFunc(order, func(a, b int32) int {
		return cmp.Or(cmp.Compare(n[b], n[a]), strings.Compare(c.Words[a], c.Words[b]))
	})
	order = order[:min(len(order), maxVocabulary)]
	out := &counted{offsets: make([]int, 1, len(c.Offsets)), ids: make([]int32, 0, len(c.IDs))}
	to := make([]int32, len(c.Words))
	for i := range to {
		to[i] = -1
	}
	for i, id := range order {
		to[id] = int32(i)
		out.words = append(out.words, c.Words[id])
		out.counts = append(out.counts, n[id])
	}
	for d := range c.Documents() {
		for _, id := range c.IDs[c.Offsets[d]:c.Offsets[d+1]] {
			if to[id] >= 0 {
				out.ids = append(out.ids, to[id])
			}
		}
		out.offsets = append(out.offsets, len(out.ids))
	}
	return out, nil
}
