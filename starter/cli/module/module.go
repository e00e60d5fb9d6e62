package module

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"tnaml/activities/library"
	"tnaml/experiments/data"
	"tnaml/experiments/data/text"
	"tnaml/nn/embedding"
	"tnaml/starter/cli/names"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

// app is the program, with the commands of this package.
type app struct{ *terminal.App }

// Command is the command module.
func Command(t *terminal.App) *cobra.Command {
	a := app{t}
	cmd := &cobra.Command{Use: "module", Short: "Embedding modules: the first choice of the search space"}
	cmd.AddCommand(a.pullCommand(), a.addCommand(), a.trainCommand(), a.trainImagesCommand(), a.deriveCommand(), a.buildCommand(),
		a.listCommand(), a.showCommand(), a.neighboursCommand(), a.checkCommand(), names.RemoveCommand(a.App, names.Module))
	return cmd
}

func (a app) listCommand() *cobra.Command {
	return (&terminal.Listing[library.ModuleRecord]{
		Short: "List the embedding modules",
		Empty: "There are no modules yet: get published vectors with `starter module pull`, add your own with `starter module add`, " +
			"or run `starter demo`.",
		Columns: []string{"module", "of", "language", ">tokens", ">dim", "~other words", "~source"},
		Row: func(m library.ModuleRecord) []any {
			tokens := ""
			if m.Kind == data.Text && len(m.Documents) == 0 {
				tokens = humanize.Comma(int64(m.Tokens))
			}
			return []any{m.Name, m.Kind, m.Language, tokens, m.Dim, m.Subword, m.Source}
		},
		Read: func(ctx context.Context, c *client.Client) ([]library.ModuleRecord, error) {
			return library.Modules(ctx, c.Store)
		},
	}).Command(a.App)
}

// moduleLine says in a line what a module is.
func moduleLine(m library.ModuleRecord) string {
	if m.Kind == data.Image {
		return fmt.Sprintf("%s: %s features of an image", m.Name, humanize.Comma(int64(m.Dim)))
	}
	if n := len(m.Documents); n > 0 {
		return fmt.Sprintf("%s: vectors of %d numbers of the documents of %d tasks", m.Name, m.Dim, n)
	}
	line := fmt.Sprintf("%s: %s tokens of length %d", m.Name, humanize.Comma(int64(m.Tokens)), m.Dim)
	if m.Subword != "" {
		line += ", other words by " + string(m.Subword)
	}
	if m.Language != "" {
		line += ", language " + m.Language
	}
	return line
}

// shownModule is what `module show --json` prints.
type shownModule struct {
	library.ModuleRecord
	RMS        float64            `json:"rms"`
	Parts      *embedding.Subword `json:"parts,omitempty"`
	Coverage   []taskCoverage     `json:"coverage,omitempty"`
	Neighbours []wordNeighbours   `json:"neighbours,omitempty"`
}

type taskCoverage struct {
	Task string `json:"task"`
	embedding.Coverage
	Share float64 `json:"share"`
}

func (a app) showCommand() *cobra.Command {
	var words, tasks []string
	cmd := &cobra.Command{
		Use: "show MODULE", Short: "Show a module, how it covers tasks' vocabularies, and the neighbours of words", Args: cobra.ExactArgs(1),
		Example: "  starter module show glove-50 --task sms_spam,subj_movie\n  starter module show glove-50 --task all",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.WithClient(cmd.Context(), func(c *client.Client) error {
				record, err := library.Module(cmd.Context(), c.Store, args[0])
				if err != nil {
					return err
				}
				if (record.Kind == data.Image || len(record.Documents) > 0) && len(words)+len(tasks) == 0 {
					if a.JSON {
						return a.PrintJSON(record)
					}
					a.Print("%s\n%s\n%s", moduleLine(record), record.Source, record.Ref)
					return nil
				}
				m, ref, err := library.LoadModule(cmd.Context(), c.Store, args[0])
				if err != nil {
					return err
				}
				shown := shownModule{ModuleRecord: library.NewModuleRecord(ref, m), RMS: m.RMS(), Parts: m.Subword}
				if slices.Equal(tasks, []string{"all"}) {
					records, err := library.Datasets(cmd.Context(), c.Store)
					if err != nil {
						return err
					}
					tasks = nil
					for _, r := range records {
						if r.Card.Kind() == data.Text {
							tasks = append(tasks, r.Name)
						}
					}
				}
				p := a.NewProgress()
				defer p.Clear()
				for _, name := range tasks {
					p.Update("coverage of " + name)
					t, _, err := library.LoadTask[*text.Task](cmd.Context(), c.Store, name)
					if err != nil {
						return err
					}
					c := m.Coverage(t.Vocabulary)
					shown.Coverage = append(shown.Coverage, taskCoverage{name, c, c.Share()})
				}
				p.Clear()
				for _, w := range words {
					shown.Neighbours = append(shown.Neighbours, neighboursOf(m, w, 8))
				}
				if a.JSON {
					return a.PrintJSON(shown)
				}
				a.printModule(shown)
				return nil
			})
		},
	}
	cmd.Flags().StringSliceVar(&tasks, "task", nil, "tasks whose vocabularies to look up, or all")
	cmd.Flags().StringSliceVar(&words, "neighbours", nil, "`words` whose nearest ones to show (see also module neighbours)")
	return a.JSONFlag(cmd)
}

func (a app) printModule(m shownModule) {
	a.Print("%s\n%s\n%s, root mean square of the elements %.3g", moduleLine(m.ModuleRecord), m.Source, m.Ref, m.RMS)
	if s := m.Parts; s != nil && s.Kind == embedding.NGrams {
		a.Print("n-grams of %d to %d characters in %s buckets", s.MinN, s.MaxN, humanize.Comma(int64(s.Buckets)))
	}
	if len(m.Coverage) > 0 {
		var rows [][]any
		for _, c := range m.Coverage {
			n := func(v int) string { return humanize.Comma(int64(v)) }
			rows = append(rows, []any{c.Task, n(c.Known + c.Composed + c.Unknown), n(c.Known), n(c.Composed), n(c.Unknown),
				terminal.Percent(c.Share)})
		}
		a.Print("\n%s", a.Table([]string{"task", ">tokens", ">known", ">composed", ">unknown", ">covered"}, rows))
	}
	for _, n := range m.Neighbours {
		a.Print("%s", n)
	}
}

// wordNeighbours are the tokens nearest to a word, or to a sum of words.
type wordNeighbours struct {
	Word string `json:"word"`
	// Origin says where the word's vector comes from: known, composed, unknown;
	// empty for a sum.
	Origin     string                `json:"origin,omitempty"`
	Neighbours []embedding.Neighbour `json:"neighbours"`
}

func (w wordNeighbours) String() string {
	if w.Origin == "unknown" {
		return w.Word + ": not in the module"
	}
	line := w.Word
	if w.Origin == "composed" {
		line += " (made of its parts)"
	}
	line += ":"
	for _, n := range w.Neighbours {
		line += fmt.Sprintf("  %s %.2f", n.Token, n.Cosine)
	}
	return line
}

func neighboursOf(m *embedding.Module, word string, k int) wordNeighbours {
	origin := map[embedding.Origin]string{embedding.Known: "known", embedding.Composed: "composed", embedding.Unknown: "unknown"}
	return wordNeighbours{word, origin[m.Lookup().Origin(word)], m.Neighbours(word, k)}
}

func (a app) neighboursCommand() *cobra.Command {
	var top int
	var analogy bool
	cmd := &cobra.Command{
		Use: "neighbours MODULE WORD…", Short: "Show the tokens nearest to words, or to a sum of words",
		Example: "  starter module neighbours glove-50 film actress\n  starter module neighbours glove-50 --analogy king - man + woman",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.WithClient(cmd.Context(), func(c *client.Client) error {
				m, _, err := library.LoadModule(cmd.Context(), c.Store, args[0])
				if err != nil {
					return err
				}
				var out []wordNeighbours
				if analogy {
					n, err := analogous(m, args[1:], top)
					if err != nil {
						return err
					}
					out = append(out, n)
				} else {
					for _, w := range args[1:] {
						out = append(out, neighboursOf(m, w, top))
					}
				}
				if a.JSON {
					return a.PrintJSON(out)
				}
				for _, n := range out {
					a.Print("%s", n)
				}
				return nil
			})
		},
	}
	cmd.Flags().IntVar(&top, "top", 8, "how many to show")
	terminal.Positive(cmd, "top")
	cmd.Flags().BoolVar(&analogy, "analogy", false, "take the words for a sum, with + and - between them")
	return a.JSONFlag(cmd)
}

// analogous finds the tokens nearest to a sum of words' vectors, each of length
// one, without the words themselves (Mikolov, Yih and Zweig, 2013).
func analogous(m *embedding.Module, terms []string, top int) (wordNeighbours, error) {
	terms = strings.Fields(strings.Join(terms, " "))
	if err := checkSum(terms); err != nil {
		return wordNeighbours{}, client.Usage(fmt.Errorf("%w\ngive a sum like: king - man + woman", err))
	}
	lookup, sum, v := m.Lookup(), make([]float32, m.Dim), make([]float32, m.Dim)
	sign := float32(1)
	var words []string
	var errs []error
	for _, term := range terms {
		if term == "+" || term == "-" {
			sign = map[string]float32{"+": 1, "-": -1}[term]
			continue
		}
		words = append(words, term)
		if lookup.Vector(v, term) == embedding.Unknown {
			errs = append(errs, fmt.Errorf("%s: not in the module", term))
			continue
		}
		squares := 0.0
		for _, x := range v {
			squares += float64(x) * float64(x)
		}
		for k, x := range v {
			sum[k] += sign * float32(float64(x)/math.Sqrt(cmp.Or(squares, 1)))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return wordNeighbours{}, err
	}
	return wordNeighbours{Word: strings.Join(terms, " "), Neighbours: m.Nearest(sum, top, words...)}, nil
}

// checkSum reports where a sum has no word, or no sign between two.
func checkSum(terms []string) error {
	var errs []error
	expected := true // a word is
	for _, term := range terms {
		switch sign := term == "+" || term == "-"; {
		case sign && expected:
			errs = append(errs, fmt.Errorf("a word is expected before %q", term))
		case !sign && !expected:
			errs = append(errs, fmt.Errorf("+ or - is expected before %q", term))
		}
		expected = term == "+" || term == "-"
	}
	if expected {
		errs = append(errs, errors.New("the sum ends without a word"))
	}
	return errors.Join(errs...)
}

// moduleCheck is what `module check` finds.
type moduleCheck struct {
	Module string `json:"module"`
	embedding.Checked
	Share float64 `json:"share"`
}

func (a app) checkCommand() *cobra.Command {
	var language string
	cmd := &cobra.Command{
		Use: "check [MODULE…]", Short: "Rank some pairs of words by the modules' vectors, related before unrelated",
		Long: "Rank some pairs of words by the modules' vectors (all text modules, if none is named): is good nearer to great than to " +
			"camera? There are 38\n" +
			"such questions of film reviews for English and 22 of news for Spanish. They tell a broken module from a sound one, and no more.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.WithClient(cmd.Context(), func(c *client.Client) error {
				if language != "" && embedding.Triples(language) == nil {
					return client.Usage(fmt.Errorf("--language is %q (known: en, es)", language))
				}
				if len(args) == 0 {
					records, err := library.Modules(cmd.Context(), c.Store)
					if err != nil {
						return err
					}
					for _, r := range records {
						if r.Kind == data.Text && embedding.Triples(cmp.Or(language, r.Language)) != nil {
							args = append(args, r.Name)
						}
					}
				}
				out := []moduleCheck{}
				for _, name := range args {
					m, _, err := library.LoadModule(cmd.Context(), c.Store, name)
					if err != nil {
						return err
					}
					triples := embedding.Triples(cmp.Or(language, m.Language))
					if triples == nil {
						return fmt.Errorf("module %s: there are no pairs of language %q; say --language en or es", name, cmp.Or(language, m.Language))
					}
					c := m.Check(triples)
					out = append(out, moduleCheck{name, c, c.Share()})
				}
				if a.JSON {
					return a.PrintJSON(out)
				}
				if len(out) == 0 {
					a.Say("There is no module of English or Spanish texts: `starter module list` shows those there are; name one, and say --language.")
					return nil
				}
				var rows [][]any
				for _, c := range out {
					var wrong []string
					for _, w := range c.Wrong {
						wrong = append(wrong, fmt.Sprintf("%s: %s, not %s", w.Word, w.Far, w.Near))
					}
					rows = append(rows, []any{c.Module, c.Right, c.Of, terminal.Percent(c.Share), len(c.Missing),
						terminal.Cut(strings.Join(wrong, "; "), 100)})
				}
				a.Print("%s", a.Table([]string{"module", ">right", ">of", ">share", ">missing", "~wrong"}, rows))
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&language, "language", "", "language of the pairs, en or es (default: the module's)")
	return a.JSONFlag(cmd)
}
