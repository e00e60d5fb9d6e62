package gc_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"tnaml/activities/gc"
	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/search"
	"tnaml/experiments/study"
	"tnaml/nn/safetensors"
)

// What must be read and cannot be ends the collection before anything is done; the
// error says what, where, and what to do.
func TestDamageStops(t *testing.T) {
	record := func(t *testing.T, s store.Store) library.SearchRecord {
		r, err := library.ReadRecord(t.Context(), s, "two")
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	previous := func(t *testing.T, s store.Store) store.Ref {
		b, err := s.Get(t.Context(), record(t, s).Ledger)
		if err != nil {
			t.Fatal(err)
		}
		segment, err := search.DecodeSegment(b)
		if err != nil || segment.Previous == "" {
			t.Fatal(segment, err)
		}
		return store.Ref(segment.Previous)
	}
	report := func(t *testing.T, s store.Store) store.Ref {
		e, err := library.ReadExperiment(t.Context(), s, "small")
		if err != nil {
			t.Fatal(err)
		}
		return e.Runs[0].Report
	}
	for name, c := range map[string]struct {
		ref     func(t *testing.T, s store.Store) store.Ref
		kind    string
		by, way string
	}{
		"configuration": {func(t *testing.T, s store.Store) store.Ref { return record(t, s).Config }, gc.KindConfig, `search "two"`,
			"starter remove two"},
		"newest segment": {func(t *testing.T, s store.Store) store.Ref { return record(t, s).Ledger }, gc.KindLedger, `search "two"`,
			"starter remove two"},
		"previous segment": {previous, gc.KindLedger, `search "two"`, "starter remove two"},
		"costs": {func(t *testing.T, s store.Store) store.Ref { return record(t, s).Costs }, gc.KindCosts, `search "two"`,
			"starter remove two"},
		"report": {report, gc.KindReport, `experiment "small"`, "starter experiment remove small --run small-1"},
	} {
		for _, how := range []string{"damaged", "missing"} {
			t.Run(name+" "+how, func(t *testing.T) {
				s := world(t)
				advance := clockOf(s)
				remove(t, s, store.Search, "alone")
				remove(t, s, store.Search, "again")
				ref := c.ref(t, s)
				if how == "damaged" {
					s.Damage(ref, []byte("damage"))
				} else if err := s.Discard(t.Context(), ref); err != nil {
					t.Fatal(err)
				} else if err := s.Purge(t.Context(), entries(t, s)); err != nil {
					t.Fatal(err)
				}
				advance(2 * gc.DefaultGrace)
				before := refs(t, s)
				_, err := gc.Survey(t.Context(), s, gc.Options{})
				for _, want := range []string{string(ref), c.kind, c.by, c.way, "nothing was collected"} {
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("%q is not in: %v", want, err)
					}
				}
				if !maps.Equal(before, refs(t, s)) || len(inTrash(t, s)) > 0 {
					t.Error("something was done")
				}
			})
		}
	}
	for kind, way := range map[store.Kind]string{
		store.Dataset: "data remove t1", store.Module: "module remove m1", store.Controller: "controller remove small",
		store.Search: "remove two", store.Experiment: "experiment remove small",
	} {
		s := world(t)
		if err := store.Update(t.Context(), s, kind, way[strings.LastIndex(way, " ")+1:], func([]byte) ([]byte, error) {
			return []byte("{"),
				nil
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := gc.Survey(t.Context(), s, gc.Options{}); err == nil || !strings.Contains(err.Error(), "starter "+way) {
			t.Errorf("a damaged record of a %s: %v", kind, err)
		}
	}
	s := world(t)
	if _, err := s.SetName(t.Context(), "newer", "x", []byte("{}"), ""); err != nil {
		t.Fatal(err)
	}
	if _, err := gc.Survey(t.Context(), s, gc.Options{}); err == nil || !strings.Contains(err.Error(), `"newer"`) {
		t.Errorf("names of an unknown kind: %v", err)
	}
}

func entries(t *testing.T, s store.Store) (out []store.Discarded) {
	t.Helper()
	if err := s.Trash(t.Context(), func(d store.Discarded) error { out = append(out, d); return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

// What refers to nothing may be missing or damaged: it is told, and stops nothing.
func TestMissingIsTold(t *testing.T) {
	s := world(t)
	advance := clockOf(s)
	record, err := library.Dataset(t.Context(), s, "t1")
	if err != nil {
		t.Fatal(err)
	}
	module, err := library.Module(t.Context(), s, "m1")
	if err != nil {
		t.Fatal(err)
	}
	s.Damage(module.Ref, []byte("damage"))
	if err := s.Discard(t.Context(), record.Ref); err != nil {
		t.Fatal(err)
	}
	if err := s.Purge(t.Context(), entries(t, s)); err != nil {
		t.Fatal(err)
	}
	advance(2 * gc.DefaultGrace)
	p := collect(t, s, gc.Options{})
	if len(p.Missing) != 1 || p.Missing[0].Ref != record.Ref || p.Missing[0].Kind != gc.KindTask || p.Missing[0].By == "" {
		t.Errorf("missing: %+v", p.Missing)
	}
	if !refs(t, s)[module.Ref] {
		t.Error("a damaged module that is reached was collected")
	}
}

// What is as good as none to its readers stops nothing either.
func TestRecordsOfNoUse(t *testing.T) {
	s := world(t)
	for kind, values := range map[store.Kind][]string{
		store.Trial:    {"{", `{"model":"sha256:x"}`, `{"holds":[{"search":"two","model":"x"}]}`, "{}"},
		store.Features: {"{", `{"ref":"sha256:x"}`, `{"ref":7}`, "{}"}, store.Yardstick: {"{", "{}"},
	} {
		for _, v := range values {
			if _, err := s.SetName(t.Context(), kind, "bad "+v, []byte(v), ""); err != nil {
				t.Fatal(err)
			}
		}
	}
	model, err := s.Put(t.Context(), []byte("a model"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.SetName(t.Context(), store.Trial, "later", []byte(`{"model":"`+string(model)+`","holds":{"of":"a later version"}}`),
		""); err != nil {
		t.Fatal(err)
	}
	clockOf(s)(2 * gc.DefaultGrace)
	if p := collect(t, s, gc.Options{}); p.Names != 6 || len(p.Missing) > 0 {
		t.Errorf("%d names of features and yardsticks go, missing %v", p.Names, p.Missing)
	}
	if !refs(t, s)[model] {
		t.Error("what a later version's record may hold is gone")
	}
	openAll(t, s)
}

// Where the bits of names have flipped, what caches refer to is kept, and other names
// stop marking: what they lead to is unknown.
func TestDamagedNames(t *testing.T) {
	s := world(t)
	model, err := s.Put(t.Context(), []byte("a model"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.SetName(t.Context(), store.Trial, "rotten", []byte(`{"outcome":{"model":"`+string(model)+`"}}`), ""); err != nil {
		t.Fatal(err)
	}
	s.DamageName(store.Trial, "rotten")
	clockOf(s)(2 * gc.DefaultGrace)
	collect(t, s, gc.Options{})
	if !refs(t, s)[model] {
		t.Error("what a damaged record of the trial cache refers to is gone")
	}
	openAll(t, s)
	s.DamageName(store.Search, "two")
	before := len(refs(t, s))
	_, err = gc.Survey(t.Context(), s, gc.Options{})
	if err == nil || !strings.Contains(err.Error(), "corrupt") || !strings.Contains(err.Error(), "starter remove two") ||
		len(refs(t, s)) != before {
		t.Errorf("a search's damaged name: %v", err)
	}
}

// A field that marking does not know keeps what it refers to, and what that refers
// to.
func TestUnknownFieldsKeep(t *testing.T) {
	for _, typed := range []bool{false, true} {
		s := world(t)
		advance := clockOf(s)
		old, err := library.ReadRecord(t.Context(), s, "two")
		if err != nil {
			t.Fatal(err)
		}
		remove(t, s, store.Search, "two")
		f := safetensors.New("novelty")
		novelty, err := s.Put(t.Context(), f.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Update(t.Context(), s, store.Search, "alone", func(b []byte) ([]byte, error) {
			var fields map[string]any
			if err := json.Unmarshal(b, &fields); err != nil {
				return nil, err
			}
			fields["ancestor"], fields["novelty"] = map[string]any{"ledger": old.Ledger}, novelty
			return json.Marshal(fields)
		}); err != nil {
			t.Fatal(err)
		}
		advance(2 * gc.DefaultGrace)
		o := gc.Options{}
		if typed {
			o = gc.Typed(o)
		}
		collect(t, s, o)
		_, ledgerErr := library.ReadLedger(t.Context(), clone(t, s), old.Ledger)
		if kept := refs(t, s)[novelty] && ledgerErr == nil; kept == typed {
			t.Errorf("typed references only: %v: kept %v (%v)", typed, kept, ledgerErr)
		}
	}
}

// Each reference of a run's report keeps what it refers to, also where no other
// leads there.
func TestReportsReferences(t *testing.T) {
	s := store.NewMemory()
	advance := clockOf(s)
	object := func(content string) store.Ref {
		t.Helper()
		ref, err := s.Put(t.Context(), []byte(content))
		if err != nil {
			t.Fatal(err)
		}
		return ref
	}
	report := library.RunReport{Outcomes: []library.Outcome{{Search: "x", From: object("from"), Controller: object("controller")}}}
	report.Plan.Controllers = map[string]library.ControllerVersion{"arm": {Ref: object("planned")}}
	report.Simulated = &study.Simulated{Object: string(object("tonight"))}
	report.Simulated.Bases = []study.Base{{Arm: "random", Object: string(object("long ago"))},
		{Arm: "tpe", Object: string(object("last year"))}}
	f := safetensors.New("run")
	f.PutJSON("report", report)
	value, err := json.Marshal(library.ExperimentRecord{Name: "e", Runs: []library.RunEntry{{Name: "r", Report: object(string(f.Encode()))}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.SetName(t.Context(), store.Experiment, "e", value, ""); err != nil {
		t.Fatal(err)
	}
	object("garbage")
	before := len(refs(t, s))
	advance(2 * gc.DefaultGrace)
	collect(t, s, gc.Typed(gc.Options{}))
	if got := len(refs(t, s)); got != before-1 {
		t.Errorf("%d of %d objects are left", got, before)
	}
}
