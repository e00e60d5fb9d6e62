package labelled

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"tnaml/experiments/data/archive"
)

// parquetMagic are the first four bytes of a Parquet file, and the last.
const parquetMagic = "PAR1"

// parquet reads a Parquet file, whose pages may be compressed by snappy, gzip,
// brotli, zstd or LZ4_RAW (not by the LZ4 of before 2021, nor LZO). Nested columns are named by their dotted paths.
// Nulls are empty texts; of labels also integers, numbers and booleans are read.
// Integers that the metadata of Hugging Face's datasets give names (ClassLabel)
// become these names.
func (c *collector) parquet(b []byte) {
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
	if n := len(b); n < 12 || string(b[:4]) != parquetMagic {
		c.Add("byte 0: no Parquet file (%d bytes, not beginning with %s)", n, parquetMagic)
		return
	} else if string(b[n-4:]) != parquetMagic {
		c.Add("byte %d: the Parquet file is cut off: it does not end with %s, its footer is missing", n, parquetMagic)
		return
	} else if size := int64(b[n-8]) | int64(b[n-7])<<8 | int64(b[n-6])<<16 | int64(b[n-5])<<24; size > int64(n-12) {
		c.Add("byte %d: the footer is said to have %d bytes, the file has %d", n-8, size, n)
		return
	}
	f, err := parquet.OpenFile(bytes.NewReader(b), int64(len(b)), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		c.Add("the footer before byte %d: %w", len(b)-8, err)
		return
	}
	leaves := leavesOf(f.Root(), nil)
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
		if n < 0 || n > len(b)<<10 { // a page of equal values is small, but not that small
			c.Add("row group %d is said to have %d rows", g, n)
			return
		}
		var values [3][]string
		for i, col := range columns {
			if col == nil {
				continue
			}
			err := col.check(b, f, g, c.o.limit())
			if err != nil {
				c.Add("column %q, row group %d: %w", col.name, g, err)
				return
			}
			if values[i], err = col.read(group, &left); err == nil && len(values[i]) != n {
				err = fmt.Errorf("%d values in %d rows", len(values[i]), n)
			}
			if err != nil {
				c.Add("column %q, row group %d (rows %d to %d): %s%w", col.name, g, row+1, row+n, col.place(f, g), err)
				return
			}
		}
		for k := range n {
			var v [3]string
			for i := range v {
				if values[i] != nil {
					v[i] = values[i][k]
					if k < typeRows && row == 0 && c.report.Columns[at[i]].Example == "" {
						c.report.Columns[at[i]].Example = oneLine(v[i], exampleLength)
					}
				}
			}
			c.add("row", row+k+1, v[0], v[1], v[2])
		}
		row += n
	}
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

// check refuses what the library cannot be given.
func (p *parquetColumn) check(b []byte, f *parquet.File, group int, limit int64) error {
	groups := f.Metadata().RowGroups
	m := groups[group].Columns[p.column.Index()].MetaData
	codec := groups[0].Columns[p.column.Index()].MetaData.Codec // the library's for all
	switch {
	case m.Codec != codec:
		return fmt.Errorf("compressed by %s, but %s before: write the file with one compression", m.Codec, codec)
	case m.TotalUncompressedSize < 0 || m.TotalUncompressedSize > limit:
		return fmt.Errorf("%d bytes, more than %d; split the file or raise the limit", m.TotalUncompressedSize, limit)
	}
	switch codec {
	case format.Uncompressed, format.Snappy, format.Gzip, format.Brotli, format.Zstd:
		return nil
	case format.Lz4Raw:
		return checkLZ4(b, &m)
	}
	return fmt.Errorf("compressed by %s, which is not read: write the file with zstd, snappy, gzip, brotli, lz4_raw or no compression", codec)
}

// read returns the column's values in a row group; a null is "". left is what
// they may still cost, of all row groups together.
func (p *parquetColumn) read(group parquet.RowGroup, left *int64) (out []string, err error) {
	pages := group.ColumnChunks()[p.column.Index()].Pages()
	defer func() { err = errors.Join(err, pages.Close()) }()
	buffer := make([]parquet.Value, 1024)
	signed := true
	if l := p.column.Type().LogicalType(); l != nil {
		if i, ok := l.Value.(*format.IntType); ok {
			signed = i.IsSigned
		}
	}
	for {
		page, err := pages.ReadPage()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		for values := page.Values(); ; {
			n, err := values.ReadValues(buffer)
			for _, v := range buffer[:n] {
				s, err := p.text(v, signed)
				if err != nil {
					return nil, fmt.Errorf("value %d: %w", len(out)+1, err)
				}
				if *left -= int64(len(s)) + perValue; *left < 0 {
					return nil, errors.New("too many values, or bytes of them; split the file or raise the limit")
				}
				out = append(out, s)
			}
			if err == io.EOF {
				break
			}
			if err != nil {
				return nil, err
			}
			if n == 0 {
				return nil, io.ErrNoProgress
			}
		}
		parquet.Release(page)
	}
}

func (p *parquetColumn) text(v parquet.Value, signed bool) (string, error) {
	if v.IsNull() {
		return "", nil
	}
	var i int64
	switch v.Kind() {
	case parquet.ByteArray, parquet.FixedLenByteArray:
		return string(v.ByteArray()), nil
	case parquet.Boolean:
		return strconv.FormatBool(v.Boolean()), nil
	case parquet.Float:
		return strconv.FormatFloat(float64(v.Float()), 'g', -1, 32), nil
	case parquet.Double:
		return strconv.FormatFloat(v.Double(), 'g', -1, 64), nil
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
