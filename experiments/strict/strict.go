// Package strict decodes JSON that people write. encoding/json drops unknown
// fields, or stops at the first problem; here a misspelt name is never ignored,
// and everything wrong is told at once, in an order that does not vary.
package strict

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Unmarshal decodes one JSON object into the struct that v points to, over what
// it holds: absent fields, and those that are null, stay as they are. Unknown
// fields come with the known ones, which are those of the struct or the ones
// that are given; fields of a wrong type come with what they must be. Fields of
// nested structs are named by their path. A field with the tag strict:"nonzero", whose zero says that
// it is absent, is not to be given as 0; the tag may go on with what to give in its place, after a
// comma. What is right is decoded even so.
func Unmarshal(raw []byte, v any, known ...string) error {
	to := reflect.ValueOf(v).Elem()
	if len(known) == 0 {
		known = names(to.Type(), "")
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(raw, &object); errors.As(err, new(*json.UnmarshalTypeError)) {
		return fmt.Errorf("not a JSON object, but %s: give %s", short(bytes.TrimSpace(raw)), objectOf(known))
	} else if err != nil {
		return fmt.Errorf("not a JSON object: %w", err)
	}
	if object == nil {
		return errors.New("the input is null: give a JSON object")
	}
	d := decoder{}
	for _, name := range keys(object) {
		if !slices.ContainsFunc(known, func(k string) bool { return k == name || strings.HasPrefix(k, name+".") }) {
			d.unknown = append(d.unknown, name)
			delete(object, name)
		}
	}
	d.object(object, to, "")
	var errs []error
	for _, name := range d.unknown {
		errs = append(errs, fmt.Errorf("unknown field %q", name))
	}
	if len(errs) > 0 {
		if len(known) == 0 {
			known = []string{"none"}
		}
		errs = append(errs, fmt.Errorf("known fields: %s", strings.Join(known, ", ")))
	}
	return errors.Join(append(append(errs, twice(raw)...), d.wrong...)...)
}

// mostTwice bounds what is said of names that are there twice: each comes with its path.
const mostTwice = 20

// Twice reports names that an object has twice, at any depth of what is JSON, as Unmarshal
// does: for what is put together of several before it is decoded.
func Twice(raw []byte) error { return errors.Join(twice(raw)...) }

// twice says which names an object has twice, at any depth of what is JSON: encoding/json
// takes the last, and who wrote it may have meant the first.
func twice(raw []byte) (wrong []error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	var path []any // names, and places in lists; put together only of what is there twice
	var walk func()
	within := func(step any) {
		path = append(path, step)
		walk()
		path = path[:len(path)-1]
	}
	walk = func() {
		switch t, _ := d.Token(); t {
		case json.Delim('{'):
			seen := map[string]bool{}
			for d.More() {
				t, _ := d.Token()
				name, _ := t.(string)
				if seen[name] && len(wrong) < mostTwice {
					wrong = append(wrong, fmt.Errorf("the field %q is there twice", joined(append(path, name))))
				}
				seen[name] = true
				within(name)
			}
			_, _ = d.Token()
		case json.Delim('['):
			for i := 0; d.More(); i++ {
				within(i)
			}
			_, _ = d.Token()
		}
	}
	walk()
	return wrong
}

// joined writes a path as names.like[2].this.
func joined(path []any) string {
	var b strings.Builder
	for i, step := range path {
		if at, ok := step.(int); ok {
			fmt.Fprintf(&b, "[%d]", at)
			continue
		}
		if i > 0 {
			b.WriteByte('.')
		}
		fmt.Fprint(&b, step)
	}
	return b.String()
}

// keys lists an object's names in an order that does not vary.
func keys(object map[string]json.RawMessage) []string { return slices.Sorted(maps.Keys(object)) }

// decoder collects what is wrong.
type decoder struct {
	unknown []string
	wrong   []error
}

func (d *decoder) object(object map[string]json.RawMessage, to reflect.Value, path string) {
	t := to.Type()
	there := map[string]bool{}
	for i := range t.NumField() {
		name := nameOf(t.Field(i))
		if raw, ok := object[name]; ok && name != "" {
			there[name] = true
			wrong := len(d.wrong)
			d.value(raw, to.Field(i), path+name)
			rule, give, _ := strings.Cut(t.Field(i).Tag.Get("strict"), ",")
			if rule == "nonzero" && to.Field(i).IsZero() && len(d.wrong) == wrong && string(bytes.TrimSpace(raw)) != "null" {
				give = cmp.Or(give, "a number above 0")
				d.wrong = append(d.wrong, fmt.Errorf("%q is %s: leave it out, or give %s", path+name, short(raw), give))
			}
		}
	}
	for _, name := range keys(object) {
		if !there[name] {
			d.unknown = append(d.unknown, path+name)
		}
	}
}

func (d *decoder) value(raw json.RawMessage, to reflect.Value, path string) {
	raw = bytes.TrimSpace(raw)
	if string(raw) == "null" {
		return
	}
	t := to.Type()
	switch {
	case decodesItself(t):
		if err := json.Unmarshal(raw, to.Addr().Interface()); errors.As(err, new(*json.UnmarshalTypeError)) {
			d.wrong = append(d.wrong, fmt.Errorf("%q is %s: it must be %s", path, short(raw), want(t)))
		} else if err != nil {
			d.wrong = append(d.wrong, fmt.Errorf("%q: %w", path, err))
		}
		return
	case t.Kind() == reflect.Pointer:
		pointed := reflect.New(t.Elem())
		if !to.IsNil() {
			pointed.Elem().Set(to.Elem())
		}
		wrong := len(d.wrong)
		if d.value(raw, pointed.Elem(), path); len(d.wrong) == wrong {
			to.Set(pointed)
		}
		return
	case t.Kind() == reflect.Struct && raw[0] == '{':
		var object map[string]json.RawMessage
		_ = json.Unmarshal(raw, &object) // a part of what has been decoded
		d.object(object, to, path+".")
		return
	case t.Kind() == reflect.Slice && raw[0] == '[' && (t.Elem().Kind() == reflect.Struct || decodesItself(t.Elem())):
		var items []json.RawMessage
		_ = json.Unmarshal(raw, &items)
		to.Set(reflect.MakeSlice(t, len(items), len(items)))
		for i, item := range items {
			d.value(item, to.Index(i), fmt.Sprintf("%s[%d]", path, i))
		}
		return
	}
	fresh := reflect.New(t)
	j := json.NewDecoder(bytes.NewReader(raw))
	j.DisallowUnknownFields() // of structs in a map
	err := j.Decode(fresh.Interface())
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrongType):
		d.wrong = append(d.wrong, fmt.Errorf("%q is %s: it must be %s", path, short(raw), want(t)))
	case err != nil:
		d.wrong = append(d.wrong, fmt.Errorf("%q: %s", path, strings.TrimPrefix(err.Error(), "json: ")))
	default:
		to.Set(fresh.Elem())
	}
}

// decodesItself says that a type has its own reading of JSON.
func decodesItself(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]())
}

// nameOf is a field's name in JSON, empty for one that JSON does not see.
func nameOf(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	switch {
	case name == "-" || !f.IsExported():
		return ""
	case name == "":
		return f.Name
	}
	return name
}

// names lists a struct's fields in their order, those of nested structs by
// their paths.
func names(t reflect.Type, path string) []string {
	var out []string
	for i := range t.NumField() {
		f := t.Field(i)
		name, inner := nameOf(f), f.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		switch {
		case name == "":
		case inner.Kind() == reflect.Struct && !decodesItself(inner):
			out = append(out, names(inner, path+name+".")...)
		default:
			out = append(out, path+name)
		}
	}
	return out
}

func short(b []byte) string {
	const most = 40
	if len(b) > most {
		return strings.ToValidUTF8(string(b[:most]), "") + "…"
	}
	return string(b)
}

// want says in words what a field of a type must be.
func want(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a text"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "a whole number"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number, not negative"
	case reflect.Slice, reflect.Array:
		return "a list of " + plural(t.Elem())
	case reflect.Map:
		return "an object of " + plural(t.Elem())
	case reflect.Struct:
		return objectOf(names(t, ""))
	case reflect.Pointer:
		return want(t.Elem())
	}
	return "an object"
}

// objectOf is an object in words, with the fields that it may have.
func objectOf(fields []string) string {
	if len(fields) == 0 {
		return "an object"
	}
	return fmt.Sprintf("an object with any of the fields %s", strings.Join(fields, ", "))
}

func plural(t reflect.Type) string {
	switch words := want(t); words {
	case "a text":
		return "words"
	case "a number":
		return "numbers"
	case "a whole number", "a whole number, not negative":
		return "whole numbers"
	case "true or false":
		return "truth values"
	}
	return "objects"
}
