package report

import (
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"
)

// minus gives negative numbers a minus sign instead of a hyphen, which is as
// wide as a digit, and "−0.00" no sign at all.
func minus(s string) string {
	if rest, ok := strings.CutPrefix(s, "-"); ok {
		if strings.Trim(rest, "0.") == "" {
			return rest
		}
		return "−" + rest
	}
	return s
}

// cosine writes a similarity.
func cosine(v float64) string { return minus(fmt.Sprintf("%.2f", v)) }

// points writes a fraction in percent, or a difference of two in percentage
// points, without the unit: it stands in the column's head.
func points(v float64) string { return minus(fmt.Sprintf("%.2f", 100*v)) }

// duration writes seconds for people.
func duration(seconds float64) string {
	size := max(seconds, -seconds)
	switch {
	case size < 10:
		return minus(fmt.Sprintf("%.2f s", seconds))
	case size < 120:
		return minus(fmt.Sprintf("%.1f s", seconds))
	case size < 7200:
		return minus(fmt.Sprintf("%.1f min", seconds/60))
	}
	return minus(humanize.FormatFloat("#,###.#", seconds/3600)) + " h"
}

func count(n int) string { return humanize.Comma(int64(n)) }

// label writes a choice's name in words.
func label(s string) string { return strings.ReplaceAll(s, "_", " ") }
