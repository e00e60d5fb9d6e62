package child

import (
	"math"
	"testing"
)

// The factor by hand. Of two classes with logits (0, 1), σ(s) is the mean target of class
// 1: (n+1)/(n+2) of n examples of it, 1/(n+2) of others.
func TestLogitScaleByHand(t *testing.T) {
	for _, c := range []struct {
		name    string
		logits  []float32
		labels  []int32
		classes int
		want    float64
	}{
		{"three of class 1, one of 0: (3·5/6 + 1/6)/4 = 2/3", []float32{0, 1, 0, 1, 0, 1, 0, 1}, []int32{1, 1, 1, 0}, 2, math.Log(2)},
		{"one, right: 2/3", []float32{0, 1}, []int32{1}, 2, math.Log(2)},
		{"four, right: 5/6", []float32{0, 1, 1, 0, 0, 1, 1, 0}, []int32{1, 0, 1, 0}, 2, math.Log(5)},
		{"one of three classes: eˢ/(eˢ+2) = 2/3", []float32{0, 0, 1}, []int32{2}, 3, math.Log(4)},
		{"one, wrong: the least", []float32{0, 1}, []int32{0}, 2, 1. / maxLogitScale},
		{"none", nil, nil, 2, 1},
	} {
		if s := logitScale(c.logits, c.labels, c.classes); math.Abs(s-c.want) > 1e-5 {
			t.Errorf("%s: %v, want %v", c.name, s, c.want)
		}
	}
}

// Examples that are all right make nothing certain: the probability of the class is the
// share that is right by the rule of succession, however great or small the logits are.
func TestAllRightIsNotCertain(t *testing.T) {
	for _, margin := range []float32{.1, 1, 10} {
		const n = 98
		var logits []float32
		labels := make([]int32, n)
		for i := range labels {
			labels[i] = int32(i % 2)
			logits = append(logits, margin*float32(1-i%2), margin*float32(i%2))
		}
		if p := 1 / (1 + math.Exp(-logitScale(logits, labels, 2)*float64(margin))); math.Abs(p-.99) > 1e-4 {
			t.Errorf("margin %v: probability %v, want .99", margin, p)
		}
	}
}

// The error by hand, of two classes: three examples said to be .9 of which two are right,
// two said to be .6 of which none is; bins 14 and 9.
func TestCalibrationErrorByHand(t *testing.T) {
	var logits []float32
	for _, p := range []float64{.9, .9, .9, .6, .6} {
		logits = append(logits, logit(p)...)
	}
	labels := []int32{1, 1, 0, 0, 0}
	want := (math.Abs(3*.9-2) + 2*.6) / 5
	if got := calibration(logits, labels, 2, 1).After; math.Abs(got-want) > 1e-6 {
		t.Errorf("%v, want %v", got, want)
	}
	// At half the temperature: .9 is 81 to 1, .6 is 2.25 to 1.
	want = (math.Abs(3*81./82-2) + 2*2.25/3.25) / 5
	if got := calibration(logits, labels, 2, .5).After; math.Abs(got-want) > 1e-6 {
		t.Errorf("at half the temperature: %v, want %v", got, want)
	}
	// .66 and .62 are both in (9/15, 10/15].
	logits = append(append([]float32{}, logit(.66)...), logit(.62)...)
	if got, want := calibration(logits, []int32{1, 0}, 2, 1).After, math.Abs(.66+.62-1)/2; math.Abs(got-want) > 1e-6 {
		t.Errorf("%v in one bin, want %v", got, want)
	}
	if got := calibration(nil, nil, 2, 1).After; got != 0 {
		t.Errorf("%v of no example", got)
	}
}

// The temperature of a model too sure of itself is more than 1; what it predicts has it,
// stored, too, and the log loss on the validation split is no higher for it.
func TestTemperature(t *testing.T) {
	d, table := synthetic(60, 40, 3, 6, 8, .7)
	m, out := train(t, config(func(c *Config) { c.Steps, c.FineTune, c.HiddenSize = 200, true, 32 }), d, table, 1)
	if !(out.Temperature > 1.2) || m.Temperature != out.Temperature {
		t.Fatalf("temperature %v of a model that knows its %d examples by heart", out.Temperature, d.Train.Len())
	}
	back, err := DecodeModel(m.EncodeAlone())
	if err != nil {
		t.Fatal(err)
	}
	p, loss := back.Predict(&d.Validation), 0.
	for i, label := range d.Validation.Labels {
		loss -= math.Log(float64(p[i*3+int(label)])) / float64(d.Validation.Len())
	}
	if !(loss < out.Validation.LogLoss) {
		t.Errorf("log loss %v with the temperature, %v without", loss, out.Validation.LogLoss)
	}
}
