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
}

// Open reads the model of an exported directory.
func Open(dir string) (*exported.Model, error) {
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
		b, _, err := c.ExportModel(ctx, search, p)
		if err == nil {
			m, err = exported.Decode(b)
		}
		return err
	})
	return m, err
}
