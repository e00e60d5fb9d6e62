package labelled

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// A row that has a member twice which is read is told with its line: encoding/json
// takes the last.
func TestMembersTwice(t *testing.T) {
	const rest = ": the member is there twice: which one is meant? leave one"
	for row, want := range map[string]string{
		`{"text":"one","label":"a","text":"two"}`:                               `line 2, column "text"` + rest,
		`{"text":"one","label":"a","label":"a"}`:                                `line 2, column "label"` + rest,
		`{"text":"one","label":"a","\u0074ext":"two"}`:                          `line 2, column "text"` + rest,
		`{"text":"one","label":"a","split":"train","split":"test"}`:             `line 2, column "split"` + rest,
		`{"text":"one","label":"a","id":1,"id":2}`:                              "", // is not read
		`{"text":"\"text\": {[\\","label":"a","meta":{"text":1,"text":[{}]}}`:   "",
		`{ "text" : "a, \"b\": c" , "label" : "x:y", "n": [{"a": 1}, {"a":2}]}`: "",
	} {
		file := `{"text":"x","label":"b"}` + "\n" + row + "\n"
		for name, input := range map[string]string{"x.jsonl": file,
			"x.json": "[" + strings.Replace(strings.TrimSpace(file), "\n", ",\n", 1) + "]"} {
			_, err := Read(strings.NewReader(input), name, Options{Format: JSONL})
			if want == "" && err != nil || want != "" && (err == nil || err.Error() != name+": "+want) {
				t.Errorf("%s: %s: %v, want %s", name, row, err, want)
			}
		}
	}
	for row, twice := range map[string]bool{`{"data":{"t":"one","l":"a"}}`: false, `{"data":{"t":"one","l":"a","t":"two"}}`: true,
		`{"data":{"t":"one","l":"a"},"data":{}}`: true, `{"data":{},"data":{"t":"one","l":"a"}}`: true} {
		_, err := Read(strings.NewReader(row), "x.jsonl", Options{TextColumn: "data.t", LabelColumn: "data.l"})
		if told := err != nil && strings.Contains(err.Error(), "there twice"); told != twice {
			t.Errorf("%s: %v", row, err)
		}
	}
}

// The members are counted as a decoder finds them.
func FuzzRepeated(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":1,"a":{"b":[1,{"c":":"}]}}`, `{"\\":"\"","\\\"":[]}`, `{"a":{"a":1},"b":"{"}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var o map[string]view
		if json.Unmarshal([]byte(s), &o) != nil || o == nil {
			return
		}
		d := json.NewDecoder(strings.NewReader(s))
		_, _ = d.Token()
		n := 0
		var want []string
		seen := map[string]bool{}
		for ; d.More(); n++ {
			key, _ := d.Token()
			if seen[key.(string)] && !slices.Contains(want, key.(string)) {
				want = append(want, key.(string))
			}
			seen[key.(string)] = true
			var value any
			_ = d.Decode(&value)
		}
		if got := members([]byte(s)); got != n {
			t.Errorf("%q has %d members, want %d", s, got, n)
		}
		if got := repeated([]byte(s), len(o)); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	})
}
