package yardstick

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tnaml/experiments/data"
	"tnaml/experiments/data/text"
	"tnaml/nn/rng"
)

// task has three classes, one of them half of the texts. Their words end in the class's own
// way, and most occur once: words tell less than their characters.
func task(t *testing.T) *text.Task {
	t.Helper()
	var examples []text.Example
	endings := []string{"ing", "ous", "ess"}
	for i := range 400 {
		r := rng.New(1, "yardstick/test", uint64(i))
		class := max(0, r.IntN(4)-1)
		var words []string
		for range 6 {
			ending := "ary"
			if r.IntN(3) == 0 {
				ending = endings[class]
			}
			words = append(words, fmt.Sprintf("%c%c%c%s", 'a'+r.IntN(26), 'a'+r.IntN(26), 'a'+r.IntN(26), ending))
		}
		examples = append(examples, text.Example{Text: strings.Join(words, " "), Label: endings[class]})
	}
	built, err := text.Build(examples, data.Options{Name: "endings"})
	if err != nil {
		t.Fatal(err)
	}
	return built
}

func TestYardsticks(t *testing.T) {
	built := task(t)
	var results []Result
	for _, y := range All() {
		r, err := y.Train(built)
		if err != nil {
			t.Fatal(err)
		}
		again, err := y.Train(built)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r, again); diff != "" {
			t.Errorf("%s: one task gave two results: %s", y.Name, diff)
		}
		if r.Validation.Examples != built.Validation.Len() || r.Test.Examples != built.Test.Len() {
			t.Errorf("%s: %+v", y.Name, r)
		}
		r.Name = y.Name
		results = append(results, r)
	}
	m := results[0]
	if p := built.Card.MajorityAccuracy; m.Test.Accuracy != p || math.Abs(m.Test.MacroF1-2*p/(1+p)/3) > 1e-12 || m.C != 0 || m.Features != 0 {
		t.Errorf("always %v: %+v", p, m)
	}
	for _, r := range results[2:] {
		if r.C == 0 {
			t.Errorf("%s is not tuned", r.Name)
		}
	}
	last := results[4]
	if !(last.Test.Accuracy > .9) || !(results[3].Test.Accuracy < .75) || !(last.Features > results[3].Features) {
		t.Errorf("with characters %+v, without %+v", last, results[3])
	}
	if best, ok := ToBeat(results); !ok || best.Name != last.Name {
		t.Errorf("to beat: %+v", best)
	}
	if _, ok := ToBeat(nil); ok {
		t.Error("nothing is to beat")
	}
	want := "x, with a validation accuracy of 50.00 % and a test accuracy of 75.00 ± 21.65 % (one standard error)"
	if got := (Result{Name: "x", Validation: Score{Accuracy: .5}, Test: Score{Accuracy: .75, Examples: 4}}).Say(); got != want {
		t.Errorf("%q", got)
	}
	// Of equals the first.
	if best, _ := ToBeat([]Result{{Name: "a"}, {Name: "b"}}); best.Name != "a" {
		t.Errorf("of equals %q", best.Name)
	}
}
