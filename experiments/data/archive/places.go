package archive

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// The names of the splits.
const (
	train      = "train"
	validation = "validation"
	test       = "test"
)

// splitNames are the words that mean a split.
var splitNames = map[string]string{"train": train, "training": train, "validation": validation, "valid": validation, "val": validation,
	"dev":  validation,
	"test": test, "testing": test}

// SplitWord returns the split that a word means (train, training, validation,
// valid, val, dev, test, testing, in whatever case), or "".
func SplitWord(word string) string { return splitNames[strings.ToLower(word)] }

// SplitOf returns the split that a folder's or file's name means, or "": one
// of its words is such as SplitWord knows, as in 20news-bydate-train or
// imdb_test.tsv.gz, and no other means another.
func SplitOf(name string) string {
	split := ""
	for word := range strings.FieldsFuncSeq(strings.ToLower(name), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }) {
		if s := splitNames[word]; s != "" {
			if split != "" && s != split {
				return ""
			}
			split = s
		}
	}
	return split
}

// Place says which class and split the path of a file means.
type Place struct {
	Class, Split string
	// Err says why the path means none; it is ErrLoose where the file lies above
	// the folders of the classes.
	Err error
}

// ErrLoose says that a file lies in no folder of a class.
var ErrLoose = errors.New("the file must lie in a folder of its class, or in one within train, validation or test")

// Places finds class and split of every path: a folder for each class, or
// folders train, validation and test with one for each class in them. A folder
// common to all files but those beside it is skipped as long as a class is left.
func Places(names []string) []Place {
	dirs := make([][]string, len(names))
	most := 0
	for i, name := range names {
		dirs[i] = strings.Split(name, "/")
		dirs[i] = dirs[i][:len(dirs[i])-1]
		most = max(most, len(dirs[i]))
	}
	skip := 0
	for ; skip < most-1; skip++ {
		var first []string
		if slices.ContainsFunc(dirs, func(d []string) bool {
			if len(d) > skip && first == nil {
				first = d
			}
			return len(d) > skip && d[skip] != first[skip]
		}) || SplitWord(first[skip]) != "" {
			break
		}
	}
	splits := slices.ContainsFunc(dirs, func(d []string) bool { return len(d) == skip+2 && SplitOf(d[skip]) != "" })
	out := make([]Place, len(names))
	for i, d := range dirs {
		d = d[min(skip, len(d)):]
		p := &out[i]
		if len(d) == 2 {
			if p.Split = SplitOf(d[0]); p.Split != "" {
				d = d[1:]
			}
		}
		switch {
		case len(d) == 0 || len(d) == 1 && splits && p.Split == "" && SplitOf(d[0]) != "":
			p.Err = ErrLoose
		case len(d) > 1:
			p.Err = fmt.Errorf("%w (%d folders deep here)", ErrLoose, len(d))
		case !utf8.ValidString(d[0]):
			p.Err = fmt.Errorf("the class %q is not UTF-8", d[0])
		default:
			p.Class = d[0]
		}
	}
	return out
}
