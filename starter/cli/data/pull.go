package data

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"tnaml/activities/download"
	"tnaml/activities/pull"
	"tnaml/activities/store"
	"tnaml/deploy"
	"tnaml/experiments/catalog"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

// pullOptions are the flags of "data pull".
type pullOptions struct {
	list, dryRun, overwrite, keep bool
	dir, mirror, experiment       string
}

func (a app) pullCommand() *cobra.Command {
	var o pullOptions
	cmd := &cobra.Command{
		Use:   "pull NAME… | all",
		Short: "Download public data sets, those of the paper, and import them as tasks",
		Long: "Download public data sets, those of the paper, and import them as tasks: 21 sets of texts with their stand-ins, and MNIST, " +
			"CIFAR-10 and Flowers.\n\n" +
			"A transfer that broke off is resumed by the next pull; the files that came of a set that did not come whole stay for it. " +
			"Proxies are those of HTTP_PROXY, HTTPS_PROXY and NO_PROXY. Files are checked against their\n" +
			"SHA-256 where it is known. What cannot be downloaded is told with what to do by hand: a file put into the directory of " +
			"downloads under its name is\n" +
			"taken from there. A task that is there already is left alone.\n\n" +
			"None of the addresses has been tried against the real servers yet: they are from the data sets' pages and from public code that " +
			"downloads them.\n" +
			"Please tell of those that have moved. With --mirror the files come from a server of yours first, as <URL>/<file name>; the file " +
			"names are those that\n" +
			"--dry-run shows, and a directory of downloads filled with --keep can be served as it is.",
		Example: "  starter data pull --list\n  starter data pull sms_spam subj_movie\n  starter data pull all --keep --dir " +
			"/srv/data-sets\n  starter data pull --experiment nlp-small\n  starter data pull all --mirror https://files.example.com/data-sets",
		RunE: func(cmd *cobra.Command, args []string) error {
			sets, all, err := chooseDatasets(catalog.Datasets(), args, o.experiment, o.list)
			if err != nil {
				return client.Usage(err)
			}
			if u, err := url.Parse(o.mirror); o.mirror != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
				return client.Usage(errors.New("--mirror is no address: give one that begins with http:// or https://"))
			}
			if o.dir == "" {
				o.dir = filepath.Join(a.Config.DataDir, "downloads")
			}
			switch {
			case o.list:
				return a.listDatasets(cmd.Context(), sets, o.dir)
			case o.dryRun:
				return a.showPull(sets, o)
			}
			return a.WithClient(cmd.Context(), func(c *client.Client) error { return a.pull(cmd.Context(), c.Store, sets, all, o) })
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.list, "list", false, "list the data sets: size, licence, whether they are there, whether they can be downloaded")
	f.BoolVar(&o.dryRun, "dry-run", false, "show what would be downloaded from where, and do nothing")
	f.BoolVar(&o.overwrite, "overwrite", false, "pull also those that are there, and give their names to what comes")
	f.BoolVar(&o.keep, "keep", false, "keep the downloaded files once their tasks are stored")
	f.StringVar(&o.dir, "dir", "", "directory of downloads (default: downloads in the data directory)")
	f.StringVar(&o.mirror, "mirror", "", "address of a server that has the files by their names; it is asked first")
	f.StringVar(&o.experiment, "experiment", "", "pull all data sets of a built-in experiment")
	return a.JSONFlag(cmd)
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
	if slices.Contains(names, "all") || len(names) == 0 && list {
		return known, true, nil
	}
	if len(names) == 0 {
		return nil, false, errors.New("which data sets? Give their names, or all; --list shows them")
	}
	var unknown []error
	for _, name := range names {
		i := slices.IndexFunc(known, func(d catalog.Dataset) bool { return d.Name == name })
		switch {
		case i < 0:
			unknown = append(unknown, fmt.Errorf("there is no data set %q; there are %s", name, strings.Join(nearest(known, name), ", ")))
		case !slices.ContainsFunc(sets, func(d catalog.Dataset) bool { return d.Name == name }):
			sets = append(sets, known[i])
		}
	}
	return sets, false, errors.Join(unknown...)
}

// experimentTasks are the tasks that an experiment names.
func experimentTasks(e *catalog.Experiment) map[string]bool {
	tasks := map[string]bool{}
	for _, n := range e.Tasks() {
		tasks[n] = true
	}
	return tasks
}

// nearest are the names of the sets, those that contain a name and then the most
// similar ones first.
func nearest(known []catalog.Dataset, name string) []string {
	out := make([]string, len(known))
	for i, d := range known {
		out[i] = d.Name
	}
	far := func(n string) int {
		if strings.Contains(plainName.Replace(strings.ToLower(n)), plainName.Replace(strings.ToLower(name))) {
			return -1
		}
		return distance(n, name)
	}
	slices.SortStableFunc(out, func(a, b string) int { return cmp.Compare(far(a), far(b)) })
	return out
}

// plainName leaves out what parts the words of a name.
var plainName = strings.NewReplacer("_", "", "-", "", " ", "")

// distance is the number of letters to add, leave out or change to make one name
// of another (Levenshtein, 1966), in small letters and without what parts words.
func distance(a, b string) int {
	x, y := []rune(plainName.Replace(strings.ToLower(a))), []rune(plainName.Replace(strings.ToLower(b)))
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		left, diagonal := i+1, i
		for j := range y {
			up := row[j+1]
			if x[i] != y[j] {
				diagonal = 1 + min(left, up, diagonal)
			}
			row[j], left, diagonal = left, diagonal, up
		}
		row[len(y)] = left
	}
	return row[len(y)]
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
func (a app) listDatasets(ctx context.Context, sets []catalog.Dataset, dir string) error {
	var there map[string]bool
	if s, err := a.Connect(ctx); err == nil {
		defer s.Close()
		entries, err := s.Store.Names(ctx, store.Dataset, "")
		if err != nil {
			return err
		}
		there = map[string]bool{}
		for _, e := range entries {
			there[e.Name] = true
		}
	} else if !errors.Is(err, deploy.ErrNoServers) {
		return err
	}
	c := &download.Client{Dir: dir}
	var out []listedSet
	for _, d := range sets {
		l := listedSet{Name: d.Name, Title: d.Title, Kind: "text", Role: d.Role, Paper: d.Paper, StandIn: d.StandIn, Language: d.Language,
			Licence: d.Licence, Citation: d.Citation,
			Homepage: d.Homepage, Pullable: d.Pullable(), Caveats: d.Caveats}
		if d.Images() {
			l.Kind = "image"
		}
		if i := slices.IndexFunc(d.Sources, catalog.DatasetSource.Pullable); i >= 0 {
			l.Size, l.Exact = d.Sources[i].Size()
		}
		l.Files = slices.ContainsFunc(d.Sources, func(s catalog.DatasetSource) bool {
			return !slices.ContainsFunc(s.Files, func(f catalog.DatasetFile) bool { return !c.Has(download.File{Name: f.Name}) })
		})
		if there != nil {
			yes := there[d.Name]
			l.There = &yes
		}
		out = append(out, l)
	}
	if a.JSON {
		return a.PrintJSON(out)
	}
	var rows [][]any
	for _, l := range out {
		paper, size, how := l.Paper+", "+l.Role, "?", "by hand"
		if l.StandIn {
			paper = "for " + paper
		}
		if l.Size > 0 {
			if size = humanize.Bytes(uint64(l.Size)); !l.Exact {
				size = "~" + size
			}
		}
		if l.Pullable {
			how = "pull"
		}
		rows = append(rows, []any{l.Name, paper, size, l.here(), how, terminal.Cut(l.Licence, 60)})
	}
	a.Print("%s", a.Table([]string{"data set", "~in the paper", ">size", "here", "how", "~licence"}, rows))
	if there == nil {
		a.Say("No servers are running, so which tasks are there is not known.")
	}
	a.Say("None of the addresses has been tried against the real servers yet.")
	return nil
}

// here says whether a set's task or its files are there.
func (l listedSet) here() string {
	switch {
	case l.There != nil && *l.There:
		return "task"
	case l.Files:
		return "files"
	case l.There == nil:
		return "?"
	}
	return "–"
}

// showPull says what a pull would do.
func (a app) showPull(sets []catalog.Dataset, o pullOptions) error {
	if a.JSON {
		return a.PrintJSON(sets)
	}
	c := &download.Client{Dir: o.dir}
	mirror := ""
	if u, err := url.Parse(o.mirror); err == nil {
		mirror = u.Redacted() // it may have a password
	}
	a.Print("Downloads go to %s.", o.dir)
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
				state := "SHA-256 not known"
				if f.SHA256 != "" {
					state = "SHA-256 " + f.SHA256
				}
				if f.Size > 0 {
					state += ", " + humanize.Bytes(uint64(f.Size))
				}
				if c.Has(download.File{Name: f.Name}) {
					state += ", is there"
				}
				a.Print("    %s (%s)", f.Name, state)
				if mirror != "" {
					a.Print("      %s/%s", strings.TrimSuffix(mirror, "/"), f.Name)
				}
				for _, u := range f.URLs {
					a.Print("      %s (tried: %s)", u.URL, u.Tried)
				}
			}
		}
		for _, c := range d.Caveats {
			a.Print("  beware    %s", c)
		}
		if !d.Pullable() {
			a.Print("  by hand   %s", strings.ReplaceAll(pull.Hint(&d, o.dir), "\n", "\n            "))
		}
	}
	return nil
}
