package disk_test

import (
	"errors"
	"path/filepath"
	"testing"

	"tnaml/activities/disk"
)

// A directory that will be made has the room of what is above it.
func TestFree(t *testing.T) {
	there, err := disk.Free(t.TempDir())
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	will, err2 := disk.Free(filepath.Join(t.TempDir(), "a", "b"))
	if err != nil || err2 != nil || there == 0 || will == 0 {
		t.Errorf("%d, %v; %d, %v", there, err, will, err2)
	}
}
