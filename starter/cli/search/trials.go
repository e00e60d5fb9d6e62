package search

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"tnaml/experiments/exchange"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

// formats are those in which trials are written, with what the file of each is named by
// default after the search's name; none: standard output.
var formats = []struct {
	name, ending string
	write        func(w io.Writer, ledgers []exchange.Ledger) error
}{
	{name: "table"}, {name: "csv", write: exchange.WriteCSV}, {name: "jsonl"},
	{"parquet", ".parquet", exchange.WriteParquet}, {"optuna", ".optuna.log", exchange.WriteOptuna},
}

func (a app) trialsCommand() *cobra.Command {
	var format, out string
	var last int
	var overwrite bool
	var known []string
	for _, f := range formats {
		known = append(known, f.name)
	}
	cmd := &cobra.Command{
		Use: "trials SEARCH", Short: "List a search's trials, of a running one too, or write them for other tools",
		Long: "List a search's trials, of a running one too, or write them for other tools: Parquet, or Optuna's journal\n" +
			"(optuna.storages.JournalFileStorage), with a study for each task.",
		Example: "  starter trials sms_spam-naml-s1-1 --format csv\n" +
			"  starter trials sms_spam-naml-s1-1 --format optuna --out journal.log",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, f := range formats {
				if f.name != format {
					continue
				}
				if out == "" {
					if out = "-"; f.ending != "" {
						out = terminal.FileName(args[0], f.ending)
					}
				}
				if err := fresh(out, overwrite); err != nil {
					return err
				}
				return a.WithClient(cmd.Context(), func(c *client.Client) error {
					l, err := c.Find(cmd.Context(), args[0])
					if err != nil {
						return err
					}
					from := 0
					if last > 0 {
						from = max(len(l.Trials)-last, 0)
					}
					write := func(w io.Writer) error { return trialsJSONL(w, l, from) }
					if format == "table" {
						if out == "-" && from == len(l.Trials) {
							a.Say("No trial has ended yet.")
							return nil
						}
						write = func(w io.Writer) error { return a.trialsTable(w, l, from) }
					} else if f.write != nil {
						write = func(w io.Writer) error {
							return f.write(w, []exchange.Ledger{{
								Name: l.Name, Strategy: l.Config.Strategy, Config: l.Config, Trials: l.Trials[from:], Costs: l.Costs,
							}})
						}
					}
					if err := a.Output(out, write); err != nil || out == "-" {
						return err
					}
					a.Print("%s", out)
					return nil
				})
			}
			return client.Usage(fmt.Errorf("unknown format %q (known: %s)", format, strings.Join(known, ", ")))
		},
	}
	cmd.Flags().StringVar(&format, "format", "table", strings.Join(known, ", "))
	cmd.Flags().IntVar(&last, "last", 0, "only the last so many (default: all)")
	cmd.Flags().StringVar(&out, "out", "", "file to write, - for standard output (default: that, or for parquet and optuna the search's name)")
	cmd.Flags().BoolVar(&overwrite, "overwrite", false, "write over the file that is there")
	terminal.Positive(cmd, "last")
	return cmd
}

// fresh refuses to write over what is there, unless that is asked for.
func fresh(name string, overwrite bool) error {
	if name == "-" || overwrite {
		return nil
	}
	switch there, err := os.Stat(name); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case there.Mode().IsRegular() || there.IsDir():
		return client.Usage(fmt.Errorf("%s exists already: give another name with --out, or --overwrite", name))
	}
	return nil // a device or a pipe
}

func (a app) trialsTable(w io.Writer, l *client.Ledger, from int) error {
	var rows [][]any
	for i := from; i < len(l.Trials); i++ {
		r := l.Row(i)
		cpu := terminal.Duration(r.CPUSeconds)
		if r.Cached {
			cpu = "cached"
		}
		summary := r.Summary
		if r.Reason != "" {
			summary += " · " + r.Reason
		}
		rows = append(rows, []any{r.Trial.Trial, r.TaskName, r.Status, r.OnValidation, r.OnTest, cpu, summary})
	}
	_, err := fmt.Fprintln(w, terminal.Clean(a.Table([]string{">trial", "task", "status", ">validation", ">test", ">CPU", "~model"}, rows)))
	return err
}

func trialsJSONL(w io.Writer, l *client.Ledger, from int) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	for i := from; i < len(l.Trials); i++ {
		if err := e.Encode(l.Row(i)); err != nil {
			return err
		}
	}
	return nil
}
