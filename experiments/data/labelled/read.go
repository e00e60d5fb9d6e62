package labelled

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"tnaml/experiments/data"
	"tnaml/experiments/data/archive"
	"tnaml/experiments/data/parquetcheck"
	"tnaml/experiments/data/text"
)

// Format is the form of a source of labelled texts.
type Format string

// The formats of tables.
//
// TSV has a header line and literal fields parted by tabs: no quoting, so a
// quotation mark is part of the text and a text can hold neither tab nor line
// break. CSV has a header line and is as RFC 4180 says, parted by commas or
// another delimiter. JSONL has an object a line, or is one array of objects; a
// label may be a string, a number or a boolean. Parquet is as its format specification 2 says.
const (
	TSV     Format = "tsv"
	CSV     Format = "csv"
	JSONL   Format = "jsonl"
	Parquet Format = "parquet"
)

// Folder is the format of text files in folders, in an archive too: see
// ReadFolder.
const Folder Format = "folder"

// ReadOptions says how to read labelled texts. The zero value reads the columns
// text, label and, if present, split, in the format and encoding that the
// source itself shows.
type Options struct {
	Format      Format `json:"format,omitempty"`
	TextColumn  string `json:"text_column,omitempty"`
	LabelColumn string `json:"label_column,omitempty"`
	// SplitColumn must be present if it is given; the default need not be.
	SplitColumn string `json:"split_column,omitempty"`
	// Columns names the columns of a TSV or CSV file that has no header line.
	Columns []string `json:"columns,omitempty"`
	// Delimiter parts the fields of a TSV or CSV file: one character, or "tab".
	// The default is a tab for TSV; for CSV it is the one of , ; tab and | that
	// fits the header line.
	Delimiter string `json:"delimiter,omitempty"`
	// Encoding is the texts' character encoding, by a name of the WHATWG or
	// IANA, such as windows-1252; the default is to detect it. Parquet is UTF-8.
	Encoding string `json:"encoding,omitempty"`
	// Split is that of the examples to which the source gives none.
	Split string `json:"split,omitempty"`
	// SplitWritten says that a person wrote Split, for all examples of the source. A
	// column that only has the usual name of a split's is then not read, which the
	// report notes: files have such columns from whoever made them, with another
	// division. What says otherwise in a SplitColumn that was asked for, or by the folder
	// that a file lies in, is a problem: one of the two is a mistake.
	SplitWritten bool `json:"split_written,omitempty"`
	// Certainty is the confidence below which an encoding that is told by
	// statistics is refused; see Certain.
	Certainty float64 `json:"certainty,omitempty"`
	// MaxBytes bounds the decompressed size, 0 meaning 2 GiB, and MaxText that of
	// one text, 0 meaning DefaultMaxText.
	MaxBytes int64 `json:"max_bytes,omitempty"`
	MaxText  int64 `json:"max_text,omitempty"`
	// Report, if not nil, is filled in with what was found, as far as reading
	// went: where there is an error too.
	Report *Report `json:"-"`
}

// Validate reports what the options say that no source can have.
func (o Options) Validate() error {
	var errs []error
	switch o.Format {
	case "", TSV, CSV, JSONL, Parquet, Folder:
	default:
		errs = append(errs, o.unknownFormat())
	}
	if _, err := o.delimiter(); err != nil {
		errs = append(errs, err)
	}
	if o.Encoding != "" {
		if _, err := canonical(o.Encoding); err != nil {
			errs = append(errs, err)
		}
	}
	if _, ok := splitOf(o.Split); !ok {
		errs = append(errs, fmt.Errorf("unknown split %q (known: train, validation, test)", o.Split))
	}
	return errors.Join(errs...)
}

func (o Options) unknownFormat() error {
	return fmt.Errorf("unknown format %q (known: tsv, csv, jsonl, parquet, and folders of text files)", o.Format)
}

// Read reads a table of labelled texts as Stream does, and returns them all.
func Read(r io.Reader, name string, o Options) ([]text.Example, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return all(func(each func(text.Example) error) error {
		return Stream(archive.Entry{Name: name, Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }}, o, each)
	})
}

// all gathers examples.
func all(read func(each func(text.Example) error) error) ([]text.Example, error) {
	var out []text.Example
	if err := read(func(e text.Example) error { out = append(out, e); return nil }); err != nil {
		return nil, err
	}
	return out, nil
}

// Stream reads a table of labelled texts and calls each with one after the other;
// an error of it ends the reading. The file is read twice: first for its encoding.
// No more is held of it than a row.
//
// Gzip, zstd and Parquet are recognised
// by their first bytes, the other formats by the ending of the name (before .gz and
// .zst) or else by the first line, unless given. White space around texts,
// labels and splits is removed; the words for splits are those of
// archive.SplitWord. Lines may also end as on a Macintosh of old.
//
// Errors name the line (of text), row (of Parquet) or byte, and the column; each
// was called with the good rows all the same. A
// text may be empty (Build counts and leaves out such examples), a label may
// not. No character is ever replaced: what cannot be converted to UTF-8 is an
// error.
func Stream(e archive.Entry, o Options, each func(text.Example) error) error {
	c, err := newCollector(e.Name, o, each)
	if err != nil {
		return err
	}
	if c.o.Format == "" {
		c.o.Format, _ = FormatOf(e.Name)
	}
	if err := c.table(e); err != nil {
		return fmt.Errorf("%s: %w", e.Name, err)
	}
	return c.done()
}

// table reads a table; what is wrong with its rows is noted.
func (c *collector) table(e archive.Entry) (err error) {
	file, in, err := c.open(e)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	c.report.Compression = in.Compression
	magic, _ := in.Peek(len(parquetcheck.Magic))
	if c.o.Format == Parquet || string(magic) == parquetcheck.Magic && (c.o.Format == "" || c.o.Format != Folder) {
		c.report.Format = Parquet
		return c.parquetFile(file, in)
	}
	s := new(survey)
	head, err := s.add(&bounded{in, c.o.limit(), c.o.limit()})
	if err != nil {
		return err
	}
	if c.o.Format == "" {
		if c.o.Format = sniffFormat(head); c.o.Format == "" {
			_, err := FormatOf("")
			return err
		}
	}
	c.report.Format = c.o.Format
	switch c.o.Format {
	case TSV, CSV, JSONL:
		if f := archive.FormatOf(head); f != "" {
			return fmt.Errorf("the file is a %s archive, not a table; read it as an archive", f)
		}
	case Folder:
		return errors.New("the file is not a folder of text files")
	default:
		return c.o.unknownFormat()
	}
	name := c.settle(s, func(_, line int, err error) { c.Add("line %d: %w", line, err) })[0]
	if name == "" {
		return nil
	}
	again, in, err := c.open(e)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, again.Close()) }()
	d, err := newDecoder(in, name, func(line int, err error) { c.Add("line %d: %w", line, err) })
	if err != nil {
		return err
	}
	d.returns = !s.parts[0].newline
	switch c.o.Format {
	case TSV:
		c.tsv(d)
	case CSV:
		c.csv(d)
	case JSONL:
		c.jsonl(d)
	}
	if !c.stopped() { // what was not looked at may be damaged
		_, err = io.Copy(io.Discard, d)
	}
	return err
}

// FormatOf returns the format that a file name's ending says.
func FormatOf(name string) (Format, error) {
	base := strings.ToLower(name)
	for _, ending := range []string{".gz", ".zst", ".zstd"} {
		base = strings.TrimSuffix(base, ending)
	}
	for _, e := range []struct {
		ending string
		format Format
	}{{".tsv", TSV}, {".tab", TSV}, {".csv", CSV}, {".jsonl", JSONL}, {".ndjson", JSONL}, {".parquet", Parquet}, {".parq", Parquet}} {
		if strings.HasSuffix(base, e.ending) {
			return e.format, nil
		}
	}
	return "", errors.New("cannot tell the format from the name " +
		"(known endings: .tsv .tab .csv .jsonl .ndjson .parquet, each also with .gz or .zst) " +
		"nor from the first line; give the format")
}

// sniffFormat tells the format by the first two lines, or returns "".
func sniffFormat(b []byte) Format {
	first, rest, _ := bytes.Cut(bytes.TrimPrefix(b[:min(len(b), 1<<20)], []byte("\ufeff")), []byte("\n"))
	second, _, _ := bytes.Cut(rest, []byte("\n"))
	tabs := bytes.Count(first, []byte("\t"))
	switch {
	case bytes.HasPrefix(bytes.TrimSpace(first), []byte("{")), bytes.HasPrefix(bytes.TrimSpace(first), []byte("[")):
		return JSONL
	case tabs > 0 && tabs == bytes.Count(second, []byte("\t")):
		return TSV
	}
	return ""
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// collector hands on the examples of one source and gathers its problems.
type collector struct {
	name        string
	o           Options // with the defaults filled in
	splitWanted bool
	splitNoted  bool // that the column is not read
	report      *Report
	members     map[string]int // of the report's columns, of JSON
	data.Problems
	each func(text.Example) error
	err  error // of each
	rows int
}

func newCollector(name string, o Options, each func(text.Example) error) (*collector, error) {
	c := &collector{name: name, o: o, report: o.Report, splitWanted: o.SplitColumn != "", each: each, members: map[string]int{}}
	if c.report == nil {
		c.report = new(Report)
	}
	*c.report = Report{Name: name}
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	c.o.TextColumn, c.o.LabelColumn = or(o.TextColumn, "text"), or(o.LabelColumn, "label")
	c.o.SplitColumn = or(o.SplitColumn, "split")
	c.o.Split, _ = splitOf(o.Split)
	return c, nil
}

// done returns what is wrong.
func (c *collector) done() error {
	c.report.Rows = c.rows
	if c.err != nil {
		return c.err
	}
	if c.Len() == 0 && c.rows == 0 {
		c.Fail(errors.New("no examples"))
	}
	return c.Err(c.name)
}

// stopped says that no more is wanted.
func (c *collector) stopped() bool { return c.err != nil }

// note adds to the report what was left out or decided.
func (c *collector) note(format string, a ...any) {
	c.report.Notes = append(c.report.Notes, fmt.Sprintf(format, a...))
}

func (o Options) maxText() int64 {
	if o.MaxText <= 0 {
		return DefaultMaxText
	}
	return o.MaxText
}

// problem notes what is wrong; a column of "" means the whole line.
func (c *collector) problem(line int, column, format string, a ...any) {
	c.at("line", line, column, format, a...)
}

// at notes what is wrong at a numbered place, such as a line or a row.
func (c *collector) at(place string, n int, column, format string, a ...any) {
	at := fmt.Sprintf("%s %d", place, n)
	if column != "" {
		at += fmt.Sprintf(", column %q", column)
	}
	c.Add("%s: %w", at, fmt.Errorf(format, a...))
}

// add checks and keeps one example of a place (line, row) in the source.
func (c *collector) add(place string, n int, words, label, split string) {
	ok := true
	for _, f := range [...]struct{ column, value string }{
		{c.o.TextColumn, words}, {c.o.LabelColumn, label}, {c.o.SplitColumn, split},
	} {
		if !utf8.ValidString(f.value) {
			c.at(place, n, f.column, "not valid UTF-8")
			ok = false
		}
	}
	if int64(len(words)) > c.o.maxText() {
		c.at(place, n, c.o.TextColumn, "%w", tooLong("a text", c.o.maxText()))
		ok = false
	}
	if !ok {
		return
	}
	e := text.Example{Text: strings.TrimSpace(words), Label: strings.TrimSpace(label)}
	if e.Label == "" {
		c.at(place, n, c.o.LabelColumn, "empty label")
		return
	}
	if e.Split, ok = splitOf(split); !ok {
		c.at(place, n, c.o.SplitColumn, "unknown split %q (known: train, validation, test, or empty)", split)
		return
	}
	if c.contradicts(e.Split) {
		c.at(place, n, c.o.SplitColumn, "%s", c.twoSplits(e.Split))
		return
	}
	e.Split = or(e.Split, c.o.Split)
	c.take(e)
}

// contradicts says that a split of the source is not the one that a person wrote.
func (c *collector) contradicts(split string) bool {
	return c.o.SplitWritten && c.o.Split != "" && split != "" && split != c.o.Split
}

// twoSplits says what to do where it does.
func (c *collector) twoSplits(split string) string {
	return fmt.Sprintf("the split is %s here, and %s was given for all of it: leave %s= out to read it from here", split, c.o.Split, c.o.Split)
}

// unread says that the column of the split is there and not read, which it notes.
func (c *collector) unread(there bool) bool {
	if !there || c.splitWanted || !c.o.SplitWritten || c.o.Split == "" {
		return false
	}
	if !c.splitNoted {
		c.splitNoted = true
		c.note("the column %q is not read, since the split %s was given for all of it: leave %s= out to read the column", c.o.SplitColumn,
			c.o.Split, c.o.Split)
	}
	return true
}

// take hands an example on.
func (c *collector) take(e text.Example) {
	if c.rows++; e.Text == "" {
		c.report.Empty++
	}
	if c.err == nil {
		c.err = c.each(e)
	}
}

// splitOf returns the split that a word means; "" means none.
func splitOf(word string) (split string, ok bool) {
	word = strings.TrimSpace(word)
	split = archive.SplitWord(word)
	return split, split != "" || word == ""
}
