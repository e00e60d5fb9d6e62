package search

import (
	"encoding/json"
	"testing"

	"tnaml/experiments/search/strategy"
)

// A fork that asks for another start is refused: its trials would be those of the search
// without it.
func TestForkRefusesAnotherStart(t *testing.T) {
	for _, c := range []struct{ strategy, settings, want string }{
		{strategy.Portfolio, `{"size":10}`, `settings of portfolio: only a search's start reads "size", which was 30 and is to be 10`},
		{strategy.Portfolio, `{"then":{"settings":{"startup":2}}}`, ""},
		{strategy.Box, `{"top":2}`, `"top"`},
		{strategy.Evolution, `{"warm":0}`, ""},
		{strategy.Evolution, `{"population":30,"warm":30}`, `"warm"`},
		{strategy.Kindred, `{"portfolio":20}`, `"portfolio"`},
		{strategy.NAML, `{"embedding":{"start":"mean"}}`, `"embedding.start"`},
		{strategy.NAML, `{"baseline":{"decay":0.5}}`, ""},
		{strategy.NAML, `{"baseline":{"corrected":false}}`, ""},
	} {
		s := must(New(testConfig(t, c.strategy, 1, 2)))(t)
		advance(t, s, 3)
		forked := s.config
		forked.Settings = must(strategy.ParseSettings(c.strategy, json.RawMessage(c.settings)))(t)
		forked.Fork = &Fork{Config: s.digest, Trials: 3}
		f, err := s.Fork(forked)
		if c.want != "" && !says(err, c.want) || c.want == "" && err != nil {
			t.Errorf("%s %s: %v, want %q", c.strategy, c.settings, err, c.want)
		}
		if err == nil {
			advance(t, f, 8)
		}
	}
}
