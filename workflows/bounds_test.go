package workflows_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"tnaml/activities"
	"tnaml/activities/store"
	"tnaml/experiments/limit"
	"tnaml/experiments/search"
	"tnaml/experiments/trainer"
	"tnaml/workflows"
)

// What a search carries over continue-as-new fits into a message, for which the server allows 2 MB,
// with all that is bounded at its bound; so does what it returns.
func TestSearchAtItsBoundsFitsInAMessage(t *testing.T) {
	const server, others = 2 << 20, 64 << 10
	ref := store.RefOf([]byte("x"))
	text := func(n int) string { return strings.Repeat("x", n) }
	raw := func(n int) json.RawMessage { return json.RawMessage(`{"a":"` + text(n-8) + `"}`) }
	row := func(n int) activities.Row {
		return activities.Row{Trial: search.Trial{Trial: n, Task: 199, Actions: make([]int, 13), Status: trainer.OK, Reward: 1.0 / 3,
			Validation: 1.0 / 3, Test: 1.0 / 3, Metrics: map[string]float64{"validation_accuracy": 1.0 / 3, "test_accuracy": 1.0 / 3},
			Model: string(ref), Examples: string(ref)},
			Cost:    search.Cost{Trial: n, CPUSeconds: 10.0 / 3, WallSeconds: 10.0 / 3, InstructionSet: "avx512", Worker: text(60)},
			Summary: text(120)}
	}
	var s workflows.SearchState
	best := map[int][]activities.Best{}
	s.Resolved.Objects = map[string]string{}
	for i := range limit.MaxTasks {
		name := fmt.Sprintf("%03d%s", i, text(limit.MaxName-3))
		s.Spec.Tasks = append(s.Spec.Tasks, name)
		s.Spec.Modules = append(s.Spec.Modules, name)
		s.Resolved.Tasks = append(s.Resolved.Tasks, trainer.Task{Name: name, Kind: "external", Data: string(ref),
			Parameters: raw(limit.MaxParameters / limit.MaxTasks)})
		s.Resolved.Objects[name] = string(ref)
		for range search.TopN {
			best[i] = activities.Insert(best[i], row(limit.MaxTrials))
		}
	}
	s.Resolved.Begun = &activities.Begun{Best: best, Spec: raw(workflows.MaxSettings)}
	size := func(v any) int {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return len(b)
	}
	if n := size(s.Resolved); n > server-others {
		t.Errorf("a resolved search has %d bytes", n)
	}
	s.Resolved.Begun, s.Best = nil, best
	s.Resolved.Settings, s.Spec.Settings = raw(workflows.MaxSettings), raw(workflows.MaxSettings)
	s.Position = activities.Position{Ledger: ref, State: ref, Costs: ref, Digest: string(ref)}
	for n := 0; s.Position.JournalBytes < limit.MaxJournal; n++ {
		r := row(n)
		s.Position.Journal = append(s.Position.Journal, r)
		s.Position.JournalBytes += size(r.Trial)
	}
	waiting, at := 0, time.Date(2026, 1, 1, 0, 0, 0, 123456789, time.UTC)
	for n := 0; waiting < workflows.MaxWaiting; n++ {
		r := row(n)
		s.Results = append(s.Results, r)
		waiting += size(r)
	}
	proposals := 0
	s.Asked = map[int]time.Time{}
	for n := 0; proposals < limit.MaxProposals; n++ {
		p := search.Proposal{Trial: n, Actions: make([]int, 13), Summary: text(500)}
		s.Pending = append(s.Pending, p)
		proposals += size(p)
		if n < limit.MaxLag {
			s.Asked[n] = at
		}
	}
	s.Reason, s.Refused = text(limit.MaxReason), text(limit.MaxReason)
	s.Started = at
	if n := size(s); n > server-others {
		t.Errorf("a state has %d bytes: resolved %d, spec %d, best %d, position %d, pending %d, results %d, asked %d", n, size(s.Resolved),
			size(s.Spec), size(s.Best), size(s.Position), size(s.Pending), size(s.Results), size(s.Asked))
	}
	var result workflows.SearchResult
	for i, task := range s.Spec.Tasks {
		for _, b := range best[i] {
			result.Best = append(result.Best, workflows.Best{Task: task, Best: b})
		}
	}
	if n := size(result); n > server-others {
		t.Errorf("a result has %d bytes", n)
	}
}
