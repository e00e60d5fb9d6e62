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
	out := map[string]string{"space": s.Config.Space.Name, "lag": fmt.Sprint(s.Config.Lag)}
	if s.Config.Controller != "" {
		out["from"] = short(s.Config.Controller)
	}
	if len(s.Config.Space.Choices) > 0 {
		out["space"] += " " + short(s.Config.Space.Digest())
	}
	for _, m := range s.Config.Modules {
		out["module "+m.Name] = short(m.Data)
	}
	if len(s.Config.Settings) == 0 {
		return out, nil
	}
	var settings any
	if err := json.Unmarshal(s.Config.Settings, &settings); err != nil {
		return nil, err
	}
	flatten(out, nil, settings)
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
