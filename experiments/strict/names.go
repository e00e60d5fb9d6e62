package strict

import (
	"bytes"
	"iter"
)

// Names yields the names of a JSON object's own members, in quotes as they are written, those
// that are there twice too, of which a map has one. The object is valid: it has been decoded. It may
// have megabytes of numbers, so values are skipped and not parsed.
func Names(object []byte) iter.Seq[[]byte] {
	return func(yield func(name []byte) bool) {
		depth := 0
		for i := 0; i < len(object); i++ {
			switch object[i] {
			case '{', '[':
				depth++
			case '}', ']':
				depth--
			case '"':
				start := i
				i += 1 + stringEnd(object[i+1:])
				if depth != 1 {
					continue
				}
				name := object[start : i+1]
				for i+1 < len(object) && bytes.IndexByte([]byte(" \t\r\n"), object[i+1]) >= 0 {
					i++
				}
				if i+1 < len(object) && object[i+1] == ':' && !yield(name) {
					return
				}
			}
		}
	}
}

// stringEnd is where the quotation mark stands that ends a string of valid JSON.
func stringEnd(b []byte) int {
	for at := 0; ; at++ {
		at += bytes.IndexByte(b[at:], '"')
		escapes := 0
		for escapes < at && b[at-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return at
		}
	}
}
