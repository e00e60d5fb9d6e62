// Package external is the kind of tasks whose data stay with their team: a name, and
// parameters that their trainer understands. A file or folder may be attached, as an
// object beside the task.
package external

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"unicode/utf8"

	"tnaml/experiments/data"
	"tnaml/nn/safetensors"
)

// Bounds of a task.
const (
	// MaxParameters is that of its parameters, in bytes of canonical JSON: they are in
	// every trial's request.
	MaxParameters  = 16 << 10
	maxDescription = 2000
	maxDepth       = 100 // of values in values
)

// Spec is what people say of an external task.
type Spec struct {
	// Parameters are a JSON object, or nothing.
	Parameters json.RawMessage
	// Description is for people.
	Description string
	// Attached is the object beside the task, nil where there is none.
	Attached *data.Attached
}

// Task is an external task.
type Task struct {
	Name string
	Card data.Card
}

// Build makes a task. What is wrong is reported all together.
func Build(s Spec, o data.Options) (*Task, error) {
	p := new(data.Problems)
	o, err := o.Unsplit()
	if err != nil {
		p.Fail(err)
	}
	parameters, err := Canonical(s.Parameters)
	if err != nil {
		p.Fail(err)
	}
	if len(s.Description) > maxDescription || !utf8.ValidString(s.Description) {
		p.Add("the description has %d bytes, it must be text of at most %d", len(s.Description), maxDescription)
	}
	if a := s.Attached; a != nil && a.Ref == "" {
		p.Add("what is attached has no reference")
	}
	if err := p.Err("task " + o.Name); err != nil {
		return nil, err
	}
	about := &data.ExternalCard{Description: s.Description, Parameters: parameters, Attached: s.Attached}
	return &Task{o.Name, data.Card{External: about, Options: o}}, nil
}

// CardOf is what a search knows of a task whose name has gone, or is another one's.
func CardOf(name string, parameters json.RawMessage) (*data.Card, error) {
	t, err := Build(Spec{Parameters: parameters}, data.Options{Name: name})
	if err != nil {
		return nil, err
	}
	return &t.Card, nil
}

// Canonical is a JSON object in the one form that equal ones have: names sorted,
// without white space, numbers as they were written. The empty object, and nothing,
// are nothing. It is what encoding/json makes of itself again, so that it stays as it
// is wherever it is passed on.
func Canonical(raw json.RawMessage) (json.RawMessage, error) {
	raw = bytes.TrimPrefix(raw, []byte("\ufeff")) // a byte order mark
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, nil
	}
	if len(raw) > 4*MaxParameters {
		return nil, tooLong(len(raw))
	}
	if !utf8.Valid(raw) {
		return nil, errors.New("the parameters are not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	v, err := value(d, 0)
	if err == nil {
		if _, end := d.Token(); end != io.EOF {
			err = errors.New("something follows the object")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("the parameters are no JSON object: %w", err)
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New(`the parameters are no JSON object, such as {"table": "sales", "fold": 3}`)
	}
	if len(object) == 0 {
		return nil, nil
	}
	out, err := json.Marshal(object)
	if err != nil {
		return nil, fmt.Errorf("the parameters: %w", err)
	}
	if len(out) > MaxParameters {
		return nil, tooLong(len(out))
	}
	return out, nil
}

func tooLong(n int) error {
	return fmt.Errorf("the parameters have %d bytes, more than %d: attach a file for what is longer", n, MaxParameters)
}

// value reads a value of which no object has a name twice, and numbers are such as
// other languages can read.
func value(d *json.Decoder, depth int) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, noEnd(err)
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("values lie more than %d deep", maxDepth)
	}
	switch token {
	case json.Delim('{'):
		object := map[string]any{}
		for d.More() {
			name, err := d.Token()
			if err != nil {
				return nil, noEnd(err)
			}
			key := name.(string) // or the decoder had refused it
			if _, twice := object[key]; twice {
				return nil, fmt.Errorf("the name %q is there twice", key)
			}
			if object[key], err = value(d, depth+1); err != nil {
				return nil, err
			}
		}
		_, err := d.Token()
		return object, noEnd(err)
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := value(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := d.Token()
		return list, noEnd(err)
	}
	if n, ok := token.(json.Number); ok {
		if f, err := strconv.ParseFloat(n.String(), 64); err != nil || math.IsInf(f, 0) {
			return nil, fmt.Errorf("the number %s is too large", n)
		}
	}
	return token, nil
}

// noEnd says what the end of the text in the middle of a value means.
func noEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// container is the container kind of an encoded task.
const container = "external"

// encoded is a task as its object has it.
type encoded struct {
	Options data.Options       `json:"options"`
	Task    *data.ExternalCard `json:"task"`
}

// Encode returns the task as a safetensors file of kind "external" without arrays: the
// metadata "external" holds options, parameters, description, and what is known of the
// attached object.
func (t *Task) Encode() []byte {
	f := safetensors.New(container)
	f.PutJSON(container, encoded{t.Card.Options, t.Card.External})
	return f.Encode()
}

func decode(f *safetensors.File) (*Task, error) {
	var e encoded
	if err := f.GetJSON(container, &e); err != nil {
		return nil, fmt.Errorf("external task: %w", err)
	}
	if e.Task == nil {
		return nil, fmt.Errorf("external task %s: it says nothing of the task", e.Options.Name)
	}
	t, err := Build(Spec{e.Task.Parameters, e.Task.Description, e.Task.Attached}, e.Options)
	if err != nil {
		return nil, fmt.Errorf("external task: %w", err)
	}
	return t, nil
}
