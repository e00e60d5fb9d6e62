package gc_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"tnaml/activities/gc"
	"tnaml/activities/library"
	"tnaml/activities/store"
)

// traffic counts what is downloaded, by the objects' kinds.
type traffic struct {
	store.Store
	mu    sync.Mutex
	bytes map[string]int
}

func (s *traffic) Get(ctx context.Context, ref store.Ref) ([]byte, error) {
	b, err := s.Store.Get(ctx, ref)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes[gc.KindOf(b)] += len(b)
	return b, err
}

// States are large and many. Of a search that runs, and has written one at each
// checkpoint, a collection leaves the newest; neither it nor a report downloads any,
// nor a model.
func TestStatesAreFewAndNotDownloaded(t *testing.T) {
	s := world(t)
	advance := clockOf(s)
	run(t, s, "running", "Search", `{"tasks":["t2"],"strategy":"naml","modules":["m1"],"space":"text-small","trials":20,`+
		`"checkpoint_every":2,"seed":9}`)
	change(t, s, "running", func(r *library.SearchRecord) { r.Status, r.Released = "running", false })
	states := func() (n int) {
		for ref := range refs(t, s) {
			if head, err := s.Peek(t.Context(), ref, gc.Peek); err != nil {
				t.Fatal(err)
			} else if gc.KindOf(head) == "state" {
				n++
			}
		}
		return n
	}
	newest := map[store.Ref]bool{} // searches of one configuration share theirs
	for _, name := range names(t, s, store.Search) {
		record, err := library.ReadRecord(t.Context(), s, name)
		if err != nil {
			t.Fatal(err)
		}
		if record.State != "" {
			newest[record.State] = true
		}
	}
	before := states()
	advance(2 * gc.DefaultGrace)
	w := &traffic{Store: s, bytes: map[string]int{}}
	collect(t, w, gc.Options{})
	if after := states(); before < len(newest)+9 || after != len(newest) {
		t.Errorf("%d states, %d of them the newest, %d after a collection", before, len(newest), after)
	}
	t.Logf("a collection downloads %v", w.bytes)

	// What a report is made of.
	for _, name := range names(t, s, store.Search) {
		record, err := library.ReadRecord(t.Context(), w, name)
		if err != nil {
			t.Fatal(err)
		}
		config, err := library.ReadConfig(t.Context(), w, record.Config)
		if err != nil {
			t.Fatal(err)
		}
		trials, err := library.ReadLedger(t.Context(), w, record.Ledger)
		if err != nil || len(trials) != record.Told {
			t.Fatalf("%s: %d trials, %v", name, len(trials), err)
		}
		if _, err := library.ReadCosts(t.Context(), w, record.Costs); err != nil {
			t.Fatal(err)
		}
		for _, task := range config.Tasks {
			if _, err := library.CardOf(t.Context(), w, task); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := library.ReadStudy(t.Context(), w, "small"); err != nil {
		t.Fatal(err)
	}
	t.Logf("with the reports of all searches: %v", w.bytes)
	for kind := range w.bytes {
		if strings.Contains("state model", kind) {
			t.Errorf("%d bytes of kind %s were downloaded", w.bytes[kind], kind)
		}
	}
	if w.bytes["ledger"] == 0 {
		t.Error("no ledger was downloaded: the test sees nothing")
	}
}
