package labelled

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"tnaml/experiments/data"
)

// rowsPerText is how much larger a row of JSON may be than a text: characters may
// be written as \u00e9.
const rowsPerText = 4

func (c *collector) jsonl(r io.Reader) {
	if len(c.o.Columns) > 0 || c.o.Delimiter != "" {
		c.Fail(errors.New("JSON lines name their members themselves: give no columns or delimiter"))
		return
	}
	b := bufio.NewReaderSize(r, chunk)
	if head, _ := b.Peek(chunk); bytes.HasPrefix(bytes.TrimSpace(head), []byte("[")) {
		c.jsonArray(b)
		return
	}
	in := lines{r: b, limit: rowsPerText * c.o.maxText()}
	for !c.stopped() {
		err := in.fill()
		switch {
		case err == io.EOF:
			return
		case errors.Is(err, ErrTooLong):
			c.problem(in.line, "", "%w", err)
		case err != nil:
			c.Fail(err)
			return
		default:
			if row := bytes.TrimSpace(in.b.Bytes()); len(row) > 0 {
				c.object(in.line, row)
			}
		}
	}
}

// lineIndex remembers where lines end, up to the place that was asked for last.
type lineIndex struct {
	r        io.Reader
	limit    int64 // of what may be read beyond that place
	n, asked int64
	ends     []int64
	line     int
}

func (l *lineIndex) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	for i, c := range p[:n] {
		if c == '\n' {
			l.ends = append(l.ends, l.n+int64(i))
		}
	}
	if l.n += int64(n); l.n-l.asked > l.limit {
		return 0, tooLong("a row", l.limit)
	}
	return n, err
}

// at is the line of a byte; the bytes that are asked for come in order.
func (l *lineIndex) at(offset int64) int {
	k := 0
	for k < len(l.ends) && l.ends[k] < offset {
		k++
	}
	l.line += k
	l.ends, l.asked = append(l.ends[:0], l.ends[k:]...), offset
	return l.line
}

// jsonArray reads an array of objects, which people call JSON lines too.
func (c *collector) jsonArray(r io.Reader) {
	in := &lineIndex{r: r, limit: rowsPerText*c.o.maxText() + chunk, line: 1}
	d := json.NewDecoder(in)
	_, err := d.Token()
	for err == nil && d.More() && !c.stopped() {
		var row json.RawMessage
		if err = d.Decode(&row); err == nil {
			c.object(in.at(d.InputOffset()-int64(len(row))), row)
		}
	}
	if c.stopped() {
		return
	}
	if err == nil {
		_, err = d.Token()
	}
	if err == nil {
		if _, err = d.Token(); err == io.EOF {
			return
		} else if err == nil {
			err = errors.New("something follows the array")
		}
	}
	offset := d.InputOffset()
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		offset = max(offset, syntax.Offset)
	}
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		err, offset = io.ErrUnexpectedEOF, in.n
	}
	c.problem(in.at(offset), "", "not a JSON array of objects: %w", err)
}

// view is a member's value where it stands in its row: a text may be hundreds of
// megabytes, and is copied once, when it is a string.
type view []byte

// UnmarshalJSON implements json.Unmarshaler. What it is given is a part of what
// json.Unmarshal was, and the row outlives it.
func (v *view) UnmarshalJSON(b []byte) error {
	*v = b
	return nil
}

// object reads the example that an object is.
func (c *collector) object(line int, row []byte) {
	var o map[string]view
	if err := json.Unmarshal(row, &o); err != nil {
		if form := new(json.UnmarshalTypeError); errors.As(err, &form) {
			err = fmt.Errorf("it is of the type %s", form.Value)
		}
		c.problem(line, "", "not a JSON object: %w", err)
		return
	}
	if c.rows < typeRows {
		c.noteMembers(o)
	}
	read := c.wanted()
	used := read[:]
	if _, there := lookup(o, read[2].name); c.unread(there) {
		used = read[:2]
	}
	var values [3]string
	whole, twice := true, repeated(row, len(o))
	for i, w := range used {
		if again(twice, o, w.name) {
			c.problem(line, w.name, "the member is there twice: which one is meant? leave one")
			whole = false
			continue
		}
		value, ok := c.member(line, o, w, i == 1)
		values[i], whole = value, whole && ok
	}
	if whole {
		c.add("line", line, values[0], values[1], values[2])
	}
}

// noteMembers adds an object to what is known of the columns; new ones come in
// the order of their names. Objects may have names of their own each, such as identifiers.
func (c *collector) noteMembers(o map[string]view) {
	for _, name := range memberNames(o) {
		i, known := c.members[name]
		if !known {
			use := ""
			for _, w := range c.wanted() {
				if name == w.name && (w.use != splitUse || !c.unread(true)) {
					use = w.use
				}
			}
			if i = len(c.report.Columns); i >= maxColumns && use == "" {
				continue
			}
			c.members[name] = i
			c.report.Columns = append(c.report.Columns, Column{Name: name, Type: "empty", Use: use})
		}
		k, raw := &c.report.Columns[i], o[name]
		switch raw[0] {
		case '"':
			if k.Type == "text" && k.Example != "" {
				continue
			}
			var s string
			if json.Unmarshal(raw, &s) == nil {
				if k.note(s); s != "" {
					k.Type = "text"
				}
			}
		case '{', '[':
			if k.Type == "empty" {
				k.Type, k.Example = map[byte]string{'{': "object", '[': "array"}[raw[0]], oneLine(string(raw), exampleLength)
			}
		case 'n':
		default:
			k.note(string(raw))
		}
	}
}

func memberNames(o map[string]view) []string {
	names := make([]string, 0, len(o))
	for n := range o {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// lookup finds a member by its name, or by the dotted path to it.
func lookup(o map[string]view, name string) (view, bool) {
	if raw, ok := o[name]; ok {
		return raw, true
	}
	head, rest, dotted := strings.Cut(name, ".")
	if !dotted {
		return nil, false
	}
	var inner map[string]view
	if raw, ok := o[head]; !ok || json.Unmarshal(raw, &inner) != nil {
		return nil, false
	}
	return lookup(inner, rest)
}

// member returns a JSON member as a string; scalar also admits numbers and
// booleans, in the form they are written.
func (c *collector) member(line int, o map[string]view, w wantedColumn, scalar bool) (string, bool) {
	raw, ok := lookup(o, w.name)
	if !ok {
		switch {
		case !w.must:
		case c.Len() >= data.MaxProblems: // it takes longer to say what may be meant than to read a row
			c.More(1)
		default:
			c.problem(line, "", "%w", missing("member", w.name, w.common, memberNames(o)))
		}
		return "", !w.must
	}
	switch raw[0] {
	case '"':
		s, ok := unquote(raw)
		if !ok {
			c.problem(line, w.name, "half of a surrogate pair (\\ud800 to \\udfff) stands alone and is no character")
		}
		return s, ok
	case 'n':
		return "", true
	case 't', 'f', '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		if scalar {
			return number(raw), true
		}
	}
	c.problem(line, w.name, "must be a string, not %s", bytes.TrimSpace(raw[:min(len(raw), 40)]))
	return "", false
}

// number is a number of JSON as it is written shortest, so that 1.0 is 1; what is
// none stays.
func number(raw []byte) string {
	s := string(raw)
	if v, err := strconv.ParseFloat(s, 64); err == nil && strings.ContainsAny(s, ".eE") {
		return formatFloat(v, 64)
	}
	return s
}

// formatFloat writes a whole number as an integer is written.
func formatFloat(v float64, bits int) string {
	if math.Abs(v) < 1e21 {
		return strconv.FormatFloat(v, 'f', -1, bits)
	}
	return strconv.FormatFloat(v, 'g', -1, bits)
}

// unquote reads a string of valid JSON, in a single copy; false means that half of
// a surrogate pair stands alone, which would have to be replaced.
func unquote(raw []byte) (string, bool) {
	var out strings.Builder
	raw = raw[1 : len(raw)-1]
	out.Grow(len(raw))
	for {
		plain, rest, escaped := bytes.Cut(raw, []byte(`\`))
		out.Write(plain)
		if !escaped {
			return out.String(), true
		}
		c := rest[0]
		raw = rest[1:]
		if c != 'u' {
			if i := strings.IndexByte("bfnrt", c); i >= 0 {
				c = "\b\f\n\r\t"[i]
			}
			out.WriteByte(c)
			continue
		}
		r := hex(raw)
		if raw = raw[4:]; utf16.IsSurrogate(r) {
			if r = utf16.DecodeRune(r, hex(bytes.TrimPrefix(raw, []byte(`\u`)))); r == utf8.RuneError || !bytes.HasPrefix(raw, []byte(`\u`)) {
				return "", false
			}
			raw = raw[6:]
		}
		out.WriteRune(r)
	}
}

// hex is the character of four hexadecimal digits, or −1.
func hex(b []byte) rune {
	v, err := strconv.ParseUint(string(b[:min(len(b), 4)]), 16, 32)
	if err != nil {
		return -1
	}
	return rune(v)
}
