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

// saving is what the arm that others are compared with saves.
type saving struct {
	// Arm needs Speedup times fewer trials than Baseline, in the median over the
	// targets; TrialCPU is the median CPU time of a trial in seconds, Hours the CPU
	// hours saved a target at the largest budget.
	Arm, Baseline            string
	Speedup, TrialCPU, Hours float64
	Budget                   int
	// PretrainTasks are those of the pretrainings, 0 where the arm starts from
	// none; BreakEven is the number of new tasks after which they have paid.
	PretrainTasks int
	BreakEven     string
}

// savings compares the baseline with the arm that others are compared with
// (§4.1); nil where there is nothing to compare.
func savings(s *study.Study) *saving {
	v := &saving{Arm: s.Against, Baseline: baselineWords(s)}
	var speedups, cpu []float64
	for _, row := range s.Table() {
		r, x := row.Cell(s.Baseline), row.Cell(s.Against)
		if r == nil || x == nil || s.Baseline == s.Against || !row.Ends(*x) || x.ToBaseline <= 0 {
			continue
		}
		needed := r.ToBaseline
		if r.Compared == 0 {
			needed = float64(row.Budget)
		}
		speedups = append(speedups, needed/x.ToBaseline)
		v.Budget = max(v.Budget, row.Budget)
	}
	if len(speedups) == 0 {
		return nil
	}
	for i := range s.Ledgers {
		cpu = append(cpu, trainedCPU(&s.Ledgers[i])...)
	}
	v.Speedup, v.TrialCPU = metrics.Median(speedups), metrics.Median(cpu)
	v.Hours = metrics.CPUHoursSaved(v.Budget, v.TrialCPU/3600, v.Speedup)
	if s.Arm(s.Against).From == "" {
		return v
	}
	for _, l := range s.Select(study.Pretrain, "", "") {
		if len(l.Trials) > 0 {
			v.PretrainTasks = max(v.PretrainTasks, len(l.Config.Tasks))
		}
	}
	v.BreakEven = "never"
	if n := metrics.BreakEven(v.PretrainTasks, v.Speedup); !math.IsInf(n, 1) {
		v.BreakEven = fmt.Sprintf("%.1f", n)
	}
	return v
}
