package terminal

import (
	"slices"
	"testing"

	"github.com/spf13/pflag"
)

// TestLists: a list has all its lines, and is else as it was.
func TestLists(t *testing.T) {
	for _, c := range []struct {
		args []string
		want []string
	}{
		{nil, []string{"default"}},
		{[]string{"--list", "a,b"}, []string{"a", "b"}},
		{[]string{"--list", "a\nb\nc"}, []string{"a", "b", "c"}},
		{[]string{"--list", "a,b,\r\n\r\n  c\r\n"}, []string{"a", "b", "c"}},
		{[]string{"--list", "a\nb", "--list=c"}, []string{"a", "b", "c"}},
		{[]string{"--list", "\n"}, nil},
		{[]string{"--list", `"a,b",c`}, []string{"a,b", "c"}},
		{[]string{"--list", "a,,b"}, []string{"a", "", "b"}},
	} {
		var got []string
		flags := pflag.NewFlagSet("x", pflag.ContinueOnError)
		flags.StringSliceVar(&got, "list", []string{"default"}, "")
		Lists(flags)
		Lists(flags) // of a command whose flags were seen before
		if err := flags.Parse(c.args); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%q is %q, %v, want %q", c.args, got, err, c.want)
		}
	}
}
