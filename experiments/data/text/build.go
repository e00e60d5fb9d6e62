package text

import (
	"cmp"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"tnaml/experiments/data"
)

// Limits of what Build takes.
const (
	minExamples = 10
	maxLabel    = 1 << 10 // bytes
)

// Build makes a task of examples: splits, vocabulary, token ids, card. Equal
// arguments give equal tasks, on any number of processors.
//
// Examples with an empty text are left out and counted in the card. It is an
// error when fewer than 10 examples or two classes remain, when a split is
// empty, or when some examples have a split and others have none.
func Build(examples []Example, o data.Options) (*Task, error) {
	b, err := NewBuilder(o)
	if err != nil {
		return nil, err
	}
	for _, e := range examples {
		if err := b.Add(e); err != nil {
			return nil, err
		}
	}
	return b.Task()
}

// Builder makes a task of examples that come one after the other. Of a text it
// keeps the tokens and a digest, and holds no more than a few MiB of texts, or one.
type Builder struct {
	o         data.Options
	tokeniser Tokeniser
	batch     []Example
	size      int // of the batch's texts
	empty     int
	relabels  int
	relabel   string // the first label that was written otherwise, as it was
	labels    []string
	classOf   map[string]int32
	words     []string
	wordOf    map[string]int32
	groupOf   map[digest]int
	total     int // tokens, and those of the test split
	tested    int
	// Of each example: its tokens, class, split, group and length in characters; and
	// of each class the first different texts.
	docs    [][]int32
	of      []int32
	splits  []string
	groups  []int
	lengths []int
	samples [][]string
	// Of each example that was kept, which of those added it is, from 0.
	rows  []int
	added int
	parts []data.Part // of the task that was made
}

// NewBuilder begins a task.
func NewBuilder(o data.Options) (*Builder, error) {
	o, err := o.OfTexts()
	if err != nil {
		return nil, fmt.Errorf("task %s: %w", o.Name, err)
	}
	return &Builder{o: o, tokeniser: Tokeniser{Version: TokeniserVersion, KeepCase: o.KeepCase, MaxTokens: o.MaxTokens},
		classOf: map[string]int32{}, wordOf: map[string]int32{}, groupOf: map[digest]int{}}, nil
}

// SourceDigest sets the digest of the file imported, which is known when all of it
// has been read.
func (b *Builder) SourceDigest(sum string) { b.o.SourceDigest = sum }

// A batch is tokenised at a time, in parallel.
const (
	batchExamples = 4096
	batchBytes    = 4 << 20
)

// Add takes an example. An error says that there can be no task.
func (b *Builder) Add(e Example) error {
	row := b.added
	b.added++
	if strings.TrimSpace(e.Text) == "" {
		b.empty++
		return nil
	}
	i := len(b.of)
	bad := func(format string, a ...any) error {
		return fmt.Errorf("task %s: "+format, append([]any{b.o.Name}, a...)...)
	}
	switch {
	case e.Label == "":
		return bad("example %d has no label", i)
	case !utf8.ValidString(e.Label):
		return bad("example %d has the label %q, which is not UTF-8", i, e.Label)
	case len(e.Label) > maxLabel:
		return bad("example %d has a label of %d bytes; at most %d are a label (is the label column the right one?)", i, len(e.Label), maxLabel)
	}
	label := data.LabelOf(e.Label)
	if label != e.Label {
		if b.relabels++; b.relabel == "" {
			b.relabel = e.Label
		}
	}
	class, ok := b.classOf[label]
	if !ok {
		if class = int32(len(b.labels)); class == data.MaxClasses {
			return bad("more than %d different labels in the first %d examples are no classes (is the label column the right one?)",
				data.MaxClasses, i+1)
		}
		label = strings.Clone(label)
		b.classOf[label], b.labels, b.samples = class, append(b.labels, label), append(b.samples, nil)
	}
	if len(b.batch) == batchExamples || len(b.batch) > 0 && b.size+len(e.Text) > batchBytes {
		b.flush()
	}
	b.of, b.splits, b.rows = append(b.of, class), append(b.splits, e.Split), append(b.rows, row)
	b.batch, b.size = append(b.batch, e), b.size+len(e.Text)
	if b.size > batchBytes {
		b.flush()
	}
	return nil
}

// read is what is kept of a text.
type read struct {
	doc    []int32 // into the block's words
	digest digest
	length int
	sample string
}

// flush tokenises the batch in parallel: in blocks, whose lists of words are
// merged in their order.
func (b *Builder) flush() {
	const size = 64
	type block struct {
		words []string
		texts []read
	}
	blocks := make([]block, (len(b.batch)+size-1)/size)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(blocks)) {
		wg.Go(func() {
			var sc scanner
			d := newDigester()
			for {
				k := int(next.Add(1)) - 1
				if k >= len(blocks) {
					return
				}
				p, index := &blocks[k], map[string]int32{}
				for _, e := range b.batch[k*size : min((k+1)*size, len(b.batch))] {
					doc := make([]int32, 0, min(len(e.Text)/5+1, b.o.MaxTokens))
					sc.scan(b.tokeniser, e.Text, func(token []byte) {
						id, ok := index[string(token)]
						if !ok {
							id = int32(len(p.words))
							word := string(token)
							index[word] = id
							p.words = append(p.words, word)
						}
						doc = append(doc, id)
					})
					p.texts = append(p.texts, read{doc, d.of(e.Text), utf8.RuneCountInString(e.Text), sample(e.Text)})
				}
			}
		})
	}
	wg.Wait()
	for _, p := range blocks {
		local := make([]int32, len(p.words))
		for i, word := range p.words {
			id, ok := b.wordOf[word]
			if !ok {
				id = int32(len(b.words))
				b.wordOf[word], b.words = id, append(b.words, word)
			}
			local[i] = id
		}
		for _, t := range p.texts {
			for k := range t.doc {
				t.doc[k] = local[t.doc[k]]
			}
			group, ok := b.groupOf[t.digest]
			class := b.of[len(b.docs)]
			if !ok {
				group = len(b.groupOf)
				b.groupOf[t.digest] = group
				if len(b.samples[class]) < samples {
					b.samples[class] = append(b.samples[class], t.sample)
				}
			}
			b.docs, b.groups, b.lengths = append(b.docs, slices.Clip(t.doc)), append(b.groups, group), append(b.lengths, t.length)
			b.total += len(t.doc)
		}
	}
	clear(b.batch)
	b.batch, b.size = b.batch[:0], 0
}

// Task makes the task of what was added.
func (b *Builder) Task() (*Task, error) {
	b.flush()
	labels, err := b.classes()
	if err != nil {
		return nil, fmt.Errorf("task %s: %w", b.o.Name, err)
	}
	parts, given, err := data.Divide(b.splits, b.of, b.groups, b.o)
	if err != nil {
		return nil, fmt.Errorf("task %s: %w", b.o.Name, err)
	}
	b.parts = parts
	if b.total > math.MaxInt32 {
		return nil, fmt.Errorf("task %s: %d tokens are more than a task can hold; lower max tokens", b.o.Name, b.total)
	}
	t := &Task{Name: b.o.Name, Labels: labels, Tokeniser: b.tokeniser}
	ids := t.buildVocabulary(b, parts)
	dst := []*Split{&t.Train, &t.Validation, &t.Test}
	var examples, tokens [3]int
	for i, doc := range b.docs {
		examples[parts[i]]++
		tokens[parts[i]] += len(doc)
	}
	for k, s := range dst {
		s.Offsets, s.Labels = make([]int32, 1, examples[k]+1), make([]int32, 0, examples[k])
		s.IDs = make([]int32, 0, tokens[k])
	}
	t.Card = data.NewCard(labels, b.of, b.groups, parts, given, b.o)
	b.describe(&t.Card, parts)
	for i, doc := range b.docs {
		s := dst[parts[i]]
		b.docs[i] = nil // the tokens are not held twice
		for _, word := range doc {
			if id := ids[word]; id >= 0 {
				s.IDs = append(s.IDs, id)
			}
		}
		s.Offsets = append(s.Offsets, int32(len(s.IDs)))
		s.Labels = append(s.Labels, b.of[i])
	}
	b.covered(t)
	b.warn(&t.Card)
	if err := t.Validate(); err != nil {
		return nil, err
	}
	return t, nil
}

// Rows says of each example of the task's splits which of the examples added it is, those
// without a text counted, and how many those are. There is no task before Task has made it.
func (b *Builder) Rows() (train, validation, test []int, added int) {
	of := map[data.Part]*[]int{data.InTrain: &train, data.InValidation: &validation, data.InTest: &test}
	for i, part := range b.parts {
		*of[part] = append(*of[part], b.rows[i])
	}
	return train, validation, test, b.added
}

// classes returns the sorted class names, and numbers the examples' by them.
func (b *Builder) classes() ([]string, error) {
	n := len(b.of)
	switch {
	case n < minExamples:
		return nil, fmt.Errorf("%d examples with a text (%d without) are too few; at least %d are needed", n, b.empty, minExamples)
	case len(b.labels) == 1:
		return nil, fmt.Errorf("all %d examples have the label %q; a classification task needs at least two classes "+
			"(is the label column the right one?)", n, b.labels[0])
	case len(b.labels) > n/2 && len(b.labels) > 2:
		return nil, fmt.Errorf("%d different labels in %d examples are no classes (is the label column the right one?)", len(b.labels), n)
	}
	sorted := slices.Sorted(slices.Values(b.labels))
	to, texts := make([]int32, len(sorted)), make([][]string, len(sorted))
	for i, l := range sorted {
		to[b.classOf[l]], texts[i] = int32(i), b.samples[b.classOf[l]]
	}
	for i := range b.of {
		b.of[i] = to[b.of[i]]
	}
	for i, l := range sorted {
		b.classOf[l] = int32(i)
	}
	b.labels, b.samples = sorted, texts
	return sorted, nil
}

// buildVocabulary sets Vocabulary and WideVocabulary and returns each word's
// id, or -1.
func (t *Task) buildVocabulary(tok *Builder, parts []data.Part) []int32 {
	train, all := make([]int, len(tok.words)), make([]int, len(tok.words))
	for i, doc := range tok.docs {
		for _, w := range doc {
			all[w]++
			if parts[i] == data.InTrain {
				train[w]++
			}
		}
	}
	order := make([]int32, len(tok.words))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		return cmp.Or(cmp.Compare(train[b], train[a]), cmp.Compare(all[b], all[a]), strings.Compare(tok.words[a], tok.words[b]))
	})
	order = order[:min(len(order), tok.o.MaxVocabulary)]
	ids := make([]int32, len(tok.words))
	for i := range ids {
		ids[i] = -1
	}
	t.Vocabulary = make([]string, len(order))
	for i, w := range order {
		ids[w] = int32(i)
		t.Vocabulary[i] = tok.words[w]
		if train[w] >= tok.o.MinCount {
			t.WideVocabulary++
		}
	}
	return ids
}
