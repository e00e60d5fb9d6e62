package report

import (
	_ "embed"
	"fmt"
	"slices"

	"github.com/goccy/go-yaml"

	"tnaml/experiments/study"
)

//go:embed paper.yaml
var paperYAML []byte

// paper holds the paper's figures; its arms are those of the catalogue's list
// "paper".
var paper = func() (p struct {
	// Tasks are the rows of Table 1: trials to random search's best, and test
	// accuracy-top10 in percent, by arm.
	Tasks map[string]*struct {
		Name   string             `yaml:"name"`
		Trials map[string]int     `yaml:"trials"`
		Test   map[string]float64 `yaml:"test"`
		Error  float64            `yaml:"error"`
	} `yaml:"tasks"`
	// Against holds the counts of Reference against other arms (§4.3), in the
	// order of the columns of againstTable.
	Reference string              `yaml:"reference"`
	Against   map[string][]string `yaml:"against"`
}) {
	if err := yaml.UnmarshalWithOptions(paperYAML, &p, yaml.Strict()); err != nil {
		panic(err) // embedded
	}
	return p
}()

// paperTrials and paperTest are the paper's figures, empty where it has none.
func paperTrials(task, arm string) string {
	if p := paper.Tasks[task]; p != nil && p.Trials[arm] > 0 {
		return count(p.Trials[arm])
	}
	return ""
}

func paperTest(task, arm string) string {
	if p := paper.Tasks[task]; p != nil && p.Test[arm] > 0 {
		return fmt.Sprintf("%.1f", p.Test[arm])
	}
	return ""
}

// inPaper says that the paper has figures of a task among these.
func inPaper(rows []study.Row) bool {
	return slices.ContainsFunc(rows, func(r study.Row) bool { return paper.Tasks[r.Task] != nil })
}
