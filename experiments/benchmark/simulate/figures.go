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

// Diagrams says that there is a critical difference to draw: of two arms p says all.
func (j *Judged) Diagrams() bool { return j.Rankings[0].Critical > 0 }

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
// nature, would make any of them differ, and has the rank 0.
type Ranking struct {
	Trials int `json:"trials"`
	metrics.Ranking
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

// Comparison is an arm beside the one that all are compared with, by a figure of which
// less is better: Gain is the other's less the arm's.
type Comparison struct {
	Arm    string `json:"arm"`
	Trials int    `json:"trials"`
	metrics.RunComparison
}

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

// runs are the scores of arms at a budget.
func (r *Result) runs(budget int, arms []int, by score) metrics.Runs {
	out := make(metrics.Runs, len(r.Tasks))
	for i := range r.Tasks {
		for _, a := range arms {
			out[i] = append(out[i], r.Tasks[i].scores(a, budget, by))
		}
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
	ranking := r.runs(budget, searches, by).Rank()
	ranks := make([]float64, len(r.Arms))
	for k, rank := range ranking.Ranks {
		ranks[searches[k]] = rank
	}
	ranking.Ranks = ranks
	return Ranking{r.Budgets[budget], ranking}
}

// index is that of an arm.
func (r *Result) index(arm string) int {
	return slices.IndexFunc(r.Arms, func(a Arm) bool { return a.Name == arm })
}

// compare compares the other arms with Against, by a score of each seed of a task, more
// being better.
func (r *Result) compare(budget int, by score) (out []Comparison) {
	var arms []int
	for a := range r.Arms {
		arms = append(arms, a)
	}
	for _, c := range r.runs(budget, arms, by).Against(r.index(r.Against)) {
		out = append(out, Comparison{r.Arms[c.Method].Name, r.Budgets[budget], c})
	}
	return out
}
