package strategy

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
)

// CheckFork refuses settings for a search that goes on from one with old settings, both
// in canonical form, where they ask for another start: what came of the old one is in the
// state, and what they say would have no effect. All such settings are named.
func (d *Definition) CheckFork(old, now json.RawMessage) error {
	if changed := d.ofStart(old, now); len(changed) > 0 {
		return fmt.Errorf("only a search's start reads %s: leave that as it was, or start a new search", strings.Join(changed, ", "))
	}
	return nil
}

func (d *Definition) ofStart(old, now json.RawMessage) []string {
	if d.OfStart == nil {
		return nil
	}
	return d.OfStart(old, now)
}

// onlyAtStart is OfStart for settings of which no change is taken: those of the paths, and
// what is in a section that is one of them.
func onlyAtStart(paths ...string) func(old, now json.RawMessage) []string {
	return func(old, now json.RawMessage) (changed []string) {
		was, is := Definition{Defaults: old}, Definition{Defaults: now}
		values := map[string]string{}
		for _, s := range was.Schema() {
			values[s.Path] = string(s.Default)
		}
		for _, s := range is.Schema() {
			for _, path := range paths {
				if at := values[s.Path]; (s.Path == path || strings.HasPrefix(s.Path, path+".")) && at != string(s.Default) {
					changed = append(changed, startsWith(s.Path, cmp.Or(at, "none"), string(s.Default)))
				}
			}
		}
		return changed
	}
}

// startsWith says of a setting what it was and what it was to be.
func startsWith(path string, was, is any) string {
	return fmt.Sprintf("%q, which was %v and is to be %v", path, was, is)
}

// ofStart is what another nested strategy's settings ask for anew, under a path. A strategy
// that is another one finds no state of its own.
func (n Nested) ofStart(path string, now Nested) (changed []string) {
	d, err := nestable().Find(n.Strategy)
	if err != nil || n.Strategy != now.Strategy {
		return nil
	}
	for _, c := range d.ofStart(n.Settings, now.Settings) {
		changed = append(changed, `"`+path+".settings."+strings.TrimPrefix(c, `"`))
	}
	return changed
}

// decoded are settings in canonical form.
func decoded[T any](raw json.RawMessage) (settings T) {
	_ = json.Unmarshal(raw, &settings)
	return settings
}

// Spoken writes out, in the sections of settings as they were given, the preset's and the
// methods and strategies that these leave to the defaults, by their canonical form: what
// goes over them and names the same is over the same then (Overlay).
func (d *Definition) Spoken(given, canonical json.RawMessage) (json.RawMessage, error) {
	given, err := d.overPreset(given)
	if err != nil {
		return nil, err
	}
	own, err := object(given)
	if err != nil {
		return nil, err
	}
	all, err := object(canonical)
	if err != nil || len(own) == 0 {
		return given, err
	}
	return spoken(own, all)
}

func spoken(own, all map[string]json.RawMessage) (json.RawMessage, error) {
	for name, value := range own {
		mine, whole := section(name, value), section(name, all[name])
		if mine == nil || whole == nil || mine["preset"] != nil { // which may name them
			continue
		}
		for _, kind := range kinds {
			if mine[kind] == nil && whole[kind] != nil {
				mine[kind] = whole[kind]
			}
		}
		written, err := spoken(mine, whole)
		if err != nil {
			return nil, err
		}
		own[name] = written
	}
	return json.Marshal(own)
}
