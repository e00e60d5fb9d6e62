package labelled

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// members counts the members of a valid JSON object as they stand there, without
// looking into them: the names that are there twice too, of which a map has one.
func members(object []byte) (n int) {
	depth := 0
	for i := 0; i < len(object); i++ {
		switch object[i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case ':':
			if depth == 1 {
				n++
			}
		case '"':
			i += 1 + stringEnd(object[i+1:])
		}
	}
	return n
}

// stringEnd is where the quotation mark stands that ends a string of valid JSON.
func stringEnd(b []byte) int {
	for at := 0; ; {
		at += bytes.IndexByte(b[at:], '"')
		escapes := 0
		for escapes < at && b[at-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return at
		}
		at++
	}
}

// repeated lists the names that a valid JSON object has more than once; n of them differ.
func repeated(object []byte, n int) (twice []string) {
	if members(object) == n {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(object))
	_, _ = d.Token()
	seen := map[string]bool{}
	for d.More() {
		t, _ := d.Token()
		name, _ := t.(string)
		if seen[name] && !slices.Contains(twice, name) {
			twice = append(twice, name)
		}
		seen[name] = true
		var value json.RawMessage
		_ = d.Decode(&value)
	}
	return twice
}

// again says whether an object, which has the names in twice more than once, so has that of a
// member, or one on the dotted path to it: which of both is meant nobody can know.
func again(twice []string, o map[string]view, name string) bool {
	if _, ok := o[name]; ok {
		return slices.Contains(twice, name)
	}
	head, rest, dotted := strings.Cut(name, ".")
	if !dotted {
		return false
	}
	var inner map[string]view
	if raw, ok := o[head]; !ok || json.Unmarshal(raw, &inner) != nil {
		return false
	}
	return slices.Contains(twice, head) || again(repeated(o[head], len(inner)), inner, rest)
}
