package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"tnaml/experiments/search/strategy"
	"tnaml/experiments/study"
)

// ledger makes a study's ledger of a simulated search.
func ledger(s Search, phase study.Phase, task, arm string) study.Ledger {
	return study.Ledger{
		Phase: phase, Task: task, Arm: arm, Seed: s.Config.Seed, Run: "small-1", Search: s.Name, Status: "completed",
		Config: s.Config, Budget: len(s.Trials), Trials: s.Trials, Costs: s.Costs,
	}
}

// experiment is a whole experiment as it might be: pretraining, two targets with
// two seeds, three arms and an ablation, and a comparison of policy gradients.
func experiment(t testing.TB) *study.Study {
	s := &study.Study{
		Experiment: "small", Description: "A simulated experiment.", FixedBudgets: map[string]int{"sms_spam": 50},
		Runs:  []study.Run{{Name: "small-1", Type: "Experiment", Status: "completed", Spec: `{"experiment":"small"}`}},
		Cards: []study.Card{{Task: "prog_opinion", Card: opinions.Card}},
	}
	pre := ledger(simulate(t, "small-1/pretrain/transfer/s1", strategy.NAML, 1, []world{{"airline", .81, .2}, {"us_economy", .7, .2}, {"sst", .8, .2}}, 300, 0), study.Pretrain, "", study.ArmTransfer)
	pre.TaskEmbeddings = [][]float64{{1, 0}, {.6, .8}, {-1, 0}}
	pre.Controller = "sha256:cc"
	s.Ledgers = append(s.Ledgers, pre)
	for _, w := range []world{spam, opinion} {
		for seed := range uint64(2) {
			for head, arm := range []string{study.ArmRandom, study.ArmNAML, study.ArmTransfer, study.ArmNoTaskEmbedding} {
				by := strategy.NAML
				if arm == study.ArmRandom {
					by = strategy.Random
				}
				sim := simulate(t, "small-1/transfer/"+w.name+"/"+arm+"/s"+string(rune('1'+seed)), by, seed+1, []world{w}, 120, max(head-1, 0)*150)
				s.Ledgers = append(s.Ledgers, ledger(sim, study.Transfer, w.name, arm))
			}
		}
	}
	for _, method := range []string{"reinforce", "ppo"} {
		s.Ledgers = append(s.Ledgers, ledger(simulate(t, "small-1/policy/"+method, strategy.NAML, 1, []world{spam}, 80, 0), study.Policy, spam.name, method))
	}
	failed := study.Ledger{Phase: study.Transfer, Task: spam.name, Arm: study.ArmNAML, Seed: 9, Search: "small-1/nine", Status: "failed", Reason: "no luck", Budget: 120}
	s.Ledgers = append(s.Ledgers, failed)
	s.Sort()
	return s
}

func experimentPage(t testing.TB, s *study.Study) string {
	t.Helper()
	var b bytes.Buffer
	if err := WriteExperiment(&b, s, "24 November 2026"); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestExperimentGolden(t *testing.T) {
	page := experimentPage(t, experiment(t))
	golden(t, "experiment.html", page)
	if page != experimentPage(t, experiment(t)) {
		t.Error("equal studies, different pages")
	}
}

// The page has every part, is well formed, and needs nothing from elsewhere.
func TestExperimentPage(t *testing.T) {
	page := experimentPage(t, experiment(t))
	for _, want := range []string{
		"Trials to random search&#39;s best", "Test accuracy-top10 at a fixed budget", "The full method against each other arm", "the paper&#39;s trials", "4,815",
		"Cosine similarity of the task embeddings", "0.60", "modal architecture", "Choice of the module over the trials", "Policy gradients", "reinforce",
		"times fewer trials than random search", "new tasks", "small-1/nine failed: no luck", "prog_opinion", "{&#34;experiment&#34;:&#34;small&#34;}",
	} {
		if !strings.Contains(page, want) && !strings.Contains(page, strings.ReplaceAll(want, "&#39;", "'")) {
			t.Errorf("%q is not in the page", want)
		}
	}
	for _, bad := range []string{"http://", "https://", "<script", "NaN", "%!"} {
		if strings.Contains(strings.ReplaceAll(page, "http://www.w3.org/2000/svg", ""), bad) {
			t.Errorf("%q is in the page", bad)
		}
	}
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict = true
	d.Entity = xml.HTMLEntity
	ids := map[string]bool{}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok {
			for _, a := range e.Attr {
				if a.Name.Local == "id" {
					if ids[a.Value] {
						t.Errorf("two elements are %q", a.Value)
					}
					ids[a.Value] = true
				}
			}
		}
	}
}

// The tables' figures against the study's, and the fixed budget.
func TestExperimentFigures(t *testing.T) {
	s := experiment(t)
	v, err := newExperimentView(s, "")
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Targets) != 2 || v.Targets[0].Fixed != 50 || v.Targets[1].Fixed != 120 || !v.Paper {
		t.Fatalf("targets %+v", v.Targets)
	}
	for _, target := range v.Targets {
		bold := 0
		for _, c := range target.Cells {
			if c.Bold {
				bold++
			}
			if c.Fastest && !c.Ends {
				t.Errorf("%s, %s: the fastest of those that got there did not", target.Task, c.Arm)
			}
		}
		if bold == 0 {
			t.Errorf("%s: nothing is best", target.Task)
		}
	}
	// At the whole budget the fixed one is the end.
	for _, c := range v.Targets[1].Cells {
		if c.AtFixed != c.Test {
			t.Errorf("%s: %+v at the budget, %+v at the end", c.Arm, c.AtFixed, c.Test)
		}
	}
	trained := 0
	for _, c := range v.Costs {
		trained += c.Trained + c.Cached
	}
	if trained != v.Trials || v.Searches != len(s.Ledgers) || v.PretrainTasks != 3 {
		t.Errorf("%d trials with costs of %d, %d searches, %d pretraining tasks", trained, v.Trials, v.Searches, v.PretrainTasks)
	}
}

func TestExperimentData(t *testing.T) {
	s := experiment(t)
	var b bytes.Buffer
	if err := WriteExperimentCSV(&b, s); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	trials := 0
	for _, l := range s.Ledgers {
		trials += len(l.Trials)
	}
	if err != nil || len(rows) != trials+1 || !strings.HasPrefix(rows[1][1], "pretrain transfer") {
		t.Errorf("%d lines for %d trials, %v", len(rows), trials, err)
	}
	b.Reset()
	if err := WriteExperimentJSON(&b, s); err != nil {
		t.Fatal(err)
	}
	var back struct {
		Table []struct {
			Task string
			Arms []study.Cell
		}
		Study study.Study
	}
	if err := json.Unmarshal(b.Bytes(), &back); err != nil || len(back.Table) != 2 || len(back.Table[0].Arms) != 4 || len(back.Study.Ledgers) != len(s.Ledgers) {
		t.Errorf("%+v, %v", back.Table, err)
	}
}

// What is wrong is refused before anything is written.
func TestExperimentRefuses(t *testing.T) {
	var b bytes.Buffer
	if err := WriteExperiment(&b, &study.Study{Experiment: "empty"}, ""); err == nil || !strings.Contains(err.Error(), `"empty"`) {
		t.Errorf("an empty study: %v", err)
	}
	s := experiment(t)
	s.Ledgers[1].Trials[3].Validation = 7
	s.Ledgers[2].Trials[4].Actions = nil
	if err := WriteExperiment(&b, s, ""); err == nil || !strings.Contains(err.Error(), "7 is not in") || !strings.Contains(err.Error(), "0 actions") {
		t.Errorf("a bad study: %v", err)
	}
	if b.Len() > 0 {
		t.Error("something was written")
	}
}
