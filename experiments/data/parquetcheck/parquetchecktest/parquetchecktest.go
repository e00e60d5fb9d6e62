// Package parquetchecktest makes Parquet files that say of themselves what is not so.
package parquetchecktest

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// Edited is a file, of one row group, whose last column's first page has another header.
func Edited(t testing.TB, b []byte, edit func(h *format.PageHeader)) []byte {
	t.Helper()
	f, err := parquet.OpenFile(bytes.NewReader(b), int64(len(b)), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		t.Fatal(err)
	}
	metadata := f.Metadata()
	if len(metadata.RowGroups) != 1 {
		t.Fatalf("%d row groups", len(metadata.RowGroups))
	}
	columns := metadata.RowGroups[0].Columns
	m := &columns[len(columns)-1].MetaData
	at := m.DataPageOffset
	if m.DictionaryPageOffset != 0 {
		at = m.DictionaryPageOffset
	}
	section := io.NewSectionReader(bytes.NewReader(b), at, m.TotalCompressedSize)
	r := bufio.NewReader(section)
	protocol := new(thrift.CompactProtocol)
	var h format.PageHeader
	if err := thrift.NewDecoder(protocol.NewReader(r)).Decode(&h); err != nil {
		t.Fatal(err)
	}
	read, err := section.Seek(0, io.SeekCurrent)
	if err != nil {
		t.Fatal(err)
	}
	body := b[at+read-int64(r.Buffered()) : at+m.TotalCompressedSize]
	edit(&h)
	header, err := thrift.Marshal(protocol, &h)
	if err != nil {
		t.Fatal(err)
	}
	out := append(append(bytes.Clone(b[:at]), header...), body...)
	m.TotalCompressedSize = int64(len(header) + len(body))
	footer, err := thrift.Marshal(protocol, metadata)
	if err != nil {
		t.Fatal(err)
	}
	out = binary.LittleEndian.AppendUint32(append(out, footer...), uint32(len(footer)))
	return append(out, "PAR1"...)
}
