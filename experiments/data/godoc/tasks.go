package godoc

import (
	"slices"

	"tnaml/experiments/data/text"
	"tnaml/nn/embedding"
	"tnaml/nn/rng"
)

// Source and Licence say where the standard library's comments come from.
const (
	Source  = "documentation comments of the Go standard library"
	Licence = "BSD-3-Clause, the Go Authors"
)

// TaskSource is a task to be built.
type TaskSource struct {
	Name        string
	Description string
	Examples    []text.Example
}

// maxExamples bounds a task: enough to learn from, and a demonstration stays
// quick.
const maxExamples = 8000

// maxAreas is the number of classes of godoc-area.
const maxAreas = 10

// Tasks returns the tasks, the most telling first. A comment that stands on
// several declarations counts once a task.
func (c *Corpus) Tasks() []TaskSource {
	areas := c.areas(maxAreas)
	yesNo := func(b bool) string {
		if b {
			return "yes"
		}
		return "no"
	}
	some := func(n int) string { return []string{"none", "one", "several"}[min(n, 2)] }
	definitions := []struct {
		name, description string
		// label returns a comment's class, or "" where it is no example.
		label func(Comment) string
	}{
		{"godoc-area", "the area of the library a declaration belongs to", func(d Comment) string {
			if slices.Contains(areas, d.area()) {
				return d.area()
			}
			return ""
		}},
		{"godoc-error", "whether a function returns an error", func(d Comment) string {
			if d.callable() {
				return yesNo(d.ReturnsError)
			}
			return ""
		}},
		{"godoc-kind", "what kind of declaration is documented", func(d Comment) string { return string(d.Kind) }},
		{"godoc-method", "whether a function has a receiver", func(d Comment) string {
			switch d.Kind {
			case Function, Method:
				return string(d.Kind)
			}
			return ""
		}},
		{"godoc-bool", "whether a function returns a truth value", func(d Comment) string {
			if d.callable() && d.Results > 0 {
				return yesNo(d.ReturnsBool)
			}
			return ""
		}},
		{"godoc-results", "how many results a function has", func(d Comment) string {
			if d.callable() {
				return some(d.Results)
			}
			return ""
		}},
		{"godoc-parameters", "how many parameters a function has", func(d Comment) string {
			if d.callable() {
				return some(d.Parameters)
			}
			return ""
		}},
		{"godoc-exported", "whether a function is exported", func(d Comment) string {
			if d.callable() {
				return yesNo(d.Exported())
			}
			return ""
		}},
	}
	out := make([]TaskSource, len(definitions))
	for i, def := range definitions {
		out[i] = TaskSource{Name: def.name, Description: def.description}
		seen := map[string]bool{}
		for _, d := range c.Comments {
			label := def.label(d)
			if label == "" || seen[d.Text] {
				continue
			}
			seen[d.Text] = true
			out[i].Examples = append(out[i].Examples, text.Example{Text: d.Text, Label: label})
		}
		out[i].Examples = sample(out[i].Examples, def.name)
	}
	return out
}

// sample draws at most maxExamples, in their order.
func sample(e []text.Example, name string) []text.Example {
	if len(e) <= maxExamples {
		return e
	}
	keep := rng.New(1, "godoc/sample/"+name, 0).Perm(len(e))[:maxExamples]
	slices.Sort(keep)
	out := make([]text.Example, len(keep))
	for i, k := range keep {
		out[i] = e[k]
	}
	return out
}

// Modules trains small embedding modules on all the comments, so that the
// choice of a module is real: they differ in length and in method.
func (c *Corpus) Modules(progress func(module string, done float64)) ([]*embedding.Module, error) {
	tokeniser := text.Tokeniser{Version: text.TokeniserVersion}
	documents := make([][]string, len(c.Documents()))
	for i, d := range c.Documents() {
		documents[i] = tokeniser.Tokens(d)
	}
	corpus := embedding.Tokens(documents)
	var out []*embedding.Module
	for _, o := range []embedding.TrainOptions{
		{Name: "godoc-svd-64", Method: embedding.SVD, Dim: 64},
		{Name: "godoc-svd-16", Method: embedding.SVD, Dim: 16, Window: 2},
		{Name: "godoc-sgns-32", Method: embedding.SGNS, Dim: 32, Epochs: 4, Window: 3, Negative: 3, LearningRate: 0.1},
	} {
		o.Language, o.Source, o.Seed, o.MaxVocabulary = "en", Source, 1, 10000
		if progress != nil {
			o.Progress = func(done float64) error {
				progress(o.Name, done)
				return nil
			}
		}
		m, err := embedding.Train(corpus, o)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}
