package text

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"tnaml/nn/sparse"
)

// FeaturesVersion changes whenever a task gets other features or another order of them.
const FeaturesVersion = 1

const (
	// MaxFeatures bounds the number of a task's features.
	MaxFeatures = 1 << 18
	// MaxWords is the length of the longest n-gram of words.
	MaxWords = maxNGram
	// minCharacters and maxCharacters are the lengths of n-grams of characters.
	minCharacters, maxCharacters = 2, 5
	// maxGramTokens is how many of the vocabulary take part in n-grams of words.
	maxGramTokens = 1<<gramBits - 1
)

// Features says what is counted of texts.
type Features struct {
	// Words is the length of the longest n-gram of tokens, up to 3; 0 for none.
	Words int
	// Characters is the length of the longest n-gram of characters, 2 to 5, the
	// shortest being 2; 0 for none. They lie within a token, whose ends have a space
	// as boundary mark: scikit-learn's char_wb of the tokens.
	Characters int
}

// Validate reports everything that there cannot be.
func (f Features) Validate() error {
	var errs []error
	if f.Words < 0 || f.Words > MaxWords {
		errs = append(errs, fmt.Errorf("n-grams of up to %d words: there can be up to %d", f.Words, MaxWords))
	}
	if f.Characters != 0 && (f.Characters < minCharacters || f.Characters > maxCharacters) {
		errs = append(errs, fmt.Errorf("n-grams of up to %d characters: there can be %d to %d, or 0 for none", f.Characters, minCharacters,
			maxCharacters))
	}
	if f.Words == 0 && f.Characters == 0 {
		errs = append(errs, errors.New("features of neither words nor characters"))
	}
	return errors.Join(errs...)
}

// FeatureIndex numbers the features of a task: by falling count in the training
// split, then words before characters, then by their texts, those of words word for
// word; at most MaxFeatures. It is safe for concurrent use.
type FeatureIndex struct {
	Features
	task   *Task
	grams  []gram   // of features of words, by their number; 0 elsewhere
	pieces []string // of features of characters; "" elsewhere
	// What finds them: of a single token, of longer n-grams, of pieces; and the pieces
	// of each token of the vocabulary, as often as they occur in it.
	single        []int32
	longer        map[gram]int32
	pieceOf       map[string]int32
	pieceOffsets  []int32
	piecesOfToken []int32
}

// Len returns the number of features.
func (x *FeatureIndex) Len() int { return len(x.grams) }

// ofWords marks the features that are n-grams of words; nil where all are.
func (x *FeatureIndex) ofWords() []bool {
	if x.Characters == 0 {
		return nil
	}
	out := make([]bool, len(x.grams))
	for i, g := range x.grams {
		out[i] = g != 0
	}
	return out
}

// Index finds the task's features in its training split.
func (t *Task) Index(f Features) (*FeatureIndex, error) {
	if err := f.Validate(); err != nil {
		return nil, fmt.Errorf("task %s: %w", t.Name, err)
	}
	grams, ofGrams := t.commonGrams(f)
	pieces, ofPieces := t.commonPieces(f)
	x := &FeatureIndex{Features: f, task: t}
	for g, p := 0, 0; len(x.grams) < MaxFeatures && (g < len(grams) || p < len(pieces)); {
		if p == len(pieces) || g < len(grams) && ofGrams[g] >= ofPieces[p] {
			x.grams, x.pieces = append(x.grams, grams[g]), append(x.pieces, "")
			g++
		} else {
			x.grams, x.pieces = append(x.grams, 0), append(x.pieces, pieces[p])
			p++
		}
	}
	x.enter()
	return x, nil
}

// commonGrams returns the n-grams of words of the training split, and their counts.
func (t *Task) commonGrams(f Features) ([]gram, []int32) {
	if f.Words == 0 {
		return nil, nil
	}
	// Counted by the tokens' places in the order of their texts, the first token in the
	// highest bits, so that the order of the numbers is that of the texts.
	order := make([]int32, min(len(t.Vocabulary), maxGramTokens))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return strings.Compare(t.Vocabulary[a], t.Vocabulary[b]) })
	place := make([]gram, len(t.Vocabulary)) // from 1 on
	for i, id := range order {
		place[id] = gram(i + 1)
	}
	all := make([]gram, 0, f.Words*len(t.Train.IDs))
	for i := range t.Train.Len() {
		ids := t.Train.IDs[t.Train.Offsets[i]:t.Train.Offsets[i+1]]
		for k := range ids {
			x := gram(0)
			for n, id := range ids[k:min(k+f.Words, len(ids))] {
				if place[id] == 0 {
					break
				}
				x |= place[id] << (gramBits * (maxNGram - 1 - n))
				all = append(all, x)
			}
		}
	}
	slices.Sort(all)
	var grams []gram
	var counts []int32
	for i := 0; i < len(all); {
		end := i + 1
		for end < len(all) && all[end] == all[i] {
			end++
		}
		var x gram // of the tokens' ids, as ngrams.go has them
		for n := maxNGram; n > 0; n-- {
			if at := all[i] >> (gramBits * (maxNGram - n)) & (1<<gramBits - 1); at > 0 {
				x = x<<gramBits | gram(order[at-1]+1)
			}
		}
		grams, counts = append(grams, x), append(counts, int32(end-i))
		i = end
	}
	return byFallingCount(grams, counts)
}

// commonPieces returns the most frequent n-grams of characters, and their counts: those of a token count as often as it occurs.
func (t *Task) commonPieces(f Features) ([]string, []int32) {
	if f.Characters == 0 {
		return nil, nil
	}
	times := make([]int32, len(t.Vocabulary))
	for _, id := range t.Train.IDs {
		times[id]++
	}
	at := map[string]int32{}
	var pieces []string
	var counts []int32
	var starts []int
	for id, n := range times {
		if n == 0 {
			continue
		}
		token := " " + t.Vocabulary[id] + " "
		starts = eachPiece(token, f.Characters, starts, func(piece string) {
			k, ok := at[piece]
			if !ok {
				k = int32(len(pieces))
				at[piece] = k
				pieces, counts = append(pieces, piece), append(counts, 0)
			}
			counts[k] += n
		})
	}
	order := make([]int32, len(pieces))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(pieces[a], pieces[b]))
	})
	order = order[:min(len(order), MaxFeatures)]
	sorted, n := make([]string, len(order)), make([]int32, len(order))
	for i, k := range order {
		sorted[i], n[i] = pieces[k], counts[k]
	}
	return sorted, n
}

// eachPiece calls f with the n-grams of a token between its boundary marks: starts is
// room for where its characters begin, to be given to the next call.
func eachPiece(token string, longest int, starts []int, f func(string)) []int {
	starts = starts[:0]
	for i := range token {
		starts = append(starts, i)
	}
	starts = append(starts, len(token))
	for n := minCharacters; n <= longest; n++ {
		for i := 0; i+n < len(starts); i++ {
			f(token[starts[i]:starts[i+n]])
		}
	}
	return starts
}

// byFallingCount orders what is in the order of its text by falling count, and cuts it.
func byFallingCount(grams []gram, counts []int32) ([]gram, []int32) {
	order := make([]int32, len(grams))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b)) })
	order = order[:min(len(order), MaxFeatures)]
	sorted, n := make([]gram, len(order)), make([]int32, len(order))
	for i, k := range order {
		sorted[i], n[i] = grams[k], counts[k]
	}
	return sorted, n
}

// enter makes what finds the features.
func (x *FeatureIndex) enter() {
	x.single, x.longer, x.pieceOf = make([]int32, len(x.task.Vocabulary)), map[gram]int32{}, map[string]int32{}
	for i := range x.single {
		x.single[i] = -1
	}
	for i, g := range x.grams {
		switch {
		case g == 0:
			x.pieceOf[x.pieces[i]] = int32(i)
		case g < 1<<gramBits:
			x.single[g-1] = int32(i)
		default:
			x.longer[g] = int32(i)
		}
	}
	x.pieceOffsets = make([]int32, 1, len(x.task.Vocabulary)+1)
	var starts []int
	for _, token := range x.task.Vocabulary {
		starts = x.eachPieceOf(token, starts, func(id int32) { x.piecesOfToken = append(x.piecesOfToken, id) })
		x.pieceOffsets = append(x.pieceOffsets, int32(len(x.piecesOfToken)))
	}
}

// eachPieceOf calls f with the features of characters of a token.
func (x *FeatureIndex) eachPieceOf(token string, starts []int, f func(int32)) []int {
	if x.Characters == 0 {
		return starts
	}
	return eachPiece(" "+token+" ", x.Characters, starts, func(piece string) {
		if id, ok := x.pieceOf[piece]; ok {
			f(id)
		}
	})
}

// sampled is the number of texts by which room is made for the counts of all.
const sampled = 256

// Counts returns how often each feature occurs in each example of a split of the
// index's task.
func (x *FeatureIndex) Counts(s *Split) *sparse.Matrix {
	c := sparse.NewCounter(x.Len(), s.Len())
	for i := range s.Len() {
		x.count(c, s.IDs[s.Offsets[i]:s.Offsets[i+1]])
		if c.End(); i+1 == sampled {
			// The first texts of a split may be longer than all others, or of more features a token.
			texts, tokens := float64(s.Len())/sampled, float64(len(s.IDs))/float64(max(1, s.Offsets[sampled]))
			c.Reserve((min(texts, tokens) - 1) * (1 + 1./16))
		}
	}
	return c.Matrix()
}

// count counts the features of a text of the vocabulary's tokens.
func (x *FeatureIndex) count(c *sparse.Counter, ids []int32) {
	for k, id := range ids {
		if x.Words > 0 {
			if f := x.single[id]; f >= 0 {
				c.Add(f)
			}
			g := gram(id + 1)
			for n := 1; n < x.Words && n <= k && max(id, ids[k-n]) < maxGramTokens; n++ {
				g = g<<gramBits | gram(ids[k-n]+1)
				if f, ok := x.longer[g]; ok {
					c.Add(f)
				}
			}
		}
		for _, f := range x.piecesOfToken[x.pieceOffsets[id]:x.pieceOffsets[id+1]] {
			c.Add(f)
		}
	}
}

// The first byte of an encoded feature.
const (
	ofWords      = 'w'
	ofCharacters = 'c'
)

// Encode returns the features in order, a line each: "w" and tokens parted by a space,
// or "c" and characters, a space being the boundary mark.
func (x *FeatureIndex) Encode() []byte {
	var out []byte
	for i, g := range x.grams {
		if g == 0 {
			out = append(append(out, ofCharacters), x.pieces[i]...)
		} else {
			out = append(out, ofWords)
			for rest := g; rest != 0; rest >>= gramBits {
				if rest != g {
					out = append(out, ' ')
				}
				out = append(out, x.task.Vocabulary[rest&(1<<gramBits-1)-1]...)
			}
		}
		out = append(out, '\n')
	}
	return out
}

// DecodeIndex reads what Encode gave for a task, of which it needs the vocabulary and
// the tokeniser alone.
func (t *Task) DecodeIndex(b []byte, f Features) (*FeatureIndex, error) {
	if err := f.Validate(); err != nil {
		return nil, err
	}
	x := &FeatureIndex{Features: f, task: t}
	tokens := t.ids()
	for line := range bytes.Lines(b) {
		i := len(x.grams)
		bad := func(why string) error { return fmt.Errorf("feature %d, %q: %s", i, line, why) }
		if i == MaxFeatures {
			return nil, fmt.Errorf("more than %d features", MaxFeatures)
		}
		if len(line) < 2 || line[len(line)-1] != '\n' {
			return nil, bad("not a line with a feature")
		}
		body := string(line[1 : len(line)-1])
		switch line[0] {
		case ofCharacters:
			if n := utf8.RuneCountInString(body); n < minCharacters || n > f.Characters {
				return nil, bad(fmt.Sprintf("%d characters, of at most %d", n, f.Characters))
			}
			x.grams, x.pieces = append(x.grams, 0), append(x.pieces, body)
		case ofWords:
			words := strings.Split(body, " ")
			if len(words) > f.Words {
				return nil, bad(fmt.Sprintf("%d words, of at most %d", len(words), f.Words))
			}
			var g gram
			for _, word := range slices.Backward(words) {
				id, ok := tokens[word]
				if !ok || id >= maxGramTokens {
					return nil, bad(fmt.Sprintf("%q is not in the vocabulary", word))
				}
				g = g<<gramBits | gram(id+1)
			}
			x.grams, x.pieces = append(x.grams, g), append(x.pieces, "")
		default:
			return nil, bad("neither words nor characters")
		}
	}
	x.enter()
	singles := 0
	for _, id := range x.single {
		if id >= 0 {
			singles++
		}
	}
	if n := singles + len(x.longer) + len(x.pieceOf); n != x.Len() {
		return nil, fmt.Errorf("features: %d of them are there twice", x.Len()-n)
	}
	return x, nil
}
