package table

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tnaml/experiments/data"
	"tnaml/nn/rng"
	"tnaml/nn/safetensors"
)

const byHand = `{
  "metrics": ["validation", "loss"],
  "rows": [
    {"choices": {"depth": 1, "optimiser": "adam", "skip": false}, "metrics": {"validation": 0.75, "loss": 0.5}},
    {"choices": {"depth": 2.0, "optimiser": "sgd", "skip": true}, "metrics": {"validation": 0.5, "loss": 2}}
  ],
  "effects": {
    "validation": {"intercept": 0.5, "min": 0, "max": 1, 
      "choices": {"depth": {"1": 0, "2": 0.25, "3": 1}, "skip": {"true": 0.125, "false": 0}},
      "pairs": [{"choices": ["skip", "depth"], "options": [true, 2], "effect": -0.0625}]},
    "loss": {"intercept": 1, "noise": 0.5, "choices": {"optimiser": {"\"adam\"": -0.5, "\"sgd\"": 0}}}
  }
}`

func hand(t testing.TB, s string) *Table {
	t.Helper()
	b, err := Read([]byte(s), data.Options{Name: "hand", Source: "by hand"})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestLook(t *testing.T) {
	b := hand(t, byHand)
	noise := func(seed uint64) float64 { return 0.5 * rng.New(seed, "table/loss", 0).NormFloat64() }
	type choices = map[string]any
	for _, c := range []struct {
		name    string
		choices choices
		seed    uint64
		want    map[string]float64
	}{
		{"a row", choices{"depth": 1, "optimiser": "adam", "skip": false}, 1, map[string]float64{"validation": 0.75, "loss": 0.5}},
		{"numbers of other types", choices{"depth": int64(2), "optimiser": "sgd", "skip": true}, 1,
			map[string]float64{"validation": 0.5, "loss": 2}},
		{"a number of JSON", choices{"depth": json.Number("1.0"), "optimiser": "adam", "skip": false}, 1,
			map[string]float64{"validation": 0.75, "loss": 0.5}},
		{"effects", choices{"depth": 2.0, "optimiser": "adam", "skip": false}, 7, map[string]float64{"validation": 0.75, "loss": 0.5 + noise(7)}},
		{"another seed", choices{"depth": 2.0, "optimiser": "adam", "skip": false}, 8,
			map[string]float64{"validation": 0.75, "loss": 0.5 + noise(8)}},
		{"a pair", choices{"depth": 2, "optimiser": "adam", "skip": true}, 7, map[string]float64{"validation": 0.8125, "loss": 0.5 + noise(7)}},
		{"beyond the range", choices{"depth": 3, "optimiser": "sgd", "skip": true}, 7, map[string]float64{"validation": 1, "loss": 1 + noise(7)}},
		{"one choice more", choices{"depth": 1, "optimiser": "adam", "skip": false, "other": 1}, 7,
			map[string]float64{"validation": 0.5, "loss": 0.5 + noise(7)}},
		{"an unknown option", choices{"depth": 4, "optimiser": "adam", "skip": false}, 1, nil},
		{"an option of another type", choices{"depth": "1", "optimiser": "adam", "skip": false}, 1, nil},
		{"no option", choices{"depth": []any{1}, "optimiser": "adam", "skip": false}, 1, nil},
		{"a choice too few", choices{"depth": 1, "optimiser": "adam"}, 1, nil},
		{"none", nil, 1, nil},
	} {
		got, ok := b.Look(c.choices, c.seed)
		if diff := cmp.Diff(c.want, got); diff != "" || ok != (c.want != nil) {
			t.Errorf("%s: %v %s", c.name, ok, diff)
		}
	}
	got, _ := b.Look(choices{"depth": 1, "optimiser": "adam", "skip": false}, 1)
	got["loss"] = 9
	if again, _ := b.Look(choices{"depth": 1, "optimiser": "adam", "skip": false}, 1); again["loss"] != 0.5 {
		t.Error("what a look-up gives is the table's own")
	}
}

// Rows alone know nothing else, and a row may differ from another in one option of
// many, whatever the space between.
// A byte order mark, which editors leave, is no part of a benchmark.
func TestReadAfterAMark(t *testing.T) {
	if with := hand(t, "\ufeff"+byHand); !bytes.Equal(with.Encode(), hand(t, byHand).Encode()) {
		t.Error("it is another benchmark")
	}
}

func TestLookAmongMany(t *testing.T) {
	many := synthetic(3000, 40)
	b, err := Build(many, data.Options{Name: "many"})
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range many.Rows {
		got, ok := b.Look(row.Choices, uint64(i))
		if !ok || !cmp.Equal(got, row.Metrics) {
			t.Fatalf("row %d: %v, %v", i, got, ok)
		}
	}
	other := map[string]any{}
	for k := range many.Rows[0].Choices {
		other[k] = 0
	}
	if got, ok := b.Look(other, 1); ok {
		t.Errorf("%v", got)
	}
}

// synthetic is a benchmark of so many rows and choices.
func synthetic(rows, choices int) Recorded {
	r := rng.New(1, "test/table", 0)
	out := Recorded{Metrics: []string{"validation", "test"}}
	for i := range rows {
		row := Row{Choices: map[string]any{"number": i}, Metrics: map[string]float64{"validation": r.Float64(), "test": r.Float64()}}
		for k := range choices - 1 {
			row.Choices[fmt.Sprintf("choice_%d", k)] = []any{1 + r.IntN(4), []string{"a", "b", "c"}[r.IntN(3)], r.IntN(2) == 0}[k%3]
		}
		out.Rows = append(out.Rows, row)
	}
	return out
}

func TestCard(t *testing.T) {
	b := hand(t, byHand)
	want := data.Card{Examples: 2, Options: data.Options{Name: "hand", Source: "by hand"}, Table: &data.TableCard{
		Metrics:      []data.MetricRange{{Name: "validation", Min: 0.5, Max: 0.75}, {Name: "loss", Min: 0.5, Max: 2}},
		Choices:      []data.ChoiceOptions{{Name: "depth", Options: 3}, {Name: "optimiser", Options: 2}, {Name: "skip", Options: 2}},
		Fitted:       true,
		Interactions: 1,
	}}
	if diff := cmp.Diff(want, b.Card); diff != "" {
		t.Error(diff)
	}
	if b.Card.Kind() != data.Table {
		t.Errorf("the card is of kind %s", b.Card.Kind())
	}
}

// The bytes of a table are its identity, and do not depend on how it was written.
func TestGolden(t *testing.T) {
	b := hand(t, byHand)
	const want = "8ec9dc9866045e5e03d537ef73b9136b7a0fe51d6d2271cefbd85eb330cf19b1"
	if sum := sha256.Sum256(b.Encode()); hex.EncodeToString(sum[:]) != want {
		t.Errorf("the table's digest is %x", sum)
	}
	for _, other := range []string{
		strings.ReplaceAll(byHand, "2.0", "2"), strings.ReplaceAll(byHand, "\n", " "),
		strings.ReplaceAll(byHand, `"3": 1`, `"3.0": 1`),
		strings.ReplaceAll(byHand, `["skip", "depth"], "options": [true, 2]`, `["depth", "skip"], "options": [2, true]`),
	} {
		if !bytes.Equal(hand(t, other).Encode(), b.Encode()) {
			t.Errorf("other bytes from\n%s", other)
		}
	}
	back, err := Decode(b.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b.Recorded, back.Recorded); diff != "" || !cmp.Equal(b.Card, back.Card) || back.Name != "hand" {
		t.Errorf("%+v %s", back.Card, diff)
	}
}

func TestReadRefuses(t *testing.T) {
	row := func(choices, metrics string) string {
		return "{\"metrics\": [\"v\"],\n\"rows\": [\n{\"choices\": {\"a\": 1}, \"metrics\": {\"v\": 1}},\n" +
			"{\"choices\": " + choices + ", \"metrics\": " + metrics + "}]}"
	}
	curve := func(points string) string {
		return "{\"metrics\": [\"v\"],\n\"rows\": [\n{\"choices\": {\"a\": 1}, \"metrics\": {\"v\": 0}, \"curves\": {\"v\": " + points + "}}]}"
	}
	effect := func(e string) string { return "{\"metrics\": [\"v\"],\n\"effects\": {\"v\":\n" + e + "}}" }
	for _, c := range []struct {
		name, in string
		want     []string
	}{
		{"nothing", "", []string{"line 1", "unexpected EOF"}},
		{"no object", "[]", []string{"line 1: [ where an object should begin"}},
		{"a syntax error", "{\"metrics\": [\"v\"],\n\n\"rows\": [{]}", []string{"line 3", "invalid character ']'"}},
		{"cut off", byHand[:300], []string{"line 8", "unexpected EOF"}},
		{"something after it", byHand + "\n\n{}", []string{"line 15: something follows"}},
		{"an unknown member", `{"metrics": ["v"], "raws": []}`, []string{`unknown member "raws" (known: metrics, rows, effects)`}},
		{"twice", "{\"metrics\": [\"v\"],\n\"metrics\": [\"v\"]}", []string{`line 2: "metrics" is there twice`}},
		{"of another type", "{\"metrics\":\n 3}", []string{"line 2: cannot unmarshal number"}},
		{"unknown in a row", "{\"metrics\": [\"v\"],\n\"rows\": [\n{\"choices\": {}, \"seed\": 1}]}", []string{`line 3: unknown field "seed"`}},
		{"unknown in effects", effect(`{"intercept": 1, "nois": 2}`), []string{`line 3: unknown field "nois"`}},
		{"empty", "{}", []string{"no metrics"}},
		{"no rows", `{"metrics": ["v"]}`, []string{"neither rows nor effects"}},
		{"metrics", `{"metrics": ["v", "", "v"], "rows": []}`, []string{`metric "": a name has 1`, `metric "v" is there twice`}},
		{"all together", row(`{"a": [1], "b": 2}`, `{"w": 1}`), []string{
			`line 4: unknown choice "b"`, `line 4, choice "a": option [1]: it must be a string`, `line 4: no metric "v"`, `unknown metric "w"`}},
		{"null", row(`{"a": 2}`, `{"v": null}`), []string{`line 4, metric "v": NaN is no finite number`}},
		{"a choice twice", row(`{"a": 2, "a": 3}`, `{"v": 1}`), []string{`line 4: the field "choices.a" is there twice`}},
		{"a metric twice", row(`{"a": 2}`, `{"v": 1, "v": 2}`), []string{`line 4: the field "metrics.v" is there twice`}},
		{"an effect twice", effect(`{"choices": {"a": {"1": 1, "1": 2}}}`), []string{`line 3: the field "choices.a.1" is there twice`}},
		{"effects twice", effect(`{"choices": {"a": {"1": 1}}}, "v": {"intercept": 2}`), []string{`line 3: "v" is there twice`}},
		{"a point without its value", curve(`[[1, 0.5], [2]]`), []string{"line 3: [2]: there must be two"}},
		{"a point of three", curve(`[[1, 0.5], [2, 0, 9]]`), []string{"line 3: [2, 0, 9]: there must be two"}},
		{"a point of null", curve(`[[1, 0.5], [2, null]]`), []string{`line 3, curve of "v": [2 NaN]: a point is`}},
		{"an effect of null", effect(`{"choices": {"a": {"1": null}}}`), []string{`choice "a", option 1: NaN is no finite number`}},
		{"a pair of three", effect(`{"pairs": [{"choices": ["a", "b", "c"], "options": [1, 2, 3], "effect": 1}]}`),
			[]string{`line 3: ["a", "b", "c"]: there must be two`}},
		{"a pair of one", effect(`{"pairs": [{"choices": ["a"], "options": [1], "effect": 1}]}`), []string{`line 3: ["a"]: there must be two`}},
		{"too large a number", row(`{"a": 2}`, `{"v": 1e999}`), []string{"line 4: cannot unmarshal number 1e999"}},
		{"a choice of null", row(`{"a": null}`, `{"v": 1}`), []string{`line 4, choice "a": option null`}},
		{"no choices", `{"metrics": ["v"], "rows": [{"metrics": {"v": 1}}]}`, []string{"line 1: no choices"}},
		{"duplicates", row(`{"a": 1.0}`, `{"v": 2}`), []string{"line 4: the choices are those of line 3"}},
		{"not JSON", effect(`{"choices": {"a": {"adam": 1}}}`), []string{`effects on "v": choice "a": option "adam": give its JSON text`}},
		{"twice an option", effect(`{"choices": {"a": {"1": 1, "1.0": 2}}}`), []string{"option 1 is there twice"}},
		{"no options", effect(`{"choices": {"a": {}}}`), []string{`choice "a": no options`}},
		{"noise", effect(`{"noise": -1}`), []string{"the noise not negative"}},
		{"range", effect(`{"min": 1, "max": 0}`), []string{"in this order"}},
		{"pairs", effect(`{"pairs": [{"choices": ["a", "a"], "options": [1, 2]}, {"choices": ["a", "b"], "options": [1, {}]},
			{"choices": ["a", "b"], "options": [1, 2]}, {"choices": ["b", "a"], "options": [2, 1.0]}]}`),
			[]string{`pair 1 is of choice "a" alone`, "pair 2: option {}", "pair 4 is there twice"}},
		{"metrics without effects", `{"metrics": ["v", "w"], "effects": {"v": {}, "x": {}}}`,
			[]string{`unknown metric "x"`, `none on metric "w"`}},
		{"effects of other choices", `{"metrics": ["v"], "rows": [{"choices": {"a": 1}, "metrics": {"v": 1}}], ` +
			`"effects": {"v": {"choices": {"b": {"1": 1}}}}}`,
			[]string{`effects: choice "b" is not among those of the rows`}},
	} {
		_, err := Read([]byte(c.in), data.Options{Name: "x"})
		if err == nil {
			t.Errorf("%s: taken", c.name)
			continue
		}
		for _, w := range append(c.want, "table x: ") {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %v\nlacks %q", c.name, err, w)
			}
		}
	}
}

func TestBuildRefuses(t *testing.T) {
	one := func(v any, m float64) Recorded {
		return Recorded{Metrics: []string{"v"}, Rows: []Row{{Choices: map[string]any{"a": v}, Metrics: map[string]float64{"v": m}}}}
	}
	wide := one(1, 1)
	for i := range maxChoices {
		wide.Rows[0].Choices[fmt.Sprint(i)] = 1
	}
	for want, r := range map[string]Recorded{
		"row 1, metric \"v\": NaN is no finite": one(1, math.NaN()),
		"option +Inf: it must be finite":        one(math.Inf(1), 1),
		"UTF-8":                                 one("\xff", 1),
		"65 choices; there may be 64":           wide,
		"500001 rows; there may be 500000":      {Metrics: []string{"v"}, Rows: make([]Row, maxRows+1)},
	} {
		if _, err := Build(r, data.Options{Name: "x"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if _, err := Build(one(1, 1), data.Options{}); err == nil || !strings.Contains(err.Error(), "no name") {
		t.Error(err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for want, change := range map[string]func(f *safetensors.File){
		`is a "task", not a table`: func(f *safetensors.File) { f.Metadata["kind"] = "task" },
		`no metadata "table"`:      func(f *safetensors.File) { delete(f.Metadata, "table") },
		`has the arrays ["benchmark" "more"]`: func(f *safetensors.File) {
			safetensors.Put(f, "more", []uint8{1})
		},
	} {
		f, err := safetensors.Decode(hand(t, byHand).Encode())
		if err != nil {
			t.Fatal(err)
		}
		change(f)
		if _, err := Decode(f.Encode()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// checkForm checks what was read or decoded: it is valid, and of one form.
func checkForm(t *testing.T, got *Table) {
	once := got.Encode()
	back, err := Decode(once)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(once, back.Encode()) {
		t.Fatal("encoded again it has other bytes")
	}
	for _, row := range got.Rows {
		if m, ok := back.Look(row.Choices, 1); !ok || !cmp.Equal(m, row.Metrics) {
			t.Fatalf("%v: %v, %v", row, m, ok)
		}
	}
	Definition.Facts(&got.Card)
}

func FuzzDecode(f *testing.F) {
	f.Add(hand(f, byHand).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := Decode(b); err == nil {
			checkForm(t, got)
		}
	})
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{byHand, `{"metrics":["v"],"effects":{"v":{"intercept":1}}}`, `{"metrics":["v"],"rows":[{}]}`, "{",
		`{"metrics":["v"],"rows":[{"choices":{"a":1},"metrics":{"v":1}}],` +
			`"effects":{"v":{"pairs":[{"choices":["a","b"],"options":[1,2],"effect":1}]}}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := Read(b, data.Options{Name: "x"}); err == nil {
			checkForm(t, got)
		}
	})
}

func BenchmarkLook(b *testing.B) {
	t, err := Build(synthetic(10_000, 40), data.Options{Name: "x"})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, ok := t.Look(t.Rows[i%32].Choices, 1); !ok {
			b.Fatal("not there")
		}
	}
}
