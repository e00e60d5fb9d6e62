package benchmark

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tnaml/experiments/search"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// sample is a record of three trials, one of which failed.
func sample() *Record {
	c := search.Config{
		Tasks: []search.Task{{Name: "t", Kind: "text", Data: "sha256:1"}},
		Space: space.Space{
			Name: "s", Trainer: "other", Objective: space.Objective{Metric: trainer.Accuracy, Direction: space.Maximise},
			Choices: []space.Choice{{Name: "a", Options: []any{"x", "y"}}, {Name: "b", Options: []any{int64(1), int64(2), int64(3)}}},
		},
		Strategy: "random", Settings: json.RawMessage(`{}`), Seed: 1, Lag: 1,
	}
	row := func(trial, a, b int, validation, test byte) Row {
		right := &trainer.Right{Validation: trainer.Bits{N: 4, Packed: []byte{validation}}, Test: trainer.Bits{N: 3, Packed: []byte{test}}}
		v, t := right.Validation.Share(), right.Test.Share()
		m := map[string]float64{"validation_accuracy": v, "test_accuracy": t, "training_loss": 1.0 / float64(3+trial)}
		return Row{trial, []int{a, b}, trainer.OK, v, t, m, 100, 0.1, right}
	}
	return &Record{
		Provenance: Provenance{Config: c, Trainer: "1", InstructionSet: "avx2", MemoryBytes: 1 << 30, Command: "starter run x"},
		Rows: []Row{
			row(0, 0, 2, 0b0111, 0b101), row(1, 1, 0, 0b1111, 0b001),
			{Trial: 4, Actions: []int{1, 1}, Status: trainer.Diverged, Metrics: map[string]float64{"parameters": 7}, CPUSeconds: 0.01},
		},
	}
}

func encode(t testing.TB, r *Record) []byte {
	t.Helper()
	b, err := Encode(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What is written is read, and gives the same bytes again, whatever the order of the rows.
func TestRecordRoundTrip(t *testing.T) {
	b := encode(t, sample())
	got, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample(), got); diff != "" {
		t.Error(diff)
	}
	shuffled := sample()
	slices.Reverse(shuffled.Rows)
	if !bytes.Equal(b, encode(t, shuffled)) || !bytes.Equal(b, encode(t, got)) {
		t.Error("equal records give different bytes")
	}
	if shuffled.Rows[0].Trial != 4 {
		t.Error("Encode has reordered its argument")
	}
}

// Everything that is wrong with a record is told together, as it is written and as it
// is read.
// Of a trial that did not end well the objective is no result, and a record holds none.
func TestRowsThatEndedOtherwise(t *testing.T) {
	r := sample()
	values := map[string]float64{"validation_accuracy": .75, "test_accuracy": .5}
	for i, status := range []trainer.Status{trainer.Pruned, trainer.Infeasible} {
		right := r.Rows[0].Right
		r.Rows = append(r.Rows, NewRow(search.Trial{
			Trial: 5 + i, Actions: []int{0, i}, Status: status, Validation: .75, Test: .5, Metrics: values, Steps: 10,
		}, .1, right))
	}
	back, err := Decode(encode(t, r))
	if err != nil || back.Rows[3].Status != trainer.Pruned || back.Rows[4].Validation != 0 || back.Rows[4].Right != nil ||
		back.Rows[4].Metrics["validation_accuracy"] != .75 {
		t.Errorf("%v: %+v", err, back)
	}
	if ok := NewRow(search.Trial{Status: trainer.OK, Validation: .75, Test: .5}, 0, r.Rows[0].Right); ok.Validation != .75 || ok.Right == nil {
		t.Errorf("%+v", ok)
	}
}

func TestRecordSaysAllThatIsWrong(t *testing.T) {
	spoil := func(r *Record) {
		r.Rows[0].Actions[1] = 3
		r.Rows[0].Right.Validation.Packed[0] = 0b0001
		r.Rows[1].Trial = 0
		r.Rows[1].Metrics["training_loss"] = 1e31
		r.Rows[2].Status = "tired"
		r.Rows[2].Steps = -1
		r.Provenance.Config.Space.Objective.Direction = ""
		r.Provenance.Config.Tasks[0].Data = ""
	}
	r := sample()
	spoil(r)
	_, errEncode := Encode(r)
	r = sample()
	r.Rows[2].Metrics = nil
	spoil(r)
	_, errDecode := decodeContainer(r.container().Encode())
	for _, err := range []error{errEncode, errDecode} {
		for _, want := range []string{
			`choice "b" has no option 3, it has 3`, "its validation accuracy is 0.75, of the examples 0.25 are right", "trial 0 is there twice",
			`its metric "training_loss" is 1e+31`, "it has taken -1 steps", "its status is", "objective is not filled in", "with its name and data",
		} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v does not say %q", err, want)
			}
		}
	}
}

// Of very many errors some are told, and how many more there are.
func TestRecordErrorsHaveABound(t *testing.T) {
	r := sample()
	for i := range 1000 {
		r.Rows = append(r.Rows, Row{Trial: 10 + i, Status: trainer.Failed})
	}
	if _, err := Encode(r); err == nil || !strings.HasSuffix(err.Error(), "and 980 more") {
		t.Error(err)
	}
}

// Nothing that is decoded breaks anything, and what is decoded is written as it was.
func FuzzDecode(f *testing.F) {
	f.Add(sample().container().Encode())
	f.Add(encode(f, sample()))
	none := sample()
	none.Rows = nil
	f.Add(none.container().Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := Decode(b); err == nil && !bytes.HasPrefix(b, []byte{0x28, 0xb5, 0x2f, 0xfd}) {
			t.Error("no zstd file, and yet a record")
		}
		r, err := decodeContainer(b)
		if err != nil {
			return
		}
		again, err := decodeContainer(r.container().Encode()) // compressing takes its time
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again.container().Encode(), r.container().Encode()) {
			t.Error("decoded, written and decoded again it is another record")
		}
	})
}
