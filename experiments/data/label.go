package data

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"tnaml/experiments/limit"
)

// MaxClasses is how many classes a task can have: with more labels than that something else was
// taken for them.
const MaxClasses = 10_000

// LabelOf is a label as every task has it, whatever it is read from: in Unicode's
// normalisation form C, and a whole number without the point that programs give it
// when they take it for a measurement: 1.0 is 1. What programs round up to -0.0 is 0.
// Everything else stays as it is.
func LabelOf(label string) string {
	label = norm.NFC.String(label)
	whole, zeros, ok := strings.Cut(label, ".")
	digits := strings.TrimPrefix(whole, "-")
	if label != "-0" && (!ok || zeros == "" || strings.Trim(zeros, "0") != "" || digits == "" || len(digits) > 1 && digits[0] == '0' ||
		strings.Trim(digits, "0123456789") != "") {
		return label
	}
	if digits == "0" {
		return digits
	}
	return whole
}

// alike lists the labels that look alike to people, a group a text: that differ in
// case, white space, characters without a width or the form of letters alone. Which of them
// mean the same only people know; quoted, they can be told apart.
func alike(classes []Class) (out []string) {
	fold := cases.Fold()
	groups := map[string][]string{}
	var order []string
	for _, c := range classes {
		flat := strings.Map(func(r rune) rune {
			if unicode.Is(unicode.Cf, r) {
				return -1
			}
			return r
		}, fold.String(norm.NFKC.String(c.Label)))
		flat = norm.NFKC.String(limit.OneLine(flat))
		if groups[flat] == nil {
			order = append(order, flat)
		}
		quoted := strings.ReplaceAll(strconv.Quote(limit.Cut(c.Label, limit.MaxName)), "  ", ` \x20`) // terminals and pages make one space of two
		groups[flat] = append(groups[flat], fmt.Sprintf("%s (%d)", quoted, c.Examples()))
	}
	for _, flat := range order {
		if members := groups[flat]; len(members) > 1 {
			out = append(out, strings.Join(few(members), " and "))
		}
	}
	return out
}
