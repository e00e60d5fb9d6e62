package strategy

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"tnaml/nn/safetensors"
)

// What only a start reads cannot be another in a search that goes on; all of it is named,
// at any depth, with the way out. Everything else may be another.
func TestCheckFork(t *testing.T) {
	for _, c := range []struct {
		strategy, old, now string
		want               []string // nothing: it is taken
	}{
		{Portfolio, `{}`, `{"size":10,"normalise":"rank"}`,
			[]string{`"size", which was 30 and is to be 10`, `"normalise", which was "range" and is to be "rank"`, "start a new search"}},
		{Portfolio, `{}`, `{"then":{"settings":{"startup":3}}}`, nil},
		{Portfolio, `{"then":{"strategy":"evolution"}}`, `{"size":9,"then":{"strategy":"evolution","settings":{"warm":5}}}`, []string{`"size"`}},
		{Portfolio, `{"then":{"strategy":"evolution","settings":{"warm":1}}}`, `{"then":{"strategy":"evolution","settings":{"warm":5}}}`,
			[]string{`"then.settings.warm", which was 1 and is to be 5 (at most 1 can be)`}},
		{Box, `{}`, `{"top":3}`, []string{`"top", which was 1 and is to be 3`}},
		{Box, `{"inner":{"strategy":"naml"}}`, `{"inner":{"strategy":"naml","settings":{"embedding":{"scale":1}}}}`,
			[]string{`"inner.settings.embedding.scale", which was 0.1 and is to be 1`}},
		{Box, `{"inner":{"strategy":"kindred"}}`, `{"inner":{"strategy":"kindred","settings":{"portfolio":10,"own":1}}}`, nil},
		{Evolution, `{}`, `{"population":10}`, nil},
		{Evolution, `{}`, `{"population":40}`, nil},
		{Evolution, `{}`, `{"warm":20}`, nil},
		{Evolution, `{"warm":5}`, `{"warm":3}`, nil},
		{Evolution, `{"warm":5}`, `{"warm":6}`, []string{`"warm", which was 5 and is to be 6 (at most 5 can be)`}},
		{Evolution, `{"warm":5}`, `{}`, []string{`"warm", which was 5 and is to be -1`}},
		{Evolution, `{}`, `{"population":40,"warm":30}`, []string{"at most 20 can be"}},
		{Kindred, `{}`, `{"portfolio":10,"own":0,"process":1,"mutations":9,"repeat":false}`, nil},
		{Kindred, `{}`, `{"portfolio":11}`, []string{`"portfolio", which was 3 and is to be 11 (at most 10 can be)`}},
		{Kindred, `{"portfolio":15}`, `{"portfolio":15}`, nil},
		{NAML, `{}`, `{"embedding":{"start":"mean","scale":2},"controller":{"hidden":7,"init_scale":0.2}}`, []string{
			`"embedding.start", which was "random" and is to be "mean"`, `"embedding.scale", which was 0.1 and is to be 2`,
			`"controller.hidden", which was 50 and is to be 7`, `"controller.init_scale"`}},
		{NAML, `{}`, `{"embedding":{"dropout":0.5,"learning_rate_scale":2},"baseline":{"decay":0.5},"policy_gradient":{"learning_rate":1}}`, nil},
		{NAML, `"paper"`, `{}`, nil},
		{Guided, `{}`, `{"naml":{"embedding":{"start":"mean"}}}`, []string{`"naml.embedding.start", which was "posterior" and is to be "mean"`}},
		{Guided, `{}`, `{"method":"mutations","startup":1}`, nil},
		{TPE, `{}`, `{"startup":1,"candidates":2,"ordinal":true}`, nil},
	} {
		d := must(Builtin().Find(c.strategy))(t)
		settings := func(raw string) json.RawMessage { return must(ParseSettings(c.strategy, json.RawMessage(raw)))(t) }
		err := d.CheckFork(settings(c.old), settings(c.now))
		if (err == nil) != (c.want == nil) || err != nil && !says(err, c.want...) {
			t.Errorf("%s: %s after %s: %v, want %q", c.strategy, c.now, c.old, err, c.want)
		}
		if strings.Contains(c.now, `"size":9`) && strings.Contains(err.Error(), "warm") {
			t.Errorf("as many as are there: %v", err)
		}
	}
}

// Fewer of the other tasks' best than the state has are taken where that is asked for.
func TestEvolutionForksToFewerWarm(t *testing.T) {
	begin := func(settings string, sources ...Source) *evolution {
		raw := must(ParseSettings(Evolution, json.RawMessage(settings)))(t)
		return must(newEvolution(Start{Seed: 1, Space: wells(), Tasks: []string{"x"}, Settings: raw, Sources: sources}))(t).(*evolution)
	}
	whole := begin(`{}`, sourceOf("one", []int{1, 2, 3, 4, 5, 6}, 6))
	f := safetensors.New("state")
	whole.Put(f)
	for settings, n := range map[string]int{`{}`: len(whole.warm), `{"warm":2}`: 2, `{"population":3}`: 3} {
		forked := begin(settings)
		if err := forked.Get(f); err != nil {
			t.Fatal(err)
		}
		for i := range 10 {
			want, _ := begin(settings).Ask(i, 0)
			if i < n {
				want = whole.warm[i]
			}
			if got, _ := forked.Ask(i, 0); !slices.Equal(got, want) {
				t.Errorf("%s: trial %d is %v, want %v", settings, i, got, want)
			}
		}
	}
}
