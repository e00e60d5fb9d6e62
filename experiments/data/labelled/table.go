package labelled

import (
	"bufio"
	"bytes"
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

// known fits the columns of a table: those of its header line, or those that were
// given; it says which of the fields are text, label and split.
type known struct {
	at    [3]int
	n     int
	given bool // the first line is none of names
}

func (c *collector) header(first []string) (k known, ok bool) {
	names := slices.Clone(first)
	if given := c.given(first); given != nil {
		names, k.given = given, true
	}
	if len(names) > maxColumns {
		c.problem(1, "", "%d columns; at most %d can be read", len(names), maxColumns)
		return k, false
	}
	k.n = len(names)
	k.at, ok = c.columns(names)
	return k, ok
}

// maxColumns bounds the columns of a table.
const maxColumns = 1 << 14

func (c *collector) tsv(r io.Reader) {
	d, ok := c.delimiter()
	if !ok {
		return
	}
	if d == 0 {
		d = '\t'
	}
	tab := string(d)
	in := lines{r: bufio.NewReaderSize(r, chunk), limit: c.o.maxText() + chunk}
	fields := []string{}
	var k known
	named := false // the header has been read
	var marks quoting
	defer func() { c.noteQuoting(marks) }()
	for !c.stopped() {
		row, err := in.next()
		switch {
		case err == io.EOF:
			return
		case errors.Is(err, ErrTooLong):
			c.problem(in.line, "", "%w", err)
			continue
		case err != nil:
			c.Fail(err)
			return
		}
		if !named {
			if own, ok := excelDelimiter(row); ok && in.line == 1 {
				c.note("the first line, %s, says what parts the fields, as Excel has it", row)
				tab = or(c.o.Delimiter, own)
				continue
			}
			named, c.report.Delimiter = true, tab
			if k, ok = c.header(strings.SplitN(row, tab, maxColumns+2)); !ok {
				return
			}
			if !k.given {
				continue
			}
		}
		if row == "" {
			continue
		}
		fields = fields[:0]
		for f := range strings.SplitSeq(row, tab) {
			if fields = append(fields, f); len(fields) > k.n {
				break
			}
		}
		if len(fields) != k.n {
			hint := "must go, or be quoted in a CSV file"
			if strings.Contains(row, `"`) {
				hint = "must go, or be quoted: " + csvReads
			}
			c.problem(in.line, "", "%s; a delimiter or line break inside a text %s", c.count(1+strings.Count(row, tab), k.n), hint)
			continue
		}
		marks.see(in.line, fields)
		c.row(in.line, fields, k.at)
	}
}

// row takes the fields of a line.
func (c *collector) row(line int, fields []string, at [3]int) {
	if c.rows < typeRows {
		c.report.note(fields)
	}
	in := ""
	if at[2] >= 0 {
		in = fields[at[2]]
	}
	c.add("line", line, fields[at[0]], fields[at[1]], in)
}

// excelDelimiter returns the delimiter that a first line such as "sep=;" says.
func excelDelimiter(line string) (string, bool) {
	line = strings.Trim(strings.TrimSuffix(line, "\r"), `"`)
	if len(line) < 5 || !strings.EqualFold(line[:4], "sep=") {
		return "", false
	}
	_, n := utf8.DecodeRuneInString(line[4:])
	return line[4:], n == len(line)-4
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
func (c *collector) sniffDelimiter(head []byte) rune {
	best, most := ',', 0
	for _, d := range csvDelimiters {
		r := csvReader{r: bufio.NewReader(bytes.NewReader(head)), delimiter: string(d), limit: chunk, line: 1}
		row, err := r.next()
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

// glimpse is how much is kept of a field that is not wanted.
const glimpse = 1 << 10

func (c *collector) csv(r io.Reader) {
	d, ok := c.delimiter()
	if !ok {
		return
	}
	in := csvReader{r: bufio.NewReaderSize(r, chunk), delimiter: string(d), limit: c.o.maxText(), line: 1}
	head, _ := in.r.Peek(chunk)
	first, _, _ := bytes.Cut(head, []byte("\n"))
	own, excel := excelDelimiter(string(first))
	if excel {
		c.note("the first line, %s, says what parts the fields, as Excel has it", bytes.TrimSpace(first))
		in.skip(len(first) + 1)
		head = head[min(len(first)+1, len(head)):]
	}
	switch {
	case d != 0:
	case excel:
		in.delimiter = own
	default:
		in.delimiter = string(c.sniffDelimiter(head))
	}
	c.report.Delimiter = in.delimiter
	row, err := in.next()
	if err == io.EOF {
		return
	}
	if err != nil {
		c.quote(in.begin, "header: ", err)
		return
	}
	k, ok := c.header(row)
	if !ok {
		return
	}
	in.wanted = func(field int) bool { return slices.Contains(k.at[:], field) }
	for again := k.given; !c.stopped(); again = false {
		if !again {
			row, err = in.next()
		}
		switch {
		case err == io.EOF:
			if in.spaces {
				c.note("spaces between a delimiter and a quotation mark are not the text's")
			}
			return
		case errors.Is(err, ErrTooLong):
			c.problem(in.begin, "", "%w", err)
		case err != nil:
			c.quote(in.begin, "", err)
			return
		case len(row) != k.n:
			c.problem(in.begin, "", "%s; a text with a delimiter, quote or line break must be quoted", c.count(len(row), k.n))
		default:
			c.row(in.begin, row, k.at)
		}
	}
}

// quote says what ends the reading of a CSV file.
func (c *collector) quote(line int, what string, err error) {
	var q errQuote
	switch {
	case errors.As(err, &q):
		c.problem(q.line, "", "%s%w", what, err)
	case errors.Is(err, ErrTooLong):
		c.problem(line, "", "%s%w", what, err)
	default:
		c.Fail(err)
	}
}
