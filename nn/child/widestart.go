package child

import "math"

// DefaultWideStart is the share of naive Bayes' weights from which the wide
// tower starts. Of 0, 0.1, 0.3 and 1 it was the best on the validation splits
// of two tasks, three splits each: see experiments/README.md, "Where the wide
// tower starts".
const DefaultWideStart = 0.3

// ngramShare is the part of its share from which an n-gram's weights start: what
// it says its tokens have said in part. Of 1, 1/2 and 0 it was the best in the
// mean over the validation splits of six tasks (experiments/README.md).
const ngramShare = .5

// naiveBayes sets the wide tower's weights, rows × classes, to scale
// times those of naive Bayes on the presence of tokens and n-grams (Wang and
// Manning, 2012), rows of them together:
//
//	w(t, c) = log p(t|c) − mean over classes k of log p(t|k)
//	p(t|c)  = (1 + documents of c with t) / (sum over t of documents of c with t + rows)
//
// those of n-grams, which come after so many tokens, to half of that.
//
// A small set tells logistic regression less than it tells naive Bayes, which
// the tower can leave where it pays to. The paper says nothing of its start.
//
// The weights have taken one proximal step of unit learning rate, so that a
// high regularisation removes the tower from the start, as it does in training
// (Wong et al., 2018, §4.3).
func naiveBayes(w []float32, e *Examples, tokens, classes int, scale, l1 float64) {
	rows := len(w) / classes
	clear(w) // first the numbers of documents
	seen := e.wide()
	total := make([]float64, classes)
	for i, label := range e.Labels {
		for _, id := range seen.IDs[seen.Offsets[i]:seen.Offsets[i+1]] {
			if int(id) < rows {
				w[int(id)*classes+int(label)]++
				total[label]++
			}
		}
	}
	base := make([]float64, classes)
	for c, n := range total {
		base[c] = math.Log(n + float64(rows))
	}
	shrink := l1 / math.Sqrt(accumulatorStart)
	row := make([]float64, classes)
	for t := range rows {
		mean := 0.0
		for c := range row {
			row[c] = math.Log(1+float64(w[t*classes+c])) - base[c]
			mean += row[c]
		}
		mean /= float64(classes)
		for c, v := range row {
			v = scale * (v - mean)
			if t >= tokens {
				v *= ngramShare
			}
			w[t*classes+c] = float32(math.Copysign(max(math.Abs(v)-shrink, 0), v))
		}
	}
}
