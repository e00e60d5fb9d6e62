package child

import (
	"math"
	"slices"
)

// Metrics is how well a model classifies a split. All are 0 of an empty one.
type Metrics struct {
	// Accuracy is the share of examples whose most probable class is their
	// label, the first of equals.
	Accuracy float64 `json:"accuracy"`
	// MacroF1 is the plain mean of 2·TP/(2·TP + FP + FN) over the classes that
	// occur as a label or as a prediction, as scikit-learn takes it: a class of
	// the task that the split does not show and the model does not name has no
	// part in it.
	MacroF1 float64 `json:"macro_f1"`
	// LogLoss is the mean of −ln p of the labels, in nats. It is finite: it is
	// taken from the logits, no probability is rounded to 0.
	LogLoss float64 `json:"log_loss"`
	// AUC is the area under the ROC curve of a task of two classes: the
	// probability that an example of class 1 scores above one of class 0, ties
	// counted half (Mann and Whitney, 1947).
	AUC float64 `json:"auc,omitempty"`
	// HasAUC says that there is an AUC: the task has two classes, and the split
	// has examples of both.
	HasAUC bool `json:"has_auc,omitempty"`
}

// tally counts towards Metrics, one example after the other.
type tally struct {
	examples, right int
	bits            []byte // which were right, a bit for each
	loss            float64
	classes         []classTally
	// scores are those of two classes: of class 1 from the start on, of class 0
	// from the end on.
	scores    []float64
	positives int
}

type classTally struct{ labels, predictions, right int }

// newTally is for so many examples.
func newTally(examples, classes int) *tally {
	t := &tally{bits: make([]byte, (examples+7)/8), classes: make([]classTally, classes)}
	if classes == 2 {
		t.scores = make([]float64, examples)
	}
	return t
}

func (t *tally) add(label int32, logits []float32) {
	best := 0
	for k, v := range logits {
		if v > logits[best] {
			best = k
		}
	}
	t.classes[label].labels++
	t.classes[best].predictions++
	if int32(best) == label {
		t.right++
		t.bits[t.examples/8] |= 1 << (t.examples % 8)
		t.classes[best].right++
	}
	// −ln p = top − logit + ln Σ exp(logit − top), where top's own term is 1.
	top, total := float64(logits[best]), 1.0
	for k, v := range logits {
		if k != best {
			total += math.Exp(float64(v) - top)
		}
	}
	t.loss += top - float64(logits[label]) + math.Log(total)
	if t.scores != nil {
		score := float64(logits[1]) - float64(logits[0]) // rises with p(class 1)
		if label == 1 {
			t.scores[t.positives] = score
			t.positives++
		} else {
			t.scores[len(t.scores)-1-(t.examples-t.positives)] = score
		}
	}
	t.examples++
}

func (t *tally) metrics() Metrics {
	if t.examples == 0 {
		return Metrics{}
	}
	n := float64(t.examples)
	m := Metrics{Accuracy: float64(t.right) / n, LogLoss: t.loss / n}
	occur := 0
	for _, c := range t.classes {
		if either := c.labels + c.predictions; either > 0 { // 2·TP + FP + FN
			occur++
			m.MacroF1 += float64(2*c.right) / float64(either)
		}
	}
	m.MacroF1 /= float64(occur)
	if t.scores != nil && t.positives > 0 && t.positives < t.examples {
		m.AUC, m.HasAUC = auc(t.scores[:t.positives], t.scores[t.positives:]), true
	}
	return m
}

// auc is the share of pairs in which the positive one scores higher, ties
// counted half. It sorts both.
func auc(positives, negatives []float64) float64 {
	slices.Sort(positives)
	slices.Sort(negatives)
	below, upTo := 0, 0 // the negatives that score less than a positive; no more than it
	halves := 0
	for _, p := range positives {
		for below < len(negatives) && negatives[below] < p {
			below++
		}
		for upTo < len(negatives) && negatives[upTo] <= p {
			upTo++
		}
		halves += below + upTo
	}
	return float64(halves) / (2 * float64(len(positives)) * float64(len(negatives)))
}
