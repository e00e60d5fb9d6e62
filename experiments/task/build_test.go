package task

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tnaml/nn/rng"
)

// made returns n examples of three classes with texts that come up to several
// times, written differently.
func made(n int) []Example {
	r := rng.New(1, "test/made", 0)
	out := make([]Example, n)
	for i := range out {
		k := r.IntN(2 * n / 3)
		text := fmt.Sprintf("text %d é of w%d", k, k%50)
		switch r.IntN(3) {
		case 1:
			text = strings.ReplaceAll(text, " ", " \n ")
		case 2:
			text = strings.ReplaceAll(text, "é", "e\u0301")
		}
		out[i] = Example{Text: text, Label: string(rune('a' + k%3))}
	}
	return out
}

func TestSplitKeepsEqualTextsTogether(t *testing.T) {
	examples := made(900)
	groups := groupEqual(examples)
	different := map[string]bool{}
	for seed := uint64(1); seed <= 20; seed++ {
		o, err := Options{Name: "t", Seed: seed, Validation: 0.15, Test: 0.2}.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		parts, given, err := Divide(make([]string, len(examples)), groups, o)
		if err != nil || given {
			t.Fatal(given, err)
		}
		side := map[int]Part{}
		var n [3]int
		for i, p := range parts {
			n[p]++
			if before, ok := side[groups[i]]; ok && before != p {
				t.Fatalf("seed %d: %q is on two sides", seed, examples[i].Text)
			}
			side[groups[i]] = p
		}
		if n != [3]int{585, 135, 180} {
			t.Errorf("seed %d: sizes %v", seed, n)
		}
		different[fmt.Sprint(parts)] = true
	}
	if len(different) != 20 {
		t.Errorf("20 seeds give %d splits", len(different))
	}
}

func TestGroupEqual(t *testing.T) {
	var examples []Example
	for _, s := range []string{"a b", "a  b", " a\tb\n", "é", "e\u0301", "A b", "", "  ", "a b.", "a\u00a0b"} {
		examples = append(examples, Example{Text: s})
	}
	if diff := cmp.Diff([]int{0, 0, 0, 1, 1, 2, 3, 3, 4, 0}, groupEqual(examples)); diff != "" {
		t.Error(diff)
	}
}

func TestGivenSplit(t *testing.T) {
	given := func(train, validation, test, none int) []Example {
		var out []Example
		for i, name := range []string{Train, Validation, Test, ""} {
			for k := range []int{train, validation, test, none}[i] {
				out = append(out, Example{Text: fmt.Sprintf("%s %d of these", name, k), Label: string(rune('a' + k%2)), Split: name})
			}
		}
		return out
	}
	for _, c := range []struct {
		examples                []Example
		train, validation, test int
	}{
		{given(20, 5, 7, 0), 20, 5, 7},
		{given(40, 0, 7, 0), 36, 4, 7}, // validation is cut from train
		{given(0, 0, 0, 50), 40, 5, 5},
	} {
		b, err := Build(c.examples, Options{Name: "t"})
		if err != nil {
			t.Error(err)
			continue
		}
		if got := [3]int{b.Train.Len(), b.Validation.Len(), b.Test.Len()}; got != [3]int{c.train, c.validation, c.test} {
			t.Errorf("sizes %v, want %d, %d and %d", got, c.train, c.validation, c.test)
		}
		if want := c.examples[0].Split != ""; b.Card.GivenSplit != want {
			t.Errorf("the card says given: %v", b.Card.GivenSplit)
		}
	}
	for _, c := range []struct {
		examples []Example
		want     []string
	}{
		{given(20, 5, 0, 0), []string{"no test examples", "random split"}},
		{given(0, 15, 5, 0), []string{"no train examples"}},
		{given(0, 15, 0, 0), []string{"no train examples", "no test examples"}},
		{given(20, 5, 5, 3), []string{"30 examples have a split and 3 have none"}},
		{append(given(20, 5, 5, 0), Example{Text: "x", Label: "a", Split: "dev"}), []string{`example 30 has unknown split "dev"`}},
	} {
		_, err := Build(c.examples, Options{Name: "t"})
		if err == nil {
			t.Errorf("accepted; want an error with %q", c.want)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q does not say %q", err, want)
			}
		}
	}
}

func TestBuildRefuses(t *testing.T) {
	same := func(n int, label func(i int) string) []Example {
		out := make([]Example, n)
		for i := range out {
			out[i] = Example{Text: fmt.Sprint("text ", i), Label: label(i)}
		}
		return out
	}
	two := func(i int) string { return string(rune('a' + i%2)) }
	for _, c := range []struct {
		name     string
		examples []Example
		o        Options
		want     []string
	}{
		{"too few", append(same(9, two), Example{Text: " \n", Label: "a"}), Options{Name: "t"}, []string{"task t", "9 examples with a text (1 without)", "at least 10"}},
		{"one class", same(20, func(int) string { return "spam" }), Options{Name: "t"}, []string{`all 20 examples have the label "spam"`, "label column"}},
		{"no classes", same(20, func(i int) string { return fmt.Sprint(i) }), Options{Name: "t"}, []string{"20 different labels in 20 examples", "label column"}},
		{"no label", append(same(20, two), Example{Text: "x"}), Options{Name: "t"}, []string{"example 20 has no label"}},
		{"label not UTF-8", append(same(20, two), Example{Text: "x", Label: "\xff"}), Options{Name: "t"}, []string{"example 20", "UTF-8"}},
		{"one text", slicesOf(Example{Text: "same", Label: "a"}, Example{Text: "same", Label: "b"}, 10), Options{Name: "t"}, []string{"too many equal ones"}},
		{"options", same(20, two), Options{Validation: 0.5, Test: 0.5, MaxVocabulary: -1, MinCount: -2, MaxTokens: -3},
			[]string{"max vocabulary of -1", "min count of -2", "max tokens of -3", "validation fraction 0.5 and test fraction 0.5", "no name"}},
		{"fraction no number", same(20, two), Options{Name: "t", Test: math.NaN()}, []string{"test fraction NaN"}},
	} {
		b, err := Build(c.examples, c.o)
		if err == nil || b != nil {
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

func slicesOf(a, b Example, n int) []Example {
	var out []Example
	for range n {
		out = append(out, a, b)
	}
	return out
}

func TestBuildIsDeterministic(t *testing.T) {
	examples := made(1500) // several blocks of the tokeniser
	var first []byte
	for _, processors := range []int{1, 2, 5} {
		before := runtime.GOMAXPROCS(processors)
		b, err := Build(examples, Options{Name: "t"})
		runtime.GOMAXPROCS(before)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = b.Encode()
		}
		if !bytes.Equal(first, b.Encode()) {
			t.Errorf("another task on %d processors", processors)
		}
	}
	other, err := Build(examples, Options{Name: "t", Seed: 2})
	if err != nil || bytes.Equal(first, other.Encode()) {
		t.Errorf("another seed gives the same task, %v", err)
	}
}

// byHand is small enough to be worked out on paper. Documents by split:
//
//	train       "red red green" a, "red blue" a, "green tea" b, "red blue" b (a conflict), "red red red red red red" a
//	validation  "green" b
//	test        "red new new" a, "GREEN tea" b, "green tea" b (in train too), "odd" c
var byHand = []Example{
	{"red red green", "a", Train}, {"red blue", "a", Train}, {"green tea", "b", Train}, {" red  blue", "b", Train}, {"red red red red red red", "a", Train},
	{"green", "b", Validation},
	{" ", "a", Test}, {"red new new", "a", Test}, {"GREEN tea", "b", Test}, {"green tea", "b", Test}, {"odd", "c", Test},
}

func TestCardByHand(t *testing.T) {
	b, err := Build(byHand, Options{Name: "hand", MaxTokens: 5, Source: "paper", Licence: "none"})
	if err != nil {
		t.Fatal(err)
	}
	// In train: red 2+1+1+5 = 9, blue 2, green 2, tea 1; the rest 0, new 2 in all, odd 1.
	// Blue and green are even in train; green is more frequent in all.
	if diff := cmp.Diff([]string{"red", "green", "blue", "tea", "new", "odd"}, b.Vocabulary); diff != "" {
		t.Error(diff)
	}
	characters := 13 + 8 + 9 + 10 + 23 + 5 + 11 + 9 + 9 + 3
	tokens := 3 + 2 + 2 + 2 + 5 + 1 + 3 + 2 + 2 + 1
	want := Card{
		Examples: 10, Empty: 1, Train: 5, Validation: 1, Test: 4, GivenSplit: true, Balance: 0.2,
		Evenness: -(.4*math.Log(.4) + .5*math.Log(.5) + .1*math.Log(.1)) / math.Log(3),
		Classes: []Class{
			{Label: "a", Train: 3, Test: 1, Samples: []string{"red red green", "red blue", "red red red red red red"}},
			{Label: "b", Train: 2, Validation: 1, Test: 2, Samples: []string{"green tea", "green", "GREEN tea"}},
			{Label: "c", Test: 1, Samples: []string{"odd"}},
		},
		MajorityAccuracy: 0.25, MeanCharacters: float64(characters) / 10, MeanTokens: float64(tokens) / 10,
		Cut: 1, Duplicates: 2, Conflicts: 1, Leakage: 1, Leaks: &Leaks{TrainTest: 1},
		Lengths:        &Lengths{Min: 3, Q1: 8, Median: 9, Q3: 11, P95: 23, Max: 23}, // of 3 5 8 9 9 9 10 11 13 23
		DistinctTokens: 6, Vocabulary: 6, WideVocabulary: 3, Coverage: 3.0 / 8,
		Options: Options{Name: "hand", Seed: 1, Validation: 0.1, Test: 0.1, MaxVocabulary: 32768, MinCount: 2, MaxTokens: 5, Source: "paper", Licence: "none"},
		Warnings: []string{
			"1 examples without a text were left out",
			`class "c" never occurs in the training split; its 1 examples elsewhere cannot be classified right`,
			"1 validation and test examples have a text that is also in the training split: accuracies are too high",
			"1 examples equal another one and have another label",
		},
	}
	if diff := cmp.Diff(want, b.Card, cmpopts.EquateApprox(0, 1e-12)); diff != "" {
		t.Error(diff)
	}
	leaky := append(slices.Clone(byHand), Example{"green", "b", Test}, Example{"red blue", "a", Validation}, Example{"red blue", "a", Test})
	if b, err := Build(leaky, Options{Name: "hand"}); err != nil || *b.Card.Leaks != (Leaks{TrainValidation: 1, TrainTest: 2, ValidationTest: 2}) || b.Card.Leakage != 3 ||
		!strings.Contains(strings.Join(b.Card.Warnings, "\n"), "2 test examples have a text that is also in the validation split") {
		t.Errorf("%+v, %v, %v", b.Card.Leaks, b.Card.Warnings, err)
	}
	wantTest := Split{Offsets: []int32{0, 3, 5, 7, 8}, IDs: []int32{0, 4, 4, 1, 3, 1, 3, 5}, Labels: []int32{0, 1, 1, 2}}
	if diff := cmp.Diff(wantTest, b.Test); diff != "" {
		t.Error(diff)
	}
}

func TestVocabularyIsBounded(t *testing.T) {
	b, err := Build(byHand, Options{Name: "hand", MaxVocabulary: 2, MinCount: 3, KeepCase: true})
	if err != nil {
		t.Fatal(err)
	}
	// Kept in case, blue and green are even in train, and green has one more.
	if diff := cmp.Diff([]string{"red", "green"}, b.Vocabulary); diff != "" {
		t.Error(diff)
	}
	if b.WideVocabulary != 1 || b.Card.DistinctTokens != 7 || b.Card.Vocabulary != 2 {
		t.Errorf("wide vocabulary %d of %d of %d tokens", b.WideVocabulary, b.Card.Vocabulary, b.Card.DistinctTokens)
	}
	// "GREEN tea" has no token left.
	if diff := cmp.Diff([]int32{0, 1, 1, 2, 2}, b.Test.Offsets); diff != "" {
		t.Error(diff)
	}
	b, err = Build(byHand, Options{Name: "hand", MinCount: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if b.WideVocabulary != 0 || !strings.Contains(strings.Join(b.Card.Warnings, "\n"), "wide tower sees nothing") {
		t.Errorf("wide vocabulary %d, warnings %q", b.WideVocabulary, b.Card.Warnings)
	}
}

func TestSampleOfText(t *testing.T) {
	if got := sample(" a\n b\t"); got != "a b" {
		t.Errorf("%q", got)
	}
	long := strings.Repeat("é", sampleLength)
	if got := sample(long); got != long {
		t.Errorf("%q", got)
	}
	if got := sample(long + "x"); got != strings.Repeat("é", sampleLength-1)+"…" {
		t.Errorf("%q", got)
	}
}

// Each set of real data is read and built, and its card agrees with what is
// known of it.
func TestRealData(t *testing.T) {
	root := os.Getenv("TNAML_DATA")
	if root == "" {
		root = "../../../shared/data" // beside a checkout
	}
	for _, c := range []struct {
		name              string
		examples, classes int
	}{
		{"sms_spam", 5574, 2}, {"airline", 14640, 3}, {"corp_messaging", 3118, 4}, {"spanish_tweets", 3033, 3}, {"mpqa_opinion", 10603, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			file, err := os.Open(filepath.Join(root, "text", c.name, "data.tsv.gz"))
			if errors.Is(err, os.ErrNotExist) {
				t.Skipf("real data are not there (set TNAML_DATA to their directory): %v", err)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close() //nolint:errcheck // read only
			examples, err := Read(file, "data.tsv.gz", ReadOptions{})
			if err != nil {
				t.Fatal(err)
			}
			b, err := Build(examples, Options{Name: c.name})
			if err != nil {
				t.Fatal(err)
			}
			if b.Card.Examples+b.Card.Empty != c.examples || len(b.Labels) != c.classes {
				t.Errorf("%d examples, %d classes; want %d and %d", b.Card.Examples+b.Card.Empty, len(b.Labels), c.examples, c.classes)
			}
			if !b.Card.GivenSplit && (b.Card.Leakage != 0 || b.Card.Test != int(math.Round(0.1*float64(b.Card.Examples)))) {
				t.Errorf("a random split of %d has %d test examples, %d texts on two sides", b.Card.Examples, b.Card.Test, b.Card.Leakage)
			}
			if b.Card.Coverage < 0.7 {
				t.Errorf("only %.2f of the test tokens are in the wide vocabulary", b.Card.Coverage)
			}
		})
	}
}

// Of many classes a card shows the largest and the smallest.
func TestShown(t *testing.T) {
	var c Card
	for i := range 30 {
		c.Classes = append(c.Classes, Class{Label: fmt.Sprint(i), Train: 1 + (7*i)%30})
	}
	if got := c.Shown(); len(got) != 30 || got[3].Label != "3" || got[29].Others != 0 {
		t.Errorf("%+v", got)
	}
	c.Classes = append(c.Classes, Class{Label: "large", Train: 40, Test: 1}, Class{Label: "small", Validation: 0})
	got := c.Shown()
	if len(got) != 31 || got[0].Label != "large" || got[25].Others != 2 || got[25].Label != "" || got[30].Label != "small" {
		t.Errorf("%+v", got)
	}
	for i := 1; i < len(got); i++ {
		if i != 25 && i != 26 && got[i].Examples() > got[i-1].Examples() || got[24].Examples() < got[26].Examples() {
			t.Errorf("line %d: %+v", i, got)
		}
	}
	if c.Classes[0].Label != "0" {
		t.Error("the card's own classes have been sorted")
	}
}
