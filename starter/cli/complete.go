package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tnaml/activities/store"
	"tnaml/deploy"
	"tnaml/experiments/catalog"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/space"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

// completeTimeout bounds what a shell waits for names.
const completeTimeout = 3 * time.Second

// names finds names of a kind that begin with a prefix. Without servers it is asked with no
// client, for those that the program has.
type names func(ctx context.Context, c *client.Client, prefix string) []string

// stored are the names of a kind in the store, beside built-in ones.
func stored(kind store.Kind, builtin ...string) names {
	return func(ctx context.Context, c *client.Client, prefix string) []string {
		out := slices.Clone(builtin)
		if c == nil {
			return out
		}
		entries, _ := c.Store.Names(ctx, kind, prefix) // what is not to be had is not offered
		for _, e := range entries {
			out = append(out, e.Name)
		}
		return out
	}
}

func schedules(ctx context.Context, c *client.Client, _ string) (out []string) {
	if c == nil {
		return nil
	}
	entries, _ := c.Schedules(ctx)
	for _, e := range entries {
		out = append(out, e.Name)
	}
	return out
}

// complete has shells complete a command's names: by what its usage calls the arguments,
// and by its flags' names.
func complete(a *terminal.App, cmd *cobra.Command) {
	experiments := stored(store.Experiment, catalog.BuiltinNames()...)
	called := map[string]names{
		"SEARCH": stored(store.Search), "TASK": stored(store.Dataset), "MODULE": stored(store.Module),
		"CONTROLLER": stored(store.Controller), "SPACE": stored(store.Space, space.BuiltinNames()...), "EXPERIMENT": experiments,
		"STRATEGY": stored("", strategy.Builtin().Names()...), "SCHEDULE": schedules,
	}
	flags := map[string]string{
		"task": "TASK", "tasks": "TASK", "pretrain-tasks": "TASK", "module": "MODULE", "controller": "CONTROLLER", "space": "SPACE",
		"strategy": "STRATEGY", "experiment": "EXPERIMENT", "sources": "SEARCH",
	}
	offer := func(of names) cobra.CompletionFunc {
		return func(cmd *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
			ctx, cancel := context.WithTimeout(cmd.Context(), completeTimeout)
			defer cancel()
			var err error
			if a.Config, err = deploy.Load(cmd.Flags(), a.Environ); err != nil {
				return nil, cobra.ShellCompDirectiveError
			}
			var found []string
			if err = a.WithClient(ctx, func(c *client.Client) error { found = of(ctx, c, prefix); return nil }); err != nil {
				found = of(ctx, nil, prefix)
			}
			found = slices.DeleteFunc(found, func(name string) bool { return !strings.HasPrefix(name, prefix) || slices.Contains(args, name) })
			slices.Sort(found)
			return slices.Compact(found), cobra.ShellCompDirectiveNoFileComp
		}
	}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Name == "from" && cmd.Name() == "search" {
			_ = cmd.RegisterFlagCompletionFunc(f.Name, offer(called["SEARCH"]))
		}
		if of, ok := called[flags[f.Name]]; ok {
			_ = cmd.RegisterFlagCompletionFunc(f.Name, listed(f, offer(of))) // it is there, and has none
		}
	})
	_, usage, _ := strings.Cut(cmd.Use, " ")
	if cmd.HasParent() && cmd.Parent().Name() == "schedule" {
		usage = strings.Replace(usage, "NAME", "SCHEDULE", 1)
	}
	first, _, _ := strings.Cut(strings.Trim(usage, "[]"), " ")
	word := strings.TrimRight(strings.SplitN(first, "|", 2)[0], "….]")
	of, ok := called[word]
	if !ok || cmd.ValidArgsFunction != nil {
		return
	}
	several := strings.ContainsAny(first, "….") || strings.Count(usage, word) > 1
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 && !several {
			return nil, cobra.ShellCompDirectiveDefault // files, as predict has them
		}
		return offer(of)(cmd, args, prefix)
	}
}

// listed has the last name of a flag's list completed, and not offered again what is
// before it: --sources a,b.
func listed(f *pflag.Flag, offer cobra.CompletionFunc) cobra.CompletionFunc {
	if f.Value.Type() != "stringSlice" {
		return offer
	}
	return func(cmd *cobra.Command, _ []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
		before := prefix[:strings.LastIndex(prefix, ",")+1]
		names, directive := offer(cmd, strings.Split(before, ","), prefix[len(before):])
		for i, name := range names {
			names[i] = before + name
		}
		return names, directive
	}
}
