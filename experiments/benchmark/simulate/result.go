package simulate

import (
	"math"
	"slices"
	"sort"

	"tnaml/experiments/metrics"
	"tnaml/experiments/search"
)

// Result is what all searches of a plan gave.
type Result struct {
	Arms          []Arm         `json:"arms"`
	Pretrainings  []Pretraining `json:"pretrainings,omitempty"`
	Against       string        `json:"against"`
	Trials        int           `json:"trials"`
	Budgets       []int         `json:"budgets"`
	Seeds         int           `json:"seeds"`
	PretrainSeeds int           `json:"pretrain_seeds"`
	Lag           int           `json:"lag"`
	// Learned are the controllers that arms start from.
	Learned []Learned `json:"learned,omitempty"`
	Tasks   []Task    `json:"tasks"`
}

// Learned is a controller that a pretraining has left.
type Learned struct {
	Pretraining string   `json:"pretraining"`
	Seed        uint64   `json:"seed"`
	Tasks       []string `json:"tasks"`
	// Information is the mutual information of task and architecture in bits, an estimate:
	// how much the controller tells its tasks apart. Most is what it can be at most.
	Information float64 `json:"information_bits"`
	Most        float64 `json:"most_bits"`
}

// Task is a target.
type Task struct {
	Name string `json:"task"`
	// Validation and Test are the scales of the splits.
	Validation Scale `json:"validation"`
	Test       Scale `json:"test"`
	// Arms are in the order of Result.Arms.
	Arms []Searches `json:"arms"`
}

// Searches are those of a target in an arm, one a seed.
type Searches struct {
	Arm      string    `json:"arm"`
	Searches []*Search `json:"searches"`
}

// Search is one search.
type Search struct {
	// Best has the model that is best on the validation split: one entry for each time
	// that it changed, which is the whole curve.
	Best Improvements `json:"best"`
	// Top has the mean validation of the ten best models, one entry for each time that
	// it changed; before there are ten it has none.
	Top Climb `json:"top10"`
	// At are figures at each of Result.Budgets.
	At []At `json:"at"`
}

// Improvements are models, each better than those before.
type Improvements struct {
	// Trials counts the trials, the model's own included.
	Trials     []int     `json:"trials"`
	Validation []float64 `json:"validation"`
	Test       []float64 `json:"test"`
	// Mean is the model's validation in the mean over seeds, without the luck of its
	// training.
	Mean []float64 `json:"validation_mean"`
}

// Climb is a curve that rises: after so many trials the value is this.
type Climb struct {
	Trials     []int     `json:"trials"`
	Validation []float64 `json:"validation"`
}

// At are figures after some trials: of the model that is best on the validation split,
// and the means over the ten best (accuracy-top10). Before any model is trained they
// are the scale's worst.
type At struct {
	Validation float64 `json:"validation"`
	Test       float64 `json:"test"`
	// Mean is the model's validation in the mean over seeds, without the luck of its
	// training: how far the search has come, whatever the test split makes of it.
	Mean          float64 `json:"validation_mean"`
	TopValidation float64 `json:"top10_validation"`
	TopTest       float64 `json:"top10_test"`
}

func newResult(w *World, p *Plan) *Result {
	r := &Result{
		Arms: p.Arms, Against: p.Against, Trials: p.Trials, Budgets: p.Budgets, Seeds: p.Seeds, PretrainSeeds: p.PretrainSeeds, Lag: p.Lag,
		Pretrainings: startedFrom(p.Pretrainings, p.Arms),
	}
	for _, t := range p.Tasks {
		task := Task{Name: t}
		for _, a := range p.Arms {
			task.Arms = append(task.Arms, Searches{a.Name, make([]*Search, p.Seeds)})
		}
		r.Tasks = append(r.Tasks, task)
	}
	return r
}

// startedFrom are the pretrainings that any of the arms starts from.
func startedFrom(pretrainings []Pretraining, arms []Arm) (out []Pretraining) {
	for _, p := range pretrainings {
		if slices.ContainsFunc(arms, func(a Arm) bool { return a.From == p.Name }) {
			out = append(out, p)
		}
	}
	return out
}

// cut leaves the first seeds.
func (r *Result) cut(seeds int) {
	r.Seeds = seeds
	for _, t := range r.Tasks {
		for i := range t.Arms {
			t.Arms[i].Searches = t.Arms[i].Searches[:seeds]
		}
	}
}

// summary is what is kept of a search.
func summary(trials []search.Trial, budgets []int, l Landscape, validation, test Scale) *Search {
	s := &Search{}
	best, top := metrics.Curve(trials, 0, 1), metrics.Curve(trials, 0, search.TopN)
	for i, b := range best {
		if n := len(s.Best.Trials); i > 0 && b.Validation == s.Best.Validation[n-1] {
			continue
		}
		expected, _ := mean(l, trials[b.Trials-1].Actions)
		if math.IsInf(expected, 0) { // it was trained by luck
			expected = validation.Worst
		}
		s.Best.Trials, s.Best.Mean = append(s.Best.Trials, b.Trials), append(s.Best.Mean, expected)
		s.Best.Validation, s.Best.Test = append(s.Best.Validation, b.Validation), append(s.Best.Test, b.Test)
	}
	for _, t := range top {
		if n := len(s.Top.Trials); t.Models == search.TopN && (n == 0 || t.Validation > s.Top.Validation[n-1]) {
			s.Top.Trials, s.Top.Validation = append(s.Top.Trials, t.Trials), append(s.Top.Validation, t.Validation)
		}
	}
	for _, n := range budgets {
		at := At{validation.Worst, test.Worst, validation.Worst, validation.Worst, test.Worst}
		if i := n - 1 - (len(trials) - len(best)); i >= 0 { // curves begin with the first model
			newest := sort.SearchInts(s.Best.Trials, n+1) - 1
			at = At{best[i].Validation, best[i].Test, s.Best.Mean[newest], top[i].Validation, top[i].Test}
		}
		s.At = append(s.At, at)
	}
	return s
}
