package embedding

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/mat"
)

// Variant says how to change a module: in the order of the fields.
type Variant struct {
	// Fit, if not nil, has vectors of n-grams fitted to the words' (see
	// Module.FitSubword).
	Fit *Subword `json:"fit,omitempty"`
	// Components is how many principal components to remove (see
	// Module.RemoveComponents).
	Components int `json:"components,omitempty"`
	// Standardise gives all vectors one length around a mean of zero (see
	// Module.Standardise).
	Standardise bool `json:"standardise,omitempty"`
	// Smoothing, if positive, is the a of Module.Weigh.
	Smoothing float64 `json:"smoothing,omitempty"`
}

// Validate reports what is out of range, whatever the module.
func (v Variant) Validate() error {
	err := v.validate(0)
	if v.Fit != nil {
		_, fit := v.Fit.withDefaults()
		err = errors.Join(err, fit)
	}
	return err
}

// validate checks the numbers, for vectors of a length if that is positive.
func (v Variant) validate(dim int) error {
	var errs []error
	if v.Components < 0 || dim > 0 && v.Components >= dim {
		errs = append(errs, fmt.Errorf("%d components cannot be removed from vectors of length %d", v.Components, dim))
	}
	if !(v.Smoothing >= 0) || math.IsInf(v.Smoothing, 0) {
		errs = append(errs, fmt.Errorf("smoothing of %v must be positive, or 0 for none", v.Smoothing))
	}
	return errors.Join(errs...)
}

// apply changes a module and returns in words what it did. counts are how often
// the words occur, nil where that is not known: then the module's frequencies
// say it, or Zipf's law.
func (v Variant) apply(m *Module, counts []float64) (string, error) {
	how := ""
	if v.Fit != nil {
		if err := m.FitSubword(*v.Fit); err != nil {
			return "", err
		}
		how += ", " + m.Subword.String() + " fitted"
	}
	if v.Components > 0 {
		m.RemoveComponents(v.Components)
		how += fmt.Sprintf(", without the first %d principal components", v.Components)
	}
	if v.Standardise {
		m.Standardise()
		how += ", standardised"
	}
	if v.Smoothing > 0 {
		how += fmt.Sprintf(", smoothed by %g", v.Smoothing)
		if counts == nil {
			counts, _ = m.occurrences()
			how += " with frequencies by rank"
			if m.Frequencies != nil {
				how += " in the joined modules"
			}
		}
		m.Weigh(counts, v.Smoothing)
	}
	return how, nil
}

// Derive returns a changed copy of a module under another name. For smoothing
// the tokens must be in the order of their frequency, as published files and
// trained modules have them: the k-th is taken to occur in proportion to 1/k
// (Zipf's law). A joined module has the frequencies that this says of its parts.
// Pieces of words are in another order, and it is an error.
func (m *Module) Derive(name string, v Variant) (*Module, error) {
	if err := v.validate(m.Dim); err != nil {
		return nil, fmt.Errorf("module %s: %w", name, err)
	}
	if v.Smoothing > 0 && m.Subword != nil && m.Subword.Kind == Pieces {
		return nil, fmt.Errorf("module %s: the pieces of %s are in the order of their merges, "+
			"which says nothing about frequencies: derive it without smoothing", name, m.Name)
	}
	out := *m
	out.Name, out.Vectors = name, slices.Clone(m.Vectors)
	if m.Subword != nil {
		s := *m.Subword
		s.Vectors = slices.Clone(s.Vectors)
		out.Subword = &s
	}
	how, err := v.apply(&out, nil)
	if err != nil {
		return nil, err
	}
	out.Source += how
	return &out, out.Validate()
}

// occurrences are in proportion to how often the tokens occur, and total is their
// sum: what is known, else by rank, the k-th in proportion to 1/k.
func (m *Module) occurrences() (counts []float64, total float64) {
	counts = m.Frequencies
	if counts == nil {
		counts = make([]float64, len(m.Tokens))
		for i := range counts {
			counts[i] = math.Floor(1e12 / float64(i+1)) // whole numbers, of exact sums
		}
	}
	for _, k := range counts {
		total += k
	}
	return counts, total
}

// RemoveComponents moves the mean of the vectors to zero and takes their k
// first principal components out, in place: "all but the top" (Mu and
// Viswanath, 2018), who take k ≈ Dim/100. These components tell frequent words
// from rare ones more than meanings. What subwords make gets the same
// treatment. k is in [0, Dim).
func (m *Module) RemoveComponents(k int) {
	var before []float64
	if m.Length > 0 || m.Subword != nil && m.Subword.Length > 0 {
		before = m.lengths()
	}
	m.shift(m.mean())
	var eigen mat.EigenSym
	if !eigen.Factorize(mat.NewSymDense(m.Dim, m.scatter()), true) {
		panic("embedding: eigenvalues of a covariance matrix did not converge") // cannot happen with finite numbers
	}
	var all mat.Dense
	eigen.VectorsTo(&all) // by rising eigenvalue
	axes := make([][]float64, k)
	for c := range axes {
		axes[c] = mat.Col(nil, m.Dim-k+c, &all)
	}
	project := func(v []float32) {
		for _, axis := range axes {
			along := 0.0
			for i, x := range v {
				along += float64(float64(x) * axis[i])
			}
			for i := range v {
				v[i] = float32(float64(v[i]) - float64(along*axis[i]))
			}
		}
	}
	rows(len(m.Tokens), func(i int) { project(m.Vectors[i*m.Dim:][:m.Dim]) })
	if s := m.Subword; s != nil {
		rows(s.Buckets, func(i int) { project(s.Vectors[i*m.Dim:][:m.Dim]) })
	}
	if before != nil {
		m.shorten(before)
	}
}

// lengths returns the lengths of the tokens' vectors.
func (m *Module) lengths() []float64 {
	out := make([]float64, len(m.Tokens))
	for i := range out {
		out[i] = norm64(m.Vectors[i*m.Dim:][:m.Dim])
	}
	return out
}

// shorten brings the length of standardised vectors, which what is made of parts
// gets, to what the tokens' vectors have kept on average of the lengths before.
func (m *Module) shorten(before []float64) {
	kept, n := 0.0, 0
	for i, now := range m.lengths() {
		if before[i] > 0 {
			kept += now / before[i]
			n++
		}
	}
	if n == 0 {
		return
	}
	m.Length *= kept / float64(n)
	if m.Subword != nil {
		m.Subword.Length *= kept / float64(n)
	}
}

// scatterRows is how many vectors scatter takes at a time: so few that they stay
// in a processor's cache.
const scatterRows = 64

// scatter returns the upper triangle of Σ v vᵀ over the tokens' vectors, Dim ×
// Dim. Each element is summed in the order of the tokens, with any number of
// processors.
func (m *Module) scatter() []float64 {
	d := m.Dim
	out, block := make([]float64, d*d), make([]float64, scatterRows*d)
	for from := 0; from < len(m.Tokens); from += scatterRows {
		n := min(scatterRows, len(m.Tokens)-from)
		for i, x := range m.Vectors[from*d:][:n*d] {
			block[i] = float64(x)
		}
		rows(d, func(a int) {
			sum := out[a*d+a:][:d-a]
			row := func(i int) []float64 { return block[i*d+a:][:d-a] }
			i := 0
			for ; i+4 <= n; i += 4 { // four at a time read and write a sum once
				v0, v1, v2, v3 := row(i), row(i+1), row(i+2), row(i+3)
				x0, x1, x2, x3 := v0[0], v1[0], v2[0], v3[0]
				for k := range sum {
					sum[k] = sum[k] + float64(x0*v0[k]) + float64(x1*v1[k]) + float64(x2*v2[k]) + float64(x3*v3[k])
				}
			}
			for ; i < n; i++ {
				v := row(i)
				for k, x := range v {
					sum[k] += float64(v[0] * x)
				}
			}
		})
	}
	return out
}

// mean returns the mean of the tokens' vectors.
func (m *Module) mean() []float64 {
	mean := make([]float64, m.Dim)
	for i, v := range m.Vectors {
		mean[i%m.Dim] += float64(v) / float64(len(m.Tokens))
	}
	return mean
}

// shift subtracts a vector from all, those of buckets that are used included:
// the mean of shifted parts is the shifted mean. Where what is made of parts gets
// a length, the buckets have another scale than the tokens, and so has what is
// subtracted from them.
func (m *Module) shift(by []float64) {
	scale := 1.0
	if s := m.Subword; s != nil && s.Length > 0 && s.Buckets > 0 {
		scale = m.composedLength() / s.Length
	}
	rounding := 1e-9 * m.RMS() * math.Sqrt(float64(m.Dim))
	for i := range m.Tokens {
		v := m.Vectors[i*m.Dim:][:m.Dim]
		for k, x := range v {
			v[k] = float32(float64(x) - by[k])
		}
		if norm64(v) <= rounding { // what it leaves of a vector that is subtracted from itself has no direction
			clear(v)
		}
	}
	if s := m.Subword; s != nil {
		for i := range s.Buckets {
			v := s.Vectors[i*m.Dim:][:m.Dim]
			if zero(v) {
				continue
			}
			for k := range v {
				v[k] = float32(float64(v[k]) - float64(scale*by[k]))
			}
		}
	}
}

// Standardise moves the mean of the vectors to zero and gives each of them the
// length √Dim, in place: elements of unit mean square, whatever the module.
// The common part of all word vectors says nothing (Mu and Viswanath, 2018),
// and lengths follow the words' frequencies more than their meaning (Levy,
// Goldberg and Dagan, 2015, §3.3). A vector equal to the mean stays zero. What
// subwords make gets the same treatment.
func (m *Module) Standardise() {
	m.shift(m.mean())
	for i := range m.Tokens {
		v := m.Vectors[i*m.Dim:][:m.Dim]
		sum := 0.0
		for _, x := range v {
			sum += float64(x) * float64(x)
		}
		if sum > 0 {
			scaleBy(v, math.Sqrt(float64(m.Dim)/sum))
		}
	}
	m.Length = math.Sqrt(float64(m.Dim))
	if m.Subword != nil {
		m.Subword.Length = m.Length
	}
}

// Weigh multiplies each vector by a/(a + p), with p the word's share of all
// words, so that the mean over a document is that of Arora, Liang and Ma (2017),
// in which the words that occur everywhere count for little. Their a is 1e-3.
// What subwords make keeps its length: a word that the text has not is as rare as
// words are, and its weight 1. counts, or shares, has one element a token.
func (m *Module) Weigh(counts []float64, a float64) {
	total := 0.0
	for _, k := range counts {
		total += k
	}
	for i, k := range counts {
		scaleBy(m.Vectors[i*m.Dim:][:m.Dim], a/(a+k/total))
	}
}

// norm64 is a vector's length.
func norm64(v []float32) float64 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum)
}

func scaleBy(v []float32, s float64) {
	for k, x := range v {
		v[k] = float32(float64(x) * s)
	}
}

// Join puts the vectors of several modules side by side, each scaled to unit
// mean square: the concatenation of Yin and Schütze (2016), which keeps what each
// source knows. It has the tokens of all of them, the first one's first, then
// those that the next adds; pieces of words are no tokens of their own. The part
// of a module that neither has a token nor makes its vector is zero. A token's
// frequency is the mean of those in the modules, 0 where it is none of theirs: as
// in a text to which each gave an equal part. The joined module has no subwords.
// It is an error when no token is left.
func Join(name string, modules ...*Module) (*Module, error) {
	if len(modules) == 0 {
		return nil, errors.New("no modules to join")
	}
	out := &Module{Name: name, Language: modules[0].Language}
	lookups := make([]*Lookup, len(modules))
	scale := make([]float64, len(modules))
	var sources []string
	for i, m := range modules {
		out.Dim += m.Dim
		sources = append(sources, m.Source)
		lookups[i] = m.Lookup()
		if m.Language != out.Language {
			out.Language = ""
		}
		if scale[i] = 1; m.RMS() > 0 {
			scale[i] = 1 / m.RMS()
		}
	}
	out.Source = strings.Join(sources, " | ")
	there := map[string]int{} // the row
	with := 0                 // modules that have words
	for _, m := range modules {
		if m.Subword == nil || m.Subword.Kind != Pieces {
			with++
		}
	}
	row := make([]float32, out.Dim)
	for _, m := range modules {
		if m.Subword != nil && m.Subword.Kind == Pieces {
			continue
		}
		counts, total := m.occurrences()
		for k, t := range m.Tokens {
			if r, ok := there[t]; ok {
				out.Frequencies[r] += counts[k] / total / float64(with)
				continue
			}
			there[t] = len(out.Tokens)
			out.Frequencies = append(out.Frequencies, counts[k]/total/float64(with))
			clear(row)
			at := 0
			for i, m := range modules {
				v := row[at:][:m.Dim]
				at += m.Dim
				lookups[i].Vector(v, t)
				scaleBy(v, scale[i])
			}
			out.Tokens = append(out.Tokens, t)
			out.Vectors = append(out.Vectors, row...)
		}
	}
	if len(out.Tokens) == 0 {
		return nil, fmt.Errorf("module %s: the modules to join have pieces of words alone, no words to make vectors for", name)
	}
	return out, out.Validate()
}
