package strict

import (
	"slices"
	"testing"
)

// Names are an object's own, as they are written; those of objects within it, and values that look like one, are none.
func TestNames(t *testing.T) {
	for object, want := range map[string][]string{
		`{}`:                                nil,
		`{"a":1, "a" :{"b":[1,{"c":":"}]}}`: {`"a"`, `"a"`},
		`{"\\":"\"","\\\"":[],"\u0061"` + "\n:1}": {`"\\"`, `"\\\""`, `"\u0061"`},
		` { "x" : "y:" , "z": ["x:"] } `:          {`"x"`, `"z"`},
	} {
		var got []string
		for name := range Names([]byte(object)) {
			got = append(got, string(name))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", object, got, want)
		}
	}
	for name := range Names([]byte(`{"a":1,"b":2}`)) {
		if string(name) != `"a"` {
			t.Errorf("it goes on to %s", name)
		}
		break
	}
}
