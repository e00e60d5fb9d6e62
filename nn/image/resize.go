package image

import "math"

// weights are one axis of a resampling: output i is the sum of
// weight[i][k]·input[first[i]+k].
type weights struct {
	first  []int
	weight [][]float64
}

// triangle returns the weights of bilinear resampling from n to m points, pixel
// centres at half-integers. Where m < n the triangle is widened by n/m, so that
// every input counts and nothing aliases (as Pillow and
// tf.image.resize(antialias=True) do). Beyond the edge nothing is read: the
// weights within are scaled to sum up to 1.
func triangle(n, m int) weights {
	w := weights{make([]int, m), make([][]float64, m)}
	scale := float64(n) / float64(m)
	support := math.Max(scale, 1)
	for i := range m {
		centre := float64((float64(i)+0.5)*scale) - 0.5
		from, to := max(0, int(math.Ceil(centre-support))), min(n-1, int(math.Floor(centre+support)))
		from, to = min(from, n-1), max(to, 0)
		sum := 0.0
		for k := from; k <= to; k++ {
			v := math.Max(0, 1-math.Abs(float64(k)-centre)/support)
			w.weight[i] = append(w.weight[i], v)
			sum += v
		}
		for k := range w.weight[i] {
			w.weight[i][k] /= sum
		}
		w.first[i] = from
	}
	return w
}

// Resizer resamples images of one size to another, bilinearly; downwards each
// output averages all of the inputs it covers. It is safe for concurrent use.
type Resizer struct {
	h, w, c       int
	height, width int
	rows, columns weights
	identity      bool
}

// NewResizer returns the resizer from h × w × c to height × width × c. All
// must be positive.
func NewResizer(h, w, c, height, width int) *Resizer {
	return &Resizer{h, w, c, height, width, triangle(h, height), triangle(w, width), h == height && w == width}
}

// Float resamples one image, h × w × c, into dst, height × width × c, in the
// scale of the pixels.
func (r *Resizer) Float(dst []float32, src []uint8) {
	if r.identity {
		for i, v := range src {
			dst[i] = float32(v)
		}
		return
	}
	// Rows first: the conversions keep the compiler from fusing a product with a
	// sum, so that all platforms agree.
	line := make([]float64, r.w*r.c)
	for y := range r.height {
		clear(line)
		for k, v := range r.rows.weight[y] {
			from := src[(r.rows.first[y]+k)*r.w*r.c:][:len(line)]
			for i, p := range from {
				line[i] += float64(v * float64(p))
			}
		}
		out := dst[y*r.width*r.c:][:r.width*r.c]
		if r.c == 3 {
			r.colours(out, line)
			continue
		}
		for x := range r.width {
			at := r.columns.first[x] * r.c
			for c := range r.c {
				sum := 0.0
				for k, v := range r.columns.weight[x] {
					sum += float64(v * line[at+k*r.c+c])
				}
				out[x*r.c+c] = float32(sum)
			}
		}
	}
}

// colours resamples a row of three channels.
func (r *Resizer) colours(out []float32, line []float64) {
	for x := range r.width {
		w := r.columns.weight[x]
		in := line[3*r.columns.first[x]:][:3*len(w)]
		var red, green, blue float64
		for _, v := range w {
			red += float64(v * in[0])
			green += float64(v * in[1])
			blue += float64(v * in[2])
			in = in[3:]
		}
		o := out[3*x:][:3]
		o[0], o[1], o[2] = float32(red), float32(green), float32(blue)
	}
}

// Bytes is Float rounded to the nearest pixel value.
func (r *Resizer) Bytes(dst, src []uint8) {
	if r.identity {
		copy(dst, src)
		return
	}
	v := make([]float32, r.height*r.width*r.c)
	r.Float(v, src)
	for i, x := range v {
		dst[i] = uint8(min(max(x+0.5, 0), 255))
	}
}

// working brings images to an extractor's own size and channels.
type working struct {
	resizer        *Resizer
	size, channels int
	buf            []float32 // in the image's own channels
}

func newWorking(m Images, size, channels int) *working {
	return &working{NewResizer(m.Height, m.Width, m.Channels, size, size), size, channels, make([]float32, size*size*m.Channels)}
}

// load writes an image as size × size × channels, 0 to 255. Grey becomes RGB by
// repetition, RGB grey by the luma of ITU-R BT.601.
func (w *working) load(dst []float32, src []uint8) {
	if w.resizer.c == w.channels {
		w.resizer.Float(dst, src)
		return
	}
	w.resizer.Float(w.buf, src)
	for i := range w.size * w.size {
		if w.channels == 3 {
			v := w.buf[i]
			dst[3*i], dst[3*i+1], dst[3*i+2] = v, v, v
		} else {
			p := w.buf[3*i:][:3]
			dst[i] = float32(0.299*p[0]) + float32(0.587*p[1]) + float32(0.114*p[2])
		}
	}
}
