package module

import (
	"context"
	"fmt"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"tnaml/activities/pull"
	"tnaml/activities/store"
	"tnaml/experiments/catalog"
	"tnaml/starter/cli/fetch"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

// pullOptions are the flags of "module pull".
type pullOptions struct {
	fetch.Options
	// top is how many tokens to keep, where topGiven.
	top      int
	topGiven bool
}

func (a app) pullCommand() *cobra.Command {
	var o pullOptions
	cmd := &cobra.Command{
		Use:   "pull NAME… | all",
		Short: "Download published word vectors (GloVe, fastText), and add them as modules",
		Long: "Download published word vectors (GloVe, fastText), and add them as modules. An archive that several modules are made of is " +
			"downloaded once\n" +
			"where they are pulled together, and read without being unpacked.\n\n" +
			fetch.HowItGoes("a module", "A module", "the vectors' pages"),
		Example: "  starter module pull --list\n  starter module pull glove-6b-100\n" +
			"  starter module pull glove-6b-50 glove-6b-300 --top 100000\n" +
			"  starter module pull all --mirror https://files.example.com/vectors",
		RunE: func(cmd *cobra.Command, args []string) error {
			sets, all, err := fetch.Choose("module", catalog.PublishedVectors(), func(v catalog.Vectors) string { return v.Name },
				args, o.List)
			if err != nil {
				return client.Usage(err)
			}
			if err := o.Complete(a.Config.DataDir); err != nil {
				return err
			}
			if o.topGiven = cmd.Flags().Changed("top"); o.topGiven {
				for i := range sets {
					sets[i].Top = o.top
				}
			}
			switch {
			case o.List:
				return a.listVectors(cmd.Context(), sets, o)
			case o.DryRun:
				return a.showPull(sets, o)
			}
			return a.WithClient(cmd.Context(), func(c *client.Client) error { return a.pull(cmd.Context(), c.Store, sets, all, o) })
		},
	}
	o.Flags(cmd, "vectors", "modules")
	cmd.Flags().IntVar(&o.top, "top", 0, "keep only the first so many tokens, the most frequent ones (0: all; default: as --list says)")
	cmd.Flags().Lookup("top").DefValue = ""
	terminal.NotNegative(cmd, "top")
	return a.JSONFlag(cmd)
}

// pull downloads vectors and adds them.
func (a app) pull(ctx context.Context, s store.Store, sets []catalog.Vectors, all bool, o pullOptions) error {
	there := ""
	if o.topGiven { // with another number of tokens, maybe
		there = ": --overwrite makes it anew"
	}
	return fetch.Job{
		Options: o.Options, What: "modules", All: all, There: there,
		Run: func(ctx context.Context, p *pull.Puller) []pull.Outcome { return p.RunVectors(ctx, sets) },
		Line: func(o pull.Outcome) string {
			return fmt.Sprintf("%s tokens of length %d", humanize.Comma(int64(o.Module.Tokens)), o.Module.Dim)
		},
		Columns: []string{"module", "language", ">tokens", ">dim"},
		Row: func(o pull.Outcome) []any {
			return []any{o.Name, o.Module.Language, humanize.Comma(int64(o.Module.Tokens)), o.Module.Dim}
		},
		Hint: func(i int) string { return pull.VectorsHint(&sets[i], o.Dir) },
	}.Pull(ctx, a.App, s)
}

// listedVectors are a line of --list.
type listedVectors struct {
	catalog.Vectors
	// Kept is how many tokens the module is to have, and Bytes what its vectors take.
	Kept  int   `json:"kept"`
	Bytes int64 `json:"bytes"`
	Files bool  `json:"downloaded"`
	There *bool `json:"there,omitempty"`
}

// listVectors shows the catalogue. Servers are asked where there are some.
func (a app) listVectors(ctx context.Context, sets []catalog.Vectors, o pullOptions) error {
	there, err := fetch.There(ctx, a.App, store.Module)
	if err != nil {
		return err
	}
	var out []listedVectors
	for _, v := range sets {
		out = append(out, listedVectors{Vectors: v, Kept: v.Kept(), Bytes: 4 * int64(v.Kept()) * int64(v.Dim), Files: o.Has(v.File),
			There: there.Has(v.Name)})
	}
	if a.JSON {
		return a.PrintJSON(out)
	}
	var rows [][]any
	for _, l := range out {
		tokens := humanize.Comma(int64(l.Kept))
		if l.Kept < l.Tokens {
			tokens += " of " + humanize.Comma(int64(l.Tokens))
		}
		rows = append(rows, []any{l.Name, l.Language, l.Dim, tokens, humanize.Bytes(uint64(l.Bytes)), fetch.SizeOf(l.File.Bytes()), l.File.Name,
			fetch.Here(l.There, l.Files, "module"), terminal.Cut(l.Licence, 60)})
	}
	a.Print("%s", a.Table([]string{"module", "language", ">dim", ">tokens", ">vectors", ">download", "~file", "here", "~licence"}, rows))
	there.Say(a.App, "modules")
	a.Say("Modules of one file, pulled together, are made of one download. %s.", fetch.Untried)
	return nil
}

// showPull says what a pull would do.
func (a app) showPull(sets []catalog.Vectors, o pullOptions) error {
	if a.JSON {
		return a.PrintJSON(sets)
	}
	a.Print("Downloads go to %s.", o.Dir)
	for _, v := range sets {
		a.Print("\n%s: %s\n  licence   %s\n  citation  %s\n  file", v.Name, v.Source(v.Kept()), v.Licence, v.Citation)
		o.PrintFile(a.App, v.File)
		if v.Member != "" {
			a.Print("    of which %s is read", v.Member)
		}
		for _, c := range v.Caveats {
			a.Print("  beware    %s", c)
		}
	}
	return nil
}
