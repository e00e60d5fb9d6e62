package text

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tnaml/experiments/data"
	"tnaml/nn/child"
	"tnaml/nn/safetensors"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func hand(t testing.TB) *Task {
	t.Helper()
	b, err := Build(byHand, data.Options{Name: "hand"})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRoundTrip(t *testing.T) {
	for _, examples := range [][]Example{byHand, made(300)} {
		b, err := Build(examples, data.Options{Name: "t", KeepCase: true, MaxTokens: 5})
		if err != nil {
			t.Fatal(err)
		}
		encoded := b.Encode()
		got, err := Decode(encoded)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(b, got); diff != "" {
			t.Error(diff)
		}
		if !bytes.Equal(encoded, got.Encode()) {
			t.Error("encoding again gives other bytes")
		}
	}
}

// The bytes of a task are its identity: an equal table gives an equal object
// in every release, or TokeniserVersion has changed.
func TestGolden(t *testing.T) {
	file := filepath.Join("testdata", "hand.safetensors")
	got := hand(t).Encode()
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is no longer what this table gives; if that is meant, run with -update", file)
	}
	if _, err := Decode(want); err != nil {
		t.Error(err)
	}
}

// reencoded changes a valid task's file part by part.
func reencoded(t testing.TB, change func(meta map[string]string, words *[]byte, arrays map[string][]int32)) []byte {
	f, err := safetensors.Decode(hand(t).Encode())
	if err != nil {
		t.Fatal(err)
	}
	words, _, err := safetensors.Get[uint8](f, "vocabulary")
	if err != nil {
		t.Fatal(err)
	}
	arrays := map[string][]int32{}
	for _, name := range f.Names() {
		if name != "vocabulary" {
			if arrays[name], _, err = safetensors.Get[int32](f, name); err != nil {
				t.Fatal(err)
			}
		}
	}
	change(f.Metadata, &words, arrays)
	out := safetensors.New("")
	out.Metadata = f.Metadata
	safetensors.Put(out, "vocabulary", words)
	for name, a := range arrays {
		safetensors.Put(out, name, a)
	}
	return out.Encode()
}

func TestDecodeRefuses(t *testing.T) {
	type arrays = map[string][]int32
	for _, c := range []struct {
		name, want string
		change     func(meta map[string]string, words *[]byte, a arrays)
	}{
		{"another kind", `is a "module", not a task`, func(m map[string]string, _ *[]byte, _ arrays) { m["kind"] = "module" }},
		{"no header", `no metadata "task"`, func(m map[string]string, _ *[]byte, _ arrays) { delete(m, "task") }},
		{"header no JSON", "metadata", func(m map[string]string, _ *[]byte, _ arrays) { m["task"] = "{" }},
		{"another tokeniser", "import the task again", func(m map[string]string, _ *[]byte, _ arrays) {
			m["task"] = strings.Replace(m["task"], fmt.Sprintf(`"version":%d`, TokeniserVersion), `"version":99`, 1)
		}},
		{"labels out of order", "sorted and distinct", func(m map[string]string, _ *[]byte, _ arrays) {
			m["task"] = strings.Replace(m["task"], `["a","b","c"]`, `["b","a","c"]`, 1)
		}},
		{"label twice", "sorted and distinct", func(m map[string]string, _ *[]byte, _ arrays) {
			m["task"] = strings.Replace(m["task"], `["a","b","c"]`, `["a","b","b"]`, 1)
		}},
		{"too few labels", "has label", func(m map[string]string, _ *[]byte, _ arrays) {
			m["task"] = strings.Replace(m["task"], `["a","b","c"]`, `["a","b"]`, 1)
		}},
		{"no final newline", "end with a newline", func(_ map[string]string, w *[]byte, _ arrays) { *w = (*w)[:len(*w)-1] }},
		{"word twice", "there twice", func(_ map[string]string, w *[]byte, _ arrays) { *w = append(*w, "red\n"...) }},
		{"empty word", "is empty", func(_ map[string]string, w *[]byte, _ arrays) { *w = append(*w, '\n') }},
		{"too few words", "has id", func(_ map[string]string, w *[]byte, _ arrays) { *w = []byte("red\ngreen\nblue\n") }},
		{"wide vocabulary", "wide vocabulary", func(_ map[string]string, w *[]byte, _ arrays) { *w = []byte("red\n") }},
		{"no array", `no array "train.ids"`, func(_ map[string]string, _ *[]byte, a arrays) { delete(a, "train.ids") }},
		{"empty split", "test split: no examples", func(_ map[string]string, _ *[]byte, a arrays) { a["test.labels"] = nil }},
		{"offsets fall", "do not partition", func(_ map[string]string, _ *[]byte, a arrays) { a["train.offsets"][1] = 100 }},
		{"offsets do not begin at 0", "do not partition", func(_ map[string]string, _ *[]byte, a arrays) { a["validation.offsets"][0] = -1 }},
		{"offsets end too early", "do not partition",
			func(_ map[string]string, _ *[]byte, a arrays) { a["test.ids"] = append(a["test.ids"], 0) }},
		{"negative label", "has label -1", func(_ map[string]string, _ *[]byte, a arrays) { a["train.labels"][0] = -1 }},
		{"negative id", "has id -7", func(_ map[string]string, _ *[]byte, a arrays) { a["train.ids"][0] = -7 }},
	} {
		got, err := Decode(reencoded(t, c.change))
		if err == nil || !strings.Contains(err.Error(), c.want) || got != nil {
			t.Errorf("%s: %v; want an error with %q", c.name, err, c.want)
		}
	}
	if _, err := Decode(reencoded(t, func(map[string]string, *[]byte, arrays) {})); err != nil {
		t.Errorf("a good one: %v", err)
	}
	b := hand(t).Encode()
	for i := range b {
		if _, err := Decode(b[:i]); err == nil {
			t.Fatalf("the first %d of %d bytes were accepted", i, len(b))
		}
	}
}

func TestData(t *testing.T) {
	b := hand(t)
	got := b.Data(nil)
	// red 0, green 1, blue 2, tea 3, new 4, odd 5: see TestCardByHand.
	want := &child.Data{Classes: 3, Vocabulary: 6, WideVocabulary: 3, WideNGrams: 1,
		Train: child.Examples{Offsets: []int32{0, 2, 4, 6, 8, 9}, IDs: []int32{0, 1, 0, 2, 1, 3, 0, 2, 0},
			Counts: []float32{2, 1, 1, 1, 1, 1, 1, 1, 6}, Labels: []int32{0, 0, 1, 1, 0}},
		Validation: child.Examples{Offsets: []int32{0, 1}, IDs: []int32{1}, Counts: []float32{1}, Labels: []int32{1}},
		Test: child.Examples{Offsets: []int32{0, 2, 4, 6, 7}, IDs: []int32{0, 4, 1, 3, 1, 3, 5},
			Counts: []float32{1, 2, 1, 1, 1, 1, 1}, Labels: []int32{0, 1, 1, 2}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	got.Train.Labels[0] = 9
	if b.Train.Labels[0] == 9 {
		t.Error("the data share memory with the task")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(hand(f).Encode())
	f.Add(reencoded(f, func(_ map[string]string, _ *[]byte, a map[string][]int32) { a["train.offsets"][1] = -1 }))
	f.Add(reencoded(f, func(m map[string]string, _ *[]byte, _ map[string][]int32) { m["task"] = "{}" }))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := Decode(b)
		if err != nil {
			return
		}
		again, err := Decode(got.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(got, again); diff != "" {
			t.Fatal(diff)
		}
		got.Data(nil) // must not panic
		got.Encoder(nil, nil).Encode(new(Buffer), []string{"red and blue"})
	})
}
