package library

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"tnaml/activities/store"
	"tnaml/experiments/data"
	"tnaml/experiments/data/text"
	"tnaml/experiments/search"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/space"
	"tnaml/nn/embedding"
)

// filled is a store with the task things and the module m.
func filled(t *testing.T) *store.Memory {
	t.Helper()
	s := store.NewMemory()
	var examples []text.Example
	for i := range 200 {
		examples = append(examples, text.Example{Text: fmt.Sprintf("a %s thing, number %d", []string{"good", "bad"}[i%2], i),
			Label: []string{"pos", "neg"}[i%2]})
	}
	built, err := text.Build(examples, data.Options{Name: "things"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := PublishTask(t.Context(), s, built, false); err != nil {
		t.Fatal(err)
	}
	m := &embedding.Module{Name: "m", Dim: 4, Tokens: []string{"good", "bad", "thing"},
		Vectors: []float32{1, 0, 0, 0, -1, 0, 0, 0, 0, 1, 0, 0}}
	if _, err := PublishModule(t.Context(), s, m, false); err != nil {
		t.Fatal(err)
	}
	return s
}

func set(t *testing.T, s store.Store, kind store.Kind, name, value string) {
	t.Helper()
	if err := store.Update(t.Context(), s, kind, name, func([]byte) ([]byte, error) { return []byte(value), nil }); err != nil {
		t.Fatal(err)
	}
}

// vanishing is a store in which a name goes as soon as it has been listed.
type vanishing struct {
	store.Store
	name string
}

func (v vanishing) Names(ctx context.Context, kind store.Kind, prefix string) ([]store.Entry, error) {
	entries, err := v.Store.Names(ctx, kind, prefix)
	if err == nil {
		err = v.DeleteName(ctx, kind, v.name)
	}
	return entries, err
}

// A list is of what there is when it is read: what has gone meanwhile is left out,
// and what cannot be read is named beside the rest.
func TestList(t *testing.T) {
	s := filled(t)
	for _, name := range []string{"a", "b", "c"} {
		set(t, s, store.Module, name, `{"name":"`+name+`"}`)
	}
	names := func(s store.Store) (out []string, err error) {
		modules, err := Modules(t.Context(), s)
		for _, m := range modules {
			out = append(out, m.Name)
		}
		return out, err
	}
	if got, err := names(vanishing{s, "b"}); err != nil || !slices.Equal(got, []string{"a", "c", "m"}) {
		t.Errorf("one has gone meanwhile: %v, %v", got, err)
	}
	set(t, s, store.Module, "a", "damaged")
	set(t, s, store.Module, "d", `{"dim":"four"}`)
	got, err := names(s)
	if !errors.Is(err, ErrUnreadable) || !slices.Equal(got, []string{"c", "m"}) {
		t.Errorf("two cannot be read: %v, %v", got, err)
	}
	for _, want := range []string{`module "a"`, `module "d"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: want %s", err, want)
		}
	}
	if got, err := names(sick{s}); err == nil || errors.Is(err, ErrUnreadable) || got != nil {
		t.Errorf("a store that does not answer: %v, %v", got, err)
	}
}

// A name that is not there is answered with those that are, nearest first, and few
// of many.
func TestUnknownNames(t *testing.T) {
	s := store.NewMemory()
	_, err := ReadRecord(t.Context(), s, "sms")
	if !errors.Is(err, store.ErrNotFound) || !strings.Contains(err.Error(), `search "sms"`) || !strings.Contains(err.Error(), "no others") {
		t.Errorf("%v", err)
	}
	for i := range 20 {
		set(t, s, store.Search, fmt.Sprintf("other-%d", i), "{}")
	}
	set(t, s, store.Search, "sms-spam", "{}")
	_, err = ReadRecord(t.Context(), s, "sms")
	if !errors.Is(err, store.ErrNotFound) || !strings.Contains(err.Error(), "(there are: sms-spam, other-0") ||
		!strings.HasSuffix(err.Error(), ", …)") {
		t.Errorf("%v", err)
	}
	set(t, s, store.Search, "imdb", "{}")
	if _, err = ReadRecord(t.Context(), s, "lmdb"); err == nil || !strings.Contains(err.Error(), "(there are: imdb, ") {
		t.Errorf("a slip at the start: %v", err)
	}
	set(t, s, store.Search, "sms-spam", "[]")
	if _, err := ReadRecord(t.Context(), s, "sms-spam"); !errors.Is(err, ErrUnreadable) {
		t.Errorf("%v", err)
	}
	change := func(*SearchRecord) { t.Error("asked to change what cannot be read") }
	if err := UpdateRecord(t.Context(), s, "sms-spam", Writer{}, change); !errors.Is(err, ErrUnreadable) {
		t.Errorf("%v", err)
	}
}

// What is damaged can be replaced, by who says so.
func TestPublishOverDamage(t *testing.T) {
	s := filled(t)
	m, ref, err := LoadModule(t.Context(), s, "m")
	if err != nil {
		t.Fatal(err)
	}
	set(t, s, store.Module, "m", "damaged")
	if _, err := PublishModule(t.Context(), s, m, false); !errors.Is(err, ErrExists) {
		t.Errorf("%v", err)
	}
	if got, err := PublishModule(t.Context(), s, m, true); err != nil || got != ref {
		t.Errorf("%s, %v", got, err)
	}
	if r, err := Module(t.Context(), s, "m"); err != nil || r.Ref != ref {
		t.Errorf("%+v, %v", r, err)
	}
}

// An object that is there and is not what it should be is wrong for good; one that
// is not there is not.
func TestErrInvalid(t *testing.T) {
	s := store.NewMemory()
	ref, err := s.Put(t.Context(), []byte("no container"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ReadController(t.Context(), s, ref); !errors.Is(err, ErrInvalid) {
		t.Errorf("%v", err)
	}
	if _, err := ReadConfig(t.Context(), s, ref); !errors.Is(err, ErrInvalid) || strings.Contains(err.Error(), ErrInvalid.Error()) {
		t.Errorf("%v", err)
	}
	if _, err := ReadConfig(t.Context(), s, store.RefOf(nil)); !errors.Is(err, store.ErrNotFound) || errors.Is(err, ErrInvalid) {
		t.Errorf("%v", err)
	}
}

func TestPublish(t *testing.T) {
	s := filled(t)
	sp, err := space.Builtin("text-small")
	if err != nil {
		t.Fatal(err)
	}
	if err := PublishSpace(t.Context(), s, sp, true); err == nil || !strings.Contains(err.Error(), `space "text-small" is built in`) {
		t.Errorf("a built-in space's name: %v", err)
	}
	sp.Name = "mine"
	for range 2 {
		if err := PublishSpace(t.Context(), s, sp, false); err != nil {
			t.Error(err)
		}
	}
	sp.Description = "another"
	if err := PublishSpace(t.Context(), s, sp, false); !errors.Is(err, ErrExists) {
		t.Errorf("another space of that name: %v", err)
	}
	if err := PublishSpace(t.Context(), s, sp, true); err != nil {
		t.Error(err)
	}
	if got, err := LoadSpace(t.Context(), s, "mine"); err != nil || got.Description != "another" {
		t.Errorf("%+v, %v", got, err)
	}
	m, _, err := LoadModule(t.Context(), s, "m")
	if err != nil {
		t.Fatal(err)
	}
	m.Vectors[0]++
	if _, err := PublishModule(t.Context(), s, m, false); !errors.Is(err, ErrExists) || !strings.Contains(err.Error(), "overwrite") {
		t.Errorf("other vectors under that name: %v", err)
	}
}

// sick is a store that does not answer when asked for names.
type sick struct{ store.Store }

func (sick) GetName(context.Context, store.Kind, string) ([]byte, store.Version, error) {
	return nil, "", errors.New("connection refused")
}

// A card is found by its name, else within the task's object; when the store does
// not answer, that is said.
func TestCardOf(t *testing.T) {
	s := filled(t)
	record, err := Dataset(t.Context(), s, "things")
	if err != nil {
		t.Fatal(err)
	}
	things := search.Task{Name: "things", Data: string(record.Ref)}
	for _, gone := range []bool{false, true} {
		if gone {
			if err := s.DeleteName(t.Context(), store.Dataset, "things"); err != nil {
				t.Fatal(err)
			}
		}
		if card, err := CardOf(t.Context(), s, things); err != nil || card.Examples != 200 {
			t.Errorf("name gone %v: %+v, %v", gone, card, err)
		}
	}
	if card, err := CardOf(t.Context(), sick{s}, things); err == nil || card != nil ||
		!strings.Contains(err.Error(), `task "things": connection refused`) {
		t.Errorf("%v, %v", card, err)
	}
}

// A record has the name that it lies under, whatever is written in it.
func TestRecordsNames(t *testing.T) {
	s := store.NewMemory()
	set(t, s, store.Search, "copy", `{"name":"original","status":"running"}`)
	set(t, s, store.Experiment, "e", `{"runs":[{"name":"first","status":"running"},{"name":"second"}]}`)
	if got, err := RecordedRunning(t.Context(), s); err != nil || !slices.Equal(got, []string{"copy", "first"}) {
		t.Errorf("%v, %v", got, err)
	}
	if err := UpdateRecord(t.Context(), s, "new", Writer{RunID: "run"}, func(r *SearchRecord) { r.Status = "stopped" }); err != nil {
		t.Fatal(err)
	}
	if r, err := ReadRecord(t.Context(), s, "new"); err != nil || r.Name != "new" || r.Status != "stopped" {
		t.Errorf("%+v, %v", r, err)
	}
	// Of an experiment that has gone meanwhile no run is removed.
	part := Removal{Kind: store.Experiment, Name: "gone", Runs: []string{"first"}, Part: true}
	if err := Remove(t.Context(), s, []Removal{part}); err != nil {
		t.Fatal(err)
	}
	part.Name = "e"
	if err := Remove(t.Context(), s, []Removal{part}); err != nil {
		t.Fatal(err)
	}
	all, err := Experiments(t.Context(), s)
	if err != nil || len(all) != 1 || all[0].Name != "e" || len(all[0].Runs) != 1 {
		t.Errorf("%+v, %v", all, err)
	}
}

// A retry of a publication that was not heard, with another publisher between, is the same version.
func TestPublishedOnce(t *testing.T) {
	ctx, s := t.Context(), filled(t)
	var refs []store.Ref
	for seed := range uint64(2) {
		config, _, err := Pin(ctx, s, Names{Tasks: []string{"things"}, Strategy: strategy.NAML, Space: "text", Seed: seed + 1, Lag: 1})
		if err != nil {
			t.Fatal(err)
		}
		searcher, err := search.New(*config)
		if err != nil {
			t.Fatal(err)
		}
		ref, err := s.Put(ctx, searcher.Controller())
		if err != nil {
			t.Fatal(err)
		}
		refs = append(refs, ref)
	}
	for i, c := range []struct {
		ref    store.Ref
		search string
		want   int
	}{
		{refs[0], "a", 1}, {refs[1], "b", 2}, {refs[0], "a", 1}, {refs[1], "c", 2}, // the newest by whatever search
		{refs[0], "", 3}, {refs[1], "", 4}, {refs[1], "b", 4}, {refs[0], "a", 1},
	} {
		v, err := PublishController(ctx, s, PublishControllerInput{Name: "n", Ref: c.ref, Search: c.search})
		if err != nil || v.Version != c.want || v.Ref != c.ref {
			t.Errorf("%d: version %d of %s, %v; want %d", i, v.Version, v.Ref, err, c.want)
		}
	}
	if r, err := controllers.read(ctx, s, "n"); err != nil || len(r.Versions) != 4 {
		t.Errorf("%+v, %v", r, err)
	}
}
