package simulate

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func smallNight() *Nightly {
	return &Nightly{
		Set: "paper", Tasks: []string{"sms_spam"}, Arms: []Arm{{Name: "random", Strategy: "random"}}, Trials: 10, Seeds: 30, Lag: 4, Share: .5,
	}
}

// A night is a function of its plan, and as a record it comes back whole.
func TestNight(t *testing.T) {
	n := smallNight()
	a, err := n.Run(t.Context(), func(int, int) {})
	if err != nil {
		t.Fatal(err)
	}
	b, err := n.Run(t.Context(), func(int, int) {})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	var back Night
	if err := json.Unmarshal(raw, &back); err != nil || !reflect.DeepEqual(a, &back) || !a.SameWorld(&back) {
		t.Errorf("%v: %+v, then %+v", err, a, back)
	}
	if s := Slowdowns(a, b); len(s) != 1 || !s[0].Unchanged || s[0].Slower || s[0].Say() == "" {
		t.Errorf("%+v", s)
	}
	if len(a.Took[0]) != 30 || len(a.Took[0][0]) != 1 || a.Paces()[0].Searches != 30 {
		t.Errorf("%+v", a)
	}
	back.Scales[0].Median += .01
	if a.SameWorld(&back) {
		t.Error("surrogates that answer otherwise are the same world")
	}
	// What is asked makes the plan, and so do the records.
	w := &World{Records: "a"}
	was := n.digest(w)
	other := *w
	other.Records = "b"
	digests := []string{was, n.digest(&other)}
	for _, change := range []func(*Nightly){
		func(n *Nightly) { n.Share = .6 }, func(n *Nightly) { n.Seeds++ }, func(n *Nightly) { n.Trials++ }, func(n *Nightly) { n.Lag++ },
		func(n *Nightly) { n.Tasks = []string{"test"} }, func(n *Nightly) { n.Arms[0].Settings = []byte(`{}`) },
	} {
		m := smallNight()
		change(m)
		digests = append(digests, m.digest(w))
	}
	if slices.Sort(digests); len(slices.Compact(digests)) != 8 || smallNight().digest(w) != was {
		t.Errorf("plans that differ have one digest: %q", digests)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := n.Run(ctx, func(int, int) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestBadNights(t *testing.T) {
	if err := (&Nightly{Set: "papers"}).Check(); err == nil || !strings.Contains(err.Error(), `unknown benchmark "papers"`) {
		t.Error(err)
	}
	n := smallNight()
	if err := n.Check(); err != nil {
		t.Error(err)
	}
	n.Tasks, n.Share, n.Seeds, n.Trials = append(n.Tasks, "spam", n.Tasks[0]), 1, 3, 0
	n.Arms = append(n.Arms, Arm{Name: "random", Strategy: "randm"}, Arm{Name: "transfer", Strategy: "naml", From: "multitask"})
	err := n.Check()
	for _, want := range []string{`no task "spam"`, `"` + n.Tasks[0] + `" is there twice`, "share 1 must", "3 seeds are too few", "0 trials",
		`"random" is there twice`, `unknown strategy "randm"`, `"transfer" starts from "multitask"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	n = smallNight()
	n.Seeds, n.Trials = 10_000, 1_000_000
	for range 12 {
		n.Arms = append(n.Arms, n.Arms[0])
	}
	if err := n.Check(); err == nil || !strings.Contains(err.Error(), "trials a night") || !strings.Contains(err.Error(), "13 arms") {
		t.Error(err)
	}
}
