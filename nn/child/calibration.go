package child

import (
	"math"
	"slices"
)

const (
	// maxLogitScale bounds the factor from both sides, logitScaleSteps those to find it.
	maxLogitScale   = 64
	logitScaleSteps = 50
	// calibrationBins is the number of bins of the expected calibration error.
	calibrationBins = 15
)

// logitScale returns the factor of the logits, examples × classes, with which the
// cross-entropy of their softmax is least: one over the temperature of Guo, Pleiss,
// Sun and Weinberger (2017). It is found by Newton's method in a bracket, the
// cross-entropy being convex in it, and lies between 1/64 and 64; 1 without examples.
//
// An example's target is not its class alone: where no example is wrong, the best factor
// would be the greatest, and every probability 1. After n of n that are right the next
// is right with probability (n+1)/(n+2), by the rule of succession; that is the class's
// target, and the others share the rest (Platt, 1999, "Probabilistic outputs for support
// vector machines", section 2.2, who counts each of his two classes alone; the one factor
// here is learnt of all). On n examples that weighs as much as one of no certain class.
func logitScale(logits []float32, labels []int32, classes int) float64 {
	if len(labels) == 0 {
		return 1
	}
	rest := 0. // the target of each other class
	if classes > 1 {
		rest = 1 / (float64(len(labels)+2) * float64(classes-1))
	}
	low, high, s := 1./maxLogitScale, float64(maxLogitScale), 1.
	for range logitScaleSteps {
		slope, curvature := 0., 0.
		for i, label := range labels {
			z := logits[i*classes:][:classes]
			top := slices.Max(z)
			total, mean, square, sum := 0., 0., 0., 0.
			for _, v := range z {
				d := float64(v) - float64(top)
				e := math.Exp(s * d)
				sum += d
				total += e
				mean += float64(e * d)
				square += float64(float64(e*d) * d)
			}
			mean /= total
			own := float64(z[label]) - float64(top)
			slope += mean - own + float64(rest*(float64(float64(classes)*own)-sum))
			curvature += square/total - float64(mean*mean)
		}
		if slope > 0 {
			high = s
		} else {
			low = s
		}
		next := s - slope/curvature
		if !(next > low && next < high) {
			next = math.Sqrt(low * high)
		}
		if math.Abs(next-s) < 1e-6*s {
			return next
		}
		s = next
	}
	return s
}

// Calibration is a model's expected calibration error on a split before and after its
// temperature: see calibrationError.
type Calibration struct{ Before, After float64 }

func calibration(logits []float32, labels []int32, classes int, temperature float64) Calibration {
	return Calibration{calibrationError(logits, labels, classes, 1), calibrationError(logits, labels, classes, temperature)}
}

// calibrationError is by how much the probability of the most probable class differs from
// how often it is right: the mean over 15 bins of equal width, (b/15, (b+1)/15], of the
// difference of both's means, each bin counting by its examples (Guo et al., 2017). It is 0
// of no example.
func calibrationError(logits []float32, labels []int32, classes int, temperature float64) float64 {
	var bins [calibrationBins]float64 // the sums of probability less right
	for i, label := range labels {
		z := logits[i*classes:][:classes]
		best, total := 0, 0.
		for c, v := range z {
			if v > z[best] {
				best = c
			}
		}
		for _, v := range z {
			total += math.Exp((float64(v) - float64(z[best])) / temperature)
		}
		bin := min(max(int(math.Ceil(calibrationBins/total))-1, 0), calibrationBins-1)
		bins[bin] += 1 / total
		if int(label) == best {
			bins[bin]--
		}
	}
	sum := 0.
	for _, v := range bins {
		sum += math.Abs(v)
	}
	return sum / float64(max(1, len(labels)))
}
