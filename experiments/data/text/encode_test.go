package text

import (
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
