package library

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tnaml/activities/store"
	"tnaml/experiments/exchange"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

const dials = "name: dials\ntrainer: elsewhere\nobjective: {metric: loss, direction: minimise}\nchoices:\n" +
	"  - {name: rate, options: [0.1, 0.5, 1]}\n  - {name: words, options: [true, false]}\n"

func imported(t *testing.T, s store.Store, im Import, text string) (*exchange.Imported, error) {
	t.Helper()
	im.Space, im.Now = "dials", time.Unix(1e9, 0)
	return ImportTrials(t.Context(), s, im, func(sp *space.Space) (*exchange.Imported, error) {
		return exchange.Read(strings.NewReader(text), "csv", exchange.Options{Space: sp, Task: im.Task})
	})
}

// Imported trials are a search that has ended: it is read, listed and removed as one, and
// searches start from it, of its own task too.
func TestImportedTrialsAreASource(t *testing.T) {
	s := filled(t)
	sp, err := trainer.Load([]byte(dials))
	if err != nil {
		t.Fatal(err)
	}
	if err := PublishSpace(t.Context(), s, sp, false); err != nil {
		t.Fatal(err)
	}
	text := "rate,words,loss,task\n"
	for i := range 2500 {
		text += fmt.Sprintf("%v,%v,%v,%s\n", []float64{.1, .5, 1, 2}[i%4], i%8 < 4, float64(i%7)+.25, []string{"things", "theirs"}[i/4%2])
	}
	got, err := imported(t, s, Import{Name: "old"}, text)
	if err != nil || len(got.Trials) != 1875 || got.Refused != 625 {
		t.Fatalf("%d trials, %d refused, %v", len(got.Trials), got.Refused, err)
	}
	names := Names{Tasks: []string{"things"}, Strategy: strategy.Kindred, Space: "dials", Seed: 1, Lag: 1, Sources: []string{"old"}}
	config, sources, err := Pin(t.Context(), s, names)
	if err != nil {
		t.Fatal(err)
	}
	if sources.From[0] != (Taken{Search: "old", Trials: 1875}) {
		t.Errorf("%+v", sources.From)
	}
	_, of, err := strategy.DecodeSources(sources.Object, &config.Space)
	if err != nil || len(of) != 2 || of[0].Task != "things" || len(of[0].Trials)+len(of[1].Trials) != 1875 || of[0].Trials[0].Reward != -.25 {
		t.Errorf("%d sources, %v", len(of), err)
	}
	all, err := Searches(t.Context(), s)
	if err != nil || len(all) != 1 || all[0].Status != Imported || all[0].Told != 1875 {
		t.Errorf("%+v, %v", all, err)
	}
	trials, err := ReadLedger(t.Context(), s, all[0].Ledger)
	if err != nil || len(trials) != 1875 || trials[1874].Trial != 1874 {
		t.Errorf("%d trials, %v", len(trials), err)
	}
	// The name is not given away, but to others that are imported, when asked.
	if _, err = imported(t, s, Import{Name: "old"}, text); !errors.Is(err, ErrExists) {
		t.Errorf("again: %v", err)
	}
	err = StartSearch(t.Context(), s, SearchRecord{Name: "old", Owner: "o", RunID: "r"})
	if err == nil || !strings.Contains(err.Error(), "imported") {
		t.Errorf("a search of the name: %v", err)
	}
	if _, err = imported(t, s, Import{Name: "old", Overwrite: true, Task: "more"}, "rate,words,loss\n1,true,2\n"); err != nil {
		t.Error(err)
	}
	if _, err := GoOn(t.Context(), s, "old", []byte("{}")); err == nil || !strings.Contains(err.Error(), "--sources old") {
		t.Errorf("going on: %v", err)
	}
	// What is wrong is the caller's mistake, and stores nothing.
	for _, text := range []string{"rate,loss\n1,1\n", "rate,words,loss\n7,true,1\n"} {
		if _, err := imported(t, s, Import{Name: "bad", Task: "x"}, text); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := ReadRecord(t.Context(), s, "bad"); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
}
