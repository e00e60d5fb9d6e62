package image

import (
	"cmp"
	"errors"
	"fmt"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/mat"

	kernels "tnaml/nn/blas"
	"tnaml/nn/parallel"
	"tnaml/nn/rng"
	"tnaml/nn/safetensors"
)

// Settings of the randomised range finder (Halko, Martinsson and Tropp, 2011,
// §4.5): columns beyond the wanted ones, and rounds of subspace iteration.
const (
	pcaOversampling = 8
	pcaRounds       = 3
)

// PCA are the leading principal components of the pixels: what an image model
// without any pretraining on other images can be given.
type PCA struct {
	h          header
	mean       []float32 // pixels
	components []float32 // pixels × Components, orthonormal columns
	shift      []float32 // mean · components
}

// PCAOptions are the parameters of principal components. The zero value of each
// field is its default.
type PCAOptions struct {
	// Name in the catalogue; "" means pca_<components>.
	Name string
	// Source says in words what images they were learned of.
	Source string
	// Components is their number; 0 means 64.
	Components int
	// Size is the side to which images are resized; 0 means 32.
	Size int
	// Channels is 1 for grey or 3; 0 means 3.
	Channels int
	// Samples is the number of images learned of; 0 means 10,000, or all.
	Samples int
	// Seed of samples and range finder.
	Seed uint64
	// Workers is the number of goroutines; 0 means one for each processor. The
	// result does not depend on it.
	Workers int
}

// pixels is the length of an image as a vector.
func (h header) pixels() int { return h.Size * h.Size * h.Channels }

func (h header) validatePCA() error {
	if h.Size > 256 || h.Components < 1 || h.Components > h.pixels() {
		return fmt.Errorf("%d components of %d × %d × %d pixels; the side must be at most 256, "+
			"and there must be at least one component and no more than pixels", h.Components, h.Size, h.Size, h.Channels)
	}
	return nil
}

// Validate reports what is out of range, whatever the images.
func (o PCAOptions) Validate() error {
	h := o.header()
	return errors.Join(h.validate(), h.validatePCA())
}

// header is that of the components, with the defaults filled in.
func (o PCAOptions) header() header {
	h := header{
		Type: typePCA, Name: o.Name, Source: o.Source,
		Size: cmp.Or(o.Size, 32), Channels: cmp.Or(o.Channels, 3), Components: cmp.Or(o.Components, 64),
	}
	h.Name = cmp.Or(h.Name, fmt.Sprintf("pca_%d", h.Components))
	return h
}

// TrainPCA finds the principal components of images. Each component's sign is
// such that its largest element is positive.
func TrainPCA(images Images, o PCAOptions) (*PCA, error) {
	h := o.header()
	errs := []error{h.validate(), h.validatePCA(), images.Validate()}
	n := min(cmp.Or(o.Samples, 10000), images.Len())
	if n < h.Components {
		errs = append(errs, fmt.Errorf("%d images for %d components; give at least as many", n, h.Components))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("principal components %s: %w", h.Name, err)
	}
	d := h.pixels()
	x := make([]float32, n*d)
	chosen := rng.New(o.Seed, "image/pca/sample", 0).Perm(images.Len())[:n]
	_ = parallel.Blocks(n, 64, o.Workers, func(from, to int) error {
		w := newWorking(images, h.Size, h.Channels)
		for i := from; i < to; i++ {
			w.load(x[i*d:][:d], images.At(chosen[i]))
		}
		return nil
	})
	p := &PCA{h: h, mean: centre(x, n, d)}
	k := min(h.Components+pcaOversampling, n, d)
	z, y := make([]float32, d*k), make([]float32, n*k)
	r := rng.New(o.Seed, "image/pca/range", 0)
	for i := range z {
		z[i] = float32(r.NormFloat64())
	}
	for range pcaRounds {
		kernels.Orthonormalise(z, d, k)
		times(y, x, z, n, d, k, o.Workers)
		transposeTimes(z, x, y, n, d, k, o.Workers)
	}
	kernels.Orthonormalise(z, d, k)
	times(y, x, z, n, d, k, o.Workers)
	rotation, err := principal(y, n, k)
	if err != nil {
		return nil, fmt.Errorf("principal components %s: %w", h.Name, err)
	}
	p.components = make([]float32, d*h.Components)
	for i := range d {
		for c := range h.Components {
			sum := 0.0
			for a := range k {
				sum += float64(float64(z[i*k+a]) * rotation.At(a, k-1-c))
			}
			p.components[i*h.Components+c] = float32(sum)
		}
	}
	p.orient()
	p.index()
	return p, nil
}

// centre takes the mean row off every row of x, n × d, and returns it.
func centre(x []float32, n, d int) []float32 {
	sum := make([]float64, d)
	for i := range n {
		for k, v := range x[i*d:][:d] {
			sum[k] += float64(v)
		}
	}
	mean := make([]float32, d)
	for k, s := range sum {
		mean[k] = float32(s / float64(n))
	}
	for i := range n {
		row := x[i*d:][:d]
		for k, m := range mean {
			row[k] -= m
		}
	}
	return mean
}

// times computes y = x·z, n × d times d × k.
func times(y, x, z []float32, n, d, k, workers int) {
	_ = parallel.Blocks(n, 64, workers, func(from, to int) error {
		kernels.Multiply(y[from*k:], x[from*d:], z, to-from, d, k)
		return nil
	})
}

// transposeTimes computes z = xᵀ·y, d × n times n × k.
func transposeTimes(z, x, y []float32, n, d, k, workers int) {
	_ = parallel.Blocks(d, 64, workers, func(from, to int) error {
		a := kernels.Matrix(x, n, d)
		a.Cols, a.Data = to-from, a.Data[from:]
		kernels.Product(blas.Trans, blas.NoTrans, a, kernels.Matrix(y, n, k), 0, kernels.Matrix(z[from*k:], to-from, k))
		return nil
	})
}

// principal returns the eigenvectors of yᵀ·y, eigenvalues ascending.
func principal(y []float32, n, k int) (*mat.Dense, error) {
	gram := mat.NewSymDense(k, nil)
	raw := gram.RawSymmetric()
	for i := range n {
		row := y[i*k:][:k]
		for a, v := range row {
			for b := a; b < k; b++ {
				raw.Data[a*raw.Stride+b] += float64(float64(v) * float64(row[b]))
			}
		}
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(gram, true) {
		return nil, errors.New("the eigenvalues of the images' covariance did not converge")
	}
	var v mat.Dense
	eigen.VectorsTo(&v)
	return &v, nil
}

// orient makes each component's largest element positive.
func (p *PCA) orient() {
	k := p.h.Components
	for c := range k {
		var largest float32
		for i := c; i < len(p.components); i += k {
			if v := p.components[i]; max(v, -v) > max(largest, -largest) {
				largest = v
			}
		}
		if largest < 0 {
			for i := c; i < len(p.components); i += k {
				p.components[i] = -p.components[i]
			}
		}
	}
}

func (p *PCA) index() {
	k := p.h.Components
	sums := make([]float64, k)
	for i, m := range p.mean {
		for c, v := range p.components[i*k:][:k] {
			sums[c] += float64(float64(m) * float64(v))
		}
	}
	p.shift = make([]float32, k)
	for c, s := range sums {
		p.shift[c] = float32(s)
	}
}

// Name is the module's name in the catalogue.
func (p *PCA) Name() string { return p.h.Name }

// Source says where the weights come from.
func (p *PCA) Source() string { return p.h.Source }

// Dim is the number of components.
func (p *PCA) Dim() int { return p.h.Components }

// Extract computes (x − mean) · components.
func (p *PCA) Extract(dst []float32, images Images) {
	k, d := p.h.Components, p.h.pixels()
	if len(dst) != images.Len()*k {
		panic(fmt.Sprintf("image: %d numbers for %d vectors of %d", len(dst), images.Len(), k))
	}
	w := newWorking(images, p.h.Size, p.h.Channels)
	x := make([]float32, min(blockSize, images.Len())*d)
	for from := 0; from < images.Len(); from += blockSize {
		n := min(blockSize, images.Len()-from)
		for i := range n {
			w.load(x[i*d:][:d], images.At(from+i))
		}
		y := dst[from*k:][:n*k]
		kernels.Multiply(y, x, p.components, n, d, k)
		for i := range n {
			row := y[i*k:][:k]
			for c, s := range p.shift {
				row[c] -= s
			}
		}
	}
}

// Encode stores mean and components (pixels × n).
func (p *PCA) Encode() []byte {
	f := safetensors.New(kind)
	f.PutJSON(kind, p.h)
	safetensors.Put(f, "mean", p.mean)
	safetensors.Put(f, "components", p.components, p.h.pixels(), p.h.Components)
	return f.Encode()
}

func decodePCA(h header, f *safetensors.File) (*PCA, error) {
	if err := h.validatePCA(); err != nil {
		return nil, err
	}
	p := &PCA{h: h}
	var errs [3]error
	p.mean, errs[0] = get(f, "mean", h.pixels())
	p.components, errs[1] = get(f, "components", h.pixels(), h.Components)
	errs[2] = only(f, "mean", "components")
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	p.index()
	return p, nil
}
