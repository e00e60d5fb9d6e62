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
// temperature: see calibrationCount.
type Calibration struct{ Before, After float64 }

// calibrated counts towards a Calibration, one example after the other, so that a split's
// logits need not lie in memory together.
type calibrated struct{ before, after calibrationCount }

func newCalibrated(temperature float64) *calibrated {
	return &calibrated{calibrationCount{temperature: 1}, calibrationCount{temperature: temperature}}
}

func (c *calibrated) add(label int32, logits []float32) {
	c.before.add(label, logits)
	c.after.add(label, logits)
}

func (c *calibrated) calibration() Calibration { return Calibration{c.before.error(), c.after.error()} }

func calibration(logits []float32, labels []int32, classes int, temperature float64) Calibration {
	c := newCalibrated(temperature)
	for i, label := range labels {
		c.add(label, logits[i*classes:][:classes])
	}
	return c.calibration()
}

// calibrationCount counts towards the expected calibration error: by how much the
// probability of the most probable class differs from how often it is right: the mean over
// 15 bins of equal width, (b/15, (b+1)/15], of the difference of both's means, each bin
// counting by its examples (Guo et al., 2017). It is 0 of no example.
type calibrationCount struct {
	temperature float64
	examples    int
	bins        [calibrationBins]float64 // the sums of probability less right
}

func (c *calibrationCount) add(label int32, z []float32) {
	best, total := 0, 0.
	for k, v := range z {
		if v > z[best] {
			best = k
		}
	}
	for _, v := range z {
		total += math.Exp((float64(v) - float64(z[best])) / c.temperature)
	}
	bin := min(max(int(math.Ceil(calibrationBins/total))-1, 0), calibrationBins-1)
	c.bins[bin] += 1 / total
	if int(label) == best {
		c.bins[bin]--
	}
	c.examples++
}

func (c *calibrationCount) error() float64 {
	sum := 0.
	for _, v := range c.bins {
		sum += math.Abs(v)
	}
	return sum / float64(max(1, c.examples))
}
