package data

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"tnaml/activities/library"
	"tnaml/experiments/data"
	"tnaml/experiments/data/archive"
	"tnaml/experiments/data/external"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

// maxAttached bounds what is attached to a task, in bytes.
const maxAttached = 1 << 30

func (a app) addCommand() *cobra.Command {
	var spec external.Spec
	var o data.Options
	var parameters, attach string
	var overwrite bool
	cmd := &cobra.Command{
		Use: "add NAME", Short: "Add an external task: a name and parameters for a trainer of your own",
		Long: "Add an external task, whose data stay where they are: a name, and parameters that its trainer understands. They are in\n" +
			"every trial's request as they stand here, and pinned by a search's digest. A file or folder can be attached as an\n" +
			"object, a folder as a tar archive of its regular files, hidden ones left out. Of spaces with a trainer of your own or\n" +
			"`trainer: external`: the trainers that the program has take no external tasks.",
		Example: "  starter task add sales-north --parameters '{\"table\": \"sales\", \"region\": \"north\", \"fold\": 3}'\n" +
			"  starter task add churn --parameters @churn.json --attach churn.parquet --description 'customers of October'",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			ctx := cmd.Context()
			o.Name = args[0]
			if err := client.CheckName("task", o.Name); err != nil {
				return err
			}
			spec.Parameters = json.RawMessage(parameters)
			if file, ok := strings.CutPrefix(parameters, "@"); ok {
				if spec.Parameters, err = terminal.ReadSpec(ctx, file); err != nil {
					return fmt.Errorf("--parameters: %w", err)
				}
			}
			if _, err := external.Build(spec, o); err != nil {
				return client.Usage(err)
			}
			var object []byte
			if attach != "" {
				if spec.Attached, object, err = a.attached(ctx, attach); err != nil {
					return fmt.Errorf("--attach: %w", err)
				}
			}
			return a.WithClient(ctx, func(c *client.Client) error {
				t, ref, err := library.PublishExternal(ctx, c.Store, spec, object, o, overwrite)
				if err != nil {
					return err
				}
				if a.JSON {
					return a.PrintJSON(preview{Ref: ref, Card: *t.Describe()})
				}
				a.Print("%s\n\nAdded. Search it with `starter search --task %s --space SPACE`.", card(o.Name, t.Card, nil, a.Columns()), o.Name)
				return nil
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&parameters, "parameters", "", "a JSON object for the trainer, at most 16 KiB, or @FILE")
	f.StringVar(&attach, "attach", "", "a file or folder to store beside the task, at most 1 GiB")
	f.StringVar(&spec.Description, "description", "", "what the task is, for the card")
	f.StringVar(&o.Source, "source", "", "where the data come from, for the card")
	f.StringVar(&o.Licence, "licence", "", "the data's licence, for the card")
	f.BoolVar(&overwrite, "overwrite", false, "give the name to this task even if it has another one")
	return a.JSONFlag(cmd)
}

// attached reads what is attached to a task.
func (a app) attached(ctx context.Context, name string) (*data.Attached, []byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, nil, err
	}
	out := &data.Attached{Name: filepath.Base(filepath.Clean(name)), Files: 1}
	if !info.IsDir() {
		b, err := terminal.ReadFile(ctx, name)
		if err == nil && len(b) > maxAttached {
			err = fmt.Errorf("%s: more than %s", name, humanize.IBytes(maxAttached))
		}
		return out, b, err
	}
	root, err := os.OpenRoot(name) // whose links lead nowhere else
	if err != nil {
		return nil, nil, err
	}
	defer root.Close() // read only
	entries, others, err := archive.FolderEntries(root.FS(), name, func(string) bool { return true })
	if err != nil {
		return nil, nil, err
	}
	if len(entries) == 0 {
		return nil, nil, fmt.Errorf("%s: there is no regular file in it", name)
	}
	if len(others) > 0 {
		a.Say("note: left out of %s, since only regular files are attached: %s", name, strings.Join(others[:min(len(others), shownRows)], ", "))
	}
	files, err := archive.Load(entries, name, maxAttached)
	if err != nil {
		return nil, nil, err
	}
	out.Folder, out.Files = true, len(files)
	b, err := external.Pack(files)
	return out, b, err
}
