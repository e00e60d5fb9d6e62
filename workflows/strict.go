package workflows

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.temporal.io/sdk/workflow"
)

// strictUnmarshal decodes one JSON object into the struct that v points to,
// leaving absent fields as they are. The SDK's own converter drops unknown
// fields silently, so that a misspelt switch would run the wrong experiment:
// here they are refused, all together, with the list of the known ones.
func strictUnmarshal(raw []byte, v any) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return fmt.Errorf("not a JSON object: %w", err)
	}
	if fields == nil {
		return errors.New(`the input is null: give a JSON object`)
	}
	known := jsonFields(reflect.TypeOf(v).Elem())
	var errs []error
	for _, name := range workflow.DeterministicKeys(fields) {
		if !slices.Contains(known, name) {
			errs = append(errs, fmt.Errorf("unknown field %q", name))
		}
	}
	if len(errs) > 0 {
		errs = append(errs, fmt.Errorf("known fields: %s", strings.Join(known, ", ")))
		return errors.Join(errs...)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		var typeErr *json.UnmarshalTypeError
		if errors.As(err, &typeErr) {
			return fmt.Errorf("field %q holds a %s, want %s", typeErr.Field, typeErr.Value, typeErr.Type)
		}
		return err
	}
	return nil
}

// jsonFields lists a struct's JSON field names in their order.
func jsonFields(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}
