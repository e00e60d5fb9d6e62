package text

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// groupEqual numbers the distinct texts by first appearance and returns each
// example's number. Texts are equal when they are so in normalisation form C
// with runs of white space as one space.
func groupEqual(examples []Example) []int {
	index := make(map[string]int, len(examples))
	out := make([]int, len(examples))
	for i, e := range examples {
		k := normalise(e.Text)
		g, ok := index[k]
		if !ok {
			g = len(index)
			index[k] = g
		}
		out[i] = g
	}
	return out
}

func normalise(s string) string {
	s = norm.NFC.String(s)
	plain, space := true, true
	for _, r := range s {
		sp := unicode.IsSpace(r)
		if sp && (space || r != ' ') {
			plain = false
			break
		}
		space = sp
	}
	if plain && !strings.HasSuffix(s, " ") {
		return s
	}
	return strings.Join(strings.Fields(s), " ")
}
