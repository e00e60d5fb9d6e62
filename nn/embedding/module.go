package embedding

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"tnaml/nn/child"
	"tnaml/nn/rng"
	"tnaml/nn/safetensors"
)

// kind is the container kind of an encoded module.
const kind = "module"

// Encode returns the module as a safetensors file of kind "module": the
// metadata "module" holds name, language, source, dim, length and subword as JSON; the
// arrays are "tokens" (UTF-8, each ended by a newline), "vectors" (F32, tokens ×
// dim), of a joined module "frequencies" (F64, tokens) and, with n-grams, "buckets"
// (F32, buckets × dim). Equal modules give equal bytes. It panics where Validate has an error in the shapes.
func (m *Module) Encode() []byte {
	f := safetensors.New(kind)
	f.PutJSON(kind, m)
	var words []byte
	for _, token := range m.Tokens {
		words = append(append(words, token...), '\n')
	}
	safetensors.Put(f, "tokens", words)
	safetensors.Put(f, "vectors", m.Vectors, len(m.Tokens), m.Dim)
	if m.Frequencies != nil {
		safetensors.Put(f, "frequencies", m.Frequencies)
	}
	if s := m.Subword; s != nil && s.Kind == NGrams {
		safetensors.Put(f, "buckets", s.Vectors, s.Buckets, m.Dim)
	}
	return f.Encode()
}

// Decode reads what Encode wrote; damage and inconsistencies are errors.
func Decode(b []byte) (*Module, error) {
	f, err := safetensors.DecodeKind(b, kind)
	if err != nil {
		return nil, fmt.Errorf("module: %w", err)
	}
	m := &Module{}
	if err := f.GetJSON(kind, m); err != nil {
		return nil, fmt.Errorf("module: %w", err)
	}
	words, _, err := safetensors.Get[uint8](f, "tokens", -1)
	if err != nil {
		return nil, fmt.Errorf("module %s: %w", m.Name, err)
	}
	if n := len(words); n > 0 {
		if words[n-1] != '\n' {
			return nil, fmt.Errorf("module %s: tokens do not end with a newline", m.Name)
		}
		m.Tokens = strings.Split(string(words[:n-1]), "\n")
	}
	if m.Vectors, _, err = safetensors.Get[float32](f, "vectors", len(m.Tokens), m.Dim); err != nil {
		return nil, fmt.Errorf("module %s: %w", m.Name, err)
	}
	if f.Has("frequencies") {
		if m.Frequencies, _, err = safetensors.Get[float64](f, "frequencies", len(m.Tokens)); err != nil {
			return nil, fmt.Errorf("module %s: %w", m.Name, err)
		}
	}
	if s := m.Subword; s != nil && s.Kind == NGrams {
		if s.Vectors, _, err = safetensors.Get[float32](f, "buckets", s.Buckets, m.Dim); err != nil {
			return nil, fmt.Errorf("module %s: %w", m.Name, err)
		}
	}
	if err := m.Validate(); err != nil {
		return nil, err
	}
	return m, nil
}

// Validate checks a module: a name in UTF-8, a positive dim, tokens that are unique,
// not empty and without white space, and finite vectors of the right number.
func (m *Module) Validate() error {
	var errs []error
	bad := func(format string, a ...any) {
		errs = append(errs, fmt.Errorf("module %s: "+format, append([]any{m.Name}, a...)...))
	}
	if m.Name == "" || !utf8.ValidString(m.Name) {
		bad("no name, or one that is not UTF-8")
	}
	if m.Dim <= 0 {
		bad("vectors of length %d", m.Dim)
	}
	if len(m.Tokens) == 0 {
		bad("no tokens")
	}
	if len(m.Vectors) != len(m.Tokens)*m.Dim {
		bad("%d numbers for %d tokens × %d", len(m.Vectors), len(m.Tokens), m.Dim)
	}
	seen := make(map[string]struct{}, len(m.Tokens))
	for i, token := range m.Tokens {
		if _, twice := seen[token]; twice || token == "" || !utf8.ValidString(token) || strings.IndexFunc(token, unicode.IsSpace) >= 0 {
			bad("token %d (%q) is empty, there twice, or not a single word of UTF-8", i, token)
			break
		}
		seen[token] = struct{}{}
	}
	if i := notFinite(m.Vectors); i >= 0 {
		bad("element %d of the vectors, of token %d, is not finite", i, i/max(m.Dim, 1))
	}
	if m.Frequencies != nil && len(m.Frequencies) != len(m.Tokens) {
		bad("%d frequencies for %d tokens", len(m.Frequencies), len(m.Tokens))
	}
	if i := slices.IndexFunc(m.Frequencies, func(p float64) bool { return !(p >= 0 && p <= 1) }); i >= 0 {
		bad("token %d has the frequency %v, which is no share", i, m.Frequencies[i])
	}
	if !(m.Length >= 0) || math.IsInf(m.Length, 0) {
		bad("standardised vectors of length %v", m.Length)
	}
	if s := m.Subword; s != nil {
		if err := s.validate(); err != nil {
			bad("%w", err)
		}
		if len(s.Vectors) != s.Buckets*m.Dim {
			bad("%d numbers for %d buckets × %d", len(s.Vectors), s.Buckets, m.Dim)
		}
		if i := notFinite(s.Vectors); i >= 0 {
			bad("element %d of the buckets' vectors is not finite", i)
		}
	}
	return errors.Join(errs...)
}

// notFinite returns the index of the first NaN or infinity, or −1.
func notFinite(v []float32) int {
	return slices.IndexFunc(v, func(x float32) bool { return x-x != 0 })
}

// RMS returns the root mean square of the module's elements.
func (m *Module) RMS() float64 {
	var sum float64
	for _, v := range m.Vectors {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum / float64(max(1, len(m.Vectors))))
}

// Table restricts the module to a task's vocabulary, of which the first
// trained tokens occur in the training split.
//
// A token that the module has gets its vector, one that its subwords know the
// vector that they make. One that it lacks but that can be trained gets a vector
// of its own, drawn from N(0, RMS²) and keyed by module name and token: unknown
// words keep their identity, which fine-tuning can use, and the same word has
// the same vector in every task. The other tokens are unknown, with a vector of
// zeros.
func (m *Module) Table(vocabulary []string, trained int) *child.Table {
	l, d, rms := m.Lookup(), m.Dim, m.RMS()
	t := &child.Table{Dim: d, Vectors: make([]float32, len(vocabulary)*d), Known: make([]bool, len(vocabulary))}
	rows(len(vocabulary), func(i int) {
		token, v := vocabulary[i], t.Vectors[i*d:(i+1)*d]
		if l.Vector(v, token) == Unknown {
			if i >= trained {
				return
			}
			r := rng.New(0, "embedding/unknown/"+m.Name+"/"+token, 0)
			for k := range v {
				v[k] = float32(rms * r.NormFloat64())
			}
		}
		t.Known[i] = true
	})
	return t
}
