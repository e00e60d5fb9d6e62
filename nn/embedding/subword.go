package embedding

import (
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// SubwordKind is a way to make the vector of a word that a module lacks.
type SubwordKind string

const (
	// NGrams takes the mean of the vectors of the word's character n-grams,
	// which are hashed into buckets (Bojanowski, Grave, Joulin and Mikolov, 2017).
	NGrams SubwordKind = "ngrams"
	// Pieces cuts the word into tokens of the module, which are pieces of words
	// found by byte-pair encoding (Sennrich, Haddow and Birch, 2016; Heinzerling
	// and Strube, 2018), and takes the mean of their vectors.
	Pieces SubwordKind = "pieces"
)

// Subword is how a module makes vectors of words that it lacks. For NGrams the
// zero value of a number is its default, in training.
type Subword struct {
	Kind SubwordKind `json:"kind" yaml:"kind"`
	// MinN and MaxN bound the length of an n-gram in characters, with "<" and
	// ">" about the word; 0 means 3 and 6.
	MinN int `json:"min_n,omitempty" yaml:"min_n"`
	MaxN int `json:"max_n,omitempty" yaml:"max_n"`
	// Buckets is the number of vectors that n-grams share; 0 means 65,536.
	Buckets int `json:"buckets,omitempty" yaml:"buckets"`
	// Length, if positive, is the length that a vector made of parts gets, the
	// one that Standardise gave all others.
	Length float64 `json:"length,omitempty" yaml:"-"`
	// Vectors are the buckets', Buckets × Dim; zeros where no n-gram of the
	// text fell into one, which do not count.
	Vectors []float32 `json:"-" yaml:"-"`
}

// Bounds of an n-gram's length and the number of buckets, against hostile input.
const (
	maxNGram   = 64
	maxBuckets = 1 << 26
)

// withDefaults fills in what is zero.
func (s Subword) withDefaults() (*Subword, error) {
	if s.Kind == "" {
		s.Kind = NGrams
	}
	if s.Kind != NGrams {
		return nil, fmt.Errorf("subwords of kind %q cannot be trained; use %s", s.Kind, NGrams)
	}
	if s.MinN == 0 {
		s.MinN = 3
	}
	if s.MaxN == 0 {
		s.MaxN = max(6, s.MinN)
	}
	if s.Buckets == 0 {
		s.Buckets = 1 << 16
	}
	return &s, s.validate()
}

// validate checks all but the vectors.
func (s *Subword) validate() error {
	var errs []error
	switch s.Kind {
	case NGrams:
		if s.MinN < 1 || s.MaxN < s.MinN || s.MaxN > maxNGram {
			errs = append(errs, fmt.Errorf("n-grams of %d to %d characters; 1 ≤ min ≤ max ≤ %d are expected", s.MinN, s.MaxN, maxNGram))
		}
		if s.Buckets < 1 || s.Buckets > maxBuckets {
			errs = append(errs, fmt.Errorf("%d buckets; 1 to %d are expected", s.Buckets, maxBuckets))
		}
	case Pieces:
		if s.MinN != 0 || s.MaxN != 0 || s.Buckets != 0 || len(s.Vectors) != 0 {
			errs = append(errs, errors.New("n-grams or buckets beside pieces"))
		}
	default:
		errs = append(errs, fmt.Errorf("unknown kind of subwords %q (known: %s, %s)", s.Kind, NGrams, Pieces))
	}
	if !(s.Length >= 0) || math.IsInf(s.Length, 0) {
		errs = append(errs, fmt.Errorf("a length of %v for vectors made of parts", s.Length))
	}
	return errors.Join(errs...)
}

// String says in words what they are.
func (s *Subword) String() string {
	if s.Kind == Pieces {
		return "pieces of words"
	}
	return fmt.Sprintf("n-grams of %d to %d in %d buckets", s.MinN, s.MaxN, s.Buckets)
}

// ngrams appends the buckets of a word's n-grams, in the order of fastText's
// program: by first character, then by length. An n-gram is hashed by 32-bit
// FNV-1a over its UTF-8. The boundary signs alone are no n-grams.
func (s *Subword) ngrams(out []int32, word string) []int32 {
	var short [64]byte
	b := append(append(append(short[:0], '<'), word...), '>')
	for from := 0; from < len(b); {
		_, width := utf8.DecodeRune(b[from:])
		hash := uint32(2166136261)
		for n, to := 1, from; n <= s.MaxN && to < len(b); n++ {
			_, w := utf8.DecodeRune(b[to:])
			for _, c := range b[to : to+w] {
				hash = (hash ^ uint32(c)) * 16777619
			}
			to += w
			if n >= s.MinN && (n > 1 || from > 0 && to < len(b)) {
				out = append(out, int32(hash%uint32(s.Buckets)))
			}
		}
		from += width
	}
	return out
}

// Origin says where a word's vector comes from.
type Origin int

const (
	// Unknown words have none.
	Unknown Origin = iota
	// Composed vectors are made of parts of the word.
	Composed
	// Known words have their own.
	Known
)

// Lookup finds vectors of words in a module, whose tokens and vectors must not
// change meanwhile. It may be used by several goroutines at a time.
type Lookup struct {
	m    *Module
	rows map[string]int
}

// Lookup prepares for many words.
func (m *Module) Lookup() *Lookup {
	l := &Lookup{m, make(map[string]int, len(m.Tokens))}
	for i, token := range m.Tokens {
		l.rows[token] = i
	}
	return l
}

// Origin says where a word's vector comes from.
func (l *Lookup) Origin(word string) Origin {
	return l.Vector(make([]float32, l.m.Dim), word)
}

// Vector sets dst, of length Dim, to a word's vector: its own where the module
// has it, or one made of its parts. It leaves dst as it is where the word is
// unknown. Sums are in float64, so that all platforms agree.
func (l *Lookup) Vector(dst []float32, word string) Origin {
	m := l.m
	s := m.Subword
	if s == nil || s.Kind != Pieces {
		if row, ok := l.rows[word]; ok {
			copy(dst, m.Vectors[row*m.Dim:][:m.Dim])
			return Known
		}
	}
	var parts []int32
	var table []float32
	switch {
	case s == nil:
		return Unknown
	case s.Kind == Pieces:
		if parts, table = l.pieces(word), m.Vectors; len(parts) == 1 && m.Tokens[parts[0]] == boundary+digits(word) {
			copy(dst, table[int(parts[0])*m.Dim:][:m.Dim])
			return Known
		}
	default:
		parts, table = s.ngrams(make([]int32, 0, 64), word), s.Vectors
	}
	mean := make([]float64, m.Dim)
	length := meanOf(mean, parts, table)
	if length == 0 {
		return Unknown
	}
	scale := 1.0
	if s.Length > 0 {
		scale = s.Length / length
	}
	for k, v := range mean {
		dst[k] = float32(v * scale)
	}
	return Composed
}

// meanOf adds the mean of those parts that have a vector to mean, which is zero,
// and returns its length: 0 where none has.
func meanOf(mean []float64, parts []int32, table []float32) float64 {
	n := 0
	for _, p := range parts {
		v := table[int(p)*len(mean):][:len(mean)]
		if zero(v) {
			continue
		}
		n++
		for k, x := range v {
			mean[k] += float64(x)
		}
	}
	squares := 0.0
	for k := range mean {
		mean[k] /= float64(max(1, n))
		squares += float64(mean[k] * mean[k])
	}
	return math.Sqrt(squares)
}

// composedLength is the mean length, before it is brought to Subword.Length, of
// what n-grams make of the tokens; 0 where they make nothing.
func (m *Module) composedLength() float64 {
	lengths := make([]float64, len(m.Tokens))
	blocks(len(m.Tokens), func(from, to int) {
		mean := make([]float64, m.Dim)
		var grams []int32
		for i := from; i < to; i++ {
			clear(mean)
			grams = m.Subword.ngrams(grams[:0], m.Tokens[i])
			lengths[i] = meanOf(mean, grams, m.Subword.Vectors)
		}
	})
	sum, n := 0.0, 0
	for _, l := range lengths {
		if l > 0 {
			sum += l
			n++
		}
	}
	return sum / float64(max(1, n))
}

// zero reports whether a part has no vector: no text had it.
func zero(v []float32) bool {
	for _, x := range v {
		if x != 0 {
			return false
		}
	}
	return true
}

// Coverage counts where the vectors of a vocabulary's words come from.
type Coverage struct {
	Known    int `json:"known"`
	Composed int `json:"composed"`
	Unknown  int `json:"unknown"`
}

// Share is the share of words that have a vector.
func (c Coverage) Share() float64 {
	return float64(c.Known+c.Composed) / float64(max(1, c.Known+c.Composed+c.Unknown))
}

// Coverage counts how a module covers a vocabulary.
func (m *Module) Coverage(vocabulary []string) Coverage {
	l := m.Lookup()
	origins := make([]Origin, len(vocabulary))
	rows(len(vocabulary), func(i int) { origins[i] = l.Origin(vocabulary[i]) })
	var c Coverage
	for _, o := range origins {
		switch o {
		case Known:
			c.Known++
		case Composed:
			c.Composed++
		default:
			c.Unknown++
		}
	}
	return c
}
