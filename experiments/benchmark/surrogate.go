package benchmark

import (
	"errors"
	"fmt"
	"math"

	"tnaml/experiments/trainer"
	"tnaml/nn/rng"
)

// Surrogate says what a trial of any configuration of a record's space would give. It
// is the sum, in log-odds of the accuracy, of
//
//   - what is expected of the configuration: what trees say of it (trees), set right by
//     what came out where they said so of configurations that they had not seen;
//   - how far off they are: a draw from their errors for unseen configurations of about
//     this accuracy, in part by the configuration's key, the same in each of its trainings,
//     and in part by the trial's seed too, the training's noise (scatter).
//
// Luck lifts no configuration beyond the best that was measured, so that the best of ever
// so many trials stays what it could be. All is a function of the arguments. It is safe for
// concurrent use.
type Surrogate struct {
	task     string
	features []feature
	inert    trainer.Inertia
	mean     *trees
	failing  *trees  // the probability of no result; nil: it is failed, everywhere
	failed   float64 // share of the trials
	failure  trainer.Status
	sizes    [outputs]int // of the splits; 0: unknown
	scatter  *scatter
	best     [outputs]float64 // that was measured
	recorded map[uint64][]Row // by configuration; nil: the record is not asked
}

// FitOptions say how a surrogate is made.
type FitOptions struct {
	// Recorded has a configuration of the record answered with what was measured of it,
	// of one of its trials by the seed. Without it the surrogate smooths over all alike.
	Recorded bool
}

// minRows is how many trials with a result a surrogate can be fitted to.
const minRows = 20

// folds is how many parts the rows are cut into for errors on unseen configurations.
const folds = 5

// Fit makes the surrogate of a record. Its space's choices may have 64 options each, its
// objective must be a share of examples.
func Fit(r *Record, o FitOptions) (*Surrogate, error) {
	s, ok, err := unfitted(r)
	if err != nil {
		return nil, err
	}
	x, y := s.rows(ok)
	s.mean = growTrees(s.features, x, y)
	s.fitFailures(r.Rows)
	s.scatter = newScatter(s.crossValidated(x, y), y, s.pairs(x))
	s.best = y[0]
	for _, v := range y {
		for k := range v {
			s.best[k] = max(s.best[k], v[k])
		}
	}
	if o.Recorded {
		s.recorded = map[uint64][]Row{}
		x, _ := s.rows(r.Rows)
		for i, row := range r.Rows {
			s.recorded[s.key(x[i])] = append(s.recorded[s.key(x[i])], row)
		}
	}
	return s, nil
}

// unfitted is a surrogate that knows the record's space, with the trials that it can be
// fitted to.
func unfitted(r *Record) (s *Surrogate, ok []Row, err error) {
	sp := r.Space()
	s = &Surrogate{task: r.Task(), inert: trainer.NewInertia(sp)}
	var errs []error
	for _, c := range sp.Choices {
		if len(c.Options) > maxOptions {
			errs = append(errs, fmt.Errorf("choice %q has %d options, more than %d", c.Name, len(c.Options), maxOptions))
		}
		s.features = append(s.features, feature{len(c.Options), c.Ordered()})
	}
	if sp.Size() == math.MaxUint64 { // or more
		errs = append(errs, errors.New("its space has more configurations than 64 bits tell apart"))
	}
	for _, row := range r.Rows {
		if row.Status != trainer.OK {
			continue
		}
		ok = append(ok, row)
		if min(row.Validation, row.Test) < 0 || max(row.Validation, row.Test) > 1 {
			errs = append(errs, fmt.Errorf("trial %d: %v and %v are no shares of examples", row.Trial, row.Validation, row.Test))
		}
		if row.Right != nil {
			s.sizes = [outputs]int{row.Right.Validation.N, row.Right.Test.N}
		}
	}
	if len(ok) < minRows {
		errs = append(errs, fmt.Errorf("%d trials with a result are too few, at least %d are needed", len(ok), minRows))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, nil, fmt.Errorf("surrogate of %s: %w", r.Task(), err)
	}
	return s, ok, nil
}

// maxOptions is how many options of a choice a question's set can name.
const maxOptions = 64

// rows are trials as the trees see them.
func (s *Surrogate) rows(rows []Row) (x [][]uint8, y [][outputs]float64) {
	for _, row := range rows {
		x = append(x, s.options(row.Actions, make([]uint8, len(s.features))))
		y = append(y, [outputs]float64{s.logit(row.Validation, 0), s.logit(row.Test, 1)})
	}
	return x, y
}

// options writes actions in the one form of all that design the same model.
func (s *Surrogate) options(actions []int, out []uint8) []uint8 {
	for i, a := range actions {
		out[i] = uint8(a)
	}
	trainer.Canonical(s.inert, out)
	return out
}

// key tells configurations apart.
func (s *Surrogate) key(x []uint8) uint64 {
	key := uint64(0)
	for i, o := range x {
		key = key*uint64(s.features[i].options) + uint64(o)
	}
	return key
}

// logit is the log-odds of an accuracy on a split, kept from infinity by half an
// example.
func (s *Surrogate) logit(accuracy float64, split int) float64 {
	half := 1e-4
	if n := s.sizes[split]; n > 0 {
		half = 0.5 / float64(n)
	}
	p := min(max(accuracy, half), 1-half)
	return math.Log(p / (1 - p))
}

func sigmoid(logit float64) float64 { return 1 / (1 + math.Exp(-logit)) }

// accuracy is the inverse of logit, a multiple of an example.
func (s *Surrogate) accuracy(logit float64, split int) float64 {
	p := sigmoid(logit)
	if n := float64(s.sizes[split]); n > 0 {
		return math.Round(p*n) / n
	}
	return p
}

// fitFailures learns which configurations come to no result.
func (s *Surrogate) fitFailures(rows []Row) {
	counts := map[trainer.Status]int{}
	x, y := s.rows(rows)
	failed := 0
	for i, row := range rows {
		if y[i] = [outputs]float64{}; row.Status != trainer.OK {
			failed++
			counts[row.Status]++
			y[i][0] = 1
		}
	}
	for _, status := range trainer.Statuses() {
		if counts[status] > counts[s.failure] {
			s.failure = status
		}
	}
	s.failed = float64(failed) / float64(len(rows))
	if failed >= minFailures {
		s.failing = growTrees(s.features, x, y)
	}
}

// minFailures is how many failed trials say which configurations fail.
const minFailures = 5

// Mean returns the accuracies whose log-odds are expected of a configuration, if it comes to
// a result.
func (s *Surrogate) Mean(actions []int) (validation, test float64) {
	y := s.scatter.center(s.mean.predict(s.options(actions, make([]uint8, len(s.features)))))
	return sigmoid(y[0]), sigmoid(y[1])
}

// Look returns what a trial of a configuration gives under a seed: accuracies that are
// whole numbers of the splits' examples, or a status that is not ok and zeros.
func (s *Surrogate) Look(actions []int, seed uint64) (status trainer.Status, validation, test float64) {
	x := s.options(actions, make([]uint8, len(s.features)))
	key := s.key(x)
	noise := rng.Derive(seed, "benchmark/noise", key)
	if rows := s.recorded[key]; len(rows) > 0 {
		row := rows[noise%uint64(len(rows))]
		return row.Status, row.Validation, row.Test
	}
	if s.failed > 0 {
		p := s.failed
		if s.failing != nil {
			p = s.failing.predict(x)[0]
		}
		if float64(rng.Derive(key, s.task, 1)>>11)/(1<<53) < p {
			return s.failure, 0, 0
		}
	}
	y := s.scatter.center(s.mean.predict(x))
	// Above the best that was measured a configuration is by what is expected of it alone.
	end := [outputs]float64{max(y[0], s.best[0]), max(y[1], s.best[1])}
	off := s.scatter.draw(y, rng.Derive(key, s.task, 0), noise)
	return trainer.OK, s.accuracy(min(y[0]+off[0], end[0]), 0), s.accuracy(min(y[1]+off[1], end[1]), 1)
}

// pairs are the rows that repeat the configuration of an earlier one, with that one.
func (s *Surrogate) pairs(x [][]uint8) (out [][2]int) {
	first := map[uint64]int{}
	for i := range x {
		key := s.key(x[i])
		if j, again := first[key]; again {
			out = append(out, [2]int{j, i})
		} else {
			first[key] = i
		}
	}
	return out
}

// crossValidated predicts each row by trees that have not seen its configuration.
func (s *Surrogate) crossValidated(x [][]uint8, y [][outputs]float64) [][outputs]float64 {
	out := make([][outputs]float64, len(x))
	for fold := range uint64(folds) {
		var seen [][]uint8
		var told [][outputs]float64
		var unseen []int
		for i := range x {
			if rng.Derive(s.key(x[i]), "benchmark/folds", 0)%folds == fold {
				unseen = append(unseen, i)
				continue
			}
			seen, told = append(seen, x[i]), append(told, y[i])
		}
		t := growTrees(s.features, seen, told)
		for _, i := range unseen {
			out[i] = t.predict(x[i])
		}
	}
	return out
}
