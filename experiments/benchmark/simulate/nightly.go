package simulate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"tnaml/experiments/benchmark"
	"tnaml/experiments/data"
	"tnaml/experiments/metrics"
	"tnaml/experiments/search/strategy"
)

// Open is a recorded benchmark as a world to search.
func Open(set string) (*World, error) {
	s, err := benchmark.Open(set)
	if err != nil {
		return nil, err
	}
	return &World{
		Space: s.Space, Kind: string(data.Text), Development: s.Development, Test: s.Test, Strategies: strategy.Builtin(),
		Landscape: func(task string) (Landscape, error) { return s.Surrogate(task) }, Records: s.Digest(),
	}, nil
}

// Expand writes out the lists of tasks among names: test, development and all.
func (w *World) Expand(names []string) []string {
	return benchmark.Expand(names, w.Development, w.Test)
}

// Nightly is a benchmark that is run night after night, to see whether a change of the
// code has made searches slower: by trials to a target.
type Nightly struct {
	// Set is the recorded benchmark, Tasks are its test and development tasks, or names.
	Set   string   `json:"set"`
	Tasks []string `json:"tasks"`
	// Arms start from nothing: searches that share a pretraining share its luck, and a
	// test of their seeds would take it for a change.
	Arms   []Arm `json:"arms"`
	Trials int   `json:"trials"`
	Seeds  int   `json:"seeds"`
	Lag    int   `json:"lag"`
	// Share says where the target lies (Reach).
	Share float64 `json:"share"`
}

const (
	// Alarm is how often, at most, a night is called slower in any arm that is not: with a
	// change of the code every night, less than once a month.
	Alarm = .02
	// LatestLevel is what the comparison with the latest night has of it, which is to catch a
	// change at once, DriftLevel that with the night that drift is counted from, which has
	// time: drift grows.
	LatestLevel = .015
	DriftLevel  = Alarm - LatestLevel
	// minSeeds is how many seeds the test of a mean needs.
	minSeeds = 30
	// maxArms and maxNight bound a night, whose arms are part of messages.
	maxArms  = 12
	maxNight = 100_000_000
)

// Check reports everything wrong with a night together.
func (n *Nightly) Check() error {
	w, err := Open(n.Set)
	if err != nil {
		return err
	}
	return n.check(w)
}

func (n *Nightly) check(w *World) error {
	p := n.plan(w)
	errs := []error{p.Check(w)}
	for _, a := range n.Arms {
		if a.From != "" {
			errs = append(errs, fmt.Errorf("the arm %q starts from %q: searches that share a pretraining share its luck, which no number of seeds "+
				"evens out; choose arms that start from nothing", a.Name, a.From))
		}
	}
	if n.Seeds < minSeeds {
		errs = append(errs, fmt.Errorf("%d seeds are too few to tell anything by: it must be %d at least", n.Seeds, minSeeds))
	}
	if !(n.Share > 0 && n.Share < 1) {
		errs = append(errs, fmt.Errorf("the share %v must lie between 0 and 1", n.Share))
	}
	if len(n.Arms) > maxArms {
		errs = append(errs, fmt.Errorf("%d arms, more than %d", len(n.Arms), maxArms))
	}
	if all := float64(len(n.Arms)) * float64(len(p.Tasks)) * float64(n.Seeds) * float64(n.Trials); all > maxNight {
		errs = append(errs, fmt.Errorf("%.0f trials a night, more than %d: choose fewer arms, tasks, seeds or trials", all, maxNight))
	}
	return errors.Join(errs...)
}

func (n *Nightly) plan(w *World) Plan {
	p := Plan{
		Arms: slices.Clone(n.Arms), Tasks: w.Expand(n.Tasks), Trials: n.Trials, Budgets: []int{n.Trials}, Seeds: n.Seeds, PretrainSeeds: 1,
		Lag: n.Lag, Workers: 1, // it takes the place of a trial
	}
	for i := range p.Arms {
		p.Arms[i].From = "" // refused in words of its own
	}
	if len(p.Arms) > 0 {
		p.Against = p.Arms[0].Name
	}
	return p
}

// digest tells plans apart: nights of one are searches of the same landscapes, with the
// same seeds, in the same arms.
func (n *Nightly) digest(w *World) string {
	b, err := json.Marshal(struct {
		*Nightly
		Records string
	}{n, w.Records})
	if err != nil {
		panic(err) // plain numbers and texts, but for settings, which were read as JSON
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Run runs a night, on one core; progress is told the trials done, of all.
func (n *Nightly) Run(ctx context.Context, progress func(done, all int)) (*Night, error) {
	w, err := Open(n.Set)
	if err != nil {
		return nil, err
	}
	return n.run(ctx, w, progress)
}

func (n *Nightly) run(ctx context.Context, w *World, progress func(done, all int)) (*Night, error) {
	if err := n.check(w); err != nil {
		return nil, err
	}
	result, err := Run(ctx, w, n.plan(w), progress)
	if err != nil {
		return nil, err
	}
	night := result.night(n.Share)
	night.Plan = n.digest(w)
	return night, nil
}

// Night is what is kept of a night: how many trials its searches took to the target.
type Night struct {
	// Plan is the digest of what was searched, and how.
	Plan   string   `json:"plan"`
	Trials int      `json:"trials"`
	Arms   []string `json:"arms"`
	// Tasks are the targets, Scales those of their validation splits.
	Tasks  []string `json:"tasks"`
	Scales []Scale  `json:"scales"`
	// Took has the trials to the target by arm, seed and task: 0 of a search that never
	// got there.
	Took [][][]int `json:"took"`
}

// night is what is kept of a result.
func (r *Result) night(share float64) *Night {
	n := &Night{Trials: r.Trials}
	for i := range r.Tasks {
		n.Tasks, n.Scales = append(n.Tasks, r.Tasks[i].Name), append(n.Scales, r.Tasks[i].Validation)
	}
	for a := range r.Arms {
		took := make([][]int, r.Seeds)
		for i := range r.Tasks {
			target := r.Tasks[i].Validation.Target(share)
			for s, search := range r.Tasks[i].Arms[a].Searches {
				trials, _ := search.took(target)
				took[s] = append(took[s], trials)
			}
		}
		n.Arms, n.Took = append(n.Arms, r.Arms[a].Name), append(n.Took, took)
	}
	return n
}

// trials are an arm's, by seed and task: of a search that never got to the target, its
// budget.
func (n *Night) trials(arm int) [][]float64 {
	out := make([][]float64, len(n.Took[arm]))
	for s, tasks := range n.Took[arm] {
		for _, took := range tasks {
			if took == 0 {
				took = n.Trials
			}
			out[s] = append(out[s], float64(took))
		}
	}
	return out
}

// Pace is how fast an arm's searches get to their targets.
type Pace struct {
	Arm string `json:"arm"`
	// Trials is the geometric mean over tasks and seeds of the trials to the target, with
	// an interval at the level .95 that knows seeds.
	Trials float64 `json:"trials"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	// Reached of Searches got there; the others count as their budget.
	Reached  int `json:"reached"`
	Searches int `json:"searches"`
}

// Paces are those of the arms.
func (n *Night) Paces() (out []Pace) {
	for a, arm := range n.Arms {
		p := Pace{Arm: arm}
		for _, tasks := range n.Took[a] {
			p.Searches += len(tasks)
			for _, took := range tasks {
				if took > 0 {
					p.Reached++
				}
			}
		}
		e := metrics.Mean(logMeans(n.trials(a)))
		p.Trials, p.Low, p.High = interval(e, len(n.Took[a]))
		out = append(out, p)
	}
	return out
}

// SameWorld says that another night's landscapes are the same: surrogates that answer in
// another way have other scales, and other targets.
func (n *Night) SameWorld(other *Night) bool {
	same := func(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Abs(a) }
	return slices.EqualFunc(n.Scales, other.Scales, func(a, b Scale) bool {
		return same(a.Best, b.Best) && same(a.Median, b.Median) && same(a.Worst, b.Worst)
	})
}
