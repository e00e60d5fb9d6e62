package library

import (
	"context"
	"slices"
	"strings"
	"testing"

	"tnaml/activities/store"
	"tnaml/experiments/catalog"
	"tnaml/experiments/search"
	"tnaml/experiments/study"
	"tnaml/experiments/trainer"
)

// A study has the searches of a run in the plan's order, however they ended, and
// the arms of several runs as the last has them.
func TestStudyInThePlansOrder(t *testing.T) {
	s := store.NewMemory()
	record := func(name string, arms []study.Arm, tasks ...string) {
		t.Helper()
		plan := Planned{Plan: catalog.Plan{Experiment: "e", Arms: arms, Baseline: arms[0].Name, Against: arms[1].Name}}
		for _, task := range tasks {
			for _, a := range arms {
				plan.Searches = append(plan.Searches, catalog.SearchStep{Task: task, Arm: a.Name, Seed: 1, Trials: 3, Strategy: a.Strategy})
			}
		}
		outcomes := plan.Outcomes(name)
		slices.Reverse(outcomes)
		for i := range outcomes {
			outcomes[i].Status, outcomes[i].Reason = "failed", "no luck"
		}
		ref, err := PutReport(t.Context(), s, &RunReport{Plan: plan, Outcomes: outcomes})
		if err != nil {
			t.Fatal(err)
		}
		entry := RunEntry{Name: name, RunID: name, Kind: catalog.KindTransfer, Status: "completed", Report: ref}
		if err := UpdateRun(t.Context(), s, "e", entry, func(*RunEntry) {}); err != nil {
			t.Fatal(err)
		}
	}
	a, b, c := study.Arm{Name: "a", Strategy: "naml"}, study.Arm{Name: "b", Strategy: "random"},
		study.Arm{Name: "c", Strategy: "naml", From: "x"}
	record("e-1", []study.Arm{a, b}, "first", "second")
	record("e-2", []study.Arm{c, b}, "first", "third")
	st, err := ReadStudy(t.Context(), s, "e")
	if err != nil {
		t.Fatal(err)
	}
	if got := st.Tasks(study.Transfer); !slices.Equal(got, []string{"first", "second", "third"}) {
		t.Errorf("tasks %v", got)
	}
	if got := st.ArmNames(); !slices.Equal(got, []string{"c", "b", "a"}) || st.Baseline != "c" || st.Against != "b" ||
		st.Arm("c").From != "x" {
		t.Errorf("arms %v, baseline %q, against %q", got, st.Baseline, st.Against)
	}
	if l := st.Ledgers[0]; l.Task != "first" || l.Arm != "c" || l.Strategy != "naml" || l.Run != "e-2" {
		t.Errorf("the first ledger: %+v", l)
	}
}

// The ten best models of a target's search bring which examples they have right, where
// it was stored; of other trials it is not read.
func TestStudyKnowsWhichExamplesAreRight(t *testing.T) {
	s := store.NewMemory()
	right := &trainer.Right{Validation: trainer.Bits{N: 3, Packed: []byte{0b101}}, Test: trainer.Bits{N: 2, Packed: []byte{0b10}}}
	ref, err := s.Put(t.Context(), right.Encode())
	if err != nil {
		t.Fatal(err)
	}
	l := study.Ledger{Phase: study.Transfer, Search: "s"}
	for i := range 12 {
		x := search.Trial{Trial: i, Status: trainer.OK, Reward: float64(i)}
		if i != 7 {
			x.Examples = string(ref)
		}
		l.Trials = append(l.Trials, x)
	}
	r := studyReader{s: s, out: &study.Study{Ledgers: []study.Ledger{l, {Phase: study.Pretrain, Trials: l.Trials}}}}
	if err := r.right(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := r.out.Ledgers[0].Right
	if len(got) != 9 || got[1] != nil || got[7] != nil || got[2] == nil || !got[11].Test.Has(1) || r.out.Ledgers[1].Right != nil {
		t.Errorf("%+v", r.out.Ledgers[0].Right)
	}
	// Of a reference that is the trainer's own, of an object that is gone or another's, and of bits
	// of another number of examples nothing is known: the ledger stays, and with it what reads it.
	module, err := s.Put(t.Context(), []byte("no examples"))
	if err != nil {
		t.Fatal(err)
	}
	right.Test = trainer.Bits{N: 9, Packed: []byte{1, 0}}
	other, err := s.Put(t.Context(), right.Encode())
	if err != nil {
		t.Fatal(err)
	}
	for i, examples := range []string{"examples/churn/17", "sha256:" + strings.Repeat("0", 64), string(module), string(other)} {
		r.out.Ledgers[0].Trials[10-i].Examples = examples
	}
	r.out.Ledgers[0].Right = nil
	err = r.right(t.Context())
	if got := r.out.Ledgers[0].Right; err != nil || len(got) != 6 || got[11] == nil || got[6] == nil {
		t.Errorf("%v, %v", got, err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.right(gone); err == nil || !strings.Contains(err.Error(), `search "s": trial 11`) {
		t.Errorf("a store that does not answer: %v", err)
	}
}

// Of a search that several runs have begun, the one counts that came to its end, else the
// one that is furthest: twice the same trials are no two seeds.
func TestSuperseded(t *testing.T) {
	l := func(run, status string, seed uint64, trials int) study.Ledger {
		return study.Ledger{
			Phase: study.Transfer, Task: "a", Arm: "naml", Seed: seed, Budget: 9, Run: run, Status: status, Trials: make([]search.Trial, trials),
		}
	}
	for _, c := range []struct {
		about string
		have  []study.Ledger
		want  string
	}{
		{"completed, though with fewer trials", []study.Ledger{l("1", "stopped", 1, 8), l("2", "completed", 1, 5)}, "2"},
		{"stopped, and begun anew", []study.Ledger{l("1", "stopped", 1, 4), l("2", "running", 1, 3)}, "1"},
		{"the new one is as far", []study.Ledger{l("1", "failed", 1, 4), l("2", "running", 1, 4)}, "2"},
		{"two seeds", []study.Ledger{l("1", "stopped", 1, 4), l("2", "running", 2, 3)}, "12"},
		{"two that completed", []study.Ledger{l("1", "completed", 1, 9), l("2", "failed", 1, 0), l("3", "completed", 1, 9)}, "13"},
	} {
		got := ""
		for _, l := range superseded(c.have) {
			got += l.Run
		}
		if got != c.want {
			t.Errorf("%s: runs %s, not %s", c.about, got, c.want)
		}
	}
}
