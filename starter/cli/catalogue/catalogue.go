// Package catalogue is the commands that list what the program itself has: strategies
// and trainers. They need no servers; with them it is known who serves a trainer.
package catalogue

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"tnaml/experiments/data"
	"tnaml/experiments/data/kinds"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/trainer"
	"tnaml/experiments/trainer/schema"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

// app is the program, with the commands of this package.
type app struct{ *terminal.App }

// Commands are the commands strategy and trainer.
func Commands(t *terminal.App) []*cobra.Command {
	a := app{t}
	strategies := &cobra.Command{Use: "strategy", Short: "Search strategies: what they do, and their settings"}
	strategies.AddCommand(a.listStrategies(), a.showStrategy())
	trainers := &cobra.Command{Use: "trainer", Short: "Trainers: what trains the models of a search space"}
	trainers.AddCommand(a.listTrainers(), a.showSchema())
	return []*cobra.Command{strategies, trainers}
}

// strategyEntry is a strategy for people and scripts.
type strategyEntry struct {
	Name    string        `json:"name"`
	Doc     string        `json:"doc"`
	Presets []presetEntry `json:"presets"`
	// Settings has every setting with its default.
	Settings       json.RawMessage `json:"settings"`
	FromController bool            `json:"from_controller"`
}

type presetEntry struct {
	Name     string          `json:"name"`
	Doc      string          `json:"doc"`
	Settings json.RawMessage `json:"settings,omitempty"`
}

func entry(d strategy.Definition) strategyEntry {
	e := strategyEntry{Name: d.Name, Doc: d.Doc, Presets: []presetEntry{}, Settings: d.Defaults, FromController: d.FromController}
	for _, p := range d.Presets {
		e.Presets = append(e.Presets, presetEntry(p))
	}
	return e
}

func (a app) listStrategies() *cobra.Command {
	return (&terminal.Listing[strategyEntry]{
		Short: "List the search strategies", Columns: []string{"strategy", "presets", "~what it does"}, Local: true,
		Row: func(e strategyEntry) []any {
			var presets []string
			for _, p := range e.Presets {
				presets = append(presets, p.Name)
			}
			return []any{e.Name, strings.Join(presets, ", "), e.Doc}
		},
		Read: func(context.Context, *client.Client) ([]strategyEntry, error) {
			var out []strategyEntry
			for _, d := range strategy.Builtin() {
				out = append(out, entry(d))
			}
			return out, nil
		},
	}).Command(a.App)
}

func (a app) showStrategy() *cobra.Command {
	return a.JSONFlag(&cobra.Command{
		Use: "show STRATEGY", Short: "Show a strategy: its presets, and its settings with their defaults", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			d, err := strategy.Builtin().Find(args[0])
			if err != nil {
				return client.Usage(err)
			}
			if a.JSON {
				return a.PrintJSON(entry(*d))
			}
			a.Print("%s: %s", d.Name, d.Doc)
			for _, p := range d.Presets {
				a.Print("\npreset %s: %s", p.Name, p.Doc)
				if len(p.Settings) > 0 {
					a.Print("%s", indented(p.Settings))
				}
			}
			if len(d.Defaults) > 0 {
				a.Print("\nsettings, with their defaults:\n%s", indented(d.Defaults))
			}
			return nil
		},
	})
}

// indented is JSON for people.
func indented(raw json.RawMessage) string {
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return string(raw)
	}
	return b.String()
}

// trainerEntry is a trainer for people and scripts.
type trainerEntry struct {
	Name string `json:"name"`
	// By says who brings it: the platform, a program in this configuration, or others.
	By    string      `json:"by"`
	Tasks []data.Kind `json:"tasks,omitempty"` // none: any
	// Metrics are those of each split, the default objective first; none are those
	// that it is given.
	Metrics []trainer.Metric `json:"metrics,omitempty"`
	// Workers have asked for its trials lately; nil where no server says.
	Workers []string `json:"workers"`
}

func (a app) listTrainers() *cobra.Command {
	return (&terminal.Listing[trainerEntry]{
		Short:   "List the trainers: the platform's own, the programs of this configuration, those that spaces ask for; and who serves them",
		Columns: []string{"trainer", "by", "tasks", "~metrics", "~workers"}, Local: true,
		Row: func(e trainerEntry) []any {
			var tasks, metrics []string
			for _, k := range e.Tasks {
				tasks = append(tasks, string(k))
			}
			for _, m := range e.Metrics {
				metrics = append(metrics, m.Name)
			}
			workers := cmp.Or(strings.Join(e.Workers, ", "), "none asks for work")
			if e.Workers == nil {
				workers = "not known: no servers"
			}
			return []any{e.Name, e.By, cmp.Or(strings.Join(tasks, ", "), "any"), cmp.Or(strings.Join(metrics, ", "), "its own"), workers}
		},
		Read: func(ctx context.Context, _ *client.Client) (out []trainerEntry, err error) {
			by := map[string]string{}
			for _, d := range trainer.Definitions() {
				by[d.Name()] = "the platform"
			}
			for _, c := range a.Config.Trainers {
				by[c.Name] = "a program: " + strings.Join(c.Command, " ")
			}
			names := slices.Sorted(maps.Keys(by))
			var serving func(string) ([]string, error)
			if s, err := a.Connect(ctx); err == nil { // without servers the rest is known nevertheless
				defer s.Close()
				c := a.Client(s)
				if names, err = c.Trainers(ctx, names); err != nil {
					return nil, err
				}
				serving = func(name string) ([]string, error) {
					all, err := c.Serving(ctx, name)
					names := []string{}
					for _, p := range all {
						names = append(names, p.Name)
					}
					return names, err
				}
			}
			for _, name := range names {
				d := trainer.Find(name)
				e := trainerEntry{Name: name, By: cmp.Or(by[name], "others"), Metrics: d.Metrics()}
				for _, k := range kinds.Table() {
					if by[name] == "the platform" && d.Takes(string(k.Kind)) {
						e.Tasks = append(e.Tasks, k.Kind)
					}
				}
				if serving != nil {
					if e.Workers, err = serving(name); err != nil {
						return nil, err
					}
				}
				out = append(out, e)
			}
			return out, nil
		},
	}).Command(a.App)
}

func (a app) showSchema() *cobra.Command {
	return &cobra.Command{
		Use: "schema " + strings.Join(schema.Names(), "|"), Short: "Print the JSON schema of what a trainer is asked, says and answers",
		Args: cobra.ExactArgs(1), ValidArgs: schema.Names(), Example: "  starter trainer schema request >request.schema.json",
		RunE: func(_ *cobra.Command, args []string) error {
			b, err := schema.Of(args[0])
			if err != nil {
				return client.Usage(err)
			}
			_, err = a.Stdout.Write(b)
			return err
		},
	}
}
