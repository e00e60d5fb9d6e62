package guard

import (
	"math"

	"tnaml/experiments/trainer"
	"tnaml/nn/rng"
)

// Corrected is what the model with the best validation accuracy is expected to have on new
// examples: its accuracy without the luck of having been chosen by it. That the validation
// examples are easier or harder than others, for all models alike, nobody can tell by them.
type Corrected struct {
	// Models is how many it is the best of.
	Models int `json:"models"`
	// Accuracy is the estimate, Error two standard errors of it, which are those of a mean
	// over so many examples.
	Accuracy float64 `json:"accuracy"`
	Error    float64 `json:"two_se"`
	// BBC is the bootstrap bias-corrected estimate of Tsamardinos, Greasidou and
	// Borboudakis (2018), "Bootstrapping the out-of-sample predictions for efficient and
	// accurate cross-validation": each replicate chooses by the examples drawn, and
	// measures the choice on those left out. It is a little too low, since a replicate has
	// fewer different examples to choose by.
	BBC float64 `json:"bbc"`
}

// Correct estimates what the best of the models is worth, judged by the same examples. In
// each replicate the examples are drawn with replacement; what choosing brings is how
// much better the best model seems than it is, where its true accuracy is the posterior
// mean (see Posterior), and what is measured is as far from it as the drawn examples
// are from all. Its mean over the replicates is taken off.
func Correct(models []trainer.Bits, replicates int, seed uint64) Corrected {
	b := newBootstrap(models, Posterior(models))
	var stream rng.Stream
	times := make([]uint16, models[0].N)
	for i := range replicates {
		clear(times)
		r := stream.At(seed, "guard/corrected", uint64(i))
		for range times {
			times[r.IntN(len(times))]++
		}
		b.add(times)
	}
	return b.result()
}

// bootstrap sums up what replicates say.
type bootstrap struct {
	models             []trainer.Bits
	measured, expected []float64
	best               int
	drawn, seeming     []float64
	sums               []nibbles
	luck, outside      float64
	replicates, used   int
}

func newBootstrap(models []trainer.Bits, expected []float64) *bootstrap {
	b := &bootstrap{
		models: models, measured: Accuracies(models), expected: expected, sums: make([]nibbles, 2*len(models[0].Packed)),
		drawn: make([]float64, len(models)), seeming: make([]float64, len(models)),
	}
	b.best = Best(b.measured)
	return b
}

// add takes in a replicate, in which each example was drawn so many times.
func (b *bootstrap) add(times []uint16) {
	fill(b.sums, times)
	for i, m := range b.models {
		b.drawn[i] = float64(weigh(m, b.sums)) / float64(max(1, len(times)))
		b.seeming[i] = b.expected[i] + b.drawn[i] - b.measured[i]
	}
	// The second difference is 0 in the mean: it takes away what the draw does to all.
	top := Best(b.seeming)
	b.luck += b.drawn[top] - b.measured[top] - (b.drawn[b.best] - b.measured[b.best])
	b.replicates++
	if share, ok := leftOut(b.models[Best(b.drawn)], times); ok {
		b.outside += share
		b.used++
	}
}

func (b *bootstrap) result() Corrected {
	out := Corrected{Models: len(b.models), Accuracy: b.measured[b.best], BBC: b.measured[b.best]}
	if b.replicates > 0 {
		out.Accuracy = min(1, max(0, out.Accuracy-b.luck/float64(b.replicates)))
	}
	if b.used > 0 {
		out.BBC = b.outside / float64(b.used)
	}
	out.Error = Error(out.Accuracy, b.models[0].N)
	return out
}

// Error is two standard errors of an accuracy over n examples.
func Error(accuracy float64, n int) float64 {
	return 2 * math.Sqrt(max(0, accuracy*(1-accuracy))/float64(max(1, n)))
}

// nibbles holds, for each combination of four bits, how often their examples were drawn.
type nibbles [16]uint32

// fill sums up, for every four examples, how often they were drawn.
func fill(sums []nibbles, times []uint16) {
	for k := range sums {
		for c := range sums[k] {
			sums[k][c] = 0
			for bit := range 4 {
				if e := 4*k + bit; c>>bit&1 == 1 && e < len(times) {
					sums[k][c] += uint32(times[e])
				}
			}
		}
	}
}

// weigh counts the draws that a model has right.
func weigh(m trainer.Bits, sums []nibbles) (right uint32) {
	for i, b := range m.Packed {
		right += sums[2*i][b&15] + sums[2*i+1][b>>4]
	}
	return right
}

// leftOut is a model's accuracy on the examples that were not drawn; false where all were.
func leftOut(m trainer.Bits, times []uint16) (share float64, ok bool) {
	right, left := 0, 0
	for e, k := range times {
		if k == 0 {
			left++
			if m.Has(e) {
				right++
			}
		}
	}
	return float64(right) / float64(max(1, left)), left > 0
}
