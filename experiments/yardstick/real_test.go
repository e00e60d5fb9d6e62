package yardstick_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tnaml/experiments/data"
	"tnaml/experiments/data/labelled"
	"tnaml/experiments/data/text"
	"tnaml/experiments/yardstick"
)

var (
	out   = flag.String("splits", "", "directory to write each task's splits and results to, for experiments/bench/baselines.py")
	tasks = flag.String("tasks", "customer_reviews", "tasks to try, with commas between them, or all")
)

// development are the tasks that choices are made on.
const development = "corp_messaging,disasters,airline,customer_reviews,mpqa_opinion,subj_movie,sms_spam,global_warming"

// exported is a task as baselines.py reads it.
type exported struct {
	Task    string              `json:"task"`
	Splits  map[string][]string `json:"splits"` // a label's number, a tab and the tokens each
	Results []yardstick.Result  `json:"results"`
}

// The yardsticks of real data are better than guessing, and words with characters are no
// worse than naive Bayes.
func TestRealTasks(t *testing.T) {
	if *tasks == "all" {
		*tasks = development
	}
	for _, name := range strings.Split(*tasks, ",") {
		t.Run(name, func(t *testing.T) {
			task := realTask(t, name, 0)
			e := exported{Task: name, Splits: map[string][]string{
				"train": lines(task, &task.Train), "validation": lines(task, &task.Validation), "test": lines(task, &task.Test),
			}}
			for _, y := range yardstick.All() {
				before := cpu(t)
				r, err := y.Train(task)
				if err != nil {
					t.Fatal(err)
				}
				r.Name, r.CPUSeconds = y.Name, cpu(t)-before
				t.Logf("%-26s C %-8v %7d features  validation %.2f  test %.2f ± %.2f  macro-F1 %.2f  %.1f s", y.Name, r.C, r.Features,
					100*r.Validation.Accuracy, 100*r.Test.Accuracy, 100*r.Test.Error(), 100*r.Test.MacroF1, r.CPUSeconds)
				e.Results = append(e.Results, r)
			}
			least, most := e.Results[0].Test, e.Results[4].Test
			if most.Accuracy < least.Accuracy+.02 || most.Accuracy < e.Results[1].Test.Accuracy-3*most.Error() {
				t.Errorf("%+v", e.Results)
			}
			if *out == "" {
				return
			}
			b, err := json.Marshal(e)
			if err == nil {
				err = os.WriteFile(filepath.Join(*out, name+".json"), b, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// realTask is a task of the real data under a seed of its split, 0 being the default.
func realTask(t *testing.T, name string, seed uint64) *text.Task {
	root := os.Getenv("TNAML_DATA")
	if root == "" {
		root = "../../../shared/data" // beside a checkout
	}
	file, err := os.Open(filepath.Join(root, "text", name, "data.tsv.gz"))
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("real data are not there (set TNAML_DATA to their directory): %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	examples, err := labelled.Read(file, "data.tsv.gz", labelled.Options{})
	if err != nil {
		t.Fatal(err)
	}
	task, err := text.Build(examples, data.Options{Name: name, Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	return task
}

// lines are the examples of a split.
func lines(t *text.Task, s *text.Split) []string {
	out := make([]string, s.Len())
	for i := range out {
		var tokens []string
		for _, id := range s.IDs[s.Offsets[i]:s.Offsets[i+1]] {
			tokens = append(tokens, t.Vocabulary[id])
		}
		out[i] = fmt.Sprintf("%d\t%s", s.Labels[i], strings.Join(tokens, " "))
	}
	return out
}

// cpu is the CPU time of the process so far, in seconds.
func cpu(t *testing.T) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
