package child

// DocumentVectors holds the mean token vector of every document, n × Dim each:
// what a frozen module makes of a task. It is shared read-only between trials.
type DocumentVectors struct {
	Train, Validation, Test []float32
}

// Embed computes the document vectors of a task under a frozen module.
func Embed(d *Data, t *Table) *DocumentVectors {
	return &DocumentVectors{Train: means(&d.Train, t), Validation: means(&d.Validation, t), Test: means(&d.Test, t)}
}

// means computes the documents' mean token vectors: each token as often as it
// occurs, those without a vector not at all; with none a document's is zero.
func means(e *Examples, t *Table) []float32 {
	out := make([]float32, e.Len()*t.Dim)
	b := meanBags(e, t.Known)
	for i := range e.Len() {
		b.sum(i, t.Vectors, out[i*t.Dim:][:t.Dim])
	}
	return out
}
