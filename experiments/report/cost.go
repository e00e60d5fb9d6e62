package report

import (
	"fmt"
	"math"

	"tnaml/experiments/metrics"
	"tnaml/experiments/study"
)

// costRow is what an arm cost.
type costRow struct {
	Phase   study.Phase `json:"phase"`
	Arm     string      `json:"arm"`
	Trained int         `json:"trained"`
	Cached  int         `json:"cached"`
	// CPU is the sum over trained trials, Median and Mean those of a trial, in seconds.
	CPU    float64 `json:"cpu_seconds"`
	Median float64 `json:"median_cpu_seconds"`
	Mean   float64 `json:"mean_cpu_seconds"`
}

// costs sums what the arms and the pretrainings took.
func costs(s *study.Study) []costRow {
	type key struct {
		phase study.Phase
		arm   string
	}
	var out []costRow
	index := map[key]int{}
	var each [][]float64
	for i := range s.Ledgers {
		l := &s.Ledgers[i]
		k, ok := index[key{l.Phase, l.Arm}]
		if !ok {
			k = len(out)
			index[key{l.Phase, l.Arm}] = k
			out, each = append(out, costRow{Phase: l.Phase, Arm: l.Arm}), append(each, nil)
		}
		trained := trainedCPU(l)
		out[k].Cached += len(l.Costs) - len(trained)
		each[k] = append(each[k], trained...)
	}
	for k := range out {
		row := &out[k]
		for _, c := range each[k] {
			row.CPU += c
		}
		row.Trained, row.Mean, row.Median = len(each[k]), metrics.Mean(each[k]).Mean, metrics.Median(each[k])
	}
	return out
}

// trainedCPU is the CPU time of each trial of a search that was trained for it.
func trainedCPU(l *study.Ledger) (out []float64) {
	for _, c := range l.Costs {
		if !c.Cached {
			out = append(out, c.CPUSeconds)
		}
	}
	return out
}

// costTable shows what arms and pretrainings cost.
func costTable(costs []costRow) Table {
	t := Table{
		Title: "Costs",
		Note:  "CPU time of the trials trained for this experiment; a trial from the cache was trained before and costs nothing.",
		Columns: []Column{
			{Name: "phase"}, {Name: "arm"}, {Name: "trained", Number: true}, {Name: "from the cache", Number: true},
			{Name: "CPU time", Number: true}, {Name: "mean trial", Number: true}, {Name: "median", Number: true},
		},
	}
	for _, c := range costs {
		t.Rows = append(t.Rows, []Cell{
			{Text: string(c.Phase)}, {Text: c.Arm}, {Text: count(c.Trained)}, {Text: count(c.Cached)},
			{Text: duration(c.CPU)}, {Text: duration(c.Mean)}, {Text: duration(c.Median)},
		})
	}
	return t
}

// saving is what the arm that others are compared with saves, in the paper's terms
// (§4.1): S is another arm's trials to the baseline's best over its own, on each
// target, and a search that never got there counts as its budget.
type saving struct {
	// Arm is compared with Over: the single-task arm, where there is one, else the
	// baseline.
	Arm  string `json:"arm"`
	Over string `json:"over"`
	// SingleTask says that Over is the single-task arm: Speedup is the paper's S.
	SingleTask bool           `json:"single_task"`
	Targets    []targetSaving `json:"targets"`
	// Speedup and Seconds, the CPU time saved a target, are the medians over the
	// targets; Costed is the number of targets whose CPU time is known.
	Speedup float64 `json:"median_speedup"`
	Seconds float64 `json:"median_cpu_seconds_saved"`
	Costed  int     `json:"targets_with_cpu_time"`
	// Never and OverNever count the targets that the arm and the other one did not
	// reach in the median over seeds.
	Never     int `json:"never_reached"`
	OverNever int `json:"over_never_reached"`
	// PretrainTasks are those of the pretrainings, 0 where the arm starts from
	// none of the experiment's; BreakEven is the number of new tasks after which they have paid.
	PretrainTasks int    `json:"pretrain_tasks,omitempty"`
	BreakEven     string `json:"break_even,omitempty"`
}

// never is BreakEven where pretraining does not pay.
const never = "never"

// targetSaving is that of one target.
type targetSaving struct {
	Task string `json:"task"`
	// Trials and OverTrials are the medians over seeds of the trials that the two
	// arms needed; where Reached or OverReached is false, of budgets among them.
	Trials      float64 `json:"trials"`
	OverTrials  float64 `json:"over_trials"`
	Reached     bool    `json:"reached"`
	OverReached bool    `json:"over_reached"`
	Speedup     float64 `json:"speedup"`
	// Budget is the B and TrialCPU the T, the median CPU time of a trial on the task
	// in seconds, of the CPU time saved, Seconds = B·T·(1 − 1/S).
	Budget   int     `json:"budget"`
	TrialCPU float64 `json:"median_trial_cpu_seconds"`
	Seconds  float64 `json:"cpu_seconds_saved"`
}

// savings compares the arm that others are compared with with the single-task
// arm, or the baseline; nil where there is nothing to compare.
func savings(s *study.Study) *saving {
	v := &saving{Arm: s.Against, Over: s.SingleTask(s.Against)}
	v.SingleTask = v.Over != ""
	if !v.SingleTask {
		v.Over = s.Baseline
	}
	if s.Baseline == "" || v.Arm == v.Over || v.Arm == s.Baseline {
		return nil
	}
	for _, row := range s.Table() {
		x, over := row.Cell(v.Arm), row.Cell(v.Over)
		if x == nil || over == nil || x.Compared == 0 || over.Compared == 0 {
			continue
		}
		var cpu []float64
		for _, l := range s.Select(study.Transfer, row.Task, "") {
			cpu = append(cpu, trainedCPU(l)...)
		}
		v.Targets = append(v.Targets, targetSaving{
			Task: row.Task, Trials: x.ToBaseline, OverTrials: over.ToBaseline, Reached: x.Ends(), OverReached: over.Ends(),
			Budget: row.Fixed, TrialCPU: metrics.Median(cpu),
		})
	}
	if len(v.Targets) == 0 {
		return nil
	}
	v.sum()
	if s.Arm(s.Against).From == "" {
		return v
	}
	for _, l := range s.Select(study.Pretrain, "", "") {
		if len(l.Trials) > 0 {
			v.PretrainTasks = max(v.PretrainTasks, len(l.Config.Tasks))
		}
	}
	if v.PretrainTasks == 0 {
		return v // what it starts from was learned elsewhere
	}
	v.BreakEven = never
	if n := metrics.BreakEven(v.PretrainTasks, v.Speedup); !math.IsInf(n, 1) {
		v.BreakEven = fmt.Sprintf("%.1f", n)
	}
	return v
}

// sum fills in what follows from the targets' trials and costs.
func (v *saving) sum() {
	var speedups, seconds []float64
	for i := range v.Targets {
		t := &v.Targets[i]
		t.Speedup = metrics.Speedup(t.OverTrials, t.Trials)
		speedups = append(speedups, t.Speedup)
		if t.TrialCPU > 0 {
			t.Seconds = 3600 * metrics.CPUHoursSaved(t.Budget, t.TrialCPU/3600, t.Speedup)
			seconds = append(seconds, t.Seconds)
		}
		if !t.Reached {
			v.Never++
		}
		if !t.OverReached {
			v.OverNever++
		}
	}
	v.Speedup, v.Seconds, v.Costed = metrics.Median(speedups), metrics.Median(seconds), len(seconds)
}

// factor is what the speed-up is called: S is the paper's, over single-task search.
func (v *saving) factor() string {
	if v.SingleTask {
		return "S"
	}
	return "x"
}

// Say is the saving in sentences.
func (v *saving) Say() string {
	one := len(v.Targets) == 1
	over, targets := v.Over, fmt.Sprintf("in the median over the %d targets", len(v.Targets))
	if v.SingleTask {
		over = "single-task search (" + v.Over + ")"
	}
	if one {
		targets = "on the one target"
	}
	text := fmt.Sprintf("To the baseline’s best, %s takes %s = %.1f times the trials of %s, %s.", over, v.factor(), v.Speedup, v.Arm, targets)
	if v.Never+v.OverNever > 0 {
		text += fmt.Sprintf(" Never reached within the budget, and counted as the budget: by %s on %d of %d, by %s on %d.",
			v.Arm, v.Never, len(v.Targets), v.Over, v.OverNever)
	}
	if v.Costed > 0 {
		text += fmt.Sprintf(" CPU time saved a target, B·T·(1 − 1/%s): %s in the median.", v.factor(), duration(v.Seconds))
	}
	if v.PretrainTasks > 0 {
		text += fmt.Sprintf(" Without use for the models of the %d pretraining tasks themselves, pretraining ", v.PretrainTasks)
		if v.BreakEven == never {
			return text + "never pays."
		}
		text += fmt.Sprintf("has paid after %s new tasks, M/(1 − 1/%s).", v.BreakEven, v.factor())
	}
	return text
}

// times writes a factor to two digits.
func times(v float64) string {
	if v < 10 {
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

// savingTable shows the saving on each target.
func savingTable(v *saving) Table {
	t := Table{
		Title: fmt.Sprintf("Speed-up %s of %s over %s", v.factor(), v.Arm, v.Over),
		Note: "Trials to the baseline’s best validation value, median over seeds, at least the budget where a search never got there (>). " +
			"T: the median CPU time of a trial on the target; B: the trials of the fixed budget.",
		Columns: []Column{
			{Name: "target"}, {Name: v.Over, Number: true}, {Name: v.Arm, Number: true}, {Name: v.factor(), Number: true},
			{Name: "B", Number: true}, {Name: "T", Number: true}, {Name: "CPU time saved", Number: true},
		},
		Detail: true,
	}
	trials := func(n float64, reached bool) string {
		if !reached {
			return fmt.Sprintf("> %g", n)
		}
		return fmt.Sprintf("%g", n)
	}
	for _, x := range v.Targets {
		row := []Cell{{Text: x.Task}, {Text: trials(x.OverTrials, x.OverReached)}, {Text: trials(x.Trials, x.Reached)},
			{Text: bound(x.Reached, x.OverReached) + times(x.Speedup)}, {Text: count(x.Budget)}, {Text: "–"}, {Text: "–"}}
		if x.TrialCPU > 0 {
			row[5].Text, row[6].Text = duration(x.TrialCPU), duration(x.Seconds)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// bound says which way a speed-up may be off, since a search that never got there
// counts as its budget.
func bound(reached, overReached bool) string {
	switch {
	case reached && !overReached:
		return "≥ "
	case !reached && overReached:
		return "≤ "
	case !reached:
		return "≈ "
	}
	return ""
}
