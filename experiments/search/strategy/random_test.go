package strategy

import (
	"encoding/json"
	"slices"
	"testing"

	"tnaml/experiments/space"
)

func TestRandomShared(t *testing.T) {
	seven := []any{1, 2, 3, 4, 5, 6, 7}
	sp := &space.Space{Choices: []space.Choice{{Name: "a", Options: seven}, {Name: "b", Options: seven}}}
	ask := func(settings string, seed uint64, task string) (out [][]int) {
		raw := must(ParseSettings(Random, json.RawMessage(settings)))(t)
		s := must(newRandom(Start{Seed: seed, Space: sp, Tasks: []string{task}, Settings: raw}))(t)
		for i := range 44 {
			actions, _ := s.Ask(i, 0)
			out = append(out, actions)
		}
		return out
	}
	same := func(a, b [][]int) bool { return slices.EqualFunc(a, b, slices.Equal) }
	plain := ask(`{"shared": 3}`, 1, "x")
	if !same(plain, ask(`{"shared": 3}`, 2, "y")) || same(plain, ask(`{"shared": 4}`, 1, "x")) || same(plain, ask(`{}`, 1, "x")) {
		t.Error("what is shared is keyed by shared, and by nothing else")
	}
	again := ask(`{"shared": 3, "repeat_every": 11}`, 1, "x")
	for i := range again {
		if i%11 == 10 {
			if !slices.Equal(again[i], again[i-10]) {
				t.Errorf("trial %d is %v, not that of trial %d, %v", i, again[i], i-10, again[i-10])
			}
			again[i] = nil
		}
	}
	again = slices.DeleteFunc(again, func(a []int) bool { return a == nil })
	if !same(again, plain[:len(again)]) {
		t.Error("without the repetitions the configurations are not the same")
	}
	for _, wrong := range []string{`{"repeat_every": 1}`, `{"repeat_every": -1}`} {
		if _, err := ParseSettings(Random, json.RawMessage(wrong)); !says(err, "repeat_every") {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}
