package strategy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// strict decodes one JSON object without unknown fields.
func strict(raw []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		message := strings.TrimPrefix(err.Error(), "json: ")
		if strings.Contains(message, "unknown field") {
			return fmt.Errorf("%s (known: %s)", message, strings.Join(fields(reflect.TypeOf(v).Elem(), ""), ", "))
		}
		return errors.New(message)
	}
	if d.More() {
		return errors.New("text after the settings' JSON object")
	}
	return nil
}

// fields lists the JSON paths of a struct, nested ones with dots.
func fields(t reflect.Type, prefix string) []string {
	var out []string
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || !f.IsExported() {
			continue
		}
		if name == "" {
			name = f.Name
		}
		if f.Type.Kind() == reflect.Struct {
			out = append(out, fields(f.Type, prefix+name+".")...)
		} else {
			out = append(out, prefix+name)
		}
	}
	if len(out) == 0 {
		return []string{"none"}
	}
	slices.Sort(out)
	return out
}
