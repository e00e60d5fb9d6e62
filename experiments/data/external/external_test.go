package external

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"tnaml/experiments/data"
	"tnaml/experiments/data/archive"
)

func TestCanonical(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "  ": "", "{}": "", " { } ": "", "\ufeff{\"a\": 1}": `{"a":1}`,
		`{"b": 1e5, "a": [1.0, null, true, {"z": "<&>", "y": ""}]}`: `{"a":[1.0,null,true,{"y":"","z":"\u003c\u0026\u003e"}],"b":1e5}`,
		`{"n": 12345678901234567890}`:                               `{"n":12345678901234567890}`,
	} {
		got, err := Canonical(json.RawMessage(in))
		if err != nil || string(got) != want {
			t.Errorf("%s: %s, %v", in, got, err)
		}
		if again, err := Canonical(got); err != nil || !bytes.Equal(again, got) {
			t.Errorf("%s again: %s, %v", got, again, err)
		}
		if passed, err := json.Marshal(struct{ P json.RawMessage }{got}); len(got) > 0 && (err != nil || string(passed) != `{"P":`+want+`}`) {
			t.Errorf("passed on: %s, %v", passed, err)
		}
	}
	for in, want := range map[string]string{
		"[1]": "no JSON object, such as", "3": "no JSON object, such as", "null": "no JSON object, such as", "{": "unexpected EOF",
		`{"a": 1} 2`: "something follows", `{"a": NaN}`: "invalid character", `{"a": 1, "b": {"c": 1, "c": 2}}`: `the name "c" is there twice`,
		`{"a": 1e999}`: "1e999 is too large", "{\"a\": \"\xff\"}": "not UTF-8", `{"a": ` + strings.Repeat("[", 200): "100 deep",
		`{"a": "` + strings.Repeat("x", MaxParameters) + `"}`: "more than 16384: attach a file",
		`{"a": "` + strings.Repeat(" ", 1<<20) + `"}`:         "more than 16384: attach a file",
		`{"a": "` + strings.Repeat("<", 4000) + `"}`:          "have 24008 bytes",
		`{"a" 1}`: "invalid character", `{1: 2}`: "no JSON object", `{"a": ]}`: "no JSON object",
	} {
		if got, err := Canonical(json.RawMessage(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %s, %v; want %q", in, got, err, want)
		}
	}
}

func TestBuildRefuses(t *testing.T) {
	_, err := Build(Spec{json.RawMessage(`[]`), strings.Repeat("x", 3000), &data.Attached{}}, data.Options{})
	for _, want := range []string{"no JSON object", "3000 bytes", "no reference", "no name"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}

// A folder's object is a function of its files alone, and can be read as any archive.
func TestPack(t *testing.T) {
	files := []archive.File{{Name: "a/b.txt", Data: []byte("one")}, {Name: "c.csv", Data: bytes.Repeat([]byte("x"), 1000)}}
	b, err := Pack(files)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := archive.Entries(bytes.NewReader(b), int64(len(b)), "packed", 0, func(string) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	back, err := archive.Load(entries, "packed", 0)
	if err != nil || len(back) != 2 {
		t.Fatal(back, err)
	}
	for i := range files {
		if back[i].Name != files[i].Name || !bytes.Equal(back[i].Data, files[i].Data) {
			t.Errorf("%+v is not %+v", back[i], files[i])
		}
	}
	if again, err := Pack(back); err != nil || !bytes.Equal(again, b) {
		t.Error("packed again it is another object", err)
	}
	_, err = Pack([]archive.File{{Name: "gone", Err: errors.New("no such file")}})
	if err == nil || !strings.Contains(err.Error(), "gone: no such") {
		t.Error(err)
	}
}

// FuzzCanonical: what is taken is in the one form, and stays in it.
func FuzzCanonical(f *testing.F) {
	f.Add([]byte(`{"a": [1, {"b": null}]}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := Canonical(in)
		if err != nil {
			return
		}
		if again, err := Canonical(got); err != nil || !bytes.Equal(again, got) || len(got) > 0 && !json.Valid(got) {
			t.Errorf("%q gave %q, and that %q, %v", in, got, again, err)
		}
	})
}
