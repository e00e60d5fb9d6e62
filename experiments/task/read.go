package task

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

	"github.com/klauspost/compress/gzip"
)

// Format is the form of a table of labelled texts.
type Format string

// The formats that Read knows.
//
// TSV has a header line and literal fields parted by tabs: no quoting, so a
// quotation mark is part of the text and a text can hold neither tab nor line
// break. CSV has a header line and is as RFC 4180 says. JSONL has an object a
// line; a label may be a string, a number or a boolean.
const (
	TSV   Format = "tsv"
	CSV   Format = "csv"
	JSONL Format = "jsonl"
)

// ReadOptions says how to read a table. The zero value reads the columns text,
// label and, if present, split, in the format that the name's ending says.
type ReadOptions struct {
	Format      Format `json:"format,omitempty"`
	TextColumn  string `json:"text_column,omitempty"`
	LabelColumn string `json:"label_column,omitempty"`
	// SplitColumn must be present if it is given; the default need not be.
	SplitColumn string `json:"split_column,omitempty"`
	// MaxBytes bounds the decompressed size; 0 means 2 GiB.
	MaxBytes int64 `json:"max_bytes,omitempty"`
}

// maxProblems is how many problems of one input are reported together.
const maxProblems = 10

// Read reads a table of labelled texts. Gzip is recognised by its first bytes,
// the format by the ending of name (before .gz) unless given. A byte order
// mark is skipped. White space around texts, labels and splits is removed;
// dev, val and valid mean validation.
//
// Errors name the line and the column. A text may be empty (Build counts and
// leaves out such examples), a label may not.
func Read(r io.Reader, name string, o ReadOptions) ([]Example, error) {
	b, err := readAll(r, o.MaxBytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if o.Format == "" {
		if o.Format, err = FormatOf(name); err != nil {
			return nil, err
		}
	}
	c := &collector{o: o}
	c.o.TextColumn, c.o.LabelColumn = or(o.TextColumn, "text"), or(o.LabelColumn, "label")
	c.o.SplitColumn = or(o.SplitColumn, "split")
	c.splitWanted = o.SplitColumn != ""
	switch {
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}) || bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		return nil, fmt.Errorf("%s: the file is UTF-16; convert it to UTF-8", name)
	default:
		b = bytes.TrimPrefix(b, []byte("\ufeff"))
	}
	switch o.Format {
	case TSV:
		c.tsv(string(b))
	case CSV:
		c.csv(b)
	case JSONL:
		c.jsonl(b)
	default:
		return nil, fmt.Errorf("%s: unknown format %q (known: tsv, csv, jsonl)", name, o.Format)
	}
	if c.problems > maxProblems {
		c.errs = append(c.errs, fmt.Errorf("and %d more", c.problems-maxProblems))
	}
	if len(c.errs) == 0 && len(c.out) == 0 {
		c.errs = append(c.errs, errors.New("no examples"))
	}
	if err := errors.Join(c.errs...); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return c.out, nil
}

// FormatOf returns the format that a file name's ending says.
func FormatOf(name string) (Format, error) {
	base := strings.TrimSuffix(strings.ToLower(name), ".gz")
	switch {
	case strings.HasSuffix(base, ".tsv"), strings.HasSuffix(base, ".tab"):
		return TSV, nil
	case strings.HasSuffix(base, ".csv"):
		return CSV, nil
	case strings.HasSuffix(base, ".jsonl"), strings.HasSuffix(base, ".ndjson"):
		return JSONL, nil
	}
	return "", fmt.Errorf("%s: cannot tell the format from the name (known endings: .tsv .tab .csv .jsonl .ndjson, each also with .gz); give the format", name)
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func readAll(r io.Reader, limit int64) ([]byte, error) {
	if limit <= 0 {
		limit = 2 << 30
	}
	var magic [2]byte
	n, err := io.ReadFull(r, magic[:])
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, err
	}
	r = io.MultiReader(bytes.NewReader(magic[:n]), r)
	if n == 2 && magic == [2]byte{0x1f, 0x8b} {
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		r = z
	}
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("more than %d bytes of text; split the file or raise the limit", limit)
	}
	return b, nil
}

// collector gathers the examples and problems of one file.
type collector struct {
	o           ReadOptions // with the defaults filled in
	splitWanted bool
	out         []Example
	errs        []error
	problems    int
}

// problem notes what is wrong; a column of "" means the whole line.
func (c *collector) problem(line int, column, format string, a ...any) {
	if c.problems++; c.problems > maxProblems {
		return
	}
	at := fmt.Sprintf("line %d", line)
	if column != "" {
		at += fmt.Sprintf(", column %q", column)
	}
	c.errs = append(c.errs, fmt.Errorf("%s: %w", at, fmt.Errorf(format, a...)))
}

// add checks and keeps one example.
func (c *collector) add(line int, text, label, split string) {
	ok := true
	for _, f := range [...]struct{ column, value string }{
		{c.o.TextColumn, text}, {c.o.LabelColumn, label}, {c.o.SplitColumn, split},
	} {
		if !utf8.ValidString(f.value) {
			c.problem(line, f.column, "not valid UTF-8; convert the file to UTF-8")
			ok = false
		}
	}
	if !ok {
		return
	}
	e := Example{Text: strings.TrimSpace(text), Label: strings.TrimSpace(label)}
	if e.Label == "" {
		c.problem(line, c.o.LabelColumn, "empty label")
		return
	}
	switch s := strings.ToLower(strings.TrimSpace(split)); s {
	case "", Train, Validation, Test:
		e.Split = s
	case "dev", "val", "valid":
		e.Split = Validation
	default:
		c.problem(line, c.o.SplitColumn, "unknown split %q (known: train, validation, test, or empty)", split)
		return
	}
	c.out = append(c.out, e)
}

// columns finds the wanted columns in a header line; split is -1 if absent.
func (c *collector) columns(header []string) (text, label, split int, ok bool) {
	find := func(name string, must bool) int {
		i := slices.Index(header, name)
		if i < 0 && must {
			c.problem(1, "", "no column %q; the columns are %q", name, header)
		}
		return i
	}
	for i := range header {
		header[i] = strings.TrimSpace(header[i])
		if header[i] != "" && slices.Contains(header[:i], header[i]) {
			c.problem(1, header[i], "the column is there twice")
		}
	}
	text, label, split = find(c.o.TextColumn, true), find(c.o.LabelColumn, true), find(c.o.SplitColumn, c.splitWanted)
	return text, label, split, c.problems == 0
}

func (c *collector) tsv(s string) {
	var text, label, split, n int
	var fields []string
	for line := 1; s != ""; line++ {
		row, rest, _ := strings.Cut(s, "\n")
		s = rest
		row = strings.TrimSuffix(row, "\r")
		if line == 1 {
			header := strings.Split(row, "\t")
			n = len(header)
			var ok bool
			if text, label, split, ok = c.columns(header); !ok {
				return
			}
			continue
		}
		if row == "" {
			continue
		}
		fields = fields[:0]
		for {
			f, more, tab := strings.Cut(row, "\t")
			fields = append(fields, f)
			if row = more; !tab {
				break
			}
		}
		if len(fields) != n {
			c.problem(line, "", "%d columns, the header has %d; a tab or line break inside a text must go, or be quoted in a CSV file", len(fields), n)
			continue
		}
		var in string
		if split >= 0 {
			in = fields[split]
		}
		c.add(line, fields[text], fields[label], in)
	}
}

func (c *collector) csv(b []byte) {
	r := csv.NewReader(bytes.NewReader(b))
	r.ReuseRecord = true
	header, err := r.Read()
	if err == io.EOF {
		return
	}
	if err != nil {
		c.problem(1, "", "header: %w", err)
		return
	}
	text, label, split, ok := c.columns(slices.Clone(header))
	if !ok {
		return
	}
	for {
		row, err := r.Read()
		if err == io.EOF {
			return
		}
		var pe *csv.ParseError
		if errors.As(err, &pe) && errors.Is(err, csv.ErrFieldCount) {
			c.problem(pe.StartLine, "", "%d columns, the header has %d; a text with a comma, quote or line break must be quoted", len(row), len(header))
			continue
		}
		if errors.As(err, &pe) {
			c.problem(pe.Line, "", "byte %d: %w; a quote inside a quoted text is written twice", pe.Column, pe.Err)
			return
		}
		if err != nil {
			c.errs = append(c.errs, err)
			return
		}
		line, _ := r.FieldPos(0)
		var in string
		if split >= 0 {
			in = row[split]
		}
		// A row is one string: a label alone must not keep the text a second time.
		c.add(line, strings.Clone(row[text]), strings.Clone(row[label]), in)
	}
}

func (c *collector) jsonl(b []byte) {
	for line := 1; len(b) > 0; line++ {
		row, rest, _ := bytes.Cut(b, []byte("\n"))
		b = rest
		if row = bytes.TrimSpace(row); len(row) == 0 {
			continue
		}
		if !utf8.Valid(row) { // encoding/json would replace the bytes silently
			c.problem(line, "", "not valid UTF-8; convert the file to UTF-8")
			continue
		}
		var o map[string]json.RawMessage
		if err := json.Unmarshal(row, &o); err != nil {
			c.problem(line, "", "not a JSON object: %w", err)
			continue
		}
		text, ok1 := c.member(line, o, c.o.TextColumn, true, false)
		label, ok2 := c.member(line, o, c.o.LabelColumn, true, true)
		split, ok3 := c.member(line, o, c.o.SplitColumn, c.splitWanted, false)
		if ok1 && ok2 && ok3 {
			c.add(line, text, label, split)
		}
	}
}

// member returns a JSON member as a string; scalar also admits numbers and
// booleans, in the form they are written.
func (c *collector) member(line int, o map[string]json.RawMessage, name string, must, scalar bool) (string, bool) {
	raw, ok := o[name]
	if !ok {
		if must {
			names := make([]string, 0, len(o))
			for n := range o {
				names = append(names, n)
			}
			slices.Sort(names)
			c.problem(line, "", "no member %q; the members are %q", name, names)
		}
		return "", !must
	}
	var v any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		c.problem(line, name, "%w", err)
		return "", false
	}
	switch v := v.(type) {
	case string:
		return v, true
	case nil:
		return "", true
	case json.Number:
		if scalar {
			return v.String(), true
		}
	case bool:
		if scalar {
			return fmt.Sprint(v), true
		}
	}
	c.problem(line, name, "must be a string, not %s", bytes.TrimSpace(raw[:min(len(raw), 40)]))
	return "", false
}
