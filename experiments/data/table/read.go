package table

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"tnaml/experiments/data"
	"tnaml/experiments/strict"
)

// Read reads a benchmark from JSON, the form of Recorded. Unknown members are
// refused. Problems name the line of the row or member, and are reported all
// together.
func Read(b []byte, o data.Options) (*Table, error) { return read(b, o, false) }

// read is Read; of what Encode has written, ours, it need not ask whether a name is there twice,
// which takes longer than all else.
func read(b []byte, o data.Options, ours bool) (*Table, error) {
	if len(b) > maxBytes {
		return nil, fmt.Errorf("table %s: %d bytes; a table has at most %d", o.Name, len(b), maxBytes)
	}
	b = bytes.TrimPrefix(b, []byte("\ufeff")) // a byte order mark
	r := &reader{b: b, d: json.NewDecoder(bytes.NewReader(b)), ours: ours, line: 1}
	if err := r.read(); err != nil {
		r.problems.Add("line %d: %w", r.lineOf(r.offset(err)), err)
	}
	return build(r.out, r.lines, o, &r.problems)
}

// reader reads a document member by member, so as to know the lines.
type reader struct {
	b        []byte
	d        *json.Decoder
	ours     bool
	problems data.Problems
	out      Recorded
	lines    []int // of the rows
	// The last byte whose line was asked for, and its line.
	counted int64
	line    int
}

// lineOf is the line of a byte; bytes are asked for in their order.
func (r *reader) lineOf(offset int64) int {
	offset = min(max(offset, r.counted), int64(len(r.b)))
	r.line += bytes.Count(r.b[r.counted:offset], []byte("\n"))
	r.counted = offset
	return r.line
}

// offset is where an error that ends the reading is.
func (r *reader) offset(err error) int64 {
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return max(r.d.InputOffset(), syntax.Offset)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return int64(len(r.b))
	}
	return r.d.InputOffset()
}

// read reads the document; an error is one after which nothing can be read.
func (r *reader) read() error {
	err := r.members(func(name string, line int) error {
		switch name {
		case "metrics":
			return r.value(&r.out.Metrics)
		case "rows":
			return r.rows()
		case "effects":
			r.out.Effects = Effects{}
			return r.members(func(metric string, _ int) error {
				var e effect
				err := r.value(&e)
				r.out.Effects[metric] = e.read()
				return err
			})
		}
		r.problems.Add("line %d: unknown member %q (known: metrics, rows, effects)", line, name)
		return r.value(new(any))
	})
	if err != nil {
		return err
	}
	if _, err := r.d.Token(); err != io.EOF {
		return errors.New("something follows the benchmark")
	}
	return nil
}

// number is one that null stands for as well, which is none: encoding/json leaves it as it was.
type number float64

// UnmarshalJSON implements json.Unmarshaler.
func (n *number) UnmarshalJSON(b []byte) error {
	if *n = number(math.NaN()); string(b) == "null" {
		return nil
	}
	return json.Unmarshal(b, (*float64)(n))
}

// two are just as many: of fewer encoding/json leaves zeros, and of more it drops some.
type two[T any] [2]T

// UnmarshalJSON implements json.Unmarshaler.
func (t *two[T]) UnmarshalJSON(b []byte) error {
	var all []T
	if err := json.Unmarshal(b, &all); err != nil {
		return err
	}
	if len(all) != len(t) {
		return fmt.Errorf("%.40s: there must be two", b)
	}
	*t = two[T](all)
	return nil
}

// effect is an Effect as it is read.
type effect struct {
	Effect
	Choices map[string]map[string]number `json:"choices"`
}

func (e effect) read() Effect {
	e.Effect.Choices = make(map[string]map[string]float64, len(e.Choices))
	for name, options := range e.Choices {
		of := make(map[string]float64, len(options))
		for option, v := range options {
			of[option] = float64(v)
		}
		e.Effect.Choices[name] = of
	}
	return e.Effect
}

// rows reads the array of the rows.
func (r *reader) rows() error {
	if err := r.open('['); err != nil {
		return err
	}
	for r.d.More() {
		var row struct {
			Choices map[string]any           `json:"choices"`
			Metrics map[string]number        `json:"metrics"`
			Curves  map[string][]two[number] `json:"curves"`
		}
		if err := r.value(&row); err != nil {
			return err
		}
		metrics := make(map[string]float64, len(row.Metrics))
		for name, v := range row.Metrics {
			metrics[name] = float64(v)
		}
		var curves map[string][][2]float64
		for name, points := range row.Curves {
			if curves == nil {
				curves = make(map[string][][2]float64, len(row.Curves))
			}
			for _, p := range points {
				curves[name] = append(curves[name], [2]float64{float64(p[0]), float64(p[1])})
			}
		}
		r.out.Rows, r.lines = append(r.out.Rows, Row{row.Choices, metrics, curves}), append(r.lines, r.line)
	}
	_, err := r.token()
	return err
}

// members calls f after each name of an object's members, with its line; f reads the value.
func (r *reader) members(f func(name string, line int) error) error {
	if err := r.open('{'); err != nil {
		return err
	}
	seen := map[string]bool{}
	for r.d.More() {
		token, err := r.token()
		if err != nil {
			return err
		}
		name, line := token.(string), r.lineOf(r.d.InputOffset()) // the decoder takes nothing else
		if seen[name] {
			r.problems.Add("line %d: %q is there twice", line, name)
		}
		seen[name] = true
		if err := f(name, line); err != nil {
			return err
		}
	}
	_, err := r.token()
	return err
}

func (r *reader) open(want json.Delim) error {
	got, err := r.token()
	if err == nil && got != want {
		err = fmt.Errorf("%v where %v should begin", got, map[json.Delim]string{'{': "an object", '[': "an array"}[want])
	}
	return err
}

func (r *reader) token() (json.Token, error) {
	t, err := r.d.Token()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return t, err
}

// value reads a value into v. That it has another form, or a name twice, is a problem, at the
// line where it begins.
func (r *reader) value(v any) error {
	var raw json.RawMessage
	if err := r.d.Decode(&raw); err != nil {
		return err
	}
	line := r.lineOf(r.d.InputOffset() - int64(len(raw)))
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		r.problems.Add("line %d: %s", line, strings.TrimPrefix(err.Error(), "json: "))
	} else if !r.ours {
		if err := strict.Twice(raw); err != nil { // nobody knows which one is meant
			r.problems.Add("line %d: %s", line, strings.ReplaceAll(err.Error(), "\n", "; "))
		}
	}
	return nil
}
