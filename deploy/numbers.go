package deploy

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

// Decimal has the flags that take numbers read them as people do: 010 is ten, and
// there is no other base, nor an underscore. These, durations and flags without a value say in plain
// words what they do not take.
func Decimal(flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) {
		switch f.Value.Type() {
		case "int", "uint64":
			f.Value = decimal{f.Value, whole}
		case "float64":
			f.Value = decimal{f.Value, fraction}
		case "intSlice":
			if f.DefValue == "[]" {
				f.DefValue = "" // help tells no default then
			}
			f.Value = plain{f.Value, "are no whole numbers, with commas between"}
		case "duration":
			f.Value = plain{f.Value, "is no duration, such as 90m or 1h30m"}
		case "bool":
			f.Value = plain{f.Value, "is neither true nor false"}
		}
	})
}

var (
	whole    = regexp.MustCompile(`^[+-]?[0-9]+$`)
	fraction = regexp.MustCompile(`(?i)^[+-]?([0-9]+\.?[0-9]*(e[+-]?[0-9]+)?|\.[0-9]+(e[+-]?[0-9]+)?|inf|infinity|nan)$`)
)

// plain is a flag's value that says in its own words why it does not take something.
type plain struct {
	pflag.Value
	fault string
}

func (p plain) Set(text string) error {
	if p.Value.Set(text) != nil {
		return fmt.Errorf("%q %s", text, p.fault)
	}
	return nil
}

// decimal is a flag's number.
type decimal struct {
	pflag.Value
	form *regexp.Regexp
}

func (d decimal) Set(text string) error {
	text = strings.TrimSpace(text)
	if !d.form.MatchString(text) {
		return fmt.Errorf("%q is no %s", text, map[bool]string{true: "whole number", false: "number"}[d.form == whole])
	}
	if d.form == whole { // a zero at the start would make it octal
		digits := strings.TrimLeft(text, "+-")
		sign := strings.TrimPrefix(text[:len(text)-len(digits)], "+")
		if digits = strings.TrimLeft(digits, "0"); digits == "" {
			digits = "0"
		}
		text = sign + digits
	}
	err := d.Value.Set(text)
	if errors.Is(err, strconv.ErrSyntax) || errors.Is(err, strconv.ErrRange) { // of another form than it is no more
		return fmt.Errorf("%s is out of range", text)
	}
	return err
}
