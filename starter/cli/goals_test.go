package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

// A recorded benchmark of learning curves, searched under a constraint, with a pruner and
// budgets, from the terminal: what is shown says what became of the trials, and why it ended.
func TestGoals(t *testing.T) {
	b, _ := online(t)
	b.worker()
	var rows []string
	for i := range 100 {
		value := float64((i*37)%100) / 100
		rows = append(rows, fmt.Sprintf(`{"choices":{"a":%d,"b":%d},"metrics":{"validation_gain":%v,"test_gain":%v,"latency_ms":%d},`+
			`"curves":{"validation_gain":[[10,%v],[20,%v],[40,%v]]}}`, i/10, i%10, value, value/2, (i*53)%100, value/4, value/2, value))
	}
	b.ok("data", "import", b.write("t.json", `{"metrics":["validation_gain","test_gain","latency_ms"],"rows":[`+strings.Join(rows, ",")+`]}`),
		"--kind", "table", "--name", "t", "--yes")
	b.ok("space", "add", b.write("g.yaml", "name: g\ntrainer: table\nobjective: {metric: gain}\n"+
		"constraints: [{metric: latency_ms, max: 50}]\nchoices:\n"+
		"  - {name: a, options: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]}\n  - {name: b, options: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]}\n"))
	search := func(name string, more ...string) []string {
		return append([]string{"search", "--task", "t", "--space", "g", "--strategy", "random", "--name", name}, more...)
	}
	out := b.ok(search("p", "--trials", "60", "--pruner", `{"name":"median","settings":{"skip":0}}`, "--goal", "0.9")...)
	if !strings.Contains(out, " pruned, ") || !strings.Contains(out, " infeasible") || !strings.Contains(out,
		": the goal is reached: gain of 0.9") {
		t.Error(out)
	}
	b.fails(exitFailed, []string{"run by the trainer table: only those of a space with `trainer: external` are asked and told"},
		"tell", "p", "--trial", "1", "--metric", "size=3")
	b.fails(exitUsage, []string{`"goal" is 1e+99`}, search("q", "--goal", "1e99")...)
	seen := map[string]int{}
	for _, line := range strings.Split(strings.TrimSpace(b.ok("trials", "p", "--format", "jsonl")), "\n") {
		var row struct {
			Status  string
			Steps   int
			Metrics map[string]float64
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		if seen[row.Status]++; row.Status == "ok" && (row.Metrics["latency_ms"] > 50 || row.Steps != 40) || row.Status == "pruned" &&
			row.Steps >= 40 {
			t.Errorf("%+v", row)
		}
	}
	if seen["ok"] == 0 || seen["pruned"] == 0 || seen["infeasible"] == 0 {
		t.Errorf("%v", seen)
	}
	if list := b.ok("list", "--json"); !strings.Contains(list, "the goal is reached") {
		t.Error(list)
	}
	page := b.write("p.html", "")
	b.ok("report", "p", "--pareto", "test_gain,latency_ms", "-o", page)
	if html, err := os.ReadFile(page); err != nil || !strings.Contains(string(html), "<h3>test_gain and latency_ms</h3>") ||
		!strings.Contains(string(html), "the goal is reached") {
		t.Errorf("%v", err)
	}
	b.fails(exitUsage, []string{"--pareto", "write size:max or size:min"}, "report", "p", "--pareto", "gain,size")
	b.fails(exitFailed, []string{"no feasible model has both metrics"}, "report", "p", "--pareto", "gain,size:min", "-o", page)
	if out := b.ok("search", "--from", "p", "--trials", "+9", "--steps", "1000000", "--name", "on"); !strings.Contains(out,
		": the budget of ") {
		t.Error(out)
	}
	if out := b.ok(search("steps", "--trials", "60", "--steps", "400", "--cpu-hours", "100")...); !strings.Contains(out,
		"completed after 10 trials") || !strings.Contains(out, "the budget of 400 training steps is used up") {
		t.Error(out)
	}
}
