package trainertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"sync"
	"testing"

	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

func outcome(t testing.TB, s subject) {
	r := s.request(t)
	o := s.run(t, r).Outcome
	if checked := o.Checked(r.Objective); !reflect.DeepEqual(checked, o) {
		t.Errorf("%s", checked.Reason)
	}
	if o.Status != trainer.OK {
		t.Errorf("the status is %s (%s), the fixture's request must end well", o.Status, o.Reason)
	}
	if list := s.Metrics(); len(list) > 0 && trainer.Key(o.Metrics, space.Objective{Metric: list[0].Name}) == "" {
		t.Errorf("the default objective %q is not reported (there are: %v)", list[0].Name, slices.Sorted(maps.Keys(o.Metrics)))
	}
}

func deterministic(t testing.TB, s subject) {
	first := s.run(t, s.request(t))
	same(t, "the same request again", first, s.run(t, s.request(t)))
	other := s.request(t)
	other.Seed ^= 1 << 63 // may give what it likes, as long as it is an outcome
	if o := s.run(t, other).Outcome; !reflect.DeepEqual(o, o.Checked(other.Objective)) {
		t.Errorf("with another seed: %s", o.Checked(other.Objective).Reason)
	}
	same(t, "after a trial with another seed", first, s.run(t, s.request(t)))

	result, err := s.Run(t.Context(), s.request(t), func(trainer.Progress) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if result.Encode != nil && !slices.Equal(result.Encode(), result.Encode()) {
		t.Error("Encode returns another model when called again")
	}
}

// same compares two results of one request.
func same(t testing.TB, what string, want, got ran) {
	t.Helper()
	if a, b := literal(t, want.Outcome), literal(t, got.Outcome); a != b {
		t.Errorf("%s: another outcome:\n%s\n%s", what, a, b)
	}
	if !slices.Equal(want.Model, got.Model) {
		t.Errorf("%s: another model (%d and %d bytes)", what, len(want.Model), len(got.Model))
	}
}

// A trial's number is no part of what is trained, and an outcome that other
// searches may inherit depends on no name and no objective of this one.
func hides(t testing.TB, s subject) {
	want := s.run(t, s.request(t))
	r := s.request(t)
	r.Trial += 1000
	same(t, "with another number", want, s.run(t, r))
	if !s.Cached() {
		return
	}
	r.Task.Name += " by another name"
	same(t, "for a task of another name", want, s.run(t, r))
	for _, m := range s.Metrics() {
		r.Objective = space.Objective{Metric: m.Name, Direction: m.Direction}
		same(t, "with the objective "+m.Name, want, s.run(t, r))
	}
}

func leavesRequest(t testing.TB, s subject) {
	r := s.request(t)
	kept := clone(r)
	_ = s.run(t, r)
	if !reflect.DeepEqual(kept, r) {
		t.Errorf("the trial changed its request:\n%+v\n%+v", kept, r)
	}
}

func ownOutcome(t testing.TB, s subject) {
	first := s.run(t, s.request(t))
	want := ran{first.Outcome, slices.Clone(first.Model)}
	want.Outcome.Metrics = maps.Clone(first.Outcome.Metrics)
	for name := range first.Outcome.Metrics {
		first.Outcome.Metrics[name] = -12345
	}
	if first.Outcome.Metrics != nil {
		first.Outcome.Metrics["scribble"] = 1
	}
	for i := range first.Model {
		first.Model[i] = '?'
	}
	same(t, "after an earlier outcome was written over", want, s.run(t, s.request(t)))
}

// Numbers arrive as float64, maps in any order.
func overJSON(t testing.TB, s subject) {
	r := s.request(t)
	want := s.run(t, r)
	var back trainer.Request
	if err := json.Unmarshal([]byte(literal(t, r)), &back); err != nil {
		t.Fatal(err)
	}
	same(t, "the request went through JSON", want, s.run(t, back))
	if got := trainer.DecodeOutcome([]byte(literal(t, want.Outcome)), r.Objective); !reflect.DeepEqual(got, want.Outcome) {
		t.Errorf("the outcome went through JSON: %+v, was %+v", got, want.Outcome)
	}
}

func concurrent(t testing.TB, s subject) {
	const seeds, each = 3, 2
	var requests []trainer.Request
	var want []ran
	for i := range seeds {
		r := s.request(t)
		r.Seed += uint64(i)
		requests = append(requests, r)
		want = append(want, s.run(t, r))
	}
	var all sync.WaitGroup
	for i := range seeds * each {
		all.Go(func() {
			r := clone(requests[i%seeds])
			result, err := s.Run(t.Context(), r, func(trainer.Progress) error { return nil })
			if err != nil {
				t.Errorf("beside others: %v", err)
				return
			}
			got := ran{Outcome: result.Outcome}
			if result.Encode != nil {
				got.Model = result.Encode()
			}
			if !reflect.DeepEqual(want[i%seeds], got) {
				t.Errorf("beside others: another result:\n%+v\n%+v", want[i%seeds].Outcome, got.Outcome)
			}
		})
	}
	all.Wait()
}

func tellsProgress(t testing.TB, s subject) {
	var told []trainer.Progress
	_, err := s.Run(t.Context(), s.request(t), func(p trainer.Progress) error {
		p.Metrics = maps.Clone(p.Metrics)
		told = append(told, p)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.Progress && len(told) < 2 {
		t.Errorf("progress was told %d times, the fixture says twice at least", len(told))
	}
	for i, p := range told {
		if p.Step < 0 || p.Steps < 0 || p.Steps > 0 && p.Step > p.Steps || i > 0 && p.Step < told[i-1].Step {
			t.Errorf("progress goes from %+v to %+v", told[max(0, i-1)], p)
		}
		for name, v := range p.Metrics {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Errorf("progress has the metric %s %v", name, v)
			}
		}
	}
}

func endsOnProgress(t testing.TB, s subject) {
	if !s.Progress {
		t.Skip("the trainer tells no progress")
	}
	enough := errors.New("enough")
	calls := 0
	_, err := s.Run(t.Context(), s.request(t), func(trainer.Progress) error { calls++; return enough })
	if !errors.Is(err, enough) {
		t.Errorf("progress returned an error, the trial %v", err)
	}
	if calls != 1 {
		t.Errorf("progress was told %d times after it had returned an error", calls-1)
	}
}

func endsOnCancel(t testing.TB, s subject) {
	quiet := func(trainer.Progress) error { return nil }
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Run(cancelled, s.request(t), quiet); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before it began, the trial ends with: %v", err)
	}
	late, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	if _, err := s.Run(late, s.request(t), quiet); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("too late before it began, the trial ends with: %v", err)
	}
	if !s.Progress {
		return
	}
	midway, cancel := context.WithCancel(t.Context())
	defer cancel()
	if _, err := s.Run(midway, s.request(t), func(trainer.Progress) error { cancel(); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled on its way, the trial ends with: %v", err)
	}
}

// A request that the trainer cannot take is the trial's own failure, or an
// error in words: never a panic, and never a result.
func badRequests(t testing.TB, s subject) {
	try := func(what string, taken bool, change func(r *trainer.Request)) {
		t.Helper()
		r := s.request(t)
		change(&r)
		defer func() {
			if p := recover(); p != nil {
				t.Errorf("%s: panic: %v", what, p)
			}
		}()
		o, err := s.try(t, r)
		switch {
		case err != nil && err.Error() != "":
		case err != nil:
			t.Errorf("%s: an error that says nothing", what)
		case o.Outcome.Status != trainer.OK && o.Outcome.Reason == "":
			t.Errorf("%s: the status is %q and no reason is given", what, o.Outcome.Status)
		case o.Outcome.Status != trainer.OK && o.Model != nil:
			t.Errorf("%s: a model of a trial that is %s", what, o.Outcome.Status)
		case o.Outcome.Status == trainer.OK && !taken && o.Outcome.Checked(r.Objective).Status == trainer.OK:
			t.Errorf("%s: it was taken", what)
		}
	}
	try("an unknown choice", false, func(r *trainer.Request) { r.Choices["no such choice"] = 1.0 })
	try("no choices", false, func(r *trainer.Request) { r.Choices = nil })
	for name, option := range s.Request.Choices {
		wrong := any("no such option")
		if _, text := option.(string); text {
			wrong = -7.25
		}
		for _, v := range []any{wrong, nil, []any{option}} {
			try(fmt.Sprintf("choice %q: option %v", name, v), false, func(r *trainer.Request) { r.Choices[name] = v })
		}
		try(fmt.Sprintf("no choice %q", name), false, func(r *trainer.Request) { delete(r.Choices, name) })
	}
	try("an objective that is not reported", false, func(r *trainer.Request) { r.Objective.Metric = "no_such_metric" })
	try("a setting that there is not", true, func(r *trainer.Request) { r.Settings = []byte(`{"no such setting":1}`) })
	try("settings of another type", true, func(r *trainer.Request) { r.Settings = []byte(`[1]`) })
	try("no task", true, func(r *trainer.Request) { r.Task = trainer.Task{} })
	try("a task that there is not", true, func(r *trainer.Request) { r.Task.Data = "sha256:none" })
	try("no objects", true, func(r *trainer.Request) { r.Objects = nil })
}

// limits are kept, each with a status of its own, and make no difference to what
// is below them.
func limits(t testing.TB, s subject) {
	for _, l := range []struct {
		applies   bool
		over, far trainer.Limits
		status    trainer.Status
	}{
		{s.OverMemory, trainer.Limits{MemoryBytes: 1}, trainer.Limits{MemoryBytes: math.MaxInt64}, trainer.OverMemory},
		{s.OverSteps, trainer.Limits{Steps: 1}, trainer.Limits{Steps: math.MaxInt32}, trainer.OverSteps},
	} {
		if !l.applies {
			continue // the limit makes no difference to this trainer
		}
		r := s.request(t)
		r.Limits = l.over
		over := s.run(t, r)
		if over.Outcome.Status != l.status || over.Outcome.Reason == "" || over.Model != nil {
			t.Errorf("with the limits %+v the trial is %s (%q) with a model of %d bytes",
				l.over, over.Outcome.Status, over.Outcome.Reason, len(over.Model))
		}
		if o := over.Outcome; !reflect.DeepEqual(o, o.Checked(r.Objective)) {
			t.Errorf("%s", o.Checked(r.Objective).Reason)
		}
		r.Limits = l.far
		same(t, "a limit far away", s.run(t, s.request(t)), s.run(t, r))
	}
}

func keeps(t testing.TB, s subject) {
	r := s.request(t)
	want := s.run(t, r)
	if (want.Model != nil) != s.Model {
		t.Errorf("without Keep there is a model of %d bytes, the fixture says %v", len(want.Model), s.Model)
	}
	value, _, _ := trainer.Values(want.Outcome.Metrics, r.Objective)
	reward := trainer.Reward(r.Objective, value)
	for _, c := range []struct {
		keep float64
		kept bool
	}{
		{-math.MaxFloat64, s.Model}, {math.Nextafter(reward, math.Inf(-1)), s.Model},
		{reward, false}, {math.Nextafter(reward, math.Inf(1)), false},
	} {
		r.Keep = &c.keep
		got := s.run(t, r)
		if (got.Model != nil) != c.kept {
			t.Errorf("a reward of %v where %v must be exceeded: a model of %d bytes", reward, c.keep, len(got.Model))
		}
		if got.Model == nil {
			got.Model = want.Model
		}
		same(t, fmt.Sprintf("with Keep %v", c.keep), want, got)
	}
}

// A curve is beside the outcome; a trial with floors has the outcome that its curve cut
// there gives, and no model where it is pruned.
func curves(t testing.TB, s subject) {
	if !s.Curve {
		t.Skip("the trainer reports no curve")
	}
	want := s.run(t, s.request(t))
	r := s.request(t)
	r.Curve = true
	full := s.run(t, r)
	curve := full.Outcome.Curve
	if len(curve) < 2 {
		t.Fatalf("the curve has %d points", len(curve))
	}
	if last := curve[len(curve)-1]; last.Step != full.Outcome.Steps ||
		last.Value != full.Outcome.Metrics[trainer.Key(full.Outcome.Metrics, r.Objective)] {
		t.Errorf("the curve ends with %+v, the outcome is %+v", last, full.Outcome)
	}
	bare := full
	bare.Outcome.Curve = nil
	same(t, "with a curve", want, bare)
	if o := full.Outcome; !reflect.DeepEqual(o, o.Checked(r.Objective)) {
		t.Errorf("%s", o.Checked(r.Objective).Reason)
	}
	never, always := -math.MaxFloat64, trainer.MaxMetric
	if r.Objective.Direction == space.Minimise {
		never, always = math.MaxFloat64, -trainer.MaxMetric
	}
	for _, floors := range [][]trainer.Point{
		{{Step: 1, Value: never}}, {{Step: curve[len(curve)-1].Step, Value: always}}, {{Step: 1, Value: always}}, {{Step: curve[1].Step,
			Value: always}},
	} {
		r.Prune = floors
		got := s.run(t, r)
		cut := ran{Outcome: full.Outcome.Cut(floors, r.Objective), Model: full.Model}
		if cut.Outcome.Status == trainer.Pruned {
			cut.Model = nil
		}
		same(t, fmt.Sprintf("with the floors %v", floors), cut, got)
	}
}
