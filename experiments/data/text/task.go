// Package task is a text classification task: import from tables, folders and
// archives of labelled texts, tokenising, vocabulary, split, data card, and the
// encoded form that child models are trained on.
package text

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"tnaml/experiments/data"
	"tnaml/nn/child"
	"tnaml/nn/safetensors"
	"tnaml/nn/sparse"
)

// Example is one labelled text.
type Example struct {
	Text  string `json:"text"`
	Label string `json:"label"`
	// Split is Train, Validation, Test, or empty where the source gives none.
	Split string `json:"split,omitempty"`
}

// Split is one part of a task's examples, as token sequences: example i holds
// the token ids IDs[Offsets[i]:Offsets[i+1]] in the order of the text, without
// the tokens that are not in the vocabulary.
type Split struct {
	Offsets []int32
	IDs     []int32
	// Labels index Task.Labels.
	Labels []int32
}

// Len returns the number of examples.
func (s *Split) Len() int { return len(s.Labels) }

// Task is a built task: everything a child model needs of it.
type Task struct {
	Name string
	// Labels are the class names, sorted.
	Labels []string
	// Vocabulary holds the tokens by falling count in the training split, then
	// falling total count, then by token.
	Vocabulary []string
	// WideVocabulary is the number of leading tokens that occur in the training
	// split at least Options.MinCount times. The rest is known to the embedding
	// modules only.
	WideVocabulary int
	Tokeniser      Tokeniser
	Train          Split
	Validation     Split
	Test           Split
	Card           data.Card
}

// Data returns the task as bags of tokens, for child models whose wide tower sees
// the n-grams g too; nil means none.
func (t *Task) Data(g *NGrams) *child.Data {
	longest := 1
	if g != nil {
		longest = g.Longest
	}
	return &child.Data{
		Train: t.bags(&t.Train, g), Validation: t.bags(&t.Validation, g), Test: t.bags(&t.Test, g),
		Classes: len(t.Labels), Vocabulary: len(t.Vocabulary), WideVocabulary: t.WideVocabulary,
		NGrams: g.Len(), WideNGrams: longest,
	}
}

// bags turns sequences into bags: each token once and ascending, with its count.
func (t *Task) bags(s *Split, g *NGrams) child.Examples {
	e := child.Examples{
		Offsets: make([]int32, 0, len(s.Offsets)),
		IDs:     make([]int32, 0, len(s.IDs)),
		Counts:  make([]float32, 0, len(s.IDs)),
		Labels:  slices.Clone(s.Labels),
	}
	appendBags(&e, s, nil)
	e.IDs, e.Counts = slices.Clip(e.IDs), slices.Clip(e.Counts)
	if g.Len() > 0 {
		e.Wide = &sparse.Matrix{Offsets: make([]int32, 0, len(e.Offsets)), IDs: make([]int32, 0, len(e.IDs))}
		t.appendOneHot(e.Wide, s, &e, g)
		e.Wide.IDs = slices.Clip(e.Wide.IDs)
	}
	return e
}

// appendBags puts the bags of sequences into examples that have none yet; doc is room for a
// sequence, which it returns.
func appendBags(e *child.Examples, s *Split, doc []int32) []int32 {
	e.Offsets = append(e.Offsets, 0)
	for i := range s.Labels {
		doc = append(doc[:0], s.IDs[s.Offsets[i]:s.Offsets[i+1]]...)
		slices.Sort(doc)
		for k, id := range doc {
			if k > 0 && id == doc[k-1] {
				e.Counts[len(e.Counts)-1]++
				continue
			}
			e.IDs = append(e.IDs, id)
			e.Counts = append(e.Counts, 1)
		}
		e.Offsets = append(e.Offsets, int32(len(e.IDs)))
	}
	return doc
}

// kind is the container kind of an encoded task.
const kind = "task"

// header is the part of an encoded task that is JSON.
type header struct {
	Name           string    `json:"name"`
	Labels         []string  `json:"labels"`
	WideVocabulary int       `json:"wide_vocabulary"`
	Tokeniser      Tokeniser `json:"tokeniser"`
	Card           data.Card `json:"card"`
}

// Encode returns the task as a safetensors file of kind "task": the metadata
// "task" holds name, labels, tokeniser and card as JSON; the arrays are
// "vocabulary" (the tokens, UTF-8, each ended by a newline) and, for each
// split, "<split>.offsets", "<split>.ids" and "<split>.labels" (I32). Equal
// tasks give equal bytes.
func (t *Task) Encode() []byte {
	f := safetensors.New(kind)
	f.PutJSON(kind, header{t.Name, t.Labels, t.WideVocabulary, t.Tokeniser, t.Card})
	size := 0
	for _, token := range t.Vocabulary {
		size += len(token) + 1
	}
	words := make([]byte, 0, size)
	for _, token := range t.Vocabulary {
		words = append(append(words, token...), '\n')
	}
	safetensors.Put(f, "vocabulary", words)
	for _, s := range t.splits() {
		safetensors.Put(f, s.name+".offsets", s.Offsets)
		safetensors.Put(f, s.name+".ids", s.IDs)
		safetensors.Put(f, s.name+".labels", s.Labels)
	}
	return f.Encode()
}

type namedSplit struct {
	name string
	*Split
}

func (t *Task) splits() []namedSplit {
	return []namedSplit{{data.Train, &t.Train}, {data.Validation, &t.Validation}, {data.Test, &t.Test}}
}

// Decode reads what Encode wrote. A task that is damaged, inconsistent, or made
// with another version of the tokeniser is an error.
func Decode(b []byte) (*Task, error) {
	f, err := safetensors.Decode(b)
	if err != nil {
		return nil, fmt.Errorf("task: %w", err)
	}
	return decode(f)
}

func decode(f *safetensors.File) (*Task, error) {
	if f.Kind() != kind {
		return nil, fmt.Errorf("task: the object is a %q, not a task", f.Kind())
	}
	var h header
	if err := f.GetJSON(kind, &h); err != nil {
		return nil, fmt.Errorf("task: %w", err)
	}
	t := &Task{Name: h.Name, Labels: h.Labels, WideVocabulary: h.WideVocabulary, Tokeniser: h.Tokeniser, Card: h.Card}
	words, _, err := safetensors.Get[uint8](f, "vocabulary", -1)
	if err != nil {
		return nil, fmt.Errorf("task %s: %w", t.Name, err)
	}
	if n := len(words); n > 0 {
		if words[n-1] != '\n' {
			return nil, fmt.Errorf("task %s: vocabulary does not end with a newline", t.Name)
		}
		t.Vocabulary = strings.Split(string(words[:n-1]), "\n")
	}
	for _, s := range t.splits() {
		for _, a := range []struct {
			name string
			to   *[]int32
		}{{"offsets", &s.Offsets}, {"ids", &s.IDs}, {"labels", &s.Labels}} {
			if *a.to, _, err = safetensors.Get[int32](f, s.name+"."+a.name, -1); err != nil {
				return nil, fmt.Errorf("task %s: %w", t.Name, err)
			}
		}
	}
	if err := t.Validate(); err != nil {
		return nil, err
	}
	return t, nil
}

// Validate checks that the parts of a task fit together; a task that passes
// can be trained on without further checks. Build and Decode return only such.
func (t *Task) Validate() error {
	var errs []error
	bad := func(format string, a ...any) {
		errs = append(errs, fmt.Errorf("task %s: "+format, append([]any{t.Name}, a...)...))
	}
	if t.Tokeniser.Version != TokeniserVersion {
		bad("made with version %d of the tokeniser, this program has version %d; import the task again", t.Tokeniser.Version, TokeniserVersion)
	}
	if len(t.Labels) < 2 || !slices.IsSorted(t.Labels) || len(slices.Compact(slices.Clone(t.Labels))) != len(t.Labels) {
		bad("labels must be two or more, sorted and distinct")
	}
	if t.WideVocabulary < 0 || t.WideVocabulary > len(t.Vocabulary) {
		bad("wide vocabulary of %d in a vocabulary of %d", t.WideVocabulary, len(t.Vocabulary))
	}
	seen := make(map[string]bool, len(t.Vocabulary))
	for i, token := range t.Vocabulary {
		if token == "" || seen[token] {
			bad("token %d (%q) is empty or there twice", i, token)
			break
		}
		seen[token] = true
	}
	for _, s := range t.splits() {
		if err := s.validate(len(t.Labels), len(t.Vocabulary)); err != nil {
			bad("%s split: %w", s.name, err)
		}
	}
	return errors.Join(errs...)
}

func (s *Split) validate(classes, vocabulary int) error {
	if len(s.Labels) == 0 {
		return errors.New("no examples")
	}
	if len(s.Offsets) != len(s.Labels)+1 || s.Offsets[0] != 0 || int(s.Offsets[len(s.Labels)]) != len(s.IDs) || !slices.IsSorted(s.Offsets) {
		return fmt.Errorf("offsets do not partition %d tokens among %d examples", len(s.IDs), len(s.Labels))
	}
	for i, l := range s.Labels {
		if l < 0 || int(l) >= classes {
			return fmt.Errorf("example %d has label %d of %d", i, l, classes)
		}
	}
	for i, id := range s.IDs {
		if id < 0 || int(id) >= vocabulary {
			return fmt.Errorf("token %d has id %d in a vocabulary of %d", i, id, vocabulary)
		}
	}
	return nil
}
