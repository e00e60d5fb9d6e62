package text

import (
	"slices"

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
	// cut says that the vocabulary lacks tokens of the task's texts.
	cut bool
}

// Encoder makes an encoder for models whose wide towers see the n-grams g, nil for none, or,
// in the place of tokens and n-grams, the features x, nil for these. Of the task it needs
// the vocabulary, the tokeniser and the card's number of distinct tokens alone.
func (t *Task) Encoder(g *NGrams, x *FeatureIndex) *Encoder {
	return &Encoder{task: t, grams: g, index: x, tokens: t.ids(), cut: t.Card.DistinctTokens > len(t.Vocabulary)}
}

// unknown is in the place of a token in a sequence: n-grams do not reach across it.
const unknown = -1

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
	split    Split // the tokens known
	whole    Split // these, and unknown where the others are that n-grams end at
	examples child.Examples
	wide     sparse.Matrix
	counter  *sparse.Counter
	doc      []int32
	starts   []int
}

// Encode encodes texts, in order, as examples whose labels are all zero, each as a split of
// the task has it. Where the task's vocabulary was cut, its splits lack the tokens cut as if
// the texts did: so are new texts read, and no token beyond the vocabulary leaves a trace.
// Where it was not, it has all tokens of all splits, those too that training lacks: these
// count for nothing but their characters, and n-grams do not reach across them; so is it
// with a token that is new. The examples lie in the buffer: the next call with it overwrites
// them.
func (e *Encoder) Encode(b *Buffer, texts []string) *child.Examples {
	s, whole, out := &b.split, &b.whole, &b.examples
	s.Offsets, s.IDs = append(s.Offsets[:0], 0), s.IDs[:0]
	whole.Offsets, whole.IDs = append(whole.Offsets[:0], 0), whole.IDs[:0]
	if cap(s.Labels) < len(texts) {
		s.Labels = make([]int32, len(texts)) // of zeros, which nobody changes
	}
	s.Labels = s.Labels[:len(texts)]
	whole.Labels = s.Labels
	if e.index != nil {
		if b.counter == nil || b.counter.Columns() != e.index.Len() {
			b.counter = sparse.NewCounter(e.index.Len(), 0)
		}
		b.counter.Reset()
	}
	take := func(token []byte) {
		id, known := e.tokens[string(token)]
		switch {
		case known:
			s.IDs, whole.IDs = append(s.IDs, id), append(whole.IDs, id)
		case !e.cut:
			whole.IDs = append(whole.IDs, unknown)
			if e.index != nil {
				b.starts = e.index.eachPieceOf(string(token), b.starts, b.counter.Add)
			}
		}
	}
	for _, text := range texts {
		from := len(whole.IDs)
		b.scanner.scan(e.task.Tokeniser, text, take)
		s.Offsets, whole.Offsets = append(s.Offsets, int32(len(s.IDs))), append(whole.Offsets, int32(len(whole.IDs)))
		if e.index != nil {
			e.countRuns(b.counter, whole.IDs[from:])
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
		e.task.appendOneHot(&b.wide, whole, out, e.grams)
		out.Wide = &b.wide
	}
	return out
}

// countRuns counts the features of what lies between unknown tokens.
func (e *Encoder) countRuns(c *sparse.Counter, ids []int32) {
	for {
		n := slices.Index(ids, unknown)
		if n < 0 {
			e.index.count(c, ids)
			return
		}
		e.index.count(c, ids[:n])
		ids = ids[n+1:]
	}
}
