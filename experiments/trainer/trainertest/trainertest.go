// Package trainertest is the conformance suite of trainers: what package trainer
// and its FORMAT.md promise to a search, checked on one request.
package trainertest

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"tnaml/experiments/conformance"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// Fixture is what the suite is run on.
type Fixture struct {
	// Space is one that the trainer takes, as a person writes it; it is filled in
	// with Catalogue, the modules for the request's task kind.
	Space     *space.Space
	Catalogue []string
	// Request is a trial of the space that ends well, without limits and without
	// Keep. Its objective is that of the filled space where it is left empty.
	Request trainer.Request
	// Model says that the trial has a model to store.
	Model bool
	// OverMemory says that a limit of one byte of memory ends the trial.
	OverMemory bool
	// OverSteps says that a limit of one step of training ends the trial.
	OverSteps bool
	// Progress says that the trial tells its progress, at least twice.
	Progress bool
	// Curve says that the trial has a curve, of two points at least.
	Curve bool
}

// Exercise checks that a trainer keeps the contract. It runs the request some
// thirty times: it should be a small one.
func Exercise(t *testing.T, tr trainer.Trainer, f Fixture) {
	t.Helper()
	conformance.Run(t, rules, subject{tr, f})
}

// subject is a trainer with what it is tried on.
type subject struct {
	trainer.Trainer
	Fixture
}

// The rules; all but the first group run trials.
var rules = []conformance.Rule[subject]{
	{Name: "it has a name and a version", Check: identity},
	{Name: "it takes the space", Check: takesSpace},
	{Name: "fill keeps to the rules", Check: fills},
	{Name: "metrics are distinct", Check: metrics},
	{Name: "words are a short line", Check: describes},

	{Name: "an outcome keeps the contract", Check: outcome},
	{Name: "one request, one outcome", Check: deterministic},
	{Name: "what must not show does not", Check: hides},
	{Name: "the request stays as it is", Check: leavesRequest},
	{Name: "outcomes are the caller's own", Check: ownOutcome},
	{Name: "JSON changes nothing", Check: overJSON},
	{Name: "trials run side by side", Check: concurrent},
	{Name: "progress goes forwards", Check: tellsProgress},
	{Name: "an error of progress ends the trial", Check: endsOnProgress},
	{Name: "a cancelled context ends the trial", Check: endsOnCancel},
	{Name: "bad requests are failures", Check: badRequests},
	{Name: "the limits hold", Check: limits},
	{Name: "keep decides on the model alone", Check: keeps},
	{Name: "a curve changes nothing, and floors cut it", Check: curves},
}

// filled is the space as a search is pinned to it.
func (s subject) filled(t testing.TB) space.Space {
	t.Helper()
	sp, err := s.Fill(s.Space, s.Request.Task.Kind, s.Catalogue)
	if err != nil {
		t.Fatalf("fill: %v", err)
	}
	return sp
}

// request is a copy of the fixture's that a rule can change, with the filled
// space's objective and settings.
func (s subject) request(t testing.TB) trainer.Request {
	t.Helper()
	r := clone(s.Fixture.Request)
	sp := s.filled(t)
	if r.Objective == (space.Objective{}) {
		r.Objective = sp.Objective
	}
	if r.Settings == nil {
		r.Settings = sp.Settings
	}
	return r
}

func clone(r trainer.Request) trainer.Request {
	r.Choices = maps.Clone(r.Choices)
	r.Objects = maps.Clone(r.Objects)
	r.Settings = slices.Clone(r.Settings)
	if r.Keep != nil {
		keep := *r.Keep
		r.Keep = &keep
	}
	return r
}

// ran is a result with its model made.
type ran struct {
	Outcome trainer.Outcome
	Model   []byte
}

// run runs a trial that must not end in an error.
func (s subject) run(t testing.TB, r trainer.Request) ran {
	t.Helper()
	out, err := s.try(t, r)
	if err != nil {
		t.Fatalf("the trial ended in an error: %v", err)
	}
	return out
}

// try runs a trial.
func (s subject) try(t testing.TB, r trainer.Request) (ran, error) {
	t.Helper()
	result, err := s.Run(t.Context(), r, func(trainer.Progress) error { return nil })
	if err != nil {
		return ran{}, err
	}
	out := ran{Outcome: result.Outcome}
	if result.Encode != nil {
		out.Model = result.Encode()
		if len(out.Model) == 0 {
			t.Error("Encode returns nothing: it must be nil where there is no model")
		}
		if out.Outcome.Model != "" {
			t.Errorf("the outcome says that the model is stored as %q, and Encode returns it to be stored", out.Outcome.Model)
		}
	}
	return out, nil
}

// literal is a value as JSON writes it, by which results are compared: JSON
// writes a float with all its bits.
func literal(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
