package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"tnaml/experiments/benchmark"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

// PackCommand is the command bench pack.
func PackCommand(t *terminal.App) *cobra.Command {
	var p packing
	cmd := &cobra.Command{
		Use: "pack EXPERIMENT", Short: "Write what an experiment has recorded as a benchmark: a file a task", Args: cobra.ExactArgs(1),
		Long: "Write what the searches of an experiment have measured so far as a recorded benchmark, one compressed file a task:\n" +
			"configurations, metrics, and which examples each model has right, where the searches have asked for it (examples).\n" +
			"They need not have ended.\n" +
			"Pack with the version of the program that has trained, on a machine like that one: the files name both.",
		Example: "  starter run bench-record --detach\n  starter bench pack bench-record --out records",
		RunE: func(cmd *cobra.Command, args []string) error {
			return t.WithClient(cmd.Context(), func(c *client.Client) error { return p.run(cmd.Context(), t, c, args[0]) })
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&p.tasks, "task", nil, "task to pack; may be repeated (default: all)")
	f.StringVar(&p.dir, "out", ".", "`DIR` to write to, made where it is not there")
	f.BoolVar(&p.overwrite, "overwrite", false, "replace files that hold more trials, or are no records")
	return t.JSONFlag(cmd)
}

// packing is what the flags say.
type packing struct {
	tasks     []string
	dir       string
	overwrite bool
}

// run writes the files. Where something is wrong with one of them, none is written.
func (p *packing) run(ctx context.Context, t *terminal.App, c *client.Client, experiment string) error {
	records, err := c.Records(ctx, experiment, p.tasks)
	if err != nil {
		return err
	}
	files := make([]packed, len(records))
	wrong := make([]error, len(records))
	for i, r := range records {
		if files[i], err = p.pack(r); err != nil {
			wrong[i] = fmt.Errorf("task %q: %w", r.Task(), err)
		}
	}
	if err := errors.Join(wrong...); err != nil {
		return err
	}
	if err := os.MkdirAll(p.dir, 0o777); err != nil {
		return err
	}
	for _, f := range files {
		if err := t.Output(f.File, func(w io.Writer) error { _, err := w.Write(f.object); return err }); err != nil {
			return err
		}
	}
	if t.JSON {
		return t.PrintJSON(files)
	}
	for _, f := range files {
		t.Print("%s  %d trials, %d bytes", f.File, f.Trials, f.Bytes)
	}
	return nil
}

// packed is a record as a file.
type packed struct {
	Task   string `json:"task"`
	File   string `json:"file"`
	Trials int    `json:"trials"`
	Bytes  int    `json:"bytes"`

	object []byte
}

// pack encodes a record. A file that would lose rows is left alone, unless it is to be
// overwritten.
func (p *packing) pack(r *benchmark.Record) (packed, error) {
	name := filepath.Join(p.dir, terminal.FileName(r.Task(), benchmark.Suffix))
	object, err := benchmark.Encode(r)
	if err != nil {
		return packed{}, err
	}
	if !p.overwrite {
		if err := keeps(name, r); err != nil {
			return packed{}, fmt.Errorf("%w; --overwrite replaces it", err)
		}
	}
	return packed{r.Task(), name, len(r.Rows), len(object), object}, nil
}

// keeps refuses to replace what holds more rows, or is not known.
func keeps(name string, r *benchmark.Record) error {
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	old, err := benchmark.Decode(b)
	if err != nil {
		return fmt.Errorf("%s is there, and no record: %w", name, err)
	}
	if len(old.Rows) > len(r.Rows) {
		return fmt.Errorf("%s holds %d trials, the experiment has %d", name, len(old.Rows), len(r.Rows))
	}
	return nil
}
