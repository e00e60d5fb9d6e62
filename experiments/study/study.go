// Package study is an experiment's outcome as data: the ledger of every search
// that the experiment ran, with what is needed to compare them. Reports and
// comparisons are functions of it.
package study

import (
	"cmp"
	"slices"

	"tnaml/experiments/data"
	"tnaml/experiments/metrics"
	"tnaml/experiments/search"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/experiments/yardstick"
)

// Phase is a part of an experiment.
type Phase string

// The phases.
const (
	// Pretrain: multitask searches that learn the controllers (§2.2).
	Pretrain Phase = "pretrain"
	// Transfer: one search for each target task, arm and seed (§2.3, §4).
	Transfer Phase = "transfer"
)

// Study is all that an experiment's report is made of.
type Study struct {
	// Experiment is the experiment's name; Description says what it is for.
	Experiment  string `json:"experiment"`
	Description string `json:"description,omitempty"`
	// Runs names the workflow runs whose searches are in here, oldest first:
	// siblings that differ in an edited seed, budget, task or arm.
	Runs []Run `json:"runs,omitempty"`
	// Arms are those of the runs, in the order of tables.
	Arms []Arm `json:"arms,omitempty"`
	// Baseline is the arm to whose final accuracy the others' trials are counted,
	// empty for none; Against the one that the others are compared with.
	Baseline string `json:"baseline,omitempty"`
	Against  string `json:"against,omitempty"`
	// Ledgers holds every search, in the order of Sort.
	Ledgers []Ledger `json:"ledgers"`
	// Cards describe the tasks; a task may lack one.
	Cards []Card `json:"cards,omitempty"`
	// FixedBudgets holds, for each target, the number of trials at which test
	// accuracies are compared (the B of Table 1, right).
	FixedBudgets map[string]int `json:"fixed_budgets,omitempty"`
	// Evaluations are those of the best models of targets, where models were kept.
	Evaluations []Evaluation `json:"evaluations,omitempty"`
	// Verdicts are those of the last benchmark, where there was one.
	Verdicts []Verdict `json:"verdicts,omitempty"`
}

// Run is one workflow run of the experiment.
type Run struct {
	// Name is the workflow ID, which Ledger.Run refers to.
	Name string `json:"name"`
	// Type is the workflow type: Experiment, Pretrain, Transfer or Benchmark.
	Type   string `json:"type"`
	Status string `json:"status"`
	Span
	// Spec is the run's input with all defaults filled in, as JSON.
	Spec string `json:"spec,omitempty"`
	// Simulated is a benchmark's, where it searches recorded tasks too.
	Simulated *Simulated `json:"simulated,omitempty"`
}

// Ledger is one search of an experiment.
type Ledger struct {
	Phase Phase `json:"phase"`
	// Task is the one task of the search, which has index 0 in Trials; empty in
	// the phase Pretrain, where Config.Tasks names them.
	Task string `json:"task,omitempty"`
	// Arm is the arm's name, in the phase Pretrain the pretraining's; Strategy is
	// what it searches with.
	Arm      string `json:"arm"`
	Strategy string `json:"strategy,omitempty"`
	Seed     uint64 `json:"seed"`
	// Run names the workflow run that started the search, Search the search.
	Run    string `json:"run,omitempty"`
	Search string `json:"search"`
	// Status is completed, stopped, canceled, failed or running; Reason says why it failed.
	// A search that could not begin has neither Config nor Trials.
	Status string        `json:"status"`
	Reason string        `json:"reason,omitempty"`
	Config search.Config `json:"config"`
	Span
	// Budget is the number of trials asked for; Trials may be fewer.
	Budget int            `json:"budget"`
	Trials []search.Trial `json:"trials"`
	// Costs are matched to trials by number; a trial may lack one.
	Costs []search.Cost `json:"costs,omitempty"`
	// Right holds, by trial, which examples models have right, where that was kept and
	// read.
	Right map[int]*trainer.Right `json:"-"`
	// From references the pretrained controller that the search started from,
	// empty for none; FromName is its name and version, where it has one.
	From     string `json:"from,omitempty"`
	FromName string `json:"from_name,omitempty"`
	// Sources is the search whose trials it learned from, if any.
	Sources string `json:"sources,omitempty"`
	// Controller references the controller that the search has learned.
	Controller string `json:"controller,omitempty"`
	// TaskEmbeddings are those of the learned controller, tasks × length, in the
	// order of Config.Tasks; nil for strategies and controllers without.
	TaskEmbeddings [][]float64 `json:"task_embeddings,omitempty"`
	// Information says how much the learned controller tells its tasks apart; nil where
	// it has no task embeddings, or one.
	Information *strategy.Information `json:"mutual_information,omitempty"`
	// Greedy holds the learned controller's greedy architecture for each task of
	// Config.Tasks; nil without a controller.
	Greedy []strategy.Greedy `json:"greedy_architectures,omitempty"`
}

// Card is a task's card.
type Card struct {
	Task string    `json:"task"`
	Card data.Card `json:"card"`
	// Yardsticks are what simple models have on the task; none where they were not trained.
	Yardsticks []yardstick.Result `json:"yardsticks,omitempty"`
}

// Sort puts the ledgers into their canonical order: by phase (pretrain,
// transfer), task in order of first appearance, arm as in Arms, then by
// appearance, seed, and run.
func (s *Study) Sort() {
	tasks, arms := map[string]int{}, map[string]int{}
	for i, a := range s.Arms {
		arms[a.Name] = i
	}
	for _, l := range s.Ledgers {
		if _, ok := tasks[l.Task]; !ok {
			tasks[l.Task] = len(tasks)
		}
		if _, ok := arms[l.Arm]; !ok {
			arms[l.Arm] = len(arms)
		}
	}
	phases := []Phase{Pretrain, Transfer}
	slices.SortStableFunc(s.Ledgers, func(a, b Ledger) int {
		return cmp.Or(
			cmp.Compare(slices.Index(phases, a.Phase), slices.Index(phases, b.Phase)),
			cmp.Compare(tasks[a.Task], tasks[b.Task]),
			cmp.Compare(arms[a.Arm], arms[b.Arm]),
			cmp.Compare(a.Seed, b.Seed),
			cmp.Compare(a.Run, b.Run),
		)
	})
}

// Objective is what the searches of the study optimise.
func (s *Study) Objective() space.Objective {
	sp := &space.Space{}
	for i := range s.Ledgers {
		if o := &s.Ledgers[i].Config.Space; o.Objective.Metric != "" {
			sp = o
			break
		}
	}
	return trainer.FillObjective(trainer.Find(sp.TrainerName()), sp.Objective)
}

// Tested says whether the searches' models were measured on a test split too, those of all
// searches that have any: with one search that was not, arms are compared by validation.
func (s *Study) Tested() bool {
	untested, tested := s.untested()
	return untested == nil && tested
}

// Untested is the first search with models that were not measured on the test split where others were,
// of this search or another; nil where all are alike.
func (s *Study) Untested() *Ledger {
	if untested, tested := s.untested(); tested {
		return untested
	}
	return nil
}

// untested is the first search with models that were not measured on the test split; tested says that
// models of any search were.
func (s *Study) untested() (first *Ledger, tested bool) {
	o := s.Objective()
	for _, l := range s.Select(Transfer, "", "") {
		untested, of := metrics.Untested(l.Trials, o)
		if first == nil && untested > 0 {
			first = l
		}
		tested = tested || untested < of
	}
	return first, tested
}

// ArmNames lists the arms that have searches, in the order of tables.
func (s *Study) ArmNames() []string {
	var out []string
	for _, a := range s.Arms {
		if len(s.Select(Transfer, "", a.Name)) > 0 {
			out = append(out, a.Name)
		}
	}
	for _, l := range s.Select(Transfer, "", "") {
		if !slices.Contains(out, l.Arm) {
			out = append(out, l.Arm)
		}
	}
	return out
}

// Arm returns an arm by its name; one that has searches but no definition has
// their strategy.
func (s *Study) Arm(name string) Arm {
	for _, a := range s.Arms {
		if a.Name == name {
			return a
		}
	}
	a := Arm{Name: name}
	for _, l := range s.Select(Transfer, "", name) {
		a.Strategy = cmp.Or(a.Strategy, l.Strategy, l.Config.Strategy)
	}
	return a
}

// failed says that a search could not be run to an end.
func (l *Ledger) failed() bool { return l.Status == "failed" || l.Status == "canceled" }

// Failed returns the searches that did not come to an end.
func (s *Study) Failed() (out []Ledger) {
	for _, l := range s.Ledgers {
		if l.failed() {
			out = append(out, l)
		}
	}
	return out
}

// Unfinished says that a search has trials to come, or would have: it runs, was stopped,
// canceled, or failed. One that reached its goal has completed.
func (l *Ledger) Unfinished() bool { return l.Status != "completed" && len(l.Trials) < l.Budget }

// Unfinished returns the searches of targets that run or were stopped.
func (s *Study) Unfinished() (out []Ledger) {
	for _, l := range s.Ledgers {
		if l.Phase == Transfer && l.Unfinished() && !l.failed() {
			out = append(out, l)
		}
	}
	return out
}

// Tasks lists the tasks of a phase in order of appearance; in the phase
// Pretrain those of the searches.
func (s *Study) Tasks(p Phase) []string {
	var out []string
	add := func(name string) {
		if name != "" && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	for i := range s.Ledgers {
		l := &s.Ledgers[i]
		if l.Phase != p {
			continue
		}
		add(l.Task)
		if p == Pretrain {
			for _, t := range l.Config.Tasks {
				add(t.Name)
			}
		}
	}
	return out
}

// Select returns the ledgers of a phase, task and arm, in order; an empty task
// or arm stands for all.
func (s *Study) Select(p Phase, task, arm string) []*Ledger {
	var out []*Ledger
	for i := range s.Ledgers {
		l := &s.Ledgers[i]
		if l.Phase == p && (task == "" || l.Task == task) && (arm == "" || l.Arm == arm) {
			out = append(out, l)
		}
	}
	return out
}
