package labelled

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"
)

// lz4Ratio is the most that LZ4 makes of a byte: a run goes on for 255 with each.
const lz4Ratio = 255

// checkLZ4 decompresses the pages of a column's part of a row group, in LZ4_RAW.
// The library takes damage there for a buffer that is too short and asks for ever
// more memory: it may only be given what is sound.
func checkLZ4(file sized, m *format.ColumnMetaData) error {
	at := m.DataPageOffset
	if m.DictionaryPageOffset != 0 { // where the library begins
		at = m.DictionaryPageOffset
	}
	size := m.TotalCompressedSize
	if at < 0 || size < 0 || at > file.size || size > file.size-at || m.DictionaryPageOffset != 0 && m.DataPageOffset < at {
		return fmt.Errorf("%d bytes of pages at %d and %d, the file has %d bytes", size, at, m.DataPageOffset, file.size)
	}
	section := io.NewSectionReader(file, at, size)
	r := bufio.NewReader(section)
	where := func() int64 {
		n, _ := section.Seek(0, io.SeekCurrent)
		return at + n - int64(r.Buffered())
	}
	headers := thrift.NewDecoder(new(thrift.CompactProtocol).NewReader(r))
	var in, out []byte
	for page := 0; ; page++ {
		if _, err := r.Peek(1); err == io.EOF {
			return nil
		}
		header := new(format.PageHeader)
		if err := headers.Decode(header); err != nil {
			return fmt.Errorf("byte %d: the header of page %d: %w", where(), page, err)
		}
		begin, packed, whole := where(), int64(header.CompressedPageSize), int64(header.UncompressedPageSize)
		if packed < 0 || packed > at+size-begin || whole < 0 || whole > lz4Ratio*(packed+1) {
			return fmt.Errorf("byte %d: page %d is said to have %d bytes, %d decompressed", begin, page, packed, whole)
		}
		if int64(cap(in)) < packed {
			in = make([]byte, packed)
		}
		data := in[:packed]
		if _, err := io.ReadFull(r, data); err != nil {
			return err
		}
		if h := header.DataPageHeaderV2; header.Type == format.DataPageV2 && h.Valid {
			levels := int64(h.V.RepetitionLevelsByteLength) + int64(h.V.DefinitionLevelsByteLength)
			if h.V.RepetitionLevelsByteLength < 0 || h.V.DefinitionLevelsByteLength < 0 || levels > packed {
				return fmt.Errorf("byte %d: page %d of %d bytes is said to have %d of levels", begin, page, packed, levels)
			}
			if data = data[levels:]; h.V.IsCompressed.Valid && !h.V.IsCompressed.V {
				continue
			}
		}
		if int64(cap(out)) < whole {
			out = make([]byte, whole)
		}
		if _, err := lz4.UncompressBlock(data, out[:whole]); err != nil {
			return fmt.Errorf("byte %d: page %d: %w", begin, page, errors.New("damaged LZ4"))
		}
	}
}
