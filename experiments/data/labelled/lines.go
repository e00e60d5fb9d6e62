package labelled

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"

	"tnaml/experiments/data/archive"
)

// Lines reads a file of a text a line, as Stream reads a table: compression and
// encoding are found out, nothing is replaced. It calls each with every line, the
// empty ones too, without white space around it; an error of it ends the reading.
// A file is read twice. Of what can be read only once (e.Open gives no io.Seeker,
// as a pipe does not) the encoding is told by the first 64 KiB, and what does not
// fit later is a problem.
func Lines(e archive.Entry, o Options, each func(line string) error) error {
	if err := o.Validate(); err != nil {
		return err
	}
	c := &collector{name: e.Name, o: o, report: o.Report}
	if c.report == nil {
		c.report = new(Report)
	}
	*c.report = Report{Name: e.Name}
	file, in, err := c.open(e)
	if err != nil {
		return fmt.Errorf("%s: %w", e.Name, err)
	}
	defer file.Close() // read only
	s := new(survey)
	var rest io.Reader
	whole := true // the survey saw all of it
	if _, again := file.(io.Seeker); again {
		if _, err = s.add(&bounded{in, c.o.limit(), c.o.limit()}); err != nil {
			return fmt.Errorf("%s: %w", e.Name, err)
		}
	} else {
		head := make([]byte, chunk)
		n, err := io.ReadFull(in, head)
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return fmt.Errorf("%s: %w", e.Name, err)
		}
		whole = n < chunk
		_, _ = s.add(bytes.NewReader(head[:wholeCharacters(head[:n], whole)])) // which cannot fail
		rest = io.MultiReader(bytes.NewReader(head[:n]), in)
	}
	problem := func(line int, err error) { c.Add("line %d: %w", line, err) }
	name := c.settle(s, func(_, line int, err error) { problem(line, err) })[0]
	if name == "" {
		return c.Err(e.Name)
	}
	if rest == nil {
		again, in, err := c.open(e)
		if err != nil {
			return fmt.Errorf("%s: %w", e.Name, err)
		}
		defer again.Close() // read only
		rest = in
	}
	d, err := newDecoder(rest, name, problem)
	if err != nil {
		return err
	}
	d.returns = !s.parts[0].newline && whole
	l := lines{r: bufio.NewReaderSize(d, chunk), limit: c.o.maxText()}
	for {
		line, err := l.next()
		if err == io.EOF {
			return c.Err(e.Name)
		}
		if err != nil {
			problem(l.line, err)
			return c.Err(e.Name)
		}
		if bad := strings.IndexByte(line, 0); bad >= 0 {
			problem(l.line, fmt.Errorf("byte %d is zero: the file is no text", bad+1))
		}
		if c.Len() > 0 {
			continue // for more of them
		}
		if err := each(strings.TrimSpace(line)); err != nil {
			return err
		}
	}
}
