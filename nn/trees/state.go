package trees

import (
	"errors"
	"fmt"

	"tnaml/nn/safetensors"
)

// PutArrays writes the model into a file, its names under the prefix.
func (m *Model) PutArrays(f *safetensors.File, prefix string) {
	var sizes, features, next []int32
	var bits []uint64
	for _, t := range m.trees {
		sizes = append(sizes, int32(len(t)))
		for _, n := range t {
			features, next, bits = append(features, n.feature), append(next, n.next), append(bits, n.bits)
		}
	}
	safetensors.Put(f, prefix+"sizes", sizes, len(sizes))
	safetensors.Put(f, prefix+"features", features, len(features))
	safetensors.Put(f, prefix+"next", next, len(next))
	safetensors.Put(f, prefix+"bits", bits, len(bits))
	safetensors.Put(f, prefix+"scale", []float64{m.base, m.scale}, 2)
}

// FromFile reads what PutArrays wrote of a model of these features.
func FromFile(f *safetensors.File, prefix string, features []Feature) (*Model, error) {
	var errs [5]error
	var sizes, feature, next []int32
	var bits []uint64
	var scale []float64
	sizes, _, errs[0] = safetensors.Get[int32](f, prefix+"sizes")
	feature, _, errs[1] = safetensors.Get[int32](f, prefix+"features")
	next, _, errs[2] = safetensors.Get[int32](f, prefix+"next")
	bits, _, errs[3] = safetensors.Get[uint64](f, prefix+"bits")
	scale, _, errs[4] = safetensors.Get[float64](f, prefix+"scale", 2)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("trees: %w", err)
	}
	n := len(feature)
	if len(next) != n || len(bits) != n {
		return nil, fmt.Errorf("trees: arrays of %d, %d and %d numbers", n, len(next), len(bits))
	}
	m := &Model{features: features, base: scale[0], scale: scale[1]}
	at := 0
	for _, size := range sizes {
		if size < 1 || int(size) > n-at {
			return nil, fmt.Errorf("trees: a tree of %d nodes, %d are left", size, n-at)
		}
		tree := make([]node, size)
		for i := range tree {
			tree[i] = node{bits[at], next[at], feature[at]}
			if k := feature[at]; k >= int32(len(features)) || k >= 0 && (next[at] <= int32(i) || next[at] > size-2) {
				return nil, fmt.Errorf("trees: node %d splits feature %d and leads to %d of %d", i, k, next[at], size)
			}
			at++
		}
		m.trees = append(m.trees, tree)
	}
	if at != n {
		return nil, fmt.Errorf("trees: %d nodes are of no tree", n-at)
	}
	return m, nil
}
