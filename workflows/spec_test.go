package workflows

import (
	"strings"
	"testing"

	"tnaml/experiments/space"
)

func TestParseSearchSpecFillsDefaults(t *testing.T) {
	got, err := ParseSearchSpec([]byte(`{"tasks":["sms_spam"],"trials":7}`))
	if err != nil {
		t.Fatal(err)
	}
	want := DefaultSearchSpec()
	if got.Trials != 7 || got.Tasks[0] != "sms_spam" || got.Strategy != want.Strategy || got.Lag != want.Lag || got.Space != want.Space {
		t.Errorf("got %+v", got)
	}
}

func TestParseSearchSpecRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		json string
		want []string // all of these, in one error
	}{
		"unknown fields": {`{"tasks":["a"],"trails":5,"sead":1}`,
			[]string{`unknown field "trails"`, `unknown field "sead"`, "known fields: tasks, strategy, trials"}},
		"budget of zero": {`{"tasks":["a"],"trials":0}`, []string{`"trials" is 0`, "at least 1"}},
		"no tasks":       {`{}`, []string{`"tasks" is empty`}},
		"task twice":     {`{"tasks":["a","a"]}`, []string{`"a" is named twice`}},
		"strategy":       {`{"tasks":["a"],"strategy":"grid"}`, []string{`unknown strategy "grid"`, "random, naml, fixed"}},
		"many problems": {`{"tasks":[],"trials":-1,"lag":0,"trial_timeout":"soon"}`,
			[]string{`"tasks"`, `"trials"`, `"lag"`, `"trial_timeout"`}},
		"parallel over lag":     {`{"tasks":["a"],"lag":2,"parallel":3}`, []string{`"parallel" is 3`}},
		"wrong type":            {`{"tasks":"a"}`, []string{`"tasks" is "a": it must be a list of words`}},
		"not an object":         {`[1]`, []string{"not a JSON object"}},
		"null":                  {`null`, []string{"the input is null"}},
		"negative seed":         {`{"tasks":["a"],"seed":-1}`, []string{`"seed" is -1: it must be a whole number, not negative`}},
		"history limit too low": {`{"tasks":["a"],"history_limit":3}`, []string{`"history_limit" is 3`}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseSearchSpec([]byte(c.json))
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
		})
	}
}

// Whatever a trainer is called, its trials do not get among what is short.
func TestQueuesOfTrainersAreTheirOwn(t *testing.T) {
	for _, name := range []string{"light", ":light", "/light"} {
		s := space.Space{Name: "s", Trainer: name, Choices: []space.Choice{{Name: "c", Options: []any{int64(1)}}}}
		if TrainerQueue("q", name) == LightQueue("q") && len(s.Validate()) == 0 {
			t.Errorf("the trainer %q has the queue %s", name, LightQueue("q"))
		}
	}
}

func FuzzParseSearchSpec(f *testing.F) {
	f.Add([]byte(`{"tasks":["a"],"settings":{"x":1}}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		spec, err := ParseSearchSpec(raw)
		if err == nil && spec.Validate() != nil {
			t.Errorf("accepted an invalid spec %+v", spec)
		}
	})
}
