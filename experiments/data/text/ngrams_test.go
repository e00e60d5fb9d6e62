package text

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tnaml/experiments/data"
	"tnaml/nn/rng"
	"tnaml/nn/sparse"
)

// ngramTask has tokens a b c (0 1 2) that the wide tower sees and d (3) that it
// does not.
func ngramTask(train ...[]int32) *Task {
	t := &Task{Name: "t", Labels: []string{"x", "y"}, Vocabulary: []string{"a", "b", "c", "d"}, WideVocabulary: 3}
	split := func(docs ...[]int32) Split {
		s := Split{Offsets: []int32{0}}
		for i, d := range docs {
			s.IDs = append(s.IDs, d...)
			s.Offsets = append(s.Offsets, int32(len(s.IDs)))
			s.Labels = append(s.Labels, int32(i%2))
		}
		return s
	}
	t.Train, t.Validation, t.Test = split(train...), split([]int32{0, 1, 0, 1, 2}), split()
	return t
}

func TestNGramsByHand(t *testing.T) {
	built := ngramTask([]int32{0, 1, 2, 0, 1}, []int32{0, 1, 2}, []int32{2, 3, 0}, []int32{1, 2, 1, 3, 1, 3}, nil)
	for longest, want := range map[int][]int32{
		1: {},
		// ab 3 times, bc 3; ca and cb once, and what d stands in never counts.
		2: {0, 1, 1, 2},
		// abc twice.
		3: {0, 1, -1, 1, 2, -1, 0, 1, 2},
	} {
		g, err := built.NGrams(longest)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, g.Encode()); diff != "" {
			t.Errorf("n-grams of up to %d: %s", longest, diff)
		}
	}
	g, _ := built.NGrams(3)
	d := built.Data(g)
	if d.NGrams != 3 || d.WideNGrams != 3 || d.WideVocabulary != 3 || d.Vocabulary != 4 {
		t.Errorf("data say %d n-grams of up to %d", d.NGrams, d.WideNGrams)
	}
	if diff := cmp.Diff(&sparse.Matrix{Offsets: []int32{0, 6, 12, 14, 17, 17}, IDs: []int32{
		0, 1, 2, 3, 4, 5,
		0, 1, 2, 3, 4, 5,
		0, 2,
		1, 2, 4,
	}}, d.Train.Wide); diff != "" {
		t.Error(diff)
	}
	// ab twice in the document, once here.
	if diff := cmp.Diff([]int32{0, 1, 2, 3, 4, 5}, d.Validation.Wide.IDs); diff != "" {
		t.Error(diff)
	}
	if len(d.Test.Wide.Offsets) != 1 {
		t.Errorf("an empty split has %v", d.Test.Wide)
	}
	if plain := built.Data(nil); plain.Train.Wide != nil || plain.NGrams != 0 || plain.WideNGrams != 1 {
		t.Errorf("without n-grams: %+v", plain)
	}
}

// Against maps of strings, on random documents; what is bagged of texts is what
// the data have; the encoded form is read back.
func TestNGramsAgainstStrings(t *testing.T) {
	r := rng.New(1, "ngrams", 0)
	for longest := 1; longest <= maxNGram; longest++ {
		var examples []Example
		for i := range 60 {
			var words []string
			for range r.IntN(12) + 1 {
				words = append(words, fmt.Sprintf("w%d", r.IntN(9)*r.IntN(9)))
			}
			examples = append(examples, Example{Text: strings.Join(words, " "), Label: fmt.Sprint(i % 3)})
		}
		built, err := Build(examples, data.Options{Name: "t"})
		if err != nil {
			t.Fatal(err)
		}
		words := func(ids []int32) string {
			var s []string
			for _, id := range ids {
				s = append(s, built.Vocabulary[id])
			}
			return strings.Join(s, " ")
		}
		count := map[string]int{}
		for i := range built.Train.Len() {
			ids := built.Train.IDs[built.Train.Offsets[i]:built.Train.Offsets[i+1]]
			for n := 2; n <= longest; n++ {
				for k := 0; k+n <= len(ids); k++ {
					if int(slices.Max(ids[k:k+n])) < built.WideVocabulary {
						count[words(ids[k:k+n])]++
					}
				}
			}
		}
		g, err := built.NGrams(longest)
		if err != nil {
			t.Fatal(err)
		}
		rows, last, got := g.Encode(), 1<<30, map[string]bool{}
		for row := range slices.Chunk(rows, longest) {
			name := words(slices.DeleteFunc(slices.Clone(row), func(id int32) bool { return id < 0 }))
			got[name] = true
			if n := count[name]; n < 2 || n > last {
				t.Errorf("%q occurs %d times, and stands after one of %d", name, n, last)
			}
			last = count[name]
		}
		for name, n := range count {
			if n >= 2 && !got[name] {
				t.Errorf("%q, %d times, is not among the n-grams", name, n)
			}
		}
		if longest == 1 {
			continue
		}
		if len(got) < 10 {
			t.Fatalf("%d n-grams are no test", len(got))
		}
		back, err := built.DecodeNGrams(rows, longest)
		if err != nil {
			t.Fatal(err)
		}
		var texts []string
		for i := range built.Test.Len() {
			texts = append(texts, words(built.Test.IDs[built.Test.Offsets[i]:built.Test.Offsets[i+1]]))
		}
		bag, d := built.Encoder(back, nil).Encode(new(Buffer), texts), built.Data(g)
		if !cmp.Equal(bag.Wide, d.Test.Wide) || len(bag.Wide.IDs) <= len(texts) {
			t.Errorf("encoded %v, built %v", bag.Wide, d.Test.Wide)
		}
	}
}

func TestNGramsThatCannotBe(t *testing.T) {
	built := ngramTask([]int32{0, 1})
	for _, longest := range []int{-1, 0, 4} {
		if _, err := built.NGrams(longest); err == nil || !strings.Contains(err.Error(), "1 to 3") {
			t.Errorf("up to %d: %v", longest, err)
		}
	}
	for want, rows := range map[string][]int32{
		"rows of 3": {0, 1}, "token 3 is none": {0, 3, -1}, "token -1 is none": {-1, 0, 1}, "has 1 tokens": {2, -1, -1},
		"has 0 tokens": {-1, -1, -1},
		"twice":        {0, 1, -1, 0, 1, -1}, "token 2147483647": {1<<31 - 1, 0, 1},
	} {
		if _, err := built.DecodeNGrams(rows, 3); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", rows, err, want)
		}
	}
	for _, longest := range []int{0, 1, 4} {
		if _, err := built.DecodeNGrams(nil, longest); err == nil {
			t.Errorf("rows of %d were taken", longest)
		}
	}
}

// Reported: million tokens/s of finding n-grams and laying out the documents.
func BenchmarkNGrams(b *testing.B) {
	r := rng.New(1, "ngrams/bench", 0)
	built := ngramTask()
	built.Vocabulary, built.WideVocabulary = make([]string, 20000), 20000
	for range 2000 {
		for range 200 {
			built.Train.IDs = append(built.Train.IDs, int32(r.ExpFloat64()*800)%20000)
		}
		built.Train.Offsets = append(built.Train.Offsets, int32(len(built.Train.IDs)))
		built.Train.Labels = append(built.Train.Labels, 0)
	}
	for b.Loop() {
		g, err := built.NGrams(2)
		if err != nil {
			b.Fatal(err)
		}
		built.Data(g)
	}
	b.ReportMetric(float64(b.N*len(built.Train.IDs))/1e6/b.Elapsed().Seconds(), "Mtokens/s")
}
