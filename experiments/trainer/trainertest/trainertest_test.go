package trainertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"tnaml/experiments/conformance"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/nn/rng"
)

// fake is a trainer that keeps the contract, as small as one can be: its models
// have the width and the shape that the choices say.
type fake struct{}

func (fake) Name() string           { return "fake" }
func (fake) Version() string        { return "1" }
func (fake) Cached() bool           { return true }
func (fake) Takes(kind string) bool { return kind == "toys" }

func (fake) Metrics() []trainer.Metric {
	return []trainer.Metric{{Name: "error", Direction: space.Minimise}, {Name: "speed", Direction: space.Maximise}}
}

func (fake) Check(sp *space.Space) (out []space.Problem) {
	for i, c := range sp.Choices {
		if c.Name != "width" && c.Name != "shape" {
			out = append(out, space.InChoice(i, -1, "unknown choice %q", c.Name))
		}
	}
	if m := sp.Objective.Metric; m != "" && m != "error" && m != "speed" {
		out = append(out, space.In("objective", "no %q", m))
	}
	return out
}

func (fake) Fill(sp *space.Space, _ string, catalogue []string) (space.Space, error) {
	out := *sp
	out.Settings = json.RawMessage(`{"cuts":1}`)
	if out.Objective.Metric == "" {
		out.Objective = space.Objective{Metric: "error", Direction: space.Minimise}
	}
	out.Choices = nil
	for _, c := range sp.Choices {
		c.Options = slices.Clone(c.Options)
		if slices.Equal(c.Options, []any{"*"}) {
			c.Options = nil
			for _, name := range catalogue {
				c.Options = append(c.Options, name)
			}
		}
		out.Choices = append(out.Choices, c)
	}
	return out, nil
}

func (fake) Modules(sp *space.Space) (out []string) {
	for _, o := range sp.Choice("shape").Options {
		out = append(out, o.(string))
	}
	return out
}

func (fake) Words(choices map[string]any) string { return fmt.Sprintf("%v wide", choices["width"]) }

func (fake) Run(ctx context.Context, r asked, progress tell) (result, error) {
	failed := func(format string, a ...any) (trainer.Result, error) {
		return trainer.Result{Outcome: trainer.Outcome{Status: trainer.Failed, Reason: fmt.Sprintf(format, a...)}}, nil
	}
	var width float64
	switch v := r.Choices["width"].(type) {
	case int64:
		width = float64(v)
	case float64:
		width = v
	}
	shape, _ := r.Choices["shape"].(string)
	if len(r.Choices) != 2 || width < 1 || shape == "" {
		return failed("no such toy: %v", r.Choices)
	}
	if r.Limits.MemoryBytes == 1 {
		return trainer.Result{Outcome: trainer.Outcome{Status: trainer.OverMemory, Reason: "too big"}}, nil
	}
	if r.Limits.Steps == 1 {
		return trainer.Result{Outcome: trainer.Outcome{Status: trainer.OverSteps, Reason: "too long"}}, nil
	}
	for step := range 3 {
		if err := ctx.Err(); err != nil {
			return trainer.Result{}, err
		}
		if err := progress(trainer.Progress{Step: step + 1, Steps: 3, Metrics: map[string]float64{"validation_error": 1}}); err != nil {
			return trainer.Result{}, err
		}
	}
	v := width + rng.New(r.Seed, "fake", 0).Float64()
	out := trainer.Result{Outcome: trainer.Outcome{
		Status: trainer.OK, Steps: 3,
		Metrics: map[string]float64{"validation_error": v, "test_error": v + .1, "speed": 1 / v},
	}}
	value, _, _ := trainer.Values(out.Metrics, r.Objective)
	if r.Curve {
		out.Curve = []trainer.Point{{Step: 1, Value: value + 2}, {Step: 2, Value: value + 1}, {Step: 3, Value: value}}
	}
	if out.Outcome = out.Cut(r.Prune, r.Objective); out.Status == trainer.Pruned {
		return out, nil
	}
	if r.Keep == nil || trainer.Reward(r.Objective, value) > *r.Keep {
		out.Encode = func() []byte { return fmt.Appendf(nil, "%s %v", shape, v) }
	}
	return out, nil
}

func fixture() Fixture {
	return Fixture{
		Space: &space.Space{Name: "toys", Trainer: "fake", Choices: []space.Choice{
			{Name: "width", Options: []any{int64(1), int64(2)}}, {Name: "shape", Options: []any{"*"}},
		}},
		Catalogue: []string{"cube", "ball"},
		Request: trainer.Request{
			Trial: 3, Task: trainer.Task{Name: "t", Kind: "toys"}, Seed: math.MaxUint64,
			Choices: map[string]any{"width": int64(2), "shape": "ball"}, Objects: map[string]string{"ball": "sha256:b"},
		},
		Model: true, OverMemory: true, OverSteps: true, Progress: true, Curve: true,
	}
}

func TestFakeKeepsTheContract(t *testing.T) { Exercise(t, fake{}, fixture()) }

type (
	asked   = trainer.Request
	result  = trainer.Result
	tell    = func(trainer.Progress) error
	runFunc = func(context.Context, asked, tell) (result, error)
)

// broken is the fake with a part changed.
type broken struct {
	fake
	version  func() string
	metrics  func() []trainer.Metric
	check    func(*space.Space) []space.Problem
	fill     func(*space.Space) (space.Space, error)
	words    func(map[string]any) string
	run      runFunc
	after    func(asked, *result)
	progress func(p *trainer.Progress)
}

func (b broken) Version() string {
	if b.version != nil {
		return b.version()
	}
	return b.fake.Version()
}

func (b broken) Metrics() []trainer.Metric {
	if b.metrics != nil {
		return b.metrics()
	}
	return b.fake.Metrics()
}

func (b broken) Check(sp *space.Space) []space.Problem {
	if b.check != nil {
		return b.check(sp)
	}
	return b.fake.Check(sp)
}

func (b broken) Fill(sp *space.Space, kind string, catalogue []string) (space.Space, error) {
	if b.fill != nil {
		return b.fill(sp)
	}
	return b.fake.Fill(sp, kind, catalogue)
}

func (b broken) Words(choices map[string]any) string {
	if b.words != nil {
		return b.words(choices)
	}
	return b.fake.Words(choices)
}

func (b broken) Run(ctx context.Context, r asked, progress tell) (result, error) {
	run := b.fake.Run
	if b.run != nil {
		run = b.run
	}
	told := func(p trainer.Progress) error {
		if b.progress != nil {
			b.progress(&p)
		}
		return progress(p)
	}
	out, err := run(ctx, r, told)
	if b.after != nil && err == nil && out.Status == trainer.OK {
		b.after(r, &out)
	}
	return out, err
}

// Each way of breaking the contract is caught, by the rule that it breaks.
func TestBrokenTrainersAreCaught(t *testing.T) {
	var calls atomic.Int64
	shared := map[string]float64{"validation_error": 1, "speed": 1}
	caught := map[string]bool{}
	for name, c := range map[string]struct {
		broken broken
		rule   string
	}{
		"no version":       {broken{version: func() string { return "" }}, "it has a name and a version"},
		"a moving version": {broken{version: func() string { return fmt.Sprint(calls.Add(1)) }}, "it has a name and a version"},
		"the space refused": {broken{check: func(*space.Space) []space.Problem {
			return []space.Problem{space.In("name", "no")}
		}}, "it takes the space"},
		"any objective taken": {broken{check: func(*space.Space) []space.Problem { return nil }}, "it takes the space"},
		"check writes": {broken{check: func(sp *space.Space) []space.Problem {
			sp.Description = "seen"
			return fake{}.Check(sp)
		}}, "it takes the space"},
		"fill in place": {broken{fill: func(sp *space.Space) (space.Space, error) {
			sp.Objective = space.Objective{Metric: "error", Direction: space.Minimise}
			return fake{}.Fill(sp, "toys", fixture().Catalogue)
		}}, "fill keeps to the rules"},
		"fill shares options": {broken{fill: func(sp *space.Space) (space.Space, error) {
			out, err := fake{}.Fill(sp, "toys", fixture().Catalogue)
			out.Choices[0].Options = sp.Choices[0].Options
			return out, err
		}}, "fill keeps to the rules"},
		"fill grows": {broken{fill: func(sp *space.Space) (space.Space, error) {
			out, err := fake{}.Fill(sp, "toys", fixture().Catalogue)
			out.Choices[0].Options = append(out.Choices[0].Options, int64(len(out.Choices[0].Options)+10))
			return out, err
		}}, "fill keeps to the rules"},
		"no objective filled in": {broken{fill: func(sp *space.Space) (space.Space, error) {
			out, err := fake{}.Fill(sp, "toys", fixture().Catalogue)
			out.Objective = space.Objective{}
			return out, err
		}}, "fill keeps to the rules"},
		"a metric twice": {broken{metrics: func() []trainer.Metric { return slices.Repeat(fake{}.Metrics(), 2) }}, "metrics are distinct"},
		"a metric without direction": {broken{metrics: func() []trainer.Metric {
			return append(fake{}.Metrics(), trainer.Metric{Name: "size"})
		}}, "metrics are distinct"},
		"words in two lines": {broken{words: func(map[string]any) string { return "a\nb" }}, "words are a short line"},
		"words without end":  {broken{words: func(map[string]any) string { return strings.Repeat("word ", 100) }}, "words are a short line"},
		"words that panic":   {broken{words: func(c map[string]any) string { return c["shape"].(string) }}, "words are a short line"},
		"a NaN":              {broken{after: func(_ asked, r *result) { r.Metrics["loss"] = math.NaN() }}, "an outcome keeps the contract"},
		"no objective": {broken{after: func(_ asked, r *result) {
			delete(r.Metrics, "validation_error")
		}}, "an outcome keeps the contract"},
		"a status of its own": {broken{after: func(_ asked, r *result) { r.Status = "done" }}, "an outcome keeps the contract"},
		"global randomness":   {broken{after: func(_ asked, r *result) { r.Metrics["x"] = rand.Float64() }}, "one request, one outcome"},
		"a count of trials":   {broken{after: func(_ asked, r *result) { r.Metrics["x"] = float64(calls.Add(1)) }}, "trials run side by side"},
		"a model of its own":  {broken{after: func(_ asked, r *result) { own(r, &calls) }}, "one request, one outcome"},
		"a number in it":      {broken{after: func(q asked, r *result) { r.Metrics["x"] = float64(q.Trial) }}, "what must not show does not"},
		"its objective in it": {broken{after: func(q asked, r *result) {
			r.Metrics["objective"] = r.Metrics[trainer.Key(r.Metrics, q.Objective)]
		}}, "what must not show does not"},
		"it changes choices":  {broken{after: func(r asked, _ *result) { r.Choices["width"] = 1.0 }}, "the request stays as it is"},
		"it changes settings": {broken{after: func(r asked, _ *result) { r.Settings[0] = ' ' }}, "the request stays as it is"},
		"it shares metrics":   {broken{after: func(_ asked, r *result) { r.Metrics = shared }}, "outcomes are the caller's own"},
		"integers only":       {broken{run: integersOnly}, "JSON changes nothing"},
		"progress backwards":  {broken{progress: func(p *trainer.Progress) { p.Step = 4 - p.Step }}, "progress goes forwards"},
		"progress beyond":     {broken{progress: func(p *trainer.Progress) { p.Steps = 1 }}, "progress goes forwards"},
		"progress infinite":   {broken{progress: func(p *trainer.Progress) { p.Metrics["x"] = math.Inf(1) }}, "progress goes forwards"},
		"no progress":         {broken{run: deaf(false, false)}, "progress goes forwards"},
		"progress's error":    {broken{run: deaf(true, false)}, "an error of progress ends the trial"},
		"no cancelling":       {broken{run: deaf(false, true)}, "a cancelled context ends the trial"},
		"an error of its own": {broken{run: ownError}, "a cancelled context ends the trial"},
		"it panics":           {broken{run: panics}, "bad requests are failures"},
		"anything goes":       {broken{run: anythingGoes}, "bad requests are failures"},
		"no reason":           {broken{run: noReason}, "bad requests are failures"},
		"memory for all":      {broken{run: noLimit(func(l *trainer.Limits) { l.MemoryBytes = 0 })}, "the limits hold"},
		"steps for all":       {broken{run: noLimit(func(l *trainer.Limits) { l.Steps = 0 })}, "the limits hold"},
		"every model kept":    {broken{run: keepsAll}, "keep decides on the model alone"},
		"keep in the outcome": {broken{after: keepShows}, "keep decides on the model alone"},
		"an empty model":      {broken{after: func(_ asked, r *result) { r.Encode = func() []byte { return nil } }}, "one request, one outcome"},
		"a curve that tells": {broken{after: func(q asked, r *result) {
			if q.Curve {
				r.Metrics["x"] = 1
			}
		}}, "a curve changes nothing, and floors cut it"},
		"stored and to store": {broken{after: func(_ asked, r *result) { r.Model = "sha256:m" }}, "one request, one outcome"},
	} {
		t.Run(name, func(t *testing.T) {
			got := conformance.Broken(t.Context(), rules, subject{c.broken, fixture()})
			caught[c.rule] = true
			if len(got[c.rule]) == 0 {
				t.Errorf("%q was not reported, but: %v", c.rule, got)
			}
			t.Log(got[c.rule])
		})
	}
	if got := conformance.Broken(t.Context(), rules, subject{fake{}, fixture()}); len(got) > 0 {
		t.Errorf("the fake that keeps the contract: %v", got)
	}
	for _, r := range rules {
		if !caught[r.Name] {
			t.Errorf("nothing here breaks the rule %q", r.Name)
		}
	}
}

func own(r *trainer.Result, calls *atomic.Int64) {
	b := fmt.Appendf(nil, "%d", calls.Add(1))
	r.Encode = func() []byte { return b }
}

func integersOnly(ctx context.Context, r asked, p tell) (result, error) {
	if _, ok := r.Choices["width"].(int64); !ok {
		return trainer.Result{Outcome: trainer.Outcome{Status: trainer.Failed, Reason: "the width is no integer"}}, nil
	}
	return fake{}.Run(ctx, r, p)
}

// deaf runs trials that tell progress but do not listen, or do not look at their
// context.
func deaf(tells, progress bool) runFunc {
	return func(ctx context.Context, r asked, p tell) (result, error) {
		heard := func(s trainer.Progress) error {
			if progress {
				return p(s)
			}
			if tells {
				_ = p(s)
			}
			return nil
		}
		if progress {
			ctx = context.WithoutCancel(ctx)
		}
		return fake{}.Run(ctx, r, heard)
	}
}

func ownError(ctx context.Context, r asked, p tell) (result, error) {
	out, err := fake{}.Run(ctx, r, p)
	if err != nil {
		err = errors.New("interrupted")
	}
	return out, err
}

func panics(ctx context.Context, r asked, p tell) (result, error) {
	_ = r.Choices["shape"].(string)
	return fake{}.Run(ctx, r, p)
}

func anythingGoes(ctx context.Context, r asked, p tell) (result, error) {
	r.Choices = maps.Clone(r.Choices)
	maps.DeleteFunc(r.Choices, func(name string, _ any) bool { return name != "width" && name != "shape" })
	return fake{}.Run(ctx, r, p)
}

func noReason(ctx context.Context, r asked, p tell) (result, error) {
	out, err := fake{}.Run(ctx, r, p)
	out.Reason = ""
	return out, err
}

func noLimit(lift func(*trainer.Limits)) runFunc {
	return func(ctx context.Context, r asked, p tell) (result, error) {
		lift(&r.Limits)
		return fake{}.Run(ctx, r, p)
	}
}

func keepsAll(ctx context.Context, r asked, p tell) (result, error) {
	r.Keep = nil
	return fake{}.Run(ctx, r, p)
}

func keepShows(r asked, out *result) {
	if r.Keep != nil {
		out.Metrics["keep"] = 1
	}
}
