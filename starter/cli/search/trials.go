package search

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tnaml/activities/library"
	"tnaml/experiments/benchmark"
	"tnaml/experiments/exchange"
	"tnaml/experiments/search"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/starter/cli/names"
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
	{name: asTensorBoard, ending: ".tensorboard"}, {name: asMLflow},
}

// The formats that are no file: a folder, and a server.
const (
	asTensorBoard = "tensorboard"
	asMLflow      = "mlflow"
)

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
		Long: "List a search's trials, of a running one too, or write them for other tools: Parquet; Optuna's journal\n" +
			"(optuna.storages.JournalFileStorage), with a study for each task; a folder of TensorBoard's event files, with what the\n" +
			"HParams tab shows; or runs of an experiment on an MLflow server, whose URL is --out. MLflow's own variables are taken:\n" +
			"MLFLOW_TRACKING_URI, MLFLOW_TRACKING_TOKEN, MLFLOW_EXPERIMENT_NAME (default: the search's name). A trial is logged\n" +
			"there once, however often this is said.",
		Example: "  starter trials sms_spam-naml-s1-1 --format csv\n" +
			"  starter trials sms_spam-naml-s1-1 --format optuna --out journal.log\n" +
			"  starter trials sms_spam-naml-s1-1 --format mlflow --out http://localhost:5000",
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
				if format == asMLflow {
					return a.logMLflow(cmd.Context(), args[0], strings.TrimPrefix(out, "-"), last)
				}
				check := fresh
				if format == asTensorBoard {
					check = func(name string, _ bool) error { return terminal.NewFolder(name, "out") }
				}
				if err := check(out, overwrite); err != nil {
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
					of := exchange.Ledger{Name: l.Name, Strategy: l.Config.Strategy, Config: l.Config, Trials: l.Trials[from:], Costs: l.Costs}
					if format == asTensorBoard {
						if err := writeFolder(out, of, l.Record.Started); err != nil {
							return err
						}
						a.Print("%s", out)
						return nil
					}
					write := func(w io.Writer) error { return trialsJSONL(w, l, from) }
					if format == "table" {
						if out == "-" && from == len(l.Trials) {
							if l.Behind == nil { // else nobody knows
								a.Say("No trial has ended yet.")
							}
							return nil
						}
						write = func(w io.Writer) error { return a.trialsTable(w, l, from) }
					} else if f.write != nil {
						write = func(w io.Writer) error { return f.write(w, []exchange.Ledger{of}) }
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
	cmd.Flags().StringVar(&out, "out", "", "file or folder to write, - for standard output, or a server's URL (default: the search's name, "+
		"or, of table, csv and jsonl, standard output)")
	cmd.Flags().BoolVar(&overwrite, "overwrite", false, "write over the file that is there")
	terminal.Positive(cmd, "last")
	cmd.AddCommand(a.importCommand())
	return cmd
}

func (a app) importCommand() *cobra.Command {
	var im library.Import
	var o exchange.Options
	var format, set string
	var tasks []string
	cmd := &cobra.Command{
		Use:   "import [FILE] --space SPACE",
		Short: "Import trials of another program, to start searches from",
		Long: "Import trials of another program, as a search that has ended: --sources names them as it does one, and trials, best,\n" +
			"report and remove take them. FILE is CSV, JSON lines or Optuna's journal, - standard input. The columns are the\n" +
			"choices of the space and its metric by their names, or as --columns says.\n\n" +
			"A trial without the metric has failed. A trial with a value that is no option of the space is left out, and counted.\n" +
			"Unlike those of a search, imported trials of the very task that is searched are used.\n\n" +
			"Without a FILE --recorded names a benchmark that the program brings (see bench): trials of its tasks, trained when it was\n" +
			"made, as far as the modules that they take are in the store (see module build).",
		Example: "  starter trials import runs.csv --space mine --task churn --columns rate=lr,accuracy=val_acc\n" +
			"  starter trials import journal.log --space mine --name theirs\n" +
			"  starter search --task churn --strategy kindred --space mine --sources theirs\n" +
			"  starter trials import --recorded paper --name recorded",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (len(args) == 0) == (set == "") {
				return client.Usage(errors.New("give a FILE, or the name of a recorded benchmark with --recorded"))
			}
			if set != "" {
				return a.importRecorded(cmd, im, set, tasks)
			}
			if cmd.Flags().Changed("recorded-tasks") {
				return client.Usage(errors.New("--recorded-tasks goes with --recorded"))
			}
			ending := strings.ToLower(filepath.Ext(args[0]))
			if format == "" {
				format = map[string]string{".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".log": "optuna"}[ending]
			}
			if !slices.Contains(exchange.Formats(), format) {
				return client.Usage(fmt.Errorf("the format of %s: give --format, one of %s", args[0], strings.Join(exchange.Formats(), ", ")))
			}
			if o.Study != "" && format != "optuna" {
				return client.Usage(fmt.Errorf("--study is for Optuna's journals, and %s is %s: leave it out", args[0], format))
			}
			if im.Space == "" {
				return client.Usage(errors.New("give the --space that the trials are of (see starter space list)"))
			}
			if im.Name == "" {
				im.Name = strings.TrimSuffix(filepath.Base(args[0]), filepath.Ext(args[0]))
				if err := names.OfFile("search", im.Name); err != nil {
					return err
				}
			}
			o.Task = im.Task
			return a.WithClient(cmd.Context(), func(c *client.Client) error {
				found, err := c.ImportTrials(cmd.Context(), im, func(sp *space.Space) (*exchange.Imported, error) {
					in, err := a.Input(cmd.Context(), args[0]).Open()
					if err != nil {
						return nil, err
					}
					defer in.Close() // read only
					of := o
					of.Space = sp
					found, err := exchange.Read(in, format, of)
					if err != nil {
						err = fmt.Errorf("%s: %w", args[0], err)
					}
					return found, err
				})
				if err != nil {
					return err
				}
				return a.sayImported(im, found)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&format, "format", "", strings.Join(exchange.Formats(), ", ")+" (default: by the file's name)")
	f.StringVar(&im.Name, "name", "", "what they are called (default: the file's name)")
	f.StringVar(&im.Space, "space", "", "`NAME` of the space that they are of")
	f.StringVar(&im.Task, "task", "", "task that all are trials of, in the store or not (default: as the file says)")
	f.StringToStringVar(&o.Columns, "columns", nil, "what the file calls a choice, a metric, task, status, reason or steps: `NAME=COLUMN,…`")
	f.StringVar(&o.Study, "study", "", "the only one of Optuna's studies to read (default: all, a task each)")
	f.StringSliceVar(&im.Modules, "module", nil, "modules to choose from, where the space asks for all")
	f.BoolVar(&im.Overwrite, "overwrite", false, "replace imported trials of the name")
	f.StringVar(&set, "recorded", "",
		"recorded benchmark whose trials are imported, in the place of a file: "+strings.Join(benchmark.Names(), ", "))
	f.StringSliceVar(&tasks, "recorded-tasks", []string{"development"}, "its tasks: development, test, all, or names")
	for _, of := range []string{"format", "task", "columns", "study"} {
		cmd.MarkFlagsMutuallyExclusive("recorded", of)
	}
	return a.JSONFlag(cmd)
}

// importRecorded imports trials of a recorded benchmark.
func (a app) importRecorded(cmd *cobra.Command, im library.Import, name string, tasks []string) error {
	set, err := benchmark.Open(name)
	if err != nil {
		return client.Usage(err)
	}
	im.Space, im.Name = cmp.Or(im.Space, set.Space.Name), cmp.Or(im.Name, "recorded-"+name)
	of := benchmark.Expand(tasks, set.Development, set.Test)
	if err := set.Knows(of); err != nil {
		return client.Usage(err)
	}
	return a.WithClient(cmd.Context(), func(c *client.Client) error {
		found, err := c.ImportTrials(cmd.Context(), im, func(sp *space.Space) (*exchange.Imported, error) {
			trials, refusals, err := set.Trials(sp, of)
			if err != nil {
				return nil, err
			}
			if len(trials) == 0 {
				return nil, fmt.Errorf("the space %s can hold none of the %d trials: %s", sp.Name, len(refusals), refusals[0])
			}
			if !slices.ContainsFunc(trials, func(t search.Trial) bool { return t.Status != trainer.Failed }) {
				return nil, fmt.Errorf("none of the %d trials says anything: %s", len(trials), trials[0].Reason)
			}
			data, err := set.Data(of)
			return &exchange.Imported{Tasks: of, Data: data, Trials: trials, Refused: len(refusals), Refusals: refusals}, err
		})
		if err != nil {
			return err
		}
		if err := a.sayOtherModules(cmd.Context(), c, im.Name, set); err != nil {
			return err
		}
		return a.sayImported(im, found)
	})
}

// sayOtherModules says which modules of the store are not those that a set was recorded
// with, though they have their names: what trials gave with them may differ.
func (a app) sayOtherModules(ctx context.Context, c *client.Client, name string, set *benchmark.Set) error {
	record, err := library.ReadRecord(ctx, c.Store, name)
	if err != nil {
		return err
	}
	config, err := library.ReadConfig(ctx, c.Store, record.Config)
	if err != nil {
		return err
	}
	recorded, err := set.Modules()
	if err != nil {
		return err
	}
	var other []string
	for _, m := range config.Modules {
		if was := recorded[m.Name]; was != "" && was != m.Data {
			other = append(other, m.Name)
		}
	}
	if len(other) > 0 {
		a.Say("In the store these modules are others than those of the record, with the same names: %s. What their trials gave may differ.",
			strings.Join(other, ", "))
	}
	return nil
}

// sayImported says what has been imported, and what not.
func (a app) sayImported(im library.Import, found *exchange.Imported) error {
	if a.JSON {
		return a.PrintJSON(struct {
			Name       string   `json:"name"`
			Tasks      []string `json:"tasks"`
			Trials     int      `json:"trials"`
			Refused    int      `json:"refused"`
			Refusals   []string `json:"refusals,omitempty"`
			Unfinished int      `json:"unfinished"`
		}{im.Name, found.Tasks, len(found.Trials), found.Refused, found.Refusals, found.Unfinished})
	}
	a.Print("%s: %d trials of %s", im.Name, len(found.Trials), strings.Join(found.Tasks, ", "))
	if found.Refused > 0 {
		a.Say("%d trials were left out, which the space %s cannot hold: a space that has these options can (starter space add)", found.Refused,
			im.Space)
		for _, why := range found.Refusals[:min(5, len(found.Refusals))] {
			a.Say("  %s", why)
		}
	}
	if found.Unfinished > 0 {
		a.Say("%d trials have not ended, and were left out.", found.Unfinished)
	}
	a.Say("A search starts from them with --sources %s.", im.Name)
	return nil
}

// fresh refuses to write over what is there, unless that is asked for.
func fresh(name string, overwrite bool) error {
	if name == "-" {
		return nil
	}
	switch there, err := os.Stat(name); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case there.IsDir():
		return terminal.NewFolder(name, "out")
	case there.Mode().IsRegular() && !overwrite:
		return client.Usage(fmt.Errorf("%s exists already: give another name with --out, or --overwrite", name))
	}
	return nil // a device or a pipe
}

// writeFolder writes TensorBoard's event files, all of them or none.
func writeFolder(name string, l exchange.Ledger, started time.Time) error {
	return terminal.OutputFolder(name, func(create func(string) (io.WriteCloser, error)) error {
		return exchange.WriteTensorBoard(l, float64(started.Unix()), create)
	})
}

// logMLflow logs a search's trials, or the last ones, to an MLflow server.
func (a app) logMLflow(ctx context.Context, name, address string, last int) error {
	environ := map[string]string{}
	for _, v := range a.Environ {
		key, value, _ := strings.Cut(v, "=")
		environ[key] = value
	}
	to := client.MLflow{
		Address: cmp.Or(address, environ["MLFLOW_TRACKING_URI"]), Token: environ["MLFLOW_TRACKING_TOKEN"],
		Experiment: cmp.Or(environ["MLFLOW_EXPERIMENT_NAME"], name),
	}
	if to.Address == "" {
		return client.Usage(errors.New("give the MLflow server's URL with --out, or MLFLOW_TRACKING_URI"))
	}
	progress := a.NewProgress()
	defer progress.Clear()
	to.Progress = func(done, total int) { progress.Update(fmt.Sprintf("logging trial %d of %d", done, total)) }
	return a.WithClient(ctx, func(c *client.Client) error {
		l, err := c.Find(ctx, name)
		if err != nil {
			return err
		}
		from := 0
		if last > 0 {
			from = max(len(l.Trials)-last, 0)
		}
		got, err := l.LogMLflow(ctx, to, from)
		if progress.Clear(); err != nil {
			return err
		}
		a.Print("%d runs were logged to the experiment %s (%s), %d were there.", got.Runs, got.Experiment, got.ExperimentID, got.Present)
		return nil
	})
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
