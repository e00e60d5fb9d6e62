package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tnaml/experiments/metrics"
	"tnaml/experiments/search"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/space"
	"tnaml/experiments/study"
	"tnaml/experiments/trainer"
)

// ledger makes a study's ledger of a simulated search.
func ledger(s Search, phase study.Phase, task, arm string) study.Ledger {
	return study.Ledger{
		Phase: phase, Task: task, Arm: arm, Strategy: s.Config.Strategy, Seed: s.Config.Seed, Run: "small-1", Search: s.Name, Status: "completed",
		Config: s.Config, Budget: len(s.Trials), Trials: s.Trials, Costs: s.Costs,
	}
}

// experiment is a whole experiment as it might be: pretraining, two targets with
// two seeds, arms of the paper's and others, of which one target has more.
func experiment(t testing.TB) *study.Study {
	s := &study.Study{
		Experiment: "small", Description: "A simulated experiment.", FixedBudgets: map[string]int{"sms_spam": 50},
		Runs:  []study.Run{{Name: "small-1", Type: "Experiment", Status: "completed", Spec: `{"experiment":"small"}`}},
		Cards: []study.Card{{Task: "prog_opinion", Card: opinions.Card}},
	}
	s.Arms = []study.Arm{
		{Name: "random", Strategy: strategy.Random}, {Name: "naml", Strategy: strategy.NAML},
		{Name: "transfer", Strategy: strategy.NAML, From: "multitask"},
		{Name: "no-task-embedding", Strategy: strategy.NAML, From: "no-task-embedding"}, {Name: "ppo", Strategy: strategy.NAML},
		{Name: "unused", Strategy: strategy.NAML},
	}
	s.Baseline, s.Against = "random", "transfer"
	worlds := []world{{"airline", .81, .2}, {"us_economy", .7, .2}, {"sst", .8, .2}}
	pre := ledger(simulate(t, "small-1/pretrain/multitask/s1", strategy.NAML, 1, worlds, 300, 0), study.Pretrain, "", "multitask")
	pre.TaskEmbeddings = [][]float64{{1, 0}, {.6, .8}, {-1, 0}}
	pre.Information = &strategy.Information{
		Architecture: .71, Most: 1.585, Error: .02, Samples: 200, Choices: []strategy.ChoiceInformation{{Choice: "hidden_layers", Bits: .4}},
	}
	pre.Controller = "sha256:cc"
	pre.Greedy = greedy(&pre.Config.Space, 0, 12, 1)
	s.Ledgers = append(s.Ledgers, pre)
	for _, w := range []world{spam, opinion} {
		for seed := range uint64(2) {
			for head, arm := range s.Arms[:4] {
				sim := simulate(t, "small-1/transfer/"+w.name+"/"+arm.Name+"/s"+string(rune('1'+seed)), arm.Strategy, seed+1, []world{w}, 120,
					max(head-1, 0)*150)
				s.Ledgers = append(s.Ledgers, ledger(sim, study.Transfer, w.name, arm.Name))
			}
		}
	}
	for _, arm := range []string{"reinforce", "ppo"} { // one of them without a definition
		sim := simulate(t, "small-1/transfer/"+spam.name+"/"+arm+"/s1", strategy.NAML, 1, []world{spam}, 80, 0)
		s.Ledgers = append(s.Ledgers, ledger(sim, study.Transfer, spam.name, arm))
	}
	failed := study.Ledger{Phase: study.Transfer, Task: spam.name, Arm: "naml", Seed: 9, Search: "small-1/nine", Status: "failed",
		Reason: "no luck", Budget: 120}
	s.Ledgers = append(s.Ledgers, failed)
	s.Evaluations = []study.Evaluation{evaluated("prog_opinion", "small-1/a", 15),
		{Task: "sms_spam", Search: "small-1/b", Missing: "no object"}}
	s.Runs[0].Started, s.Runs[0].Seconds = "2026-11-24 07:12 UTC", 5000
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
		"Trials to the final validation accuracy-top10 of random search", "Test accuracy-top10 at a fixed budget",
		"transfer against each other arm",
		"the paper&#39;s figure", "4,815", "Validation accuracy-top10 at the end", "first ten trials",
		"Cosine similarity of the task embeddings", "0.60",
		"Mutual information of task and architecture: 0.71 ± 0.04 of at most 1.58 bits; by choice: hidden layers 0.40.",
		"greedy architecture", "no preference yet", "1 of 12",
		"Choice of the module over the trials", "ppo", "reinforce",
		"single-task search (naml) takes S = ", "Speed-up S of transfer over naml", "new tasks", "small-1/nine failed: no luck", "prog_opinion",
		"{&#34;experiment&#34;:&#34;small&#34;}",
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

// An arm that was parted has its run's name behind its own, whatever that is: nothing of it
// becomes markup, and an id has no blanks, where lists of ids have them.
func TestPartedArms(t *testing.T) {
	s := experiment(t)
	const name = `transfer of "><b id='x'>1</b>`
	for i := range s.Ledgers {
		if s.Ledgers[i].Arm == s.Against {
			s.Ledgers[i].Arm = name
		}
	}
	s.Against = name
	page := experimentPage(t, s)
	if strings.Contains(page, "<b id='x'>") {
		t.Error("a name became markup")
	}
	ids := regexp.MustCompile(`\bid="([^"]*)"`).FindAllStringSubmatch(page, -1)
	for _, id := range ids {
		if strings.ContainsAny(id[1], ` '<>&`) {
			t.Errorf("the id %q", id[1])
		}
	}
	if !strings.Contains(page, "-option-") {
		t.Error("there is no figure of an option")
	}
}

// The tables' figures against the study's, and the fixed budget.
func TestExperimentFigures(t *testing.T) {
	s := experiment(t)
	v, err := newExperimentView(s, "")
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Targets) != 2 || v.Targets[0].Fixed != 50 || v.Targets[1].Fixed != 120 {
		t.Fatalf("targets %+v", v.Targets)
	}
	var titles []string
	for _, table := range v.Tables {
		titles = append(titles, strings.SplitN(table.Title, " ", 3)[0]+" "+table.Columns[1].Name)
		// All arms that have searches, in their order, those without a definition last.
		if table.Columns[0].Name != "task" {
			continue
		}
		if got := columns(table.Table); got != "random naml transfer no-task-embedding ppo reinforce" {
			t.Errorf("%s: the columns are %s", table.Title, got)
		}
		for _, row := range table.Rows {
			marked := 0
			for _, c := range row {
				if c.Marked {
					marked++
				}
				if c.Marked && strings.HasPrefix(c.Text, ">") {
					t.Errorf("%s, %s: the fastest of those that got there did not", table.Title, row[0].Text)
				}
			}
			if marked == 0 && table.Marks != "" {
				t.Errorf("%s, %s: nothing is best", table.Title, row[0].Text)
			}
		}
	}
	const want = "Test budget, Test after trials, Validation budget, Trials budget, Mean budget, transfer wins, " +
		"Mean mean rank, What meta-overfitting"
	if got := strings.Join(titles, ", "); got != want {
		t.Errorf("tables %s", got)
	}
	// At the whole budget the fixed one is the end.
	for i, c := range v.Tables[1].Rows[1] {
		if end := v.Tables[0].Rows[1][i]; c.Text != end.Text || c.Marked != end.Marked {
			t.Errorf("%+v at the budget, %+v at the end", c, end)
		}
	}
	if c := v.Tables[3].Rows[0][2]; c.Paper != "4,815" || v.Tables[1].Rows[0][4].Paper != "98.1" {
		t.Errorf("the paper's figures: %+v, %+v", c, v.Tables[1].Rows[0][4])
	}
	trained := 0
	for _, c := range costs(s) {
		trained += c.Trained + c.Cached
	}
	if trained != v.Trials || v.Searches != len(s.Ledgers) || v.Saving.PretrainTasks != 3 {
		t.Errorf("%d trials with costs of %d, %d searches, %d pretraining tasks", trained, v.Trials, v.Searches, v.Saving.PretrainTasks)
	}
	// The reference arm is open, those that learn follow.
	var shown []string
	for _, o := range v.Targets[0].Options {
		shown = append(shown, fmt.Sprint(strings.Fields(o.Search)[0], o.Open))
	}
	if got := strings.Join(shown, " "); got != "transfer,true naml,false no-task-embedding,false ppo,false reinforce,false" {
		t.Errorf("options of %s", got)
	}
}

func columns(t Table) string {
	var out []string
	for _, c := range t.Columns[2:] {
		out = append(out, c.Name)
	}
	return strings.Join(out, " ")
}

// The marks of a table: the best, and what is not to be told from it.
func TestCells(t *testing.T) {
	row := study.Row{Task: "t", Budget: 50, Cells: []study.Cell{
		{Arm: "a", Models: 10, Test: metrics.Estimate{Mean: .9, Error: .02}, ToBaseline: 50, Reached: 1, Compared: 3,
			First: &metrics.Estimate{Mean: .5}},
		{Arm: "b", Models: 10, Test: metrics.Estimate{Mean: .885, Error: .001}, ToBaseline: 12.5, Reached: 3, Compared: 3},
		{Arm: "c", Models: 10, Test: metrics.Estimate{Mean: .87, Error: .1}},
		{Arm: "d"},
	}}
	got := estimates(row, scaleOf(&space.Space{}), func(c study.Cell) *metrics.Estimate { return &c.Test })
	want := []Cell{{Text: "90 ± 2", Marked: true}, {Text: "88.50 ± 0.10", Marked: true}, {Text: "87 ± 10", Marked: true},
		{Text: "no model"}}
	if !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	got = trialCells(row)
	want = []Cell{{Text: "> 50", Note: "1 of 3"}, {Text: "12.5", Note: "3 of 3", Marked: true}, {Text: "–"}, {Text: "–"}}
	if !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	if Tables(&study.Study{}) != nil {
		t.Error("tables of nothing")
	}
}

// An arm without any model has no figures: no table says 0 of it.
func TestArmWithoutModels(t *testing.T) {
	s := experiment(t)
	for i := range s.Ledgers {
		if l := &s.Ledgers[i]; l.Arm == "naml" {
			l.Trials = slices.Clone(l.Trials)
			for k := range l.Trials {
				l.Trials[k] = search.Trial{Trial: k, Actions: l.Trials[k].Actions, Status: trainer.Diverged, Reason: "it diverged"}
			}
		}
	}
	for _, table := range Tables(s) {
		at := slices.IndexFunc(table.Columns, func(c Column) bool { return c.Arm && c.Name == "naml" })
		for _, row := range table.Rows {
			if at >= 0 && row[at].Text != "no model" && row[at].Text != "–" && !strings.HasPrefix(row[at].Text, ">") {
				t.Errorf("%s: %+v", table.Title, row[at])
			}
			if table.Rows[0][0].Text != "" && row[0].Text == "naml" && strings.Contains(fmt.Sprint(row), "0.00") {
				t.Errorf("%s: %+v", table.Title, row)
			}
		}
	}
	experimentPage(t, s)
}

// A search that runs or was stopped is not shown as if it had come to its end: its figures
// stand with the number of its trials, and it is named.
func TestUnfinishedIsSaid(t *testing.T) {
	s := experiment(t)
	if Unfinished(s) != "" {
		t.Errorf("all have ended: %s", Unfinished(s))
	}
	for i := range s.Ledgers {
		if l := &s.Ledgers[i]; l.Arm == "naml" && l.Task == spam.name && l.Seed < 3 {
			l.Status, l.Trials = []string{"running", "stopped"}[l.Seed-1], l.Trials[:30*l.Seed]
		}
	}
	want := "Not at their end, and counted with the trials that they have:\n\n" +
		"small-1/transfer/sms_spam/naml/s1: running, 30 of 120 trials\nsmall-1/transfer/sms_spam/naml/s2: stopped, 60 of 120 trials"
	if got := Unfinished(s); got != want {
		t.Errorf("%s", got)
	}
	marked := 0
	for _, table := range Tables(s) {
		naml := slices.IndexFunc(table.Columns, func(c Column) bool { return c.Arm && c.Name == "naml" })
		for _, row := range table.Rows {
			for i, cell := range row {
				after := strings.Contains(cell.Note, "after 30")
				if after != (i == naml && row[0].Text == spam.name && table.Columns[1].Name != "") && strings.Contains(table.Title, "budget") {
					t.Errorf("%s: %s of %s: %+v", table.Title, table.Columns[i].Name, row[0].Text, cell)
				}
				if after {
					marked++
				}
			}
		}
	}
	if marked < 4 {
		t.Errorf("%d cells are marked", marked)
	}
	if page := experimentPage(t, s); !strings.Contains(page, "small-1/transfer/sms_spam/naml/s1: running, 30 of 120 trials\n") {
		t.Error("the page does not name what runs")
	}
}

// Another baseline and reference, and arms of other names: the words follow.
func TestTablesFollowTheArms(t *testing.T) {
	s := experiment(t)
	for i := range s.Ledgers {
		s.Ledgers[i].Arm = strings.NewReplacer("random", "dice", "transfer", "ours", "naml", "theirs").Replace(s.Ledgers[i].Arm)
	}
	s.Arms = []study.Arm{{Name: "theirs", Strategy: strategy.NAML}, {Name: "ours", Strategy: strategy.NAML},
		{Name: "dice", Strategy: strategy.Random}}
	s.Baseline, s.Against = "theirs", "ours"
	tables := Tables(s)
	if got := columns(tables[0]); got != "theirs ours dice no-task-embedding reinforce ppo" &&
		got != "theirs ours dice no-task-embedding ppo reinforce" {
		t.Errorf("columns %s", got)
	}
	if !strings.Contains(tables[3].Title, "accuracy-top10 of theirs,") ||
		!strings.HasPrefix(tables[5].Title, "ours against") || tables[5].Rows[0][0].Text != "theirs" {
		t.Errorf("titles %q, %q", tables[3].Title, tables[5].Title)
	}
	for _, table := range tables { // the paper's ablations are of its own arms
		if table.Rows[0][0].Text == "theirs" && slices.ContainsFunc(table.Rows[2], func(c Cell) bool { return c.Paper != "" }) {
			t.Errorf("the paper's figures beside %+v", table.Rows[2])
		}
	}
	page := experimentPage(t, s)
	if strings.Contains(page, "new tasks") || strings.Contains(page, "random search") {
		t.Error("ours starts from nothing, and theirs is no random search")
	}
	// Without a baseline nothing is counted to it.
	s.Baseline = ""
	for _, table := range Tables(s) {
		if strings.HasPrefix(table.Title, "Trials") {
			t.Error("trials to nothing")
		}
	}
	experimentPage(t, s)
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
	if err != nil || len(rows) != trials+1 || !strings.HasPrefix(rows[1][1], "pretrain multitask") {
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
	if err := json.Unmarshal(b.Bytes(), &back); err != nil || len(back.Table) != 2 || len(back.Table[0].Arms) != 6 ||
		len(back.Study.Ledgers) != len(s.Ledgers) {
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
	if err := WriteExperiment(&b, s, ""); err == nil || !strings.Contains(err.Error(), "it diverged with a validation accuracy of 7") ||
		!strings.Contains(err.Error(), "0 actions") {
		t.Errorf("a bad study: %v", err)
	}
	if b.Len() > 0 {
		t.Error("something was written")
	}
}
