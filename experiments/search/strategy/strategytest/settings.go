package strategytest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"tnaml/experiments/search/strategy"
	"tnaml/experiments/space"
)

func identity(t testing.TB, s subject) {
	sp := space.Space{Name: "x", Trainer: s.Name, Choices: []space.Choice{{Name: "c", Options: []any{"o"}}}}
	if problems := sp.Validate(); s.Name == "" || len(problems) > 0 {
		t.Errorf("%q is no name: %v", s.Name, problems)
	}
	if s.Doc == "" || strings.Contains(s.Doc, "\n") {
		t.Errorf("%q does not say in one line what the strategy does", s.Doc)
	}
	if s.Settings == nil || s.New == nil {
		t.Error("the row lacks Settings or New")
	}
	if s.Continues && !s.FromController {
		t.Error("it goes on from a controller and takes none")
	}
}

// own are the settings to start with in the suite's spaces, the controller's own
// and none.
func (s subject) own() []json.RawMessage {
	var out []json.RawMessage
	if !s.NeedsSettings {
		out = append(out, nil, json.RawMessage("null"), json.RawMessage("{}"), json.RawMessage(" { } "))
	}
	for _, sp := range Spaces() {
		out = append(out, s.SettingsIn(sp))
	}
	return out
}

func canonical(t testing.TB, s subject) {
	for _, raw := range s.own() {
		once, err := s.Canonical(raw, nil)
		if err != nil {
			t.Errorf("settings %s: %v", raw, err)
			continue
		}
		if !json.Valid(once) || !strings.HasPrefix(string(once), "{") {
			t.Errorf("settings %s: the canonical form is no object: %s", raw, once)
		}
		s.fixedPoint(t, once)
	}
	if s.NeedsSettings {
		if _, err := s.Canonical(nil, nil); err == nil {
			t.Error("it needs settings and starts without")
		}
		return
	}
	none, _ := s.Canonical(nil, nil)
	for _, raw := range []string{"null", "{}", " {} ", `"default"`, `{"preset":"default"}`} {
		if got, err := s.Canonical(json.RawMessage(raw), nil); err != nil || string(got) != string(none) {
			t.Errorf("%s is %s (%v), nothing is %s", raw, got, err, none)
		}
	}
}

// fixedPoint checks that settings are in canonical form: written with fields in
// another order and with spaces they are the same.
func (s subject) fixedPoint(t testing.TB, settings json.RawMessage) {
	t.Helper()
	var loose map[string]any
	if err := json.Unmarshal(settings, &loose); err != nil {
		t.Error(err)
		return
	}
	spaced, err := json.MarshalIndent(loose, " ", "\t")
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range []json.RawMessage{settings, spaced} {
		if got, err := s.Canonical(raw, nil); err != nil || string(got) != string(settings) {
			t.Errorf("the canonical form is no fixed point: %s gives %s (%v)", settings, got, err)
		}
	}
}

func refuses(t testing.TB, s subject) {
	known := s.sections()
	for raw, wants := range map[string][]string{
		`{"no_such_setting":1}`: append([]string{"no_such_setting"}, known...),
		`{"preset":"no_such_preset"}`: append([]string{"no_such_preset", strategy.DefaultPreset},
			s.presetNames()...),
		`"no_such_preset"`: append([]string{"no_such_preset", strategy.DefaultPreset}, s.presetNames()...),
		`{"preset":1}`:     {"preset"},
		`[]`:               {""},
		`7`:                {""},
		`{`:                {""},
		`{} {}`:            {""},
	} {
		got, err := s.Canonical(json.RawMessage(raw), nil)
		if err == nil {
			t.Errorf("settings %s are taken as %s", raw, got)
			continue
		}
		for _, want := range wants {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("settings %s: %q is not in: %v", raw, want, err)
			}
		}
	}
}

// sections are the names at the top of the settings.
func (s subject) sections() (out []string) {
	var fields map[string]any
	if json.Unmarshal(s.Defaults, &fields) == nil {
		for name := range fields {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func (s subject) presetNames() (out []string) {
	for _, p := range s.Presets {
		out = append(out, p.Name)
	}
	return out
}

func presets(t testing.TB, s subject) {
	seen := map[string]bool{strategy.DefaultPreset: true}
	for _, p := range s.Presets {
		if p.Name == "" || p.Doc == "" || seen[p.Name] {
			t.Errorf("the preset %q has no name or no doc, or its name is another's", p.Name)
		}
		seen[p.Name] = true
		want, err := s.Canonical(p.Settings, nil)
		if err != nil {
			t.Errorf("preset %s: %v", p.Name, err)
			continue
		}
		s.fixedPoint(t, want)
		for _, raw := range []string{fmt.Sprintf("%q", p.Name), fmt.Sprintf(`{"preset":%q}`, p.Name)} {
			if got, err := s.Canonical(json.RawMessage(raw), nil); err != nil || string(got) != string(want) {
				t.Errorf("%s gives %s (%v), its settings give %s", raw, got, err, want)
			}
		}
		// What is written beside a preset's name wins: all defaults written out leave
		// nothing of it.
		var over map[string]json.RawMessage
		if err := json.Unmarshal(s.Defaults, &over); err != nil {
			t.Error(err)
			continue
		}
		over["preset"] = json.RawMessage(fmt.Sprintf("%q", p.Name))
		b, err := json.Marshal(over)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Canonical(b, nil); !s.NeedsSettings && (err != nil || string(got) != string(s.Defaults)) {
			t.Errorf("the defaults over the preset %s give %s (%v)", p.Name, got, err)
		}
	}
}

func defaults(t testing.TB, s subject) {
	var fields map[string]any
	if err := json.Unmarshal(s.Defaults, &fields); err != nil || fields == nil {
		t.Errorf("the defaults are no object: %s (%v)", s.Defaults, err)
		return
	}
	if s.NeedsSettings {
		return // they show the fields alone
	}
	s.fixedPoint(t, s.Defaults)
	if got, err := s.Canonical(nil, nil); err != nil || string(got) != string(s.Defaults) {
		t.Errorf("nothing gives %s (%v), the defaults are %s", got, err, s.Defaults)
	}
}

func fromController(t testing.TB, s subject) {
	if !s.FromController {
		from := controller(t)
		if _, err := s.Canonical(s.SettingsIn(ControllerSpace()), from); err == nil {
			t.Error("a controller is taken by a strategy that starts from none")
		}
		return
	}
	settings, err := s.Canonical(nil, s.Controller)
	if err != nil {
		t.Errorf("settings from a controller: %v", err)
		return
	}
	s.fixedPoint(t, settings) // a restored search has them without the controller
	if got, err := s.Canonical(settings, s.Controller); err != nil || string(got) != string(settings) {
		t.Errorf("settings from a controller are no fixed point: %s gives %s (%v)", settings, got, err)
	}
}
