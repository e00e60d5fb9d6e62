package data

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"tnaml/activities/pull"
	"tnaml/activities/store"
	"tnaml/experiments/catalog"
	"tnaml/starter/cli/fetch"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

// pullOptions are the flags of "data pull".
type pullOptions struct {
	fetch.Options
	experiment string
}

func (a app) pullCommand() *cobra.Command {
	var o pullOptions
	cmd := &cobra.Command{
		Use:   "pull NAME… | all",
		Short: "Download public data sets, those of the paper, and import them as tasks",
		Long: "Download public data sets, those of the paper, and import them as tasks: 21 sets of texts with their stand-ins, and MNIST, " +
			"CIFAR-10 and Flowers.\n\n" + fetch.HowItGoes("a set", "A task", "the data sets' pages"),
		Example: "  starter data pull --list\n  starter data pull sms_spam subj_movie\n  starter data pull all --keep --dir " +
			"/srv/data-sets\n  starter data pull --experiment nlp-small\n  starter data pull all --mirror https://files.example.com/data-sets",
		RunE: func(cmd *cobra.Command, args []string) error {
			sets, all, err := chooseDatasets(catalog.Datasets(), args, o.experiment, o.List)
			if err != nil {
				return client.Usage(err)
			}
			if err := o.Complete(a.Config.DataDir); err != nil {
				return err
			}
			switch {
			case o.List:
				return a.listDatasets(cmd.Context(), sets, o)
			case o.DryRun:
				return a.showPull(sets, o)
			}
			return a.WithClient(cmd.Context(), func(c *client.Client) error { return a.pull(cmd.Context(), c.Store, sets, all, o) })
		},
	}
	o.Flags(cmd, "data sets", "tasks")
	cmd.Flags().StringVar(&o.experiment, "experiment", "", "pull all data sets of a built-in experiment")
	return a.JSONFlag(cmd)
}

// pull downloads and imports data sets.
func (a app) pull(ctx context.Context, s store.Store, sets []catalog.Dataset, all bool, o pullOptions) error {
	return fetch.Job{
		Options: o.Options, What: "data sets", All: all,
		Run: func(ctx context.Context, p *pull.Puller) []pull.Outcome { return p.Run(ctx, sets) },
		Line: func(o pull.Outcome) string {
			return fmt.Sprintf("%s examples in %d classes", humanize.Comma(int64(o.Card.Examples)), len(o.Card.Classes))
		},
		Columns: []string{"task", ">examples", ">classes", ">majority"},
		Row: func(o pull.Outcome) []any {
			return []any{o.Name, humanize.Comma(int64(o.Card.Examples)), len(o.Card.Classes), terminal.Percent(o.Card.MajorityAccuracy)}
		},
		Hint: func(i int) string { return pull.Hint(&sets[i], o.Dir) },
	}.Pull(ctx, a.App, s)
}

// chooseDatasets finds the sets that are meant. all says that nobody named them.
func chooseDatasets(known []catalog.Dataset, names []string, experiment string, list bool) (sets []catalog.Dataset, all bool, err error) {
	if experiment != "" {
		e, err := catalog.Builtin(experiment)
		if err != nil {
			return nil, false, err
		}
		tasks := experimentTasks(e)
		before := len(names)
		for _, d := range known {
			if tasks[d.Name] {
				names = append(names, d.Name)
			}
		}
		if len(names) == before {
			return nil, false, fmt.Errorf("the tasks of the experiment %s are no public data sets", experiment)
		}
	}
	return fetch.Choose("data set", known, func(d catalog.Dataset) string { return d.Name }, names, list)
}

// experimentTasks are the tasks that an experiment names.
func experimentTasks(e *catalog.Experiment) map[string]bool {
	tasks := map[string]bool{}
	for _, n := range e.Tasks() {
		tasks[n] = true
	}
	return tasks
}

// listedSet is a line of --list.
type listedSet struct {
	Name     string   `json:"name"`
	Title    string   `json:"title"`
	Kind     string   `json:"kind"`
	Role     string   `json:"role"`
	Paper    string   `json:"paper"`
	StandIn  bool     `json:"stand_in,omitempty"`
	Language string   `json:"language,omitempty"`
	Size     int64    `json:"size,omitempty"`
	Exact    bool     `json:"size_exact,omitempty"`
	Licence  string   `json:"licence"`
	Citation string   `json:"citation"`
	Homepage string   `json:"homepage"`
	Pullable bool     `json:"pullable"`
	Files    bool     `json:"downloaded"`
	There    *bool    `json:"there,omitempty"`
	Caveats  []string `json:"caveats,omitempty"`
}

// listDatasets shows the catalogue. Servers are asked where there are some.
func (a app) listDatasets(ctx context.Context, sets []catalog.Dataset, o pullOptions) error {
	there, err := fetch.There(ctx, a.App, store.Dataset)
	if err != nil {
		return err
	}
	var out []listedSet
	for _, d := range sets {
		l := listedSet{Name: d.Name, Title: d.Title, Kind: "text", Role: d.Role, Paper: d.Paper, StandIn: d.StandIn, Language: d.Language,
			Licence: d.Licence, Citation: d.Citation,
			Homepage: d.Homepage, Pullable: d.Pullable(), Caveats: d.Caveats, There: there.Has(d.Name)}
		if d.Images() {
			l.Kind = "image"
		}
		if i := slices.IndexFunc(d.Sources, catalog.DatasetSource.Pullable); i >= 0 {
			l.Size, l.Exact = d.Sources[i].Size()
		}
		l.Files = slices.ContainsFunc(d.Sources, func(s catalog.DatasetSource) bool {
			return !slices.ContainsFunc(s.Files, func(f catalog.PublishedFile) bool { return !o.Has(f) })
		})
		out = append(out, l)
	}
	if a.JSON {
		return a.PrintJSON(out)
	}
	var rows [][]any
	for _, l := range out {
		paper, how := l.Paper+", "+l.Role, "by hand"
		if l.StandIn {
			paper = "for " + paper
		}
		if l.Pullable {
			how = "pull"
		}
		rows = append(rows, []any{l.Name, paper, fetch.SizeOf(l.Size, l.Exact), fetch.Here(l.There, l.Files, "task"), how,
			terminal.Cut(l.Licence, 60)})
	}
	a.Print("%s", a.Table([]string{"data set", "~in the paper", ">size", "here", "how", "~licence"}, rows))
	there.Say(a.App, "tasks")
	a.Say(fetch.Untried + ".")
	return nil
}

// showPull says what a pull would do.
func (a app) showPull(sets []catalog.Dataset, o pullOptions) error {
	if a.JSON {
		return a.PrintJSON(sets)
	}
	a.Print("Downloads go to %s.", o.Dir)
	for _, d := range sets {
		a.Print("\n%s: %s\n  licence   %s\n  citation  %s", d.Name, d.Title, d.Licence, d.Citation)
		for i, s := range d.Sources {
			what := "source"
			if i > 0 {
				what = "else"
			}
			if s.Note != "" {
				what += ": " + s.Note
			}
			a.Print("  %s", what)
			for _, f := range s.Files {
				o.PrintFile(a.App, f)
			}
		}
		for _, c := range d.Caveats {
			a.Print("  beware    %s", c)
		}
		if !d.Pullable() {
			a.Print("  by hand   %s", strings.ReplaceAll(pull.Hint(&d, o.Dir), "\n", "\n            "))
		}
	}
	return nil
}
