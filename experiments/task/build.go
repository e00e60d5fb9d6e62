package task

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"
)

// Options says how to build a task. The zero value of each field but Name is
// its default. Those of vocabulary and tokens mean nothing to an image task.
type Options struct {
	// Name is the task's catalogue name.
	Name string `json:"name"`
	// Seed of the random split; 0 means 1.
	Seed uint64 `json:"seed,omitempty"`
	// Validation and Test are the fractions cut off by the random split; 0
	// means 0.1 each. Test is not used where the source gives a test split, nor
	// is Validation where it gives a validation split.
	Validation float64 `json:"validation,omitempty"`
	Test       float64 `json:"test,omitempty"`
	// MaxVocabulary bounds the vocabulary; 0 means 32,768 tokens.
	MaxVocabulary int `json:"max_vocabulary,omitempty"`
	// MinCount is how often a token must occur in the training split for the
	// wide tower to see it; 0 means 2.
	MinCount int `json:"min_count,omitempty"`
	// MaxTokens cuts a document after so many tokens; 0 means 512.
	MaxTokens int `json:"max_tokens,omitempty"`
	// KeepCase leaves letters as they are; the default is lower case.
	KeepCase bool `json:"keep_case,omitempty"`
	// Source says in words where the examples come from, and Licence under
	// which terms; both go to the card.
	Source  string `json:"source,omitempty"`
	Licence string `json:"licence,omitempty"`
	// SourceDigest is the SHA-256 of the file imported, in hexadecimal.
	SourceDigest string `json:"source_digest,omitempty"`
}

// Limits of what Build takes.
const (
	minExamples = 10
	maxClasses  = 10000
)

// Validate reports what is out of range.
func (o Options) Validate() error {
	_, err := o.withDefaults()
	return err
}

// withDefaults fills in the defaults and reports what is out of range.
func (o Options) withDefaults() (Options, error) {
	o, err := o.Common()
	errs := []error{err}
	def := func(v *int, d int, name string) {
		if *v == 0 {
			*v = d
		}
		if *v < 0 {
			errs = append(errs, fmt.Errorf("%s of %d must be positive", name, *v))
		}
	}
	def(&o.MaxVocabulary, 32768, "max vocabulary")
	def(&o.MinCount, 2, "min count")
	def(&o.MaxTokens, 512, "max tokens")
	return o, errors.Join(errs...)
}

// Common fills in the defaults of the options that all kinds of tasks have, the
// split's, and reports what is out of range.
func (o Options) Common() (Options, error) {
	var errs []error
	if o.Seed == 0 {
		o.Seed = 1
	}
	if o.Validation == 0 {
		o.Validation = 0.1
	}
	if o.Test == 0 {
		o.Test = 0.1
	}
	if !(o.Validation > 0 && o.Test > 0 && o.Validation+o.Test < 1) {
		errs = append(errs, fmt.Errorf("validation fraction %v and test fraction %v must be positive and leave something to train on", o.Validation, o.Test))
	}
	for _, f := range []struct{ name, value string }{{"name", o.Name}, {"source", o.Source}, {"licence", o.Licence}, {"source digest", o.SourceDigest}} {
		if !utf8.ValidString(f.value) {
			errs = append(errs, fmt.Errorf("the %s %q is not UTF-8", f.name, f.value))
		}
	}
	if o.Name == "" {
		errs = append(errs, errors.New("the task has no name"))
	}
	return o, errors.Join(errs...)
}

// Build makes a task of examples: splits, vocabulary, token ids, card. Equal
// arguments give equal tasks, on any number of processors.
//
// Examples with an empty text are left out and counted in the card. It is an
// error when fewer than 10 examples or two classes remain, when a split is
// empty, or when some examples have a split and others have none.
func Build(examples []Example, o Options) (*Task, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("task %s: %w", o.Name, err)
	}
	kept := make([]Example, 0, len(examples))
	for _, e := range examples {
		if strings.TrimSpace(e.Text) != "" {
			kept = append(kept, e)
		}
	}
	empty := len(examples) - len(kept)
	examples = kept
	labels, err := labelsOf(examples, empty)
	if err != nil {
		return nil, fmt.Errorf("task %s: %w", o.Name, err)
	}
	groups := groupEqual(examples)
	splits := make([]string, len(examples))
	for i, e := range examples {
		splits[i] = e.Split
	}
	parts, given, err := Divide(splits, groups, o)
	if err != nil {
		return nil, fmt.Errorf("task %s: %w", o.Name, err)
	}
	t := &Task{Name: o.Name, Labels: labels,
		Tokeniser: Tokeniser{Version: TokeniserVersion, KeepCase: o.KeepCase, MaxTokens: o.MaxTokens}}
	tok := tokeniseAll(t.Tokeniser, examples)
	if tok.total > math.MaxInt32 {
		return nil, fmt.Errorf("task %s: %d tokens are more than a task can hold; lower max tokens", o.Name, tok.total)
	}
	ids := t.buildVocabulary(tok, parts, o)
	index := make(map[string]int32, len(labels))
	for i, l := range labels {
		index[l] = int32(i)
	}
	of := make([]int32, len(examples))
	for i, e := range examples {
		of[i] = index[e.Label]
	}
	dst := []*Split{&t.Train, &t.Validation, &t.Test}
	for _, s := range dst {
		s.Offsets = []int32{0}
	}
	for i := range examples {
		s := dst[parts[i]]
		for _, word := range tok.docs[i] {
			if id := ids[word]; id >= 0 {
				s.IDs = append(s.IDs, id)
			}
		}
		s.Offsets = append(s.Offsets, int32(len(s.IDs)))
		s.Labels = append(s.Labels, of[i])
	}
	t.Card = NewCard(labels, of, groups, parts, given, o)
	t.Card.ofTexts(t, examples, of, groups, parts, tok)
	t.Card.Empty = empty
	t.Card.warn()
	if err := t.Validate(); err != nil {
		return nil, err
	}
	return t, nil
}

// labelsOf returns the sorted class names.
func labelsOf(examples []Example, empty int) ([]string, error) {
	n := len(examples)
	if n < minExamples {
		return nil, fmt.Errorf("%d examples with a text (%d without) are too few; at least %d are needed", n, empty, minExamples)
	}
	counts := map[string]int{}
	for i, e := range examples {
		if e.Label == "" {
			return nil, fmt.Errorf("example %d has no label", i)
		}
		if !utf8.ValidString(e.Label) {
			return nil, fmt.Errorf("example %d has the label %q, which is not UTF-8", i, e.Label)
		}
		counts[e.Label]++
	}
	labels := make([]string, 0, len(counts))
	for l := range counts {
		labels = append(labels, l)
	}
	slices.Sort(labels)
	switch {
	case len(labels) == 1:
		return nil, fmt.Errorf("all %d examples have the label %q; a classification task needs at least two classes (is the label column the right one?)", n, labels[0])
	case len(labels) > n/2 && len(labels) > 2 || len(labels) > maxClasses:
		return nil, fmt.Errorf("%d different labels in %d examples are no classes (is the label column the right one?)", len(labels), n)
	}
	return labels, nil
}

// tokens are tokenised documents over a common list of words.
type tokens struct {
	words []string
	docs  [][]int32
	total int
}

// tokeniseAll tokenises in parallel. The order of words depends on nothing but
// the examples: documents are dealt out in fixed blocks, and the blocks' word
// lists are merged in order.
func tokeniseAll(t Tokeniser, examples []Example) *tokens {
	const block = 512
	blocks := (len(examples) + block - 1) / block
	type part struct {
		words []string
		docs  [][]int32
	}
	parts := make([]part, blocks)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), blocks) {
		wg.Go(func() {
			var sc scanner
			for {
				b := int(next.Add(1)) - 1
				if b >= blocks {
					return
				}
				p := &parts[b]
				index := map[string]int32{}
				for _, e := range examples[b*block : min((b+1)*block, len(examples))] {
					doc := make([]int32, 0, len(e.Text)/5+1)
					sc.scan(t, e.Text, func(token []byte) {
						id, ok := index[string(token)]
						if !ok {
							id = int32(len(p.words))
							word := string(token)
							index[word] = id
							p.words = append(p.words, word)
						}
						doc = append(doc, id)
					})
					p.docs = append(p.docs, doc)
				}
			}
		})
	}
	wg.Wait()
	out := &tokens{docs: make([][]int32, 0, len(examples))}
	index := map[string]int32{}
	for _, p := range parts {
		local := make([]int32, len(p.words))
		for i, word := range p.words {
			id, ok := index[word]
			if !ok {
				id = int32(len(out.words))
				index[word] = id
				out.words = append(out.words, word)
			}
			local[i] = id
		}
		for _, doc := range p.docs {
			for k := range doc {
				doc[k] = local[doc[k]]
			}
			out.docs = append(out.docs, doc)
			out.total += len(doc)
		}
	}
	return out
}

// buildVocabulary sets Vocabulary and WideVocabulary and returns each word's
// id, or -1.
func (t *Task) buildVocabulary(tok *tokens, parts []Part, o Options) []int32 {
	train, all := make([]int, len(tok.words)), make([]int, len(tok.words))
	for i, doc := range tok.docs {
		for _, w := range doc {
			all[w]++
			if parts[i] == InTrain {
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
	order = order[:min(len(order), o.MaxVocabulary)]
	ids := make([]int32, len(tok.words))
	for i := range ids {
		ids[i] = -1
	}
	t.Vocabulary = make([]string, len(order))
	for i, w := range order {
		ids[w] = int32(i)
		t.Vocabulary[i] = tok.words[w]
		if train[w] >= o.MinCount {
			t.WideVocabulary++
		}
	}
	return ids
}
