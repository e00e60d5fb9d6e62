package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"tnaml/experiments/benchmark/simulate"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

// slope is a landscape where every later option is better, on a turned one's test split
// every earlier.
type slope struct {
	cancel func()
	turned bool
}

func (s slope) Look(actions []int, _ uint64) (trainer.Status, float64, float64) {
	if s.cancel != nil {
		s.cancel()
	}
	sum := 0
	for _, a := range actions {
		sum += a
	}
	if s.turned {
		return trainer.OK, float64(sum) / 30, 1 - float64(sum)/40
	}
	return trainer.OK, float64(sum) / 30, float64(sum) / 40
}

// bench runs the command on the tasks a and b, to develop, and x and y.
func bench(ctx context.Context, l slope, args ...string) (stdout, stderr string, err error) {
	var out, errs strings.Builder
	w := &simulate.World{
		Space:       space.Space{Name: "knobs", Trainer: "table", Objective: space.Objective{Metric: "score", Direction: space.Maximise}},
		Kind:        "table",
		Development: []string{"a", "b"}, Test: []string{"x", "y"}, Strategies: strategy.Builtin(),
		Landscape: func(string) (simulate.Landscape, error) { return l, nil },
	}
	for i := range 5 {
		c := space.Choice{Name: fmt.Sprint("knob", i), Options: []any{int64(1), int64(2), int64(3), int64(4)}}
		w.Space.Choices = append(w.Space.Choices, c)
	}
	t := &terminal.App{Process: terminal.Process{Stdout: &out, Stderr: &errs}}
	cmd := command(app{t, func(set string) (*simulate.World, error) {
		if set != "paper" {
			return nil, errors.New("no such benchmark")
		}
		return w, nil
	}})
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(args)
	err = cmd.ExecuteContext(ctx)
	return out.String(), errs.String(), err
}

func TestBench(t *testing.T) {
	arms := filepath.Join(t.TempDir(), "arms.yaml")
	const yaml = "pretrainings:\n  - {name: drawn, strategy: random, trials: 20}\narms:\n  - {name: plain, strategy: random}\n" +
		"  - {name: quick, settings: {policy_gradient: {learning_rate: 0.01}}, from: multitask}\n"
	if err := os.WriteFile(arms, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	small := []string{"--trials", "20", "--seeds", "3", "--pretrain-trials", "30", "--pretrain-seeds", "2"}
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"default": {nil, []string{"Benchmark paper: 2 tasks, 3 seeds, 240 trials.\n\n", "random", "naml", " 95 %  ",
			"by test value (p: sign test)"}},
		"three": {[]string{"--strategies", "random,naml,tpe"}, []string{"(p: Friedman; CD: ", "●",
			"20 trials, by test value: ", "20 trials, by how far they have come: "}},
		"pretrained": {
			[]string{"--strategies", "random,naml@multitask,slow=naml:paper", "--tasks", "development", "--by-task", "--against", "slow"},
			[]string{"Pretrained with 2 seeds, never on the target: multitask (naml, 30 trials of the development tasks).", "naml@multitask",
				"Mutual information of task and architecture in multitask: 0.0",
				"Against slow", "a: test value (best known 37.50, median random", "b: test value"},
		},
		"file":   {[]string{"--arms", arms, "--tasks", "x"}, []string{"plain", "quick", "Against plain"}},
		"shared": {[]string{"--strategies", "ablations", "--tasks", "y,a"}, []string{"single-architecture", "no-task-embedding"}},
		"paper's table": {
			[]string{"--baseline", "random", "--against", "naml"},
			[]string{"those of random have after 20", "ten best models after 20 trials", "less that of naml", " (100 %)"},
		},
		"paper's table before the end": {
			[]string{"--baseline", "random", "--at", "5", "--lag", "1"},
			[]string{"those of random have after 20", "ten best models after 5 trials"},
		},
		"one": {[]string{"--strategies", "random", "--at", "2,20"}, []string{"  2  ", " 20 ", "Trials until"}},
		"csv": {[]string{"--strategies", "random", "--csv"}, []string{"arm,task,seed,trials,validation", "random,y,3,20,"}},
	} {
		out, _, err := bench(t.Context(), slope{}, append(small, c.args...)...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, want := range c.want {
			if !strings.Contains(out, want) {
				t.Errorf("%s: %q is not in\n%s", name, want, out)
			}
		}
	}
	// The oracle knows the validation split: where the other is the contrary, the tables of
	// the two say so. By the latter its regret is (1 − .625)/(1 − .8).
	out, _, err := bench(t.Context(), slope{turned: true}, append(small, "--strategies", "random,all=oracle,oracle", "--against", "oracle")...)
	test, found, two := strings.Cut(out, "How far the searches have come")
	for _, c := range []struct{ in, want string }{
		{test, "oracle  1.87 ± 0.00"}, {test, "0/2/0 1.000"}, {test, "2/0/0"}, {found, "oracle  0.00 ± 0.00"},
		{found, "0/0/2"}, {found, "Against oracle: validation regret less"},
	} {
		if err != nil || !two || !strings.Contains(strings.Join(strings.Fields(c.in), " "), strings.Join(strings.Fields(c.want), " ")) {
			t.Errorf("%v: %q is not in %s", err, c.want, c.in)
		}
	}
	if strings.Contains(out, "Mean rank") {
		t.Errorf("one search and oracles are ranked: %s", out)
	}
	out, _, err = bench(t.Context(), slope{}, append(small, "--strategies", "random,oracle,tpe")...)
	ranked := regexp.MustCompile(`Mean rank[^\n]*\n\n[^\n]*\n[^\n]*\n +random +1\.[05]0 [^\n]*\n +oracle +– `)
	if err != nil || !ranked.MatchString(out) {
		t.Errorf("%v: %s", err, out)
	}
	file := filepath.Join(t.TempDir(), "out.csv")
	out, _, err = bench(t.Context(), slope{}, append(small, "--json", "--out", file)...)
	var p page
	if err != nil || json.Unmarshal([]byte(out), &p) != nil || p.Set != "paper" || len(p.Tasks[1].Arms[1].Searches) != 3 ||
		len(p.Figures.Comparisons) != 4 {
		t.Errorf("%v: %s", err, out)
	}
	view := filepath.Join(t.TempDir(), "out.html")
	if _, _, err := bench(t.Context(), slope{}, append(small, "--strategies", "random,naml,tpe", "--out", view)...); err != nil {
		t.Error(err)
	}
	ids := map[string]bool{}
	shown, err := os.ReadFile(view)
	for _, id := range regexp.MustCompile(` id="[^"]*"`).FindAllString(string(shown), -1) {
		if ids[id] {
			t.Errorf("%s is there twice", id)
		}
		ids[id] = true
	}
	if b := shown; err != nil || len(ids) < 2*2*4 || !strings.Contains(string(b), "Against random") ||
		strings.Count(string(b), "<details>") != 2*4+2-1 {
		t.Errorf("%v: %s", err, b)
	}
	if b, err := os.ReadFile(file); err != nil || strings.Count(string(b), "\n") != 1+2*2*3*4 {
		t.Errorf("%v: %s", err, b)
	}
}

// Everything wrong comes together, as wrong usage, and nothing is run.
func TestBadInput(t *testing.T) {
	arms := filepath.Join(t.TempDir(), "arms.yaml")
	const yaml = "pretrainings:\n  - {name: drawn, strategy: random}\narms:\n  - {name: learned, from: drawn}\n" +
		"  - {name: kin, strategy: kindred, from: drawn, settings: {nonsense: 1}}\n"
	wrong, never := filepath.Join(t.TempDir(), "wrong.yaml"), filepath.Join(t.TempDir(), "never.yaml")
	alone, twice := filepath.Join(t.TempDir(), "alone.yaml"), filepath.Join(t.TempDir(), "twice.yaml")
	loop := filepath.Join(t.TempDir(), "loop.yaml")
	directory := filepath.Join(t.TempDir(), "directory.html")
	if err := os.Mkdir(directory, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		alone: "pretrainings:\n  - {name: p, tasks: [a]}\n",
		twice: "pretrainings:\n  - {name: p, seed: 2}\n  - {name: p}\narms:\n  - {name: a, strategy: random}\n" +
			"  - {name: a, strategy: random}\nlists: {m: [],\n  a: [a],\n  tpe: [a]}\n",
		loop:  "lists: {l: [random, l]}\n",
		arms:  yaml + "lists: {broken: [learned, nobody]}\n",
		wrong: "pretrainings:\n  - {name: pre, strategy: random}\narms:\n  - {name: one, strategy: randm}\nlists: {li: [one]}\n",
		never: "pretrainings:\n  - {name: lost, strategy: fixed, settings: {architecture: {nonsense: 1}}}\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		args []string
		want []string
	}{
		{
			[]string{"--strategies", "randm,a=b=c,naml:fast,tnaml=naml@elsewhere", "--tasks", "test,z,zz", "--settings", "nobody={}",
				"--settings", "x",
				"--at", "5,3", "--against", "best", "--baseline", "naive", "--csv", "--out", "page.pdf", "--seeds", "0", "--lag", "0"},
			[]string{`unknown strategy or arm "randm" (strategies: random, `,
				"arms: transfer, no-task-embedding, single-architecture, warm-evolution; ",
				"lists of arms: ablations, default, ladder)", `"a=b=c" is no arm`, `no preset "fast"`, `no pretraining "elsewhere"`,
				`no task "z", "zz" (there are`, `no arm or pretraining "nobody"`, "it must be NAME=SETTINGS", "figures at [5 3]",
				`--against: "best" is none of the arms (there are: naml:fast, tnaml)`, `--baseline: "naive"`, "--out page.pdf",
				"--seeds is 0", "--lag is 0"},
		},
		// An arm that is wrong is told of once, and hides nothing else.
		{
			[]string{"--strategies", "lader", "--against", "lader", "--settings", "lader={}", "--tasks", "z", "--trials", "0",
				"--baseline", "nobody"},
			[]string{`unknown strategy or arm "lader"`, `no task "z"`, "--trials is 0", `--baseline: "nobody"`},
		},
		{[]string{"--trials", "-1", "--at", "5,3", "--pretrain-trials", "0"}, []string{"--trials is -1",
			"figures at [5 3]", "--pretrain-trials is 0"}},
		{[]string{"--arms", wrong, "--against", "one", "--tasks", "z"}, []string{`unknown strategy "randm"`, `no task "z"`}},
		{
			[]string{"--arms", wrong, "--strategies", "x=one,naml@pre,li", "--settings", "x={}", "--baseline", "x", "--tasks", "z"},
			[]string{`unknown strategy "randm"`, `no task "z"`},
		},
		{[]string{"--arms", arms, "--strategies", "broken"}, []string{`the list "broken": unknown strategy or arm "nobody"`}},
		{[]string{"--strategies", "random,tpe,random"}, []string{`"random" is there twice`}},
		{[]string{"--tasks", "x,x,test,x"}, []string{`targets: the task "x" is there twice`}},
		// What starts from a pretraining is checked before that is made.
		{
			[]string{"--strategies", "kindred,naml@multitask,transfer", "--settings", `kindred={"nonsense":1}`, "--settings", `transfer={"lr":1}`,
				"--settings", `naml@multitask={"controller":{"hidden":7}}`},
			[]string{`the arm "kindred": unknown field "nonsense"`, `the arm "transfer": unknown field "lr"`,
				`the arm "naml@multitask": controller.hidden is 7`},
		},
		{[]string{"--strategies", "random", "--lag", "200000"}, []string{`the arm "random": `, "a lag of 200000: it must lie between 1 and"}},
		{
			[]string{"--strategies", "fixed", "--settings", `fixed={"architecture":{"module":"x"}}`},
			[]string{`the arm "fixed": `, `no choice "module"`},
		},
		{[]string{"--arms", alone, "--strategies", "naml@p", "--tasks", "a,b"}, []string{"no task is left to pretrain on for the target a"}},
		{
			[]string{"--arms", twice},
			[]string{`line 2: the pretraining "p" has a "seed"`, `line 3: the pretraining "p" is there twice`, `line 6: the arm "a" is there twice`,
				`line 7: the list "m" is empty`, `line 8: the list "a" has the name of an arm`, `line 9: the list "tpe" has the name of a strategy`},
		},
		{[]string{"--arms", loop, "--strategies", "l"}, []string{`the list "l": "l" is a list itself`}},
		{[]string{"--strategies", "\x1b[31mr=random"}, []string{"it must be text in one line"}},
		{[]string{"--settings", "naml="}, []string{"it has no settings"}},
		{[]string{"--settings", `naml={"baseline":{"decay":0.1},"baseline":{"floor":0.2}}`}, []string{`the field "baseline" is there twice`}},
		{[]string{"--csv", "--baseline", "random"}, []string{"CSV has no table of --baseline"}},
		{[]string{"--out", directory}, []string{"it is a directory"}},
		{[]string{"--strategies", "fixed@multitask"}, []string{`the arm "fixed@multitask": the controller has embeddings of 2 tasks`}},
		{[]string{"--arms", never, "--strategies", "a=naml@lost,random"}, []string{`the pretraining "lost": `}},
		{[]string{"--arms", arms}, []string{`from the controller of "drawn", whose strategy random learns none`,
			`the arm "kin": unknown field "nonsense"`}},
		{[]string{"--strategies", "a=random,a=naml"}, []string{`two arms "a" that differ`}},
		{[]string{"--strategies", "ladder:paper"}, []string{`"ladder" is a list of arms`}},
		{[]string{"--json", "--csv"}, []string{"exclude each other"}},
		{[]string{"--out", "nowhere/b.html"}, []string{"there is no directory nowhere"}},
		{[]string{"--set", "papers"}, []string{"no such benchmark"}},
		{[]string{"--arms", "none.yaml"}, []string{"none.yaml: no such file"}},
		{[]string{"--settings", "naml={\"lr\":1}"}, []string{`the arm "naml"`, `"lr"`}},
		{[]string{"--settings", `naml={"lr" 1}`}, []string{`--settings naml={"lr" 1}: not valid JSON`, "at byte 7"}},
	} {
		out, _, err := bench(t.Context(), slope{}, c.args...)
		if err == nil || !errors.Is(err, client.ErrUsage) || out != "" {
			t.Errorf("%v: %v, %q", c.args, err, out)
			continue
		}
		for _, want := range c.want {
			if strings.Count(err.Error(), want) != 1 {
				t.Errorf("%v: %q is not once in: %v", c.args, want, err)
			}
		}
		for _, never := range []string{"--against: \"lader", "--against: \"one", "pretraining \"lader", "compared with", "no arms",
			"figures at [0]"} {
			if strings.Contains(err.Error(), never) {
				t.Errorf("%v: %q is in: %v", c.args, never, err)
			}
		}
	}
}

// Lists and what they have are united; an arm can have a preset, a pretraining and a name.
func TestArmsAreNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "arms.yaml")
	const own = "arms:\n  - {name: naml, settings: {policy_gradient: {learning_rate: 0.01}}}\nlists: {both: [naml, kindred, transfer]}\n"
	if err := os.WriteFile(file, []byte(own), 0o600); err != nil {
		t.Fatal(err)
	}
	small := []string{"--trials", "5", "--seeds", "2", "--pretrain-trials", "20", "--pretrain-seeds", "1", "--json"}
	const rate = `{"policy_gradient":{"learning_rate":0.01}}`
	for _, c := range []struct{ strategies, tasks, want string }{
		{"default,random,transfer", "test,x", "random naml transfer; x y"},
		{"transfer:paper,late=transfer@none,e=warm-evolution", "y,all", "transfer:paper late e; y a b x"},
		{"both,n=naml", "y", "naml kindred transfer n; y"},
	} {
		args := append(small, "--strategies", c.strategies, "--tasks", c.tasks)
		if strings.HasPrefix(c.strategies, "both") {
			args = append(args, "--arms", file)
		}
		out, _, err := bench(t.Context(), slope{}, args...)
		var p page
		if err != nil || json.Unmarshal([]byte(out), &p) != nil {
			t.Fatal(err)
		}
		var arms, tasks []string
		for _, a := range p.Arms {
			arms = append(arms, a.Name)
			fromNothing := a.Name == "late" || a.Strategy == a.Name && a.Name != "kindred" || a.Name == "n"
			settings := map[string]string{"transfer:paper": `"paper"`, "n": rate}[a.Name]
			if a.Name == "naml" && strings.HasPrefix(c.strategies, "both") {
				settings = rate
			}
			if (a.From == "") != fromNothing || string(a.Settings) != settings {
				t.Errorf("%+v, %s", a, a.Settings)
			}
		}
		for _, task := range p.Tasks {
			tasks = append(tasks, task.Name)
		}
		if got := strings.Join(arms, " ") + "; " + strings.Join(tasks, " "); got != c.want {
			t.Errorf("%s: %s, not %s", c.strategies, got, c.want)
		}
	}
}

// Of one seed, or of one task, nothing is known of what another would bring.
func TestWhatOneCannotTell(t *testing.T) {
	small := []string{"--trials", "20", "--baseline", "random"}
	for _, c := range []struct {
		args        []string
		want, never []string
	}{
		{[]string{"--seeds", "1", "--tasks", "x"}, []string{" ± –", "[–]", " – 1.000"}, []string{"± 0.00", "/0/", "first or tied"}},
		{[]string{"--seeds", "1"}, []string{" ± –", " – 1.000"}, []string{"[–]", "/0/", "first or tied"}},
		{[]string{"--seeds", "3", "--tasks", "x"}, []string{" ± –", "random first or tied", "1 of 1", "/0 1.000"}, []string{"[–]", " – 1.000"}},
		{[]string{"--seeds", "3"}, []string{"random first or tied", "2 of 2"}, []string{" ± –", "[–]", " – 1.000"}},
	} {
		out, _, err := bench(t.Context(), slope{}, append(small, c.args...)...)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range c.want {
			if !strings.Contains(out, want) {
				t.Errorf("%v: %q is not in\n%s", c.args, want, out)
			}
		}
		for _, never := range c.never {
			if strings.Contains(out, never) {
				t.Errorf("%v: %q is in\n%s", c.args, never, out)
			}
		}
	}
}

// The scale of a diagram has its last rank whole, and of many those that there is room for.
func TestDiagramScale(t *testing.T) {
	for n, want := range map[int]string{
		3: "1 2 3", 11: "1 2 3 4 5 6 7 8 9 10 11", 60: "1 3 5 7 10 13 16 19 22 26 29 32 35 39 42 45 48 51 55 58",
	} {
		var arms []string
		for i := range n {
			arms = append(arms, fmt.Sprintf("a%d=random", i))
		}
		out, _, err := bench(t.Context(), slope{}, "--trials", "2", "--seeds", "2", "--strategies", strings.Join(arms, ","))
		_, scale, _ := strings.Cut(out[strings.LastIndex(out, "Mean ranks"):], "\n\n")
		scale, _, _ = strings.Cut(scale, "\n")
		if err != nil || strings.Join(strings.Fields(scale), " ") != want {
			t.Errorf("%d arms: %v, %q", n, err, scale)
		}
	}
}

// Ctrl-C shows what is done, if anything is.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	looks := 0
	stop := slope{cancel: func() {
		if looks++; looks == 60_000 {
			cancel()
		}
	}}
	out, errs, err := bench(ctx, stop, "--strategies", "random", "--trials", "100", "--seeds", "10000", "--parallel", "1")
	if !errors.Is(err, terminal.ErrInterrupted) || !strings.Contains(errs, "of 10000 seeds") || !strings.Contains(out, "random") {
		t.Errorf("%v\n%s\n%s", err, errs, out)
	}
	looks = 60_000 - 10
	if out, _, err := bench(ctx, slope{}, "--trials", "100"); !errors.Is(err, terminal.ErrInterrupted) || out != "" {
		t.Errorf("%v\n%s", err, out)
	}
}
