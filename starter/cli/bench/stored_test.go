package bench

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

// again runs bench show.
func again(t *testing.T, args ...string) (string, error) {
	var out strings.Builder
	cmd := ShowCommand(&terminal.App{Process: terminal.Process{Stdout: &out, Stderr: new(strings.Builder)}})
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

// What is shown of a stored result is what searching anew shows.
func TestShow(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "all.json")
	small := []string{"--trials", "20", "--seeds", "3", "--pretrain-trials", "10", "--at", "2,20"}
	const arms = "random,naml@multitask,tpe"
	if _, _, err := bench(t.Context(), slope{}, append(small, "--strategies", arms, "--out", file)...); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ anew, again []string }{
		{[]string{"--strategies", arms}, nil},
		{[]string{"--strategies", arms, "--against", "tpe", "--by-task"}, []string{"--against", "tpe", "--by-task"}},
		{[]string{"--strategies", arms, "--baseline", "random"}, []string{"--baseline", "random"}},
		{[]string{"--strategies", "tpe,random", "--tasks", "y"}, []string{"--arms", "tpe,random", "--tasks", "y"}},
		{[]string{"--strategies", "tpe,random", "--tasks", "y,x", "--csv"}, []string{"--arms", "tpe,random", "--tasks", "y,x", "--csv"}},
		{[]string{"--strategies", arms, "--json"}, []string{"--json"}},
	} {
		want, _, err := bench(t.Context(), slope{}, append(small, c.anew...)...)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := again(t, append(c.again, file)...); err != nil || got != want {
			t.Errorf("%v: %v\n%s\nwant\n%s", c.again, err, got, want)
		}
	}
}

func TestShowBadInput(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "good.json")
	if _, _, err := bench(t.Context(), slope{}, "--trials", "9", "--seeds", "2", "--strategies", "random,tpe", "--out", file); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	with := func(old, other string) string {
		out := strings.Replace(string(good), old, other, 1)
		if out == string(good) {
			t.Fatalf("%s is not in the file", old)
		}
		return out
	}
	for name, c := range map[string]struct {
		content string
		args    []string
		usage   bool
		want    []string
	}{
		"cut":          {content: string(good[:len(good)/2]), want: []string{"no results of a benchmark"}},
		"empty":        {content: "{}", want: []string{"it holds no searches"}},
		"of a list":    {content: "[1]", want: []string{"no results of a benchmark"}},
		"seeds":        {content: with(`"seeds":2`, `"seeds":3`), want: []string{"task x, arm random", "task y, arm tpe", "its 3 searches"}},
		"no seeds":     {content: with(`"seeds":2`, `"seeds":0`), want: []string{"it has 0 seeds"}},
		"other arm":    {content: with(`"arm":"tpe"`, `"arm":"naml"`), want: []string{`arm 2 is "naml", not "tpe"`}},
		"fewer arms":   {content: with(`"arms":[{"name":"random","strategy":"random"},`, `"arms":[`), want: []string{"has 2 arms of 1"}},
		"against":      {content: with(`"against":"random"`, `"against":"x"`), want: []string{`compares with "x"`}},
		"trials":       {content: with(`"trials":9`, `"trials":5`), want: []string{"figures at [1 3 9] of 5 trials"}},
		"arm":          {args: []string{"--arms", "random,nope,random"}, usage: true, want: []string{`no arm "nope"`, `"random" is there twice`}},
		"task":         {args: []string{"--tasks", "z"}, usage: true, want: []string{`no task "z" (there are: "x", "y")`}},
		"not shown":    {args: []string{"--arms", "tpe", "--against", "random"}, usage: true, want: []string{`"random" is none of the arms`}},
		"ending":       {args: []string{"--out", "x.pdf"}, usage: true, want: []string{"must end in .html"}},
		"no such file": {args: []string{}, want: []string{"no such file"}},
	} {
		name := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
		if len(c.args) > 0 {
			c.content = string(good)
		}
		if c.content != "" {
			if err := os.WriteFile(name, []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := again(t, append(c.args, name)...)
		for _, w := range c.want {
			if err == nil || errors.Is(err, client.ErrUsage) != c.usage || !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q is not in: %v", name, w, err)
			}
		}
	}
}
