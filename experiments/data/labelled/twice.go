package labelled

import (
	"encoding/json"
	"slices"
	"strings"

	"tnaml/experiments/strict"
)

// members counts the members of a valid JSON object as they stand there.
func members(object []byte) (n int) {
	for range strict.Names(object) {
		n++
	}
	return n
}

// repeated lists the names that a valid JSON object has more than once; n of them differ.
func repeated(object []byte, n int) (twice []string) {
	if members(object) == n {
		return nil
	}
	seen := map[string]int{}
	for quoted := range strict.Names(object) {
		var name string
		_ = json.Unmarshal(quoted, &name)
		if seen[name]++; seen[name] == 2 {
			twice = append(twice, name)
		}
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
