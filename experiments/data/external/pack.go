package external

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"

	"tnaml/experiments/data/archive"
)

// Pack makes one object of the files of a folder: a tar archive (POSIX) that is a
// function of their names and contents alone. What cannot be read is reported all
// together.
func Pack(files []archive.File) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	var errs []error
	for _, f := range files {
		if f.Err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", f.Name, f.Err))
			continue
		}
		err := w.WriteHeader(&tar.Header{Name: f.Name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(f.Data))})
		if err == nil {
			_, err = w.Write(f.Data)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
