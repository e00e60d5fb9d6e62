package search

import (
	"bytes"
	"io"
	"math"
	"strings"
	"testing"

	"tnaml/experiments/exported"
	"tnaml/starter/cli/terminal"
)

// labels is a model of which nothing is asked but its labels.
type labels struct{ exported.Predictor }

func (labels) About() *exported.Info {
	return &exported.Info{Labels: []string{"ham", "spam"}}
}

// An answer that is no number is an error that names its example, after those before it.
func TestNoAnswer(t *testing.T) {
	nan := float32(math.NaN())
	for _, asJSON := range []bool{false, true} {
		var stdout bytes.Buffer
		a := app{&terminal.App{Process: terminal.Process{Stdout: &stdout, Stderr: io.Discard}, JSON: asJSON}}
		err := a.printPredictions(labels{}, []exported.Prediction{{Label: "ham", Probabilities: []float32{.75, .25}},
			{Label: "ham", Probabilities: []float32{nan, nan}}}, "text", []string{"hello", "far too much"}, 100)
		if err == nil || !strings.Contains(err.Error(), `text 102, "far too much": the model's answer is no number`) {
			t.Errorf("JSON %v: %v", asJSON, err)
		}
		if out := stdout.String(); strings.Count(out, "\n") != 1 || !strings.Contains(out, "hello") || strings.Contains(out, "NaN") {
			t.Errorf("JSON %v: %s", asJSON, out)
		}
	}
}
