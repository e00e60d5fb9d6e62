package text

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tnaml/experiments/data"
	"tnaml/nn/child"
	"tnaml/nn/rng"
)

// New texts are encoded as the task's own were, in a buffer of any past.
func TestEncode(t *testing.T) {
	task, b := hand(t), new(Buffer)
	e := task.Encoder(nil, nil)
	for range 2 {
		got := e.Encode(b, []string{"Tea RED tea unheard", "", "odd!"})
		want := &child.Examples{Offsets: []int32{0, 2, 2, 3}, IDs: []int32{0, 3, 5}, Counts: []float32{1, 2, 1}, Labels: make([]int32, 3)}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if got := e.Encode(b, nil); got.Len() != 0 || len(got.Offsets) != 1 {
			t.Errorf("no texts: %+v", got)
		}
	}
	var texts []string
	for _, e := range byHand {
		if e.Split == data.Train {
			texts = append(texts, e.Text)
		}
	}
	train, bags := task.Data(nil).Train, e.Encode(b, texts)
	train.Labels = bags.Labels
	if diff := cmp.Diff(&train, bags); diff != "" {
		t.Errorf("the training texts: %s", diff)
	}
}

// mixed makes texts of common words, and of rare ones, which each split has of its own.
func mixed() (examples []Example, test []string) {
	r := rng.New(5, "encode/test", 0)
	for i := range 200 {
		split := []string{data.Train, data.Train, data.Train, data.Validation, data.Test}[i%5]
		var s []string
		for range 2 + r.IntN(12) {
			u := r.Float64()
			word := fmt.Sprintf("word%d", int(30*u*u))
			if r.IntN(5) == 0 {
				word = fmt.Sprintf("%s%d", split, r.IntN(20))
			}
			s = append(s, word)
		}
		examples = append(examples, Example{Text: strings.Join(s, " "), Label: []string{"a", "b"}[r.IntN(2)], Split: split})
		if split == data.Test {
			test = append(test, examples[i].Text)
		}
	}
	return examples, test
}

// A text of the test split is encoded as models are evaluated on it, whatever their wide
// towers see, with tokens that training lacks and with those that the vocabulary does.
func TestEncodeAsEvaluated(t *testing.T) {
	examples, texts := mixed()
	for _, most := range []int{0, 60, 12} {
		task, err := Build(examples, data.Options{Name: "mixed", MaxVocabulary: most})
		if err != nil {
			t.Fatal(err)
		}
		if cut := task.Card.DistinctTokens > len(task.Vocabulary); cut != (most > 0) {
			t.Fatalf("at most %d tokens: %d of %d", most, len(task.Vocabulary), task.Card.DistinctTokens)
		}
		check := func(what string, e *Encoder, d *child.Data) {
			got := e.Encode(new(Buffer), texts)
			want := d.Test
			want.Labels = got.Labels
			if diff := cmp.Diff(&want, got); diff != "" {
				t.Errorf("at most %d tokens, %s: %s", most, what, diff)
			}
			if len(got.Wide.IDs) < 2*len(texts) {
				t.Errorf("at most %d tokens, %s: %d wide features are no test", most, what, len(got.Wide.IDs))
			}
		}
		for _, n := range []int{2, 3} {
			g, err := task.NGrams(n)
			if err != nil {
				t.Fatal(err)
			}
			check(fmt.Sprintf("n-grams of up to %d", n), task.Encoder(g, nil), task.Data(g))
		}
		for f := range wideFeatures {
			x, err := task.WideIndex(f)
			if err != nil {
				t.Fatal(err)
			}
			d, err := task.WithFeatures(task.Data(nil), f)
			if err != nil {
				t.Fatal(err)
			}
			check(string(f), task.Encoder(nil, x), d)
		}
	}
}

// A word that is new parts its neighbours where the vocabulary has all words of the task,
// as words do that only its test split has, and none where it was cut.
func TestNewWordsAreNoBridge(t *testing.T) {
	var examples []Example
	for i := range 60 {
		s := []string{"not good at all", "good and nice"}[i%2]
		split := []string{data.Train, data.Train, data.Train, data.Validation, data.Test}[i%5]
		if split == data.Test {
			s = "not zzz good"
		}
		examples = append(examples, Example{Text: s, Label: []string{"x", "y"}[i%2], Split: split})
	}
	for _, c := range []struct{ most, with, parted int }{{0, 3, 2}, {6, 3, 3}} {
		task, err := Build(examples, data.Options{Name: "bridge", MaxVocabulary: c.most})
		if err != nil {
			t.Fatal(err)
		}
		g, err := task.NGrams(2)
		if err != nil {
			t.Fatal(err)
		}
		x, err := task.WideIndex(child.Words2)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range []*Encoder{task.Encoder(g, nil), task.Encoder(nil, x)} {
			for text, want := range map[string]int{
				"not good": c.with, "not zzz good": c.parted, "not qqq good": c.parted, "qqq not qqq qqq good qqq": c.parted,
				"qqq not good qqq": c.with,
			} {
				if got := e.Encode(new(Buffer), []string{text}); len(got.Wide.IDs) != want || len(got.IDs) < 2 {
					t.Errorf("at most %d tokens: %q has %d features, want %d", c.most, text, len(got.Wide.IDs), want)
				}
			}
		}
	}
}

// What a text is encoded as depends neither on the texts beside it, nor on what the buffer held
// before, nor on who else encodes.
func TestEncodeAlone(t *testing.T) {
	task := featureTask()
	x, err := task.Index(Features{Words: 2, Characters: 3})
	if err != nil {
		t.Fatal(err)
	}
	r := rng.New(1, "encode/test", 0)
	words := []string{"to", "be", "tobe", "bee", "TÖ", "oh", "", "\xff", "😀", strings.Repeat("to be ", 300)}
	var texts []string
	for range 60 {
		var s []string
		for range r.IntN(12) {
			s = append(s, words[r.IntN(len(words))])
		}
		texts = append(texts, strings.Join(s, " "))
	}
	g, err := task.NGrams(2)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []*Encoder{task.Encoder(nil, x), task.Encoder(g, nil), task.Encoder(nil, nil)} {
		all := e.Encode(new(Buffer), texts)
		var wait sync.WaitGroup
		for range 2 {
			wait.Go(func() {
				var b Buffer
				for i, text := range slices.Backward(texts) {
					got := e.Encode(&b, []string{text})
					from, to := all.Offsets[i], all.Offsets[i+1]
					want := &child.Examples{Offsets: []int32{0, to - from}, IDs: all.IDs[from:to], Counts: all.Counts[from:to], Labels: []int32{0}}
					wide := got.Wide
					got.Wide = nil
					if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
						t.Errorf("%q alone: %s", text, diff)
					}
					if wide == nil {
						continue
					}
					from, to = all.Wide.Offsets[i], all.Wide.Offsets[i+1]
					if !slices.Equal(wide.IDs, all.Wide.IDs[from:to]) ||
						wide.Values != nil && !slices.Equal(wide.Values, all.Wide.Values[from:to]) {
						t.Errorf("%q alone: the wide tower sees %+v", text, wide)
					}
				}
			})
		}
		wait.Wait()
	}
}
