package fetch

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Choose finds the things that are meant by names, each once. all says that nobody
// named them; list, that none named means all. what is such a thing, "data set".
func Choose[T any](what string, known []T, nameOf func(T) string, names []string, list bool) (chosen []T, all bool, err error) {
	switch {
	case len(names) == 0 && list:
		return known, true, nil
	case len(names) == 0:
		return nil, false, fmt.Errorf("which %ss? Give their names, or all; --list shows them", what)
	}
	there := make([]string, len(known))
	for i, k := range known {
		there[i] = nameOf(k)
	}
	var unknown []error
	for k, name := range names {
		i := slices.Index(there, name)
		switch {
		case name == "all":
			all = true
		case i < 0:
			unknown = append(unknown, fmt.Errorf("there is no %s %q; there are %s", what, name, strings.Join(nearest(there, name), ", ")))
		case !slices.Contains(names[:k], name):
			chosen = append(chosen, known[i])
		}
	}
	if all {
		chosen = known
	}
	return chosen, all, errors.Join(unknown...)
}

// nearest are names, those that contain a name and then the most similar ones first.
func nearest(known []string, name string) []string {
	out := slices.Clone(known)
	far := func(n string) int {
		if strings.Contains(plainName.Replace(strings.ToLower(n)), plainName.Replace(strings.ToLower(name))) {
			return -1
		}
		return distance(n, name)
	}
	slices.SortStableFunc(out, func(a, b string) int { return cmp.Compare(far(a), far(b)) })
	return out
}

// plainName leaves out what parts the words of a name.
var plainName = strings.NewReplacer("_", "", "-", "", " ", "")

// distance is the number of letters to add, leave out or change to make one name
// of another (Levenshtein, 1966), in small letters and without what parts words.
func distance(a, b string) int {
	x, y := []rune(plainName.Replace(strings.ToLower(a))), []rune(plainName.Replace(strings.ToLower(b)))
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		left, diagonal := i+1, i
		for j := range y {
			up := row[j+1]
			if x[i] != y[j] {
				diagonal = 1 + min(left, up, diagonal)
			}
			row[j], left, diagonal = left, diagonal, up
		}
		row[len(y)] = left
	}
	return row[len(y)]
}
