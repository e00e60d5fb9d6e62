package benchmark

import (
	"math"

	"tnaml/experiments/trainer"
	"tnaml/nn/rng"
)

// synthetic is a record of trials in the space "paper" of a made-up task, whose accuracy
// depends on products of its choices, as those of real ones do: towers that learn too
// slowly stay at the most frequent class, towers that learn too fast fall to pieces.
// Every eleventh trial repeats another one's configuration.
func synthetic(s *Set, seed uint64, trials int) *Record {
	base, err := s.Record(s.Tasks()[0])
	if err != nil {
		panic(err)
	}
	r := &Record{Provenance: base.Provenance}
	for i := range trials {
		d := rng.New(seed, "synthetic", uint64(i-i%11/10*10))
		actions := make([]int, 0, len(s.Space.Choices))
		for _, n := range s.Space.Options() {
			actions = append(actions, d.IntN(n))
		}
		v, t := truth(actions, d.NormFloat64()) // the configuration's own
		noise := rng.New(seed, "synthetic/noise", uint64(i))
		both := noise.NormFloat64()
		row := Row{Trial: i, Actions: actions, Status: trainer.OK, Metrics: map[string]float64{}}
		right := &trainer.Right{}
		for k, p := range []*float64{&v, &t} {
			*p = sigmoid(*p + .1*both + .05*noise.NormFloat64())
			n := []int{500, 400}[k]
			set := int(math.Round(*p * float64(n)))
			b := trainer.Bits{N: n, Packed: make([]byte, bytesOf(n))}
			for j := range set {
				b.Packed[j/8] |= 1 << (j % 8)
			}
			*p = b.Share()
			*[]*trainer.Bits{&right.Validation, &right.Test}[k] = b
		}
		row.Validation, row.Test, row.Right = v, t, right
		row.Metrics["validation_accuracy"], row.Metrics["test_accuracy"] = v, t
		r.Rows = append(r.Rows, row)
	}
	return r
}

// truth is a made-up model's log-odds on both splits.
func truth(a []int, own float64) (validation, test float64) {
	layers, steps := float64(a[2]), float64(a[11])
	deep := math.Tanh(.5*(float64(a[7])-3+.4*steps)) -
		math.Pow(max(0, float64(a[7])-4+.5*layers-1.5*float64(a[5])), 2)*.15 - .3*float64(a[8])*.5
	if layers == 0 {
		deep = math.Tanh(.4*(float64(a[7])-4+.5*steps)) - .1*float64(a[8])
	} else {
		deep += .1*float64(a[3])*.5 - .05*float64(a[6]) - []float64{0, 0, .05, .1, -.6, -.1}[a[4]]
	}
	deep += []float64{0, .2, .1, .3, .25, .4, .1, -.2}[a[0]] + .2*float64(a[1])*(steps-3)/3
	wide := math.Tanh(.5*(float64(a[9])-3+.4*steps)) * max(0, 1-.2*float64(a[10]))
	z := .4 + .6*max(deep, -1) + .5*wide + .2*max(deep, -1)*wide + .1*own
	return z, z - .1
}
