package trainertest

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// maxWords bounds a model's description, in bytes: it stands in the first column
// of tables and in summaries of the Temporal UI.
const maxWords = 300

func identity(t testing.TB, s subject) {
	sp := space.Space{Name: "x", Trainer: s.Name(), Choices: []space.Choice{{Name: "c", Options: []any{"o"}}}}
	if problems := sp.Validate(); s.Name() == "" || len(problems) > 0 {
		t.Errorf("%q is no trainer's name: %v", s.Name(), problems)
	}
	if s.Name() != s.Space.TrainerName() {
		t.Errorf("the trainer is %q, the space is for %q", s.Name(), s.Space.TrainerName())
	}
	version := s.Version()
	if version == "" || len(version) > 200 || strings.ContainsFunc(version, unicode.IsControl) || !utf8.ValidString(version) {
		t.Errorf("the version %q must have 1 to 200 bytes of text", version)
	}
	for range 3 {
		if again := s.Version(); again != version {
			t.Errorf("the version was %q and is %q", version, again)
		}
	}
}

func takesSpace(t testing.TB, s subject) {
	if !s.Takes(s.Request.Task.Kind) {
		t.Errorf("tasks of the kind %q are not taken", s.Request.Task.Kind)
	}
	before := literal(t, s.Space)
	if err := s.Space.Join(slices.Concat(s.Space.Validate(), s.Check(s.Space))); err != nil {
		t.Error(err)
	}
	s.Check(&space.Space{})
	s.Check(&space.Space{Choices: make([]space.Choice, 3), Settings: []byte("nonsense")})
	if after := literal(t, s.Space); after != before {
		t.Errorf("Check changed the space:\n%s\n%s", before, after)
	}
	if len(s.Metrics()) > 0 {
		other := *s.Space
		other.Objective.Metric = "no_such_metric"
		if len(s.Check(&other)) == 0 {
			t.Error("an objective was taken that is not among the metrics")
		}
	}
}

func fills(t testing.TB, s subject) {
	before := literal(t, s.Space)
	sp := s.filled(t)
	if after := literal(t, s.Space); after != before {
		t.Errorf("Fill changed the space it was given:\n%s\n%s", before, after)
	}
	if err := sp.Join(slices.Concat(sp.Validate(), s.Check(&sp))); err != nil {
		t.Errorf("the filled space: %v", err)
	}
	if sp.Objective.Metric == "" || sp.Objective.Direction == "" {
		t.Errorf("the objective is not filled in: %+v", sp.Objective)
	}
	again, err := s.Fill(&sp, s.Request.Task.Kind, s.Catalogue)
	if err != nil {
		t.Fatalf("the filled space filled again: %v", err)
	}
	once := literal(t, sp)
	if twice := literal(t, again); twice != once {
		t.Errorf("filled again, it is another space:\n%s\n%s", once, twice)
	}
	// What is done to the copy must not reach the original.
	for i := range sp.Choices {
		for k := range sp.Choices[i].Options {
			sp.Choices[i].Options[k] = "scribble"
		}
		sp.Choices[i].Name = "scribble"
	}
	for i := range sp.Settings {
		sp.Settings[i] = '?'
	}
	if after := literal(t, s.Space); after != before {
		t.Errorf("the filled space shares its parts with the one it was made of:\n%s\n%s", before, after)
	}
	options := map[any]bool{}
	for _, c := range again.Choices {
		for _, o := range c.Options {
			options[o] = true
		}
	}
	for _, name := range s.Modules(&again) {
		if !options[name] {
			t.Errorf("the module %q is not among the options", name)
		}
	}
	if _, err := again.Actions(s.Request.Choices); err != nil {
		t.Errorf("the fixture's request is not of its space: %v", err)
	}
}

func metrics(t testing.TB, s subject) {
	list := s.Metrics()
	for i, m := range list {
		if m.Name == "" || len(m.Name) > space.MaxName || strings.ContainsFunc(m.Name, unicode.IsSpace) {
			t.Errorf("%q is no metric's name", m.Name)
		}
		if m.Direction != space.Maximise && m.Direction != space.Minimise {
			t.Errorf("the metric %s has the direction %q", m.Name, m.Direction)
		}
		if slices.ContainsFunc(list[:i], func(o trainer.Metric) bool { return o.Name == m.Name }) {
			t.Errorf("the metric %s is listed twice", m.Name)
		}
	}
	if !reflect.DeepEqual(list, s.Metrics()) {
		t.Error("the metrics change from call to call")
	}
}

func describes(t testing.TB, s subject) {
	choices := clone(s.Request).Choices
	words := s.Words(choices)
	if words == "" || len(words) > maxWords || strings.ContainsFunc(words, unicode.IsControl) || !utf8.ValidString(words) {
		t.Errorf("%q must be one line of 1 to %d bytes", words, maxWords)
	}
	for range 5 { // the order of a map must not show
		if again := s.Words(choices); again != words {
			t.Errorf("one model is %q and %q", words, again)
		}
	}
	if !reflect.DeepEqual(choices, s.Request.Choices) {
		t.Error("Words changed the choices")
	}
	s.Words(nil)
	s.Words(map[string]any{"no such choice": []any{1}})
}
