package data

import (
	"strings"
	"testing"
)

// A label is composed, a whole number has no point, and nothing no sign.
func TestLabelOf(t *testing.T) {
	for label, want := range map[string]string{"cafe\u0301": "café", "café": "café", "1.0": "1", "-2.00": "-2",
		"-0.0": "0", "-0": "0", "0.0": "0", "-0.5": "-0.5", "-01.0": "-01.0", "-": "-",
		"1.5": "1.5", "1.": "1.", "01.0": "01.0",
		".0": ".0", "v1.0": "v1.0", "1.0.0": "1.0.0", "": "", " a": " a"} {
		if got := LabelOf(label); got != want {
			t.Errorf("%q is %q, want %q", label, got, want)
		}
	}
}

// Labels that people take for one are told, in a form that tells them apart.
func TestWarnsOfLabelsThatLookAlike(t *testing.T) {
	c := Card{GivenSplit: true}
	for i, l := range []string{"spam", "ham", "Spam", "ham\u00a0", "two  words", "two words", "straße", "STRASSE",
		"zero\u200bwidth", "zerowidth", "ａ",
		"a", "b", "1", "1.5"} {
		c.Classes = append(c.Classes, Class{Label: l, Train: i + 1, Validation: 1, Test: 1})
	}
	c.Warn("a text")
	got := strings.Join(c.Warnings, "\n")
	want := `labels that look alike are classes of their own, with so many examples: ` +
		`"spam" (3) and "Spam" (5); "ham" (4) and "ham\u00a0" (6); ` +
		`"two \x20words" (7) and "two words" (8); "straße" (9) and "STRASSE" (10); ` +
		`"zero\u200bwidth" (11) and "zerowidth" (12); ` +
		`"ａ" (13) and "a" (14): write them alike if they mean the same`
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	c = Card{GivenSplit: true, Classes: []Class{{Label: "a", Train: 1, Validation: 1, Test: 1},
		{Label: "b", Train: 1, Validation: 1, Test: 1}}}
	if c.Warn("a text"); len(c.Warnings) > 0 {
		t.Errorf("%q", c.Warnings)
	}
}
