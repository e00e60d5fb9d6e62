package strict

import (
	"encoding/json"
	"errors"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

type inner struct {
	Rate  float64 `json:"rate"`
	Steps int     `json:"steps"`
}

// word decodes itself.
type word string

func (w *word) UnmarshalJSON(b []byte) error {
	if string(b) == `"bad"` {
		return errors.New("no good word")
	}
	*w = word(b)
	return nil
}

type outer struct {
	Names  []string         `json:"names"`
	Count  int              `json:"count,omitempty"`
	Seed   uint64           `json:"seed"`
	Share  float64          `json:"share"`
	On     *bool            `json:"on"`
	Text   string           `json:"text"`
	Each   map[string]int   `json:"each"`
	Inner  inner            `json:"inner"`
	Point  *inner           `json:"point"`
	Map    map[string]inner `json:"map"`
	Many   []inner          `json:"many"`
	Words  []word           `json:"words"`
	Any    json.RawMessage  `json:"any"`
	Hidden string           `json:"-"`
	Plain  string
	Bound  float64 `json:"b,omitempty" strict:"nonzero"`
}

// A name that is there twice is refused wherever it stands.
func TestTwice(t *testing.T) {
	var v outer
	err := Unmarshal([]byte(`{"count":1,"text":"count","inner":{"rate":1,"steps":2,"rate":3},"each":{"a":1,"b":2,"a":2},`+
		`"many":[{"steps":1},{"steps":1,"steps":1}],"any":{"x":[{"y":1,"y":1}]},"count":2,"count":3}`), &v)
	for _, want := range []string{`"inner.rate" is there twice`, `"each.a" is there twice`, `"many[1].steps" is there twice`,
		`"any.x[0].y" is there twice`, `"count" is there twice`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	if n := strings.Count(err.Error(), "twice"); n != 6 {
		t.Errorf("%d are twice: %v", n, err)
	}
}

// To look for names that are there twice takes room by the input's size, not by its depth too,
// and so does to say so.
func TestTwiceInTheDeep(t *testing.T) {
	name := strings.Repeat("n", 100)
	for _, level := range []string{`{"` + name + `":`, `{"` + name + `":1,"` + name + `":`} {
		const depth = 3000
		raw := []byte(strings.Repeat(level, depth) + "1" + strings.Repeat("}", depth))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		wrong := twice(raw)
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 100*uint64(len(raw)) {
			t.Errorf("%d bytes for %d", got, len(raw))
		}
		if want := strings.Count(level, name) - 1; len(wrong) != want*mostTwice {
			t.Errorf("%d names are said to be there twice", len(wrong))
		}
	}
}

func TestUnmarshal(t *testing.T) {
	v := outer{Count: 3, Inner: inner{Rate: .5, Steps: 7}, Text: "kept", Hidden: "h"}
	err := Unmarshal([]byte(`{"names":["a"],"inner":{"steps":8},"many":[{"rate":1}],"words":["x",1],"any":[1],"point":{"rate":2},`+
		`"map":{"a":{"steps":1}},"text":null,"on":false,"Plain":"p","each":{"a":1}}`), &v)
	off := false
	want := outer{
		Names: []string{"a"}, Count: 3, Inner: inner{Rate: .5, Steps: 8}, Many: []inner{{Rate: 1}}, Words: []word{`"x"`, "1"},
		Any: json.RawMessage("[1]"), Point: &inner{Rate: 2}, Map: map[string]inner{"a": {Steps: 1}},
		Text: "kept", On: &off, Plain: "p", Each: map[string]int{"a": 1}, Hidden: "h",
	}
	if err != nil || !reflect.DeepEqual(v, want) {
		t.Errorf("%+v, %v", v, err)
	}
}

// Everything wrong comes together, always in the same words.
func TestUnmarshalRefuses(t *testing.T) {
	raw := []byte(`{"names":"a","count":1.5,"seed":-1,"share":"x","on":3,"text":[],"each":[],"inner":{"rate":"x","step":1,` +
		`"steps":2},"many":[{},{"rat":1}],
		"words":["bad"],"point":{"x":1,"steps":"s"},"map":{"a":{"y":1}},"zebra":1,"Names":[],"any":{}}`)
	const want = `unknown field "Names"
unknown field "zebra"
unknown field "inner.step"
unknown field "point.x"
unknown field "many[1].rat"
known fields: names, count, seed, share, on, text, each, inner.rate, inner.steps, point.rate, point.steps, map, many, words, any, Plain, b
"names" is "a": it must be a list of words
"count" is 1.5: it must be a whole number
"seed" is -1: it must be a whole number, not negative
"share" is "x": it must be a number
"on" is 3: it must be true or false
"text" is []: it must be a text
"each" is []: it must be an object of whole numbers
"inner.rate" is "x": it must be a number
"point.steps" is "s": it must be a whole number
"map": unknown field "y"
"words[0]": no good word`
	for range 20 {
		v := outer{Count: 3}
		if err := Unmarshal(raw, &v); err == nil || err.Error() != want || v.Count != 3 || v.Inner.Steps != 2 {
			t.Fatalf("%+v\n%v\nwant\n%s", v, err, want)
		}
	}
	for raw, want := range map[string]string{
		`{"seed":1}`: `unknown field "seed"` + "\nknown fields: count, names", `{"names":[1]}`: `"names" is [1]`, `null`: "null",
		`[]`:    "not a JSON object",
		`{} {}`: "after top-level value", `{"count":`: "not a JSON object", ``: "not a JSON object",
	} {
		if err := Unmarshal([]byte(raw), &outer{}, "count", "names"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q is not in: %v", raw, want, err)
		}
	}
	for raw, want := range map[string]string{ // no type of Go's is in what people read
		`5`:               "not a JSON object, but 5: give an object with any of the fields names, count,",
		`["x"]`:           `not a JSON object, but ["x"]: give an object`,
		`{"inner":5}`:     `"inner" is 5: it must be an object with any of the fields rate, steps`,
		`{"point":[]}`:    `"point" is []: it must be an object with`,
		`{"map":{"a":5}}`: `"map" is {"a":5}: it must be an object of objects`, `{"many":[5]}`: `"many[0]" is 5: it must be an object with`,
		`{"many":5}`: `"many" is 5: it must be a list of objects`,
		`{"b":0}`:    `"b" is 0: leave it out, or give a number above 0`, `{"b":0.0}`: `"b" is 0.0: leave it out`,
		`{"b":"x"}`: `"b" is "x": it must be a number`,
	} {
		err := Unmarshal([]byte(raw), &outer{})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "json:") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %q is not in: %v", raw, want, err)
		}
	}
	var length struct {
		Length int `json:"l" strict:"nonzero,a number above 0, or -1"`
	}
	if err := Unmarshal([]byte(`{"l":0}`), &length); err == nil || err.Error() != `"l" is 0: leave it out, or give a number above 0, or -1` {
		t.Error(err)
	}
	if err := Unmarshal([]byte(`{"b":null}`), &outer{}); err != nil {
		t.Error(err)
	}
	if err := Unmarshal([]byte(`{"x":1}`), &struct{}{}); err == nil || !strings.Contains(err.Error(), "known fields: none") {
		t.Errorf("%v", err)
	}
	if err := Unmarshal([]byte(`{"inner":[`+strings.Repeat("1,", 60)+`1]}`), &outer{}); err == nil ||
		!strings.Contains(err.Error(), "…: it must be an object") {
		t.Errorf("%v", err)
	}
}

func FuzzUnmarshal(f *testing.F) {
	f.Add([]byte(`{"names":["a"],"inner":{"steps":8},"many":[{"rate":1}],"words":["x",null]}`))
	f.Add([]byte(`{"many":[[]]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var v, w outer
		err := Unmarshal(raw, &v)
		if err == nil && json.Unmarshal(raw, &w) != nil {
			t.Errorf("accepted what encoding/json refuses: %q", raw)
		}
	})
}
