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

	"tnaml/experiments/limit"
	"tnaml/experiments/trainer"
)

// csv reads a header line and a row a trial.
func (in *reader) csv() {
	in.checkColumns()
	c := csv.NewReader(&in.bounded)
	c.ReuseRecord, c.FieldsPerRecord = true, -1
	line, err := c.Read()
	if err != nil {
		if err == io.EOF {
			err = errors.New("it is empty")
		}
		in.bad(1, "no header: %w", err)
		return
	}
	names := slices.Clone(line)
	for i, name := range names {
		if names[i] = strings.TrimSpace(strings.TrimPrefix(name, "\ufeff")); slices.Contains(names[:i], names[i]) && names[i] != "" {
			in.bad(1, "the column %q is there twice", names[i])
		}
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
		in.add(r)
	}
}

// unquoted takes back what harmless put before a cell.
func unquoted(cell string) string {
	if bare := strings.TrimPrefix(cell, "'"); bare != cell && harmless(bare) == cell {
		return bare
	}
	return cell
}

// maxLine bounds a line of JSON.
const maxLine = 16 << 20

// lines hands on the lines of JSON objects; whole is false of a last one that does not end.
func (in *reader) lines(each func(line int, b []byte, whole bool)) {
	r := bufio.NewReaderSize(&in.bounded, 1<<16)
	for n := 1; ; n++ {
		var b []byte
		for {
			part, err := r.ReadSlice('\n')
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

// given is a curve as a ledger's row has it, [[step, value], …]; nil of anything else.
func given(v any) []trainer.Point {
	points, _ := v.([]any)
	values := map[int]float64{}
	for _, p := range points {
		pair, _ := p.([]any)
		if len(pair) != 2 {
			return nil
		}
		step, ok := pair[0].(float64)
		value, is := pair[1].(float64)
		if !ok || !is || !(math.Abs(step) <= limit.MaxTrialSteps) || step != math.Trunc(step) {
			return nil
		}
		values[int(step)] = value
	}
	return curveOf(values, 0)
}

// jsonl reads an object a line. What is in the objects choices and params are choices,
// what is in metrics are metrics, and curve is the objective on the way.
func (in *reader) jsonl() {
	in.checkColumns()
	first := true
	in.lines(func(line int, b []byte, _ bool) {
		var fields map[string]any
		if err := json.Unmarshal(b, &fields); err != nil || fields == nil {
			in.bad(line, "no JSON object: %v", err)
			return
		}
		values := map[string]any{}
		for name, v := range fields {
			prefix := map[string]string{"choices": choicePrefix, "params": choicePrefix, "metrics": metricPrefix}[name]
			if inner, ok := v.(map[string]any); ok && prefix != "" {
				for k, v := range inner {
					values[prefix+k] = v
				}
			} else if _, nested := v.(map[string]any); !nested {
				values[name] = v
			}
		}
		if first { // others may have fewer
			names := slices.Sorted(maps.Keys(values))
			if !slices.ContainsFunc(in.objective(), func(n string) bool { return slices.Contains(names, n) }) {
				names = append(names, in.objective()...) // of a trial that failed
			}
			in.columns(names)
			first = false
		}
		in.add(record{line, values, given(fields["curve"])})
	})
}
