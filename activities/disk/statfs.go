//go:build linux || darwin || freebsd

package disk

import (
	"errors"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Free is the number of bytes that are free to this process where a directory is, or will be
// made.
func Free(directory string) (uint64, error) {
	for {
		var s unix.Statfs_t
		err := unix.Statfs(directory, &s)
		above := filepath.Dir(directory)
		if err == nil {
			return uint64(max(s.Bavail, 0)) * uint64(s.Bsize), nil
		}
		if !errors.Is(err, fs.ErrNotExist) || above == directory {
			return 0, err
		}
		directory = above
	}
}
