package child

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"

	"tnaml/nn/rng"
	"tnaml/nn/sparse"
)

// Reshuffle draws the validation split anew, by a seed, of the training and the validation
// examples; the test split stays as it is. Each class keeps its number of validation
// examples, and equal documents (of other tokens than the vocabulary's, or of equal
// pixels) stay on one side: where several of one do not fit, they are trained on, and
// the split may be smaller by some; where none fits, it stays as it is. The vectors, if there
// are any, go with their documents. It copies what it splits.
//
// A search that judges each model by a split of its own generalises better than one that
// judges all by one (Nagler, Schneider, Bischl and Feurer, 2024, "Reshuffling resampling
// splits can improve generalization of hyperparameter optimization").
func Reshuffle(d *Data, v *DocumentVectors, dim int, seed uint64) (*Data, *DocumentVectors) {
	train := d.Train.Len()
	room := make([]int, d.Classes)
	for _, label := range d.Validation.Labels {
		room[label]++
	}
	var groups [][]int
	of := map[[sha256.Size]byte]int{}
	for i := range train + d.Validation.Len() {
		e, at := d.pooled(i)
		key := e.digest(at, d.Pixels)
		g, there := of[key]
		if !there {
			g = len(groups)
			of[key] = g
			groups = append(groups, nil)
		}
		groups[g] = append(groups[g], i)
	}
	held := make([]bool, train+d.Validation.Len())
	need := make([]int, d.Classes)
	for _, g := range rng.New(seed, "child/reshuffle", 0).Perm(len(groups)) {
		fits := true
		for _, i := range groups[g] {
			label := d.pooledLabel(i)
			need[label]++
			fits = fits && need[label] <= room[label]
		}
		for _, i := range groups[g] {
			label := d.pooledLabel(i)
			need[label] = 0
			if held[i] = fits; fits {
				room[label]--
			}
		}
	}
	if !slices.Contains(held, true) { // no model could be judged by such a split
		return d, v
	}
	var sides [2][]int
	for i, validation := range held {
		side := 0
		if validation {
			side = 1
		}
		sides[side] = append(sides[side], i)
	}
	out := *d
	out.Train, out.Validation = d.gather(sides[0]), d.gather(sides[1])
	if v == nil {
		return &out, nil
	}
	return &out, &DocumentVectors{Train: v.gather(sides[0], train, dim), Validation: v.gather(sides[1], train, dim), Test: v.Test}
}

// WithValidation returns data whose training split has the validation examples too, after
// its own; all else is as it was, the validation split included: what a model has right of
// that it has been taught. The vectors, if there are any, go with their documents. It
// copies what it trains on.
func WithValidation(d *Data, v *DocumentVectors, dim int) (*Data, *DocumentVectors) {
	train := d.Train.Len()
	all := make([]int, train+d.Validation.Len())
	for i := range all {
		all[i] = i
	}
	out := *d
	out.Train, out.Taught = d.gather(all), true
	if v == nil {
		return &out, nil
	}
	return &out, &DocumentVectors{Train: v.gather(all, train, dim), Validation: v.Validation, Test: v.Test}
}

// gather copies examples of the training and the validation split.
func (d *Data) gather(which []int) Examples {
	out := Examples{Offsets: []int32{0}}
	for _, i := range which {
		e, at := d.pooled(i)
		out.append(e, at, d.Pixels)
	}
	return out
}

// gather copies the vectors of such examples, of which so many are trained on.
func (v *DocumentVectors) gather(which []int, train, dim int) (out []float32) {
	for _, i := range which {
		if i < train {
			out = append(out, v.Train[i*dim:(i+1)*dim]...)
		} else {
			out = append(out, v.Validation[(i-train)*dim:(i-train+1)*dim]...)
		}
	}
	return out
}

// pooled is the i-th example of the training and the validation split.
func (d *Data) pooled(i int) (e *Examples, at int) {
	if n := d.Train.Len(); i >= n {
		return &d.Validation, i - n
	}
	return &d.Train, i
}

func (d *Data) pooledLabel(i int) int32 {
	e, at := d.pooled(i)
	return e.Labels[at]
}

// digest stands for all that a model sees of an example.
func (e *Examples) digest(i, pixels int) [sha256.Size]byte {
	var b []byte
	for k := e.Offsets[i]; k < e.Offsets[i+1]; k++ {
		b = binary.LittleEndian.AppendUint32(b, uint32(e.IDs[k]))
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(e.Counts[k]))
	}
	if pixels > 0 {
		b = append(b, e.Pixels[i*pixels:(i+1)*pixels]...)
	}
	return sha256.Sum256(b)
}

// append adds another set's example.
func (e *Examples) append(from *Examples, i, pixels int) {
	low, high := from.Offsets[i], from.Offsets[i+1]
	e.IDs, e.Counts = append(e.IDs, from.IDs[low:high]...), append(e.Counts, from.Counts[low:high]...)
	e.Offsets, e.Labels = append(e.Offsets, int32(len(e.IDs))), append(e.Labels, from.Labels[i])
	if pixels > 0 {
		e.Pixels = append(e.Pixels, from.Pixels[i*pixels:(i+1)*pixels]...)
	}
	if w := from.Wide; w != nil {
		if e.Wide == nil {
			e.Wide = &sparse.Matrix{Columns: w.Columns, Offsets: []int32{0}}
		}
		e.Wide.IDs = append(e.Wide.IDs, w.IDs[w.Offsets[i]:w.Offsets[i+1]]...)
		if w.Values != nil {
			e.Wide.Values = append(e.Wide.Values, w.Values[w.Offsets[i]:w.Offsets[i+1]]...)
		}
		e.Wide.Offsets = append(e.Wide.Offsets, int32(len(e.Wide.IDs)))
	}
}

// Bytes is about how much memory the training and the validation split take, with their
// vectors.
func (d *Data) Bytes(v *DocumentVectors) int64 {
	n := 0
	for _, e := range []*Examples{&d.Train, &d.Validation} {
		n += 4*(len(e.Offsets)+len(e.IDs)+len(e.Counts)+len(e.Labels)) + len(e.Pixels)
		if e.Wide != nil {
			n += 4 * (len(e.Wide.Offsets) + len(e.Wide.IDs) + len(e.Wide.Values))
		}
	}
	if v != nil {
		n += 4 * (len(v.Train) + len(v.Validation))
	}
	return int64(n)
}
