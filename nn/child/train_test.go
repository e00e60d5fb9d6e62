package child

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden file anew")

// The outcomes of one trainer version on one instruction set never change: the
// trial cache relies on it. When this test fails the results have changed, so
// TrainerVersion must, too.
func TestGoldenOutcomes(t *testing.T) {
	d, table := synthetic(300, 80, 3, 10, 20, .75)
	var b strings.Builder
	fmt.Fprintf(&b, "trainer version %s\n", TrainerVersion)
	for i, f := range []Activation{ReLU, ReLU6, LeakyReLU, Swish, Sigmoid, Tanh} {
		for k, norm := range []Normalisation{NoNorm, BatchNorm, LayerNorm} {
			cfg := config(func(c *Config) {
				c.Activation, c.Normalisation, c.HiddenLayers, c.HiddenSize = f, norm, (i+k)%4, 10+60*k
				c.FineTune, c.Dropout, c.DeepRegularisation, c.WideRegularisation = (i+k)%2 == 0, .1*float64(k), .003*float64(i), .01*float64(k)
			})
			_, out := train(t, cfg, d, table, uint64(i))
			line, err := json.Marshal(out)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "%s %s %s\n", f, norm, line)
		}
	}
	for _, p := range []Pooling{SIF, Max, Attention} {
		_, out := train(t, config(func(c *Config) { c.Pooling, c.Normalisation, c.DeepLearningRate = p, LayerNorm, .3 }), d, table, 1)
		line, err := json.Marshal(out)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s %s\n", p, line)
	}
	path := filepath.Join("testdata", "outcomes."+InstructionSet()+".golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		t.Skipf("no golden file for %s: make one with -update", InstructionSet())
	}
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("results changed: raise TrainerVersion, then run with -update\ngot\n%swant\n%s", b.String(), want)
	}
}

// A task without a wide vocabulary trains the deep tower alone.
func TestNoWideVocabulary(t *testing.T) {
	d, table := synthetic(400, 60, 3, 12, 8, .2)
	d.WideVocabulary = 0
	m, out := train(t, config(func(c *Config) { c.FineTune, c.Steps = true, 200 }), d, table, 1)
	if out.Test.Accuracy < .9 || len(m.wide) != 0 {
		t.Errorf("%+v with %d wide weights", out, len(m.wide))
	}
	back, err := DecodeModel(m.Encode())
	if err == nil {
		err = back.Attach(table)
	}
	if err != nil || back.Evaluate(&d.Test) != out.Test {
		t.Errorf("after a round trip: %v", err)
	}
}

// L1 removes the wide weights of tokens that say little and keeps others.
func TestL1GivesExactZeros(t *testing.T) {
	d, table := synthetic(400, 60, 3, 12, 8, .6)
	count := func(l1 float64) (zeros int) {
		m, _ := train(t, config(func(c *Config) { c.WideRegularisation, c.Steps = l1, 200 }), d, table, 1)
		for _, v := range m.wide {
			if v == 0 {
				zeros++
			}
		}
		return zeros
	}
	all := d.WideVocabulary * d.Classes
	if none, some := count(0), count(.1); none != 0 || some < all/10 || some == all {
		t.Errorf("of %d wide weights %d are zero without L1 and %d with", all, none, some)
	}
}

// Outcome.Parameters and Memory against what a model and a run really hold.
func TestParametersAndMemory(t *testing.T) {
	tokens, table := synthetic(500, 2000, 7, 30, 40, .8)
	for _, norm := range []Normalisation{NoNorm, BatchNorm} {
		for _, tune := range []bool{false, true} {
			for layers := range 3 {
				cfg := config(func(c *Config) {
					c.FineTune, c.HiddenLayers, c.HiddenSize, c.Normalisation, c.Steps = tune, layers, 128, norm, 1
				})
				name := fmt.Sprintf("tuned %v, %d layers, %s", tune, layers, norm)
				d := tokens
				if layers == 1 {
					d, cfg.WideNGrams = withNGrams(d, 3000), 2
				}
				m, out := train(t, cfg, d, table, 1)
				want := len(m.out) + len(m.outBias) + len(m.wide)
				for _, l := range m.layers {
					want += len(l.weights) + len(l.bias) + len(l.gain)
				}
				if tune {
					want += len(m.table)
				}
				if out.Parameters != want {
					t.Errorf("%s: %d parameters, want %d", name, out.Parameters, want)
				}
				var documents DocumentVectors
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				r := newRun(newNetwork(cfg, d, table, nil, 1), d, &documents, 1)
				runtime.ReadMemStats(&after)
				runtime.KeepAlive(r)
				real := float64(after.TotalAlloc - before.TotalAlloc)
				if got := float64(Memory(cfg, d, table)); got < .85*real || got > 1.25*real {
					t.Errorf("%s: Memory says %v bytes, allocated were %v", name, got, real)
				}
			}
		}
	}
}

func TestInputsThatDoNotFit(t *testing.T) {
	d, table := synthetic(20, 10, 2, 3, 2, .1)
	documents := Embed(d, table)
	bad := *d
	bad.Validation.Labels = slices.Clone(d.Validation.Labels)
	bad.Validation.Labels[1] = 2
	bad.Train = Examples{}
	bad.NGrams, bad.WideNGrams = 2, 3
	bad.Test.Offsets = d.Test.Offsets[1:]
	bad.WideVocabulary = 11
	documents.Test = documents.Test[1:]
	_, out, err := Train(config(nil), &bad, &Table{Dim: 3, Vectors: table.Vectors}, 1, Options{Documents: documents})
	for _, want := range []string{
		"up to 3 tokens and a configuration for up to 1", "wide tower sees of the test split does not fit 6 documents and 2 n-grams",
		"wide vocabulary of 11", "table of 20 numbers and 0 marks for 10 tokens of 3", "training split is empty",
		"document 1 of the validation split has label 2 of 2", "test split has 6 labels and 6 offsets", "11 document vector elements",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	if !reflect.DeepEqual(out, Outcome{}) {
		t.Errorf("outcome %+v", out)
	}
	if _, _, err := Train(config(nil), &Data{}, table, 1, Options{}); err == nil || !strings.Contains(err.Error(), "0 classes") {
		t.Errorf("a task without classes: %v", err)
	}
}

// What stops being a number after the last loss is found as well.
func TestDivergedUnseenByTheLoss(t *testing.T) {
	d, table := synthetic(120, 40, 3, 10, 6, .5)
	nan := float32(math.NaN())
	n := newNetwork(config(func(c *Config) { c.Normalisation = BatchNorm }), d, table, nil, 1)
	for name, v := range map[string][]float32{
		"weights": n.layers[0].weights.value, "gain": n.layers[0].gain.value, "mean": n.layers[0].mean,
		"deviation": n.layers[0].deviation, "out": n.out.value, "wide": n.wide.value,
	} {
		old := v[len(v)-1]
		v[len(v)-1] = nan
		if n.finite() {
			t.Errorf("NaN in %s goes unnoticed", name)
		}
		v[len(v)-1] = old
	}
	if !n.finite() {
		t.Error("a network of numbers is refused")
	}
	// The last step takes the weights out of range, when no loss follows.
	_, out, err := Train(config(func(c *Config) { c.DeepLearningRate, c.Steps = 3e38, 1 }), d, table, 1, Options{})
	if out.Status != Diverged || out.Reason == "" || out.Parameters == 0 || out.Steps != 1 || err != nil {
		t.Errorf("last step: %+v, %v", out, err)
	}
	// A token that only the validation split has is out of range: a frozen module
	// shows it in evaluation, a tuned one among its weights.
	vectors := slices.Clone(table.Vectors)
	inf := float32(math.Inf(1))
	table.Vectors = append(vectors, inf, -inf, inf, -inf, inf, -inf)
	table.Known = append(slices.Clone(table.Known), true)
	d.Vocabulary++
	d.Validation = Examples{Offsets: []int32{0, 1}, IDs: []int32{40}, Counts: []float32{2}, Labels: []int32{0}}
	for _, tune := range []bool{false, true} {
		_, out, err = Train(config(func(c *Config) { c.FineTune, c.Activation = tune, ReLU }), d, table, 1, Options{})
		if out.Status != Diverged || !tune && !strings.Contains(out.Reason, "evaluation") || out.Test != (Metrics{}) || err != nil {
			t.Errorf("evaluation: %+v, %v", out, err)
		}
	}
}
