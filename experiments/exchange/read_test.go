package exchange

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tnaml/experiments/search"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// curved is a ledger under a constraint with curves, with a trial that was pruned, one that
// is infeasible, and metrics named as attributes are.
func curved() Ledger {
	l := made("both", space.Minimise, 2, 60)
	most := 56.0
	l.Config.Space.Constraints = []space.Constraint{{Metric: "latency_ms", Max: &most}}
	for i := range l.Trials {
		t := &l.Trials[i]
		t.Curve = []trainer.Point{{Step: 10, Value: 3}, {Step: 50, Value: 2.5}}
		switch {
		case i == 7:
			t.Status, t.Reason, t.Metrics, t.Steps, t.Validation, t.Test = trainer.Pruned, "worse than the floor", nil, 50, 2.5, 0
		case i == 58:
			t.Status, t.Reason = trainer.Infeasible, "latency_ms is 58, it must be at most 56"
		case t.OK():
			t.Metrics["steps"], t.Metrics["trial"], t.Metrics["seed"], t.Metrics["status"] = 1, 2, 3, 4
		}
	}
	l.Trials[57].Status, l.Trials[57].Reason = trainer.Infeasible, "latency_ms is 57, it must be at most 56"
	search.FillRewards(l.Config, l.Trials)
	return l
}

// writeLines writes a ledger as JSON lines, with the names of its tasks and options.
func writeLines(w io.Writer, ledgers []Ledger) error {
	config := ledgers[0].Config
	e := json.NewEncoder(w)
	for _, t := range ledgers[0].Trials {
		choices, _ := config.Space.Values(t.Actions)
		row := struct {
			search.Trial
			TaskName string         `json:"task_name"`
			Choices  map[string]any `json:"choices"`
		}{t, config.Tasks[t.Task].Name, choices}
		if err := e.Encode(row); err != nil {
			return err
		}
	}
	return nil
}

// A ledger that was written comes back as it was, in every format that is read.
func TestLedgersComeBack(t *testing.T) {
	l := curved()
	for format, write := range map[string]func(io.Writer, []Ledger) error{"csv": WriteCSV, "jsonl": writeLines, "optuna": WriteOptuna} {
		var b bytes.Buffer
		if err := write(&b, []Ledger{l}); err != nil {
			t.Fatal(err)
		}
		got, err := Read(&b, format, Options{Space: &l.Config.Space})
		if err != nil {
			t.Errorf("%s: %v", format, err)
			continue
		}
		if d := cmp.Diff([]string{"task-0", "task-1"}, got.Tasks); d != "" || got.Refused+got.Unfinished > 0 {
			t.Errorf("%s: %s, %+v", format, d, got.Refusals)
		}
		search.FillRewards(l.Config, got.Trials)
		want := slices.Clone(l.Trials)
		for i := range want {
			want[i].Reason = strings.ReplaceAll(want[i].Reason, "\n", "; ")
		}
		search.FillRewards(l.Config, want)
		if d := cmp.Diff(want, got.Trials, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("%s: %s", format, d)
		}
	}
}

// What Optuna itself writes is read: its journal, step by step and with a trial under way,
// and its data frame as pandas writes it.
func TestOptunasOwnAreRead(t *testing.T) {
	const program = `
import sys, optuna
optuna.logging.set_verbosity(optuna.logging.ERROR)
storage = optuna.storages.JournalStorage(optuna.storages.JournalFileStorage(sys.argv[1]))
study = optuna.create_study(study_name="theirs", storage=storage, direction="minimize")
def objective(t):
    layers = t.suggest_int("layers", 1, 4)
    rate, words = t.suggest_categorical("rate", [1e-5, 0.1, 1.0]), t.suggest_categorical("words", [True, False])
    width, kernel = t.suggest_categorical("width", [16, 64, 256]), t.suggest_categorical("kernel", ["rbf", "=1+1", 'a "b" <c>'])
    t.set_user_attr("latency_ms", 3.5)
    t.report(1.5, 1)
    if t.number % 5 == 3: raise optuna.TrialPruned()
    if t.number % 5 == 4: raise ValueError()
    return layers + rate + words
study.optimize(objective, n_trials=40, catch=(ValueError,))
study.ask()
try: study.trials_dataframe().to_csv(sys.argv[2])
except ImportError: pass
for t in study.trials: print(t.state.name, t.value, t.params.get("layers"))`
	l := made("x", space.Minimise, 1, 0)
	dir := t.TempDir()
	journal, frame := filepath.Join(dir, "journal.log"), filepath.Join(dir, "frame.csv")
	lines := strings.Split(strings.TrimSpace(string(python(t, "optuna", program, journal, frame))), "\n")
	for file, format := range map[string]string{journal: "optuna", frame: "csv"} {
		f, err := os.Open(file)
		if err != nil {
			t.Logf("%v: there is no pandas", err)
			continue
		}
		defer f.Close()
		o := Options{Space: &l.Config.Space}
		if format == "csv" {
			o.Task = "theirs"
		}
		got, err := Read(f, format, o)
		if err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		i, refused := 0, 0
		for n, line := range lines {
			var state, value, layers string
			if _, err := fmt.Sscan(line, &state, &value, &layers); err != nil {
				t.Fatal(err)
			}
			switch {
			case state == "RUNNING":
				continue
			case layers == "4":
				refused++
				continue
			}
			r := got.Trials[i]
			i++
			if fmt.Sprint(r.Actions[0]+1) != layers || r.OK() != (state == "COMPLETE") || r.OK() && fmt.Sprint(value) != python64(r.Validation) {
				t.Errorf("%s: trial %d is %+v, Optuna has %s", format, n, r, line)
			}
			if format == "optuna" && r.Metrics["latency_ms"] != 3.5 {
				t.Errorf("trial %d has the metrics %v", n, r.Metrics)
			}
		}
		if i != len(got.Trials) || got.Refused != refused || got.Unfinished != 1 || got.Tasks[0] != "theirs" {
			t.Errorf("%s: %d trials, %d refused, %d unfinished of %v; want %d and %d", format, len(got.Trials), got.Refused, got.Unfinished,
				got.Tasks, i, refused)
		}
	}
}

func python64(v float64) string {
	if s := fmt.Sprint(v); strings.ContainsAny(s, ".e") {
		return s
	}
	return fmt.Sprint(v) + ".0"
}

// All that is wrong with a file is told together, with its lines; what is no option is
// counted; what lacks the metric has failed.
func TestBadFilesAreToldWithTheirLines(t *testing.T) {
	sp := space.Space{Name: "dials", Objective: space.Objective{Metric: "loss", Direction: space.Minimise}, Choices: []space.Choice{
		{Name: "rate", Options: []any{0.1, 1.0}}, {Name: "words", Options: []any{true, false}}, {Name: "kind", Options: []any{"only"}},
	}}
	for _, c := range []struct {
		name, format, text string
		o                  Options
		want               []string
	}{
		{"empty", "csv", "", Options{}, []string{"line 1", "empty"}},
		{"no columns", "csv", "a,b\n1,2\n", Options{},
			[]string{"the choice rate", "the choice words", "no column for loss", "--columns rate=COLUMN"}},
		{"a choice more", "csv", "choice.rate,choice.words,choice.depth,loss\n1,true,3,1\n", Options{}, []string{`"depth"`, "lacks"}},
		{"no task", "csv", "rate,words,loss\n1,true,3\n", Options{}, []string{"line 2", "--task"}},
		{"numbers", "csv", "rate,words,loss,steps\n1,true,x,1\n\n1,true,1,-2\n1,true\n", Options{Task: "t"},
			[]string{`line 2: loss is "x"`, "line 4: steps", "line 5: 2 cells"}},
		{"quotes", "csv", "rate,words,loss\n1,\"tr\"ue,3\n", Options{Task: "t"}, []string{"line 2"}},
		{"status", "csv", "rate,words,loss,status\n1,true,3,fine\n", Options{Task: "t"}, []string{`line 2: the status "fine"`}},
		{"none fits", "csv", "rate,words,loss\n2,true,3\n", Options{Task: "t"}, []string{"none of the file's 1", "rate is 2", "space add"}},
		{"doubles", "csv", "rate,words,loss,metric.acc,metrics.acc\n1,true,3,.5,.7\n", Options{Task: "t"},
			[]string{"line 2: the metric acc is there twice, as metric.acc and as metrics.acc"}},
		{"doubles of Optuna", "optuna", `{"op_code":0,"study_name":"s","directions":[1]}` + "\n" +
			`{"op_code":4,"study_id":0,"state":1,"value":1,"user_attrs":{"acc":0.5,"metric.acc":0.7}}`, Options{},
			[]string{"line 2: the metric acc is there twice, as the attribute acc and as metric.acc"}},
		{"mapping", "csv", "rate,words,loss\n1,true,3\n", Options{Task: "t", Columns: map[string]string{"depth": "x"}}, []string{`"depth"`}},
		{"JSON", "jsonl", "{\"rate\":1,\"words\":true,\"loss\":1}\n[]\n{\n", Options{Task: "t"}, []string{"line 2", "line 3"}},
		{"no journal", "optuna", "{\"op_code\":0}\n{}\nx\n{\"op_code\":4,\"study_id\":7}\n{\"op_code\":6,\"trial_id\":-1}\n{\"op_code\":77}\n",
			Options{}, []string{"line 2", "line 3", "line 4: there is no study 7", "line 5: there is no trial -1", "line 6"}},
		{"direction", "optuna", `{"op_code":0,"study_name":"s","directions":[2]}` + "\n", Options{}, []string{"maximise", "minimise"}},
		{"objectives", "optuna", `{"op_code":0,"study_name":"s","directions":[1,1]}` + "\n", Options{}, []string{"several objectives"}},
		{"study", "optuna", `{"op_code":0,"study_name":"s","directions":[1]}` + "\n", Options{Study: "x"}, []string{`no study "x"`, "s"}},
		{"distribution", "optuna", `{"op_code":0,"study_name":"s","directions":[1]}` + "\n" +
			`{"op_code":4,"study_id":0,"datetime_start":null,"state":1,"value":1,"params":{"rate":5},"distributions":{"rate":"{\"name\":` +
			`\"CategoricalDistribution\",\"attributes\":{\"choices\":[1]}}"}}`, Options{}, []string{"line 2", "no choice 5 of 1"}},
		{"long", "csv", "rate,words,loss\n" + strings.Repeat("1,true,3\n", 20), Options{Task: "t", MaxBytes: 50}, []string{"more than 50 bytes"}},
		{"many", "csv", "rate,words,loss\n" + strings.Repeat("1,true,x\n", 50), Options{Task: "t"}, []string{"line 21", "and 30 problems more"}},
	} {
		c.o.Space = &sp
		_, err := Read(strings.NewReader(c.text), c.format, c.o)
		for _, w := range c.want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q is not in: %v", c.name, w, err)
			}
		}
	}
	const theirs = "lr,words,err,state\n1.0,True,0.5,COMPLETE\n0.1,no,1,\n0.5,false,1,\n.1,false,,\n1,0,nan,\n1,1,9,RUNNING\n"
	got, err := Read(strings.NewReader(theirs), "csv",
		Options{Space: &sp, Task: "t", Columns: map[string]string{"rate": "lr", "loss": "err"}})
	if err != nil {
		t.Fatal(err)
	}
	if got.Refused != 2 || !strings.Contains(strings.Join(got.Refusals, "\n"), "line 4: rate is 0.5") || got.Unfinished != 1 ||
		len(got.Trials) != 3 {
		t.Fatalf("%+v", got)
	}
	for i, want := range []search.Trial{
		{Actions: []int{1, 0, 0}, Status: trainer.OK, Validation: .5, Metrics: map[string]float64{"loss": .5}},
		{Trial: 1, Actions: []int{0, 1, 0}, Status: trainer.Failed, Reason: "the file has no loss of it"},
		{Trial: 2, Actions: []int{1, 1, 0}, Status: trainer.Diverged, Reason: "its loss is NaN"},
	} {
		if d := cmp.Diff(want, got.Trials[i]); d != "" {
			t.Error(d)
		}
	}
}

// Trials that break the space's constraints are infeasible, those that do not say whether
// have failed.
func TestConstraintsJudgeWhatIsRead(t *testing.T) {
	most := 50.0
	sp := space.Space{Name: "dials", Objective: space.Objective{Metric: "loss", Direction: space.Minimise},
		Constraints: []space.Constraint{{Metric: "latency_ms", Max: &most}}, Choices: []space.Choice{{Name: "rate", Options: []any{0.1, 1.0}}}}
	got, err := Read(strings.NewReader("rate,loss,metric.latency_ms\n1,2,50\n1,1,51\n1,1,\n"), "csv", Options{Space: &sp, Task: "t"})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []trainer.Status{trainer.OK, trainer.Infeasible, trainer.Failed} {
		if r := got.Trials[i]; r.Status != want || !r.OK() && !strings.Contains(r.Reason, "latency_ms") {
			t.Errorf("%+v, want %s", r, want)
		}
	}
	for text, columns := range map[string]map[string]string{
		"rate,loss,latency_ms\n1,2,51\n": nil, "rate,loss,ms\n1,2,51\n": {"latency_ms": "ms"},
	} {
		got, err := Read(strings.NewReader(text), "csv", Options{Space: &sp, Task: "t", Columns: columns})
		if err != nil || got.Trials[0].Status != trainer.Infeasible {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	const lacking = `{"op_code":0,"study_name":"s","directions":[1]}
{"op_code":4,"study_id":0,"state":1,"value":2,"params":{"rate":1},"distributions":{"rate":"{\"name\":\"FloatDistribution\"}"}}
`
	for format, text := range map[string]string{"csv": "rate,loss\n1,2\n", "jsonl": `{"rate":1,"loss":2}`, "optuna": lacking} {
		_, err := Read(strings.NewReader(text), format, Options{Space: &sp, Task: "t"})
		if err == nil || !strings.Contains(err.Error(), "no column for latency_ms, which a constraint is about") ||
			!strings.Contains(err.Error(), "--columns latency_ms=COLUMN") {
			t.Errorf("%s: %v", format, err)
		}
	}
	const failed = `{"op_code":0,"study_name":"s","directions":[1]}
{"op_code":4,"study_id":0,"state":3,"params":{"rate":1},"distributions":{"rate":"{\"name\":\"FloatDistribution\"}"}}
`
	for format, text := range map[string]string{"jsonl": `{"rate":1,"status":"failed"}`, "optuna": failed} {
		got, err := Read(strings.NewReader(text), format, Options{Space: &sp, Task: "t"})
		if err != nil || got.Trials[0].Status != trainer.Failed {
			t.Errorf("%s: %v", format, err)
		}
	}
}

// A pruned trial of Optuna's has the curve that it reported, with steps from 1 on, no
// number left out, and what it had reached; one that reported nothing has failed.
func TestOptunasCurvesAreRead(t *testing.T) {
	sp := space.Space{Name: "dials", Objective: space.Objective{Metric: "loss", Direction: space.Minimise},
		Choices: []space.Choice{{Name: "rate", Options: []any{1.0}}}}
	journal := `{"op_code":0,"study_name":"s","directions":[1]}
{"op_code":4,"study_id":0,"datetime_start":"x"}
{"op_code":7,"trial_id":0,"step":0,"intermediate_value":4.5}
{"op_code":7,"trial_id":0,"step":2,"intermediate_value":NaN}
{"op_code":7,"trial_id":0,"step":9,"intermediate_value":3.5}
{"op_code":6,"trial_id":0,"state":2,"values":[3.5]}
{"op_code":4,"study_id":0,"state":2}
`
	var long []string
	for step := range 130 { // every third, the last of which is 129
		long = append(long, fmt.Sprintf(`"%d": %d`, step, step))
	}
	journal += `{"op_code":4,"study_id":0,"state":1,"value":7,"intermediate_values":{` + strings.Join(long, ",") + "}}\n"
	got, err := Read(strings.NewReader(journal), "optuna", Options{Space: &sp})
	if err != nil {
		t.Fatal(err)
	}
	pruned := search.Trial{Actions: []int{0}, Status: trainer.Pruned, Validation: 3.5, Steps: 10,
		Curve: []trainer.Point{{Step: 1, Value: 4.5}, {Step: 10, Value: 3.5}}}
	if d := cmp.Diff(pruned, got.Trials[0]); d != "" {
		t.Error(d)
	}
	if r := got.Trials[1]; r.Status != trainer.Failed || !strings.Contains(r.Reason, "what it had reached") {
		t.Errorf("%+v", r)
	}
	c := got.Trials[2].Curve
	if len(c) != 44 || c[0] != (trainer.Point{Step: 1, Value: 0}) || c[43] != (trainer.Point{Step: 130, Value: 129}) {
		t.Errorf("%d points: %v", len(c), c)
	}
}

// dialled is a space of one choice.
func dialled(options ...any) *space.Space {
	return &space.Space{Name: "dials", Objective: space.Objective{Metric: "loss", Direction: space.Minimise},
		Choices: []space.Choice{{Name: "rate", Options: options}}}
}

// Texts that begin as formulas do, with apostrophes before them or without, are themselves
// again; numbers that MLflow has put an apostrophe before are numbers.
func TestApostrophesComeBack(t *testing.T) {
	for _, s := range []string{"=1", "'=1", "''=1", "'", "''", "'x", "-", "'-", "-5", "'-5", "+x", "@", "'1", "x'"} {
		if got := unquoted(harmless(s)); got != s {
			t.Errorf("%q is written as %q and read as %q", s, harmless(s), got)
		}
	}
	const runs = "\"Run ID\",\"Status\",\"rate\",\"loss\"\n\"a\",\"FINISHED\",\"'-0.5\",\"'-2.25\"\n" +
		"\"b\",\"FAILED\",\"1\",\"3\"\n\"c\",\"RUNNING\",\"1\",\"3\"\n"
	got, err := Read(strings.NewReader(runs), "csv", Options{Space: dialled(-.5, 1.0), Task: "t"})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Trials) != 2 || got.Trials[0].Validation != -2.25 || got.Trials[1].Status != trainer.Failed || got.Unfinished != 1 {
		t.Errorf("%+v", got)
	}
}

// What other programs put around the same two trials does not matter.
func TestFormsOfFiles(t *testing.T) {
	sp := dialled(.1, 1.0)
	for _, c := range []struct{ name, format, text string }{
		{"a mark before a quoted header", "csv", "\ufeff\"rate\",\"loss\"\r\n1,2\r\n0.1,nan\r\n"},
		{"a mark before JSON", "jsonl", "\ufeff{\"rate\":1,\"loss\":2}\n{\"rate\":0.1,\"loss\":NaN}"},
		{"Python's numbers", "jsonl", `{"rate":1,"loss":2,"more":[NaN,{"a":-Infinity}],"note":"\"NaN, Infinity"}` + "\n" +
			`{"metrics":{"loss":NaN},"params":{"rate":0.1}}` + "\n"},
		{"rows that lack what others have", "jsonl", `{"status":"running"}` + "\n" + `{"rate":1,"loss":2}` + "\n" + `{"rate":0.1,"loss":NaN}`},
		{"a journal", "optuna", `{"op_code":0,"study_name":"s","directions":[1]}
{"op_code":0,"study_name":"other","directions":[1,2]}
{"op_code":4,"study_id":1,"state":1,"values":[1.0,NaN]}
{"op_code":4,"study_id":0,"datetime_start":"x"}
{"op_code":5,"trial_id":1,"param_name":"rate","param_value_internal":1.0,"distribution":` +
			`"{\"name\":\"FloatDistribution\",\"attributes\":{\"step\":null,\"low\":0.1,\"high\":1.0,\"log\":true}}"}
{"op_code":6,"trial_id":1,"state":1,"values":[2.0]}
{"op_code":4,"study_id":0,"state":1,"values":[NaN],"params":{"rate":0},"distributions":{"rate":` +
			`"{\"name\":\"CategoricalDistribution\",\"attributes\":{\"choices\":[0.1,NaN,Infinity]}}"},"user_attrs":{"x":[1,NaN]}}
`},
	} {
		got, err := Read(strings.NewReader(c.text), c.format, Options{Space: sp, Task: "t", Study: map[string]string{"optuna": "s"}[c.format]})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		want := []search.Trial{{Actions: []int{1}, Status: trainer.OK, Validation: 2, Metrics: map[string]float64{"loss": 2}},
			{Trial: 1, Actions: []int{0}, Status: trainer.Diverged, Reason: "its loss is NaN"}}
		if d := cmp.Diff(want, got.Trials); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
	for begin, want := range map[string]string{"SQLite format 3\x00": "copy_study", "PAR1": "Parquet", "PK\x03\x04": "Excel",
		"\x1f\x8b": "gzip", "\xff\xfer\x00": "UTF-8", "\xfd7zXZ\x00": "xz"} {
		for _, format := range Formats() {
			_, err := Read(strings.NewReader(begin+"\x00\n1,2\n"), format, Options{Space: sp})
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q as %s: %v, want %q", begin, format, err, want)
			}
		}
	}
}

// What cannot be taken as it stands is told, in words that say what to do.
func TestWhatIsToldOfFiles(t *testing.T) {
	const study = `{"op_code":0,"study_name":"s","directions":[1]}` + "\n"
	for _, c := range []struct {
		name, format, text string
		want, not          string
	}{
		{"semicolons", "csv", "rate;loss\n1;2\n", `parted by ";"`, "--columns"},
		{"a misspelt metric", "jsonl", `{"rate":1,"los":2}` + "\n", "no column for loss (looked for", "no trials"},
		{"twice", "jsonl", `{"params":{"rate":1},"choices":{"rate":0.1},"loss":2}` + "\n",
			"choice.rate is there twice, as choices.rate and as params.rate: leave one out", "no column"},
		{"a name twice", "jsonl", `{"rate":1,"loss":2}` + "\n" + `{"rate":1,"loss":0.5,"loss":NaN}` + "\n",
			`line 2: the field "loss" is there twice: leave one out`, "line 1"},
		{"a choice twice", "jsonl", `{"params":{"rate":1,"rate":0.1},"loss":2}` + "\n",
			`line 1: the field "params.rate" is there twice`, "no column"},
		{"null", "jsonl", "null\n", "line 1: no JSON object: it says nothing", "nil"},
		{"an array", "jsonl", "[1]\n", "line 1: no JSON object: it is of the type array", "Go"},
		{"a name in Latin-1", "csv", "rate,loss,task\n1,2,caf\xe9\n", `line 2: the task's name "caf?"`, "no trials"},
		{"a header in Latin-1", "csv", "rate,loss,metric.caf\xe9\n1,2,3\n", `the column "metric.caf?" is not UTF-8`, "no trials"},
		{"steps", "csv", "rate,loss,steps\n1,2,1e15\n", "0 to 1000000000000", "no trials"},
		{"an empty journal", "optuna", "", "the journal has no studies", `""`},
		{"no operation", "optuna", "{}\n", "line 1: no operation of Optuna's journal: it says nothing", "nil"},
		{"several objectives", "optuna", `{"op_code":0,"study_name":"s","directions":[1,2]}` + "\n", "--columns loss=values_0", "nil"},
		{"None", "optuna", study + `{"op_code":4,"study_id":0,"state":1,"value":1,"params":{"rate":0},"distributions":{"rate":` +
			`"{\"name\":\"CategoricalDistribution\",\"attributes\":{\"choices\":[null,1]}}"}}` + "\n",
			"rate is None, none of the options", "nothing for"},
	} {
		o := Options{Space: dialled(.1, 1.0)}
		if !strings.Contains(c.text, "task") {
			o.Task = "t"
		}
		_, err := Read(strings.NewReader(c.text), c.format, o)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), c.not) {
			t.Errorf("%s: %v; want %q, not %q", c.name, err, c.want, c.not)
		}
	}
}

// Numbers that differ in what arithmetic leaves in their last digits are one, unless two
// options are that near.
func TestOptionsAreFound(t *testing.T) {
	for _, c := range []struct {
		options []any
		v       any
		want    int
	}{
		{[]any{.1, .2, .3}, .30000000000000004, 2}, {[]any{.1, .2, .3}, "0.30000000000000004", 2}, {[]any{.1, .2, .3}, .3000001, -1},
		{[]any{.3, .30000000000000004}, .30000000000000004, 1}, {[]any{.3, .30000000000000004}, .30000000000000010, -1},
		{[]any{0.0, 1.5}, 1e-17, -1}, {[]any{int64(1), int64(2)}, 2.0, 1}, {[]any{int64(1), int64(2)}, "2.5", -1}, {[]any{"True", "x"}, true, 0},
		{[]any{"a", "b"}, nil, -1}, {[]any{true, false}, "False", 1}, {[]any{"0.1", "auto"}, .1, 0}, {[]any{.5}, math.NaN(), -1},
		{[]any{.5}, math.Inf(1), -1},
	} {
		if got := optionOf(c.options, c.v); got != c.want {
			t.Errorf("%v among %v is %d, want %d", c.v, c.options, got, c.want)
		}
	}
}

// Whole numbers are texts as they are written.
func TestNumbersAsTexts(t *testing.T) {
	got, err := Read(strings.NewReader(`{"rate":1000000,"loss":1,"task":1234567}`), "jsonl", Options{Space: dialled("10", "1000000")})
	if err != nil {
		t.Fatal(err)
	}
	if got.Tasks[0] != "1234567" || got.Trials[0].Actions[0] != 1 {
		t.Errorf("%+v", got)
	}
}

// A trial that is created of a study which was deleted is none, and takes no number from
// those that come after; an attribute that is called as the objective is does not displace
// the value; what was read does not hang on an order of maps.
func TestJournalsAreReplayedAsOptunaDoes(t *testing.T) {
	const journal = `{"op_code":0,"study_name":"gone","directions":[1]}
{"op_code":0,"study_name":"s","directions":[1]}
{"op_code":1,"study_id":0}
{"op_code":4,"study_id":0,"datetime_start":"x"}
{"op_code":4,"study_id":1,"datetime_start":"x"}
{"op_code":4,"study_id":1,"datetime_start":"x"}
{"op_code":8,"trial_id":0,"user_attr":{"loss":0.5}}
{"op_code":8,"trial_id":0,"user_attr":{"validation_loss":0.25}}
{"op_code":6,"trial_id":0,"state":1,"values":[7.0]}
{"op_code":6,"trial_id":1,"state":1,"values":[8.0]}
`
	got, err := Read(strings.NewReader(journal), "optuna", Options{Space: dialled(1.0)})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Trials) != 2 || got.Trials[0].Validation != 7 || got.Trials[1].Validation != 8 || got.Unfinished != 0 {
		t.Errorf("%+v", got)
	}
}

// Whatever a file holds, what is read of it are trials of the space.
func FuzzRead(f *testing.F) {
	l := made("x", space.Minimise, 2, 6)
	for format, write := range map[string]func(io.Writer, []Ledger) error{"csv": WriteCSV, "optuna": WriteOptuna} {
		var b bytes.Buffer
		if err := write(&b, []Ledger{l}); err != nil {
			f.Fatal(err)
		}
		f.Add(format, b.String())
	}
	f.Add("jsonl", `{"choices":{"layers":1,"width":16,"rate":1,"words":true,"kernel":"rbf"},"metrics":{"loss":1},"task_name":"t"}`)
	f.Fuzz(func(t *testing.T, format, text string) {
		got, err := Read(strings.NewReader(text), format, Options{Space: &l.Config.Space})
		if err != nil {
			return
		}
		for i, trial := range got.Trials {
			if err := l.Config.Space.Check(trial.Actions); err != nil || trial.Trial != i || trial.Task < 0 || trial.Task >= len(got.Tasks) {
				t.Fatalf("%+v: %v", trial, err)
			}
		}
	})
}

// Files of many columns, or studies, are read in the time that they take: each name is looked
// for among all the others once.
func TestFilesOfManyNames(t *testing.T) {
	const n, most = 60_000, 10 * time.Second
	var header, journal strings.Builder
	for i := range n {
		fmt.Fprintf(&header, "c%06d,", i)
		fmt.Fprintf(&journal, `{"op_code":0,"study_name":"s%06d","directions":[1]}`+"\n", i)
	}
	for format, file := range map[string]string{"csv": header.String() + "rate,loss\n", "optuna": journal.String()} {
		took := time.Hour
		for try := 0; try < 3 && took > most; try++ { // a busy machine
			begun := time.Now()
			if _, err := Read(strings.NewReader(file), format, Options{Space: dialled(1.0, 2.0)}); err == nil ||
				!strings.Contains(err.Error(), "no trials that have ended") {
				t.Fatal(err)
			}
			took = min(took, time.Since(begun))
		}
		if took > most {
			t.Errorf("%s: %d bytes take %s", format, len(file), took)
		}
	}
}
