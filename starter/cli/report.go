package cli

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tnaml/activities/store"
	"tnaml/deploy"
	"tnaml/experiments/report"
	"tnaml/experiments/task"
)

func (a *app) reportCommand() *cobra.Command {
	var output, title string
	var asCSV bool
	cmd := &cobra.Command{
		Use: "report SEARCH...", Short: "Write searches side by side as one self-contained HTML page",
		Long: "Write searches side by side as one self-contained HTML page: accuracy, learning curves, best models, costs.\n" +
			"--csv and --json write the data behind it instead.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if asCSV && a.json {
				return usageError{fmt.Errorf("give --csv or --json, not both")}
			}
			return a.withServers(cmd.Context(), func(s *deploy.Servers) error {
				in, err := a.reportInput(cmd.Context(), s, title, args)
				if err != nil {
					return err
				}
				write, ending := report.Write, ".html"
				switch {
				case asCSV:
					write, ending = report.WriteCSV, ".csv"
				case a.json:
					write, ending = report.WriteJSON, ".json"
				}
				if output == "-" {
					return write(a.Stdout, in)
				}
				name := output
				if name == "" {
					name = strings.ReplaceAll(args[0], "/", "_") + ending
				}
				if err := writeFile(name, func(w io.Writer) error { return write(w, in) }); err != nil {
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

// reportInput gathers what a report shows.
func (a *app) reportInput(ctx context.Context, s *deploy.Servers, title string, names []string) (report.Input, error) {
	in := report.Input{Title: title, Generated: time.Now().Format("2 January 2006, 15:04")}
	if title == "" {
		in.Title = strings.Join(names, ", ")
	}
	cards := map[string]task.Card{}
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
			b, err := s.Store.Get(ctx, store.Ref(t.Data))
			if err != nil {
				return in, fmt.Errorf("task %q: %w", t.Name, err)
			}
			decoded, err := task.Decode(b)
			if err != nil {
				return in, err
			}
			cards[t.Name] = decoded.Card
			in.Cards = append(in.Cards, report.Card{Task: t.Name, Card: decoded.Card})
		}
	}
	return in, nil
}
