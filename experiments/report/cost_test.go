package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"tnaml/experiments/search"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/study"
)

// The paper's own Table 1: S compares single-task search with transfer, and its
// median is 22; at 268 s a trial and 500 trials, 250 for Brown, by hand.
func TestSavingOfThePaper(t *testing.T) {
	v := &saving{Arm: "transfer", Over: "naml", SingleTask: true, PretrainTasks: 8}
	for task, p := range paper.Tasks {
		b := 500
		if task == "brown_corpus" {
			b = 250
		}
		v.Targets = append(v.Targets, targetSaving{Task: task, Trials: float64(p.Trials["transfer"]), OverTrials: float64(p.Trials["naml"]),
			Reached: true, OverReached: true, Budget: b, TrialCPU: 268})
	}
	v.sum()
	if len(v.Targets) != 13 || v.Speedup != 1935./90 { // Global Warming is the seventh of 13
		t.Errorf("S = %v over %d targets", v.Speedup, len(v.Targets))
	}
	// In order: IMDB, Brown (250 trials), 20 Newsgroups, Cine, Emotion, Subj, and Corp Messaging in the middle.
	if want := 500 * 268 * (1 - 80./1510); math.Abs(v.Seconds-want) > 1e-6 {
		t.Errorf("saved %v s, want %v", v.Seconds, want)
	}
	if say := v.Say(); !strings.Contains(say, "S = 21.5") || !strings.Contains(say, "35.3 h") || strings.Contains(say, "Never") {
		t.Error(say)
	}
}

// Targets that an arm never reaches count as its budget, and are told.
func TestSavingByHand(t *testing.T) {
	s := &study.Study{Baseline: "random", Against: "transfer", Arms: []study.Arm{
		{Name: "random", Strategy: strategy.Random}, {Name: "naml", Strategy: strategy.NAML},
		{Name: "transfer", Strategy: strategy.NAML, From: "multitask"}, {Name: "fixed", Strategy: "fixed", From: "multitask"},
	}}
	add := func(task, arm string, seed uint64, n int, accuracy func(int) float64) {
		m := made(arm, task, seed, n, accuracy)
		s.Ledgers = append(s.Ledgers, study.Ledger{Phase: study.Transfer, Task: task, Arm: arm, Seed: seed, Status: "completed", Budget: n,
			Search: fmt.Sprint(task, arm, seed), Config: m.Config, Trials: m.Trials, Costs: m.Costs})
	}
	for task, starts := range map[string][2]int{"won": {30, 0}, "never": {1000, 10}, "lost": {0, 1000}} { // to .8 after 10 more
		add(task, "random", 1, 60, from(40, .8))
		add(task, "naml", 1, 60, from(starts[0], .8))
		add(task, "transfer", 1, 60, from(starts[1], .8))
	}
	pre := made("naml", "p", 1, 20, always(.8))
	pre.Config.Tasks = []search.Task{{Name: "p"}, {Name: "q"}}
	s.Ledgers = append(s.Ledgers, study.Ledger{Phase: study.Pretrain, Arm: "multitask", Config: pre.Config, Trials: pre.Trials})
	v := savings(s)
	got := map[string]string{}
	for _, x := range savingTable(v).Rows {
		got[x[0].Text] = fmt.Sprint(x[1].Text, " ", x[2].Text, " ", x[3].Text, " ", x[6].Text)
	}
	want := map[string]string{
		"won":   "40 10 4.0 45.0 min", // 60 · 1 min · (1 − 1/4)
		"never": "> 60 20 ≥ 3.0 40.0 min",
		"lost":  "10 > 60 ≤ 0.2 −5.0 h", // S = 1/6: 60 · (1 − 6) minutes
	}
	for task := range want {
		if got[task] != want[task] {
			t.Errorf("%s: %s, want %s", task, got[task], want[task])
		}
	}
	if v.Over != "naml" || v.Speedup != 3 || v.Never != 1 || v.OverNever != 1 || !near(v.Seconds, 2400) ||
		v.BreakEven != "3.0" { // 2/(1 − 1/3)
		t.Errorf("%+v", v)
	}
	if say := v.Say(); !strings.Contains(say, "by transfer on 1 of 3, by naml on 1.") {
		t.Error(say)
	}
	for i := range s.Ledgers { // transfer is slower everywhere
		if l := &s.Ledgers[i]; l.Arm == "naml" {
			l.Trials = made("naml", l.Task, 1, 60, from(0, .8)).Trials
		}
	}
	if v := savings(s); v.BreakEven != "never" || !strings.HasSuffix(v.Say(), "pretraining never pays.") {
		t.Errorf("%+v: %s", v, v.Say())
	}
	s.Ledgers = slices.DeleteFunc(s.Ledgers, func(l study.Ledger) bool { return l.Phase == study.Pretrain })
	if v := savings(s); v.PretrainTasks != 0 || v.BreakEven != "" { // published by another experiment
		t.Errorf("of a pretraining that is not there: %+v", v)
	}
	s.Against = "fixed" // no single-task arm of that strategy: not the paper's S
	if v := savings(s); v != nil {
		t.Errorf("compared with what is not there: %+v", v)
	}
	s.Against = "naml"
	if v := savings(s); v == nil || v.SingleTask || v.Over != "random" || v.PretrainTasks != 0 || strings.Contains(v.Say(), "S = ") ||
		!strings.HasPrefix(savingTable(v).Title, "Speed-up x of naml") {
		t.Errorf("what is not the paper's S is called so: %+v, %s", v, v.Say())
	}
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9*max(1, math.Abs(b)) }
