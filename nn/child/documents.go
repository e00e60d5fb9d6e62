package child

// DocumentVectors holds the mean token vector of every document, n × Dim each:
// what a frozen module makes of a task. It is shared read-only between trials.
type DocumentVectors struct {
	Train, Validation, Test []float32
}

// Embed computes the document vectors of a task under a frozen module, the mean token
// vectors.
func Embed(d *Data, t *Table) *DocumentVectors { return EmbedBy(d, t, Mean) }

// Documents is the pooling of the vectors that a task's documents have for every model of a
// pooling: the mean, also where each model weighs the tokens by itself.
func (p Pooling) Documents() Pooling {
	if p == SIF || p == Max {
		return p
	}
	return Mean
}

// EmbedBy computes the document vectors of a task under a frozen module by a pooling.
func EmbedBy(d *Data, t *Table, p Pooling) *DocumentVectors {
	w := p.tokenWeights(d)
	return &DocumentVectors{Train: pooled(&d.Train, t, p, w), Validation: pooled(&d.Validation, t, p, w), Test: pooled(&d.Test, t, p, w)}
}

// sifWeight is a of smooth inverse frequency.
const sifWeight = 1e-3

// tokenWeights are how much each token of the vocabulary counts; nil: all the same. They
// are the same however the training and the validation split are drawn of their examples,
// and where a model is trained on both (WithValidation).
func (p Pooling) tokenWeights(d *Data) []float32 {
	if p != SIF || d.Vocabulary == 0 {
		return nil
	}
	counts, total := make([]float64, d.Vocabulary), 0.
	splits := []*Examples{&d.Train, &d.Validation}
	if d.Taught { // each example counts once
		splits = splits[:1]
	}
	for _, e := range splits {
		for k, id := range e.IDs {
			counts[id] += float64(e.Counts[k])
			total += float64(e.Counts[k])
		}
	}
	out := make([]float32, d.Vocabulary)
	for id, n := range counts {
		out[id] = float32(sifWeight / (sifWeight + n/max(1, total)))
	}
	return out
}

// pooled computes the documents' token vectors, pooled: the largest of them, or by any other
// pooling their mean, each token as often as it occurs, times its weight; those without a
// vector not at all, with none a document's is zero. Weights of nil are ones.
func pooled(e *Examples, t *Table, p Pooling, weights []float32) []float32 {
	out := make([]float32, e.Len()*t.Dim)
	b := meanBags(e, t.Known, weights)
	pool := b.sum
	if p == Max {
		pool = b.largest
	}
	for i := range e.Len() {
		pool(i, t.Vectors, out[i*t.Dim:][:t.Dim])
	}
	return out
}
