// Package parquetcheck looks at what a Parquet file says of its pages before the library
// that reads them believes it: that one makes room for what the header of a page says, which
// in a damaged file may be gigabytes.
package parquetcheck

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"
)

const (
	// maxValues bounds the values that stand for a byte of the file: a page of equal ones
	// is small, but not that small.
	maxValues = 1 << 10
	// lz4Ratio is the most that LZ4 makes of a byte: a run goes on for 255 with each.
	lz4Ratio = 255
	// spared is a page's size, decompressed, that is not worth a question: what the whole
	// column has some programs do not count as they should.
	spared = 16 << 20
)

// Column refuses what of a column's part of a row group the library cannot be given.
// size is the file's, limit the most that the part may have, decompressed.
func Column(file io.ReaderAt, size int64, f *parquet.File, group, column int, limit int64) error {
	groups := f.Metadata().RowGroups
	m := &groups[group].Columns[column].MetaData
	codec := groups[0].Columns[column].MetaData.Codec // the library's for all
	switch {
	case m.Codec != codec:
		return fmt.Errorf("compressed by %s, but %s before: write the file with one compression", m.Codec, codec)
	case m.TotalUncompressedSize < 0 || m.TotalUncompressedSize > limit:
		return fmt.Errorf("%d bytes, more than %d; split the file or raise the limit", m.TotalUncompressedSize, limit)
	case m.NumValues < 0 || m.NumValues/maxValues > size:
		return fmt.Errorf("it is said to have %d values, the file has %d bytes", m.NumValues, size)
	}
	switch codec {
	case format.Uncompressed, format.Snappy, format.Gzip, format.Brotli, format.Zstd, format.Lz4Raw:
		return pages(file, size, m)
	}
	return fmt.Errorf("compressed by %s, which is not read: write the file with zstd, snappy, gzip, brotli, lz4_raw or no compression", codec)
}

// pages looks at the headers of all pages.
func pages(file io.ReaderAt, size int64, m *format.ColumnMetaData) error {
	at := m.DataPageOffset
	if m.DictionaryPageOffset != 0 { // where the library begins
		at = m.DictionaryPageOffset
	}
	if n := m.TotalCompressedSize; at < 0 || n < 0 || at > size || n > size-at || m.DictionaryPageOffset != 0 && m.DataPageOffset < at {
		return fmt.Errorf("%d bytes of pages at %d and %d, the file has %d bytes", n, at, m.DataPageOffset, size)
	}
	end := at + m.TotalCompressedSize
	r := bufio.NewReader(nil)
	headers := thrift.NewDecoder(new(thrift.CompactProtocol).NewReader(r))
	var p page
	for ; at < end; p.n++ {
		if err := sound(io.NewSectionReader(file, at, end-at), end-at); err != nil {
			return fmt.Errorf("byte %d: the header of page %d: %w", at, p.n, err)
		}
		section := io.NewSectionReader(file, at, end-at)
		r.Reset(section)
		p.header = format.PageHeader{}
		if err := headers.Decode(&p.header); err != nil {
			return fmt.Errorf("byte %d: the header of page %d: %w", at, p.n, err)
		}
		read, _ := section.Seek(0, io.SeekCurrent)
		at += read - int64(r.Buffered())
		err := p.check(m, end-at)
		if err == nil && m.Codec == format.Lz4Raw {
			err = p.lz4(file, at)
		}
		if err != nil {
			return fmt.Errorf("byte %d: page %d %w", at, p.n, err)
		}
		at += int64(p.header.CompressedPageSize)
	}
	return nil
}

// page is the one that is looked at, the n-th, after so many values.
type page struct {
	header  format.PageHeader
	n       int
	values  int64
	in, out []byte
}

// check says what a page's header says that cannot be; left is what the column has of bytes.
func (p *page) check(m *format.ColumnMetaData, left int64) error {
	h := &p.header
	packed, whole := int64(h.CompressedPageSize), int64(h.UncompressedPageSize)
	if packed < 0 || packed > left || whole < 0 {
		return fmt.Errorf("is said to have %d bytes, %d decompressed; the column has %d more", packed, whole, left)
	}
	if m.Codec != format.Uncompressed && whole > max(spared, m.TotalUncompressedSize) {
		return fmt.Errorf("is said to have %d bytes decompressed, the whole column %d", whole, m.TotalUncompressedSize)
	}
	var values int64
	var encoding format.Encoding
	switch {
	case h.Type == format.DictionaryPage && h.DictionaryPageHeader.Valid:
		if n := int64(h.DictionaryPageHeader.V.NumValues); n < 0 || n > max(whole, packed) {
			return fmt.Errorf("is said to have %d words in %d bytes", n, whole)
		}
	case h.Type == format.DataPage && h.DataPageHeader.Valid:
		values, encoding = int64(h.DataPageHeader.V.NumValues), h.DataPageHeader.V.Encoding
	case h.Type == format.DataPageV2 && h.DataPageHeaderV2.Valid:
		v := &h.DataPageHeaderV2.V
		values, encoding = int64(v.NumValues), v.Encoding
		if v.NumNulls < 0 || v.NumNulls > v.NumValues {
			return fmt.Errorf("is said to have %d nulls of %d values", v.NumNulls, v.NumValues)
		}
		if a, b := int64(v.RepetitionLevelsByteLength), int64(v.DefinitionLevelsByteLength); a < 0 || b < 0 || a+b > packed {
			return fmt.Errorf("of %d bytes is said to have %d of levels", packed, a+b)
		}
	}
	if p.values += values; values < 0 || p.values > m.NumValues {
		return fmt.Errorf("is said to have %d values, up to it there are %d of the %d that the column has", values, p.values, m.NumValues)
	}
	switch encoding {
	case format.DeltaBinaryPacked, format.DeltaLengthByteArray, format.DeltaByteArray: // which begin with a number of values, too
		if !slices.Contains(m.Encoding, encoding) {
			return fmt.Errorf("is said to be of the encoding %s, of which the column has none", encoding)
		}
	}
	return nil
}

// lz4 decompresses a page, in LZ4_RAW, whose bytes begin at at. The library takes damage
// there for a buffer that is too short and asks for ever more memory: it may only be given
// what is sound.
func (p *page) lz4(file io.ReaderAt, at int64) error {
	packed, whole := int64(p.header.CompressedPageSize), int64(p.header.UncompressedPageSize)
	if whole > lz4Ratio*(packed+1) {
		return fmt.Errorf("is said to have %d bytes, %d decompressed", packed, whole)
	}
	if int64(cap(p.in)) < packed {
		p.in = make([]byte, packed)
	}
	data := p.in[:packed]
	if _, err := file.ReadAt(data, at); err != nil && err != io.EOF {
		return err
	}
	if h := p.header.DataPageHeaderV2; p.header.Type == format.DataPageV2 && h.Valid {
		data = data[h.V.RepetitionLevelsByteLength+h.V.DefinitionLevelsByteLength:]
		if h.V.IsCompressed.Valid && !h.V.IsCompressed.V {
			return nil
		}
	}
	if int64(cap(p.out)) < whole {
		p.out = make([]byte, whole)
	}
	if _, err := lz4.UncompressBlock(data, p.out[:whole]); err != nil {
		return errors.New("is damaged LZ4")
	}
	return nil
}
