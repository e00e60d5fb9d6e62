package gc_test

import (
	"fmt"
	"testing"

	"tnaml/activities/gc"
	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/data"
	"tnaml/experiments/data/text"
	"tnaml/experiments/yardstick"
)

// What simple models have on a task stays as long as the task, and does not keep it.
func TestYardsticksGoWithTheirTask(t *testing.T) {
	s := world(t)
	advance := clockOf(s)
	var examples []text.Example
	for i := range 60 {
		examples = append(examples, text.Example{Text: fmt.Sprintf("lonely %d", i), Label: []string{"pos", "neg"}[i%2]})
	}
	made, err := text.Build(examples, data.Options{Name: "lonely"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := library.PublishTask(t.Context(), s, made, false); err != nil {
		t.Fatal(err)
	}
	of := map[string]store.Ref{}
	for _, name := range []string{"t1", "lonely"} {
		r, err := library.Dataset(t.Context(), s, name)
		if err != nil {
			t.Fatal(err)
		}
		of[name] = r.Ref
		if err := library.PublishYardsticks(t.Context(), s, r.Ref, []yardstick.Result{{Name: name}}); err != nil {
			t.Fatal(err)
		}
	}
	there := func(name string) bool {
		found, err := library.Yardsticks(t.Context(), s, of[name])
		if err != nil {
			t.Fatal(err)
		}
		return len(found) == 1 && found[0].Name == name
	}
	// No search has the one, so that with its name it goes; the other's searches keep it.
	for _, name := range []string{"t1", "lonely"} {
		if err := s.DeleteName(t.Context(), store.Dataset, name); err != nil {
			t.Fatal(err)
		}
	}
	if p := collect(t, s, gc.Options{}); p.Names != 0 || !there("t1") || !there("lonely") {
		t.Errorf("young ones: %+v", p)
	}
	advance(2 * gc.DefaultGrace)
	if p := collect(t, s, gc.Options{}); p.Names != 1 || !there("t1") || there("lonely") || refs(t, s)[of["lonely"]] {
		t.Errorf("%d names went; of t1: %v, of lonely: %v", p.Names, there("t1"), there("lonely"))
	}
	openAll(t, s)
}
