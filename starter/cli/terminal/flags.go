package terminal

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tnaml/starter/client"
)

// least is the annotation of a flag that takes numbers from a bound on.
const least = "tnaml-least"

// The bounds.
const (
	aboveZero = "positive"
	fromZero  = "0 or more"
)

// Positive says that flags take numbers above zero: one that is given as zero is
// refused, and not taken for the default, for which a zero stands within.
func Positive(cmd *cobra.Command, flags ...string) { bound(cmd, aboveZero, flags) }

// NotNegative says that flags take zero and what is above.
func NotNegative(cmd *cobra.Command, flags ...string) { bound(cmd, fromZero, flags) }

func bound(cmd *cobra.Command, by string, flags []string) {
	for _, f := range flags {
		if err := cmd.Flags().SetAnnotation(f, least, []string{by}); err != nil {
			panic(err) // there is no such flag
		}
	}
}

// CheckNumbers checks the flags that were given against their bounds.
func CheckNumbers(flags *pflag.FlagSet) error {
	var errs []error
	flags.Visit(func(f *pflag.Flag) {
		by := f.Annotations[least]
		if len(by) == 0 {
			return
		}
		v, err := strconv.ParseFloat(f.Value.String(), 64)
		if err != nil || math.IsInf(v, 0) || !(v > 0 || v == 0 && by[0] == fromZero) {
			errs = append(errs, fmt.Errorf("--%s is %s: it must be %s", f.Name, f.Value, by[0]))
		}
	})
	return errors.Join(errs...)
}

// Idle refuses flags that were given and would do nothing, and says why: whoever gives one believes
// that it did something.
func Idle(flags *pflag.FlagSet, why string, names ...string) error {
	var errs []error
	for _, name := range names {
		if flags.Changed(name) {
			errs = append(errs, fmt.Errorf("--%s %s", name, why))
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return client.Usage(errors.Join(errs...))
}

// numbers is what the values of flags look like that stand alone too.
var numbers = regexp.MustCompile(`^[0-9]+(-[0-9]+)?$`)

// CheckOptional refuses a number behind a flag that may stand alone, --ensemble 3, where there is no
// file of that name: it would be taken for an argument of its own.
func CheckOptional(flags *pflag.FlagSet, args []string) error {
	for i := range max(0, len(args)-1) {
		name, long := strings.CutPrefix(args[i], "--")
		f := flags.Lookup(name)
		if args[i] == "--" {
			break
		}
		if !long || f == nil || f.NoOptDefVal == "" || f.Value.Type() == "bool" || !numbers.MatchString(args[i+1]) {
			continue
		}
		if _, err := os.Stat(args[i+1]); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("--%s %s: give its value behind an equals sign, as --%s=%s", name, args[i+1], name, args[i+1])
		}
	}
	return nil
}

// Lists has the flags that take lists of names take them line by line too, as files and
// commands give them: --tasks "$(cat tasks.txt)". As they come, such flags read the first
// line and drop the others.
func Lists(flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) {
		if _, done := f.Value.(lines); f.Value.Type() == "stringSlice" && !done {
			if f.Value = (lines{f.Value}); f.DefValue == "[]" {
				f.DefValue = "" // help tells no default then
			}
		}
	})
}

// lines is a list whose items may have lines of their own.
type lines struct{ pflag.Value }

// Set implements pflag.Value.
func (l lines) Set(s string) error {
	if !strings.Contains(s, "\n") {
		return l.Value.Set(s)
	}
	var items []string
	for line := range strings.Lines(s) {
		if line = strings.Trim(line, ", \t\r\n"); line != "" {
			items = append(items, line)
		}
	}
	return l.Value.Set(strings.Join(items, ","))
}

// Group makes a command that only holds others say which, and fail.
func Group(cmd *cobra.Command) {
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var names []string
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() {
				names = append(names, c.Name())
			}
		}
		what := "needs one of"
		if len(args) > 0 {
			what = fmt.Sprintf("has no command %q; there are", args[0])
		}
		return client.Usage(fmt.Errorf("%s %s: %s", cmd.CommandPath(), what, strings.Join(names, ", ")))
	}
}
