package strategy

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"tnaml/experiments/space"
	"tnaml/experiments/strict"
	"tnaml/nn/safetensors"
)

// Box searches where other tasks' best configurations lie.
const Box = "box"

var boxSearch = Definition{
	Name:        Box,
	Doc:         "another strategy, within the bounds of the configurations that were best for other tasks",
	Defaults:    defaultsOf(boxSettings),
	FromSources: true,
	Settings:    boxSettings,
	New:         newBox,
	OfStart: func(old, now json.RawMessage) []string {
		changed := onlyAtStart("top")(old, now)
		return append(changed, decoded[BoxSettings](old).Inner.ofStart("inner", decoded[BoxSettings](now).Inner)...)
	},
}

// BoxSettings are the parameters of the strategy "box".
type BoxSettings struct {
	// Top is how many of a task's best configurations are in the box; the paper's is 1.
	Top int `json:"top"`
	// Inner is the strategy that searches in the box.
	Inner Nested `json:"inner"`
}

func boxSettings(raw json.RawMessage, _ *Pretrained) (json.RawMessage, error) {
	s := BoxSettings{Top: 1}
	if err := strict.Unmarshal(raw, &s); err != nil {
		return nil, err
	}
	var errs []error
	if s.Top < 1 {
		errs = append(errs, fmt.Errorf("top is %d: at least one configuration of each task makes the box", s.Top))
	}
	var err error
	if s.Inner, err = s.Inner.canonical(); err != nil {
		errs = append(errs, fmt.Errorf("inner: %w", err))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return json.Marshal(s)
}

// box is the smallest space with the best configurations of all other tasks: of an
// ordered choice the options from the least to the greatest among them, of another
// those that occur (Perrone et al., "Learning search spaces for Bayesian optimization",
// NeurIPS 2019, §4.1). A strategy searches it as if it were the whole space.
type box struct {
	start    Start
	settings BoxSettings
	// options are of each choice those inside, rising.
	options [][]int
	inner   nested
}

func newBox(s Start) (Strategy, error) {
	b := &box{start: s}
	if err := strict.Unmarshal(s.Settings, &b.settings); err != nil {
		return nil, err
	}
	b.options = bounds(s.Space, s.Sources, b.settings.Top)
	err := b.search()
	b.start.Sources = nil
	return b, err
}

// bounds are of each choice the options in the box, all where there are no sources.
func bounds(sp *space.Space, sources []Source, top int) [][]int {
	inside := make([][]bool, len(sp.Choices))
	for k, n := range sp.Options() {
		inside[k] = make([]bool, n)
	}
	tasks := rewarded(sources)
	for _, task := range tasks {
		for _, i := range task.best(top) {
			for k, a := range task.actions[i] {
				inside[k][a] = true
			}
		}
	}
	out, features := make([][]int, len(inside)), featuresOf(sp)
	for k, in := range inside {
		first, last := slices.Index(in, true), len(in)-1
		for last > 0 && !in[last] {
			last--
		}
		for a := range in {
			if len(tasks) == 0 || in[a] || features[k].Ordered && a >= first && a <= last {
				out[k] = append(out[k], a)
			}
		}
	}
	return out
}

// search starts the inner strategy in the box, with the other tasks' trials there.
func (b *box) search() (err error) {
	s := b.start
	sp := *s.Space
	sp.Choices = slices.Clone(sp.Choices)
	for k, options := range b.options {
		sp.Choices[k].Options = nil
		for _, a := range options {
			sp.Choices[k].Options = append(sp.Choices[k].Options, s.Space.Choices[k].Options[a])
		}
	}
	s.Space, s.Sources = &sp, nil
	for _, source := range b.start.Sources {
		within := Source{Task: source.Task}
		for _, t := range source.Trials {
			if actions, ok := b.in(t.Actions); ok {
				within.Trials = append(within.Trials, Known{actions, t.Status, t.Reward})
			}
		}
		s.Sources = append(s.Sources, within)
	}
	b.inner, err = b.settings.Inner.start(s)
	return err
}

// in says what actions of the whole space are in the box.
func (b *box) in(actions []int) ([]int, bool) {
	out := make([]int, len(actions))
	for k, a := range actions {
		at, ok := slices.BinarySearch(b.options[k], a)
		if !ok {
			return nil, false
		}
		out[k] = at
	}
	return out, true
}

func (b *box) Ask(trial, task int) ([]int, float64) {
	actions, logProb := b.inner.Ask(trial, task)
	out := make([]int, len(actions))
	for k, a := range actions {
		out[k] = b.options[k][a]
	}
	return out, logProb
}

// Tell tells the inner strategy of trials in the box: all that it asked are.
func (b *box) Tell(t Told) error {
	actions, ok := b.in(t.Actions)
	if !ok {
		return fmt.Errorf("trial %d is not in the box", t.Trial)
	}
	t.Actions = actions
	return b.inner.Tell(t)
}

func (b *box) Put(f *safetensors.File) {
	var inside []uint8
	for k, n := range b.start.Space.Options() {
		of := make([]uint8, n)
		for _, a := range b.options[k] {
			of[a] = 1
		}
		inside = append(inside, of...)
	}
	safetensors.Put(f, "box/inside", inside)
	b.inner.Put(f)
}

func (b *box) Get(f *safetensors.File) error {
	total := 0
	for _, n := range b.start.Space.Options() {
		total += n
	}
	inside, _, err := safetensors.Get[uint8](f, "box/inside", total)
	if err != nil {
		return err
	}
	options := make([][]int, len(b.options))
	for k, n := range b.start.Space.Options() {
		for a, in := range inside[:n] {
			if in != 0 {
				options[k] = append(options[k], a)
			}
		}
		if inside = inside[n:]; len(options[k]) == 0 {
			return fmt.Errorf("box: no option of the choice %q is inside", b.start.Space.Choices[k].Name)
		}
	}
	b.options = options
	if err := b.search(); err != nil {
		return err
	}
	return b.inner.Get(f)
}
