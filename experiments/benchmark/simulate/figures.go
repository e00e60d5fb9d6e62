package simulate

import (
	"cmp"
	"math"
	"slices"

	"tnaml/experiments/metrics"
)

// Figures are what a result says of its arms, each at each of Result.Budgets.
type Figures struct {
	Arms []ArmFigures `json:"arms"`
	// Judged goes by the test value of the model that is best on the validation split, of
	// each task the mean over its seeds.
	Judged
	// Found goes by that model's At.Mean: by what a search can find.
	Found Judged `json:"found"`
}

// Judged compares arms by one figure of their searches.
type Judged struct {
	// By names the figure.
	By          string       `json:"by"`
	Rankings    []Ranking    `json:"rankings"`
	Comparisons []Comparison `json:"comparisons"`
	// Leads counts, at each budget, the tasks on which the arm that all are compared with
	// is first or tied: no other search is better (Comparison.Tally). An oracle is none. It
	// is empty where there is one seed.
	Leads []int `json:"first_or_tied,omitempty"`
}

// Ranked says that there are arms to tell apart by their ranks.
func (j *Judged) Ranked() bool { return len(j.Rankings[0].Order()) > 1 }

// ArmFigures are those of an arm, over all tasks and seeds.
type ArmFigures struct {
	Arm     string  `json:"arm"`
	At      []Means `json:"at"`
	Targets []Reach `json:"targets"`
}

// Means are the means over tasks of what At has of a search.
type Means struct {
	Trials int `json:"trials"`
	// Regret is the normalised regret on the test split (Scale), with the 2 s.e.m. across
	// tasks, Found that of At.Mean on the validation split; the others are in the
	// objective's own values.
	Regret metrics.Estimate `json:"regret"`
	Found  metrics.Estimate `json:"found"`
	At
}

// Reach says how long it took to get to a target: until the model that is best on the
// validation split is one whose mean validation over seeds lies Share of the way from
// the median random configuration to the best known.
type Reach struct {
	Share float64 `json:"share"`
	// Median is that of the trials over all searches, 0 where half of them or fewer got
	// there; Reached of Searches did.
	Median   float64 `json:"median_trials,omitempty"`
	Reached  int     `json:"reached"`
	Searches int     `json:"searches"`
}

// shares are the targets.
var shares = []float64{.75, .9, .95, .99}

// Ranking ranks the arms that search, task by task: an oracle, which is first by its
// nature, would make any of them differ.
type Ranking struct {
	Trials int `json:"trials"`
	// Ranks are mean ranks over the tasks, in the order of the arms, 1 being the best; 0 of
	// an oracle.
	Ranks []float64 `json:"mean_ranks"`
	// P is that of Friedman's test: how likely ranks so far apart are of arms that do not
	// differ.
	Chi2 float64 `json:"friedman_chi2"`
	P    float64 `json:"friedman_p"`
	// Critical is Nemenyi's critical difference at the level .05: of arms whose mean ranks
	// are less apart nothing can be said (Demšar, 2006).
	Critical float64 `json:"critical_difference,omitempty"`
}

// Order lists the arms that are ranked, the best first.
func (r *Ranking) Order() (order []int) {
	for a, rank := range r.Ranks {
		if rank > 0 {
			order = append(order, a)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(r.Ranks[a], r.Ranks[b]) })
	return order
}

// level is that of Nemenyi's difference, and of intervals.
const level = .05

// Comparison is an arm beside the one that all are compared with.
type Comparison struct {
	Arm    string `json:"arm"`
	Trials int    `json:"trials"`
	// Gain is the other's normalised regret less the arm's, with an interval that
	// knows tasks and seeds; of one task seeds alone.
	Gain metrics.Interval `json:"gain"`
	// P is that of Wilcoxon's signed-rank test over the tasks, Holm the same adjusted for
	// the number of arms.
	P    float64 `json:"wilcoxon_p"`
	Holm float64 `json:"holm_p"`
	// Tally counts the tasks on which the arm is better, not to be told from, or worse
	// than the other, by the interval of Tasks, which knows seeds: of a single seed all are
	// draws.
	metrics.Tally
	Tasks []metrics.Interval `json:"tasks"`
}

// replicates are those of a bootstrap: there are many of them.
const replicates = 1000

// Figures computes them; there must be a seed.
func (r *Result) Figures() *Figures {
	f := &Figures{}
	for a := range r.Arms {
		one := ArmFigures{Arm: r.Arms[a].Name}
		for k := range r.Budgets {
			one.At = append(one.At, r.means(a, k))
		}
		for _, share := range shares {
			one.Targets = append(one.Targets, r.reach(a, share))
		}
		f.Arms = append(f.Arms, one)
	}
	f.Judged, f.Found = r.judged("test value", (*Task).regret), r.judged("how far they have come", (*Task).found)
	return f
}

// score is a figure of a search of a task at a budget.
type score func(t *Task, at At) float64

// regret is by the test value, found by what validation says without luck.
func (t *Task) regret(at At) float64 { return t.Test.Regret(at.Test) }
func (t *Task) found(at At) float64  { return t.Validation.Regret(at.Mean) }

// scores are those of an arm's searches, one a seed, at a budget.
func (t *Task) scores(arm, budget int, of score) (out []float64) {
	for _, s := range t.Arms[arm].Searches {
		out = append(out, of(t, s.At[budget]))
	}
	return out
}

// judged compares the arms by a regret.
func (r *Result) judged(name string, by score) Judged {
	j := Judged{By: name}
	reward := func(t *Task, at At) float64 { return -by(t, at) }
	for k := range r.Budgets {
		comparisons := r.compare(k, reward)
		j.Rankings, j.Comparisons = append(j.Rankings, r.ranking(k, reward)), append(j.Comparisons, comparisons...)
		if r.Seeds > 1 { // of one nothing is known
			j.Leads = append(j.Leads, r.leads(comparisons))
		}
	}
	return j
}

// leads counts the tasks on which no search of the comparisons is better.
func (r *Result) leads(comparisons []Comparison) (n int) {
	for task := range r.Tasks {
		if !slices.ContainsFunc(comparisons, func(c Comparison) bool {
			return c.Tasks[task].Outcome() == metrics.Win && r.Arms[r.index(c.Arm)].Strategy != Oracle
		}) {
			n++
		}
	}
	return n
}

// Mean is the mean over seeds of an arm's searches at a budget.
func (t *Task) Mean(arm, budget int) (mean At) {
	searches := t.Arms[arm].Searches
	n := float64(len(searches))
	for _, s := range searches {
		at := s.At[budget]
		mean.Validation += at.Validation / n
		mean.Test += at.Test / n
		mean.Mean += at.Mean / n
		mean.TopValidation += at.TopValidation / n
		mean.TopTest += at.TopTest / n
	}
	return mean
}

func (r *Result) means(arm, budget int) Means {
	m := Means{Trials: r.Budgets[budget]}
	n := float64(len(r.Tasks))
	var regrets, found []float64
	for i := range r.Tasks {
		t := &r.Tasks[i]
		regrets = append(regrets, metrics.Mean(t.scores(arm, budget, (*Task).regret)).Mean)
		found = append(found, metrics.Mean(t.scores(arm, budget, (*Task).found)).Mean)
		at := t.Mean(arm, budget)
		m.Validation += at.Validation / n
		m.Test += at.Test / n
		m.Mean += at.Mean / n
		m.TopValidation += at.TopValidation / n
		m.TopTest += at.TopTest / n
	}
	m.Regret, m.Found = metrics.Mean(regrets), metrics.Mean(found)
	return m
}

func (r *Result) reach(arm int, share float64) Reach {
	out := Reach{Share: share}
	var trials []float64
	for i := range r.Tasks {
		t := &r.Tasks[i]
		target := t.Validation.Target(share)
		for _, s := range t.Arms[arm].Searches {
			took := math.Inf(1)
			if n, ok := s.took(target); ok {
				took = float64(n)
				out.Reached++
			}
			trials = append(trials, took)
		}
	}
	out.Searches = len(trials)
	if m := metrics.Median(trials); !math.IsInf(m, 0) {
		out.Median = m
	}
	return out
}

// ranking ranks the arms by a score, more being better, of each task the mean over its
// seeds.
func (r *Result) ranking(budget int, by score) Ranking {
	var searches []int
	for a := range r.Arms {
		if r.Arms[a].Strategy != Oracle {
			searches = append(searches, a)
		}
	}
	scores := make([][]float64, len(r.Tasks))
	for i := range r.Tasks {
		for _, a := range searches {
			scores[i] = append(scores[i], metrics.Mean(r.Tasks[i].scores(a, budget, by)).Mean)
		}
	}
	out := Ranking{Trials: r.Budgets[budget], Ranks: make([]float64, len(r.Arms))}
	for k, rank := range metrics.MeanRanks(scores) {
		out.Ranks[searches[k]] = rank
	}
	out.Chi2, out.P = metrics.Friedman(scores)
	if len(searches) > 1 {
		out.Critical = metrics.NemenyiDifference(len(searches), len(r.Tasks), level)
	}
	return out
}

// index is that of an arm.
func (r *Result) index(arm string) int {
	return slices.IndexFunc(r.Arms, func(a Arm) bool { return a.Name == arm })
}

// compare compares the other arms with Against, by a score of each seed of a task, more
// being better.
func (r *Result) compare(budget int, by score) []Comparison {
	against := r.index(r.Against)
	var out []Comparison
	var p []float64
	// One task tells nothing of others: its interval is for itself.
	how := metrics.Bootstrap{Replicates: replicates, Level: 1 - level, FixedTasks: len(r.Tasks) == 1}
	fixed := how
	fixed.FixedTasks = true
	for a := range r.Arms {
		if a == against {
			continue
		}
		c := Comparison{Arm: r.Arms[a].Name, Trials: r.Budgets[budget]}
		var tasks []metrics.PairedTask
		var differences []float64
		for i := range r.Tasks {
			var task metrics.PairedTask
			t := &r.Tasks[i]
			theirs := t.scores(against, budget, by)
			for s, v := range t.scores(a, budget, by) {
				task.Seeds = append(task.Seeds, metrics.Scores{A: metrics.Score{Value: v}, B: metrics.Score{Value: theirs[s]}})
			}
			gain := metrics.PairedBootstrap([]metrics.PairedTask{task}, fixed)
			c.Add(gain.Outcome())
			tasks, differences, c.Tasks = append(tasks, task), append(differences, gain.Mean), append(c.Tasks, gain)
		}
		c.Gain = metrics.PairedBootstrap(tasks, how)
		_, c.P = metrics.Wilcoxon(differences)
		p, out = append(p, c.P), append(out, c)
	}
	for i, adjusted := range metrics.Holm(p) {
		out[i].Holm = adjusted
	}
	return out
}
