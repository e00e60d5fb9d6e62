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
	maxClasses  = 10000
)

// Build makes a task of examples: splits, vocabulary, token ids, card. Equal
// arguments give equal tasks, on any number of processors.
//
// Examples with an empty text are left out and counted in the card. It is an
// error when fewer than 10 examples or two classes remain, when a split is
// empty, or when some examples have a split and others have none.
func Build(examples []Example, o data.Options) (*Task, error) {
	o, err := o.OfTexts()
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
	parts, given, err := data.Divide(splits, groups, o)
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
	t.Card = data.NewCard(labels, of, groups, parts, given, o)
	describe(&t.Card, t, examples, of, groups, parts, tok)
	t.Card.Empty = empty
	warn(&t.Card)
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
		return nil, fmt.Errorf("all %d examples have the label %q; a classification task needs at least two classes "+
			"(is the label column the right one?)", n, labels[0])
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
func (t *Task) buildVocabulary(tok *tokens, parts []data.Part, o data.Options) []int32 {
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
