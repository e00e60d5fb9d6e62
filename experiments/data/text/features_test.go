package text

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tnaml/nn/rng"
	"tnaml/nn/sparse"
)

// featureTask has the texts "to be be", "be to be", "tö" for training, one with "oh", which
// that lacks, for validation, and none to test.
func featureTask() *Task {
	t := &Task{Name: "t", Labels: []string{"x", "y"}, Vocabulary: []string{"be", "to", "tö", "oh"}, WideVocabulary: 2,
		Tokeniser: Tokeniser{Version: TokeniserVersion}}
	t.Train = Split{Offsets: []int32{0, 3, 6, 7}, IDs: []int32{1, 0, 0, 0, 1, 0, 2}, Labels: []int32{0, 1, 0}}
	t.Validation = Split{Offsets: []int32{0, 3, 3}, IDs: []int32{1, 3, 0}, Labels: []int32{0, 1}}
	return t
}

func TestFeaturesByHand(t *testing.T) {
	for _, c := range []struct {
		Features
		want string // the features in order, a stroke each
		row  string // of the first training text, feature:count
	}{
		{Features{Words: 1}, "wbe|wto|wtö", "0:2 1:1"},
		// be 4, to 2, to be 2; be be, be to, tö, be to be, to be be once each.
		{Features{Words: 2}, "wbe|wto|wto be|wbe be|wbe to|wtö", "0:2 1:1 2:1 3:1"},
		{Features{Words: 3}, "wbe|wto|wto be|wbe be|wbe to|wbe to be|wto be be|wtö", "0:2 1:1 2:1 3:1 6:1"},
		// " b" "be" "e " 4 times, " t" 3, "to" "o " 2, "tö" "ö " once.
		{Features{Characters: 2}, "c b|cbe|ce | t|co |cto|ctö|cö ", "0:2 1:2 2:2 3:1 4:1 5:1"},
		{Features{Characters: 3}, "c b|c be|cbe|cbe |ce |c t|c to|co |cto|cto |c tö|ctö|ctö |cö ",
			"0:2 1:2 2:2 3:2 4:2 5:1 6:1 7:1 8:1 9:1"},
		// A token of two letters has four characters with its marks, and nothing longer.
		{Features{Characters: 5}, "c b|c be|c be |cbe|cbe |ce |c t|c to|c to |co |cto|cto |c tö|c tö |ctö|ctö |cö ",
			"0:2 1:2 2:2 3:2 4:2 5:2 6:1 7:1 8:1 9:1 10:1 11:1"},
		// Both: words first where counts are equal.
		{Features{Words: 1, Characters: 2}, "wbe|c b|cbe|ce |c t|wto|co |cto|wtö|ctö|cö ", "0:2 1:2 2:2 3:2 4:1 5:1 6:1 7:1"},
	} {
		task := featureTask()
		x, err := task.Index(c.Features)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(string(x.Encode()), "\n"), "\n")
		want := strings.Split(c.want, "|")
		for i, w := range want {
			if w[0] == ' ' { // shorter to write
				want[i] = "c" + w
			}
		}
		if diff := cmp.Diff(want, lines); diff != "" {
			t.Errorf("%+v: %s", c.Features, diff)
		}
		m := x.Counts(&task.Train)
		if m.Rows() != 3 || m.Columns != x.Len() {
			t.Errorf("%+v: %d rows of %d", c.Features, m.Rows(), m.Columns)
		}
		if got := row(m, 0); got != c.row {
			t.Errorf("%+v: the first text has %s, want %s", c.Features, got, c.row)
		}
		back, err := task.DecodeIndex(x.Encode(), c.Features)
		if err != nil {
			t.Fatalf("%+v: %v", c.Features, err)
		}
		for _, s := range []*Split{&task.Train, &task.Validation} {
			if diff := cmp.Diff(x.Counts(s), back.Counts(s)); diff != "" {
				t.Errorf("%+v, read back: %s", c.Features, diff)
			}
		}
		if diff := cmp.Diff(m, countTexts(back, "To be be", "be to be", "TÖ")); diff != "" {
			t.Errorf("%+v, as new texts: %s", c.Features, diff)
		}
	}
}

// countTexts counts the features of new texts.
func countTexts(x *FeatureIndex, texts ...string) *sparse.Matrix {
	return x.task.Encoder(nil, x).Encode(new(Buffer), texts).Wide
}

// row is a row of a matrix as feature:count.
func row(m *sparse.Matrix, i int) string {
	var out []string
	ids, counts := m.Row(i)
	for k, id := range ids {
		out = append(out, fmt.Sprintf("%d:%v", id, counts[k]))
	}
	return strings.Join(out, " ")
}

// A token that training lacks, or the vocabulary, has characters that training knows.
// In a new text what is not in the vocabulary parts words, as what training lacks does in
// the task's.
func TestFeaturesOfUnknownTokens(t *testing.T) {
	task := featureTask()
	x, err := task.Index(Features{Words: 2, Characters: 2})
	if err != nil {
		t.Fatal(err)
	}
	// be 0, " b" 1, "be" 2, "e " 3, " t" 4, to 5, to be 6, "o " 7, "to" 8.
	if got := row(x.Counts(&task.Validation), 0); got != "0:1 1:1 2:1 3:1 4:1 5:1 7:1 8:1" {
		t.Errorf("to oh be: %s", got)
	}
	if got := row(countTexts(x, "to bee be"), 0); got != "0:1 1:2 2:2 3:2 4:1 5:1 7:1 8:1" {
		t.Errorf("to bee be: %s", got)
	}
	if m := countTexts(x, "", "xyz"); m.Rows() != 2 || len(m.IDs) != 0 {
		t.Errorf("texts of nothing known: %+v", m)
	}
}

func TestFeaturesThatCannotBe(t *testing.T) {
	for want, f := range map[string]Features{
		"up to 4 words": {Words: 4}, "up to -1 words": {Words: -1}, "up to 1 characters": {Characters: 1}, "up to 6 characters": {Characters: 6},
		"neither": {},
	} {
		if _, err := featureTask().Index(f); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", f, err, want)
		}
	}
	for b, want := range map[string]string{
		"wbe\nwbe\n": "twice", "c b\nc b\n": "twice", "wwho\n": "not in the vocabulary", "wbe to\n": "2 words", "w\n": "not in the vocabulary",
		"wbe": "not a line", "cabc\n": "3 characters", "cö\n": "1 characters", "xbe\n": "neither",
	} {
		if _, err := featureTask().DecodeIndex([]byte(b), Features{Words: 1, Characters: 2}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", b, err, want)
		}
	}
}

// Beyond the bound the least frequent are left out, whatever they are of.
func TestFeaturesAreBounded(t *testing.T) {
	task := featureTask()
	const n = MaxFeatures + 10
	task.Vocabulary, task.Train.IDs = nil, nil
	for i := range n {
		task.Vocabulary = append(task.Vocabulary, fmt.Sprintf("%06d", i))
		task.Train.IDs = append(task.Train.IDs, int32(i))
		if i >= n-5 {
			task.Train.IDs = append(task.Train.IDs, int32(i))
		}
	}
	task.Train.Offsets, task.Train.Labels = []int32{0, int32(len(task.Train.IDs))}, []int32{0}
	x, err := task.Index(Features{Words: 1, Characters: 2})
	if err != nil {
		t.Fatal(err)
	}
	if x.Len() != MaxFeatures {
		t.Errorf("%d features", x.Len())
	}
	lines := strings.Split(string(x.Encode()), "\n")
	// 10 digits before and after the mark, some 3 at the beginning, and 100 pairs are frequent.
	if pieces := len(x.pieceOf); pieces < 100 || pieces > 130 || lines[pieces] != fmt.Sprintf("w%06d", n-5) || lines[pieces+5] != "w000000" {
		t.Errorf("%d pieces, then %s … %s", pieces, lines[pieces], lines[pieces+5])
	}
}

// randomTask has texts of Zipf-distributed tokens of one to eight letters.
func randomTask(texts, length, vocabulary int) *Task {
	r := rng.New(1, "features/test", 0)
	t := featureTask()
	t.Vocabulary = nil
	for seen := map[string]bool{}; len(t.Vocabulary) < vocabulary; {
		var w []byte
		for range 1 + r.IntN(8) {
			w = append(w, byte('a'+r.IntN(26)))
		}
		if !seen[string(w)] {
			seen[string(w)] = true
			t.Vocabulary = append(t.Vocabulary, string(w))
		}
	}
	t.Train = Split{Offsets: []int32{0}}
	for i := range texts {
		for range length {
			t.Train.IDs = append(t.Train.IDs, int32(r.ExpFloat64()*float64(vocabulary)/10)%int32(vocabulary))
		}
		t.Train.Offsets = append(t.Train.Offsets, int32(len(t.Train.IDs)))
		t.Train.Labels = append(t.Train.Labels, int32(i%2))
	}
	return t
}

// What is counted is what a plain count of the strings gives.
func TestFeaturesMatchAPlainCount(t *testing.T) {
	task := randomTask(60, 30, 80)
	f := Features{Words: 3, Characters: 4}
	x, err := task.Index(f)
	if err != nil {
		t.Fatal(err)
	}
	names := strings.Split(strings.TrimSuffix(string(x.Encode()), "\n"), "\n")
	m, total := x.Counts(&task.Train), map[string]int{}
	for i := range task.Train.Len() {
		want := map[string]float32{}
		var words []string
		for _, id := range task.Train.IDs[task.Train.Offsets[i]:task.Train.Offsets[i+1]] {
			words = append(words, task.Vocabulary[id])
		}
		for k := range words {
			for n := 1; n <= f.Words && k+n <= len(words); n++ {
				want["w"+strings.Join(words[k:k+n], " ")]++
			}
			marked := " " + words[k] + " "
			for n := 2; n <= f.Characters; n++ {
				for j := 0; j+n <= len(marked); j++ {
					want["c"+marked[j:j+n]]++
				}
			}
		}
		got := map[string]float32{}
		ids, counts := m.Row(i)
		for k, id := range ids {
			got[names[id]] = counts[k]
			total[names[id]] += int(counts[k])
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("text %d: %s", i, diff)
		}
	}
	if !slices.IsSortedFunc(names, func(a, b string) int { return total[b] - total[a] }) || len(names) != len(total) {
		t.Error("features are not in the order of their counts, or one is there that is not in training")
	}
}

// Reported: million tokens/s of finding the features of 20,000 texts and counting them.
func BenchmarkFeatures(b *testing.B) {
	task := randomTask(20000, 25, 20000)
	for _, f := range []Features{{Words: 2}, {Words: 2, Characters: 5}} {
		b.Run(fmt.Sprintf("words=%d,characters=%d", f.Words, f.Characters), func(b *testing.B) {
			for b.Loop() {
				x, err := task.Index(f)
				if err != nil {
					b.Fatal(err)
				}
				x.Counts(&task.Train)
			}
			b.ReportMetric(float64(b.N*len(task.Train.IDs))/1e6/b.Elapsed().Seconds(), "Mtokens/s")
		})
	}
}

// Room for the counts is made by the first texts: where these are longer than all others, it
// is not made for thousands such as they are.
func TestCountsMakeNoRoomForNothing(t *testing.T) {
	const rest = 20_000
	for name, c := range map[string]struct{ first, others int }{
		"long first": {400, 1}, "short first": {1, 40}, "alike": {40, 40},
	} {
		task := &Task{Name: "t", Labels: []string{"x", "y"}, Train: Split{Offsets: []int32{0}}}
		for i := range 400 {
			task.Vocabulary = append(task.Vocabulary, fmt.Sprint("w", i))
		}
		for i := range sampled + rest {
			n := c.others
			if i < sampled {
				n = c.first
			}
			for k := range n {
				task.Train.IDs = append(task.Train.IDs, int32(k))
			}
			task.Train.Offsets, task.Train.Labels = append(task.Train.Offsets, int32(len(task.Train.IDs))), append(task.Train.Labels, int32(i%2))
		}
		x, err := task.Index(Features{Words: 1})
		if err != nil {
			t.Fatal(err)
		}
		if m := x.Counts(&task.Train); cap(m.IDs) > 3*len(m.IDs)/2 || cap(m.Values) > 3*len(m.Values)/2 {
			t.Errorf("%s: room for %d counts, there are %d", name, cap(m.IDs), len(m.IDs))
		}
	}
}
