package child

// DocumentVectors holds the mean token vector of every document, n × Dim each:
// what a frozen module makes of a task. It is shared read-only between trials.
type DocumentVectors struct {
	Train, Validation, Test []float32
}

// Embed computes the document vectors of a task under a frozen module.
func Embed(d *Data, t *Table) *DocumentVectors {
	return &DocumentVectors{
		Train:      means(&d.Train, t.Vectors, t.Known, t.Dim),
		Validation: means(&d.Validation, t.Vectors, t.Known, t.Dim),
		Test:       means(&d.Test, t.Vectors, t.Known, t.Dim),
	}
}

func means(e *Examples, vectors []float32, known []bool, dim int) []float32 {
	out := make([]float32, e.Len()*dim)
	for i := range e.Len() {
		meanVector(e, i, vectors, known, dim, out[i*dim:][:dim])
	}
	return out
}

// meanVector sets out to the mean vector of document i's tokens, each as often
// as it occurs, and returns 1/their number. Tokens without a vector count
// neither in the sum nor in the number; with none at all out is zero.
func meanVector(e *Examples, i int, vectors []float32, known []bool, dim int, out []float32) float32 {
	clear(out)
	var n float32
	for k := e.Offsets[i]; k < e.Offsets[i+1]; k++ {
		id := e.IDs[k]
		if !known[id] {
			continue
		}
		axpy(e.Counts[k], vectors[int(id)*dim:][:dim], out)
		n += e.Counts[k]
	}
	if n == 0 {
		return 0
	}
	inverse := 1 / n
	for k := range out {
		out[k] *= inverse
	}
	return inverse
}
