package deploy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// Numbers of flags are decimal, with a sign or zeros before them.
func TestDecimal(t *testing.T) {
	for text, want := range map[string]int{"010": 10, "-08": -8, "+7": 7, "0": 0, "00": 0, " 5": 5} {
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		got := flags.Int("n", 3, "")
		Decimal(flags)
		if err := flags.Parse([]string{"--n=" + text}); err != nil || *got != want {
			t.Errorf("%q is %d, %v; want %d", text, *got, err, want)
		}
	}
	for _, text := range []string{"0x10", "0b1", "0o7", "1_000", "1e3", "", "ten", "99999999999999999999"} {
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		flags.Int("n", 3, "")
		flags.Float64("f", 3, "")
		Decimal(flags)
		if err := flags.Parse([]string{"--n=" + text}); err == nil {
			t.Errorf("%q is taken for a whole number", text)
		}
	}
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	f, u := flags.Float64("f", 3, ""), flags.Uint64("u", 0, "")
	Decimal(flags)
	if err := flags.Parse([]string{"--f=01.5e-3", "--u=018446744073709551615"}); err != nil || *f != .0015 || *u != 1<<64-1 {
		t.Errorf("%v, %v, %v", *f, *u, err)
	}
	for _, text := range []string{"-1", "18446744073709551616"} {
		if err := flags.Parse([]string{"--u=" + text}); err == nil || !strings.Contains(err.Error(), text+" is out of range") ||
			strings.Contains(err.Error(), "strconv") {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{"0x1p-2", "1_0.5", "1,5"} {
		if err := flags.Parse([]string{"--f=" + text}); err == nil {
			t.Errorf("%q is taken for a number", text)
		}
	}
	sizes, span, yes := flags.IntSlice("sizes", nil, ""), flags.Duration("span", 0, ""), flags.Bool("yes", false, "")
	Decimal(flags)
	if err := flags.Parse([]string{"--sizes=1,020", "--sizes=3", "--span=90m", "--yes"}); err != nil || fmt.Sprint(*sizes) != "[1 20 3]" ||
		*span != 90*time.Minute || !*yes {
		t.Errorf("%v, %v, %v, %v", *sizes, *span, *yes, err)
	}
	for arg, words := range map[string]string{
		"--sizes=1,x": `"1,x" are no whole numbers`, "--sizes=": `"" are no whole numbers`,
		"--span=3": `"3" is no duration, such as 90m`, "--yes=maybe": `"maybe" is neither true nor false`,
	} {
		if err := flags.Parse([]string{arg}); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", arg, err)
		}
	}
}
