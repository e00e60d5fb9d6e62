package embedding

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// Standardise moves the mean of the vectors to zero and gives each of them the
// length √Dim, in place: elements of unit mean square, whatever the module.
// The common part of all word vectors says nothing (Mu and Viswanath, 2018),
// and lengths follow the words' frequencies more than their meaning (Levy,
// Goldberg and Dagan, 2015, §3.3). A vector equal to the mean stays zero. What
// subwords make gets the same treatment.
func (m *Module) Standardise() {
	n := len(m.Tokens)
	mean := make([]float64, m.Dim)
	for i, v := range m.Vectors {
		mean[i%m.Dim] += float64(v) / float64(n)
	}
	for i := range n {
		v := m.Vectors[i*m.Dim:][:m.Dim]
		sum := 0.0
		for k, x := range v {
			y := float64(x) - mean[k]
			v[k] = float32(y)
			sum += y * y
		}
		if sum > 0 {
			scaleBy(v, math.Sqrt(float64(m.Dim)/sum))
		}
	}
	if s := m.Subword; s != nil {
		// The mean of shifted parts is the shifted mean; its length comes last.
		for i := range s.Buckets {
			v := s.Vectors[i*m.Dim:][:m.Dim]
			if zero(v) {
				continue
			}
			for k := range v {
				v[k] = float32(float64(v[k]) - mean[k])
			}
		}
		s.Length = math.Sqrt(float64(m.Dim))
	}
}

// Weigh multiplies each vector by a/(a + p), with p the word's share of all
// words, so that the mean over a document is that of Arora, Liang and Ma (2017),
// in which the words that occur everywhere count for little. Their a is 1e-3.
// counts has one element a token.
func (m *Module) Weigh(counts []int, a float64) {
	total := 0.0
	for _, k := range counts {
		total += float64(k)
	}
	for i, k := range counts {
		scaleBy(m.Vectors[i*m.Dim:][:m.Dim], a/(a+float64(k)/total))
	}
}

func scaleBy(v []float32, s float64) {
	for k, x := range v {
		v[k] = float32(float64(x) * s)
	}
}

// Join puts the vectors of several modules side by side, each scaled to unit
// mean square, for the tokens that all of them have, in the first one's order.
// It is an error when there are none.
func Join(name string, modules ...*Module) (*Module, error) {
	if len(modules) == 0 {
		return nil, errors.New("no modules to join")
	}
	out := &Module{Name: name, Language: modules[0].Language}
	rows := make([]map[string]int, len(modules))
	var sources []string
	for i, m := range modules {
		out.Dim += m.Dim
		sources = append(sources, m.Source)
		rows[i] = make(map[string]int, len(m.Tokens))
		for k, t := range m.Tokens {
			rows[i][t] = k
		}
		if m.Language != out.Language {
			out.Language = ""
		}
	}
	out.Source = strings.Join(sources, " | ")
	scale := make([]float64, len(modules))
	for i, m := range modules {
		if scale[i] = 1; m.RMS() > 0 {
			scale[i] = 1 / m.RMS()
		}
	}
next:
	for _, t := range modules[0].Tokens {
		for _, r := range rows[1:] {
			if _, ok := r[t]; !ok {
				continue next
			}
		}
		out.Tokens = append(out.Tokens, t)
		for i, m := range modules {
			at := len(out.Vectors)
			out.Vectors = append(out.Vectors, m.Vectors[rows[i][t]*m.Dim:][:m.Dim]...)
			scaleBy(out.Vectors[at:], scale[i])
		}
	}
	if len(out.Tokens) == 0 {
		return nil, fmt.Errorf("module %s: the modules to join have no token in common", name)
	}
	return out, out.Validate()
}
