// Package archivetest makes archives and compressed files for tests. What cannot
// fail with memory alone panics.
package archivetest

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"io"
	"io/fs"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Tar returns a tar archive of files, given as pairs of name and contents. A name
// that ends with a slash is a folder.
func Tar(pairs ...string) []byte {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for i := 0; i < len(pairs); i += 2 {
		h := &tar.Header{Name: pairs[i], Mode: 0o644, Size: int64(len(pairs[i+1]))}
		must(0, w.WriteHeader(h))
		must(io.WriteString(w, pairs[i+1]))
	}
	must(0, w.Close())
	return out.Bytes()
}

// Zip returns a zip archive of files, given as pairs of name and contents.
func Zip(pairs ...string) []byte {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for i := 0; i < len(pairs); i += 2 {
		f, err := w.Create(pairs[i])
		must(0, err)
		must(io.WriteString(f, pairs[i+1]))
	}
	must(0, w.Close())
	return out.Bytes()
}

// ZipOf packs one file of a mode.
func ZipOf(name string, mode fs.FileMode, contents string) []byte {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	h := &zip.FileHeader{Name: name}
	h.SetMode(mode)
	f, err := w.CreateHeader(h)
	must(0, err)
	must(io.WriteString(f, contents))
	must(0, w.Close())
	return out.Bytes()
}

// Gzip compresses.
func Gzip(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	must(w.Write(b))
	must(0, w.Close())
	return out.Bytes()
}

// Zstd compresses.
func Zstd(b []byte) []byte {
	w, err := zstd.NewWriter(nil)
	must(0, err)
	defer func() { _ = w.Close() }()
	return w.EncodeAll(b, nil)
}

func must(_ int, err error) {
	if err != nil {
		panic(err)
	}
}
