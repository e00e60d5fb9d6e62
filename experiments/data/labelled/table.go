package labelled

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// delimiter returns the delimiter that the options give, or 0.
func (o Options) delimiter() (rune, error) {
	switch d := o.Delimiter; d {
	case "":
		return 0, nil
	case "tab", `\t`:
		return '\t', nil
	default:
		r, n := utf8.DecodeRuneInString(d)
		if n != len(d) || r == utf8.RuneError || r == '"' || r == '\r' || r == '\n' || r == 0 {
			return 0, fmt.Errorf("a delimiter of %q; give one character that is no quotation mark or line break, or tab", d)
		}
		return r, nil
	}
}

// delimiter returns the options' delimiter, or notes that it is none.
func (c *collector) delimiter() (rune, bool) {
	d, err := c.o.delimiter()
	if err != nil {
		c.Fail(err)
	}
	return d, err == nil
}

func (c *collector) tsv(s string) {
	d, ok := c.delimiter()
	if !ok {
		return
	}
	if d == 0 {
		d = '\t'
	}
	tab := string(d)
	c.report.Delimiter = tab
	var at [3]int
	n := 0
	fields := []string{}
	for line := 1; s != ""; line++ {
		row, rest, _ := strings.Cut(s, "\n")
		s = rest
		row = strings.TrimSuffix(row, "\r")
		if line == 1 {
			header := strings.Split(row, tab)
			given := c.given(header)
			if given != nil {
				header = given
			}
			n = len(header)
			if at, ok = c.columns(header); !ok {
				return
			}
			if given == nil {
				continue
			}
		}
		if row == "" {
			continue
		}
		fields = fields[:0]
		for {
			f, more, found := strings.Cut(row, tab)
			fields = append(fields, f)
			if row = more; !found {
				break
			}
		}
		if len(fields) != n {
			c.problem(line, "", "%s; a delimiter or line break inside a text must go, or be quoted in a CSV file", c.count(len(fields), n))
			continue
		}
		if line <= typeRows {
			c.report.note(fields)
		}
		in := ""
		if at[2] >= 0 {
			in = fields[at[2]]
		}
		c.add("line", line, fields[at[0]], fields[at[1]], in)
	}
}

// count says that a row has another number of columns than it should.
func (c *collector) count(got, want int) string {
	if len(c.o.Columns) > 0 {
		return fmt.Sprintf("%d columns, %d names were given for them", got, want)
	}
	return fmt.Sprintf("%d columns, the header has %d", got, want)
}

// csvDelimiters are those that are looked for, the likeliest first.
const csvDelimiters = ",;\t|"

// sniffDelimiter returns the delimiter that fits the first record: the one with
// which it has the wanted columns, else as many as were named, else the most.
func (c *collector) sniffDelimiter(b []byte) rune {
	best, most := ',', 0
	for _, d := range csvDelimiters {
		r := csv.NewReader(bytes.NewReader(b))
		r.Comma = d
		row, err := r.Read()
		if err != nil {
			continue
		}
		for i := range row {
			row[i] = strings.TrimSpace(row[i])
		}
		if len(c.o.Columns) > 0 && len(row) == len(c.o.Columns) || slices.Contains(row, c.o.TextColumn) && slices.Contains(row, c.o.LabelColumn) {
			return d
		}
		if len(row) > most {
			best, most = d, len(row)
		}
	}
	return best
}

func (c *collector) csv(b []byte) {
	d, ok := c.delimiter()
	if !ok {
		return
	}
	if d == 0 {
		d = c.sniffDelimiter(b)
	}
	c.report.Delimiter = string(d)
	r := csv.NewReader(bytes.NewReader(b))
	r.Comma = d
	r.ReuseRecord = true
	row, err := r.Read()
	if err == io.EOF {
		return
	}
	if err != nil {
		c.problem(1, "", "header: %w", err)
		return
	}
	header := c.given(row)
	again := header != nil // the first row is data
	if header == nil {
		header = slices.Clone(row)
	}
	at, ok := c.columns(slices.Clone(header))
	if !ok {
		return
	}
	r.FieldsPerRecord = len(header)
	if again && len(row) != len(header) {
		err = &csv.ParseError{StartLine: 1, Line: 1, Err: csv.ErrFieldCount}
	}
	for rows := 1; ; rows++ {
		if !again {
			row, err = r.Read()
		}
		again = false
		if err == io.EOF {
			return
		}
		var pe *csv.ParseError
		if errors.As(err, &pe) && errors.Is(err, csv.ErrFieldCount) {
			c.problem(pe.StartLine, "", "%s; a text with a delimiter, quote or line break must be quoted", c.count(len(row), len(header)))
			continue
		}
		if errors.As(err, &pe) {
			c.problem(pe.Line, "", "byte %d: %w; a quote inside a quoted text is written twice", pe.Column, pe.Err)
			return
		}
		if err != nil {
			c.Fail(err)
			return
		}
		if rows <= typeRows {
			c.report.note(row)
		}
		line, _ := r.FieldPos(0)
		in := ""
		if at[2] >= 0 {
			in = row[at[2]]
		}
		// A row is one string: a label alone must not keep the text a second time.
		c.add("line", line, strings.Clone(row[at[0]]), strings.Clone(row[at[1]]), in)
	}
}

func (c *collector) jsonl(b []byte) {
	if len(c.o.Columns) > 0 || c.o.Delimiter != "" {
		c.Fail(errors.New("JSON lines name their members themselves: give no columns or delimiter"))
		return
	}
	if trimmed := bytes.TrimSpace(b); len(trimmed) > 0 && trimmed[0] == '[' {
		c.jsonArray(b)
		return
	}
	for line := 1; len(b) > 0; line++ {
		row, rest, _ := bytes.Cut(b, []byte("\n"))
		b = rest
		if row = bytes.TrimSpace(row); len(row) > 0 {
			c.object(line, row)
		}
	}
}

// jsonArray reads an array of objects, which people call JSON lines too.
func (c *collector) jsonArray(b []byte) {
	d := json.NewDecoder(bytes.NewReader(b))
	line, counted := 1, int64(0)
	at := func(offset int64) int { // the line of a byte
		offset = min(offset, int64(len(b)))
		line += bytes.Count(b[counted:offset], []byte("\n"))
		counted = offset
		return line
	}
	_, err := d.Token()
	for err == nil && d.More() {
		var row json.RawMessage
		if err = d.Decode(&row); err == nil {
			end := d.InputOffset()
			c.object(at(end-int64(len(row))), row)
		}
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
		err, offset = io.ErrUnexpectedEOF, int64(len(b))
	}
	c.problem(at(max(offset, counted)), "", "not a JSON array of objects: %w", err)
}

// object reads the example that an object is.
func (c *collector) object(line int, row []byte) {
	var o map[string]json.RawMessage
	if err := json.Unmarshal(row, &o); err != nil {
		c.problem(line, "", "not a JSON object: %w", err)
		return
	}
	if c.objects++; c.objects <= typeRows {
		c.noteMembers(o)
	}
	w := c.wanted()
	text, ok1 := c.member(line, o, w[0], false)
	label, ok2 := c.member(line, o, w[1], true)
	split, ok3 := c.member(line, o, w[2], false)
	if ok1 && ok2 && ok3 {
		c.add("line", line, text, label, split)
	}
}

// noteMembers adds an object to what is known of the columns; new ones come in
// the order of their names.
func (c *collector) noteMembers(o map[string]json.RawMessage) {
	for _, name := range memberNames(o) {
		i := slices.IndexFunc(c.report.Columns, func(k Column) bool { return k.Name == name })
		if i < 0 {
			i = len(c.report.Columns)
			c.report.Columns = append(c.report.Columns, Column{Name: name, Type: "empty"})
			for _, w := range c.wanted() {
				if name == w.name {
					c.report.use(i, w.use)
				}
			}
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

func memberNames(o map[string]json.RawMessage) []string {
	names := make([]string, 0, len(o))
	for n := range o {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// lookup finds a member by its name, or by the dotted path to it.
func lookup(o map[string]json.RawMessage, name string) (json.RawMessage, bool) {
	if raw, ok := o[name]; ok {
		return raw, true
	}
	head, rest, dotted := strings.Cut(name, ".")
	if !dotted {
		return nil, false
	}
	var inner map[string]json.RawMessage
	if raw, ok := o[head]; !ok || json.Unmarshal(raw, &inner) != nil {
		return nil, false
	}
	return lookup(inner, rest)
}

// member returns a JSON member as a string; scalar also admits numbers and
// booleans, in the form they are written.
func (c *collector) member(line int, o map[string]json.RawMessage, w wantedColumn, scalar bool) (string, bool) {
	raw, ok := lookup(o, w.name)
	if !ok {
		if w.must {
			c.problem(line, "", "%w", missing("member", w.name, w.common, memberNames(o)))
		}
		return "", !w.must
	}
	switch raw[0] {
	case '"':
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			c.problem(line, w.name, "%w", err)
			return "", false
		}
		// Half of a surrogate pair would be replaced silently.
		if strings.ContainsRune(s, utf8.RuneError) && !bytes.ContainsRune(raw, utf8.RuneError) &&
			!bytes.Contains(bytes.ToLower(raw), []byte(`\ufffd`)) {
			c.problem(line, w.name, "half of a surrogate pair (\\ud800 to \\udfff) stands alone and is no character")
			return "", false
		}
		return s, true
	case 'n':
		return "", true
	case 't', 'f', '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		if scalar {
			return string(raw), true
		}
	}
	c.problem(line, w.name, "must be a string, not %s", bytes.TrimSpace(raw[:min(len(raw), 40)]))
	return "", false
}
