package exchange

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"tnaml/experiments/limit"
	"tnaml/experiments/strict"
	"tnaml/experiments/trainer"
)

// csv reads a header line and a row a trial.
func (in *reader) csv() {
	in.checkColumns()
	c := csv.NewReader(in.text)
	c.ReuseRecord, c.FieldsPerRecord = true, -1
	line, err := c.Read()
	if err != nil {
		if err == io.EOF {
			err = errors.New("it is empty")
		}
		in.bad(1, "no header: %w", err)
		return
	}
	names, seen := slices.Clone(line), make(map[string]bool, len(line))
	for i, name := range names {
		if names[i] = strings.TrimSpace(name); seen[names[i]] && names[i] != "" {
			in.bad(1, "the column %q is there twice", names[i])
		}
		seen[names[i]] = true
		if !utf8.ValidString(name) {
			in.bad(1, "the column %q is not UTF-8: save the file as UTF-8", limit.Cut(name, 40))
		}
	}
	if other := strings.IndexAny(names[0], ";\t"); len(names) == 1 && other >= 0 {
		in.bad(1, "its cells are parted by %q: write it with commas between them, and points in numbers", names[0][other:other+1])
		return
	}
	if in.columns(names); in.problems > 0 {
		return
	}
	for {
		line, err := c.Read()
		if err == io.EOF {
			return
		}
		at, _ := 0, 0
		if len(line) > 0 {
			at, _ = c.FieldPos(0)
		}
		var syntax *csv.ParseError
		switch {
		case errors.As(err, &syntax):
			in.bad(syntax.Line, "%w", syntax.Err)
			return // what follows cannot be told apart
		case err != nil:
			in.bad(at, "%w", err)
			return
		case len(line) != len(names):
			in.bad(at, "%d cells, the header has %d", len(line), len(names))
			continue
		}
		r := record{line: at, values: make(map[string]any, len(names))}
		for i, name := range names {
			if line[i] != "" {
				r.values[name] = unquoted(line[i])
			}
		}
		if written, there := r.values["curve"].(string); there {
			var points any
			if json.Unmarshal([]byte(written), &points) == nil {
				r.curve = given(points)
			}
		}
		in.add(r)
	}
}

// maxLine bounds a line of JSON.
const maxLine = 16 << 20

// lines hands on the lines of JSON objects; whole is false of a last one that does not end.
func (in *reader) lines(each func(line int, b []byte, whole bool)) {
	for n := 1; ; n++ {
		var b []byte
		for {
			part, err := in.text.ReadSlice('\n')
			if b = append(b, part...); len(b) > maxLine {
				in.bad(n, "more than %d bytes", maxLine)
				return
			}
			if err == nil {
				break
			}
			if err == bufio.ErrBufferFull {
				continue
			}
			if err != io.EOF {
				in.bad(n, "%w", err)
			} else if len(bytes.TrimSpace(b)) > 0 {
				each(n, b, false)
			}
			return
		}
		if len(bytes.TrimSpace(b)) > 0 {
			each(n, b, true)
		}
	}
}

// given is a curve as a ledger's row has it, [[step, value], …], without the points that are
// no number; nil of anything else.
func given(v any) []trainer.Point {
	points, _ := v.([]any)
	values := map[int]float64{}
	for _, p := range points {
		pair, _ := p.([]any)
		if len(pair) != 2 {
			return nil
		}
		step, ok := pair[0].(float64)
		value, is := number(pair[1])
		if pair[1] == nil {
			value, is = math.NaN(), true
		}
		if !ok || !is || !(math.Abs(step) <= limit.MaxTrialSteps) || step != math.Trunc(step) {
			return nil
		}
		values[int(step)] = value
	}
	return curveOf(values, 0)
}

// parse reads a line of JSON, Python's too: its numbers that others' JSON has not become
// texts, "NaN", "Infinity" and "-Infinity".
func parse(b []byte, v any) error {
	err := json.Unmarshal(b, v)
	if err == nil {
		return nil
	}
	return json.Unmarshal(proper(b), v)
}

// proper writes Python's JSON as others'.
func proper(b []byte) (out []byte) {
	if !bytes.Contains(b, []byte("NaN")) && !bytes.Contains(b, []byte("Infinity")) {
		return b
	}
	for quoted := false; len(b) > 0; {
		n := 1
		switch {
		case quoted && b[0] == '\\' && len(b) > 1:
			n = 2
		case b[0] == '"':
			quoted = !quoted
		case !quoted:
			for _, word := range []string{"NaN", "Infinity", "-Infinity"} {
				if bytes.HasPrefix(b, []byte(word)) {
					out, b, n = append(append(append(out, '"'), word...), '"'), b[len(word):], 0
					break
				}
			}
		}
		out, b = append(out, b[:n]...), b[n:]
	}
	return out
}

// wrongJSON says what is wrong with a line of JSON; err is nil of what is something else.
func wrongJSON(err error) string {
	var form *json.UnmarshalTypeError
	switch {
	case err == nil:
		return "it says nothing"
	case errors.As(err, &form) && form.Field == "":
		return "it is of the type " + form.Value
	case errors.As(err, &form):
		return form.Field + " is of the type " + form.Value
	}
	return err.Error()
}

// jsonl reads an object a line. What is in the objects choices and params are choices,
// what is in metrics are metrics, and curve is the objective on the way.
func (in *reader) jsonl() {
	in.checkColumns()
	names := map[string]bool{} // of all rows: one may lack what others have
	measured := false          // a trial is there that should have the objective
	in.lines(func(line int, b []byte, _ bool) {
		var fields map[string]any
		if err := parse(b, &fields); err != nil || fields == nil {
			in.bad(line, "no JSON object: %s", wrongJSON(err))
			return
		}
		if err := strict.Twice(proper(b)); err != nil { // nobody knows which of the values is meant
			in.bad(line, "%s: leave one out", strings.ReplaceAll(err.Error(), "\n", "; "))
			return
		}
		r := record{line, map[string]any{}, given(fields["curve"])}
		from, twice := map[string]string{}, false
		put := func(name, as string, v any) {
			if from[name] != "" {
				in.bad(line, "%s is there twice, as %s and as %s: leave one out", name, from[name], as)
				twice = true
			}
			from[name], r.values[name], names[name] = as, v, true
		}
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			inner, nested := fields[name].(map[string]any)
			prefix := map[string]string{"choices": choicePrefix, "params": choicePrefix, "metrics": metricPrefix}[name]
			switch {
			case !nested:
				put(name, name, fields[name])
			case prefix != "":
				for _, k := range slices.Sorted(maps.Keys(inner)) {
					put(prefix+k, name+"."+k, inner[k])
				}
			}
		}
		if twice {
			return
		}
		status, ended, _ := statusOf(in.status(r))
		measured = measured || ended && (status == "" || status == trainer.OK || status == trainer.Infeasible)
		in.add(r)
	})
	if len(names) == 0 {
		return
	}
	if !measured {
		in.unmeasured(names)
	}
	of := in.wrong // of lines, which come after what is wrong with the whole file
	in.wrong = nil
	in.columns(slices.Sorted(maps.Keys(names)))
	in.wrong = append(in.wrong, of...)
	in.wrong = in.wrong[:min(len(in.wrong), limit.MaxProblems)]
}
