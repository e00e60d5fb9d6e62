package trainer

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"tnaml/experiments/space"
)

var accuracy = space.Objective{Metric: Accuracy, Direction: space.Maximise}

func TestCheckedLeavesGoodOutcomes(t *testing.T) {
	for _, o := range []Outcome{
		{Status: OK, Metrics: map[string]float64{"validation_accuracy": .5}},
		{Status: OK, Metrics: map[string]float64{"accuracy": -MaxMetric, "anything else": 0}, Steps: 7, Model: "sha256:m", Reason: "in words"},
		{Status: Failed, Reason: "why"}, {Status: Diverged}, {Status: OverSteps, Steps: 3},
		{Status: OverMemory, Metrics: map[string]float64{"parameters": 3}},
	} {
		if got := o.Checked(accuracy); !reflect.DeepEqual(got, o) {
			t.Errorf("%+v became %+v", o, got)
		}
	}
}

// What breaks the contract is a failed trial that says how, all of it.
func TestCheckedFailsTheRest(t *testing.T) {
	many := map[string]float64{"accuracy": 1}
	for i := range 64 {
		many[fmt.Sprint(i)] = 1
	}
	ok := func(metrics map[string]float64) Outcome {
		return Outcome{Status: OK, Metrics: metrics, Model: "sha256:m", Steps: 3}
	}
	for name, c := range map[string]struct {
		outcome Outcome
		want    []string
	}{
		"NaN": {ok(map[string]float64{"accuracy": math.NaN()}), []string{`its metric "accuracy" is NaN`}},
		"infinite": {ok(map[string]float64{"accuracy": 1, "loss": math.Inf(1), "gain": math.Inf(-1)}), []string{
			`"loss" is +Inf`, `"gain" is -Inf`,
		}},
		"no objective":   {ok(map[string]float64{"loss": 1, "auc": .5}), []string{`it lacks the objective "accuracy" (it has: auc, loss)`}},
		"test alone":     {ok(map[string]float64{"test_accuracy": 1}), []string{`it lacks the objective "accuracy"`}},
		"no metrics":     {ok(nil), []string{`it lacks the objective "accuracy" (it has: none)`}},
		"many metrics":   {ok(many), []string{"it has 65 metrics, more than 64"}},
		"a long name":    {ok(map[string]float64{"accuracy": 1, strings.Repeat("n", 65): 1}), []string{"nnn…", "1 to 64 bytes"}},
		"a broken name":  {ok(map[string]float64{"accuracy": 1, "a\xff": 1, "": 1}), []string{`"a?"`, `the name ""`}},
		"no status":      {Outcome{Metrics: map[string]float64{"accuracy": 1}}, []string{`its status is ""`, "over_memory"}},
		"another status": {Outcome{Status: Status(strings.Repeat("done", 100))}, []string{`its status is "done`, `…"`}},
		"a long model":   {Outcome{Status: Failed, Model: strings.Repeat("m", 1001)}, []string{"its model's reference has 1001 bytes"}},
		"a broken model": {Outcome{Status: Failed, Model: "m\xff"}, []string{"its model's reference has 2 bytes, it must be text"}},
		"long examples":  {Outcome{Status: Failed, Examples: strings.Repeat("m", 1001)}, []string{"its examples' reference has 1001 bytes"}},
		"negative steps": {Outcome{Status: Failed, Steps: -3}, []string{"it has taken -3 steps"}},
		"too many steps": {Outcome{Status: Failed, Steps: math.MaxInt}, []string{"steps, it must be 0 to 1000000000000"}},
		"several": {Outcome{Status: "OK", Metrics: map[string]float64{"x": math.NaN()}, Steps: -1}, []string{
			`its status is "OK"`, `"x" is NaN`, "-1 steps",
		}},
	} {
		got := c.outcome.Checked(accuracy)
		if got.Status != Failed || got.Metrics != nil || got.Model+got.Examples != "" || got.Steps < 0 ||
			c.outcome.Steps > 0 && got.Steps != min(c.outcome.Steps, MaxSteps) {
			t.Errorf("%s: %+v", name, got)
		}
		for _, want := range append(c.want, "the outcome breaks the trainers' contract: ") {
			if !strings.Contains(got.Reason, want) {
				t.Errorf("%s: %q is not in %q", name, want, got.Reason)
			}
		}
		if again := got.Checked(accuracy); !reflect.DeepEqual(again, got) {
			t.Errorf("%s: checked again it is %+v", name, again)
		}
	}
}

// Reasons are cut between characters, so that a history can hold them.
// A progress can always be written as JSON, whatever the training has come to, and is
// the trainer's own no more.
func TestProgressChecked(t *testing.T) {
	metrics := map[string]float64{"loss": math.NaN(), "norm": math.Inf(1), "rate": .1}
	p := Progress{Step: 3, Metrics: metrics}.Checked()
	metrics["rate"] = .2
	if b, err := json.Marshal(p); err != nil || string(b) != `{"step":3,"metrics":{"rate":0.1}}` {
		t.Errorf("%s, %v", b, err)
	}
	many := map[string]float64{}
	for i := range maxMetrics + 1 {
		many[fmt.Sprint(i)] = 0
	}
	for _, p := range []Progress{{Step: 4}, {Step: 4, Metrics: many}} {
		if got := p.Checked(); !reflect.DeepEqual(got, Progress{Step: 4}) {
			t.Errorf("%+v", got)
		}
	}
}

func TestReasonsAreBounded(t *testing.T) {
	for _, reason := range []string{
		strings.Repeat("x", 5000), strings.Repeat("ü", 1500), "a" + strings.Repeat("日", 1000), strings.Repeat("\xff", 3000),
		"a" + strings.Repeat("🙂", 700),
		strings.Repeat("x", 1999) + "ü", strings.Repeat("x", 2000), "short", "bad \xff byte", "",
	} {
		got := Outcome{Status: Failed, Reason: reason}.Checked(accuracy).Reason
		if !utf8.ValidString(got) || len(got) > maxReason {
			t.Errorf("%d bytes, valid %v", len(got), utf8.ValidString(got))
		}
		if cut := strings.HasSuffix(got, "…"); cut != (len(strings.ToValidUTF8(reason, "?")) > maxReason) || cut && len(got) < maxReason-6 {
			t.Errorf("%d bytes of %d", len(got), len(reason))
		}
		if again := (Outcome{Status: Failed, Reason: got}).Checked(accuracy).Reason; again != got {
			t.Errorf("cut again: %d bytes of %d", len(again), len(got))
		}
	}
}

func TestDecodeOutcome(t *testing.T) {
	good := `{"status":"ok","metrics":{"validation_accuracy":0.83,"test_accuracy":1},"steps":400,"model":"sha256:m"}`
	want := Outcome{Status: OK, Metrics: map[string]float64{"validation_accuracy": .83, "test_accuracy": 1}, Steps: 400, Model: "sha256:m"}
	if got := DecodeOutcome([]byte(good), accuracy); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	// What other programs add is theirs.
	if got := DecodeOutcome([]byte(` {"took":"3s",`+good[1:]+"\n"), accuracy); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	for text, reason := range map[string]string{
		"":                                   "no outcome",
		"Traceback (most recent call last):": "no outcome: invalid character 'T' looking for beginning of value: Traceback (most recent",
		"\xff\xfe\x00 garbage":               "no outcome",
		"[]":                                 "no outcome: it is of the type array: []",
		"null":                               `its status is ""`,
		"{}":                                 `its status is ""`,
		`"ok"`:                               "no outcome",
		good + good:                          "no outcome",
		good[:len(good)-1]:                   "no outcome",
		`{"status": "ok", "metrics": {"validation_accuracy": NaN}}`:       "invalid character 'N'",
		`{"status": "ok", "metrics": {"validation_accuracy": Infinity}}`:  "invalid character 'I'",
		`{"status": "ok", "metrics": {"validation_accuracy": null}}`:      `"validation_accuracy" is NaN`,
		`{"status": "ok", "metrics": null}`:                               "lacks the objective",
		`{"status": "ok", "metrics": {"validation_accuracy": 1e400}}`:     "no outcome",
		`{"status": "ok", "metrics": {"validation_accuracy": "0.5"}}`:     "no outcome",
		`{"status": "ok", "metrics": {"validation_accuracy": true}}`:      "no outcome",
		`{"status": "ok", "metrics": {"validation_accuracy": 1e31}}`:      `"validation_accuracy" is 1e+31, it must be a number of at most 1e+30`,
		`{"status": "failed", "reason": "a\n\u001b[31mb\r\n \tc\n"}`:      "a [31mb c",
		`{"status": "ok", "metrics": [0.5]}`:                              "no outcome",
		`{"status": 0, "metrics": {"validation_accuracy": 0.5}}`:          "no outcome",
		`{"status": "ok", "metrics": {"accuracy": 0.5}, "steps": 1.5}`:    "no outcome",
		`{"status": "ok", "metrics": {"accuracy": 0.5}, "steps": -2}`:     "-2 steps",
		`{"status": "success", "metrics": {"validation_accuracy": 0.5}}`:  `its status is "success"`,
		`{"status": "failed", "reason": ["a", "b"]}`:                      "no outcome",
		`{"status": "ok", "metrics": {"validation_precision": 0.5}}`:      "(it has: validation_precision)",
		strings.Repeat("日", 100000):                                       "no outcome",
		`{"status": "` + strings.Repeat("x", 100000) + `"}`:               `its status is "xxx`,
		`{"metrics": {"` + strings.Repeat("x", 100000) + `": 1}}`:         "1 to 64 bytes",
		`{"status": "failed", "metrics": {"x": 1}, "steps": 99999999999}`: "",
	} {
		got := DecodeOutcome([]byte(text), accuracy)
		if got.Status != Failed || strings.ContainsFunc(got.Reason, unicode.IsControl) || !strings.Contains(got.Reason, reason) ||
			len(got.Reason) > maxReason || !utf8.ValidString(got.Reason) {
			t.Errorf("%.60q: %.300v", text, got)
		}
	}
}

func FuzzDecodeOutcome(f *testing.F) {
	f.Add([]byte(`{"status":"ok","metrics":{"validation_accuracy":0.83,"x":null},"steps":400,"reason":"ü"}`))
	f.Add([]byte(`{"status":"ok","metrics":{"x\u2028\u001b[31my":1}}`)) // a reason that names what was measured
	f.Fuzz(func(t *testing.T, b []byte) {
		o := DecodeOutcome(b, accuracy)
		if again := o.Checked(accuracy); !reflect.DeepEqual(again, o) {
			t.Errorf("%+v checked again is %+v", o, again)
		}
		encoded, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		var back Outcome
		if err := json.Unmarshal(encoded, &back); err != nil || len(o.Metrics) > 0 && !reflect.DeepEqual(back, o) {
			t.Errorf("%+v comes back as %+v, %v", o, back, err)
		}
	})
}

func TestObjective(t *testing.T) {
	type m = map[string]float64
	minimise := func(metric string) space.Objective { return space.Objective{Metric: metric, Direction: space.Minimise} }
	for name, c := range map[string]struct {
		metrics          m
		objective        space.Objective
		key              string
		validation, test float64
		tested           bool
		reward           float64
	}{
		"both splits": {
			m{"validation_accuracy": .8, "test_accuracy": .7, "accuracy": .1}, accuracy, "validation_accuracy", .8, .7, true, .8,
		},
		"no test":              {m{"validation_accuracy": .8, "test_auc": .7}, accuracy, "validation_accuracy", .8, 0, false, .8},
		"of no split":          {m{"accuracy": .8, "test_accuracy": .7}, accuracy, "accuracy", .8, 0, false, .8},
		"validation and test":  {m{"validation": .8, "test": .7}, space.Objective{Metric: "validation"}, "validation", .8, .7, true, .8},
		"validation alone":     {m{"validation": .8}, space.Objective{Metric: "validation"}, "validation", .8, 0, false, .8},
		"the split's own name": {m{"validation_rmse": 2, "test_rmse": 3}, minimise("validation_rmse"), "validation_rmse", 2, 3, true, -2},
		"less is better":       {m{"validation_rmse": 2, "test_rmse": 3}, minimise("rmse"), "validation_rmse", 2, 3, true, -2},
		"nothing":              {m{"loss": 1}, accuracy, "", 0, 0, false, 0},
		"no metrics":           {nil, accuracy, "", 0, 0, false, 0},
		"a zero":               {m{"validation_accuracy": 0, "test_accuracy": 0}, accuracy, "validation_accuracy", 0, 0, true, 0},
	} {
		if key := Key(c.metrics, c.objective); key != c.key {
			t.Errorf("%s: the key is %q, want %q", name, key, c.key)
		}
		validation, test, tested := Values(c.metrics, c.objective)
		if validation != c.validation || test != c.test || tested != c.tested {
			t.Errorf("%s: %v, %v, %v", name, validation, test, tested)
		}
		if got := Reward(c.objective, validation); got != c.reward {
			t.Errorf("%s: the reward is %v, want %v", name, got, c.reward)
		}
	}
}

// A request says what it needs to, and nothing else; numbers are kept whole.
func TestRequestJSON(t *testing.T) {
	keep := -.25
	r := Request{
		Trial: 17, Task: Task{Name: "t", Kind: "text", Data: "sha256:d"},
		Choices: map[string]any{"hidden_layers": int64(2), "dropout": .1, "fine_tune": true},
		Objects: map[string]string{"m": "sha256:m"}, Settings: json.RawMessage(`{"epochs":3}`), Seed: math.MaxUint64,
		Objective: space.Objective{Metric: "rmse", Direction: space.Minimise}, Limits: Limits{MemoryBytes: 1 << 40, Steps: 500}, Keep: &keep,
	}
	const want = `{"trial":17,"task":{"name":"t","kind":"text","data":"sha256:d"},` +
		`"choices":{"dropout":0.1,"fine_tune":true,"hidden_layers":2},` +
		`"objects":{"m":"sha256:m"},"settings":{"epochs":3},"seed":18446744073709551615,"objective":{"metric":"rmse","direction":"minimise"},` +
		`"limits":{"memory_bytes":1099511627776,"steps":500},"keep":-0.25}`
	b, err := json.Marshal(r)
	if err != nil || string(b) != want {
		t.Errorf("%s, %v", b, err)
	}
	var back Request
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	r.Choices["hidden_layers"] = 2.
	if !reflect.DeepEqual(r, back) {
		t.Errorf("%+v", back)
	}
	const least = `{"trial":0,"task":{"name":"t"},"choices":{"a":1},"seed":0,"objective":{"metric":"m"}}`
	b, err = json.Marshal(Request{Task: Task{Name: "t"}, Choices: map[string]any{"a": 1}, Objective: space.Objective{Metric: "m"}})
	if err != nil || string(b) != least {
		t.Errorf("%s, %v", b, err)
	}
}

func TestText(t *testing.T) {
	for metric, want := range map[string]string{Accuracy: "83.12 %", MacroF1: "83.12 %", AUC: "83.12 %", LogLoss: "0.8312", "rmse": "0.8312"} {
		if got := Text(space.Objective{Metric: metric}, .83123); got != want {
			t.Errorf("%s: %s", metric, got)
		}
	}
}
