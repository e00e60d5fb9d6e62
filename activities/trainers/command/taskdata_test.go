package command

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"tnaml/activities/store"
	"tnaml/experiments/trainer"
)

// lying lists the tasks whose data lie in a workspace, by what is in them, and what else does.
func lying(t *testing.T, w *Workspace) (tasks []string) {
	t.Helper()
	entries, err := os.ReadDir(w.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(w.dir, e.Name(), objectFile))
		if err != nil || strings.Contains(e.Name(), ".") {
			t.Errorf("%s lies there: %v", e.Name(), err)
			continue
		}
		tasks = append(tasks, string(b[:1]))
	}
	slices.Sort(tasks)
	return tasks
}

// Of tasks' data those longest unused go where they are more than may stay, never those that a
// trial has, and come again where they are wanted; nothing is kept of what could not be written.
func TestTasksDataGo(t *testing.T) {
	f := program(t, "curve", nil)
	w := f.work
	w.keep = 25
	refs, release := map[string]string{}, map[string]func() error{}
	for _, name := range []string{"a", "b", "c", "d"} {
		ref, err := f.store.Put(t.Context(), []byte(strings.Repeat(name, 10)))
		if err != nil {
			t.Fatal(err)
		}
		refs[name] = string(ref)
	}
	for _, step := range []struct {
		does, task string
		want       []string
	}{
		{"takes", "a", []string{"a"}}, {"takes", "b", []string{"a", "b"}}, {"takes", "c", []string{"a", "b", "c"}},
		{"leaves", "b", []string{"a", "c"}},      // the only one that nobody has
		{"leaves", "a", []string{"a", "c"}},      // there is room
		{"takes", "d", []string{"a", "c", "d"}},  // and while they are had there need be none
		{"leaves", "c", []string{"c", "d"}},      // a was left before
		{"takes", "c", []string{"c", "d"}},       // as it lies there
		{"leaves", "d", []string{"c", "d"}},      //
		{"takes", "b", []string{"b", "c", "d"}},  // anew
		{"leaves", "c", []string{"b", "c"}},      // d was left before c
		{"leaves", "b", []string{"b", "c"}},      //
		{"takes", "gone", []string{"b", "c"}},    // fails
		{"leaves", "gone", []string{"b", "c"}},   //
		{"takes", "no ref", []string{"b", "c"}},  // is the program's own
		{"leaves", "no ref", []string{"b", "c"}}, //
	} {
		if step.does == "takes" {
			ref := refs[step.task]
			if step.task == "gone" {
				ref = string(store.RefOf(nil))
			}
			_, done, err := w.data(t.Context(), f.store, ref)
			if (err != nil) != (step.task == "gone") {
				t.Fatalf("%s: %v", step.task, err)
			}
			release[step.task] = done
		} else if err := release[step.task](); err != nil {
			t.Error(err)
		}
		if got := lying(t, w); !slices.Equal(got, step.want) {
			t.Fatalf("%s %s: %v lie there, want %v", step.does, step.task, got, step.want)
		}
	}
	if len(w.tasks) != 2 {
		t.Errorf("%d tasks are remembered", len(w.tasks))
	}
}

// What a trial has is there until its end, however many come and go beside it.
func TestTasksDataStayWhileTheyAreHad(t *testing.T) {
	f := program(t, "curve", nil)
	f.work.keep = 0
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			want := fmt.Sprint("task ", i%3)
			ref, err := f.store.Put(t.Context(), []byte(want))
			if err != nil {
				t.Error(err)
			}
			for range 50 {
				dir, release, err := f.work.data(t.Context(), f.store, string(ref))
				if err != nil {
					t.Error(err)
					return
				}
				if b, err := os.ReadFile(filepath.Join(dir, objectFile)); err != nil || string(b) != want {
					t.Errorf("%q, %v", b, err)
				}
				if err := release(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	r := asked()
	ref, err := f.store.Put(t.Context(), []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	r.Task.Data = string(ref)
	if o, err := f.Run(t.Context(), r, quiet); err != nil || o.Status != trainer.OK {
		t.Errorf("%+v, %v", o.Outcome, err)
	}
	if left, err := os.ReadDir(f.work.dir); err != nil || len(left) > 0 || len(f.work.tasks) > 0 {
		t.Errorf("it leaves %v, %v; %d tasks", left, err, len(f.work.tasks))
	}
}
