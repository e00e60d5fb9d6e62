package trainer

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"tnaml/experiments/space"
)

// The examples of FORMAT.md are what they say.
func TestFormatExamples(t *testing.T) {
	b, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	objective := space.Objective{Metric: "rmse", Direction: space.Minimise}
	// withCost is an outcome with what may stand beside it.
	type withCost struct {
		Outcome
		Cost struct {
			CPUSeconds  float64 `json:"cpu_seconds"`
			WallSeconds float64 `json:"wall_seconds"`
			Worker      string  `json:"worker"`
		} `json:"cost"`
	}
	strict := func(example string, v any) {
		t.Helper()
		d := json.NewDecoder(strings.NewReader(example))
		d.DisallowUnknownFields()
		if err := d.Decode(v); err != nil || d.More() {
			t.Errorf("%v\n%s", err, example)
		}
	}
	seen := map[string]int{}
	var spaces []*space.Space
	var request Request
	example := regexp.MustCompile("(?s)```(json|yaml)\n(.*?)```")
	for _, part := range strings.Split(string(b), "\n## ")[1:] {
		title := strings.SplitN(part, "\n", 2)[0]
		for _, m := range example.FindAllStringSubmatch(part, -1) {
			seen[title]++
			switch title {
			case "Space":
				sp, err := Load([]byte(m[2]))
				if err != nil {
					t.Fatal(err)
				}
				spaces = append(spaces, sp)
				if m[1] == "json" {
					strict(m[2], &space.Space{})
				}
			case "Request":
				strict(m[2], &request)
			case "Progress":
				strict(m[2], &Progress{})
			case "Outcome":
				var o withCost
				strict(m[2], &o)
				got := DecodeOutcome([]byte(m[2]), objective)
				if encoded, want := mustJSON(t, got), mustJSON(t, o.Outcome); !bytes.Equal(encoded, want) {
					t.Errorf("%s\n%s", encoded, want)
				}
				if value, test, tested := Values(got.Metrics, objective); got.Status == OK && (value != .3981 || tested != (test == .4107)) {
					t.Errorf("%v, %v, %v", value, test, tested)
				}
			default:
				t.Errorf("an example in %q", title)
			}
		}
	}
	if seen["Space"] != 2 || seen["Request"] != 1 || seen["Progress"] != 1 || seen["Outcome"] != 4 {
		t.Fatalf("examples: %v", seen)
	}
	sp := spaces[0]
	if _, err := sp.Actions(request.Choices); err != nil {
		t.Errorf("the request is not of the space: %v", err)
	}
	filled, err := Find(sp.TrainerName()).Fill(sp, request.Task.Kind, nil)
	if err != nil {
		t.Fatal(err)
	}
	var settings, want map[string]any
	if json.Unmarshal(request.Settings, &settings) != nil || json.Unmarshal(filled.Settings, &want) != nil ||
		settings["sample"] != want["sample"] {
		t.Errorf("settings %s and %s", request.Settings, filled.Settings)
	}
	if request.Objective != filled.Objective || request.Objective != objective {
		t.Errorf("objective %+v and %+v", request.Objective, filled.Objective)
	}
	for _, s := range Statuses() {
		if !strings.Contains(string(b), "| `"+string(s)+"` |") {
			t.Errorf("the status %s is not explained", s)
		}
	}
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
