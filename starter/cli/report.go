package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/deploy"
	"tnaml/experiments/data"
	"tnaml/experiments/report"
)

func (a *app) reportCommand() *cobra.Command {
	var output, title string
	var asCSV bool
	cmd := &cobra.Command{
		Use: "report SEARCH...|EXPERIMENT [RUN...]", Short: "Write searches side by side, or a whole experiment, as one self-contained HTML page",
		Long: "Write searches side by side as one self-contained HTML page: accuracy, learning curves, best models, costs.\n" +
			"Of an experiment, all runs or those named: the arms compared as in the paper's tables, learning curves over seeds,\n" +
			"what the controllers learned, ablations, costs. --csv and --json write the data behind it instead.",
		Example: "  starter report spam-random-s1-1 spam-naml-s1-1\n  starter report nlp-small -o nlp-small.html",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if asCSV && a.json {
				return usageError{fmt.Errorf("give --csv or --json, not both")}
			}
			return a.withServers(cmd.Context(), func(s *deploy.Servers) error {
				format, ending := formatHTML, ".html"
				switch {
				case asCSV:
					format, ending = formatCSV, ".csv"
				case a.json:
					format, ending = formatJSON, ".json"
				}
				write, err := a.reportWriter(cmd.Context(), s, format, title, args)
				if err != nil {
					return err
				}
				if output == "-" {
					return write(a.Stdout)
				}
				name := output
				if name == "" {
					name = strings.ReplaceAll(args[0], "/", "_") + ending
				}
				if err := writeFile(name, write); err != nil {
					return err
				}
				absolute, err := filepath.Abs(name)
				if err != nil {
					absolute = name
				}
				a.print("%s", absolute)
				return nil
			})
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "file to write, - for standard output (default: the first search's name)")
	cmd.Flags().StringVar(&title, "title", "", "heading of the page")
	cmd.Flags().BoolVar(&asCSV, "csv", false, "write every trial as CSV")
	return a.jsonFlag(cmd)
}

// The formats of a report.
const (
	formatHTML = iota
	formatCSV
	formatJSON
)

// reportWriter gathers what a report shows, of an experiment where the first name
// is one's, and returns what writes it.
func (a *app) reportWriter(ctx context.Context, s *deploy.Servers, format int, title string, names []string) (func(io.Writer) error, error) {
	_, err := library.ExperimentYAML(ctx, s.Store, names[0])
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	if err == nil {
		st, err := library.ReadStudy(ctx, s.Store, names[0], names[1:]...)
		if err != nil {
			return nil, err
		}
		return func(w io.Writer) error {
			switch format {
			case formatCSV:
				return report.WriteExperimentCSV(w, st)
			case formatJSON:
				return report.WriteExperimentJSON(w, st)
			}
			return report.WriteExperiment(w, st, time.Now().Format(reportDate))
		}, nil
	}
	in, err := a.reportInput(ctx, s, title, names)
	if err != nil {
		return nil, err
	}
	return func(w io.Writer) error {
		switch format {
		case formatCSV:
			return report.WriteCSV(w, in)
		case formatJSON:
			return report.WriteJSON(w, in)
		}
		return report.Write(w, in)
	}, nil
}

// reportDate is how a report writes its date.
const reportDate = "2 January 2006, 15:04"

// reportInput gathers what a report shows.
func (a *app) reportInput(ctx context.Context, s *deploy.Servers, title string, names []string) (report.Input, error) {
	in := report.Input{Title: title, Generated: time.Now().Format(reportDate)}
	if title == "" {
		in.Title = strings.Join(names, ", ")
	}
	cards := map[string]data.Card{}
	for _, name := range names {
		f, err := a.find(ctx, s, name)
		if err != nil {
			return in, err
		}
		status := f.record.Status
		if status == "running" {
			status = a.liveStatus(ctx, s, name)
		}
		in.Searches = append(in.Searches, report.Search{Name: name, Status: status, Config: *f.config, Trials: f.trials, Costs: f.costs})
		for _, t := range f.config.Tasks {
			if _, ok := cards[t.Name]; ok {
				continue
			}
			card, err := library.CardOf(ctx, s.Store, t)
			if err != nil {
				return in, err
			}
			cards[t.Name] = *card
			in.Cards = append(in.Cards, report.Card{Task: t.Name, Card: *card})
		}
	}
	return in, nil
}
