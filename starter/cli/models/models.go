// Package models is the models that commands use: a search's, or exported ones.
package models

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"tnaml/experiments/exported"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

// PickFlags gives a command the flags that choose a model of a search.
func PickFlags(cmd *cobra.Command, p *client.Pick) {
	cmd.Flags().StringVar(&p.Task, "task", "", "the task, of a search over several")
	cmd.Flags().IntVar(&p.Trial, "trial", -1, "the trial (default: the task's best on the validation split)")
	terminal.NotNegative(cmd, "trial")
	cmd.Flags().StringVar(&p.Guard, "guard", "", "what chooses the model: "+strings.Join(client.Guards(), ", ")+" (see starter best)")
	cmd.MarkFlagsMutuallyExclusive("trial", "guard")
	cmd.Flags().BoolVar(&p.Retrain, "retrain", false, "train the model again where it is not kept, on this machine")
	cmd.Flags().BoolVar(&p.Refit, "refit", false,
		"train the model anew, on this machine, on the validation examples too: they have done their work when it is chosen")
	cmd.MarkFlagsMutuallyExclusive("retrain", "refit")
}

// SayRefitted says how a model does that was taught the validation examples too.
func SayRefitted(r client.Row) string {
	return fmt.Sprintf("trial %d of task %s, trained anew on the validation examples too: test %s, where it had %s",
		r.Trial.Trial, r.TaskName, r.Refitted.OnTest, r.OnTest)
}

// Picked names the flags of PickFlags that a pick was given.
func Picked(p client.Pick) []string {
	var out []string
	for _, f := range []struct {
		name string
		is   bool
	}{
		{"--task", p.Task != ""}, {"--trial", p.Trial >= 0}, {"--guard", p.Guard != ""}, {"--retrain", p.Retrain}, {"--refit", p.Refit},
	} {
		if f.is {
			out = append(out, f.name)
		}
	}
	return out
}

// Open reads the model of an exported directory, of which nothing is to be picked.
func Open(dir string, p client.Pick) (*exported.Model, error) {
	if given := Picked(p); len(given) > 0 {
		return nil, client.Usage(fmt.Errorf("%s is for a search's models: %s has one, as it was exported", strings.Join(given, ", "), dir))
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, client.Usage(fmt.Errorf("%s is a file: name the directory that `starter model export` wrote", dir))
	}
	m, err := exported.Open(os.DirFS(dir))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return m, nil
}

// Of is a model of a search.
func Of(ctx context.Context, a *terminal.App, search string, p client.Pick) (m *exported.Model, err error) {
	err = a.WithClient(ctx, func(c *client.Client) error {
		b, r, err := c.ExportModel(ctx, search, p)
		if err != nil {
			return err
		}
		if r.Refitted != nil {
			a.Say("%s", SayRefitted(r))
		}
		m, err = exported.Decode(b)
		return err
	})
	return m, err
}
