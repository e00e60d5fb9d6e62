package cli

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tnaml/deploy/stack/stacktest"
	"tnaml/starter/cli/terminal"
)

// A command that only holds others says which where it is called by itself, or with one that
// it does not have: a script must not take help for success.
func TestGroupsNameTheirCommands(t *testing.T) {
	b := offline(t)
	groups := 0
	running := false
	walk(command(&terminal.App{}, &running), func(cmd *cobra.Command) {
		if !cmd.HasParent() || !cmd.HasSubCommands() || cmd.Name() == "bench" || cmd.Name() == "trials" {
			return // those do something by themselves
		}
		groups++
		b.fails(exitUsage, []string{cmd.Name() + " needs one of: " + cmd.Commands()[0].Name()}, cmd.Name())
		b.fails(exitUsage, []string{cmd.Name() + ` has no command "shwo"; there are: `}, cmd.Name(), "shwo")
	})
	if groups < 10 {
		t.Errorf("%d commands hold others", groups)
	}
	if out := b.ok("completion", "bash"); !strings.Contains(out, "starter") {
		t.Errorf("%.200s", out)
	}
	b.ok("config", "--help")
}

// Help calls a flag's value by a word: what stands in backquotes in its usage is taken for that.
func TestFlagsCallTheirValues(t *testing.T) {
	running, flags := false, 0
	walk(command(&terminal.App{}, &running), func(cmd *cobra.Command) {
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			flags++
			if name, _ := pflag.UnquoteUsage(f); strings.Contains(name, " ") || name != "" && name == cmd.Root().Name() || name == "go" {
				t.Errorf("%s --%s %s: %s", cmd.CommandPath(), f.Name, name, f.Usage)
			}
		})
	})
	if flags < 100 {
		t.Errorf("%d flags", flags)
	}
}

// full takes some bytes and then none, as a full disk does.
type full struct {
	room int
	err  error
}

func (f *full) Write(p []byte) (int, error) {
	n := min(len(p), f.room)
	if f.room -= n; n < len(p) {
		return n, f.err
	}
	return n, nil
}

// What could not be written is a failure, be it text, JSON or help, and told once; that
// nobody reads on, as of a pipe to head, is not told.
func TestOutputThatCannotBeWritten(t *testing.T) {
	b := offline(t)
	for _, args := range [][]string{
		{"strategy", "list"}, {"strategy", "list", "--json"}, {"strategy", "show", "naml"}, {"--help"}, {"--version"}, {"search", "--help"},
		{"completion", "bash"}, {"trainer", "schema", "request"}, {"config", "show"},
	} {
		for _, room := range []int{0, 10} {
			for err, want := range map[error]string{syscall.ENOSPC: "starter: writing standard output: no space left", syscall.EPIPE: ""} {
				var stderr stacktest.Output
				code := Run(context.Background(), Process{Args: args, Environ: b.environ, Stdin: strings.NewReader(""),
					Stdout: &full{room, &os.PathError{Op: "write", Path: "/dev/stdout", Err: err}}, Stderr: &stderr})
				if said := stderr.String(); code != exitFailed || !strings.HasPrefix(said, want) || (want == "") != (said == "") ||
					strings.Count(said, "space left") > 1 {
					t.Errorf("%v with room for %d, %v: exit code %d: %s", args, room, err, code, said)
				}
			}
		}
	}
	if _, err := (&full{3, errors.ErrUnsupported}).Write([]byte("four")); err == nil {
		t.Error("nothing is tried")
	}
}
