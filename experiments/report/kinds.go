package report

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// named gives each search words for what kind of search it is: the strategy, and what
// sets it apart from the others of that strategy on the page. Searches of equal words
// are repetitions: all but seed and tasks are equal.
func named(searches []Search) ([]Search, error) {
	out := slices.Clone(searches)
	identities := make([]map[string]string, len(out))
	alike := map[string][]int{}
	for i := range out {
		s := &out[i]
		if s.Strategy == "" {
			if s.Strategy = s.Config.Strategy; s.Config.Controller != "" {
				s.Strategy += ", transferred"
			}
		}
		var err error
		if identities[i], err = identity(s); err != nil {
			return nil, fmt.Errorf("search %q: its configuration: %w", s.Name, err)
		}
		alike[s.Strategy] = append(alike[s.Strategy], i)
	}
	for _, group := range alike {
		differ := map[string]bool{}
		for _, i := range group {
			for _, k := range group {
				for path, v := range identities[i] {
					if w, ok := identities[k][path]; !ok || w != v {
						differ[path] = true
					}
				}
			}
		}
		for _, i := range group {
			for _, path := range slices.Sorted(maps.Keys(differ)) {
				if v, ok := identities[i][path]; ok {
					out[i].Strategy += ", " + label(path) + " " + v
				}
			}
		}
	}
	return out, nil
}

// identity is what makes a search what it is, but for its seed and its tasks: values
// by the path of their names.
func identity(s *Search) (map[string]string, error) {
	c := &s.Config
	out := map[string]string{"space": c.Space.Name, "lag": fmt.Sprint(c.Lag), "trainer": c.Space.TrainerName()}
	if c.Controller != "" {
		out["from"] = short(c.Controller)
	}
	if c.Sources != "" { // which trials these are follows from the task, too
		out["sources"] = "yes"
	}
	if c.Fork != nil {
		out["forked after"] = fmt.Sprint(c.Fork.Trials)
	}
	if len(c.Space.Choices) > 0 {
		out["space"] += " " + short(c.Space.Digest())
	}
	for _, m := range c.Modules {
		out["module "+m.Name] = short(m.Data)
	}
	bounds := map[string]map[string]any{}
	for _, b := range c.Space.Constraints {
		if bounds[b.Metric] == nil {
			bounds[b.Metric] = map[string]any{}
		}
		if b.Min != nil {
			bounds[b.Metric]["min"] = *b.Min
		}
		if b.Max != nil {
			bounds[b.Metric]["max"] = *b.Max
		}
	}
	for name, part := range map[string]any{"objective": c.Space.Objective, "constraint": bounds, "pruner": c.Pruner,
		"trainer": c.Space.Settings, "": c.Settings} {
		b, err := json.Marshal(part)
		if err != nil {
			return nil, err
		}
		var v any
		if err := json.Unmarshal(b, &v); err != nil {
			return nil, err
		}
		if v != nil {
			flatten(out, strings.Fields(name), v)
		}
	}
	return out, nil
}

// flatten puts the leaves of a JSON value into a map.
func flatten(to map[string]string, path []string, v any) {
	fields, ok := v.(map[string]any)
	if !ok {
		to[strings.Join(path, ".")] = fmt.Sprint(v)
		return
	}
	for name, v := range fields {
		flatten(to, append(slices.Clone(path), name), v)
	}
}

// short is as much of a digest as people compare.
func short(digest string) string {
	digest = strings.TrimPrefix(digest, "sha256:")
	return digest[:min(len(digest), 8)]
}
