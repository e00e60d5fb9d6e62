package workflows_test

import (
	"strings"
	"testing"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/catalog"
)

const kin = `name: kin
space: text-small
checkpoint_every: 10
pretrain: [{tasks: [p1, p2], trials: 24}, {name: at-random, strategy: random, tasks: [p1, p2], trials: 15}]
transfer:
  tasks: [t1]
  trials: 6
  arms: [random, {name: kindred, strategy: kindred, from: multitask}, {name: lost, strategy: naml, from: at-random}]
`

// An arm whose strategy learns from trials starts from those of its pretraining, and
// from its controller where it goes on from one; from what a run before it has learned
// just so.
func TestExperimentOfSources(t *testing.T) {
	f := experimentFixture(t)
	if _, err := library.PublishExperiment(t.Context(), f.store, []byte(kin), false); err != nil {
		t.Fatal(err)
	}
	result, err := f.runAs(t, catalog.KindExperiment, "kin-1", `{"experiment":"kin"}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	if result.Searches != 5 || result.Failed != 1 || len(result.Controllers) != 1 {
		t.Errorf("%+v", result)
	}
	for _, o := range result.Outcomes {
		if lost := o.Arm == "lost"; lost != (o.Status == "failed") || lost != strings.Contains(o.Reason, "at-random learns no controller") {
			t.Errorf("%s: %s, %s", o.Search, o.Status, o.Reason)
		}
	}
	f.resetExperiment(t)
	if _, err := f.runAs(t, catalog.KindTransfer, "kin-transfer", `{"experiment":"kin","arms":["kindred"],"seeds":[2]}`, nil); err != nil {
		t.Fatal(err)
	}
	s, err := library.ReadStudy(t.Context(), f.store, "kin")
	if err != nil {
		t.Fatal(err)
	}
	kindred := 0
	for _, l := range s.Ledgers {
		learns := l.Arm == "kindred"
		if learns != (l.Config.Sources != "") || learns != (l.Sources == "kin-1/pretrain/multitask/s1") ||
			l.FromName != "" || l.Config.Controller != "" {
			t.Errorf("%s starts from the controller %q and %q, %s", l.Search, l.FromName, l.Sources, l.Config.Sources)
		}
		if !learns {
			continue
		}
		kindred++
		record, err := library.ReadRecord(t.Context(), f.store, l.Search)
		if err != nil || len(record.Sources) != 1 || record.Sources[0].Trials != 24 || len(l.Trials) != 6 {
			t.Errorf("%s: %+v, %d trials, %v", l.Search, record.Sources, len(l.Trials), err)
		}
	}
	if kindred != 2 {
		t.Errorf("%d searches learned from trials", kindred)
	}
	// What a controller was learned of may have been removed.
	if err := f.store.DeleteName(t.Context(), store.Search, "kin-1/pretrain/multitask/s1"); err != nil {
		t.Fatal(err)
	}
	f.resetExperiment(t)
	_, err = f.runAs(t, catalog.KindTransfer, "kin-late", `{"experiment":"kin","arms":["kindred"],"seeds":[3]}`, nil)
	if err == nil || !strings.Contains(err.Error(), `the arm "kindred" learns from the trials behind the controller kin`) {
		t.Error(err)
	}
}
