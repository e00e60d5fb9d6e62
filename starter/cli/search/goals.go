package search

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"tnaml/experiments/search"
	"tnaml/experiments/search/pruner"
)

// goals are the flags of a budget besides trials.
type goals struct {
	cmd    *cobra.Command
	budget *search.Budget
	goal   float64
}

func newGoals(cmd *cobra.Command, b *search.Budget) *goals {
	g := &goals{cmd: cmd, budget: b}
	f := cmd.Flags()
	f.IntVar(&b.Failed, "failed", 0, "budget: the `number` of trials that fail")
	f.IntVar(&b.Steps, "steps", 0, "budget: training `steps` of all trials")
	f.Float64Var(&b.CPUHours, "cpu-hours", 0, "budget: CPU `hours` of all trials")
	f.Float64Var(&b.Hours, "hours", 0, "budget: `hours` that the search runs, pauses left out")
	f.Float64Var(&g.goal, "goal", 0, "the `value` of the objective on the validation split at which the search has found enough")
	return g
}

// check takes what was given.
func (g *goals) check() error {
	if g.cmd.Flags().Changed("goal") {
		g.budget.Goal = &g.goal
	}
	for _, name := range []string{"failed", "steps", "cpu-hours", "hours"} {
		if f := g.cmd.Flags().Lookup(name); f.Changed && (f.Value.String() == "0" || strings.HasPrefix(f.Value.String(), "-")) {
			return fmt.Errorf("--%s is %s: give a number above 0", name, f.Value)
		}
	}
	return errors.Join(g.budget.Problems()...)
}

// given says whether any was.
func (g *goals) given() bool { return *g.budget != search.Budget{} }

// prunerOf reads the flag --pruner: a name, or JSON.
func prunerOf(text string) (*pruner.Choice, error) {
	if text == "" {
		return nil, nil
	}
	c := &pruner.Choice{Name: text}
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		if err := json.Unmarshal([]byte(text), c); err != nil {
			return nil, fmt.Errorf("--pruner: %w", err)
		}
	}
	if _, err := c.Canonical(); err != nil {
		return nil, fmt.Errorf("--pruner: %w", err)
	}
	return c, nil
}

// pruners lists the rules for people.
func pruners() string {
	var names []string
	for _, d := range pruner.Definitions() {
		names = append(names, d.Name)
	}
	return strings.Join(names, ", ")
}
