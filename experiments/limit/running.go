package limit

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of numbers that people give a search or an experiment's run.
const (
	// MaxTrials is that of a budget.
	MaxTrials = 10_000_000
	// MaxLag is that of lag, and so of the trials in flight: a workflow may have 2,000
	// steps under way on a Temporal server, and carries the proposals not yet started.
	MaxLag = 1000
	// MaxTasks is that of the tasks of one search, which carries the ten best of each,
	// and of its modules.
	MaxTasks = 200
	// MaxCheckpointEvery bounds the trials that a search carries since a checkpoint.
	MaxCheckpointEvery = 500
	// MaxJournal is that of those trials, and MaxProposals that of the proposals not yet
	// started, in bytes: a search carries both in one message, for which the server
	// allows 2 MB. MaxTold is the number of trials told at once.
	MaxJournal   = 128 << 10
	MaxProposals = 640 << 10
	MaxTold      = 64
	// MaxTrialHours is that of a trial's time.
	MaxTrialHours = 24 * 30
	// MaxMemoryMB is that of a trial's memory: 16 TiB.
	MaxMemoryMB = 1 << 24
	// MaxTrialSteps is that of a trial's training steps.
	MaxTrialSteps = 1_000_000_000
	// MaxKeepModels is that of the models kept of a task, which a state lists.
	MaxKeepModels = 100
	// MaxSourceTrials is that of the trials of other searches that one starts from.
	MaxSourceTrials = 100_000
	// MinHistory keeps a run of a workflow longer than the trials it must drain. A high
	// MaxHistory leaves the decision to the server.
	MinHistory = 100
	MaxHistory = 1_000_000
)

// Running is what a search, and each of an experiment's run, is run with.
type Running struct {
	Lag, Parallel, CheckpointEvery, TrialSteps, MemoryLimitMB, KeepModels, HistoryLimit int
}

// Problem is what is wrong with a field.
type Problem struct{ Field, Text string }

func (p Problem) Error() string { return p.Text }

// Problems lists all that is wrong, each a Problem.
func (r Running) Problems() (wrong []error) {
	bad := func(field, format string, args ...any) {
		wrong = append(wrong, Problem{field, fmt.Sprintf(format, args...)})
	}
	between := func(field string, n, least, most int, why string) {
		if n < least || n > most {
			bad(field, "%q is %d: it must lie between %d and %d%s", field, n, least, most, why)
		}
	}
	between("lag", r.Lag, 1, MaxLag, " (1 is fully sequential; a Temporal server takes 2,000 steps of one workflow at a time)")
	if r.Parallel < 0 || r.Parallel > max(r.Lag, 1) {
		bad("parallel", `"parallel" is %d: it must lie between 1 and "lag" (%d), or be absent`, r.Parallel, r.Lag)
	}
	between("checkpoint_every", r.CheckpointEvery, 1, MaxCheckpointEvery, "")
	between("trial_steps", r.TrialSteps, 0, MaxTrialSteps, " (0 is no limit)")
	between("memory_limit_mb", r.MemoryLimitMB, 1, MaxMemoryMB, "")
	between("keep_models", r.KeepModels, 0, MaxKeepModels, "")
	between("history_limit", r.HistoryLimit, MinHistory, MaxHistory, "")
	return wrong
}

// Names lists what is wrong with the names of a list. A name is what people read and
// type: one line.
func Names(field string, names []string) (wrong []error) {
	const most = MaxTasks
	if len(names) > most {
		return []error{fmt.Errorf("%q has %d names, at most %d are possible", field, len(names), most)}
	}
	seen := map[string]bool{}
	for i, name := range names {
		switch err := Name(fmt.Sprintf("%q[%d]", field, i), name); {
		case err != nil:
			wrong = append(wrong, err)
		case seen[name]:
			wrong = append(wrong, fmt.Errorf("%q: %q is named twice", field, name))
		}
		seen[name] = true
	}
	return wrong
}

// Name says what is wrong with a name; what says where it stands.
func Name(what, name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%s is an empty name", what)
	case len(name) > MaxName:
		return fmt.Errorf("%s has %d bytes, at most %d are possible: %s", what, len(name), MaxName, strconv.Quote(Cut(name, 40)))
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("%s is %q: it must be text in one line", what, name)
	}
	return nil
}

// ID says what is wrong with a name that is a workflow's ID too: a server takes
// others, but the workflow then never runs, as workers send the ID in a header.
func ID(id string) error {
	if strings.ContainsFunc(id, func(r rune) bool { return r < ' ' || r > '~' }) {
		return fmt.Errorf("the workflow ID %q: use ASCII letters, digits and punctuation", id)
	}
	return nil
}
