package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tnaml/experiments/benchmark/compare"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

// compareWith runs bench compare.
func compareWith(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out, errs strings.Builder
	cmd := CompareCommand(&terminal.App{Process: terminal.Process{Stdout: &out, Stderr: &errs}})
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

// What bench says of its arms, the comparison of its CSV says too.
func TestCompareSaysTheSame(t *testing.T) {
	arms := []string{"--strategies", "random,tpe,evolution", "--trials", "20", "--seeds", "4", "--against", "tpe"}
	rows, _, err := bench(t.Context(), slope{}, append(arms, "--csv")...)
	if err != nil {
		t.Fatal(err)
	}
	text, _, err := bench(t.Context(), slope{}, append(arms, "--json")...)
	if err != nil {
		t.Fatal(err)
	}
	var p page
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "runs.csv")
	if err := os.WriteFile(file, []byte(rows), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err = compareWith(t, file, "--json", "--against", "tpe", "--over", "tasks", "--values", "regret,found_regret")
	if err != nil {
		t.Fatal(err)
	}
	var r compare.Result
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Values) != 2 || r.Runs != 8 || !r.Values[0].Lower || !r.Values[1].Lower {
		t.Fatalf("%+v", r)
	}
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-12 {
			t.Errorf("%s: %v, bench says %v", what, got, want)
		}
	}
	for v, judged := range []int{0, 1} {
		j := p.Figures.Judged
		if judged == 1 {
			j = p.Figures.Found
		}
		for k, at := range r.Values[v].At {
			for a, rank := range at.Ranks {
				near("rank", rank, j.Rankings[k].Ranks[a])
			}
			for i, c := range at.Comparisons {
				want := j.Comparisons[k*2+i]
				near("gain", c.Gain.Mean, want.Gain.Mean)
				near("its low end", c.Gain.Low, want.Gain.Low)
				near("Holm's p", c.Holm, want.Holm)
				if c.Arm != want.Arm || c.Tally != want.Tally {
					t.Errorf("%+v, bench says %+v", c, want)
				}
			}
		}
	}
	for _, c := range []struct{ args, want, never string }{
		{"--values regret", "8 runs of 2 tasks that all 3 arms have.\n\nregret (less is better): mean, and mean rank over runs\n", "in percent"},
		{"--values test --arms random,tpe --at 3,20", "test, in percent: runs won/tied/lost against random", "evolution"},
		{"--tasks x --over tasks", "with its 95 % interval over seeds (* p < 0.05, Wilcoxon–Holm over tasks)", "tasks and seeds"},
	} {
		out, err := compareWith(t, append([]string{file}, strings.Fields(c.args)...)...)
		if err != nil || !strings.Contains(out, c.want) || strings.Contains(out, c.never) {
			t.Errorf("%s: %v\n%s", c.args, err, out)
		}
	}
	words := filepath.Join(t.TempDir(), "words.csv")
	if err := os.WriteFile(words, []byte("arm,task,seed,trials,note\na,x,1,1,good\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{filepath.Join(t.TempDir(), "none.csv")}, "none.csv: no such file"},
		{[]string{file, file}, "is in line 2 of"},
		{[]string{words}, `note is "good", which is no number` + "\nwhere not all columns are figures, name those that are with --values"},
		{[]string{file, "--values", "speed"}, `it has no figure "speed" (it has "validation", "test", `},
		{[]string{file, "--arms", "rival"}, `no arm "rival" (there are: "random", "tpe", "evolution")`},
	} {
		out, err := compareWith(t, c.args...)
		missing := errors.Is(err, fs.ErrNotExist) // which is no wrong usage, as elsewhere
		if err == nil || errors.Is(err, client.ErrUsage) == missing || !strings.Contains(err.Error(), c.want) || out != "" {
			t.Errorf("%v: %v\n%s", c.args, err, out)
		}
	}
}

// The digits of figures go by their size, those of gains by theirs; shares are in percent.
func TestDigits(t *testing.T) {
	for most, want := range map[float64]string{
		0.123456: "0.1235", -1.23456: "-1.235", 12.3456: "12.35", 1234.56: "1234.6", 1e12: "1.000e+12", 2e-6: "2.000e-06", 0: "0.00",
	} {
		mean, gain, title := form(&compare.Value{Name: "speed", At: []compare.At{{Means: []float64{most, 0}}}})
		if got := mean(most); got != want || title != "speed" || gain(-0.001) != "0.00" {
			t.Errorf("%s: %s, want %s", title, got, want)
		}
	}
	for most, want := range map[float64]string{0.9: "90.00", 1.5: "1.500"} {
		mean, _, title := form(&compare.Value{Name: "test", At: []compare.At{{Means: []float64{most, 0}}}})
		if got := mean(most); got != want || strings.Contains(title, "in percent") != (most < 1) {
			t.Errorf("%s: %s, want %s", title, got, want)
		}
	}
}

// What is not compared is said, by whom it is lacked.
func TestCompareSaysWhatIsLeftOut(t *testing.T) {
	const rows = "arm,task,seed,trials,test\np\x1b[31m,x,1,10,.5\nb,x,1,10.0,.6\nb,x,2,10,.6\nb,x,1,100,.6\n"
	var out, errs strings.Builder
	for _, c := range []struct{ args, want string }{
		{"", "1 run of 1 task that all 2 arms have. Left out: 1 run (p·[31m lacks 1). " +
			"Not shown, as most runs lack them: figures after 100 trials."},
		{"--at=10", "(p·[31m lacks 1).\n"},
		{"--over=tasks", "– 1.000"},
		{"--arms=", "--arms is empty"},
	} {
		out.Reset()
		cmd := CompareCommand(&terminal.App{Process: terminal.Process{Stdout: &out, Stderr: &errs, Stdin: strings.NewReader(rows)}})
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		cmd.SetArgs(append([]string{"-"}, strings.Fields(c.args)...))
		err := cmd.ExecuteContext(t.Context())
		if !strings.Contains(fmt.Sprint(out.String(), err), c.want) || strings.Contains(out.String(), "\x1b") {
			t.Errorf("%s: %v\n%s", c.args, err, &out)
		}
	}
}
