package strategy

import (
	"encoding/json"
	"slices"
	"strings"
)

// Setting is one of a strategy's, with its default.
type Setting struct {
	// Path is its name with its section's before it, e.g. "controller.hidden".
	Path string `json:"path"`
	// Type is string, boolean, number, list, object or null.
	Type    string          `json:"type"`
	Default json.RawMessage `json:"default"`
}

// Schema lists the settings by path: what is known of them without a document
// of its own, since Defaults holds them all.
func (d *Definition) Schema() []Setting {
	out := flatten(nil, "", d.Defaults)
	slices.SortFunc(out, func(a, b Setting) int { return strings.Compare(a.Path, b.Path) })
	return out
}

func flatten(out []Setting, path string, value json.RawMessage) []Setting {
	var fields map[string]json.RawMessage
	kind := kindOf(value)
	if kind == "object" && json.Unmarshal(value, &fields) == nil && len(fields) > 0 {
		for name, v := range fields {
			out = flatten(out, strings.TrimPrefix(path+"."+name, "."), v)
		}
		return out
	}
	if path != "" {
		out = append(out, Setting{path, kind, value})
	}
	return out
}

// kindOf names the type of a JSON value, which its first byte shows.
func kindOf(value json.RawMessage) string {
	switch {
	case len(value) == 0, value[0] == 'n':
		return "null"
	case value[0] == '"':
		return "string"
	case value[0] == 't', value[0] == 'f':
		return "boolean"
	case value[0] == '[':
		return "list"
	case value[0] == '{':
		return "object"
	}
	return "number"
}
