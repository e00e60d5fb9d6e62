package text

import (
	"tnaml/nn/child"
	"tnaml/nn/sparse"
)

// Encoder turns new texts into what the models of a task take. It is safe for concurrent
// use.
type Encoder struct {
	task   *Task
	grams  *NGrams
	index  *FeatureIndex
	tokens map[string]int32
}

// Encoder makes an encoder for models whose wide towers see the n-grams g, nil for none, or,
// in the place of tokens and n-grams, the features x, nil for these. Of the task it needs
// the vocabulary and the tokeniser alone.
func (t *Task) Encoder(g *NGrams, x *FeatureIndex) *Encoder {
	return &Encoder{task: t, grams: g, index: x, tokens: t.ids()}
}

// ids are the tokens' ids.
func (t *Task) ids() map[string]int32 {
	ids := make(map[string]int32, len(t.Vocabulary))
	for i, token := range t.Vocabulary {
		ids[token] = int32(i)
	}
	return ids
}

// Buffer is room for Encode; the zero value has none yet. It is one goroutine's at a time.
type Buffer struct {
	scanner  scanner
	split    Split
	examples child.Examples
	wide     sparse.Matrix
	counter  *sparse.Counter
	doc      []int32
	starts   []int
}

// Encode encodes texts, in order, as examples whose labels are all zero. Tokens that are not
// in the task's vocabulary are left out, as they are from its splits, but for their
// characters where the wide tower sees these. The examples lie in the buffer: the next call
// with it overwrites them.
func (e *Encoder) Encode(b *Buffer, texts []string) *child.Examples {
	s, out := &b.split, &b.examples
	s.Offsets, s.IDs = append(s.Offsets[:0], 0), s.IDs[:0]
	if cap(s.Labels) < len(texts) {
		s.Labels = make([]int32, len(texts)) // of zeros, which nobody changes
	}
	s.Labels = s.Labels[:len(texts)]
	ofCharacters := e.index != nil && e.index.Characters > 0
	if e.index != nil {
		if b.counter == nil || b.counter.Columns() != e.index.Len() {
			b.counter = sparse.NewCounter(e.index.Len(), 0)
		}
		b.counter.Reset()
	}
	take := func(token []byte) {
		if id, ok := e.tokens[string(token)]; ok {
			s.IDs = append(s.IDs, id)
		} else if ofCharacters {
			b.starts = e.index.eachPieceOf(string(token), b.starts, b.counter.Add)
		}
	}
	for _, text := range texts {
		from := len(s.IDs)
		b.scanner.scan(e.task.Tokeniser, text, take)
		s.Offsets = append(s.Offsets, int32(len(s.IDs)))
		if e.index != nil {
			e.index.count(b.counter, s.IDs[from:])
			b.counter.End()
		}
	}
	*out = child.Examples{Offsets: out.Offsets[:0], IDs: out.IDs[:0], Counts: out.Counts[:0], Labels: s.Labels}
	b.doc = appendBags(out, s, b.doc)
	switch {
	case e.index != nil:
		out.Wide = b.counter.Matrix()
	case e.grams.Len() > 0:
		b.wide.Offsets, b.wide.IDs = b.wide.Offsets[:0], b.wide.IDs[:0]
		e.task.appendOneHot(&b.wide, s, out, e.grams)
		out.Wide = &b.wide
	}
	return out
}
