package samples

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/catalog"
	"tnaml/experiments/data"
	"tnaml/experiments/data/text"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

// A record that cannot be read keeps no experiment from running that does not need it, and
// what is there under a name stays.
func TestEnsure(t *testing.T) {
	ctx := t.Context()
	s := store.NewMemory()
	if _, err := s.SetName(ctx, store.Dataset, "mine", []byte("no record"), ""); err != nil {
		t.Fatal(err)
	}
	c := &client.Client{Store: s}
	a := &terminal.App{Process: terminal.Process{Stderr: new(strings.Builder), Stdout: new(strings.Builder)}}
	if err := Ensure(ctx, a, c, catalog.KindExperiment, "nlp-small", []byte("{}"), ""); err != nil {
		t.Errorf("an experiment that needs none: %v", err)
	}
	for spec, word := range map[string]string{
		`{"arms":["rundom"]}`: "rundom", `{"tasks":["godoc-area","spam"]}`: `no task "spam"`, `{"trials":-1}`: "trials", // none is made
	} {
		if err := Ensure(ctx, a, c, catalog.KindExperiment, "demo", []byte(spec), "no-such-directory"); err == nil ||
			!strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v", spec, err)
		}
	}
	other := []byte(`{"tasks":["mine"],"arms":["random"]}`)
	if err := Ensure(ctx, a, c, catalog.KindTransfer, "nightly", other, "no-such-directory"); err != nil {
		t.Errorf("a run of other tasks: %v", err)
	}
	var own []text.Example
	for _, label := range []string{"a", "b"} {
		for _, word := range strings.Fields("one two three four five six seven eight nine ten eleven twelve") {
			own = append(own, text.Example{Text: label + " " + word, Label: label})
		}
	}
	task, err := text.Build(own, data.Options{Name: "godoc-error"})
	if err != nil {
		t.Fatal(err)
	}
	before, err := library.PublishTask(ctx, s, task, false)
	if err != nil {
		t.Fatal(err)
	}
	goroot := os.Getenv("GOROOT")
	if goroot == "" {
		if goroot, err = findGoroot(ctx); err != nil {
			t.Skip(err)
		}
	}
	if testing.Short() {
		t.Skip("it reads the standard library and trains modules")
	}
	if err := Ensure(ctx, a, c, catalog.KindExperiment, "demo", []byte("{}"), filepath.Clean(goroot)); err != nil {
		t.Fatal(err)
	}
	if after, err := library.Dataset(ctx, s, "godoc-error"); err != nil || after.Ref != before {
		t.Errorf("a task of one's own was replaced: %v, %v", after.Ref, err)
	}
	if _, err := library.Dataset(ctx, s, "godoc-area"); err != nil {
		t.Error(err)
	}
}
