package search

import (
	"cmp"
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
	"tnaml/experiments/report"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

func (a app) reportCommand() *cobra.Command {
	var output, title, pareto string
	var asCSV bool
	cmd := &cobra.Command{
		Use: "report SEARCH...|EXPERIMENT [RUN...]", Short: "Write searches side by side, or a whole experiment, as one self-contained HTML page",
		Long: "Write searches side by side as one self-contained HTML page: accuracy, learning curves, best models, the best one\n" +
			"class by class, costs and times.\n" +
			"Of an experiment, all runs or those named: the arms compared as in the paper's tables, learning curves over seeds,\n" +
			"what the controllers learned, costs. --csv and --json write the data behind it instead.",
		Example: "  starter report spam-random-s1-1 spam-naml-s1-1\n  starter report nlp-small -o nlp-small.html",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if asCSV && a.JSON {
				return client.Usage(fmt.Errorf("give --csv or --json, not both"))
			}
			switch {
			case pareto != "" && (asCSV || a.JSON):
				return client.Usage(errors.New("--pareto is for the page: leave it out with --csv and --json"))
			case title != "" && asCSV:
				return client.Usage(errors.New("--title is for the page: leave it out with --csv"))
			}
			return a.WithClient(cmd.Context(), func(c *client.Client) error {
				format, ending := formatHTML, ".html"
				switch {
				case asCSV:
					format, ending = formatCSV, ".csv"
				case a.JSON:
					format, ending = formatJSON, ".json"
				}
				write, err := a.reportWriter(cmd.Context(), c, format, title, pareto, args)
				if err != nil {
					return err
				}
				name := cmp.Or(output, terminal.FileName(args[0], ending))
				if err := a.Output(name, write); err != nil || name == "-" {
					return err
				}
				if absolute, err := filepath.Abs(name); err == nil {
					name = absolute
				}
				a.Print("%s", name)
				return nil
			})
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "file to write, - for standard output (default: the first search's name)")
	cmd.Flags().StringVar(&title, "title", "", "heading of the page")
	cmd.Flags().StringVar(&pareto, "pareto", "",
		"two `metrics`, as test_accuracy,latency_ms:min: the page shows the models that are best in both")
	cmd.Flags().BoolVar(&asCSV, "csv", false, "write every trial as CSV")
	a.JSONFlag(cmd).Flags().Lookup("json").Usage = "write what the page shows as JSON, with all trials"
	return cmd
}

// The formats of a report.
const (
	formatHTML = iota
	formatCSV
	formatJSON
)

// reportWriter gathers what a report shows, of an experiment where the first name
// is one's, and returns what writes it.
func (a app) reportWriter(ctx context.Context, c *client.Client, format int, title, pareto string,
	names []string) (func(io.Writer) error, error) {
	_, err := library.ExperimentYAML(ctx, c.Store, names[0])
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	if err == nil && pareto+title != "" {
		flag := "pareto"
		if pareto == "" {
			flag = "title"
		}
		return nil, client.Usage(fmt.Errorf("--%s is for searches: %s is an experiment", flag, names[0]))
	}
	if err == nil {
		st, err := c.ReportStudy(ctx, names[0], names[1:]...)
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
			return report.WriteExperiment(w, st, time.Now().Format(terminal.DateFormat))
		}, nil
	}
	in, err := c.ReportInput(ctx, names)
	if err != nil {
		return nil, err
	}
	if pareto != "" {
		if in.Pareto, err = report.ParsePareto(pareto, &in.Searches[0].Config.Space); err != nil {
			return nil, client.Usage(fmt.Errorf("--pareto %w", err))
		}
	}
	shown := make([]string, len(in.Searches))
	for i, s := range in.Searches {
		shown[i] = s.Name
	}
	in.Title, in.Generated = cmp.Or(title, strings.Join(shown, ", ")), time.Now().Format(terminal.DateFormat)
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
