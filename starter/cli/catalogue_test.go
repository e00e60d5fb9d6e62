package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"tnaml/experiments/search/strategy"
)

// Strategies and trainers are told without any server.
func TestCatalogue(t *testing.T) {
	b := offline(t)
	for _, name := range strategy.Builtin().Names() {
		if out := b.ok("strategy", "list"); !strings.Contains(out, name) {
			t.Errorf("%s is not in the list:\n%s", name, out)
		}
		var shown struct {
			Name     string
			Settings map[string]any
		}
		if err := json.Unmarshal([]byte(b.ok("strategy", "show", name, "--json")), &shown); err != nil || shown.Name != name {
			t.Errorf("%s: %+v, %v", name, shown, err)
		}
	}
	if out := b.ok("strategy", "show", "naml"); !strings.Contains(out, "preset paper") || !strings.Contains(out, `"policy_gradient": {`) {
		t.Errorf("naml:\n%s", out)
	}
	b.fails(exitUsage, []string{`unknown strategy "genetic"`, "naml", "starter strategy show --help"}, "strategy", "show", "genetic")
	if out := b.ok("trainer", "list"); !strings.Contains(out, "builtin") || !strings.Contains(out, "accuracy") ||
		!strings.Contains(out, "table") || !strings.Contains(out, "not known: no servers") {
		t.Errorf("trainers:\n%s", out)
	}
	programs := b.write("programs.yaml", "trainers: {Boost: {command: [python3, train.py]}}\n")
	if out := b.ok("trainer", "list", "--config", programs); !strings.Contains(out, "Boost") || !strings.Contains(out, "python3 train.py") {
		t.Errorf("with a program:\n%s", out)
	}
	if out := b.ok("trainer", "schema", "outcome"); !json.Valid([]byte(out)) || !strings.Contains(out, `"over_memory"`) {
		t.Errorf("the schema of outcomes:\n%s", out)
	}
	b.fails(exitUsage, []string{`no schema "answer" (there are: request, progress, outcome)`}, "trainer", "schema", "answer")
}
