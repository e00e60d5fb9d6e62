package metrics

import (
	"cmp"
	"slices"
)

// Runs are values of methods' runs on tasks, more being better: tasks × methods × seeds. The
// methods of a task have the same seeds.
type Runs [][][]float64

// RunComparison is a method beside another.
type RunComparison struct {
	// Gain is what the method is ahead by, with an interval that knows tasks and seeds; of
	// one task seeds alone.
	Gain Interval `json:"gain"`
	RunTest
	// Tally counts the tasks on which the method is better, not to be told from, or worse
	// than the other, by the interval of Tasks, which knows seeds: of a single seed all are
	// draws.
	Tally
	Tasks []Interval `json:"tasks"`
}

// RunTest is a method tested against another by the signs and sizes of their differences.
type RunTest struct {
	// Method is the method's index.
	Method int `json:"-"`
	// P is that of Wilcoxon's signed-rank test over the tasks, Holm the same adjusted for
	// the number of methods.
	P    float64 `json:"wilcoxon_p"`
	Holm float64 `json:"holm_p"`
	// Signs counts the tasks by what the method is ahead by in the mean over seeds,
	// however little it is.
	Signs Tally `json:"-"`
}

// Ranking ranks methods, task by task.
type Ranking struct {
	// Ranks are mean ranks over the tasks, in the order of the methods, 1 being the best.
	Ranks []float64 `json:"mean_ranks"`
	// P is that of Friedman's test: how likely ranks so far apart are of methods that do
	// not differ.
	Chi2 float64 `json:"friedman_chi2"`
	P    float64 `json:"friedman_p"`
	// Critical is Nemenyi's critical difference at the level .05: of methods whose mean
	// ranks are less apart nothing can be said (Demšar, 2006). It is 0, for none, of two
	// methods, which P compares, exactly, and of one.
	Critical float64 `json:"critical_difference,omitempty"`
}

// runsLevel is that of Nemenyi's difference, and of intervals; there are many of these,
// and so their bootstraps have fewer replicates.
const (
	runsLevel      = .05
	runsReplicates = 1000
)

// Rank ranks the methods, of each task by the mean over its seeds. There must be a task.
func (r Runs) Rank() Ranking { return Rank(r.means()) }

// Rank ranks methods by their scores, tasks × methods, more being better. There must be a task.
func Rank(scores [][]float64) Ranking {
	out := Ranking{Ranks: MeanRanks(scores)}
	out.Chi2, out.P = Friedman(scores)
	if methods := len(out.Ranks); methods > 2 {
		out.Critical = NemenyiDifference(methods, len(scores), runsLevel)
	}
	return out
}

// means are those over seeds, tasks × methods.
func (r Runs) means() [][]float64 {
	means := make([][]float64, len(r))
	for i, task := range r {
		for _, seeds := range task {
			means[i] = append(means[i], Mean(seeds).Mean)
		}
	}
	return means
}

// Against compares each other method with one: in the order of the methods, without it.
// There must be a task. Values of 1e77 and more, whose fourth powers overflow, are not to be
// compared.
func (r Runs) Against(one int) []RunComparison {
	// One task tells nothing of others: its interval is for itself.
	how := Bootstrap{Replicates: runsReplicates, Level: 1 - runsLevel, FixedTasks: len(r) == 1}
	fixed := how
	fixed.FixedTasks = true
	var out []RunComparison
	for _, test := range r.Tests(one) {
		c := RunComparison{RunTest: test}
		var tasks []PairedTask
		for _, methods := range r {
			var task PairedTask
			for s, v := range methods[test.Method] {
				task.Seeds = append(task.Seeds, Scores{A: Score{Value: v}, B: Score{Value: methods[one][s]}})
			}
			gain := PairedBootstrap([]PairedTask{task}, fixed)
			c.Add(gain.Outcome())
			tasks, c.Tasks = append(tasks, task), append(c.Tasks, gain)
		}
		if c.Gain = c.Tasks[0]; len(tasks) > 1 {
			c.Gain = PairedBootstrap(tasks, how)
		}
		out = append(out, c)
	}
	return out
}

// Tests tests each other method against one: in the order of the methods, without it.
// There must be a task.
func (r Runs) Tests(one int) (out []RunTest) {
	var p []float64
	means := r.means()
	for m := range r[0] {
		if m == one {
			continue
		}
		test := RunTest{Method: m}
		differences := make([]float64, len(r))
		for i, methods := range means {
			differences[i] = Difference(methods[m], methods[one])
			test.Signs.Add(Outcome(cmp.Compare(differences[i], 0)))
		}
		_, test.P = Wilcoxon(differences)
		p, out = append(p, test.P), append(out, test)
	}
	for i, adjusted := range Holm(p) {
		out[i].Holm = adjusted
	}
	return out
}

// Apart takes each run for a task of its own, with one seed.
func (r Runs) Apart() (out Runs) {
	for _, methods := range r {
		for s := range methods[0] {
			run := make([][]float64, len(methods))
			for m, seeds := range methods {
				run[m] = slices.Clone(seeds[s : s+1])
			}
			out = append(out, run)
		}
	}
	return out
}
