//go:build unix

package serve

import (
	"io/fs"
	"syscall"
)

// ofRoot says whether a file belongs to root.
func ofRoot(info fs.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && s.Uid == 0
}
