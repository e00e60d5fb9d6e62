package controller

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"tnaml/activities/library"
	"tnaml/experiments/metrics"
	"tnaml/experiments/search"
	"tnaml/experiments/search/strategy"
	"tnaml/nn/optimizer"
	"tnaml/starter/cli/names"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

// app is the program, with the commands of this package.
type app struct{ *terminal.App }

// Command is the command controller.
func Command(t *terminal.App) *cobra.Command {
	a := app{t}
	cmd := &cobra.Command{Use: "controller", Short: "Pretrained controllers: what a transfer starts from"}
	cmd.AddCommand(a.listCommand(), a.showCommand(), a.exportCommand(), a.importCommand(), a.pretrainCommand(), a.diffCommand(),
		names.RemoveCommand(a.App, names.Controller))
	return cmd
}

func (a app) listCommand() *cobra.Command {
	return (&terminal.Listing[library.ControllerVersion]{
		Short:   "List the published controllers with their versions",
		Empty:   "There are no controllers yet: `starter run EXPERIMENT` pretrains one.",
		Columns: []string{"controller", "space", ">trials", ">seed", "~tasks", "~from"},
		Row: func(v library.ControllerVersion) []any {
			tasks := strings.Join(v.Tasks, ", ")
			if v.TaskAgnostic {
				tasks += " (no task embedding)"
			}
			from := cmp.Or(v.Search, "imported")
			if v.Recorded {
				from = strings.TrimSuffix("recorded trials, "+v.Search, ", ")
			}
			return []any{v.Full(), v.SpaceName, v.Trials, v.Seed, tasks, from}
		},
		Read: func(ctx context.Context, c *client.Client) ([]library.ControllerVersion, error) {
			records, err := library.Controllers(ctx, c.Store)
			var versions []library.ControllerVersion
			for _, r := range records {
				versions = append(versions, r.Versions...)
			}
			return versions, err
		},
	}).Command(a.App)
}

// controllerView is a controller for people and scripts.
type controllerView struct {
	library.ControllerVersion
	Hidden int `json:"hidden"`
	Layers int `json:"layers"`
	// Greedy holds the greedy architecture of each task.
	Greedy     []architecture `json:"greedy_architectures"`
	Similarity [][]float64    `json:"task_embedding_similarity,omitempty"`
	// Information says how much it tells the tasks apart.
	Information *strategy.Information `json:"mutual_information"`
}

// architecture is a controller's greedy architecture, with its words.
type architecture struct {
	strategy.Greedy
	Choices map[string]any `json:"choices"`
	Summary string         `json:"summary"`
	// Preferred counts the choices with a preference; Summary says so where there is
	// none.
	Preferred string `json:"choices_with_a_preference"`
}

func newArchitecture(p *strategy.Pretrained, g strategy.Greedy) architecture {
	choices, _ := p.Space().Values(g.Actions) // they are of this space
	return architecture{g, choices, g.Describe(p.Space()), g.Preferred(p.Space())}
}

func (a app) showCommand() *cobra.Command {
	return a.JSONFlag(&cobra.Command{
		Use: "show CONTROLLER", Short: "Show what a controller has learned: each task's greedy architecture, and how alike the tasks are",
		Long: "Show what a controller has learned. CONTROLLER is a name (the newest version), NAME@VERSION or a digest.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.WithClient(cmd.Context(), func(c *client.Client) error {
				p, v, err := library.LoadController(cmd.Context(), c.Store, args[0])
				if err != nil {
					return err
				}
				shape := p.Policy.Config()
				view := controllerView{
					ControllerVersion: v, Hidden: shape.Hidden, Layers: shape.Layers, Greedy: []architecture{}, Information: p.Information(),
				}
				for _, g := range p.GreedyAll() {
					view.Greedy = append(view.Greedy, newArchitecture(p, g))
				}
				if e := p.TaskEmbeddings(); e != nil {
					view.Similarity = metrics.CosineSimilarity(e)
				}
				if a.JSON {
					return a.PrintJSON(view)
				}
				a.showController(view)
				return nil
			})
		},
	})
}

func (a app) showController(v controllerView) {
	name := v.Full()
	if v.Name == "" {
		name = string(v.Ref)
	}
	a.Print("%s: %d trials on %s, seed %d, search space %s", name, v.Trials, english.Plural(len(v.Tasks), "task", ""), v.Seed, v.SpaceName)
	a.Print("%s, %d × %d LSTM", v.Ref, v.Layers, v.Hidden)
	if v.Search != "" {
		a.Print("learned by %s", v.Search)
	}
	if v.Recorded {
		a.Print("learned from surrogates of recorded trials")
	}
	var rows [][]any
	for i, task := range v.Tasks {
		if i < len(v.Greedy) {
			g := v.Greedy[i]
			rows = append(rows, []any{task, g.Summary, g.Probability(), g.Preferred})
		}
	}
	a.Print("\n%s", a.Table([]string{"task", "~greedy architecture", ">probability", "choices with a preference"}, rows))
	if v.Similarity == nil {
		a.Print("\nIt has no task embeddings.")
		return
	}
	a.Print("\n%s", v.Information)
	a.Print("\nCosine similarity of the task embeddings\n\n%s", a.similarityTable(v.Tasks, v.Similarity))
}

func (a app) similarityTable(tasks []string, m [][]float64) string {
	columns, rows := []string{""}, [][]any{}
	for i, task := range tasks {
		columns = append(columns, ">"+task)
		row := []any{task}
		for k := range tasks {
			row = append(row, fmt.Sprintf("%.2f", m[i][k]))
		}
		rows = append(rows, row)
	}
	return a.Table(columns, rows)
}

func (a app) exportCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "export CONTROLLER", Short: "Write a controller to a file (safetensors)", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.WithClient(cmd.Context(), func(c *client.Client) error {
				v, err := library.FindController(cmd.Context(), c.Store, args[0])
				if err != nil {
					return err
				}
				b, err := c.Store.Get(cmd.Context(), v.Ref)
				if err != nil {
					return err
				}
				name := cmp.Or(output, terminal.FileName(strings.ReplaceAll(strings.TrimPrefix(args[0], "sha256:"), "@", "-"), ".safetensors"))
				if err := a.Output(name, func(w io.Writer) error { _, err := w.Write(b); return err }); err != nil || name == "-" {
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
	cmd.Flags().StringVarP(&output, "output", "o", "", "file to write, - for standard output (default: CONTROLLER.safetensors)")
	return cmd
}

func (a app) importCommand() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use: "import FILE --name NAME", Short: "Publish an exported controller as the newest version of a name", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := client.CheckName("controller", name); err != nil {
				return client.Usage(err)
			}
			b, err := terminal.ReadFile(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if _, err := strategy.DecodeController(b); err != nil { // before any server is asked
				return fmt.Errorf("%s: %w", args[0], err)
			}
			return a.WithClient(cmd.Context(), func(c *client.Client) error {
				v, err := library.ImportController(cmd.Context(), c.Store, name, b)
				if err != nil {
					return fmt.Errorf("%s: %w", args[0], err)
				}
				if a.JSON {
					return a.PrintJSON(v)
				}
				a.Print("controller %s: %d trials on %s", v.Full(), v.Trials, strings.Join(v.Tasks, ", "))
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "name to publish it under (required)")
	return a.JSONFlag(cmd)
}

// controllerDiff is how two controllers differ.
type controllerDiff struct {
	A         string   `json:"a"`
	B         string   `json:"b"`
	Identical bool     `json:"identical"`
	Space     []string `json:"space,omitempty"`
	OnlyA     []string `json:"tasks_only_in_a,omitempty"`
	OnlyB     []string `json:"tasks_only_in_b,omitempty"`
	// Distances holds, for each array of the weights that both have in the same
	// shape, the Euclidean distance relative to A's norm.
	Distances []arrayDistance `json:"distances,omitempty"`
	// Differ names the arrays that only one has, or in another shape.
	Differ []string `json:"other_arrays,omitempty"`
	// Tasks compares the tasks of both.
	Tasks []taskDiff `json:"tasks,omitempty"`
}

type arrayDistance struct {
	Array    string  `json:"array"`
	Relative float64 `json:"relative_distance"`
}

type taskDiff struct {
	Task string `json:"task"`
	// Similarity is the cosine of the two embeddings, where both have one.
	Similarity *float64 `json:"embedding_similarity,omitempty"`
	A          string   `json:"greedy_architecture_a"`
	B          string   `json:"greedy_architecture_b"`
}

func (a app) diffCommand() *cobra.Command {
	return a.JSONFlag(&cobra.Command{
		Use: "diff CONTROLLER CONTROLLER", Short: "Compare two controllers: space, tasks, weights, greedy architectures",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.WithClient(cmd.Context(), func(c *client.Client) error {
				var both [2]*strategy.Pretrained
				for i, which := range args {
					p, _, err := library.LoadController(cmd.Context(), c.Store, which)
					if err != nil {
						return err
					}
					both[i] = p
				}
				d := diffControllers(both[0], both[1])
				d.A, d.B = args[0], args[1]
				if a.JSON {
					return a.PrintJSON(d)
				}
				a.showDiff(d)
				return nil
			})
		},
	})
}

func diffControllers(p, q *strategy.Pretrained) controllerDiff {
	d := controllerDiff{Identical: p.Ref == q.Ref, Space: p.Differences(q.Space())}
	index := func(p *strategy.Pretrained, name string) int {
		return slices.IndexFunc(p.Origin.Tasks, func(t search.Task) bool { return t.Name == name })
	}
	describe := func(p *strategy.Pretrained, task int) string {
		return p.Greedy(task).Describe(p.Space())
	}
	for i, t := range p.Origin.Tasks {
		k := index(q, t.Name)
		if k < 0 {
			d.OnlyA = append(d.OnlyA, t.Name)
			continue
		}
		one := taskDiff{Task: t.Name, A: describe(p, i), B: describe(q, k)}
		if !p.TaskAgnostic() && !q.TaskAgnostic() {
			x, y := p.Policy.TaskEmbedding(i), q.Policy.TaskEmbedding(k)
			if len(x) == len(y) {
				similarity := metrics.CosineSimilarity([][]float64{x, y})[0][1]
				one.Similarity = &similarity
			}
		}
		d.Tasks = append(d.Tasks, one)
	}
	for _, t := range q.Origin.Tasks {
		if index(p, t.Name) < 0 {
			d.OnlyB = append(d.OnlyB, t.Name)
		}
	}
	others := q.Policy.Parameters()
	seen := map[string]bool{}
	for _, x := range p.Policy.Parameters() {
		if strings.HasPrefix(x.Name, "task/") {
			continue
		}
		seen[x.Name] = true
		i := slices.IndexFunc(others, func(y optimizer.Parameter) bool { return y.Name == x.Name && slices.Equal(y.Shape, x.Shape) })
		if i < 0 {
			d.Differ = append(d.Differ, x.Name)
			continue
		}
		var apart, norm float64
		for k, v := range x.Value {
			apart += (v - others[i].Value[k]) * (v - others[i].Value[k])
			norm += v * v
		}
		if norm > 0 {
			d.Distances = append(d.Distances, arrayDistance{x.Name, math.Sqrt(apart / norm)})
		} else {
			d.Distances = append(d.Distances, arrayDistance{x.Name, math.Sqrt(apart)})
		}
	}
	for _, y := range others {
		if !strings.HasPrefix(y.Name, "task/") && !seen[y.Name] {
			d.Differ = append(d.Differ, y.Name)
		}
	}
	return d
}

func (a app) showDiff(d controllerDiff) {
	if d.Identical {
		a.Print("%s and %s are the same object.", d.A, d.B)
		return
	}
	if len(d.Space) > 0 {
		a.Print("search space:\n  %s", strings.Join(d.Space, "\n  "))
	} else {
		a.Print("search space: the same")
	}
	for _, l := range []struct {
		which string
		tasks []string
	}{{d.A, d.OnlyA}, {d.B, d.OnlyB}} {
		if len(l.tasks) > 0 {
			a.Print("tasks only in %s: %s", l.which, strings.Join(l.tasks, ", "))
		}
	}
	if len(d.Tasks) > 0 {
		var rows [][]any
		for _, x := range d.Tasks {
			similarity := ""
			if x.Similarity != nil {
				similarity = fmt.Sprintf("%.2f", *x.Similarity)
			}
			if x.A == x.B {
				rows = append(rows, []any{x.Task, similarity, "both: " + x.A})
				continue
			}
			rows = append(rows, []any{x.Task, similarity, d.A + ": " + x.A}, []any{"", "", d.B + ": " + x.B})
		}
		a.Print("\n%s", a.Table([]string{"task", ">similarity", "~greedy architecture"}, rows))
	}
	if len(d.Distances) > 0 {
		var rows [][]any
		for _, x := range d.Distances {
			rows = append(rows, []any{x.Array, fmt.Sprintf("%.3f", x.Relative)})
		}
		a.Print("\n%s", a.Table([]string{"weights", ">relative distance"}, rows))
	}
	if len(d.Differ) > 0 {
		a.Print("\nof another shape: %s", strings.Join(d.Differ, ", "))
	}
}
