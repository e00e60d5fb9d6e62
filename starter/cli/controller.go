package cli

import (
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"tnaml/activities/library"
	"tnaml/deploy"
	"tnaml/experiments/metrics"
	"tnaml/experiments/search"
	"tnaml/experiments/space"
	"tnaml/nn/optimizer"
)

func (a *app) controllerCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "controller", Short: "Pretrained controllers: what a transfer starts from"}
	cmd.AddCommand(a.controllerListCommand(), a.controllerShowCommand(), a.controllerExportCommand(), a.controllerImportCommand(), a.controllerDiffCommand(),
		a.removeCommand(removeController))
	return group(cmd)
}

func (a *app) controllerListCommand() *cobra.Command {
	return a.jsonFlag(&cobra.Command{
		Use: "list", Short: "List the published controllers with their versions", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withServers(cmd.Context(), func(s *deploy.Servers) error {
				records, err := library.Controllers(cmd.Context(), s.Store)
				if err := a.allRead(err); err != nil {
					return err
				}
				if a.json {
					return a.printJSON(records)
				}
				if len(records) == 0 {
					a.say("There are no controllers yet: `starter run EXPERIMENT` pretrains one.")
					return nil
				}
				t := newTable(table.Row{"controller", "space", "tasks", "trials", "seed", "from"}, "trials", "seed")
				for _, r := range records {
					for _, v := range r.Versions {
						tasks := strings.Join(v.Tasks, ", ")
						if v.TaskAgnostic {
							tasks += " (no task embedding)"
						}
						from := v.Search
						if from == "" {
							from = "imported"
						}
						t.AppendRow(table.Row{v.Full(), v.SpaceName, tasks, v.Trials, v.Seed, from})
					}
				}
				a.print("%s", t.Render())
				return nil
			})
		},
	})
}

// controllerView is a controller for people and scripts.
type controllerView struct {
	library.ControllerVersion
	Hidden int `json:"hidden"`
	Layers int `json:"layers"`
	// Architectures holds the modal architecture of each task.
	Architectures []string    `json:"modal_architectures"`
	Similarity    [][]float64 `json:"task_embedding_similarity,omitempty"`
}

func (a *app) controllerShowCommand() *cobra.Command {
	return a.jsonFlag(&cobra.Command{
		Use: "show CONTROLLER", Short: "Show what a controller has learned: each task's modal architecture, and how alike the tasks are",
		Long: "Show what a controller has learned. CONTROLLER is a name (the newest version), NAME@VERSION or a digest.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withServers(cmd.Context(), func(s *deploy.Servers) error {
				p, v, err := library.LoadController(cmd.Context(), s.Store, args[0])
				if err != nil {
					return err
				}
				shape := p.Policy.Config()
				view := controllerView{ControllerVersion: v, Hidden: shape.Hidden, Layers: shape.Layers, Architectures: []string{}}
				sp := &space.Space{Name: p.Origin.SpaceName, Choices: p.Origin.Choices}
				for i := range p.Policy.Tasks() {
					actions := p.Architecture(i)
					text := fmt.Sprint(actions)
					if p.Origin.Choices != nil {
						text = sp.Describe(actions)
					}
					view.Architectures = append(view.Architectures, text)
				}
				if e := p.TaskEmbeddings(); e != nil {
					view.Similarity = metrics.CosineSimilarity(e)
				}
				if a.json {
					return a.printJSON(view)
				}
				a.showController(view)
				return nil
			})
		},
	})
}

func (a *app) showController(v controllerView) {
	name := v.Full()
	if v.Name == "" {
		name = string(v.Ref)
	}
	a.print("%s: %d trials on %d tasks, seed %d, search space %s", name, v.Trials, len(v.Tasks), v.Seed, v.SpaceName)
	a.print("%s, %d × %d LSTM", v.Ref, v.Layers, v.Hidden)
	if v.Search != "" {
		a.print("learned by %s", v.Search)
	}
	t := newTable(table.Row{"task", "modal architecture"})
	for i, task := range v.Tasks {
		if i < len(v.Architectures) {
			t.AppendRow(table.Row{task, v.Architectures[i]})
		}
	}
	a.print("\n%s", t.Render())
	if v.Similarity == nil {
		a.print("\nIt has no task embeddings.")
		return
	}
	a.print("\nCosine similarity of the task embeddings\n\n%s", similarityTable(v.Tasks, v.Similarity))
}

func similarityTable(tasks []string, m [][]float64) string {
	header := table.Row{""}
	for _, t := range tasks {
		header = append(header, t)
	}
	t := newTable(header, tasks...)
	for i, task := range tasks {
		row := table.Row{task}
		for k := range tasks {
			row = append(row, fmt.Sprintf("%.2f", m[i][k]))
		}
		t.AppendRow(row)
	}
	return t.Render()
}

func (a *app) controllerExportCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "export CONTROLLER", Short: "Write a controller to a file (safetensors)", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withServers(cmd.Context(), func(s *deploy.Servers) error {
				v, err := library.FindController(cmd.Context(), s.Store, args[0])
				if err != nil {
					return err
				}
				b, err := s.Store.Get(cmd.Context(), v.Ref)
				if err != nil {
					return err
				}
				name := output
				if name == "" {
					name = strings.ReplaceAll(strings.TrimPrefix(args[0], "sha256:"), "@", "-") + ".safetensors"
				}
				if name == "-" {
					_, err := a.Stdout.Write(b)
					return err
				}
				if err := writeFile(name, func(w io.Writer) error { _, err := w.Write(b); return err }); err != nil {
					return err
				}
				if absolute, err := filepath.Abs(name); err == nil {
					name = absolute
				}
				a.print("%s", name)
				return nil
			})
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "file to write, - for standard output (default: CONTROLLER.safetensors)")
	return cmd
}

func (a *app) controllerImportCommand() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use: "import FILE --name NAME", Short: "Publish an exported controller as the newest version of a name", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkName("controller", name); err != nil {
				return usageError{err}
			}
			b, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			if _, err := search.DecodeController(b); err != nil { // before any server is asked
				return fmt.Errorf("%s: %w", args[0], err)
			}
			return a.withServers(cmd.Context(), func(s *deploy.Servers) error {
				v, err := library.ImportController(cmd.Context(), s.Store, name, b)
				if err != nil {
					return fmt.Errorf("%s: %w", args[0], err)
				}
				if a.json {
					return a.printJSON(v)
				}
				a.print("controller %s: %d trials on %s", v.Full(), v.Trials, strings.Join(v.Tasks, ", "))
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "name to publish it under (required)")
	return a.jsonFlag(cmd)
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
	A          string   `json:"modal_architecture_a"`
	B          string   `json:"modal_architecture_b"`
}

func (a *app) controllerDiffCommand() *cobra.Command {
	return a.jsonFlag(&cobra.Command{
		Use: "diff A B", Short: "Compare two controllers: space, tasks, weights, modal architectures", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withServers(cmd.Context(), func(s *deploy.Servers) error {
				var both [2]*search.Pretrained
				for i, which := range args {
					p, _, err := library.LoadController(cmd.Context(), s.Store, which)
					if err != nil {
						return err
					}
					both[i] = p
				}
				d := diffControllers(both[0], both[1])
				d.A, d.B = args[0], args[1]
				if a.json {
					return a.printJSON(d)
				}
				a.showDiff(d)
				return nil
			})
		},
	})
}

func diffControllers(p, q *search.Pretrained) controllerDiff {
	d := controllerDiff{Identical: p.Ref == q.Ref}
	spaces := [2]*space.Space{{Name: p.Origin.SpaceName, Choices: p.Origin.Choices}, {Name: q.Origin.SpaceName, Choices: q.Origin.Choices}}
	if err := p.Fits(spaces[1]); p.Origin.Space != q.Origin.Space && err != nil {
		d.Space = strings.Split(err.Error(), "\n")
	}
	index := func(p *search.Pretrained, name string) int {
		return slices.IndexFunc(p.Origin.Tasks, func(t search.Task) bool { return t.Name == name })
	}
	describe := func(p *search.Pretrained, sp *space.Space, task int) string {
		if p.Origin.Choices == nil {
			return fmt.Sprint(p.Architecture(task))
		}
		return sp.Describe(p.Architecture(task))
	}
	for i, t := range p.Origin.Tasks {
		k := index(q, t.Name)
		if k < 0 {
			d.OnlyA = append(d.OnlyA, t.Name)
			continue
		}
		one := taskDiff{Task: t.Name, A: describe(p, spaces[0], i), B: describe(q, spaces[1], k)}
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

func (a *app) showDiff(d controllerDiff) {
	if d.Identical {
		a.print("%s and %s are the same object.", d.A, d.B)
		return
	}
	if len(d.Space) > 0 {
		a.print("search space:\n  %s", strings.Join(d.Space, "\n  "))
	} else {
		a.print("search space: the same")
	}
	for _, l := range []struct {
		which string
		tasks []string
	}{{d.A, d.OnlyA}, {d.B, d.OnlyB}} {
		if len(l.tasks) > 0 {
			a.print("tasks only in %s: %s", l.which, strings.Join(l.tasks, ", "))
		}
	}
	if len(d.Tasks) > 0 {
		t := newTable(table.Row{"task", "similarity", "modal architecture"}, "similarity")
		for _, x := range d.Tasks {
			similarity := ""
			if x.Similarity != nil {
				similarity = fmt.Sprintf("%.2f", *x.Similarity)
			}
			if x.A == x.B {
				t.AppendRow(table.Row{x.Task, similarity, "both: " + x.A})
				continue
			}
			t.AppendRow(table.Row{x.Task, similarity, d.A + ": " + x.A})
			t.AppendRow(table.Row{"", "", d.B + ": " + x.B})
		}
		a.print("\n%s", t.Render())
	}
	if len(d.Distances) > 0 {
		t := newTable(table.Row{"weights", "relative distance"}, "relative distance")
		for _, x := range d.Distances {
			t.AppendRow(table.Row{x.Array, fmt.Sprintf("%.3f", x.Relative)})
		}
		a.print("\n%s", t.Render())
	}
	if len(d.Differ) > 0 {
		a.print("\nof another shape: %s", strings.Join(d.Differ, ", "))
	}
}
