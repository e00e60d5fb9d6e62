// Package cli is the starter's command line. One value, Process, holds all it
// touches of its process, so that every path runs in a test.
package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"tnaml/deploy"
	"tnaml/starter/cli/bench"
	"tnaml/starter/cli/catalogue"
	"tnaml/starter/cli/collect"
	"tnaml/starter/cli/controller"
	"tnaml/starter/cli/data"
	"tnaml/starter/cli/experiment"
	"tnaml/starter/cli/module"
	"tnaml/starter/cli/operate"
	"tnaml/starter/cli/schedule"
	"tnaml/starter/cli/search"
	"tnaml/starter/cli/serve"
	"tnaml/starter/cli/space"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

// Exit codes.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitUnfinished  = 3   // stopped, canceled or paused before its end
	exitInterrupted = 130 // as shells have it for SIGINT
)

// Process is what a command touches of its process.
type Process = terminal.Process

// Run runs a command line and returns its exit code.
func Run(ctx context.Context, p Process) int {
	written := &terminal.Written{To: p.Stdout}
	p.Stdout = written
	a := &terminal.App{Process: p}
	running := false // the command line was right, what fails now is not its fault
	root := command(a, &running)
	root.SetArgs(p.Args)
	root.SetIn(p.Stdin)
	err := root.ExecuteContext(ctx)
	failed := written.Err()
	switch {
	case errors.Is(failed, syscall.EPIPE) && (err == nil || errors.Is(err, syscall.EPIPE)): // whoever read it has enough, as head has
		return exitFailed
	case err == nil && failed != nil:
		a.Say("starter: %s", failed)
		return exitFailed
	case err == nil:
		return exitOK
	case errors.Is(err, terminal.ErrInterrupted), errors.Is(ctx.Err(), context.Canceled): // each request has words of its own for it
		return exitInterrupted
	case running && !errors.Is(err, client.ErrUsage), failed != nil && errors.Is(err, failed):
		a.Say("starter: %s", terminal.Message(err))
		if errors.Is(err, terminal.ErrUnfinished) {
			return exitUnfinished
		}
		return exitFailed
	}
	a.Say("starter: %s\nSee `starter %s--help`.", terminal.Message(err), named(root, p.Args))
	return exitUsage
}

// command is the whole program.
func command(a *terminal.App, running *bool) *cobra.Command {
	root := &cobra.Command{
		Use:   "starter",
		Short: "Transfer Neural AutoML: searches for good models, as durable workflows",
		Long: "tnaml searches for good models for your tasks: it trains child models on the workers there are,\n" +
			"learns a controller from their accuracy, and keeps everything in Temporal and S3.\n\n" +
			"Start with `starter demo`. With your own data:\n\n" +
			"  starter up                                     # servers and a worker, in another terminal\n" +
			"  starter data import spam.tsv --name spam       # columns text and label\n" +
			"  starter search --task spam --trials 200        # follow it, here and in the web UI\n" +
			"  starter best spam-naml-s1-1\n" +
			"  echo 'free prize, call now' | starter predict spam-naml-s1-1\n\n" +
			"Exit codes: 0 done, 1 failed, 2 wrong usage, 3 stopped or paused before its end, 130 interrupted.",
		SilenceErrors: true, SilenceUsage: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := errors.Join(terminal.CheckNumbers(cmd.Flags()), terminal.CheckOptional(cmd.Flags(), a.Args)); err != nil {
				return err
			}
			a.Config, err = deploy.Load(cmd.Flags(), a.Environ)
			if err = errors.Join(err, cmd.ValidateFlagGroups()); err != nil { // else it is looked at too late
				return err
			}
			*running = true
			for _, w := range a.Config.Warnings {
				a.Say("warning: %s", w)
			}
			return nil
		},
		Version: deploy.Version(a.Args),
	}
	root.SetVersionTemplate(deploy.VersionTemplate)
	deploy.Flags(root.PersistentFlags(), "data_dir", "log_", "temporal.", "s3.")
	root.AddCommand(serve.Commands(a)...)
	root.AddCommand(search.Commands(a)...)
	root.AddCommand(catalogue.Commands(a)...)
	root.AddCommand(operate.Commands(a)...)
	root.AddCommand(
		data.Command(a), data.BaselineCommand(a), module.Command(a), space.Command(a), bench.Command(a), collect.Command(a),
		experiment.RunCommand(a), experiment.Command(a), controller.Command(a), schedule.Command(a),
	)
	a.Named(root)
	root.SetOut(a.Stdout)
	root.SetErr(a.Stderr)
	root.InitDefaultCompletionCmd(a.Args...) // else it comes too late for what follows
	root.InitDefaultHelpCmd()
	if help, _, err := root.Find([]string{"help"}); err == nil {
		help.Args = known
	}
	walk(root, func(cmd *cobra.Command) {
		if cmd != root && cmd.HasSubCommands() && !cmd.Runnable() {
			terminal.Group(cmd)
		}
		if cmd.Args != nil && cmd.Name() != "help" && (takes(cmd) != "" || !cmd.HasSubCommands()) {
			cmd.Args = counted(cmd.Args)
		}
		deploy.Decimal(cmd.Flags())
		deploy.Decimal(cmd.PersistentFlags())
		terminal.Lists(cmd.Flags())
		complete(a, cmd)
	})
	return root
}

// known refuses help on what is no command: cobra's own says so, and succeeds.
func known(help *cobra.Command, args []string) error {
	_, rest, err := help.Root().Find(args)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("unknown command %q for %q", strings.Join(args, " "), help.Root().CommandPath())
	}
	return err
}

// counted says which arguments a command takes, by its usage, where they are too few or too many.
func counted(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if check(cmd, args) == nil {
			return nil
		}
		got := "nothing"
		if len(args) > 0 {
			got = fmt.Sprintf("%q", args)
			got = got[1 : len(got)-1]
		}
		return fmt.Errorf("%s takes %s, and was given %s", cmd.CommandPath(), cmp.Or(takes(cmd), "no arguments"), got)
	}
}

// takes are the arguments of a command's usage.
func takes(cmd *cobra.Command) string {
	s, _, _ := strings.Cut(strings.TrimPrefix(cmd.Use, cmd.Name()), " --")
	return strings.TrimSpace(s)
}

// walk does something to a command and all below it.
func walk(cmd *cobra.Command, do func(*cobra.Command)) {
	do(cmd)
	for _, c := range cmd.Commands() {
		walk(c, do)
	}
}

// named is the path of the command that was meant, for a hint.
func named(root *cobra.Command, args []string) string {
	cmd, _, err := root.Find(args)
	if err != nil || cmd == root {
		return ""
	}
	return strings.TrimPrefix(cmd.CommandPath(), root.CommandPath()+" ") + " "
}
