package catalog

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"testing"

	"tnaml/experiments/search"
)

var update = flag.Bool("update", false, "write testdata/plans.txt anew")

// The plans of the built-in experiments, search by search: what is searched, in
// which order, with which settings, seeds and budgets, is part of their results.
func TestPlansOfBuiltins(t *testing.T) {
	var b bytes.Buffer
	for _, name := range BuiltinNames() {
		e, err := Builtin(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range Kinds() {
			raw := fmt.Appendf(nil, `{"experiment":%q}`, name)
			if k == KindAblation {
				for _, a := range Ablations() {
					dump(&b, k, e, fmt.Appendf(nil, `{"experiment":%q,"ablation":%q}`, name, a))
				}
				continue
			}
			dump(&b, k, e, raw)
		}
	}
	const file = "testdata/plans.txt"
	if *update {
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, b.Bytes()) {
		t.Errorf("the plans differ from %s", file)
	}
}

func dump(b *bytes.Buffer, k Kind, e *Experiment, raw []byte) {
	p, err := MakePlan(k, e, raw)
	if err != nil {
		return
	}
	fmt.Fprintf(b, "%s %s: %d trials, %d tasks, fixed budgets %v, modules %v, space %s\n", k, raw, p.Trials(), len(p.Tasks()), p.FixedBudgets, p.Spec.Modules, p.Spec.Space)
	for _, s := range p.Pretrain {
		settings, err := search.ParseSettings(search.NAML, s.Settings)
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(b, "  %s of %v: %d trials, controller %s: %s\n", s.Name(), s.Tasks, s.Trials, s.Controller, settings)
	}
	for _, s := range p.Searches {
		// What is given counts: shapes of pretrained controllers are filled in later.
		settings := string(s.Settings)
		if s.From == "" {
			c, err := search.ParseSettings(s.Strategy, s.Settings)
			if err != nil {
				panic(err)
			}
			settings = string(c)
		}
		fmt.Fprintf(b, "  %s: %d trials, %s from %q: %s\n", s.Name(), s.Trials, s.Strategy, s.From, settings)
	}
}
