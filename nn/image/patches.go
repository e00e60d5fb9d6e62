package image

import (
	"cmp"
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	kernels "tnaml/nn/blas"
	"tnaml/nn/parallel"
	"tnaml/nn/rng"
	"tnaml/nn/safetensors"
)

const (
	// contrastFloor is added to a patch's variance (pixels 0 to 255) and
	// whiteningFloor to the eigenvalues of the patches' covariance: both as in
	// Coates and Ng (2012), "Learning feature representations with k-means", §2.
	contrastFloor  = 10
	whiteningFloor = 0.1
	// patchRows is the number of patches that are projected together.
	patchRows = 64
	// maxFeatures bounds the vector of an image: a small file could say that it is of
	// gigabytes.
	maxFeatures = 1 << 20
)

// Patches are features of patches learned by k-means (Coates, Ng and Lee, 2011,
// "An analysis of single-layer networks in unsupervised feature learning").
//
// Every patch of the image is brought to mean 0 and variance 1, whitened (ZCA),
// and compared with the centroids: f_k = max(0, μ − z_k), z_k its distance from
// centroid k and μ the mean of the distances ("triangle" activation). The
// activations are summed up over the cells of a grid, 2 × 2 by default.
type Patches struct {
	h         header
	mean      []float32 // of the patches, dim
	whitening []float32 // dim × dim
	centroids []float32 // Centroids × dim, in the whitened space
	transpose []float32 // dim × Centroids
	norms     []float32 // the centroids' squared lengths
}

// PatchOptions are the parameters of patch features. The zero value of each
// field is its default.
type PatchOptions struct {
	// Name in the catalogue; "" means kmeans_<centroids>.
	Name string
	// Source says in words what images they were learned of.
	Source string
	// Centroids is their number; 0 means 200. There are Grid² features for each.
	Centroids int
	// Size is the side to which images are resized; 0 means 32.
	Size int
	// Channels is 1 for grey or 3; 0 means 3.
	Channels int
	// Patch is the side of a patch; 0 means 6. Stride is the step between
	// patches; 0 means 1.
	Patch, Stride int
	// Grid is the number of pooling cells in a row; 0 means 2.
	Grid int
	// Samples is the number of patches learned of; 0 means 50,000. Iterations of
	// k-means; 0 means 15.
	Samples, Iterations int
	// Seed of samples and first centroids.
	Seed uint64
	// Workers is the number of goroutines; 0 means one for each processor. The
	// result does not depend on it.
	Workers int
	// Progress is called with the share done, 0 to 1. An error ends the work.
	Progress func(share float64) error
}

func (h header) validatePatches() error {
	var errs []error
	if h.Patch < 2 || h.Patch > 16 || h.Patch > h.Size {
		errs = append(errs, fmt.Errorf("patches of side %d in images of %d; the side must be 2 to 16, and fit", h.Patch, h.Size))
	}
	if h.Stride < 1 || h.Stride > maxWorking {
		errs = append(errs, fmt.Errorf("a stride of %d", h.Stride))
	}
	if h.Centroids < 2 || h.Centroids > 1<<14 {
		errs = append(errs, fmt.Errorf("%d centroids; there must be 2 to %d", h.Centroids, 1<<14))
	}
	if len(errs) == 0 && (h.Grid < 1 || h.Grid > h.side()) {
		errs = append(errs, fmt.Errorf("a grid of %d cells in a row of %d patches", h.Grid, h.side()))
	}
	if n := h.features(); len(errs) == 0 && n > maxFeatures {
		errs = append(errs, fmt.Errorf("%d centroids in a grid of %d cells in a row are %d features of an image; there can be up to %d",
			h.Centroids, h.Grid, n, maxFeatures))
	}
	return errors.Join(errs...)
}

// side is the number of patches in a row.
func (h header) side() int { return (h.Size-h.Patch)/h.Stride + 1 }

// dim is the length of a patch.
func (h header) dim() int { return h.Patch * h.Patch * h.Channels }

// features is the length of a vector.
func (h header) features() int { return h.Grid * h.Grid * h.Centroids }

// Validate reports what is out of range, whatever the images.
func (o PatchOptions) Validate() error {
	h := o.header()
	return errors.Join(h.validate(), h.validatePatches())
}

// header is that of the features, with the defaults filled in.
func (o PatchOptions) header() header {
	h := header{Type: typePatches, Name: o.Name, Source: o.Source, Size: cmp.Or(o.Size, 32), Channels: cmp.Or(o.Channels, 3),
		Patch: cmp.Or(o.Patch, 6), Stride: cmp.Or(o.Stride, 1), Centroids: cmp.Or(o.Centroids, 200), Grid: cmp.Or(o.Grid, 2)}
	h.Name = cmp.Or(h.Name, fmt.Sprintf("kmeans_%d", h.Centroids))
	return h
}

// TrainPatches learns patch features of images. The result is a function of
// images and options alone, Workers and Progress aside.
func TrainPatches(images Images, o PatchOptions) (*Patches, error) {
	h := o.header()
	samples, iterations := cmp.Or(o.Samples, 50000), cmp.Or(o.Iterations, 15)
	errs := []error{h.validate(), h.validatePatches(), images.Validate()}
	if images.Len() == 0 {
		errs = append(errs, errors.New("no images"))
	}
	if samples < h.Centroids || samples > 1<<22 || iterations < 1 {
		errs = append(errs, fmt.Errorf("%d samples and %d iterations for %d centroids; "+
			"there must be a sample for each, at most %d, and an iteration", samples, iterations, h.Centroids, 1<<22))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("patch features %s: %w", h.Name, err)
	}
	step := o.Progress
	if step == nil {
		step = func(float64) error { return nil }
	}
	x := samplePatches(images, h, samples, o.Seed, o.Workers)
	p := &Patches{h: h}
	if err := p.whiten(x); err != nil {
		return nil, fmt.Errorf("patch features %s: %w", h.Name, err)
	}
	d := h.dim()
	z := make([]float32, len(x))
	_ = parallel.Blocks(samples, patchRows, o.Workers, func(from, to int) error {
		p.project(z[from*d:to*d], x[from*d:to*d])
		return nil
	})
	if err := p.cluster(z, iterations, o.Seed, o.Workers, step); err != nil {
		return nil, fmt.Errorf("patch features %s: %w", h.Name, err)
	}
	p.index()
	return p, nil
}

// samplePatches draws patches, uniformly over images and places, and normalises
// their contrast. It returns samples × dim.
func samplePatches(images Images, h header, samples int, seed uint64, workers int) []float32 {
	r := rng.New(seed, "image/patches/sample", 0)
	places := make([][3]int, samples)
	of := map[int][]int{} // image → samples
	for i := range places {
		places[i] = [3]int{r.IntN(images.Len()), r.IntN(h.Size - h.Patch + 1), r.IntN(h.Size - h.Patch + 1)}
		of[places[i][0]] = append(of[places[i][0]], i)
	}
	d := h.dim()
	x := make([]float32, samples*d)
	_ = parallel.Blocks(images.Len(), 64, workers, func(from, to int) error {
		w := newWorking(images, h.Size, h.Channels)
		pixels := make([]float32, h.Size*h.Size*h.Channels)
		for i := from; i < to; i++ {
			if len(of[i]) == 0 {
				continue
			}
			w.load(pixels, images.At(i))
			for _, s := range of[i] {
				patch(x[s*d:][:d], pixels, h, places[s][1], places[s][2])
			}
		}
		return nil
	})
	return x
}

// patch copies the patch at (y, x) out of an image and brings it to mean 0 and
// variance 1 (or below it, where there is little contrast).
func patch(dst, pixels []float32, h header, y, x int) {
	n := h.Patch * h.Channels
	for i := range h.Patch {
		copy(dst[i*n:][:n], pixels[((y+i)*h.Size+x)*h.Channels:])
	}
	kernels.Normalise(dst, contrastFloor)
}

// whiten sets the mean of the patches, n × dim, and the whitening matrix
// V (Λ + ε)^−½ Vᵀ, V Λ Vᵀ their covariance.
func (p *Patches) whiten(x []float32) error {
	d := p.h.dim()
	n := len(x) / d
	mean := make([]float64, d)
	for i := range n {
		for k, v := range x[i*d:][:d] {
			mean[k] += float64(v)
		}
	}
	p.mean = make([]float32, d)
	for k := range mean {
		mean[k] /= float64(n)
		p.mean[k] = float32(mean[k])
	}
	covariance := mat.NewSymDense(d, nil)
	raw := covariance.RawSymmetric()
	centred := make([]float64, d)
	for i := range n {
		for k, v := range x[i*d:][:d] {
			centred[k] = float64(v) - mean[k]
		}
		for a, v := range centred {
			row := raw.Data[a*raw.Stride:][:d]
			for b := a; b < d; b++ {
				row[b] += float64(v * centred[b])
			}
		}
	}
	covariance.ScaleSym(1/float64(n), covariance)
	var eigen mat.EigenSym
	if !eigen.Factorize(covariance, true) {
		return errors.New("the eigenvalues of the patches' covariance did not converge")
	}
	values := eigen.Values(nil)
	var v mat.Dense
	eigen.VectorsTo(&v)
	p.whitening = make([]float32, d*d)
	for a := range d {
		for b := range d {
			sum := 0.0
			for k, l := range values {
				sum += float64(v.At(a, k) * v.At(b, k) / math.Sqrt(max(l, 0)+whiteningFloor))
			}
			p.whitening[a*d+b] = float32(sum)
		}
	}
	return nil
}

// project whitens patches, n × dim; x is spoiled.
func (p *Patches) project(z, x []float32) {
	d := p.h.dim()
	for i := range len(x) / d {
		kernels.Axpy(-1, p.mean, x[i*d:][:d])
	}
	kernels.Multiply(z, x, p.whitening, len(x)/d, d, d)
}

// cluster runs Lloyd's algorithm from different random patches. A centroid that
// loses all of its patches starts again at a random one.
func (p *Patches) cluster(z []float32, iterations int, seed uint64, workers int, step func(float64) error) error {
	d, k := p.h.dim(), p.h.Centroids
	n := len(z) / d
	p.centroids = make([]float32, k*d)
	for i, s := range rng.New(seed, "image/patches/first", 0).Perm(n)[:k] {
		copy(p.centroids[i*d:][:d], z[s*d:][:d])
	}
	nearest := make([]int32, n)
	for iteration := range iterations {
		if err := step(float64(iteration) / float64(iterations)); err != nil {
			return err
		}
		p.index()
		_ = parallel.Blocks(n, 4*patchRows, workers, func(from, to int) error {
			dots := make([]float32, patchRows*k)
			for ; from < to; from += patchRows {
				m := min(patchRows, to-from)
				kernels.Multiply(dots, z[from*d:], p.transpose, m, d, k)
				for i := range m {
					best, at := float32(math.Inf(1)), 0
					for j, v := range dots[i*k:][:k] {
						if v := p.norms[j] - float32(2*v); v < best {
							best, at = v, j
						}
					}
					nearest[from+i] = int32(at)
				}
			}
			return nil
		})
		sums, counts := make([]float64, k*d), make([]int, k)
		for i, c := range nearest {
			counts[c]++
			sum := sums[int(c)*d:][:d]
			for j, v := range z[i*d:][:d] {
				sum[j] += float64(v)
			}
		}
		r := rng.New(seed, "image/patches/restart", uint64(iteration))
		for c, count := range counts {
			if count == 0 {
				s := r.IntN(n)
				copy(p.centroids[c*d:][:d], z[s*d:][:d])
				continue
			}
			for j := range d {
				p.centroids[c*d+j] = float32(sums[c*d+j] / float64(count))
			}
		}
	}
	return step(1)
}

// index derives from the centroids what distances are computed with.
func (p *Patches) index() {
	d, k := p.h.dim(), p.h.Centroids
	p.transpose, p.norms = make([]float32, d*k), make([]float32, k)
	for c := range k {
		sum := 0.0
		for j, v := range p.centroids[c*d:][:d] {
			p.transpose[j*k+c] = v
			sum += float64(float64(v) * float64(v))
		}
		p.norms[c] = float32(sum)
	}
}

// Name is the module's name in the catalogue.
func (p *Patches) Name() string { return p.h.Name }

// Source says where the weights come from.
func (p *Patches) Source() string { return p.h.Source }

// Dim is Grid² × Centroids.
func (p *Patches) Dim() int { return p.h.features() }

// Extract computes the features: cell by cell, row-major, the sums of the
// centroids' activations over the cell's patches, divided by their number, so
// that the sizes of cells and images do not show.
func (p *Patches) Extract(dst []float32, images Images) {
	if len(dst) != images.Len()*p.Dim() {
		panic(fmt.Sprintf("image: %d numbers for %d vectors of %d", len(dst), images.Len(), p.Dim()))
	}
	h := p.h
	d, k, side := h.dim(), h.Centroids, h.side()
	w := newWorking(images, h.Size, h.Channels)
	pixels := make([]float32, h.Size*h.Size*h.Channels)
	x, z, dots := make([]float32, patchRows*d), make([]float32, patchRows*d), make([]float32, patchRows*k)
	cells := make([]int, h.Grid*h.Grid)
	for i := range images.Len() {
		w.load(pixels, images.At(i))
		out := dst[i*p.Dim():][:p.Dim()]
		clear(out)
		clear(cells)
		for from := 0; from < side*side; from += patchRows {
			m := min(patchRows, side*side-from)
			for j := range m {
				patch(x[j*d:][:d], pixels, h, (from+j)/side*h.Stride, (from+j)%side*h.Stride)
			}
			p.project(z[:m*d], x[:m*d])
			kernels.Multiply(dots, z, p.transpose, m, d, k)
			for j := range m {
				cell := (from+j)/side*h.Grid/side*h.Grid + (from+j)%side*h.Grid/side
				cells[cell]++
				kernels.Triangle(out[cell*k:][:k], dots[j*k:][:k], p.norms, kernels.Dot(z[j*d:][:d], z[j*d:]))
			}
		}
		for cell, n := range cells {
			scale := 1 / float32(n)
			for j := range k {
				out[cell*k+j] *= scale
			}
		}
	}
}

// Encode stores mean, whitening (dim × dim) and centroids (n × dim).
func (p *Patches) Encode() []byte {
	f := safetensors.New(kind)
	f.PutJSON(kind, p.h)
	d := p.h.dim()
	safetensors.Put(f, "mean", p.mean)
	safetensors.Put(f, "whitening", p.whitening, d, d)
	safetensors.Put(f, "centroids", p.centroids, p.h.Centroids, d)
	return f.Encode()
}

func decodePatches(h header, f *safetensors.File) (*Patches, error) {
	if err := h.validatePatches(); err != nil {
		return nil, err
	}
	p := &Patches{h: h}
	var errs [4]error
	d := h.dim()
	p.mean, errs[0] = get(f, "mean", d)
	p.whitening, errs[1] = get(f, "whitening", d, d)
	p.centroids, errs[2] = get(f, "centroids", h.Centroids, d)
	errs[3] = only(f, "mean", "whitening", "centroids")
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	p.index()
	return p, nil
}
