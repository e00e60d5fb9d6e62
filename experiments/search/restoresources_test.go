package search

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tnaml/experiments/search/strategy"
	"tnaml/experiments/search/strategy/strategytest"
	"tnaml/experiments/space"
)

// A search that starts from other tasks' trials is restored without them, and goes on
// as it would have.
func TestRestoresWithoutSources(t *testing.T) {
	for _, d := range strategy.Builtin() {
		c := testConfig(t, d.Name, 2, 3)
		sources := strategy.EncodeSources(&c.Space, strategytest.Sources(&c.Space))
		c.Sources = fmt.Sprintf("sha256:%x", sha256.Sum256(sources))
		if !d.FromSources {
			if _, err := NewFrom(c, From{Sources: sources}); !says(err, "it learns from no trials of other tasks") {
				t.Errorf("%s: %v", d.Name, err)
			}
			continue
		}
		plain := advance(t, must(New(testConfig(t, d.Name, 2, 3)))(t), 12)
		if cmp.Equal(plain, advance(t, must(NewFrom(c, From{Sources: sources}))(t), 12)) {
			t.Errorf("%s: the other tasks make no difference", d.Name)
		}
		whole := must(NewFrom(c, From{Sources: sources}))(t)
		want := advance(t, whole, 20)
		for _, at := range []int{0, 7} {
			s := must(NewFrom(c, From{Sources: sources}))(t)
			got := advance(t, s, at)
			s.Segment("")
			s = must(Restore(c, s.State()))(t)
			if diff := cmp.Diff(want, append(got, advance(t, s, 20)...)); diff != "" {
				t.Errorf("%s, restored at %d: %s", d.Name, at, diff)
			}
			if string(s.State()) != string(whole.State()) {
				t.Errorf("%s, restored at %d: another state", d.Name, at)
			}
		}
		if _, err := NewFrom(c, From{}); !says(err, "sources") {
			t.Errorf("%s without the object: %v", d.Name, err)
		}
		if _, err := NewFrom(c, From{Sources: strategy.EncodeSources(&c.Space, nil)}); !says(err, "digest", c.Sources) {
			t.Errorf("%s with another object: %v", d.Name, err)
		}
		other := strategytest.Spaces()[1]
		if _, err := NewFrom(c, From{Sources: strategy.EncodeSources(other, strategytest.Sources(other))}); !says(err, "space", other.Digest()) {
			t.Errorf("%s with sources of another space: %v", d.Name, err)
		}
	}
	outside := []strategy.Source{{Task: "x", Trials: []strategy.Known{{Actions: []int{99}}}}}
	b := strategy.EncodeSources(&space.Space{}, outside)
	if _, _, err := strategy.DecodeSources(b, &space.Space{}); !says(err, `task "x"`, "trial 0") {
		t.Errorf("actions that are none of the space's: %v", err)
	}
}
