package labelled

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"tnaml/experiments/data/archive"
	"tnaml/experiments/data/parquetcheck"
)

// parquet reads a Parquet file, whose pages may be compressed by snappy, gzip,
// brotli, zstd or LZ4_RAW (not by the LZ4 of before 2021, nor LZO). Nested columns are named by their dotted paths.
// Nulls are empty texts; of labels also integers, numbers and booleans are read.
// Integers that the metadata of Hugging Face's datasets give names (ClassLabel)
// become these names.
func (c *collector) parquet(file sized) {
	// The library panics on some kinds of damage.
	defer func() {
		if v := recover(); v != nil {
			c.Add("damaged Parquet file: %v", v)
		}
	}()
	if len(c.o.Columns) > 0 || c.o.Delimiter != "" || c.o.Encoding != "" {
		c.Fail(errors.New("a Parquet file names its columns itself and is UTF-8: give no columns, delimiter or encoding"))
		return
	}
	f, err := parquetcheck.Open(file, file.size)
	if err != nil {
		c.Fail(err)
		return
	}
	leaves := leavesOf(f.Root(), nil)
	if len(leaves) > maxColumns {
		c.Add("%d columns; at most %d can be read", len(leaves), maxColumns)
		return
	}
	names := make([]string, len(leaves))
	for i, l := range leaves {
		names[i] = l.name
	}
	at, ok := c.columns(slices.Clone(names))
	for i, l := range leaves {
		c.report.Columns[i].Type = typeName(l.column.Type())
		if l.column.MaxRepetitionLevel() > 0 {
			c.report.Columns[i].Type = "list of " + c.report.Columns[i].Type
		}
	}
	if !ok {
		return
	}
	var columns [3]*parquetColumn
	for i, w := range c.wanted() {
		if at[i] < 0 {
			continue
		}
		l := leaves[at[i]]
		if err := readable(l.column, w.use != "text"); err != nil {
			c.Add("column %q: %w", l.name, err)
			continue
		}
		columns[i] = &parquetColumn{leaf: l, names: classNames(f, l.name)}
	}
	if c.Len() > 0 {
		return
	}
	row, left := 0, c.o.limit()
	for g, group := range f.RowGroups() {
		n := int(group.NumRows())
		if n < 0 || int64(n) > file.size<<10 { // a page of equal values is small, but not that small
			c.Add("row group %d is said to have %d rows", g, n)
			return
		}
		if !c.rowGroup(file, f, g, columns, row, n, &left) {
			return
		}
		row += n
	}
}

// rowGroup hands on the n rows of a row group, after so many others. left is what
// the values may still cost, of all row groups together.
func (c *collector) rowGroup(file sized, f *parquet.File, g int, columns [3]*parquetColumn, row, n int, left *int64) (ok bool) {
	problems := c.Len()
	fail := func(col *parquetColumn, err error) {
		c.Add("column %q, row group %d (rows %d to %d): %s%w", col.name, g, row+1, row+n, col.place(f, g), err)
	}
	for _, col := range columns {
		if col == nil {
			continue
		}
		if err := parquetcheck.Column(file, file.size, f, g, col.column.Index(), c.o.limit()); err != nil {
			c.Add("column %q, row group %d: %w", col.name, g, err)
			return false
		}
		col.open(f.RowGroups()[g])
		defer func() {
			if err := col.pages.Close(); err != nil {
				fail(col, err)
			}
			ok = ok && c.Len() == problems
		}()
	}
	for k := range n + 1 {
		var v [3]string
		for i, col := range columns {
			if col == nil {
				continue
			}
			s, err := col.next(c.o.maxText(), left)
			switch {
			case err == io.EOF && k == n:
			case err == nil && k == n:
				fail(col, fmt.Errorf("more than %d values in as many rows", n))
				return false
			case err == io.EOF:
				fail(col, fmt.Errorf("%d values in %d rows", k, n))
				return false
			case errors.Is(err, ErrTooLong):
				c.at("row", row+k+1, col.name, "%w", err)
				problems++
			case err != nil:
				fail(col, fmt.Errorf("value %d: %w", k+1, err))
				return false
			}
			if v[i] = s; row+k < typeRows && c.report.Columns[col.column.Index()].Example == "" {
				c.report.Columns[col.column.Index()].Example = oneLine(s, exampleLength)
			}
		}
		if k < n && !c.stopped() {
			before := c.Len()
			c.add("row", row+k+1, v[0], v[1], v[2])
			problems += c.Len() - before
		}
	}
	return !c.stopped()
}

// sized is a file that is read from any place.
type sized struct {
	io.ReaderAt
	size int64
}

// parquetFile reads a Parquet file: where it lies, or, of what can only be read
// from the start, in memory.
func (c *collector) parquetFile(file io.ReadCloser, in *archive.Reader) error {
	if on, ok := file.(interface {
		io.ReaderAt
		io.Seeker
	}); ok && in.Compression == archive.None {
		size, err := on.Seek(0, io.SeekEnd)
		if err == nil {
			c.parquet(sized{on, size})
		}
		return err
	}
	b, err := in.ReadAll(c.o.limit())
	if err == nil {
		c.parquet(sized{bytes.NewReader(b), int64(len(b))})
	}
	return err
}

func (o Options) limit() int64 {
	if o.MaxBytes <= 0 {
		return archive.DefaultMaxBytes
	}
	return o.MaxBytes
}

// perValue is what a value costs in memory beside its bytes: a few bytes of a
// page may stand for millions of values.
const perValue = 16

// leaf is a column that holds values, with its dotted path.
type leaf struct {
	name   string
	column *parquet.Column
}

func leavesOf(c *parquet.Column, path []string) []leaf {
	if c.Leaf() {
		return []leaf{{strings.Join(path, "."), c}}
	}
	var out []leaf
	for _, child := range c.Columns() {
		out = append(out, leavesOf(child, append(slices.Clone(path), child.Name()))...)
	}
	return out
}

// readable says why the values of a column cannot be texts or, with scalar,
// labels.
func readable(c *parquet.Column, scalar bool) error {
	if c.MaxRepetitionLevel() > 0 {
		return errors.New("a row has a list of values; it must have one")
	}
	kind := c.Type().Kind()
	if l := c.Type().LogicalType(); l != nil {
		switch l.Value.(type) {
		case nil, *format.StringType, *format.EnumType, *format.JsonType, *format.IntType:
		default:
			return fmt.Errorf("values of type %s are neither texts nor labels", typeName(c.Type()))
		}
	}
	switch kind {
	case parquet.ByteArray, parquet.FixedLenByteArray:
		return nil
	case parquet.Boolean, parquet.Int32, parquet.Int64, parquet.Float, parquet.Double:
		if scalar {
			return nil
		}
		return fmt.Errorf("must be texts, not %s", typeName(c.Type()))
	}
	return fmt.Errorf("values of type %s are neither texts nor labels", typeName(c.Type()))
}

// typeName is a column's type in a word.
func typeName(t parquet.Type) string {
	if l := t.LogicalType(); l != nil {
		switch l.Value.(type) {
		case nil, *format.IntType:
		case *format.StringType, *format.EnumType:
			return "text"
		default:
			return strings.ToLower(t.String())
		}
	}
	switch t.Kind() {
	case parquet.ByteArray:
		return "bytes"
	case parquet.FixedLenByteArray:
		return fmt.Sprintf("%d bytes", t.Length())
	}
	return strings.ToLower(t.Kind().String())
}

type parquetColumn struct {
	leaf
	names []string

	pages  parquet.Pages // of the row group that is read
	page   parquet.Page
	values parquet.ValueReader
	buffer [64]parquet.Value
	at, n  int // of the buffer
}

// place returns the byte at which the column's part of a row group begins.
func (p *parquetColumn) place(f *parquet.File, group int) string {
	m := f.Metadata().RowGroups[group].Columns[p.column.Index()].MetaData
	at := m.DataPageOffset
	if m.DictionaryPageOffset > 0 {
		at = min(at, m.DictionaryPageOffset)
	}
	return fmt.Sprintf("bytes %d to %d: ", at, at+m.TotalCompressedSize)
}

// open begins with a row group.
func (p *parquetColumn) open(group parquet.RowGroup) {
	p.pages, p.page, p.values, p.at, p.n = group.ColumnChunks()[p.column.Index()].Pages(), nil, nil, 0, 0
}

// next returns the next value, a null as ""; io.EOF ends them. left is what they
// may still cost.
func (p *parquetColumn) next(limit int64, left *int64) (string, error) {
	for p.at == p.n {
		if p.values == nil {
			page, err := p.pages.ReadPage()
			if err != nil {
				return "", err
			}
			p.page, p.values = page, page.Values()
		}
		n, err := p.values.ReadValues(p.buffer[:])
		p.at, p.n = 0, n
		switch {
		case err == io.EOF:
			p.values = nil
			if n == 0 {
				parquet.Release(p.page)
			}
		case err != nil:
			return "", err
		case n == 0:
			return "", io.ErrNoProgress
		}
	}
	v := p.buffer[p.at]
	p.at++
	if k := v.Kind(); (k == parquet.ByteArray || k == parquet.FixedLenByteArray) && int64(len(v.ByteArray())) > limit {
		return "", tooLong("a text", limit)
	}
	s, err := p.text(v)
	if *left -= int64(len(s)) + perValue; *left < 0 && err == nil {
		err = errors.New("too many values, or bytes of them; split the file or raise the limit")
	}
	return s, err
}

func (p *parquetColumn) text(v parquet.Value) (string, error) {
	if v.IsNull() {
		return "", nil
	}
	signed := true
	if l := p.column.Type().LogicalType(); l != nil {
		if i, ok := l.Value.(*format.IntType); ok {
			signed = i.IsSigned
		}
	}
	var i int64
	switch v.Kind() {
	case parquet.ByteArray, parquet.FixedLenByteArray:
		return string(v.ByteArray()), nil
	case parquet.Boolean:
		return strconv.FormatBool(v.Boolean()), nil
	case parquet.Float, parquet.Double:
		d, bits := v.Double(), 64
		if v.Kind() == parquet.Float {
			d, bits = float64(v.Float()), 32
		}
		if math.IsNaN(d) { // as pandas writes what is missing
			return "", nil
		}
		return formatFloat(d, bits), nil
	case parquet.Int32:
		if i = int64(v.Int32()); !signed {
			i = int64(uint32(i))
		}
	case parquet.Int64:
		if i = v.Int64(); !signed {
			return strconv.FormatUint(uint64(i), 10), nil
		}
	default:
		return "", fmt.Errorf("of unknown kind %s", v.Kind())
	}
	if p.names == nil {
		return strconv.FormatInt(i, 10), nil
	}
	if i < 0 || i >= int64(len(p.names)) {
		return "", fmt.Errorf("%d is none of the %d classes that the file's metadata names", i, len(p.names))
	}
	return p.names[i], nil
}

// classNames returns the names of a column's integers as the datasets library of
// Hugging Face writes them into the metadata, or nil.
func classNames(f *parquet.File, column string) []string {
	text, ok := f.Lookup("huggingface")
	if !ok {
		return nil
	}
	var m struct {
		Info struct {
			Features map[string]struct {
				Type  string   `json:"_type"`
				Names []string `json:"names"`
			} `json:"features"`
		} `json:"info"`
	}
	if json.Unmarshal([]byte(text), &m) != nil {
		return nil
	}
	feature := m.Info.Features[column]
	if feature.Type != "ClassLabel" || len(feature.Names) == 0 ||
		slices.ContainsFunc(feature.Names, func(n string) bool { return n == "" || !utf8.ValidString(n) }) {
		return nil
	}
	return feature.Names
}
