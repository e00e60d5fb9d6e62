package text

import (
	"bytes"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tnaml/experiments/data"
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

// groupEqual numbers the distinct texts by first appearance.
func groupEqual(examples []Example) []int {
	index, d := map[digest]int{}, newDigester()
	var out []int
	for _, e := range examples {
		k := d.of(e.Text)
		if _, ok := index[k]; !ok {
			index[k] = len(index)
		}
		out = append(out, index[k])
	}
	return out
}

func TestSplitKeepsEqualTextsTogether(t *testing.T) {
	examples := made(900)
	groups := groupEqual(examples)
	classes := make([]int32, len(examples))
	for i, e := range examples {
		classes[i] = int32(e.Label[0] - 'a')
	}
	different := map[string]bool{}
	for seed := uint64(1); seed <= 20; seed++ {
		o, err := data.Options{Name: "t", Seed: seed, Validation: 0.15, Test: 0.2}.OfTexts()
		if err != nil {
			t.Fatal(err)
		}
		parts, given, err := data.Divide(make([]string, len(examples)), classes, groups, o)
		if err != nil || given {
			t.Fatal(given, err)
		}
		side := map[int]data.Part{}
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
		for i, name := range []string{data.Train, data.Validation, data.Test, ""} {
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
		b, err := Build(c.examples, data.Options{Name: "t"})
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
		_, err := Build(c.examples, data.Options{Name: "t"})
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
		o        data.Options
		want     []string
	}{
		{"too few", append(same(9, two), Example{Text: " \n", Label: "a"}), data.Options{Name: "t"},
			[]string{"task t", "9 examples with a text (1 without)", "at least 10"}},
		{"one class", same(20, func(int) string { return "spam" }), data.Options{Name: "t"},
			[]string{`all 20 examples have the label "spam"`, "label column"}},
		{"no classes", same(20, func(i int) string { return fmt.Sprint(i) }), data.Options{Name: "t"},
			[]string{"20 different labels in 20 examples", "label column"}},
		{"no label", append(same(20, two), Example{Text: "x"}), data.Options{Name: "t"}, []string{"example 20 has no label"}},
		{"label not UTF-8", append(same(20, two), Example{Text: "x", Label: "\xff"}), data.Options{Name: "t"}, []string{"example 20", "UTF-8"}},
		{"one text", slicesOf(Example{Text: "same", Label: "a"}, Example{Text: "same", Label: "b"}, 10), data.Options{Name: "t"},
			[]string{"too many equal ones"}},
		{"options", same(20, two), data.Options{Validation: 0.5, Test: 0.5, MaxVocabulary: -1, MinCount: -2, MaxTokens: -3},
			[]string{"max vocabulary of -1", "min count of -2", "max tokens of -3", "validation fraction 0.5 and test fraction 0.5", "no name"}},
		{"fraction no number", same(20, two), data.Options{Name: "t", Test: math.NaN()}, []string{"test fraction NaN"}},
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
		b, err := Build(examples, data.Options{Name: "t"})
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
	other, err := Build(examples, data.Options{Name: "t", Seed: 2})
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
	{"red red green", "a", data.Train}, {"red blue", "a", data.Train}, {"green tea", "b", data.Train}, {" red  blue", "b", data.Train},
	{"red red red red red red", "a", data.Train},
	{"green", "b", data.Validation},
	{" ", "a", data.Test}, {"red new new", "a", data.Test}, {"GREEN tea", "b", data.Test}, {"green tea", "b", data.Test},
	{"odd", "c", data.Test},
}

func TestCardByHand(t *testing.T) {
	b, err := Build(byHand, data.Options{Name: "hand", MaxTokens: 5, Source: "paper", Licence: "none"})
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
	want := data.Card{
		Examples: 10, Empty: 1, Train: 5, Validation: 1, Test: 4, GivenSplit: true, Balance: 0.2,
		Evenness: -(.4*math.Log(.4) + .5*math.Log(.5) + .1*math.Log(.1)) / math.Log(3),
		Classes: []data.Class{
			{Label: "a", Train: 3, Test: 1, Samples: []string{"red red green", "red blue", "red red red red red red"}},
			{Label: "b", Train: 2, Validation: 1, Test: 2, Samples: []string{"green tea", "green", "GREEN tea"}},
			{Label: "c", Test: 1, Samples: []string{"odd"}},
		},
		MajorityAccuracy: 0.25, MeanCharacters: float64(characters) / 10, MeanTokens: float64(tokens) / 10,
		Cut: 1, Duplicates: 2, Conflicts: 1, Leakage: 1, Leaks: data.Leaks{TrainTest: 1},
		Lengths:        &data.Lengths{Min: 3, Q1: 8, Median: 9, Q3: 11, P95: 23, Max: 23}, // of 3 5 8 9 9 9 10 11 13 23
		DistinctTokens: 6, Vocabulary: 6, WideVocabulary: 3, Coverage: 3.0 / 8,
		Options: data.Options{Name: "hand", Seed: 1, Validation: 0.1, Test: 0.1, MaxVocabulary: 32768, MinCount: 2, MaxTokens: 5, Source: "paper",
			Licence: "none"},
		Warnings: []string{
			"1 examples without a text were left out",
			`class "c" never occurs in the training split; its 1 examples elsewhere cannot be classified right`,
			`of these classes, with so many examples, none is in the validation split, and models are chosen without regard to them: "a" (4)`,
			"1 validation and test examples have a text that is also in the training split: accuracies are too high",
			"1 examples equal another one and have another label",
		},
	}
	if diff := cmp.Diff(want, b.Card, cmpopts.EquateApprox(0, 1e-12)); diff != "" {
		t.Error(diff)
	}
	leaky := append(slices.Clone(byHand), Example{"green", "b", data.Test}, Example{"red blue", "a", data.Validation},
		Example{"red blue", "a", data.Test})
	if b, err := Build(leaky, data.Options{Name: "hand"}); err != nil ||
		b.Card.Leaks != (data.Leaks{TrainValidation: 1, TrainTest: 2, ValidationTest: 2}) || b.Card.Leakage != 3 ||
		!strings.Contains(strings.Join(b.Card.Warnings, "\n"), "2 test examples have a text that is also in the validation split") {
		t.Errorf("%+v, %v, %v", b.Card.Leaks, b.Card.Warnings, err)
	}
	wantTest := Split{Offsets: []int32{0, 3, 5, 7, 8}, IDs: []int32{0, 4, 4, 1, 3, 1, 3, 5}, Labels: []int32{0, 1, 1, 2}}
	if diff := cmp.Diff(wantTest, b.Test); diff != "" {
		t.Error(diff)
	}
}

func TestVocabularyIsBounded(t *testing.T) {
	b, err := Build(byHand, data.Options{Name: "hand", MaxVocabulary: 2, MinCount: 3, KeepCase: true})
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
	b, err = Build(byHand, data.Options{Name: "hand", MinCount: 1000})
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

// A whole number is one class, however it is written, and so is a letter with its
// accent; a code with a zero before it or a version is another.
func TestLabelsHaveOneForm(t *testing.T) {
	var examples []Example
	for i := range 40 {
		examples = append(examples, Example{Text: fmt.Sprint("text ", i), Label: []string{"1", "1.0", "01", "-2.000", "3.10", "é", ".0",
			"e\u0301"}[i%8]})
	}
	b, err := Build(examples, data.Options{Name: "t"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"-2", ".0", "01", "1", "3.10", "é"}, b.Labels); diff != "" {
		t.Error(diff)
	}
	want := `15 labels were read in another form, "1.0" as "1": whole numbers have no point, letters are composed`
	if !slices.Contains(b.Card.Warnings, want) {
		t.Errorf("%q do not say %q", b.Card.Warnings, want)
	}
}

// A long text gives the tokens of its beginning whatever its length, and is not
// copied for it.
func TestLongTextsAreScannedInBlocks(t *testing.T) {
	one := "it 's <b>é</b> &amp; e\u0301 don 't " + strings.Repeat("plain words ", 200)
	long := strings.Repeat(one, 1000)
	of := func(text string, most int) []string {
		t := Tokeniser{MaxTokens: most}
		return t.Tokens(text)
	}
	got, want := of(long, 5000), of(long[:200_000], 5000)
	if !slices.Equal(got, want) || len(got) != 5000 {
		t.Errorf("%d tokens, other ones", len(got))
	}
	if all, every := of(long, 0), of(one, 0); len(all) != 1000*len(every) {
		t.Errorf("%d tokens of 1,000 times %d", len(all), len(every))
	}
	plain := strings.Repeat("some words ", 2<<20)
	if n := testing.AllocsPerRun(1, func() { of(plain, 100) }); n > 150 {
		t.Errorf("%v allocations", n)
	}
}
