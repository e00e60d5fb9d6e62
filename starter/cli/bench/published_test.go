package bench

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tnaml/nn/blas"
	"tnaml/starter/cli/terminal"
)

var update = flag.Bool("update", false, "rewrite the golden file")

// What searches find, and what controllers learn before them, is published in the pages of
// experiments/benchmark, by commands that take minutes to hours. These are small ones of the
// same: whoever changes what they print, be it by a rounding, has other pages to write, and
// would not know.
func TestPublished(t *testing.T) {
	if testing.Short() || blas.Vectors() == "none" {
		t.Skip("the figures are of amd64 with FMA, and take half a minute")
	}
	arms := filepath.Join(t.TempDir(), "arms.yaml")
	const methods = `pretrainings:
  - {name: reinforce, settings: {policy_gradient: {entropy: 0.03}}}
  - {name: ppo, settings: {preset: paper, policy_gradient: {method: ppo}}}
  - {name: urex, settings: {preset: paper, policy_gradient: {method: urex}}}
  - {name: pqt, settings: {policy_gradient: {method: pqt}}}
  - {name: rspg, settings: {policy_gradient: {method: rspg}}}
arms:
  - {name: reinforce, strategy: naml, from: reinforce}
  - {name: ppo, strategy: naml, settings: {policy_gradient: {method: ppo}}, from: ppo}
  - {name: urex, strategy: naml, settings: {policy_gradient: {method: urex}}, from: urex}
  - {name: pqt, strategy: naml, settings: {policy_gradient: {method: pqt}}, from: pqt}
  - {name: rspg, strategy: naml, settings: {policy_gradient: {method: rspg}}, from: rspg}
`
	if err := os.WriteFile(arms, []byte(methods), 0o600); err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, args := range []string{
		"--strategies ladder,guided@multitask --tasks corp_messaging,prog_opinion --trials 30 --pretrain-trials 1000 --at 3,30",
		"--strategies ladder --set text --tasks sms_spam --trials 12 --pretrain-trials 1000 --at 12",
		"--strategies ablations --tasks customer_reviews --trials 30 --pretrain-trials 1000 --at 30",
		"--arms " + arms + " --tasks customer_reviews --trials 30 --pretrain-trials 1000 --at 30",
	} {
		cmd := Command(&terminal.App{Process: terminal.Process{Stdout: &got, Stderr: new(strings.Builder)}})
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		cmd.SetArgs(append(strings.Fields(args), "--seeds", "2", "--pretrain-seeds", "2", "--lag", "1", "--csv"))
		if err := cmd.ExecuteContext(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	golden := filepath.Join("testdata", "published.csv")
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")); diff != "" {
		t.Errorf("searches find other things than what experiments/benchmark/*.md and README.md tell of them. If that is meant, "+
			"run the commands there again, of the arms that differ, write what they say now, and rewrite this file (-update):\n%s", diff)
	}
}
