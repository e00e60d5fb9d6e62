package labelled

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"tnaml/experiments/data/archive"
)

// Report is what Read, ReadFolder and ReadArchive found in a source.
type Report struct {
	// Name is the source's, Format its form; of an archive or folder Files counts
	// the text files.
	Name        string              `json:"name"`
	Format      Format              `json:"format"`
	Files       int                 `json:"files,omitempty"`
	Compression archive.Compression `json:"compression,omitempty"`
	// Encoding is that of a text form; Parquet has none.
	Encoding Encoding `json:"encoding,omitzero"`
	// Guesses are what statistics take the encoding for, the likeliest first.
	Guesses []Encoding `json:"guesses,omitempty"`
	// Delimiter parts the fields of a TSV or CSV file.
	Delimiter string `json:"delimiter,omitempty"`
	// Columns are those of a table, in its order; JSONL's are the members of the
	// first 1,000 objects; of more than a table can have, those that are read and some.
	Columns []Column `json:"columns,omitempty"`
	// Rows counts the examples, Empty those of them without a text.
	Rows  int `json:"rows"`
	Empty int `json:"empty,omitempty"`
	// Notes say, in words, what was left out or decided on little evidence.
	Notes []string `json:"notes,omitempty"`
}

// Column is a column of a table.
type Column struct {
	Name string `json:"name"`
	// Type is Parquet's, or what the first 1,000 rows of a text form look like:
	// integer, number, boolean, text, or empty.
	Type string `json:"type"`
	// Example is the first value that is not empty, cut to 60 characters.
	Example string `json:"example,omitempty"`
	// Use is text, label or split where the column is read as such.
	Use string `json:"use,omitempty"`
}

const (
	typeRows      = 1000
	exampleLength = 60
)

// note adds to the column what a value shows of its type.
func (c *Column) note(value string) {
	value = strings.TrimSpace(value)
	if value == "" {
		return
	}
	if c.Example == "" {
		c.Example = oneLine(value, exampleLength)
	}
	t := "text"
	if len(value) <= 32 {
		if _, err := strconv.ParseInt(value, 10, 64); err == nil {
			t = "integer"
		} else if _, err := strconv.ParseFloat(value, 64); err == nil {
			t = "number"
		} else if l := strings.ToLower(value); l == "true" || l == "false" {
			t = "boolean"
		}
	}
	switch {
	case c.Type == "empty", c.Type == t:
		c.Type = t
	case c.Type == "integer" && t == "number", c.Type == "number" && t == "integer":
		c.Type = "number"
	default:
		c.Type = "text"
	}
}

// oneLine returns a text as one line of at most n characters.
func oneLine(s string, n int) string {
	if len(s) > 8*n { // long enough whatever the characters
		s = strings.ToValidUTF8(s[:8*n], "")
	}
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// setColumns begins the report's columns.
func (r *Report) setColumns(names []string) {
	r.Columns = make([]Column, len(names))
	for i, n := range names {
		r.Columns[i] = Column{Name: n, Type: "empty"}
	}
}

// note adds a row of text fields to what is known of the columns.
func (r *Report) note(fields []string) {
	for i, f := range fields {
		r.Columns[i].note(f)
	}
}

// use marks a column as read.
func (r *Report) use(i int, as string) {
	if i >= 0 {
		r.Columns[i].Use = as
	}
}
