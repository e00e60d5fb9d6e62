package gc_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"tnaml/activities/gc"
	"tnaml/activities/library"
	"tnaml/activities/store"
)

// course is a search as Resolve, Trial, Learn, Finish and resets leave it in the store.
type course struct {
	*holding
	rand   *rand.Rand
	record library.SearchRecord
	// line is the one at work, written says that it has written the record.
	line    int
	written bool
	// given is what it was given since it began, or ended and was reset; models counts all there ever were.
	given  []store.Ref
	models int
	ended  bool
	log    []string
}

func (c *course) lineName() string { return fmt.Sprint("line ", c.line) }

func (c *course) writes() {
	if c.record.Line != "" && !c.written {
		c.record.Replaced = append(slices.Clone(c.record.Replaced), c.record.Line)
	}
	c.record.Line, c.written = c.lineName(), true
	c.set(store.Search, "s", c.record)
}

func (c *course) starts() {
	c.line, c.given, c.ended, c.written = c.line+1, nil, false, false
	c.record = library.SearchRecord{Name: "s", Status: "running", Started: c.at.Truncate(time.Second)}
	c.writes()
}

// trains gives the search a model, another one or one that it, or an earlier one of its name, has had.
func (c *course) trains() {
	key := fmt.Sprint("trial ", c.rand.IntN(c.models+1))
	ref, err := c.Put(c.t.Context(), []byte("the model of "+key))
	if err != nil {
		c.t.Fatal(err)
	}
	var cached library.CachedTrial
	if b, _, err := c.GetName(c.t.Context(), store.Trial, key); err == nil {
		if err := json.Unmarshal(b, &cached); err != nil {
			c.t.Fatal(err)
		}
	}
	hold := library.Hold{Search: "s", Line: c.lineName(), Since: c.at.Truncate(time.Second), Model: ref}
	if i := slices.IndexFunc(cached.Holds, hold.Same); i >= 0 {
		cached.Holds[i].Dropped = time.Time{}
	} else {
		cached.Holds = append(cached.Holds, hold)
	}
	c.set(store.Trial, key, cached)
	c.given, c.models = append(c.given, ref), c.models+1
}

// writesDown is a checkpoint, or the end, after which some of the models are among the best.
func (c *course) writesDown(end bool) {
	c.record.Models = slices.DeleteFunc(c.kept(), func(store.Ref) bool { return c.rand.IntN(2) == 0 })
	if c.record.Released, c.ended = end, end; end {
		c.given = nil
	}
	c.writes()
}

// kept are the models that it may yet list among its best, or has.
func (c *course) kept() []store.Ref { return slices.Concat(c.given, c.record.Models) }

// left are the objects that are there, or can be brought back.
func (c *course) left() (out []store.Ref) {
	err := errors.Join(
		c.Blobs(c.t.Context(), func(b store.Blob) error { out = append(out, b.Ref); return nil }),
		c.Trash(c.t.Context(), func(d store.Discarded) error { out = append(out, d.Ref); return nil }),
	)
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

// Whatever happens to a search, in whatever order, and whenever it is collected: what it was given and may yet keep is there,
// and once it has ended nothing else is.
func TestHoldsWhateverHappens(t *testing.T) {
	for seed := range uint64(60) {
		c := &course{holding: newHolding(t), rand: rand.New(rand.NewPCG(seed, 0))}
		c.starts()
		for range 40 {
			c.at = c.at.Add(time.Duration(c.rand.IntN(30*60)) * time.Minute)
			what := ""
			switch n := c.rand.IntN(20); {
			case n < 8 && !c.ended:
				what = "trains"
				c.trains()
			case n < 11 && !c.ended:
				what = "checkpoint"
				c.writesDown(false)
			case n < 12 && !c.ended:
				what = "end"
				c.writesDown(true)
			case n < 13 && c.written: // of a line that has written nothing, and is reset too, nobody knows
				what = "reset"
				c.line, c.written, c.ended = c.line+1, false, false
			case n < 14 && c.ended:
				what = "removed, and begun anew"
				remove(t, c, store.Search, "s")
				c.at = c.at.Add(time.Duration(2+c.rand.IntN(40)) * time.Hour)
				c.starts()
			default:
				what = "collection"
				collect(t, c, gc.Options{})
			}
			c.log = append(c.log, what)
			left := c.left()
			for _, ref := range c.kept() {
				if !slices.Contains(left, ref) {
					t.Fatalf("seed %d: a model is gone: %v", seed, c.log)
				}
			}
		}
		if !c.ended {
			c.writesDown(true)
		}
		c.collect(5)
		for _, ref := range c.left() {
			if !slices.Contains(c.kept(), ref) {
				t.Errorf("seed %d: a model stays: %v", seed, c.log)
			}
		}
	}
}
