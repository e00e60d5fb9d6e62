package strategy

import (
	"strings"
	"testing"
)

// A controller that learned opposite options of a choice tells its two tasks apart
// by that choice; one without embeddings by none.
func TestInformation(t *testing.T) {
	learn := func(settings string) *Information {
		s := begin(t, NAML, settings, 2)
		s.advance(t, 800, 1, func(told Told) float64 {
			if told.Actions[4] == 5*told.Task { // activation
				return 1
			}
			return 0
		})
		return must(DecodeController(s.controller()))(t).Information()
	}
	apart := learn(`{"controller":{"hidden":20},"policy_gradient":{"learning_rate":0.005}}`)
	if c := apart.Choices[4]; c.Choice != "activation" || c.Bits < .5 || apart.Architecture < c.Bits-3*apart.Error || apart.Most != 1 {
		t.Errorf("%+v", apart)
	}
	if text := apart.String(); !strings.Contains(text, "of at most 1.00 bits; by choice: activation 0.") {
		t.Errorf("%s", text)
	}
	alike := learn(`{"controller":{"hidden":20,"task_embedding":-1}}`)
	if text := alike.String(); alike.Architecture != 0 || text !=
		"Mutual information of task and architecture: 0.00 of at most 1.00 bits: it treats all tasks alike" {
		t.Errorf("%s", text)
	}
}
