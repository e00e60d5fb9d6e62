package text

import (
	"cmp"
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"tnaml/nn/child"
	"tnaml/nn/sparse"
)

// NGramsVersion is part of every trial's identity: it changes whenever a task
// gets other n-grams.
const NGramsVersion = 1

const (
	// maxNGram is the length of the longest n-gram.
	maxNGram = child.MaxWideNGrams
	// maxNGrams bounds their number: what the wide tower of a long-winded task
	// holds, and every model that is stored.
	maxNGrams = 1 << 16
	// minNGramCount is how often an n-gram must occur in the training split.
	minNGramCount = 2
)

// NGrams are the sequences of two to Longest tokens that the wide tower sees
// beside the tokens: of tokens that it sees, in the training split at least
// twice, and the 65,536 most frequent of them. The paper's wide tower has the
// tokens alone; that of Cheng et al. (2016), whose model it is, has crosses of
// features, which for a text n-grams are (Wang and Manning, 2012).
type NGrams struct {
	// Longest is the number of tokens of the longest, 1 where there are none.
	Longest int
	grams   []gram
	index   map[gram]int32
}

// gram is a sequence of token ids, each one more than it is, in bits of its own;
// the first token has the lowest.
type gram uint64

// gramBits is the room of a token. Tokens that need more, the rarest of a huge
// vocabulary, take no part.
const gramBits = 64 / maxNGram

// Len returns the number of n-grams.
func (g *NGrams) Len() int {
	if g == nil {
		return 0
	}
	return len(g.grams)
}

// NGrams finds the task's n-grams of up to longest tokens: by falling count in
// the training split, then by their tokens.
func (t *Task) NGrams(longest int) (*NGrams, error) {
	if longest < 1 || longest > maxNGram {
		return nil, fmt.Errorf("task %s: n-grams of up to %d tokens: there can be 1 to %d", t.Name, longest, maxNGram)
	}
	g := &NGrams{Longest: longest}
	var all []gram
	for i := range t.Train.Len() {
		t.each(t.Train.IDs[t.Train.Offsets[i]:t.Train.Offsets[i+1]], longest, func(x gram) { all = append(all, x) })
	}
	slices.Sort(all)
	type counted struct {
		gram
		n int
	}
	var often []counted
	for i := 0; i < len(all); {
		end := i + 1
		for end < len(all) && all[end] == all[i] {
			end++
		}
		if end-i >= minNGramCount {
			often = append(often, counted{all[i], end - i})
		}
		i = end
	}
	slices.SortFunc(often, func(a, b counted) int { return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.gram, b.gram)) })
	for _, c := range often[:min(len(often), maxNGrams)] {
		g.grams = append(g.grams, c.gram)
	}
	g.enter()
	return g, nil
}

// enter makes the index of the n-grams.
func (g *NGrams) enter() {
	g.index = make(map[gram]int32, len(g.grams))
	for i, x := range g.grams {
		g.index[x] = int32(i)
	}
}

// each calls f with the n-grams that end at each token in turn, the shorter
// first. N-grams do not reach across a token that the wide tower does not see, or that is
// unknown.
func (t *Task) each(ids []int32, longest int, f func(gram)) {
	seen := int32(min(t.WideVocabulary, 1<<gramBits-1))
	run := 0
	for k, id := range ids {
		if id == unknown || id >= seen {
			run = 0
			continue
		}
		run++
		x := gram(id + 1)
		for n := 2; n <= min(longest, run); n++ {
			x = x<<gramBits | gram(ids[k+1-n]+1)
			f(x)
		}
	}
}

// Encode returns the n-grams as rows of Longest token ids, filled up with −1.
func (g *NGrams) Encode() []int32 {
	out := make([]int32, 0, g.Len()*g.Longest)
	for _, x := range g.grams {
		for range g.Longest {
			out = append(out, int32(x&(1<<gramBits-1))-1)
			x >>= gramBits
		}
	}
	return out
}

// DecodeNGrams reads what Encode gave for a task.
func (t *Task) DecodeNGrams(rows []int32, longest int) (*NGrams, error) {
	if longest < 2 || longest > maxNGram || len(rows)%longest != 0 || len(rows)/longest > maxNGrams {
		return nil, fmt.Errorf("n-grams: %d ids for rows of %d", len(rows), longest)
	}
	g := &NGrams{Longest: longest}
	for row := range slices.Chunk(rows, longest) {
		n := len(row)
		for n > 0 && row[n-1] == -1 {
			n--
		}
		var x gram
		for k, id := range slices.Backward(row[:n]) {
			if id < 0 || int(id) >= t.WideVocabulary || bits.Len32(uint32(id)+1) > gramBits {
				return nil, fmt.Errorf("n-gram %d: token %d is none of the wide tower's %d", len(g.grams), row[k], t.WideVocabulary)
			}
			x = x<<gramBits | gram(id+1)
		}
		if n < 2 {
			return nil, fmt.Errorf("n-gram %d has %d tokens", len(g.grams), n)
		}
		g.grams = append(g.grams, x)
	}
	if g.enter(); len(g.index) != len(g.grams) {
		return nil, errors.New("n-grams: one is there twice")
	}
	return g, nil
}

// appendOneHot puts what the wide tower sees of a split whose bags are e into a matrix that
// has no rows yet. The split may have tokens that are unknown, which the bags lack.
func (t *Task) appendOneHot(out *sparse.Matrix, s *Split, e *child.Examples, g *NGrams) {
	out.Offsets = append(out.Offsets, 0)
	rows := int32(t.WideVocabulary)
	for i := range s.Labels {
		bag := e.IDs[e.Offsets[i]:e.Offsets[i+1]]
		known, _ := slices.BinarySearch(bag, rows)
		out.IDs = append(out.IDs, bag[:known]...)
		first := len(out.IDs)
		t.each(s.IDs[s.Offsets[i]:s.Offsets[i+1]], g.Longest, func(x gram) {
			if id, ok := g.index[x]; ok {
				out.IDs = append(out.IDs, rows+id)
			}
		})
		slices.Sort(out.IDs[first:])
		out.IDs = out.IDs[:first+len(slices.Compact(out.IDs[first:]))]
		out.Offsets = append(out.Offsets, int32(len(out.IDs)))
	}
}
