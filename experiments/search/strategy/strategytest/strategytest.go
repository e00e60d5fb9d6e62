// Package strategytest is the conformance suite of search strategies: what
// package strategy and FORMAT.md promise to a search, checked on a strategy's row
// of the table.
package strategytest

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"tnaml/experiments/conformance"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/nn/rng"
	"tnaml/nn/safetensors"
)

// Fixture is what the suite needs to know of a strategy.
type Fixture struct {
	// SettingsIn are those to start with in a space, as a person writes them; nil:
	// none.
	SettingsIn func(sp *space.Space) json.RawMessage
	// Controller is a pretrained controller to start from, of the space
	// ControllerSpace, for a strategy that can; the suite's default is one of its own.
	Controller *strategy.Pretrained
	// Transfer are the settings to start from a controller with; nil: none.
	Transfer json.RawMessage
}

// Exercise checks that a strategy keeps the contract, in spaces of several
// shapes, from settings and, where it can, from a controller and from other tasks'
// trials.
func Exercise(t *testing.T, d strategy.Definition, f Fixture) {
	t.Helper()
	if f.SettingsIn == nil {
		f.SettingsIn = func(*space.Space) json.RawMessage { return nil }
	}
	if f.Controller == nil && d.FromController {
		f.Controller = controller(t)
	}
	conformance.Run(t, settingsRules, subject{d, f})
	conformance.Run(t, runRules, subject{d, f})
}

// subject is a strategy with what it is tried on.
type subject struct {
	strategy.Definition
	Fixture
}

var settingsRules = []conformance.Rule[subject]{
	{Name: "it says what it is", Check: identity},
	{Name: "settings have one canonical form", Check: canonical},
	{Name: "bad settings are refused", Check: refuses},
	{Name: "presets are settings", Check: presets},
	{Name: "defaults are settings", Check: defaults},
	{Name: "a controller comes where it can", Check: fromController},
}

var runRules = []conformance.Rule[subject]{
	{Name: "it asks what the space has", Check: asksValid},
	{Name: "one start, one course", Check: deterministic},
	{Name: "asking changes nothing", Check: asksPurely},
	{Name: "slices are the caller's own", Check: ownSlices},
	{Name: "saving and restoring changes nothing", Check: restores},
	{Name: "a state that is none is refused", Check: refusesStates},
	{Name: "failures are told", Check: failures},
	{Name: "rewards have any size", Check: rewards},
}

// start is one way to begin: a space with tasks, with or without a controller and other
// tasks' trials.
type start struct {
	name  string
	start strategy.Start
}

// Spaces are the shapes that the suite searches in: the smallest, one of every
// type of option, and the widest.
func Spaces() []*space.Space {
	one := &space.Space{Name: "one", Trainer: "none", Choices: []space.Choice{{Name: "only", Options: []any{"x"}}}}
	mixed := &space.Space{Name: "mixed", Trainer: "none", Choices: []space.Choice{
		{Name: "depth", Options: []any{int64(1), int64(2), int64(8)}},
		{Name: "rate", Kind: space.Ordinal, Options: []any{.001, .01, .1, 1.}},
		{Name: "loss", Kind: space.Categorical, Options: []any{"hinge", "log"}},
		{Name: "bias", Options: []any{false, true}},
		{Name: "fixed", Options: []any{"alone"}},
	}}
	wide := &space.Space{Name: "wide", Trainer: "none"}
	for i := range space.MaxChoices {
		c := space.Choice{Name: "choice-" + string(rune('a'+i/26)) + string(rune('a'+i%26))}
		for k := range 1 + i%5 {
			c.Options = append(c.Options, int64(k))
		}
		wide.Choices = append(wide.Choices, c)
	}
	return []*space.Space{one, mixed, wide}
}

// ControllerSpace is the space of the suite that a fixture's controller must
// speak of.
func ControllerSpace() *space.Space { return Spaces()[1] }

// controller learns one without task embeddings, by the strategy naml.
func controller(t testing.TB) *strategy.Pretrained {
	t.Helper()
	settings, err := strategy.ParseSettings(strategy.NAML, json.RawMessage(`{"controller":{"task_embedding":-1,"hidden":4}}`))
	if err != nil {
		t.Fatal(err)
	}
	d, err := strategy.Builtin().Find(strategy.NAML)
	if err != nil {
		t.Fatal(err)
	}
	sp := ControllerSpace()
	n, err := d.New(strategy.Start{Seed: 1, Space: sp, Tasks: []string{"old"}, Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	p, err := strategy.DecodeController(strategy.EncodeController(n.(strategy.Learner), strategy.Origin{
		Space: *sp, Tasks: []trainer.Task{{Name: "old", Data: "sha256:old"}}, Strategy: strategy.NAML, Seed: 1, Settings: settings,
	}))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// starts are all ways to begin that the suite tries.
func (s subject) starts(t testing.TB) (out []start) {
	t.Helper()
	canonical := func(raw json.RawMessage, from *strategy.Pretrained) json.RawMessage {
		settings, err := s.Canonical(raw, from)
		if err != nil {
			t.Fatalf("settings %s: %v", raw, err)
		}
		return settings
	}
	for i, sp := range Spaces() {
		tasks := []string{"first", "second", "third"}
		out = append(out, start{sp.Name, strategy.Start{
			Seed: 5, Space: sp, Tasks: tasks[:1+i], Settings: canonical(s.SettingsIn(sp), nil),
		}})
	}
	if s.FromController {
		from := strategy.Start{Seed: 5, Space: ControllerSpace(), Tasks: []string{"new"}, Settings: canonical(s.Transfer, s.Controller)}
		if s.Continues {
			from.Controller = s.Controller
		}
		out = append(out, start{"from a controller", from})
	}
	if s.FromSources {
		for _, sp := range Spaces()[1:] {
			out = append(out, start{"from other tasks in " + sp.Name, strategy.Start{
				Seed: 5, Space: sp, Tasks: []string{"new", "newer"}, Settings: canonical(s.SettingsIn(sp), nil), Sources: Sources(sp),
			}})
		}
	}
	return out
}

// Sources are trials of other tasks as a search may meet them: one task has no trial,
// one but trials that failed, one but a single trial; one has all rewards equal, and
// one is as usual.
func Sources(sp *space.Space) []strategy.Source {
	task := func(name string, trials int, outcome func(proposal) strategy.Told) strategy.Source {
		out := strategy.Source{Task: name}
		for i := range trials {
			p := proposal{Trial: i}
			for k, n := range sp.Options() {
				p.Actions = append(p.Actions, rng.New(4, name, uint64(i*space.MaxChoices+k)).IntN(n))
			}
			told := outcome(p)
			out.Trials = append(out.Trials, strategy.Known{Actions: told.Actions, Status: told.Status, Reward: told.Reward})
		}
		return out
	}
	failed := func(p proposal) strategy.Told {
		return strategy.Told{Actions: p.Actions, Status: trainer.Failed}
	}
	equal := func(p proposal) strategy.Told {
		return strategy.Told{Actions: p.Actions, Status: trainer.OK, Reward: -2e6}
	}
	return []strategy.Source{
		task("none", 0, made), task("failed", 5, failed), task("single", 1, made), task("equal", 5, equal), task("usual", 20, made),
	}
}

// begin starts the strategy.
func (s subject) begin(t testing.TB, from start) strategy.Strategy {
	t.Helper()
	out, err := s.New(from.start)
	if err != nil {
		t.Fatalf("%s: %v", from.name, err)
	}
	return out
}

// resume starts it as a restored search does: without the controller and the other
// tasks' trials.
func (s subject) resume(t testing.TB, from start, state []byte) strategy.Strategy {
	t.Helper()
	from.start.Controller, from.start.Sources = nil, nil
	out := s.begin(t, from)
	f, err := safetensors.Decode(state)
	if err != nil {
		t.Fatal(err)
	}
	if err := out.Get(f); err != nil {
		t.Fatalf("%s: restoring: %v", from.name, err)
	}
	return out
}

// state is what a strategy puts into a state's object.
func state(s strategy.Strategy) []byte {
	f := safetensors.New("state")
	s.Put(f)
	return f.Encode()
}

// lag of the suite's searches: so many proposals are asked before the first is
// told.
const lag = 3

// proposal is what a strategy asked.
type proposal struct {
	Trial, Task int
	Actions     []int
	LogProb     float64
}

// course is a search under way: the trials told and those asked ahead.
type course struct {
	strategy strategy.Strategy
	tasks    int
	told     int
	ahead    []proposal
	// outcome makes up a trial's.
	outcome func(proposal) strategy.Told
}

// ask asks until lag proposals are ahead.
func (c *course) ask() {
	for len(c.ahead) < lag {
		trial := c.told + len(c.ahead)
		task := rng.New(2, "task", uint64(trial)).IntN(c.tasks)
		actions, logProb := c.strategy.Ask(trial, task)
		c.ahead = append(c.ahead, proposal{trial, task, slices.Clone(actions), logProb})
	}
}

// run goes on to n trials told, and returns what was asked for those.
func (c *course) run(t testing.TB, n int) (out []proposal) {
	t.Helper()
	for c.told < n {
		c.ask()
		p := c.ahead[0]
		c.ahead = c.ahead[1:]
		if err := c.strategy.Tell(c.outcome(p)); err != nil {
			t.Fatalf("trial %d is told: %v", p.Trial, err)
		}
		c.told++
		out = append(out, p)
	}
	c.ask()
	return out
}

// made is the usual outcome: a reward that the actions and chance decide, a
// failure now and then.
func made(p proposal) strategy.Told {
	t := strategy.Told{Trial: p.Trial, Task: p.Task, Actions: slices.Clone(p.Actions), LogProb: p.LogProb, Status: trainer.OK, Steps: 10}
	t.Reward = rng.New(3, "reward", uint64(p.Trial)).Float64() / 10
	for _, a := range p.Actions {
		t.Reward += float64(a) / 100
	}
	t.Metrics = map[string]float64{"validation": t.Reward, "test": t.Reward - .01}
	if p.Trial%7 == 3 {
		t.Status, t.Metrics, t.Reward = trainer.Diverged, nil, 0
	}
	return t
}

func (s subject) course(t testing.TB, from start) *course {
	t.Helper()
	return &course{strategy: s.begin(t, from), tasks: len(from.start.Tasks), outcome: made}
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
