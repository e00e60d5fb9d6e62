package image

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	kernels "tnaml/nn/blas"
	"tnaml/nn/safetensors"
)

const (
	// mobileNetBlocks is the number of blocks we run. The network has a 13th; its
	// features serve ImageNet's own classes best, and the weights at hand end
	// before it.
	mobileNetBlocks = 12
	// batchFrom is the block from which on groups of images are computed
	// together: there the maps are so small that a single image's matrices would
	// be too narrow for the kernels. Before it they would leave the cache.
	batchFrom = 6
	groupSize = 8
	// pointwiseColumns is the width of the blocks in which a 1 × 1 convolution is
	// computed.
	pointwiseColumns = 192

	batchNorm = 1e-3 // epsilon of batch normalisation
	stemOut   = 32   // channels after the first convolution
)

// mobileNetOut holds the output channels of the blocks, [0] is the stem's.
var mobileNetOut = [mobileNetBlocks + 1]int{stemOut, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024}

// mobileNetStride returns the stride of a block's depthwise convolution.
func mobileNetStride(block int) int {
	switch block {
	case 2, 4, 6, 12:
		return 2
	}
	return 1
}

// MobileNet is MobileNet v1 of width 1 (Howard et al., 2017), its features taken
// after one of its blocks by global average pooling.
//
// The input is RGB scaled to [−1, 1]; a 3 × 3 convolution of stride 2 to 32
// channels, then blocks of a depthwise 3 × 3 and a 1 × 1 convolution, each
// convolution followed by batch normalisation and ReLU6. Layers of stride 2
// pad at the bottom and the right only.
type MobileNet struct {
	h      header
	raw    map[string][]float32 // the weights as they were given, by name
	stem   layer                // 32 × 27
	blocks []mobileNetBlock     // up to h.Block
}

type layer struct {
	weights []float32 // out × in, batch normalisation folded in
	bias    []float32 // out
}

type mobileNetBlock struct {
	depthwise layer // channels × 9
	pointwise layer // out × in
}

// MobileNetOptions say how a MobileNet is used. The zero value of each field is
// its default.
type MobileNetOptions struct {
	// Name in the catalogue; "" means mobilenet_v1_<block>.
	Name string
	// Source says in words where the weights come from.
	Source string
	// Size is the side of the network's input, a multiple of 32; 0 means 128, a
	// size the network was published for. A linear classifier of 5,000 CIFAR-10
	// images was right for 78.9 % with 128, 77.8 % with 96 and 72.9 % with 64. An
	// image takes 4.1, 2.3 and 1.1 ms of one core (experiments/bench): 60,000 of
	// them with 128 two minutes on two.
	Size int
	// Block is the depth of the features, 1 to 12; 0 means 12, with 1024
	// features; 6 to 11 have 512, 4 and 5 have 256.
	Block int
}

// tensorSpec is an array of the weights and its shape.
type tensorSpec struct {
	name  string
	shape []int
}

// mobileNetTensors lists the arrays needed up to a block, in the layouts of
// Keras: convolution kernels height × width × in × out, depthwise kernels
// height × width × channels × 1.
func mobileNetTensors(block int) []tensorSpec {
	var out []tensorSpec
	conv := func(name, kernel string, channels int, shape ...int) {
		out = append(out, tensorSpec{name + "/" + kernel, shape})
		for _, s := range []string{"gamma", "beta", "moving_mean", "moving_variance"} {
			out = append(out, tensorSpec{name + "_bn/" + s, []int{channels}})
		}
	}
	conv("conv1", "kernel", stemOut, 3, 3, 3, stemOut)
	for i := 1; i <= block; i++ {
		in, channels := mobileNetOut[i-1], mobileNetOut[i]
		conv(fmt.Sprintf("conv_dw_%d", i), "depthwise_kernel", in, 3, 3, in, 1)
		conv(fmt.Sprintf("conv_pw_%d", i), "kernel", channels, 1, 1, in, channels)
	}
	return out
}

// ImportMobileNet makes the network of raw weights: float32, little-endian, and
// a manifest in JSON, {"tensors":[{"name","shape","offset","bytes"}]}, with the
// names and layouts of Keras. Tensors beyond the wanted block are left alone.
// All that is missing or damaged is reported together.
func ImportMobileNet(manifest, data []byte, o MobileNetOptions) (*MobileNet, error) {
	var m struct {
		Tensors []struct {
			Name   string `json:"name"`
			Shape  []int  `json:"shape"`
			Offset int    `json:"offset"`
			Bytes  int    `json:"bytes"`
		} `json:"tensors"`
	}
	if err := json.Unmarshal(manifest, &m); err != nil {
		return nil, fmt.Errorf("mobilenet: manifest: %w", err)
	}
	h := header{
		Type: typeMobileNet, Name: o.Name, Source: o.Source,
		Size: cmp.Or(o.Size, 128), Channels: 3, Block: cmp.Or(o.Block, mobileNetBlocks),
	}
	h.Name = cmp.Or(h.Name, fmt.Sprintf("mobilenet_v1_%d", h.Block))
	raw := map[string][]float32{}
	var errs []error
	for _, t := range m.Tensors {
		if t.Offset < 0 || t.Bytes < 0 || t.Bytes%4 != 0 || t.Offset > len(data) || t.Bytes > len(data)-t.Offset {
			errs = append(errs, fmt.Errorf("tensor %s: %d bytes at offset %d do not fit weights of %d bytes", t.Name, t.Bytes, t.Offset, len(data)))
			continue
		}
		if _, twice := raw[t.Name]; twice {
			errs = append(errs, fmt.Errorf("tensor %s is there twice", t.Name))
			continue
		}
		v := make([]float32, t.Bytes/4)
		for i := range v {
			v[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[t.Offset+4*i:]))
		}
		raw[t.Name] = v
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("mobilenet: %w", err)
	}
	return newMobileNet(h, raw)
}

// newMobileNet checks the weights and folds batch normalisation into them.
func newMobileNet(h header, raw map[string][]float32) (*MobileNet, error) {
	var errs []error
	if err := h.validate(); err != nil {
		errs = append(errs, err)
	}
	if h.Size%32 != 0 {
		errs = append(errs, fmt.Errorf("a size of %d; it must be a multiple of 32", h.Size))
	}
	if h.Channels != 3 {
		errs = append(errs, fmt.Errorf("%d channels; the network takes 3", h.Channels))
	}
	if h.Block < 1 || h.Block > mobileNetBlocks {
		return nil, errors.Join(append(errs, fmt.Errorf("block %d; there are 1 to %d", h.Block, mobileNetBlocks))...)
	}
	kept := map[string][]float32{}
	for _, t := range mobileNetTensors(h.Block) {
		n := 1
		for _, d := range t.shape {
			n *= d
		}
		v, ok := raw[t.name]
		switch {
		case !ok:
			errs = append(errs, fmt.Errorf("no tensor %s", t.name))
		case len(v) != n:
			errs = append(errs, fmt.Errorf("tensor %s has %d numbers, its shape %v has %d", t.name, len(v), t.shape, n))
		case !kernels.Finite(v):
			errs = append(errs, fmt.Errorf("tensor %s holds what is no number", t.name))
		}
		kept[t.name] = v
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("mobilenet: %w", err)
	}
	m := &MobileNet{h: h, raw: kept}
	var err error
	fold := func(name, kernel string, out int) layer {
		l, ferr := foldBatchNorm(kept, name, kernel, out)
		if ferr != nil {
			err = errors.Join(err, ferr)
		}
		return l
	}
	m.stem = fold("conv1", "kernel", stemOut)
	for i := 1; i <= h.Block; i++ {
		m.blocks = append(m.blocks, mobileNetBlock{
			depthwise: fold(fmt.Sprintf("conv_dw_%d", i), "depthwise_kernel", mobileNetOut[i-1]),
			pointwise: fold(fmt.Sprintf("conv_pw_%d", i), "kernel", mobileNetOut[i]),
		})
	}
	if err != nil {
		return nil, fmt.Errorf("mobilenet: %w", err)
	}
	return m, nil
}

// foldBatchNorm folds y = γ(Wx − μ)/√(σ² + ε) + β into weights and a bias, and
// turns the kernel from in × out to out × in.
func foldBatchNorm(raw map[string][]float32, name, kernel string, out int) (layer, error) {
	k := raw[name+"/"+kernel]
	gamma, beta := raw[name+"_bn/gamma"], raw[name+"_bn/beta"]
	mean, variance := raw[name+"_bn/moving_mean"], raw[name+"_bn/moving_variance"]
	in := len(k) / out
	l := layer{make([]float32, len(k)), make([]float32, out)}
	for o := range out {
		if variance[o] < 0 {
			return l, fmt.Errorf("tensor %s_bn/moving_variance: a negative variance at %d", name, o)
		}
		scale := float64(gamma[o]) / math.Sqrt(float64(variance[o])+batchNorm)
		for i := range in {
			l.weights[o*in+i] = float32(float64(k[i*out+o]) * scale)
		}
		l.bias[o] = float32(float64(beta[o]) - float64(float64(mean[o])*scale))
	}
	if !kernels.Finite(l.weights) || !kernels.Finite(l.bias) {
		return l, fmt.Errorf("layer %s: batch normalisation makes the weights overflow", name)
	}
	return l, nil
}

// Name is the module's name in the catalogue.
func (m *MobileNet) Name() string { return m.h.Name }

// Source says where the weights come from.
func (m *MobileNet) Source() string { return m.h.Source }

// Dim is the number of channels after the block.
func (m *MobileNet) Dim() int { return mobileNetOut[m.h.Block] }

// Encode stores the weights as they were given, by their names in Keras, up to
// the block the features are taken at.
func (m *MobileNet) Encode() []byte {
	f := safetensors.New(kind)
	f.PutJSON(kind, m.h)
	for _, t := range mobileNetTensors(m.h.Block) {
		safetensors.Put(f, t.name, m.raw[t.name], t.shape...)
	}
	return f.Encode()
}

func decodeMobileNet(h header, f *safetensors.File) (*MobileNet, error) {
	if h.Block < 1 || h.Block > mobileNetBlocks {
		return nil, fmt.Errorf("block %d; there are 1 to %d", h.Block, mobileNetBlocks)
	}
	raw := map[string][]float32{}
	var errs []error
	for _, t := range mobileNetTensors(h.Block) {
		v, err := get(f, t.name, t.shape...)
		errs = append(errs, err)
		raw[t.name] = v
	}
	errs = append(errs, only(f, slices.Collect(maps.Keys(raw))...))
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return newMobileNet(h, raw)
}

// Extract computes features in groups of 8 images.
func (m *MobileNet) Extract(dst []float32, images Images) {
	if len(dst) != images.Len()*m.Dim() {
		panic(fmt.Sprintf("image: %d numbers for %d vectors of %d", len(dst), images.Len(), m.Dim()))
	}
	r := m.newRun(images)
	for from := 0; from < images.Len(); from += groupSize {
		to := min(from+groupSize, images.Len())
		r.group(dst[from*m.Dim():to*m.Dim()], images.Slice(from, to))
	}
}

// run holds the buffers of one Extract. Maps are stored by channel: channel c of
// image b at (c·images + b)·pixels.
type run struct {
	*MobileNet
	working        *working
	input, columns []float32
	one            [2][]float32 // maps of one image
	all            [2][]float32 // maps of a group
}

func (m *MobileNet) newRun(images Images) *run {
	s := m.h.Size
	r := &run{MobileNet: m, working: newWorking(images, s, 3)}
	half := s / 2
	r.input, r.columns = make([]float32, s*s*3), make([]float32, 27*half*half)
	widest := stemOut * half * half
	side := half
	group := 0
	for i := 1; i <= min(m.h.Block, mobileNetBlocks); i++ {
		side /= mobileNetStride(i)
		n := max(mobileNetOut[i-1], mobileNetOut[i]) * side * side
		if i < batchFrom {
			widest = max(widest, n)
		} else {
			group = max(group, n*groupSize)
		}
	}
	for i := range r.one {
		r.one[i], r.all[i] = make([]float32, widest), make([]float32, group)
	}
	return r
}

// group computes the features of at most groupSize images.
func (r *run) group(dst []float32, images Images) {
	n, dim := images.Len(), r.Dim()
	side := 0
	for b := range n {
		side = r.head(images.At(b), b, n)
		if r.h.Block < batchFrom {
			pool(dst[b*dim:][:dim], r.one[0], 0, side*side, side*side)
		}
	}
	if r.h.Block < batchFrom {
		return
	}
	// The depthwise convolution of block batchFrom has been done.
	x, y := r.all[0], r.all[1]
	for i := batchFrom; i <= r.h.Block; i++ {
		block, in := &r.blocks[i-1], mobileNetOut[i-1]
		if i > batchFrom {
			stride := mobileNetStride(i)
			to := side / stride
			for c := range in {
				for b := range n {
					kernels.Depthwise(y[(c*n+b)*to*to:][:to*to], x[(c*n+b)*side*side:][:side*side], side, stride,
						block.depthwise.weights[c*9:][:9], block.depthwise.bias[c])
				}
			}
			x, y, side = y, x, to
		}
		pointwise(y, x, &block.pointwise, in, n*side*side)
		x, y = y, x
	}
	for b := range n {
		pool(dst[b*dim:][:dim], x, b*side*side, n*side*side, side*side)
	}
}

// head computes one image's maps up to the end of the features' block, into
// one[0], or up to the depthwise convolution of block batchFrom, into its place
// b of n in all[0]. It returns the side of the maps.
func (r *run) head(pixels []uint8, b, n int) int {
	r.working.load(r.input, pixels)
	side := r.h.Size / 2
	stemColumns(r.columns, r.input, r.h.Size)
	pointwise(r.one[0], r.columns, &r.stem, 27, side*side)
	for i := 1; i <= min(r.h.Block, batchFrom); i++ {
		block, in := &r.blocks[i-1], mobileNetOut[i-1]
		stride := mobileNetStride(i)
		to := side / stride
		for c := range in {
			y := r.one[1][c*to*to:]
			if i == batchFrom {
				y = r.all[0][(c*n+b)*to*to:]
			}
			kernels.Depthwise(y[:to*to], r.one[0][c*side*side:][:side*side], side, stride,
				block.depthwise.weights[c*9:][:9], block.depthwise.bias[c])
		}
		side = to
		if i < batchFrom {
			pointwise(r.one[0], r.one[1], &block.pointwise, in, side*side)
		}
	}
	return side
}

// stemColumns lays out the 3 × 3 × 3 surroundings of each output of the first
// convolution, stride 2, as a column: 27 × (size/2)², rows in the order of the
// kernel. The input is scaled from 0…255 to −1…1; beyond it are zeros.
func stemColumns(dst, src []float32, size int) {
	half := size / 2
	plane := func(ky, kx, c int) []float32 { return dst[((ky*3+kx)*3+c)*half*half:][:half*half] }
	for ky := range 2 {
		for c := range 3 {
			for kx := range 2 {
				to := plane(ky, kx, c)
				for y := range half {
					row, line := to[y*half:][:half], src[(2*y+ky)*size*3:][:size*3]
					for x := range row {
						row[x] = float32(line[(2*x+kx)*3+c]*(1/127.5)) - 1
					}
				}
			}
			// The third column of one output is the first of the next.
			even, third := plane(ky, 0, c), plane(ky, 2, c)
			copy(third, even[1:])
			for y := range half {
				third[y*half+half-1] = 0
			}
		}
	}
	for kx := range 3 {
		for c := range 3 {
			third := plane(2, kx, c)
			copy(third, plane(0, kx, c)[half:])
			clear(third[half*(half-1):])
		}
	}
}

// pointwise computes y = relu6(W x + bias), x of in × n, y of out × n, in blocks
// of columns that stay in the cache between the product and the rest.
func pointwise(y, x []float32, l *layer, in, n int) {
	out := len(l.bias)
	for j := 0; j < n; j += pointwiseColumns {
		cols := min(pointwiseColumns, n-j)
		kernels.Product(blas.NoTrans, blas.NoTrans, kernels.Matrix(l.weights, out, in), columns(x, in, n, j, cols),
			0, columns(y, out, n, j, cols))
		kernels.BiasReLU6(y[j:], n, cols, l.bias)
	}
}

// columns views cols columns from the j-th on of a row-major matrix of
// rows × stride.
func columns(data []float32, rows, stride, j, cols int) blas32.General {
	return blas32.General{Rows: rows, Cols: cols, Stride: stride, Data: data[j : (rows-1)*stride+j+cols]}
}

// pool writes the mean of each channel's map: pixels numbers from the offset on,
// channels a stride apart.
func pool(dst, maps []float32, offset, stride, pixels int) {
	for c := range dst {
		var sum float32
		for _, v := range maps[c*stride+offset:][:pixels] {
			sum += v
		}
		dst[c] = sum / float32(pixels)
	}
}
