package embedding

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tnaml/nn/rng"
)

// groups is a synthetic corpus: four groups of twelve words that occur
// together and never with another group's, and four words that occur with all.
func groups() *Corpus {
	r := rng.New(3, "test/groups", 0)
	var documents [][]string
	for d := range 600 {
		var doc []string
		for range 20 {
			if r.IntN(5) == 0 {
				doc = append(doc, fmt.Sprintf("common%d", r.IntN(4)))
			} else {
				doc = append(doc, word(d%4, r.IntN(12)))
			}
		}
		documents = append(documents, doc)
	}
	return Tokens(documents)
}

func word(group, i int) string { return fmt.Sprintf("%c%d", 'a'+group, i) }

var methods = []TrainOptions{
	{Name: "svd", Method: SVD, Dim: 8, Seed: 1},
	{Name: "lsa", Method: LSA, Dim: 4, Seed: 1},
	{Name: "sgns", Method: SGNS, Dim: 8, Seed: 1, Epochs: 8, Subsample: 1, LearningRate: 0.05},
}

// Words of one group are nearer to each other than to all words of others.
func TestRelatedWordsAreNear(t *testing.T) {
	for _, o := range methods {
		m, err := Train(groups(), o)
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Tokens) != 52 {
			t.Errorf("%s: %d tokens", o.Name, len(m.Tokens))
		}
		for g := range 4 {
			for i := range 12 {
				right := 0
				for _, n := range m.Neighbours(word(g, i), 11) {
					if n.Token[0] == byte('a'+g) && n.Token[1] != 'o' {
						right++
					}
				}
				if right < 10 {
					t.Errorf("%s: only %d of the 11 words nearest to %s are of its group", o.Name, right, word(g, i))
				}
			}
		}
	}
}

func TestTrainIsDeterministic(t *testing.T) {
	c := groups()
	for _, o := range methods {
		var first []byte
		for _, processors := range []int{1, 2, 5} {
			before := runtime.GOMAXPROCS(processors)
			m, err := Train(c, o)
			runtime.GOMAXPROCS(before)
			if err != nil {
				t.Fatal(err)
			}
			b := m.Encode()
			if first == nil {
				first = b
			}
			if !bytes.Equal(first, b) {
				t.Errorf("%s: another module on %d processors", o.Name, processors)
			}
		}
		o.Seed++
		if m, err := Train(c, o); err != nil || bytes.Equal(first, m.Encode()) {
			t.Errorf("%s: another seed gives the same module, %v", o.Name, err)
		}
	}
}

// The numbering of a corpus' words is no part of what it says, to SVD.
func TestTrainIgnoresNumbering(t *testing.T) {
	c := groups()
	reversed := &Corpus{Words: make([]string, len(c.Words)), Offsets: c.Offsets, IDs: make([]int32, len(c.IDs))}
	last := int32(len(c.Words) - 1)
	for i, w := range c.Words {
		reversed.Words[last-int32(i)] = w
	}
	for i, id := range c.IDs {
		reversed.IDs[i] = last - id
	}
	for _, o := range methods {
		a, err := Train(c, o)
		if err != nil {
			t.Fatal(err)
		}
		b, err := Train(reversed, o)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(a, b); diff != "" {
			t.Errorf("%s: %s", o.Name, diff)
		}
	}
}

func TestTrainOptions(t *testing.T) {
	c := groups()
	for _, o := range methods {
		var seen []float64
		o.Language, o.Source = "xx", "synthetic"
		o.Progress = func(done float64) error {
			seen = append(seen, done)
			return nil
		}
		m, err := Train(c, o)
		if err != nil {
			t.Fatal(err)
		}
		if m.Name != o.Name || m.Language != "xx" || m.Dim != o.Dim ||
			!strings.HasPrefix(m.Source, "synthetic; ") || !strings.Contains(m.Source, "12000 words") {
			t.Errorf("%s: %+v", o.Name, *m)
		}
		if len(seen) < 2 || seen[len(seen)-1] != 1 {
			t.Errorf("%s: progress %v", o.Name, seen)
		}
		for i, done := range seen {
			if done < 0 || done > 1 || i > 0 && done < seen[i-1] {
				t.Errorf("%s: progress %v", o.Name, seen)
				break
			}
		}
		stop, calls := errors.New("stop"), 0
		o.Progress = func(float64) error {
			calls++
			return stop
		}
		if _, err := Train(c, o); !errors.Is(err, stop) || calls != 1 {
			t.Errorf("%s: stopped by %v after %d calls", o.Name, err, calls)
		}
		o.Progress = nil
		o.MaxVocabulary = 20
		if m, err = Train(c, o); err != nil || len(m.Tokens) != 20 || !strings.HasPrefix(m.Tokens[0], "common") {
			t.Errorf("%s: the 20 most frequent words are %v, %v", o.Name, m.Tokens, err)
		}
	}
}

func TestTrainRefuses(t *testing.T) {
	good := groups()
	for _, c := range []struct {
		name string
		c    *Corpus
		o    TrainOptions
		want []string
	}{
		{"bad options", good, TrainOptions{Dim: -1, Window: 2000, Epochs: -1, Negative: -2, Method: "glove", Subsample: -1},
			[]string{"dim of -1", "window of 2000", "epochs of -1", "negative of -2", `unknown method "glove"`, "subsample -1", "no name"}},
		{"no text", Tokens(nil), TrainOptions{Name: "m"}, []string{"module m: 0 words", "more text"}},
		{"too few words", good, TrainOptions{Name: "m", Dim: 60}, []string{"52 words", "length 60"}},
		{"rare words", good, TrainOptions{Name: "m", Dim: 8, MinCount: 100000}, []string{"0 words occur 100000 times"}},
		{"no offsets", &Corpus{Words: []string{"a"}}, TrainOptions{Name: "m"}, []string{"offsets do not partition"}},
		{"falling offsets", &Corpus{Words: []string{"a"}, Offsets: []int{0, 2, 1, 2}, IDs: []int32{0, 0}},
			TrainOptions{Name: "m"}, []string{"offsets do not partition"}},
		{"unknown id", &Corpus{Words: []string{"a"}, Offsets: []int{0, 1}, IDs: []int32{1}}, TrainOptions{Name: "m"}, []string{"token id 1"}},
		{"word twice", &Corpus{Words: []string{"a", "b", "a"}, Offsets: []int{0, 6}, IDs: []int32{0, 1, 2, 0, 1, 2}},
			TrainOptions{Name: "m", Dim: 1, MinCount: 1}, []string{"there twice"}},
	} {
		m, err := Train(c.c, c.o)
		if err == nil || m != nil {
			t.Errorf("%s: accepted", c.name)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not say %q", c.name, err, want)
			}
		}
	}
}

func TestTokens(t *testing.T) {
	got := Tokens([][]string{{"a", "b", "a"}, {}, {"c"}})
	want := &Corpus{Words: []string{"a", "b", "c"}, Offsets: []int{0, 3, 3, 4}, IDs: []int32{0, 1, 0, 2}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got.Documents() != 3 || (&Corpus{}).Documents() != 0 {
		t.Errorf("%d documents", got.Documents())
	}
}

func TestCount(t *testing.T) {
	c := Tokens([][]string{{"rare", "b", "a", "c"}, {"a", "c", "b", "c"}})
	got, err := count(c, 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	// c occurs three times, a and b twice: a comes first, and b is one too many.
	if diff := cmp.Diff([]string{"c", "a"}, got.words); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([][]int{{3, 2}, {0, 2, 5}}, [][]int{got.counts, got.offsets}); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int32{1, 0, 1, 0, 0}, got.ids); diff != "" {
		t.Error(diff)
	}
}

func BenchmarkTrain(b *testing.B) {
	c := groups()
	for _, o := range methods {
		b.Run(o.Name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Train(c, o); err != nil {
					b.Fatal(err)
				}
			}
			words := len(c.IDs)
			if o.Method == SGNS {
				words *= o.Epochs
			}
			b.ReportMetric(float64(words)*float64(b.N)/b.Elapsed().Seconds(), "words/s")
		})
	}
}
