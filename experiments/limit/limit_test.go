package limit

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestReason(t *testing.T) {
	for in, want := range map[string]string{
		"": "", " a\tb \x1b[31m\n": "a b [31m", "one\ntwo\n": "one; two", "b\xffd": "b?d",
		strings.Repeat("ü", 600): strings.Repeat("ü", 498) + "…",
	} {
		if got := Reason(in); got != want || len(got) > MaxReason || !utf8.ValidString(got) {
			t.Errorf("Reason(%.20q) is %q", in, got)
		}
		if again := Reason(want); again != want {
			t.Errorf("Reason(%.20q), a reason already, is %q", want, again)
		}
	}
	if got := Reason(strings.Repeat("why \n", 1<<20)); len(got) > MaxReason || !strings.HasSuffix(got, "…") {
		t.Errorf("a long one has %d bytes", len(got))
	}
}

func TestProblems(t *testing.T) {
	var many []error
	for range 1000 {
		many = append(many, errors.New(strings.Repeat("x", 5000)))
	}
	if n := len(Problems(many).Error()); n > (MaxProblems+1)*(MaxReason+1) {
		t.Errorf("%d bytes", n)
	}
	if err := Problems(nil); err != nil {
		t.Error(err)
	}
	own := errors.New("own")
	if !errors.Is(Problems([]error{own}), own) {
		t.Error("a short problem is another one now")
	}
}

func TestList(t *testing.T) {
	words := []string{"a", "bb", "ccc"}
	for n, want := range map[int]int{0: 0, 2: 0, 3: 1, 7: 2, 12: 3, 100: 3} {
		if some, cut := List(words, n); !slices.Equal(some, words[:want]) || cut != (want < 3) {
			t.Errorf("List(%d) is %v, %v", n, some, cut)
		}
	}
}

func TestKnown(t *testing.T) {
	there := []string{"a", "b, c"}
	if err := Known("arm", there, there); err != nil {
		t.Error(err)
	}
	if err := Known("arm", nil, nil); err != nil {
		t.Error(err)
	}
	err := Known("arm", []string{"x", "a", "y", "a", "x", "a"}, there)
	const want = `the arm "a" is there twice
there is no arm "x", "y" (there are: "a", "b, c")`
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
	err = Known("task", []string{"x"}, strings.Fields(strings.Repeat("a ", 52)))
	if err == nil || !strings.HasSuffix(err.Error(), `"a", and 2 more)`) {
		t.Error(err)
	}
}

func TestListed(t *testing.T) {
	for most, want := range map[int]string{1: "3, and 2 more", 2: "3, 1, and 1 more", 3: "3, 1, 2", 9: "3, 1, 2"} {
		if got := Listed([]int{3, 1, 2}, most); got != want {
			t.Errorf("%d: %q, want %q", most, got, want)
		}
	}
}

func TestRunning(t *testing.T) {
	if wrong := (Running{Lag: 4, CheckpointEvery: 50, MemoryLimitMB: 2048, HistoryLimit: 8000}).Problems(); len(wrong) > 0 {
		t.Error(wrong)
	}
	wrong := Running{Lag: MaxLag + 1, Parallel: MaxLag + 2, CheckpointEvery: MaxCheckpointEvery + 1, TrialSteps: -1,
		MemoryLimitMB: MaxMemoryMB + 1, KeepModels: MaxKeepModels + 1, HistoryLimit: MinHistory - 1}.Problems()
	var fields []string
	for _, err := range wrong {
		fields = append(fields, err.(Problem).Field)
	}
	want := []string{"lag", "parallel", "checkpoint_every", "trial_steps", "memory_limit_mb", "keep_models", "history_limit"}
	if !slices.Equal(fields, want) {
		t.Error(wrong)
	}
}
